//! Result intake: what a laboratory sends, over which door, and what a clinician finds.

mod adt;
mod changes;
mod corpora;
mod doors;
mod facts;
mod filing;
mod frames;
mod matching;
mod queue;

use crate::support::Server;
use crate::support::records::patient;
use amanat::lab::mllp::{Framed, Frames, framed};
use amanat::smart::{Client, ClientKeys};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// What the laboratory of the tests may file.
const GRANT: &str = "system/DiagnosticReport.cu system/Observation.cu system/Specimen.cu system/DocumentReference.cu system/ServiceRequest.cu \
                     system/Patient.cu system/MessageHeader.c";

/// Everything, for looking.
const ALL: &str = "system/*.cruds";

/// A gateway whose laboratory sends without TLS, as on loopback.
fn laboratory() -> Server {
    laboratory_with("", GRANT)
}

fn laboratory_with(settings: &str, grant: &str) -> Server {
    let sections = format!("[lab]\nmllp_listen = \"127.0.0.1:0\"\nmllp_client = \"lab\"\n{settings}");
    let server = Server::with("Policy-all-normal", &sections);
    register(&server, "lab", grant);
    server.seed(&[anne(), bob()]);
    server
}

fn register(server: &Server, id: &str, grant: &str) {
    let keys = ClientKeys::Jwks(crate::support::Signer::of_client("k").key_set());
    server.register(Client { purposes: vec!["TREAT".to_owned()], ..Client::backend(id, "Laboratory", keys, grant) });
}

fn anne() -> Value {
    let mut anne = patient("anne", "Doe");
    anne["identifier"] = json!([{"system": "urn:id:MRN", "value": "1001"}]);
    anne["name"] = json!([{"family": "Doe", "given": ["Anne"]}]);
    anne["birthDate"] = json!("1980-02-03");
    anne["gender"] = json!("female");
    anne["telecom"] = json!([{"system": "phone", "value": "020 5368 1665"}]);
    anne
}

fn bob() -> Value {
    let mut bob = patient("bob", "Roe");
    bob["identifier"] = json!([{"system": "urn:id:MRN", "value": "1002"}]);
    bob["name"] = json!([{"family": "Roe", "given": ["Bob"]}]);
    bob["birthDate"] = json!("1975-05-06");
    bob["gender"] = json!("male");
    bob
}

/// A result of Anne's: control id, status of OBX and OBR, value, when it was reported.
fn result(control: &str, status: &str, value: &str, reported: &str) -> String {
    message(control, "PID|1||1001^^^MRN^MR||Doe^Anne||19800203|F", status, value, reported)
}

fn message(control: &str, pid: &str, status: &str, value: &str, reported: &str) -> String {
    [
        &format!("MSH|^~\\&|LAB|CITY|GATE|HOSP|{reported}||ORU^R01^ORU_R01|{control}|P|2.5.1"),
        pid,
        "ORC|RE|P100^HIS|F100^LAB",
        &format!("OBR|1|P100^HIS|F100^LAB|24323-8^CMP^LN|||20260501080000+0000|||||||||||||||{reported}||CH|{status}"),
        &format!("OBX|1|NM|2345-7^Glucose^LN||{value}|mg/dL|70 - 99|N|||{status}|||20260501080000+0000"),
        "NTE|1||fasting",
        "SPM|1|S100&LAB||SER^Serum^HL70487|||||||||||||20260501075500+0000|20260501081000+0000",
        "",
    ]
    .join("\r")
}

/// A line of any kind to the listener.
struct Feed<S> {
    stream: S,
    frames: Frames,
    rest: Vec<u8>,
}

impl Feed<TcpStream> {
    fn open(server: &Server) -> Self {
        let stream = TcpStream::connect(server.mllp()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        Self::over(stream)
    }
}

impl<S: Read + Write> Feed<S> {
    fn over(stream: S) -> Self {
        Self { stream, frames: Frames::new(1 << 20), rest: Vec::new() }
    }

    fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
        self.stream.flush().unwrap();
    }

    /// The next acknowledgement; `None` when the other side closed.
    fn answer(&mut self) -> Option<String> {
        let mut chunk = [0; 4096];
        loop {
            let rest = std::mem::take(&mut self.rest);
            let (taken, found) = self.frames.take(&rest);
            self.rest = rest[taken..].to_vec();
            if let Some(Framed::Message(data)) = found {
                return Some(String::from_utf8_lossy(&data).into_owned());
            }
            if self.rest.is_empty() {
                match self.stream.read(&mut chunk) {
                    Ok(count @ 1..) => self.rest.extend_from_slice(&chunk[..count]),
                    _ => return None,
                }
            }
        }
    }

    fn send(&mut self, message: &[u8]) -> Option<String> {
        self.write(&framed(message));
        self.answer()
    }

    /// Sends and gives code and control id of the acknowledgement.
    #[track_caller]
    fn told(&mut self, message: impl AsRef<[u8]>) -> (String, String) {
        let answer = self.send(message.as_ref()).expect_ack();
        (field(&answer, "MSA", 1), field(&answer, "MSA", 2))
    }
}

trait ExpectAck {
    fn expect_ack(self) -> String;
}

impl ExpectAck for Option<String> {
    #[track_caller]
    fn expect_ack(self) -> String {
        self.unwrap_or_else(|| panic!("no acknowledgement"))
    }
}

/// A field of the first segment of a name.
fn field(message: &str, segment: &str, number: usize) -> String {
    let line = message.split('\r').find(|line| line.starts_with(segment)).unwrap_or_default();
    let at = if segment == "MSH" { number - 1 } else { number };
    line.split('|').nth(at).unwrap_or_default().to_owned()
}

fn ok(control: &str) -> (String, String) {
    ("AA".to_owned(), control.to_owned())
}

/// The records of a search, as somebody who sees everything.
fn find(server: &Server, search: &str) -> Vec<Value> {
    let reply = server.get(search, &server.system(ALL)).expect(200);
    let bundle = reply.json();
    bundle["entry"].as_array().into_iter().flatten().map(|entry| entry["resource"].clone()).collect()
}

/// The one record of a search.
#[track_caller]
fn only(server: &Server, search: &str) -> Value {
    let found = find(server, search);
    assert_eq!(found.len(), 1, "{search}: {found:?}");
    found[0].clone()
}

/// The state and reason of every message in the inbox, in order.
fn inbox(server: &Server) -> Vec<(String, String)> {
    let rows = server.column("SELECT state || '|' || reason AS leaf FROM lab_message ORDER BY received, id");
    rows.iter().filter_map(|row| row.split_once('|')).map(|(state, reason)| (state.to_owned(), reason.to_owned())).collect()
}

/// Looks again and again until it is so.
#[track_caller]
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..300 {
        if holds() {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("in vain waited for: {what}");
}

fn state(state: &str, reason: &str) -> (String, String) {
    (state.to_owned(), reason.to_owned())
}
