use super::{Config, ConfigError, Exposure, Origin, Sources};
use crate::consent::ImplicitPolicy;
use std::path::PathBuf;

const SMALLEST: &str = "[server]\nlisten = \"127.0.0.1:0\"\nbase_url = \"https://localhost:8443/fhir\"\n";

fn load(text: &str, environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("amanat.toml");
    std::fs::write(&file, text).unwrap();
    let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Config::load(Sources { file: Some(file), environment, flags: Vec::new() })
}

fn faults(text: &str) -> String {
    load(text, &[]).unwrap_err().to_string()
}

#[test]
fn the_smallest_file_is_enough() {
    let config = load(SMALLEST, &[]).unwrap();
    assert_eq!(config.server.base_url.path(), "/fhir");
    assert_eq!(config.consent.implicit_policy, ImplicitPolicy::Deny);
    assert_eq!(config.server.exposure, Exposure::Production);
    assert!(config.store.sqlite_path().unwrap().is_absolute());
}

#[test]
fn an_unknown_key_is_an_error_that_names_its_line_and_the_likely_one() {
    let text = faults(&format!("{SMALLEST}[limits]\nbody_byte = 5\n"));
    assert!(text.contains("`limits.body_byte` is not a setting"), "{text}");
    assert!(text.contains("amanat.toml:5"), "{text}");
    assert!(text.contains("did you mean `limits.body_bytes`?"), "{text}");
}

#[test]
fn an_unknown_section_is_an_error_unless_it_is_empty() {
    assert!(faults(&format!("{SMALLEST}[lab]\nport = 2575\n")).contains("`lab.port` is not a setting"));
    load(&format!("{SMALLEST}[lab]\n"), &[]).unwrap();
}

#[test]
fn plain_http_off_loopback_is_refused() {
    let text = faults("[server]\nlisten = \"0.0.0.0:8080\"\nbase_url = \"https://fhir.example/fhir\"\n");
    assert!(text.contains("`server.listen` is not a loopback address"), "{text}");
    let text = faults("[server]\nlisten = \"127.0.0.1:8080\"\nbase_url = \"http://fhir.example/fhir\"\n");
    assert!(text.contains("must be https"), "{text}");
}

#[test]
fn a_demo_is_served_on_loopback_only() {
    let text = faults(
        "[server]\nlisten = \"0.0.0.0:8443\"\nbase_url = \"https://fhir.example/fhir\"\nexposure = \"demo\"\n\
         [tls]\ncertificate = \"c.pem\"\nkey = \"k.pem\"\n",
    );
    assert!(text.contains("demo credentials are published"), "{text}");
}

#[test]
fn the_environment_wins_over_the_file_and_a_flag_over_both() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("amanat.toml");
    std::fs::write(&file, format!("{SMALLEST}[limits]\npage_max = 50\npage_bytes = 7\n")).unwrap();
    let environment = vec![
        ("AMANAT_LIMITS__PAGE_MAX".to_owned(), "60".to_owned()),
        ("AMANAT_SERVER__WORKERS".to_owned(), "3".to_owned()),
        ("AMANAT_CORPORA".to_owned(), "elsewhere".to_owned()),
    ];
    let flags = vec![("server.workers", "--workers", "4".to_owned())];
    let config = Config::load(Sources { file: Some(file.clone()), environment, flags }).unwrap();
    assert_eq!((config.limits.page_max, config.limits.page_bytes, config.server.workers), (60, 7, 4));
    let origin = |key: &str| config.effective.iter().find(|value| value.key == key).unwrap().origin.clone();
    assert_eq!(origin("limits.page_max"), Origin::Environment("AMANAT_LIMITS__PAGE_MAX".to_owned()));
    assert_eq!(origin("limits.page_bytes"), Origin::File { file, line: 6 });
    assert_eq!(origin("server.workers"), Origin::Flag("--workers"));
    assert_eq!(origin("limits.page_default"), Origin::Default);
}

#[test]
fn an_unknown_variable_is_an_error_too() {
    let text = load(SMALLEST, &[("AMANAT_SERVER__LISTENS", "127.0.0.1:1")]).unwrap_err().to_string();
    assert!(text.contains("environment AMANAT_SERVER__LISTENS"), "{text}");
    assert!(text.contains("did you mean `server.listen`?"), "{text}");
}

