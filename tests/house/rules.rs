//! The house rules: which room may know which, who may visit, how large a file may grow.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Each room with the rooms below it that it may use. Imports point downward only; what is not listed is not allowed.
const ARROWS: &[(&str, &[&str])] = &[
    ("clock", &["fhir"]),
    ("fhir", &[]),
    ("access", &["fhir"]),
    ("consent", &["access", "fhir"]),
    ("audit", &["access", "fhir"]),
    ("disclosure", &["consent", "audit", "access", "fhir"]),
    ("store", &["disclosure", "audit", "access", "fhir", "clock"]),
    ("identity", &["access", "fhir", "clock"]),
    ("smart", &["store", "identity", "audit", "access", "fhir", "clock"]),
    ("lab", &["disclosure", "fhir"]),
    ("gateway", &["lab", "smart", "store", "identity", "disclosure", "consent", "audit", "access", "fhir", "clock", "telemetry"]),
    ("telemetry", &["clock", "fhir"]),
    ("watch", &["lab", "store", "audit", "access", "fhir", "clock", "config", "telemetry"]),
    // The thresholds of the alert rules are the rules' own type, and so are the settings of a provider those of sign-in.
    ("config", &["smart", "audit", "consent", "lab", "fhir"]),
    ("portal", &["gateway", "smart", "access", "fhir"]),
    ("http", &["portal", "gateway", "identity", "smart", "disclosure", "fhir", "config", "telemetry"]),
    (
        "startup",
        &[
            "watch",
            "http",
            "gateway",
            "lab",
            "smart",
            "store",
            "identity",
            "disclosure",
            "consent",
            "audit",
            "access",
            "fhir",
            "config",
            "clock",
            "telemetry",
        ],
    ),
    (
        "cli",
        &[
            "watch",
            "startup",
            "config",
            "gateway",
            "lab",
            "smart",
            "store",
            "identity",
            "disclosure",
            "consent",
            "audit",
            "access",
            "fhir",
            "clock",
            "telemetry",
            "http",
        ],
    ),
    ("layers", &["audit", "access", "fhir"]),
    ("lib", &[]),
    ("main", &["cli"]),
];

/// Crates that are guests in some rooms only.
const GUESTS: &[(&str, &[&str])] = &[
    ("actix_web", &["http", "startup"]),
    ("diesel", &["store", "smart", "disclosure/column.rs"]),
    ("diesel_async", &["store"]),
    ("diesel_migrations", &["store"]),
    ("hyper_util", &["identity", "watch", "store/upstream/"]),
    ("tower_service", &["store/upstream/"]),
    ("tokio_postgres", &["store"]),
    ("tokio_postgres_rustls", &["store"]),
    ("socket2", &["startup"]),
    ("rustix", &["store/space.rs"]),
    ("lettre", &["watch"]),
    ("hyper_rustls", &["identity", "watch", "store/upstream/"]),
    ("jsonwebtoken", &["identity", "smart"]),
    ("askama", &["portal"]),
    ("argon2", &["smart/password.rs"]),
    ("openidconnect", &["smart/federation.rs"]),
    ("ciborium", &["smart/passkey.rs"]),
    ("webpki", &["identity/chain.rs"]),
    ("clap", &["cli", "main"]),
    ("tokio_rustls", &["lab", "startup", "cli", "watch"]),
    ("encoding_rs", &["lab"]),
    ("tokio", &["lab", "store", "identity", "smart", "gateway", "http", "startup", "cli", "telemetry", "watch"]),
];

/// Words that name no room.
const NAMELESS: &[&str] = &["manager", "service", "helper", "util", "utils", "common", "misc", "processor", "wrapper"];

/// Lines of a file without its tests.
const LONGEST: usize = 400;

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Every source file of the library: path below `src`, and its text without the inline tests.
fn sources() -> Vec<(String, String)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    files(&src, &mut found);
    let mut sources = Vec::new();
    let tests: Vec<PathBuf> = found.iter().flat_map(|file| test_modules(file)).collect();
    for path in found {
        if tests.iter().any(|module| path.starts_with(module) || path.with_extension("") == *module) {
            continue;
        }
        let name = path.strip_prefix(&src).unwrap().to_string_lossy().into_owned();
        if name.starts_with("documents/") || name.contains("/tests") || name.ends_with("tests.rs") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("\n#[cfg(test)]\nmod ").next().unwrap().to_owned();
        sources.push((name, code));
    }
    sources
}

