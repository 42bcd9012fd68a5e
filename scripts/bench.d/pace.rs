//! Sends requests at a steady rate: `pace ORIGIN CA-FILE RATE CONNECTIONS SECONDS`, what to send in the environment as for `load.lua`.
//!
//! When each request is due is drawn beforehand (a Poisson process, the same in each run), whatever became of those before; its latency
//! counts from then. wrk ends its pauses on the ticks of a millisecond, all those of one tick at once: at several thousand a second that
//! measures how long a burst takes, not how long a request does.

use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::collections::VecDeque;
use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [origin, ca, rate, connections, seconds] = arguments.as_slice() else {
        return Err("usage: pace ORIGIN CA-FILE RATE CONNECTIONS SECONDS".into());
    };
    let (rate, seconds): (f64, f64) = (rate.parse()?, seconds.parse()?);
    let target = Arc::new(Target::read(origin, ca)?);
    let queue = Arc::new(Queue::default());
    let mut threads = Vec::new();
    for _ in 0..connections.parse::<usize>()? {
        let (queue, mut connection) = (Arc::clone(&queue), Connection::open(&target)?);
        threads.push(std::thread::Builder::new().stack_size(256 << 10).spawn(move || connection.serve(&queue))?);
    }
    let begun = Instant::now();
    send(&queue, &target, rate, Duration::from_secs_f64(seconds));
    let took = begun.elapsed();
    let mut all = Told::default();
    for thread in threads {
        all.add(thread.join().map_err(|_| "a connection's thread panicked")??);
    }
    Ok(all.print(took)?)
}

/// Puts each request into the queue when it is due, then ends the queue.
fn send(queue: &Queue, target: &Target, rate: f64, length: Duration) {
    let mut random = Random(20_260_115);
    let (begun, mut due) = (Instant::now(), Duration::ZERO);
    while due < length {
        std::thread::sleep(due.saturating_sub(begun.elapsed()));
        let patient = 1 + random.below(target.patients);
        queue.put(Due { at: begun + due, patient });
        due += Duration::from_secs_f64(-random.share().ln() / rate);
    }
    queue.state().ended = true;
    queue.there.notify_all();
}

struct Due {
    at: Instant,
    patient: u64,
}

#[derive(Default)]
struct Queue {
    state: Mutex<Waiting>,
    there: Condvar,
}

#[derive(Default)]
struct Waiting {
    due: VecDeque<Due>,
    ended: bool,
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, Waiting> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, due: Due) {
        self.state().due.push_back(due);
        self.there.notify_one();
    }

    fn take(&self) -> Option<Due> {
        let waits = |state: &mut Waiting| state.due.is_empty() && !state.ended;
        self.there.wait_while(self.state(), waits).unwrap_or_else(PoisonError::into_inner).due.pop_front()
    }
}

/// What is asked, and of whom.
struct Target {
    address: String,
    host: String,
    tls: Option<Arc<ClientConfig>>,
    search: bool,
    base: String,
    headers: String,
    patients: u64,
}

impl Target {
    fn read(origin: &str, ca: &str) -> Result<Self, Failure> {
        let (scheme, address) = origin.split_once("://").ok_or("an origin has a scheme")?;
        let host = address.split(':').next().unwrap_or_default().to_owned();
        let tls = if scheme == "https" { Some(Arc::new(trusting(ca)?)) } else { None };
        let said = |name: &str| std::env::var(name).unwrap_or_default();
        let authorization = match said("BENCH_TOKEN") {
            none if none.is_empty() => none,
            token => format!("Authorization: Bearer {token}\r\n"),
        };
        let headers = format!("Host: {address}\r\nAccept: application/fhir+json\r\n{authorization}");
        let search = match said("BENCH_KIND").as_str() {
            "read" => false,
            "search" => true,
            other => return Err(format!("BENCH_KIND `{other}` cannot be paced").into()),
        };
        let patients = said("BENCH_PATIENTS").parse()?;
        Ok(Self { address: address.to_owned(), host, tls, search, base: said("BENCH_BASE"), headers, patients })
    }

