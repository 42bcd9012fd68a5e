//! Layers of settings: flags over environment over file over defaults. Each value knows where it came from, and a key that nobody
//! asks for is an error.

use super::{ConfigError, Fault, Origin};
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use toml::Value;
use toml::de::{DeTable, DeValue};

/// A value as given, and by whom.
#[derive(Debug, Clone)]
struct Given {
    value: Value,
    origin: Origin,
}

/// One value in effect, as `config show --effective` tells it.
#[derive(Debug, Clone)]
pub struct Effective {
    /// Dotted key, such as `server.listen`.
    pub key: String,
    /// The value as text; a secret is never in it.
    pub value: String,
    /// Where it came from.
    pub origin: Origin,
}

/// The settings that were given, until they are asked for.
#[derive(Debug, Default)]
pub(super) struct Settings {
    given: BTreeMap<String, Given>,
    /// Relative paths start here.
    folder: PathBuf,
    effective: Vec<Effective>,
    faults: Vec<Fault>,
}

impl Settings {
    /// Reads one TOML file.
    ///
    /// # Errors
    /// [`ConfigError`] when it cannot be read or is not TOML.
    pub(super) fn read_file(&mut self, file: &Path) -> Result<(), ConfigError> {
        let unreadable = |error: &dyn std::fmt::Display| ConfigError::File { file: file.to_owned(), text: error.to_string() };
        let text = std::fs::read_to_string(file).map_err(|error| unreadable(&error))?;
        let table = DeTable::parse(&text).map_err(|error| unreadable(&error))?;
        let absolute = std::path::absolute(file).map_err(|error| unreadable(&error))?;
        self.folder = absolute.parent().map(Path::to_owned).unwrap_or_default();
        let mut lines = BTreeMap::new();
        for (key, value) in table.get_ref() {
            note_lines(&text, key.get_ref(), key.span().start, value.get_ref(), &mut lines);
        }
        let table: toml::Table = toml::from_str(&text).map_err(|error| unreadable(&error))?;
        let mut leaves = Vec::new();
        for (key, value) in table {
            flatten(key, value, &mut leaves);
        }
        for (key, value) in leaves {
            let line = lines.get(&key).copied().unwrap_or(1);
            self.given.insert(key, Given { value, origin: Origin::File { file: file.to_owned(), line } });
        }
        Ok(())
    }

    /// Takes the variables named `AMANAT_SECTION__KEY`; a number between is a place in a list.
    pub(super) fn read_environment(&mut self, variables: impl IntoIterator<Item = (String, String)>) {
        for (name, text) in variables {
            let Some(rest) = name.strip_prefix("AMANAT_").filter(|rest| rest.contains("__")) else { continue };
            let mut key = String::new();
            for part in rest.to_ascii_lowercase().split("__") {
                if part.parse::<usize>().is_ok() {
                    key.push('[');
                    key.push_str(part);
                    key.push(']');
                } else {
                    if !key.is_empty() {
                        key.push('.');
                    }
                    key.push_str(part);
                }
            }
            self.given.insert(key, Given { value: Value::String(text), origin: Origin::Environment(name) });
        }
    }

    /// Sets what a flag of the command line says.
    pub(super) fn read_flag(&mut self, key: &str, flag: &'static str, text: String) {
        self.given.insert(key.to_owned(), Given { value: Value::String(text), origin: Origin::Flag(flag) });
    }

    /// The value of a key, when one was given and fits.
    pub(super) fn optional<T: DeserializeOwned>(&mut self, key: &str) -> Option<T> {
        self.ask(key, false)
    }

    /// The same for a value that is never shown.
    pub(super) fn optional_secret<T: DeserializeOwned>(&mut self, key: &str) -> Option<T> {
        self.ask(key, true)
    }

    /// The value of a key, or the default.
    pub(super) fn or<T: DeserializeOwned + std::fmt::Debug>(&mut self, key: &str, default: T) -> T {
        let given = self.given.contains_key(key);
        if let Some(value) = self.optional(key) {
            return value;
        }
        if !given {
            self.effective.push(Effective { key: key.to_owned(), value: format!("{default:?}"), origin: Origin::Default });
        }
        default
    }

    /// The value of a key that must be given.
    pub(super) fn required<T: DeserializeOwned>(&mut self, key: &str) -> Option<T> {
        if !self.given.contains_key(key) {
            self.effective.push(Effective { key: key.to_owned(), value: String::new(), origin: Origin::Default });
            self.fault(key, "is missing and has no default");
            return None;
        }
        self.optional(key)
    }

    /// A path; relative ones start at the folder of the file.
    pub(super) fn path(&mut self, key: &str) -> Option<PathBuf> {
        self.optional::<PathBuf>(key).map(|path| self.place(&path))
    }

