//! Where files lie, and how they are written.

use super::screen::Failure;
use crate::config::{Config, Sources};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// The name of the file of settings.
pub(super) const SETTINGS: &str = "amanat.toml";

/// What marks a folder as the demo's.
pub(super) const DEMO_MARK: &str = "demo.json";

/// The folder of the demo when none is named: below the XDG data folder, else in the current one.
pub(super) fn demo_folder() -> PathBuf {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let data = absolute("XDG_DATA_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/share")));
    data.map_or_else(|| PathBuf::from("amanat-demo"), |data| data.join("amanat-demo"))
}

/// The settings to use: those named, else those of the current folder, of the system, of the demo.
///
/// # Errors
/// When there are none, or they are wrong.
pub(super) fn settings(named: Option<&Path>) -> Result<Config, Failure> {
    let usual = [PathBuf::from(SETTINGS), PathBuf::from("/etc/amanat").join(SETTINGS), demo_folder().join(SETTINGS)];
    let found = named.map(Path::to_owned).or_else(|| usual.into_iter().find(|file| file.is_file()));
    let file = found.ok_or_else(|| {
        Failure::Usage(
            "no configuration found. Name one with --config FILE, make one with `amanat init`, or try `amanat demo`".to_owned(),
        )
    })?;
    Ok(Config::load(Sources::file_and_environment(&file))?)
}

/// Makes a folder that only its owner can enter; one that exists is left as it is.
pub(super) fn make_folder(folder: &Path) -> Result<(), Failure> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|error| Failure::file(folder, error))
}

/// Writes a file that only its owner can read. With `fresh`, one that exists is never overwritten.
pub(super) fn write_private(file: &Path, text: &str, fresh: bool) -> Result<(), Failure> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).mode(0o600);
    if fresh {
        options.create_new(true);
    } else {
        options.create(true).truncate(true);
    }
    let write = || {
        let mut opened = options.open(file)?;
        opened.set_permissions(std::fs::Permissions::from_mode(0o600))?;
        opened.write_all(text.as_bytes())?;
        opened.sync_all()
    };
    write().map_err(|error: std::io::Error| Failure::file(file, error))
}

/// A word as a shell reads it back.
pub(super) fn quoted(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-:=@%+,".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// The program as it can be called again from any folder.
pub(super) fn program() -> String {
    let called_by_path = std::env::args_os().next().is_some_and(|name| Path::new(&name).components().count() > 1);
    let own = std::env::current_exe().ok().filter(|_| called_by_path);
    own.map_or_else(|| "amanat".to_owned(), |own| quoted(&own.display().to_string()))
}

#[cfg(test)]
mod tests {
    use super::{quoted, write_private};
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_quoted_word_stays_one_word() {
        assert_eq!(quoted("/home/a/ca.pem"), "/home/a/ca.pem");
        assert_eq!(quoted("a b's"), r"'a b'\''s'");
        assert_eq!(quoted(""), "''");
    }

    #[test]
    fn a_private_file_is_for_its_owner_and_a_fresh_one_never_replaces() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        write_private(&file, "a", true).unwrap();
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        write_private(&file, "b", true).unwrap_err();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "a");
        write_private(&file, "b", false).unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "b");
    }
}
