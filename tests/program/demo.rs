use crate::site::{amanat, command, is_ready, signal, until};
use serde_json::Value;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A demo in a folder, on a free port.
struct Demo {
    process: Child,
    story: Value,
    took: Duration,
}

impl Demo {
    fn start(folder: &Path, flags: &[&str]) -> Self {
        let begin = Instant::now();
        let greeting = folder.with_extension("out");
        let written = fs::File::create(&greeting).unwrap();
        let mut command = command();
        command.args(["demo", "--data", folder.to_str().unwrap(), "--port", "0"]).args(flags);
        let process = command.stdout(written).stderr(Stdio::null()).spawn().unwrap();
        let mut told = Value::Null;
        until("the demo greets", || {
            told = serde_json::from_str(&fs::read_to_string(&greeting).unwrap()).unwrap_or_default();
            !told.is_null()
        });
        let took = begin.elapsed();
        let management: SocketAddr = told["management"].as_str().unwrap().trim_start_matches("http://").parse().unwrap();
        until("the demo is ready", || is_ready(management));
        let story = serde_json::from_str(&fs::read_to_string(folder.join("demo.json")).unwrap()).unwrap();
        Self { process, story, took }
    }

    fn stop(mut self) {
        signal(&self.process, "TERM");
        assert_eq!(self.process.wait().unwrap().code(), Some(0));
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn total(folder: &Path, demo: &Demo) -> Option<u64> {
    let (ca, base) = (folder.join("ca.pem"), demo.story["base"].as_str().unwrap());
    let bearer = format!("Authorization: Bearer {}", demo.story["tokens"]["hospital"].as_str().unwrap());
    let url = format!("{base}/Basic?_summary=count");
    let output = Command::new("curl").args(["-sS", "--cacert", ca.to_str().unwrap(), "-H", &bearer, &url]).output().unwrap();
    serde_json::from_slice::<Value>(&output.stdout).ok()?["total"].as_u64()
}

fn has_curl() -> bool {
    let there = Command::new("curl").arg("--version").output().is_ok();
    if !there {
        println!("skipped: no curl");
    }
    there
}

#[test]
fn a_second_start_finds_what_the_first_left_and_reset_begins_anew() {
    if !has_curl() {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("demo");
    let demo = Demo::start(&folder, &[]);
    let (base, ca) = (demo.story["base"].as_str().unwrap().to_owned(), folder.join("ca.pem"));
    let bearer = format!("Authorization: Bearer {}", demo.story["tokens"]["hospital"].as_str().unwrap());
    let post = ["-sS", "-o", "/dev/null", "-w", "%{http_code}", "-X", "POST", "-H", "Content-Type: application/fhir+json"];
    let made = Command::new("curl")
        .args(post)
        .args(["--cacert", ca.to_str().unwrap(), "-H", &bearer, "-d", r#"{"resourceType":"Basic","code":{"text":"mine"}}"#])
        .arg(format!("{base}/Basic"))
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&made.stdout), "201", "{made:?}");
    assert_eq!(total(&folder, &demo), Some(1));
    let (clients, users, first) = (demo.story["clients"].clone(), demo.story["users"].clone(), demo.took);
    demo.stop();

    let demo = Demo::start(&folder, &[]);
    assert_eq!(total(&folder, &demo), Some(1), "the second start reuses the data");
    assert_eq!((&demo.story["clients"], &demo.story["users"]), (&clients, &users));
    assert!(demo.took <= first.max(Duration::from_secs(5)), "{:?} after {first:?}", demo.took);
    demo.stop();

    let settings = folder.join("amanat.toml");
    let served = amanat(&["serve", "--config", settings.to_str().unwrap()]);
    assert_eq!(served.status.code(), Some(2), "demo data are for `amanat demo`");
    assert!(String::from_utf8_lossy(&served.stderr).contains("demo data"), "{served:?}");
    let production = fs::read_to_string(&settings).unwrap().replace("exposure = \"demo\"", "");
    let other = folder.join("other.toml");
    fs::write(&other, production).unwrap();
    let served = amanat(&["serve", "--config", other.to_str().unwrap()]);
    assert_eq!(served.status.code(), Some(2), "nor under another name");

    let demo = Demo::start(&folder, &["--reset"]);
    assert_eq!(total(&folder, &demo), Some(0), "--reset begins anew");
    demo.stop();
}

/// The commands of the greeting, which only a terminal gets: `script` gives one.
#[test]
fn the_commands_of_the_greeting_work_as_they_are_printed() {
    if !has_curl() || Command::new("script").arg("--version").output().is_err() {
        println!("skipped: no curl, or no `script` to make a terminal");
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let (folder, typescript): (PathBuf, PathBuf) = (place.path().join("the demo"), place.path().join("typescript"));
    let line = format!("{} demo --data '{}' --port 0", crate::site::PROGRAM, folder.display());
    let mut process = Command::new("script")
        .args(["-q", "-e", "-f", "-c", &line])
        .arg(&typescript)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut greeting = String::new();
    until("the demo greets", || {
        greeting = String::from_utf8_lossy(&fs::read(&typescript).unwrap_or_default()).replace('\r', "");
        greeting.contains("Stop: Ctrl-C")
    });
    let commands: Vec<&str> = greeting
        .lines()
        .filter_map(|line| line.trim_start().split_once("  "))
        .collect::<Vec<_>>()
        .into_iter()
        .filter(|(number, _)| number.parse::<u8>().is_ok())
        .map(|(_, command)| command)
        .collect();
    assert_eq!(commands.len(), 3, "{greeting}");
    let told: Vec<String> = commands
        .iter()
        .map(|command| {
            let output =
                Command::new("bash").args(["-c", command]).env("PATH", std::env::var_os("PATH").unwrap()).output().unwrap();
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
        })
        .collect();
    drop(process.kill());
    drop(process.wait());
    let found: Vec<Value> = told
        .iter()
        .map(|text| text[text.find('{').unwrap_or_else(|| panic!("{text}"))..].to_owned())
        .map(|text| serde_json::Deserializer::from_str(&text).into_iter().next().unwrap().unwrap())
        .collect();
    assert_eq!(found[0]["resourceType"], "Bundle", "{told:?}");
    assert_eq!(found[0]["entry"].as_array().map(Vec::len), Some(2), "{told:?}");
    assert_eq!(found[1]["issue"][0]["code"], "not-found", "{told:?}");
    assert_eq!(found[2]["resourceType"], "Observation", "{told:?}");
    assert!(told[2].contains("13.20"), "{told:?}");
}