    /// Where a path of the settings points.
    pub(super) fn place(&self, path: &Path) -> PathBuf {
        self.folder.join(path)
    }

    /// How many elements a list of tables has.
    pub(super) fn elements(&self, list: &str) -> usize {
        let index = |key: &String| {
            key.strip_prefix(list)?.strip_prefix('[')?.split_once(']').and_then(|(number, _)| number.parse::<usize>().ok())
        };
        self.given.keys().filter_map(index).max().map_or(0, |last| last.saturating_add(1).min(1000))
    }

    /// Notes that the value of a key is wrong.
    pub(super) fn fault(&mut self, key: &str, text: impl Into<String>) {
        let origin = self.effective.iter().find(|known| known.key == key).map_or(Origin::Default, |known| known.origin.clone());
        self.faults.push(Fault { key: key.to_owned(), origin, text: text.into(), suggestion: None });
    }

    /// Ends the reading: keys that nobody asked for are faults.
    ///
    /// # Errors
    /// Every fault found.
    pub(super) fn finish(mut self) -> Result<Vec<Effective>, ConfigError> {
        let known: Vec<&str> = self.effective.iter().map(|effective| effective.key.as_str()).collect();
        for (key, given) in &self.given {
            self.faults.push(Fault {
                key: key.clone(),
                origin: given.origin.clone(),
                text: "is not a setting".to_owned(),
                suggestion: nearest(key, &known),
            });
        }
        if self.faults.is_empty() { Ok(self.effective) } else { Err(ConfigError::Faults(self.faults)) }
    }

    fn ask<T: DeserializeOwned>(&mut self, key: &str, secret: bool) -> Option<T> {
        let Some(Given { value, origin }) = self.given.remove(key) else {
            self.effective.push(Effective { key: key.to_owned(), value: String::new(), origin: Origin::Default });
            return None;
        };
        let shown = if secret { "(secret)".to_owned() } else { value.to_string() };
        self.effective.push(Effective { key: key.to_owned(), value: shown, origin: origin.clone() });
        match convert(&value, &origin) {
            Ok(value) => Some(value),
            Err(text) => {
                self.fault(key, text);
                None
            }
        }
    }
}

/// Variables and flags are text: they are tried as text, as a TOML value, and as a list with commas.
fn convert<T: DeserializeOwned>(value: &Value, origin: &Origin) -> Result<T, String> {
    let first = value.clone().try_into::<T>();
    let (Err(error), Value::String(text), Origin::Environment(_) | Origin::Flag(_)) = (&first, value, origin) else {
        return first.map_err(|error| error.message().to_owned());
    };
    let as_toml = toml::from_str::<toml::Table>(&format!("v = {text}")).ok().and_then(|mut table| table.remove("v"));
    let as_list = Value::Array(text.split(',').map(|part| Value::String(part.trim().to_owned())).collect());
    as_toml.and_then(|value| value.try_into().ok()).or_else(|| as_list.try_into().ok()).ok_or_else(|| error.message().to_owned())
}

fn flatten(key: String, value: Value, leaves: &mut Vec<(String, Value)>) {
    match value {
        Value::Table(table) => {
            for (name, value) in table {
                flatten(format!("{key}.{name}"), value, leaves);
            }
        }
        Value::Array(list) if !list.is_empty() && list.iter().all(Value::is_table) => {
            for (at, value) in list.into_iter().enumerate() {
                flatten(format!("{key}[{at}]"), value, leaves);
            }
        }
        leaf => leaves.push((key, leaf)),
    }
}

fn note_lines(text: &str, key: &str, start: usize, value: &DeValue<'_>, lines: &mut BTreeMap<String, usize>) {
    let line = text.as_bytes().iter().take(start).filter(|byte| **byte == b'\n').count() + 1;
    lines.insert(key.to_owned(), line);
    match value {
        DeValue::Table(table) => {
            for (name, value) in table {
                note_lines(text, &format!("{key}.{}", name.get_ref()), name.span().start, value.get_ref(), lines);
            }
        }
        DeValue::Array(list) => {
            for (at, value) in list.iter().enumerate() {
                note_lines(text, &format!("{key}[{at}]"), value.span().start, value.get_ref(), lines);
            }
        }
        _ => {}
    }
}

/// The known key that was probably meant.
fn nearest(key: &str, known: &[&str]) -> Option<String> {
    let closeness = |candidate: &str| {
        let last = |key: &str| key.rsplit('.').next().unwrap_or_default().to_owned();
        strsim::jaro_winkler(key, candidate).max(strsim::jaro_winkler(&last(key), &last(candidate)) - 0.05)
    };
    known
        .iter()
        .map(|candidate| (closeness(candidate), *candidate))
        .filter(|(closeness, _)| *closeness > 0.82)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate.to_owned())
}
