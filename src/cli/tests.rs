use super::run;
use std::ffi::OsString;

/// Runs the program; gives exit code, standard output and standard error.
fn amanat(arguments: &[&str]) -> (u8, String, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let arguments = std::iter::once("amanat").chain(arguments.iter().copied()).map(OsString::from);
    let code = run(arguments, &mut out, &mut err);
    (code, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}

#[test]
fn help_fits_on_a_screen_and_tells_the_exit_codes() {
    let (code, out, _) = amanat(&["--help"]);
    assert_eq!(code, 0);
    assert!(out.lines().count() <= 24, "{out}");
    assert!(out.contains("Exit codes: 0 done, 1 failed, 2 bad usage or configuration, 3 a check found something"));
}

#[test]
fn every_subcommand_has_an_example() {
    for command in [
        &["demo"][..],
        &["init"],
        &["serve"],
        &["doctor"],
        &["import"],
        &["token"],
        &["client"],
        &["client", "add"],
        &["client", "list"],
        &["client", "disable"],
        &["client", "approve"],
        &["keys"],
        &["keys", "rotate"],
        &["audit"],
        &["selftest"],
        &["selftest", "leaks"],
    ] {
        let (code, out, _) = amanat(&[command, &["--help"]].concat());
        assert_eq!(code, 0, "{command:?}");
        assert!(out.contains("Example: amanat "), "{command:?}: {out}");
    }
}

#[test]
fn an_unknown_subcommand_or_flag_is_bad_usage_with_the_likely_one() {
    let (code, _, err) = amanat(&["doctr"]);
    assert_eq!(code, 2);
    assert!(err.contains("'doctor'"), "{err}");
    let (code, _, err) = amanat(&["demo", "--prot", "1"]);
    assert_eq!(code, 2);
    assert!(err.contains("'--port'"), "{err}");
}

#[test]
fn a_folder_that_init_made_passes_the_doctor_and_is_never_replaced() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("gateway");
    let path = folder.to_str().unwrap();
    let (code, out, err) = amanat(&["init", "--folder", path, "--host", "fhir.clinic.example"]);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("doctor --config"), "{out}");
    let settings = std::fs::read_to_string(folder.join("amanat.toml")).unwrap();
    assert!(settings.contains("base_url = \"https://fhir.clinic.example:8443/fhir\""), "{settings}");

    let file = folder.join("amanat.toml");
    // Another gateway may run on the usual port.
    let settings = settings.replace("127.0.0.1:9443", "127.0.0.1:1");
    std::fs::write(&file, &settings).unwrap();
    let (code, out, _) = amanat(&["doctor", "--config", file.to_str().unwrap()]);
    assert_eq!(code, 0, "{out}");
    let (code, _, err) = amanat(&["init", "--folder", path]);
    assert_eq!(code, 2);
    assert!(err.contains("nothing is replaced"), "{err}");
    assert_eq!(std::fs::read_to_string(file).unwrap(), settings);
}

#[test]
fn the_doctor_finds_what_is_wrong_and_names_the_fix() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = tempfile::tempdir().unwrap();
    std::fs::set_permissions(place.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = place.path().to_str().unwrap();
    let answers = place.path().join("answers");
    std::fs::write(&answers, "host = \"fhir.clinic.example\"\nimplicit_policy = \"Policy-all-normal\"\n").unwrap();
    let (code, _, err) = amanat(&["init", "--folder", path, "--answers", answers.to_str().unwrap()]);
    assert_eq!(code, 0, "{err}");
    let file = place.path().join("amanat.toml");
    let text =
        std::fs::read_to_string(&file).unwrap().replace("https://fhir.clinic", "https://records.clinic").replace(":9443", ":1");
    std::fs::write(&file, text).unwrap();
    std::fs::set_permissions(place.path().join("key.pem"), std::fs::Permissions::from_mode(0o644)).unwrap();
    std::fs::write(place.path().join("amanat.db"), "this is no database at all").unwrap();

    let (code, out, _) = amanat(&["doctor", "--json", "--config", file.to_str().unwrap()]);
    assert_eq!(code, 3, "{out}");
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    let wrong: Vec<_> = report["checks"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|check| check["result"] == "wrong")
        .map(|check| (check["number"].as_u64().unwrap(), check["fix"].as_str().unwrap()))
        .collect();
    let numbers: Vec<_> = wrong.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, [5, 10, 12, 15, 16, 19, 20, 21, 22], "{out}");
    assert!(wrong[3].1.starts_with("chmod 600 "), "{wrong:?}");
}

#[test]
fn answers_with_an_unknown_name_are_bad_usage() {
    let place = tempfile::tempdir().unwrap();
    let answers = place.path().join("answers.toml");
    std::fs::write(&answers, "hots = \"a\"\n").unwrap();
    let folder = place.path().join("new");
    let (code, _, err) = amanat(&["init", "--folder", folder.to_str().unwrap(), "--answers", answers.to_str().unwrap()]);
    assert_eq!(code, 2);
    assert!(err.contains("hots") && err.contains("line 1"), "{err}");
    assert!(!folder.exists());
}

#[test]
fn wrong_settings_are_bad_usage_for_every_command_that_reads_them() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("amanat.toml");
    std::fs::write(&file, "[server]\nlisten = \"0.0.0.0:80\"\nbase_url = \"https://fhir.example/fhir\"\n").unwrap();
    let file = file.to_str().unwrap();
    for command in [&["serve"][..], &["token", "--client", "a"], &["client", "list"], &["audit", "verify"]] {
        let (code, _, err) = amanat(&[command, &["--config", file]].concat());
        assert_eq!(code, 2, "{command:?}");
        assert!(err.contains("plain HTTP"), "{command:?}: {err}");
    }
}

#[test]
fn demo_settings_are_not_served_for_real() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("amanat.toml");
    std::fs::write(&file, "[server]\nlisten = \"127.0.0.1:0\"\nbase_url = \"https://localhost/fhir\"\nexposure = \"demo\"\n")
        .unwrap();
    let (code, _, err) = amanat(&["serve", "--config", file.to_str().unwrap()]);
    assert_eq!(code, 2);
    assert!(err.contains("demo data"), "{err}");
}