#[test]
fn issuers_come_from_the_file_with_paths_beside_it() {
    let text = format!(
        "{SMALLEST}[[issuers]]\nissuer = \"https://idp.example\"\naudience = [\"https://localhost:8443/fhir\"]\njwks_file = \"jwks.json\"\n"
    );
    let config = load(&text, &[("AMANAT_ISSUERS__0__ALGORITHMS", "ES384, RS384")]).unwrap();
    let [issuer] = config.issuers.as_slice() else { panic!("{:?}", config.issuers) };
    assert!(matches!(&issuer.jwks, super::JwksSource::File(path) if path.is_absolute() && path.ends_with("jwks.json")));
    assert_eq!(issuer.algorithms, ["ES384", "RS384"]);
}

#[test]
fn a_secret_is_never_among_the_values_to_show() {
    let config = load(&format!("{SMALLEST}[store]\nurl = \"sqlite:hidden.db\"\n"), &[]).unwrap();
    assert!(!format!("{config:?}").contains("hidden.db"));
}

#[test]
fn every_fault_is_told_at_once() {
    let text = faults("[server]\nlisten = \"nowhere\"\nworkers = \"many\"\nbase_url = \"ftp://x\"\n[tls]\nkey = \"k.pem\"\n");
    for key in ["server.listen", "server.workers", "server.base_url", "tls.certificate"] {
        assert!(text.contains(key), "{key} in {text}");
    }
}

#[test]
fn a_file_that_is_not_toml_names_the_place() {
    assert!(faults("[server\n").contains("line 1"));
    let missing = Config::load(Sources { file: Some(PathBuf::from("/nowhere/amanat.toml")), ..Sources::default() });
    assert!(matches!(missing, Err(ConfigError::File { .. })));
}

#[test]
fn the_whole_consent_block_of_the_requirement_is_understood() {
    let block = "[consent]\nimplicit_policy = \"Policy-break-glass-only\"\nimplicit_max_conf = \"N\"\nuntyped = \"deny\"\ncombine = \"default\"\n\
        require_verified = false\nlocal_purposes = []\nsource_ttl = \"60s\"\nsource_down = \"deny\"\nwithheld_hint = false\n\
        time_zone = \"Asia/Karachi\"\n[consent.break_glass]\nenabled = true\noverride = true\noverride_absolute = false\nminutes = 30\n\
        max_minutes = 240\nnever_override_labels = [\"HIV\", \"X\"]\n\
        [[consent.local_sensitivities]]\nsystem = \"urn:site\"\ncode = \"X\"\nstigma = true\nparents = [\"BH\"]\n";
    let consent = load(&format!("{SMALLEST}{block}"), &[]).unwrap().consent;
    assert_eq!((consent.break_glass.minutes, consent.break_glass.override_denials), (30, true));
    assert_eq!(consent.time_zone, crate::consent::Zone::parse("Asia/Karachi").unwrap());
    assert_eq!((consent.local_sensitivities.len(), consent.local_sensitivities[0].stigma), (1, true));
}

#[test]
fn a_consent_setting_without_effect_or_sense_is_an_error_that_says_why() {
    for (line, told) in [
        ("source_ttl = \"5s\"", "`consent.source_ttl`"),
        ("source_down = \"treatment-grace\"", "`consent.source_down`"),
        ("withheld_hint = \"sometimes\"", "`consent.withheld_hint`"),
        ("ceilings = [{ role = \"billing\", labels = [\"NOSUCH\"] }]", "`consent.ceilings`"),
        ("ceilings = [{ role = \"billing\" }]", "`consent.ceilings`"),
        ("time_zone = \"Nowhere\"", "`consent.time_zone`"),
        ("break_glass = { minutes = 500 }", "`consent.break_glass.minutes`"),
        ("break_glass = { never_override_labels = [\"NOSUCH\"] }", "`consent.break_glass.never_override_labels`"),
    ] {
        let text = faults(&format!("{SMALLEST}[consent]\n{line}\n"));
        assert!(text.contains(told), "{line}: {text}");
    }
}
