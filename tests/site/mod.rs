//! The program as a site runs it: the built binary, a folder, a process that can be stopped and killed, and its command line.

mod answer;

pub(crate) use answer::Answer;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary};
use serde_json::Value;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_amanat");

/// A gateway in a process of its own, over plain HTTP on loopback.
pub(crate) struct Site {
    pub(crate) folder: TempDir,
    pub(crate) listen: SocketAddr,
    pub(crate) management: SocketAddr,
    process: Option<Child>,
}

/// An entry of the trail as the database has it.
#[derive(QueryableByName, Clone)]
pub(crate) struct Entry {
    #[diesel(sql_type = BigInt)]
    pub(crate) seq: i64,
    #[diesel(sql_type = Binary)]
    pub(crate) leaf: Vec<u8>,
    #[diesel(sql_type = Binary)]
    pub(crate) hash: Vec<u8>,
}

impl Entry {
    pub(crate) fn told(&self) -> Value {
        serde_json::from_slice(&self.leaf).unwrap()
    }
}

impl Site {
    /// A new folder, served.
    pub(crate) fn open() -> Self {
        let mut site = Self::prepare("");
        site.start();
        site
    }

    /// A new folder with these further sections, not yet served.
    pub(crate) fn prepare(sections: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (listen, management) = (free_address(), free_address());
        let text = format!(
            "[server]\nlisten = \"{listen}\"\nmanagement_listen = \"{management}\"\nworkers = 2\nbase_url = \"http://{listen}/fhir\"\n\
             [store]\nurl = \"sqlite:amanat.db\"\n[consent]\nimplicit_policy = \"Policy-all-normal\"\n\
             [audit]\nnode = \"site\"\n[smart]\ntoken_lifetime_seconds = 3600\n{sections}\n"
        );
        std::fs::write(folder.path().join("amanat.toml"), text).unwrap();
        Self { folder, listen, management, process: None }
    }

    pub(crate) fn settings(&self) -> PathBuf {
        self.folder.path().join("amanat.toml")
    }

    pub(crate) fn start(&mut self) {
        self.process = Some(serve(&self.settings()));
        await_ready(self.management);
    }

    pub(crate) fn process(&mut self) -> &mut Child {
        self.process.as_mut().unwrap()
    }

    /// SIGTERM, and the exit code.
    pub(crate) fn stop(&mut self) -> Option<i32> {
        let mut process = self.process.take().unwrap();
        signal(&process, "TERM");
        process.wait().unwrap().code()
    }

    /// A subcommand on this site's settings.
    pub(crate) fn amanat(&self, words: &[&str]) -> Output {
        let settings = self.settings();
        amanat(&[words, &["--config", settings.to_str().unwrap()]].concat())
    }

    /// The same, which must end well; its standard output.
    #[track_caller]
    pub(crate) fn done(&self, words: &[&str]) -> String {
        let output = self.amanat(words);
        assert_eq!(output.status.code(), Some(0), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Registers a client and gives a token of it.
    pub(crate) fn client(&self, id: &str, scope: &str) -> String {
        let redirect = "http://127.0.0.1:1/";
        self.done(&["client", "add", id, "--scope", scope, "--purpose", "TREAT", "--may-choose-ids", "--redirect-uri", redirect]);
        // The running gateway looks at the registry every second.
        std::thread::sleep(Duration::from_millis(if self.process.is_some() { 1300 } else { 0 }));
        self.token(id)
    }

    pub(crate) fn token(&self, id: &str) -> String {
        self.done(&["token", "--client", id]).trim().to_owned()
    }

    pub(crate) fn get(&self, token: &str, path: &str) -> Answer {
        self.ask("GET", token, path, None)
    }

    /// A request below the FHIR base on a connection of its own.
    pub(crate) fn ask(&self, method: &str, token: &str, path: &str, body: Option<&Value>) -> Answer {
        let body = body.map(Value::to_string).unwrap_or_default();
        let kind = if method == "PATCH" { "application/json-patch+json" } else { "application/fhir+json" };
        self.send(method, path, &format!("Authorization: Bearer {token}\r\nContent-Type: {kind}\r\n"), &body)
    }

    /// The same with header lines as they are told.
    pub(crate) fn send(&self, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        let target = if path.starts_with('/') || path.is_empty() { format!("/fhir{path}") } else { format!("/fhir/{path}") };
        self.raw(&format!(
            "{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n{body}",
            body.len()
        ))
    }

    pub(crate) fn raw(&self, text: &str) -> Answer {
        Answer::read(&exchange(self.listen, text.as_bytes()))
    }

    pub(crate) fn ready(&self) -> bool {
        is_ready(self.management)
    }

    pub(crate) fn database(&self) -> SqliteConnection {
        let file = self.folder.path().join("amanat.db");
        let mut connection = SqliteConnection::establish(file.to_str().unwrap()).unwrap();
        diesel::sql_query("PRAGMA busy_timeout = 10000").execute(&mut connection).unwrap();
        connection
    }

    /// Changes the database behind the gateway's back.
    pub(crate) fn tamper(&self, statement: &str) {
        diesel::sql_query(statement).execute(&mut self.database()).unwrap();
    }

    /// The trail, in order.
    pub(crate) fn trail(&self) -> Vec<Entry> {
        diesel::sql_query("SELECT seq, leaf, hash FROM trail ORDER BY seq").load(&mut self.database()).unwrap()
    }

    /// What the trail tells of one request.
    pub(crate) fn entries_of(&self, request_id: &str) -> Vec<Value> {
        self.trail().iter().map(Entry::told).filter(|entry| entry["request_id"] == request_id).collect()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            drop(process.kill());
            drop(process.wait());
        }
    }
}

pub(crate) fn command() -> Command {
    let mut command = Command::new(PROGRAM);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("AMANAT_") {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null());
    command
}

pub(crate) fn amanat(words: &[&str]) -> Output {
    command().args(words).output().unwrap()
}

pub(crate) fn serve(settings: &Path) -> Child {
    let log = std::fs::File::create(settings.with_extension("log")).unwrap();
    command().arg("serve").arg("--config").arg(settings).stdout(Stdio::null()).stderr(log).spawn().unwrap()
}

/// Sends a signal by name.
pub(crate) fn signal(process: &Child, name: &str) {
    let sent = Command::new("kill").args(["-s", name, &process.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

pub(crate) fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

pub(crate) fn await_ready(management: SocketAddr) {
    until("the gateway is ready", || is_ready(management));
}

pub(crate) fn is_ready(management: SocketAddr) -> bool {
    let request = b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    TcpStream::connect(management).is_ok() && Answer::read(&exchange(management, request)).status == 200
}

/// Waits for something that must come true.
#[track_caller]
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < Duration::from_secs(30), "never: {what}");
        std::thread::sleep(Duration::from_millis(30));
    }
}

fn exchange(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let Ok(mut stream) = TcpStream::connect(address) else { return Vec::new() };
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    // The other side may answer and close before all was written.
    drop(stream.write_all(bytes));
    let mut answer = Vec::new();
    drop(stream.read_to_end(&mut answer));
    answer
}
