//! Where the published records lie.

use std::io::Read as _;
use std::path::{Path, PathBuf};

/// A folder of the corpora, if it is there; else says that a test was skipped.
pub(super) fn folder(name: &str) -> Option<PathBuf> {
    let corpora = std::env::var("AMANAT_CORPORA").unwrap_or_else(|_| "../shared/corpora".to_owned());
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(corpora).join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: no corpora at {}", folder.display());
    None
}

/// Whether to do what takes minutes.
pub(super) fn full() -> bool {
    let asked = std::env::var("AMANAT_FULL").is_ok_and(|it| it == "1");
    if !asked {
        println!("a part only: set AMANAT_FULL=1 for the whole");
    }
    asked
}

/// The packed files of a folder by name, with their text.
pub(super) fn files(folder: &Path) -> Vec<(String, String)> {
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let packed = paths.into_iter().filter(|path| path.extension().is_some_and(|it| it == "gz"));
    packed.map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), unpacked(&path))).collect()
}

/// The lines of a folder's NDJSON.
pub(super) fn lines(folder: &Path) -> Vec<String> {
    let texts = files(folder).into_iter().filter(|(name, _)| name.contains(".ndjson"));
    texts
        .flat_map(|(_, text)| text.lines().map(str::to_owned).collect::<Vec<_>>())
        .filter(|line| !line.trim().is_empty())
        .collect()
}

fn unpacked(path: &Path) -> String {
    let mut text = String::new();
    flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    text
}
