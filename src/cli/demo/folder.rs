//! The folder of the demo: what lies in it, and what may be thrown away.

use crate::cli::certificates;
use crate::cli::places::{self, DEMO_MARK, SETTINGS};
use crate::cli::screen::Failure;
use crate::clock::Clock;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The first line of its settings: no file without it is ever removed or replaced.
const HEAD: &str = "# Written by `amanat demo`; changes are lost at its next start.";

/// Everything that a demo leaves.
const OWN: [&str; 12] = [
    DEMO_MARK,
    LAB_TABLES,
    "lab-cert.pem",
    "lab-key.pem",
    "ca.pem",
    "cert.pem",
    "key.pem",
    "records.db",
    "records.db-wal",
    "records.db-shm",
    LABELS,
    SETTINGS,
];

/// What its laboratory's messages are mapped by.
const LAB_TABLES: &str = "lab-tables.toml";
const LAB_TABLES_TEXT: &str = include_str!("../../../fhir-profiles/lab/demo.toml");

/// The rules by which its records are labelled, and what they say.
const LABELS: &str = "labels.toml";
const LABEL_RULES: &str = include_str!("../../../fhir-profiles/labels/default.toml");

/// A folder that is the demo's own.
#[derive(Debug)]
pub(super) struct Folder(PathBuf);

impl Folder {
    /// Takes a folder: new, empty, or of an earlier demo. One that is unfinished or to be reset is emptied of what a demo writes.
    ///
    /// # Errors
    /// When it holds anything that is not a demo's.
    pub(super) fn open(path: &Path, reset: bool) -> Result<Self, Failure> {
        places::make_folder(path)?;
        let path = std::path::absolute(path).map_err(|error| Failure::file(path, error))?;
        let folder = Self(path);
        let empty = std::fs::read_dir(&folder.0).map_err(|error| Failure::file(&folder.0, error))?.next().is_none();
        let ours = std::fs::read_to_string(folder.settings()).is_ok_and(|text| text.starts_with(HEAD));
        if !empty && !ours {
            let text = format!("`{}` holds something else; name an empty folder with --data DIR", folder.0.display());
            return Err(Failure::Usage(text));
        }
        if !empty && (reset || !folder.mark().exists()) {
            folder.clear()?;
        }
        Ok(folder)
    }

    /// Where it is.
    pub(super) fn path(&self) -> PathBuf {
        self.0.clone()
    }

    /// The file of settings.
    pub(super) fn settings(&self) -> PathBuf {
        self.0.join(SETTINGS)
    }

    /// The certificate authority to trust.
    pub(super) fn authority(&self) -> PathBuf {
        self.0.join("ca.pem")
    }

    /// `demo.json`
    pub(super) fn mark(&self) -> PathBuf {
        self.0.join(DEMO_MARK)
    }

    /// Writes the settings for these ports, and certificates where there are none.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub(super) fn write_settings(&self, port: u16, management: u16, mllp: u16) -> Result<(), Failure> {
        let text = format!(
            "{HEAD}\n[server]\nlisten = \"127.0.0.1:{port}\"\nmanagement_listen = \"127.0.0.1:{management}\"\n\
             base_url = \"https://localhost:{port}/fhir\"\nexposure = \"demo\"\n\n\
             [tls]\ncertificate = \"cert.pem\"\nkey = \"key.pem\"\nclient_ca = \"ca.pem\"\n\n[store]\nurl = \"sqlite:records.db\"\n\n\
             [consent]\nimplicit_policy = \"Policy-all-normal\"\nlabel_rules = \"{LABELS}\"\n\n[audit]\nnode = \"amanat-demo\"\n\n\
             # The laboratory sends HL7 v2 with a certificate of its own.\n[lab]\nmllp_listen = \"127.0.0.1:{mllp}\"\ntables = [\"{LAB_TABLES}\"]\n\
             [[lab.feeds]]\nclient = \"lab\"\ncertificate = \"lab-cert.pem\"\n\n\
             # Long enough to try things without fetching a new one.\n[smart]\ntoken_lifetime_seconds = 3600\n# Apps to try register themselves.\nregistration = \"at-once\"\n"
        );
        places::write_private(&self.settings(), &text, false)?;
        places::write_private(&self.0.join(LABELS), LABEL_RULES, false)?;
        // What somebody tried out stays.
        if !self.0.join(LAB_TABLES).exists() {
            places::write_private(&self.0.join(LAB_TABLES), LAB_TABLES_TEXT, false)?;
        }
        if self.authority().exists() && self.0.join("lab-cert.pem").exists() {
            return Ok(());
        }
        let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
        let issued = certificates::issue("Amanat demo authority", &names, &["lab"], Clock::system().now())?;
        let laboratory =
            issued.clients.into_iter().flat_map(|(certificate, key)| [("lab-cert.pem", certificate), ("lab-key.pem", key)]);
        let own = [("key.pem", issued.key), ("cert.pem", issued.certificate), ("ca.pem", issued.authority)];
        for (name, text) in own.into_iter().chain(laboratory) {
            places::write_private(&self.0.join(name), &text, false)?;
        }
        Ok(())
    }

    /// What an earlier run told, when there was one.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn story(&self) -> Result<Option<Value>, Failure> {
        if !self.mark().exists() {
            return Ok(None);
        }
        let damaged = |why: &dyn std::fmt::Display| Failure::file(&self.mark(), format_args!("{why}; begin anew with --reset"));
        let text = std::fs::read_to_string(self.mark()).map_err(|error| damaged(&error))?;
        serde_json::from_str(&text).map(Some).map_err(|error| damaged(&error))
    }

    /// Writes `demo.json`, which says that the folder is complete.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn write_story(&self, story: &Value) -> Result<(), Failure> {
        places::write_private(&self.mark(), &format!("{story:#}\n"), false)
    }

    fn clear(&self) -> Result<(), Failure> {
        for name in OWN {
            let file = self.0.join(name);
            match std::fs::remove_file(&file) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(Failure::file(&file, error)),
                _ => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Folder;
    use serde_json::json;

    #[test]
    fn a_folder_with_other_files_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("thesis.txt"), "years of work").unwrap();
        for reset in [false, true] {
            assert_eq!(Folder::open(folder.path(), reset).unwrap_err().code(), 2);
        }
        assert!(folder.path().join("thesis.txt").exists());
    }

    #[test]
    fn a_second_start_keeps_the_folder_and_a_reset_empties_it() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::open(place.path(), false).unwrap();
        folder.write_settings(8443, 9443, 2575).unwrap();
        folder.write_story(&json!({ "clients": {} })).unwrap();
        let authority = std::fs::read(folder.authority()).unwrap();

        let folder = Folder::open(place.path(), false).unwrap();
        folder.write_settings(8444, 9444, 2576).unwrap();
        assert_eq!(std::fs::read(folder.authority()).unwrap(), authority);
        assert_eq!(folder.story().unwrap(), Some(json!({ "clients": {} })));

        let folder = Folder::open(place.path(), true).unwrap();
        assert_eq!(folder.story().unwrap(), None);
        assert!(!folder.authority().exists());
    }

    #[test]
    fn an_unfinished_folder_begins_anew() {
        let place = tempfile::tempdir().unwrap();
        Folder::open(place.path(), false).unwrap().write_settings(8443, 9443, 2575).unwrap();
        std::fs::write(place.path().join("records.db"), "half").unwrap();
        Folder::open(place.path(), false).unwrap();
        assert!(!place.path().join("records.db").exists());
    }
}