/// The modules that a file declares for its tests only, as paths without extension.
fn test_modules(file: &Path) -> Vec<PathBuf> {
    let text = fs::read_to_string(file).unwrap();
    let folder = match file.file_name().unwrap().to_str() {
        Some("mod.rs" | "lib.rs" | "main.rs") => file.parent().unwrap().to_path_buf(),
        _ => file.with_extension(""),
    };
    let mut lines = text.lines().map(str::trim);
    let mut modules = Vec::new();
    while let Some(line) = lines.next() {
        if line == "#[cfg(test)]" {
            let declared = lines.find(|line| !line.starts_with("#[")).unwrap_or_default();
            let name = declared.rsplit("mod ").next().and_then(|name| name.strip_suffix(';'));
            modules.extend(name.map(|name| folder.join(name)));
        }
    }
    modules
}

fn room(file: &str) -> &str {
    let first = file.split('/').next().unwrap();
    first.strip_suffix(".rs").unwrap_or(first)
}

/// The words that follow `crate::` outside comments.
fn rooms_used(code: &str) -> Vec<String> {
    let mut used = Vec::new();
    for line in code.lines().map(str::trim_start).filter(|line| !line.starts_with("//")) {
        for part in line.split("crate::").skip(1) {
            let word: String = part.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            used.push(word);
        }
    }
    used
}

#[test]
fn imports_point_downward_only() {
    let arrows: BTreeMap<_, _> = ARROWS.iter().copied().collect();
    let mut broken = Vec::new();
    for (file, code) in sources() {
        let from = room(&file);
        let Some(allowed) = arrows.get(from) else {
            broken.push(format!("{file}: `{from}` is no room of the plan"));
            continue;
        };
        for to in rooms_used(&code) {
            // The bench's switch hangs over the rooms; another rule holds it to its feature.
            let known = arrows.contains_key(to.as_str()) && to != "layers";
            if known && to != from && from != "lib" && !allowed.contains(&to.as_str()) {
                broken.push(format!("{file}: {from} -> {to}"));
            }
        }
    }
    assert!(broken.is_empty(), "arrows that run the wrong way:\n{}", broken.join("\n"));
}

/// `layers` can switch enforcement off: what names it exists only under the cargo feature `bench`.
#[test]
fn the_switch_of_the_bench_is_in_no_release() {
    let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    let mut broken: Vec<String> = manifest.lines().filter(|line| line.starts_with("default =")).map(str::to_owned).collect();
    for (file, code) in sources().into_iter().filter(|(file, _)| file != "layers.rs") {
        let lines: Vec<&str> = code.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            let named = line.contains("crate::layers") || line.trim() == "mod layers;";
            let above = &lines[at.saturating_sub(2)..at];
            if named && !above.iter().any(|line| line.trim() == "#[cfg(feature = \"bench\")]") {
                broken.push(format!("{file}: {}", line.trim()));
            }
        }
    }
    assert!(broken.is_empty(), "a switch outside the feature `bench`:\n{}", broken.join("\n"));
}

#[test]
fn guests_stay_in_their_rooms() {
    let mut broken = Vec::new();
    for (file, code) in sources() {
        for (guest, rooms) in GUESTS {
            let at_home = rooms
                .iter()
                .any(|place| room(&file) == *place || file == *place || (place.ends_with('/') && file.starts_with(place)));
            let called = code.lines().any(|line| {
                !line.trim_start().starts_with("//")
                    && (line.contains(&format!("{guest}::")) || line.contains(&format!("use {guest};")))
            });
            if called && !at_home {
                broken.push(format!("{file}: {guest}"));
            }
        }
    }
    assert!(broken.is_empty(), "guests in the wrong room:\n{}", broken.join("\n"));
}

#[test]
fn pure_rooms_neither_wait_nor_ask_the_time() {
    let mut broken = Vec::new();
    for (file, code) in sources() {
        if !["fhir", "access", "consent"].contains(&room(&file)) {
            continue;
        }
        for word in ["async fn", ".await", "std::fs", "std::net", "SystemTime", "Instant::now", "std::env"] {
            if code.lines().any(|line| !line.trim_start().starts_with("//") && line.contains(word)) {
                broken.push(format!("{file}: {word}"));
            }
        }
    }
    assert!(broken.is_empty(), "a pure room that is not pure:\n{}", broken.join("\n"));
}

#[test]
fn no_file_outgrows_its_limit() {
    let long: Vec<String> = sources()
        .into_iter()
        .filter(|(_, code)| code.lines().count() > LONGEST)
        .map(|(file, code)| format!("{file}: {} lines", code.lines().count()))
        .collect();
    assert!(long.is_empty(), "files above {LONGEST} lines without tests:\n{}", long.join("\n"));
}

#[test]
fn every_file_has_a_name_that_names_something() {
    let nameless: Vec<String> = sources()
        .into_iter()
        .map(|(file, _)| file)
        .filter(|file| file.split(['/', '.', '_']).any(|word| NAMELESS.contains(&word)))
        .collect();
    assert!(nameless.is_empty(), "words without a room:\n{}", nameless.join("\n"));
}
