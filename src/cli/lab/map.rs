//! `amanat lab map`: a dry run of the mapping.

use crate::cli::places;
use crate::cli::screen::{Failure, Screen};
use crate::clock::Clock;
use crate::fhir::pretty::pretty;
use crate::fhir::{Key, ResourceType};
use crate::lab::mapping::json::Json;
use crate::lab::mapping::{Context, Matter, map, patients};
use crate::lab::tables::Tables;
use crate::lab::v2::{Charset, Fault, Message, decode, split_messages};
use crate::lab::{Namer, Plan, Planned, Role, Warning};
use jiff::tz::TimeZone;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The arguments.
#[derive(Debug, clap::Args)]
pub(super) struct Map {
    /// One message, or several one behind the other.
    file: PathBuf,
    /// Tables of codes, units and senders, in front of those of the settings.
    #[arg(long, value_name = "FILE")]
    tables: Vec<PathBuf>,
}

/// What one message comes to.
struct Mapped {
    kind: String,
    control: String,
    /// Who it is about, as they would be looked for.
    patients: Vec<Json>,
    result: Result<Plan, Vec<Fault>>,
}

impl Map {
    /// Prints the records of each message as a Bundle, and what should be known. Exit code 3 when a message cannot be mapped.
    pub(super) fn run(self, config: Option<&Path>, json: bool, screen: &mut Screen<'_>) -> Result<(), Failure> {
        // Settings are a help, not a need: a laboratory may try its messages without a gateway.
        let settings = match config {
            Some(file) => Some(places::settings(Some(file))?),
            None => places::settings(None).ok(),
        };
        let mut tables = match &settings {
            Some(settings) => Tables::clone(&settings.lab.tables),
            None => Tables::built_in().map_err(Failure::Failed)?,
        };
        for file in &self.tables {
            let text = std::fs::read_to_string(file).map_err(|error| Failure::file(file, error))?;
            tables = tables.with(&text).map_err(|why| Failure::Usage(format!("`{}`: {why}", file.display())))?;
        }
        let zone = settings.map_or(TimeZone::UTC, |settings| settings.lab.time_zone.clone());
        let tables = Arc::new(tables);
        let bytes = std::fs::read(&self.file).map_err(|error| Failure::file(&self.file, error))?;
        let text = decode(&bytes, Charset::Latin1).map_err(|fault| Failure::Failed(fault.to_string()))?;
        let mapped: Vec<Mapped> = split_messages(&text).iter().map(|text| mapped(text, &tables, &zone)).collect();
        if mapped.is_empty() {
            return Err(Failure::Failed(format!("there is no message in `{}`", self.file.display())));
        }
        for one in &mapped {
            if json { print_json(one, screen)? } else { print(one, screen)? }
        }
        if mapped.iter().any(|one| one.result.is_err()) { Err(Failure::Found) } else { Ok(()) }
    }
}

fn mapped(text: &str, tables: &Arc<Tables>, zone: &TimeZone) -> Mapped {
    let message = match Message::parse(text) {
        Ok(message) => message,
        Err(fault) => {
            return Mapped { kind: String::new(), control: String::new(), patients: Vec::new(), result: Err(vec![fault]) };
        }
    };
    let field = |number: usize| message.header(number).component(1).text();
    let sender = tables.sender("", &field(3), &field(4)).cloned().unwrap_or_default();
    let context = Context {
        tables: Arc::clone(tables),
        sender,
        zone: zone.clone(),
        namer: Namer::new(b"dry run", "dry-run"),
        message: uuid::Uuid::nil().to_string(),
        replay: 0,
        received: Clock::system().now(),
    };
    let result = Matter::of(&message).map_err(|fault| vec![fault]).and_then(|_| with_patients(&message, &context));
    let patients = patients(&message, &context).unwrap_or_default();
    Mapped { kind: message.kind(), control: field(10), patients, result }
}

/// The plan, with the patients as they would be looked for.
fn with_patients(message: &Message, context: &Context) -> Result<Plan, Vec<Fault>> {
    let found = patients(message, context)?;
    let keys: Vec<Key> = (0..found.len()).map(|at| context.namer.key(ResourceType::Patient, &at.to_string())).collect();
    let subjects: Vec<String> = keys.iter().map(ToString::to_string).collect();
    let mut plan = map(message, &subjects, context)?;
    let people =
        keys.into_iter().zip(found).map(|(key, content)| Planned { key, known_by: Vec::new(), role: Role::Known, content });
    plan.records.splice(0..0, people);
    for record in &mut plan.records {
        record.content.put("id", Json::text(record.key.id.as_str()));
    }
    Ok(plan)
}

fn print(one: &Mapped, screen: &mut Screen<'_>) -> Result<(), Failure> {
    match &one.result {
        Ok(plan) => {
            screen.line(pretty(&plan.bundle()))?;
            writeln!(
                screen.err,
                "{} {}: {} records, {} OBX",
                one.kind,
                one.control,
                plan.records.len(),
                plan.observations.len()
            )?;
            for Warning { place, text, .. } in &plan.warnings {
                writeln!(screen.err, "  {place}: {text}")?;
            }
        }
        Err(faults) => {
            writeln!(screen.err, "{} {}: cannot be mapped", one.kind, one.control)?;
            for fault in faults {
                writeln!(screen.err, "  {fault}")?;
            }
        }
    }
    Ok(())
}

fn print_json(one: &Mapped, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let document = match &one.result {
        Ok(plan) => {
            let bundle: serde_json::Value = serde_json::from_str(&plan.bundle()).unwrap_or_default();
            let observations: Vec<String> = plan.observations.iter().map(ToString::to_string).collect();
            json!({"kind": one.kind, "control": one.control, "bundle": bundle, "warnings": plan.warnings, "observations": observations})
        }
        Err(faults) => {
            let faults: Vec<_> = faults
                .iter()
                .map(|fault| json!({"place": fault.place.to_string(), "code": fault.kind.code(), "text": fault.text}))
                .collect();
            let patients: Vec<serde_json::Value> =
                one.patients.iter().filter_map(|patient| serde_json::from_str(&patient.to_string()).ok()).collect();
            json!({"kind": one.kind, "control": one.control, "faults": faults, "patients": patients})
        }
    };
    Ok(screen.json(&document)?)
}