    fn request(&self, patient: u64) -> String {
        let path = if self.search {
            format!("Observation?patient=b{patient:06}&category=laboratory&_count=20")
        } else {
            format!("Patient/b{patient:06}")
        };
        format!("GET {}/{path} HTTP/1.1\r\n{}\r\n", self.base, self.headers)
    }
}

fn trusting(ca: &str) -> Result<ClientConfig, Failure> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(ca)? {
        roots.add(certificate?)?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

struct Connection {
    stream: BufReader<Box<dyn Stream>>,
    target: Arc<Target>,
}

impl Connection {
    fn open(target: &Arc<Target>) -> Result<Self, Failure> {
        let mut tcp = TcpStream::connect(&target.address)?;
        tcp.set_nodelay(true)?;
        let stream: Box<dyn Stream> = match &target.tls {
            Some(config) => {
                let name = ServerName::try_from(target.host.clone())?;
                let mut session = ClientConnection::new(Arc::clone(config), name)?;
                // The handshake is no part of any request.
                while session.is_handshaking() {
                    session.complete_io(&mut tcp)?;
                }
                Box::new(StreamOwned::new(session, tcp))
            }
            None => Box::new(tcp),
        };
        Ok(Self { stream: BufReader::with_capacity(32 << 10, stream), target: Arc::clone(target) })
    }

    fn serve(&mut self, queue: &Queue) -> Result<Told, Failure> {
        let mut told = Told::default();
        while let Some(due) = queue.take() {
            let request = self.target.request(due.patient);
            self.stream.get_mut().write_all(request.as_bytes())?;
            self.stream.get_mut().flush()?;
            let status = self.answer()?;
            told.took.push(due.at.elapsed());
            told.refused += u64::from(status != 200);
        }
        Ok(told)
    }

    /// Reads an answer whole; its status.
    fn answer(&mut self) -> io::Result<u16> {
        let broken = || io::Error::other("no HTTP answer");
        let status = self.line()?.split(' ').nth(1).and_then(|word| word.parse().ok()).ok_or_else(broken)?;
        let (mut length, mut chunked) = (0, false);
        loop {
            let line = self.line()?.to_ascii_lowercase();
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().map_err(|_| broken())?;
            }
            chunked |= line.starts_with("transfer-encoding:") && line.contains("chunked");
            if line.is_empty() {
                break;
            }
        }
        while chunked {
            length = u64::from_str_radix(&self.line()?, 16).map_err(|_| broken())?;
            self.skip(length)?;
            self.line()?;
            chunked = length > 0;
            length = 0;
        }
        self.skip(length)?;
        Ok(status)
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end().to_owned())
    }

    fn skip(&mut self, length: u64) -> io::Result<()> {
        let read = io::copy(&mut self.stream.by_ref().take(length), &mut io::sink())?;
        if read == length { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}

/// What became of the requests.
#[derive(Default)]
struct Told {
    took: Vec<Duration>,
    refused: u64,
}

impl Told {
    fn add(&mut self, other: Self) {
        self.took.extend(other.took);
        self.refused += other.refused;
    }

    /// The line that `load.lua` prints.
    fn print(mut self, took: Duration) -> io::Result<()> {
        self.took.sort_unstable();
        let count = self.took.len();
        let at = |part: usize| self.took.get((count * part / 1000).min(count.saturating_sub(1))).map_or(0, Duration::as_micros);
        let (p50, p99, max) = (at(500), at(990), at(1000));
        let (span, refused) = (took.as_micros(), self.refused);
        writeln!(
            io::stdout(),
            "BENCH requests={count} microseconds={span} p50={p50} p99={p99} max={max} refused={refused} broken=0"
        )
    }
}

/// Numbers that look drawn by lot, the same in each run (xorshift64*).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    /// Between nothing and one, never nothing.
    fn share(&mut self) -> f64 {
        f64::from(u32::try_from(self.next() >> 32).unwrap_or(u32::MAX)).mul_add(1.0 / 4_294_967_296.0, 1e-10)
    }
}
