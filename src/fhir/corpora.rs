//! Published records for tests. They stay outside the repository: `AMANAT_CORPORA` tells where.

use std::io::Read as _;
use std::path::PathBuf;

/// Where the corpora lie, if they are there; else says that a test was skipped.
pub(crate) fn folder(name: &str) -> Option<PathBuf> {
    let corpora = std::env::var("AMANAT_CORPORA").unwrap_or_else(|_| "../shared/corpora".to_owned());
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(corpora).join(name);
    if !folder.is_dir() {
        println!("skipped: no corpora at {}", folder.display());
        return None;
    }
    Some(folder)
}

/// Every resource of a set with the file and line that it came from: lines of `*.ndjson.gz`, or whole `*.json.gz`.
pub(crate) fn resources(name: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let files = folder(name).into_iter().flat_map(|folder| std::fs::read_dir(folder).unwrap());
    for path in files.map(|file| file.unwrap().path()).filter(|path| path.extension().is_some_and(|it| it == "gz")) {
        let mut text = String::new();
        flate2::read::GzDecoder::new(std::fs::File::open(&path).unwrap()).read_to_string(&mut text).unwrap();
        let source = path.file_name().unwrap().to_string_lossy().into_owned();
        if source.contains(".ndjson") {
            let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
            found.extend(lines.map(|(at, line)| (format!("{source}:{}", at + 1), line.to_owned())));
        } else {
            found.push((source, text));
        }
    }
    found
}
