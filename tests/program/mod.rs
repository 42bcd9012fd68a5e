//! The program as people meet it: help, suggestions, exit codes, a folder for real use, and the demo.

mod demo;
mod import;

use crate::site::{Site, amanat, free_address, until};
use serde_json::{Value, json};
use std::fs;
use std::process::Output;

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn help_is_short_and_every_subcommand_has_an_example() {
    let help = amanat(&["--help"]);
    assert_eq!(help.status.code(), Some(0));
    assert!(out(&help).lines().count() <= 24, "{}", out(&help));
    for word in ["Exit codes", "0 done", "3 a check found something"] {
        assert!(out(&help).contains(word), "{word}");
    }
    let commands: [&[&str]; 10] = [
        &["demo"],
        &["init"],
        &["serve"],
        &["doctor"],
        &["client"],
        &["client", "add"],
        &["client", "list"],
        &["client", "disable"],
        &["token"],
        &["audit", "verify"],
    ];
    for command in commands {
        let help = amanat(&[command, &["--help"]].concat());
        assert!(help.status.success() && out(&help).contains("Example: amanat "), "{command:?}");
    }
    assert!(out(&amanat(&["--version"])).starts_with("amanat "));
}

#[test]
fn what_is_misspelt_is_suggested() {
    let command = amanat(&["serv"]);
    assert_eq!(command.status.code(), Some(2));
    assert!(err(&command).contains("'serve'"), "{}", err(&command));
    let flag = amanat(&["serve", "--confi", "x"]);
    assert_eq!(flag.status.code(), Some(2));
    assert!(err(&flag).contains("'--config'"), "{}", err(&flag));
    let site = Site::prepare("[limits]\nbody_byte = 5");
    let key = site.amanat(&["serve"]);
    assert_eq!(key.status.code(), Some(2));
    assert!(err(&key).contains("body_bytes"), "{}", err(&key));
    let missing = amanat(&["serve", "--config", "/nowhere/amanat.toml"]);
    assert_eq!(missing.status.code(), Some(2), "{}", err(&missing));
    assert_eq!(amanat(&[]).status.code(), Some(2));
}

#[test]
fn a_folder_for_real_use_is_made_examined_and_served() {
    let folder = tempfile::tempdir().unwrap();
    let (place, listen, management) = (folder.path().join("new"), free_address(), free_address());
    let words = ["init", "--folder", place.to_str().unwrap(), "--listen", &listen.to_string()];
    let made = amanat(&words);
    assert_eq!(made.status.code(), Some(0), "{}", err(&made));
    let again = amanat(&words);
    assert_eq!(again.status.code(), Some(2), "nothing is replaced: {}", err(&again));
    let settings = place.join("amanat.toml");
    let text = fs::read_to_string(&settings).unwrap().replace("127.0.0.1:9443", &management.to_string());
    fs::write(&settings, text).unwrap();
    let config = ["--config", settings.to_str().unwrap()];
    let examined = |wanted: i32| {
        let output = amanat(&[&["doctor", "--json"], config.as_slice()].concat());
        assert_eq!(output.status.code(), Some(wanted), "{}{}", out(&output), err(&output));
        serde_json::from_str::<Value>(&out(&output)).unwrap()
    };
    let told = examined(0);
    assert_eq!(told["found"], 0);
    assert!(told["checks"].as_array().unwrap().len() >= 20, "{told}");
    assert!(!place.join("amanat.db").exists(), "looking makes nothing");
    let mut process = crate::site::serve(&settings);
    crate::site::await_ready(management);
    let result = |told: &Value, number: u64| {
        let check = told["checks"].as_array().unwrap().iter().find(|check| check["number"] == number).unwrap().clone();
        check["result"].as_str().unwrap().to_owned()
    };
    let add = ["client", "add", "app", "--scope", "patient/*.rs", "--redirect-uri", "https://app.example/"];
    assert!(amanat(&[&add, config.as_slice()].concat()).status.success());
    let told = examined(0);
    assert_eq!(
        (result(&told, 18), result(&told, 19), result(&told, 20)),
        ("fine".into(), "fine".into(), "fine".into()),
        "{told}"
    );
    process.kill().unwrap();
    process.wait().unwrap();
    fs::write(place.join("key.pem"), "no key").unwrap();
    let told = examined(3);
    assert_eq!(result(&told, 14), "wrong");
    let output = amanat(&[&["serve"], config.as_slice()].concat());
    assert_eq!(output.status.code(), Some(1), "{}", err(&output));
}

#[test]
fn a_long_host_name_gives_settings_that_can_be_served() {
    let folder = tempfile::tempdir().unwrap();
    let (place, management) = (folder.path().join("new"), free_address());
    let listen = free_address().to_string();
    let host = "gateway.records.general-hospital.example";
    let made = amanat(&["init", "--folder", place.to_str().unwrap(), "--host", host, "--listen", &listen]);
    assert!(made.status.success(), "{}", err(&made));
    let settings = place.join("amanat.toml");
    let text = fs::read_to_string(&settings).unwrap().replace("127.0.0.1:9443", &management.to_string());
    fs::write(&settings, text).unwrap();
    let mut process = crate::site::serve(&settings);
    let ready = (0..200).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(50));
        crate::site::is_ready(management)
    });
    drop(process.kill());
    drop(process.wait());
    assert!(ready, "{}", fs::read_to_string(place.join("amanat.log")).unwrap_or_default());
}

#[test]
fn clients_are_added_listed_and_disabled_while_the_gateway_serves() {
    let site = Site::open();
    let add = [
        "client",
        "add",
        "app",
        "--scope",
        "system/*.rs",
        "--purpose",
        "TREAT",
        "--redirect-uri",
        "https://app.example/",
        "--json",
    ];
    let added: Value = serde_json::from_str(&site.done(&add)).unwrap();
    assert_eq!(added["added"]["id"], "app");
    assert_eq!(site.amanat(&add).status.code(), Some(1), "the id is taken");
    let listed: Value = serde_json::from_str(&site.done(&["client", "list", "--json"])).unwrap();
    assert_eq!((&listed["clients"][0]["id"], &listed["clients"][0]["disabled"]), (&json!("app"), &json!(false)));
    assert!(site.done(&["client", "list"]).contains("app"));
    let token = site.token("app");
    until("the running gateway knows the client", || site.get(&token, "Patient").status == 200);
    let begin = std::time::Instant::now();
    let disabled: Value = serde_json::from_str(&site.done(&["client", "disable", "app", "--json"])).unwrap();
    assert_eq!(disabled["disabled"], "app");
    until("its token is refused", || site.get(&token, "Patient").status == 401);
    assert!(begin.elapsed().as_secs_f64() < 4.0, "{:?}", begin.elapsed());
    assert_eq!(site.amanat(&["token", "--client", "app"]).status.code(), Some(1));
    assert_eq!(site.amanat(&["client", "disable", "nobody"]).status.code(), Some(1));
    assert_eq!(
        site.amanat(&["client", "add", "none", "--scope", "system/*.rs"]).status.code(),
        Some(2),
        "neither keys nor redirect"
    );
    assert_eq!(site.amanat(&["token", "--client", "app", "--purpose", "FUN"]).status.code(), Some(1));
}
