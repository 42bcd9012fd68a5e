//! Bypass attempts that must not compile: each file in `tests/fail`, with the message that it must give.
//!
//! Each case is handed to the compiler against the library that this very run was linked with, so that it costs a fraction of a
//! second and no second build of the dependencies.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

/// The folder with the compiled dependencies: where this test itself lies.
fn dependencies() -> PathBuf {
    std::env::current_exe().unwrap().parent().unwrap().to_path_buf()
}

/// The newest build of a library, by its crate name.
fn library(name: &str) -> PathBuf {
    let prefix = format!("lib{name}-");
    let mut found: Vec<(SystemTime, PathBuf)> = fs::read_dir(dependencies())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rlib"))
        .filter(|path| path.file_name().unwrap().to_string_lossy().starts_with(&prefix))
        .map(|path| (fs::metadata(&path).unwrap().modified().unwrap(), path))
        .collect();
    found.sort();
    found.pop().unwrap_or_else(|| panic!("no build of {name}")).1
}

fn compile(case: &Path) -> (bool, String) {
    let out = tempfile::tempdir().unwrap();
    let mut rustc = Command::new(std::env::var("RUSTC").unwrap_or_else(|_| "rustc".into()));
    rustc.args(["--edition=2024", "--crate-type=lib", "--emit=metadata", "--error-format=short", "-L"]);
    rustc.arg(format!("dependency={}", dependencies().display()));
    for name in ["amanat", "serde_json", "diesel", "actix_web"] {
        rustc.arg("--extern").arg(format!("{name}={}", library(name).display()));
    }
    let output = rustc.arg("--out-dir").arg(out.path()).arg(case).output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Line 1 of a case is `//! <error code>: <words that the message must hold>`.
fn expectation(text: &str) -> (&str, &str) {
    let first =
        text.lines().next().unwrap().strip_prefix("//! ").unwrap_or_else(|| panic!("the first line names the expected error"));
    first.split_once(": ").unwrap()
}

#[test]
fn no_bypass_compiles() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fail");
    let mut cases: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    assert!(cases.len() >= 9, "the bypasses of the plan: {cases:?}");
    for case in cases {
        let text = fs::read_to_string(&case).unwrap();
        let (code, words) = expectation(&text);
        let (compiled, message) = compile(&case);
        let errors: Vec<&str> = message.lines().filter(|line| line.contains("error")).collect();
        assert!(!compiled, "{} compiles", case.display());
        assert!(
            errors.iter().any(|line| line.contains(code) && line.contains(words)),
            "{}: expected {code} with `{words}`, got:\n{message}",
            case.display()
        );
        let others: Vec<_> = errors.iter().filter(|line| line.contains("error[") && !line.contains(code)).collect();
        assert!(others.is_empty(), "{} fails for other reasons too: {others:?}", case.display());
    }
}

#[test]
fn the_way_through_the_front_door_compiles() {
    let (compiled, message) = compile(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/house/front_door.rs"));
    assert!(compiled, "the control case must compile, else the refusals above prove nothing:\n{message}");
}
