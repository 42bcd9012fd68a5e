use crate::site::PROGRAM;
use std::process::Command;

#[test]
fn kill_9_loses_nothing_that_was_answered() {
    if Command::new("python3").arg("--version").output().is_err() {
        println!("skipped: no python3");
        return;
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/test-crash");
    let output = Command::new("python3").args([script, "5", "--binary", PROGRAM]).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    assert!(told.contains("5 rounds") && told.contains("; 0 losses"), "{told}");
}
