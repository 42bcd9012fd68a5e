//! Something that stands behind the gateway and answers HTTP: whatever a test wants it to say.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A request that came.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    pub(crate) method: String,
    /// From the root, with the query.
    pub(crate) target: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Heard {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// Path below `/fhir`, and the query.
    pub(crate) fn below(&self) -> (&str, &str) {
        let target = self.target.strip_prefix("/fhir").unwrap_or(&self.target);
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        (path.trim_start_matches('/'), query)
    }
}

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) manner: Manner,
}

/// How an answer is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// As it should be.
    Whole,
    /// The body is cut in the middle, and the connection with it.
    Half,
    /// The body begins, and then nothing comes any more.
    Stalled,
    /// Nothing is answered.
    Silent,
    /// Nothing is answered, and the connection ends.
    Cut,
    /// The body is repeated until nobody listens.
    Endless,
}

impl Said {
    pub(crate) fn json(status: u16, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![("Content-Type".to_owned(), "application/fhir+json".to_owned())];
        Self { status, headers, body: body.into(), manner: Manner::Whole }
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn sent(mut self, manner: Manner) -> Self {
        self.manner = manner;
        self
    }
}

type Answers = dyn Fn(&Heard) -> Said + Send + Sync;

/// A server on a free port of loopback, until it is dropped.
pub(crate) struct Behind {
    pub(crate) address: SocketAddr,
    pub(crate) heard: Arc<Mutex<Vec<Heard>>>,
    /// Bytes of bodies that were sent.
    pub(crate) sent: Arc<Mutex<u64>>,
    stop: Arc<AtomicBool>,
}

impl Behind {
    pub(crate) fn start(answers: impl Fn(&Heard) -> Said + Send + Sync + 'static) -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap(), answers)
    }

    /// On an address of its own.
    pub(crate) fn start_at(address: SocketAddr, answers: impl Fn(&Heard) -> Said + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let (heard, sent, stop) = (Arc::default(), Arc::default(), Arc::new(AtomicBool::new(false)));
        let answers: Arc<Answers> = Arc::new(answers);
        let (log, count, stopped) = (Arc::clone(&heard), Arc::clone(&sent), Arc::clone(&stop));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let (answers, log, count) = (Arc::clone(&answers), Arc::clone(&log), Arc::clone(&count));
                if let Ok(stream) = stream {
                    std::thread::spawn(move || converse(&stream, answers.as_ref(), &log, &count));
                }
            }
        });
        Self { address, heard, sent, stop }
    }

    /// Its FHIR base.
    pub(crate) fn base(&self) -> String {
        format!("http://{}/fhir", self.address)
    }

    /// A record put there past the gateway: status and body of the answer.
    pub(crate) fn put(&self, place: &str, record: &serde_json::Value) -> (u16, String) {
        self.send("PUT", place, &record.to_string())
    }

    /// A request past the gateway, below the base.
    pub(crate) fn send(&self, method: &str, place: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address).unwrap();
        let length = body.len();
        let kind = "Content-Type: application/fhir+json\r\nConnection: close";
        write!(stream, "{method} /fhir/{place} HTTP/1.1\r\nHost: x\r\n{kind}\r\nContent-Length: {length}\r\n\r\n{body}").unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = String::new();
        drop(stream.read_to_string(&mut answer));
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
        (head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0), body.to_owned())
    }

    /// What was asked so far, as `GET Patient?x=y`.
    pub(crate) fn asked(&self) -> Vec<String> {
        let told = |one: &Heard| {
            let (path, query) = one.below();
            format!("{} {path}{}{query}", one.method, if query.is_empty() { "" } else { "?" })
        };
        self.heard.lock().unwrap().iter().map(told).collect()
    }
}

impl Drop for Behind {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
    }
}

fn converse(stream: &TcpStream, answers: &Answers, log: &Mutex<Vec<Heard>>, count: &Mutex<u64>) {
    drop(stream.set_nodelay(true));
    drop(stream.set_read_timeout(Some(Duration::from_mins(1))));
    let mut reader = BufReader::new(stream);
    while let Some(heard) = listen(&mut reader) {
        let said = answers(&heard);
        log.lock().unwrap().push(heard);
        if !say(stream, &said, count) {
            return;
        }
    }
}

fn listen(reader: &mut BufReader<&TcpStream>) -> Option<Heard> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length").and_then(|(_, value)| value.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Heard { method, target, headers, body })
}

/// False when the connection is not to be used any more.
fn say(mut stream: &TcpStream, said: &Said, count: &Mutex<u64>) -> bool {
    if said.manner == Manner::Silent {
        std::thread::sleep(Duration::from_secs(20));
        return false;
    }
    if said.manner == Manner::Cut {
        drop(stream.shutdown(std::net::Shutdown::Both));
        return false;
    }
    let length = if said.manner == Manner::Endless { usize::MAX >> 8 } else { said.body.len() };
    let mut head = format!("HTTP/1.1 {} X\r\nContent-Length: {length}\r\n", said.status);
    for (name, value) in &said.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    let body = match said.manner {
        Manner::Half | Manner::Stalled => &said.body[..said.body.len() / 2],
        _ => &said.body[..],
    };
    let mut bytes = head.into_bytes();
    bytes.extend_from_slice(body);
    let mut fine = stream.write_all(&bytes).is_ok();
    *count.lock().unwrap() += body.len() as u64;
    while fine && said.manner == Manner::Endless {
        fine = stream.write_all(&said.body).is_ok();
        *count.lock().unwrap() += said.body.len() as u64;
    }
    if said.manner == Manner::Stalled {
        std::thread::sleep(Duration::from_secs(20));
    }
    fine && said.manner == Manner::Whole
}
