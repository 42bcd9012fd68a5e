//! Published messages through real MLLP with TLS and client certificates: each acknowledged, every OBX accounted for.

use super::*;
use crate::support::{Served, postgres};
use amanat::clock::Clock;
use amanat::fhir::Instant;
use amanat::lab::acknowledge::{Mode, When};
use amanat::lab::mapping::{Context, Matter, map, patients};
use amanat::lab::tables::Tables;
use amanat::lab::v2::{Charset, Message, decode, split_messages};
use amanat::lab::{Namer, Plan, WarningKind};
use jiff::tz::TimeZone;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

type Line = StreamOwned<ClientConnection, TcpStream>;

/// A gateway with certificates, and what a laboratory needs to be let in.
struct Site {
    served: Served,
    folder: tempfile::TempDir,
    tls: Arc<ClientConfig>,
}

impl Site {
    fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let write = |name: &str, text: String| std::fs::write(folder.path().join(name), text).unwrap();
        let issue = |name: &str| {
            let key = KeyPair::generate().unwrap();
            (CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &authority).unwrap(), key)
        };
        let ((server, server_key), (client, client_key)) = (issue("localhost"), issue("lab"));
        write("cert.pem", server.pem());
        write("key.pem", server_key.serialize_pem());
        write("ca.pem", authority.pem());
        write("lab.pem", client.pem());
        let settings = "[tls]\ncertificate = \"cert.pem\"\nkey = \"key.pem\"\nclient_ca = \"ca.pem\"\n[consent]\nimplicit_policy = \"Policy-all-normal\"\n\
                        [lab]\nmllp_listen = \"127.0.0.1:0\"\n[[lab.feeds]]\nclient = \"lab\"\ncertificate = \"lab.pem\"\n";
        let clock = Clock::fixed(Instant::parse("2026-06-01T12:00:00Z").unwrap());
        let served = Served::new(folder.path(), settings.to_owned(), &clock);
        let keys = ClientKeys::Jwks(crate::support::Signer::of_client("k").key_set());
        served.register(Client { purposes: vec!["TREAT".to_owned()], ..Client::backend("lab", "Laboratory", keys, GRANT) });
        served.look_at_registry();
        let mut roots = RootCertStore::empty();
        roots.add(authority.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(client_key.serialize_der()));
        let tls = builder.with_root_certificates(roots).with_client_auth_cert(vec![client.der().clone()], key).unwrap();
        Self { served, folder, tls: Arc::new(tls) }
    }

    fn connect(&self) -> Feed<Line> {
        let session = ClientConnection::new(Arc::clone(&self.tls), ServerName::try_from("localhost").unwrap()).unwrap();
        let socket = TcpStream::connect(self.served.mllp.unwrap()).unwrap();
        socket.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        Feed::over(StreamOwned::new(session, socket))
    }

    fn count(&self, query: &str) -> i64 {
        use diesel::prelude::*;
        #[derive(QueryableByName)]
        struct Count {
            #[diesel(sql_type = diesel::sql_types::BigInt)]
            n: i64,
        }
        if postgres::asked() {
            let url = postgres::schema(self.folder.path(), &postgres::server().unwrap());
            return postgres::ask(&url, query)[0].parse().unwrap();
        }
        let mut connection = SqliteConnection::establish(self.folder.path().join("amanat.db").to_str().unwrap()).unwrap();
        diesel::sql_query("PRAGMA busy_timeout = 10000").execute(&mut connection).unwrap();
        let row: Count = diesel::sql_query(query).get_result(&mut connection).unwrap();
        row.n
    }
}

pub(super) fn folder(name: &str) -> Option<PathBuf> {
    let corpora = std::env::var("AMANAT_CORPORA").unwrap_or_else(|_| "../shared/corpora".to_owned());
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(corpora).join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: no corpora at {}", folder.display());
    None
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "hl7") {
            found.push(path);
        }
    }
}

/// Every message of the corpora, with where it is from.
fn messages() -> Vec<(String, String)> {
    let mut all = Vec::new();
    for name in ["hl7v2-microsoft", "hl7v2-reportstream", "hl7v2-simhospital"] {
        let Some(folder) = folder(name) else { continue };
        let mut found = Vec::new();
        files(&folder, &mut found);
        for file in found {
            let text = decode(&std::fs::read(&file).unwrap(), Charset::Latin1).unwrap();
            let split = split_messages(&text);
            let label = file.strip_prefix(folder.parent().unwrap()).unwrap().display().to_string();
            all.extend(split.into_iter().enumerate().map(|(at, text)| (format!("{label}#{at}"), text)));
        }
    }
    all
}

/// What a mapping without a site goes by.
pub(super) fn mapping() -> Context {
    Context {
        tables: Arc::new(Tables::built_in().unwrap()),
        sender: amanat::lab::tables::Sender::default(),
        zone: TimeZone::UTC,
        namer: Namer::new(b"k", "c"),
        message: "00000000-0000-0000-0000-000000000000".to_owned(),
        replay: 0,
        received: Instant(0),
    }
}

fn mapped(message: &Message) -> Result<Plan, String> {
    let context = mapping();
    let told = |faults: Vec<amanat::lab::v2::Fault>| faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    let subjects: Vec<String> = patients(message, &context).map_err(told)?.iter().map(|_| "Patient/p".to_owned()).collect();
    map(message, &subjects, &context).map_err(told)
}

/// Why a message cannot be filed by anybody: fragments that were published to show one data type lack what makes a message of them.
fn is_wanting(message: &Message) -> Option<&'static str> {
    let has = |name: &str| message.first(name).is_some();
    if !has("PID") {
        return Some("100");
    }
    let requested = message.all("OBR").any(|obr| (2..=50).any(|at| obr.field(at).is_valued()));
    let is_document = |obx: &amanat::lab::v2::Segment<'_>| matches!(obx.field(2).text().as_str(), "ED" | "RP");
    let unnamed = message.all("OBX").any(|obx| !obx.field(3).is_valued() && !is_document(&obx));
    match Matter::of(message).unwrap() {
        Matter::Results if !requested && !has("OBX") => Some("100"),
        Matter::Orders if !requested && !has("ORC") => Some("100"),
        Matter::Documents if !has("TXA") => Some("100"),
        Matter::Results | Matter::Orders if unnamed => Some("101"),
        _ => None,
    }
}

/// Sends, and gives the last acknowledgement: in the enhanced mode there may be two.
fn sent(feed: &mut Feed<Line>, text: &str, message: &Message) -> Option<String> {
    let first = feed.send(text.as_bytes())?;
    match Mode::of(message, false) {
        Mode::Enhanced { application: When::Always, .. } if field(&first, "MSA", 1) == "CA" => feed.answer(),
        _ => Some(first),
    }
}

#[test]
fn every_published_result_is_acknowledged_and_every_obx_accounted_for() {
    let is_result = |text: &str| ["|ORU^", "|OUL^"].iter().any(|kind| text.split('\r').next().unwrap().contains(kind));
    let results: Vec<(String, String)> = messages().into_iter().filter(|(_, text)| is_result(text)).collect();
    if results.is_empty() {
        return;
    }
    let site = Site::open();
    let mut feed = site.connect();
    let (mut ends, mut segments): (BTreeMap<String, usize>, usize) = (BTreeMap::new(), 0);
    for (label, text) in &results {
        let message = Message::parse(text).unwrap_or_else(|fault| panic!("{label}: {fault}"));
        // Whoever the result is about is made known first, as a hospital would.
        if let Some(pid) = text.split('\r').find(|line| line.starts_with("PID")) {
            let head = text.split('\r').next().unwrap().replace(&field(text, "MSH", 9), "ADT^A04");
            let known = format!("{head}\r{pid}\r");
            assert!(sent(&mut feed, &known, &Message::parse(&known).unwrap()).is_some(), "{label}");
        }
        let answer = sent(&mut feed, text, &message).unwrap_or_else(|| panic!("{label}: no acknowledgement"));
        let (code, wanting) = (field(&answer, "MSA", 1), is_wanting(&message));
        assert_eq!(field(&answer, "MSA", 2), field(text, "MSH", 10), "{label}");
        *ends.entry(code.clone()).or_default() += 1;
        let count = message.all("OBX").count();
        match mapped(&message) {
            Ok(plan) => {
                assert_eq!(plan.observations.len(), count, "{label}: every OBX is held by a record");
                let all: Vec<_> = plan.records.iter().map(|record| &record.key).collect();
                assert!(plan.observations.iter().all(|key| all.contains(&key)), "{label}");
                assert!(matches!(code.as_str(), "AA" | "CA"), "{label}: {answer}");
                assert_eq!(wanting, None, "{label}: it is taken");
                segments += count;
                // A score out of ten has no unit.
                let is_unit =
                    |warning: &&amanat::lab::Warning| warning.kind == WarningKind::UnmappedUnit && warning.about != "/10";
                let unit = plan.warnings.iter().find(is_unit);
                assert!(unit.is_none() || !label.contains("simhospital"), "{label}: {unit:?}");
            }
            Err(why) => {
                let error = wanting.unwrap_or_else(|| panic!("{label}: {why}"));
                assert_eq!(code, "AE", "{label}: {answer}");
                assert!(answer.contains(&format!("|{error}^")), "{label}: {answer}");
            }
        }
    }
    let states = |state: &str| {
        site.count(&format!("SELECT count(*) AS n FROM lab_message WHERE kind NOT LIKE 'ADT%' AND state = '{state}'"))
    };
    // The last one may be at work still.
    let begun = std::time::Instant::now();
    while states("received") > 0 && begun.elapsed().as_secs() < 30 {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let told: Vec<(&str, i64)> = ["filed", "held", "superseded", "failed", "rejected", "received"]
        .into_iter()
        .map(|state| (state, states(state)))
        .collect();
    println!("{} results, {segments} OBX, acknowledged {ends:?}, {told:?}", results.len());
    let reasons = site.count(
        "SELECT count(*) AS n FROM lab_message WHERE kind NOT LIKE 'ADT%' AND state = 'held' AND reason = 'record-refused'",
    );
    assert_eq!(reasons, 0, "no record that was made is refused");
    assert_eq!(states("received") + states("rejected"), 0);
}

#[test]
fn every_other_published_message_is_acknowledged() {
    let others: Vec<(String, String)> =
        messages().into_iter().filter(|(_, text)| !text.contains("|ORU^") && !text.contains("|OUL^")).collect();
    if others.is_empty() {
        return;
    }
    let site = Site::open();
    let mut feed = site.connect();
    let mut ends: BTreeMap<String, usize> = BTreeMap::new();
    for (label, text) in &others {
        let message = Message::parse(text).unwrap();
        let answer = sent(&mut feed, text, &message).unwrap_or_else(|| panic!("{label}: no acknowledgement"));
        assert_eq!(field(&answer, "MSA", 2), field(text, "MSH", 10), "{label}");
        assert!(Matter::of(&message).is_ok(), "{label}");
        let code = if is_wanting(&message).is_some() { "AE" } else { "AA" };
        assert!([code, "CA"].contains(&field(&answer, "MSA", 1).as_str()), "{label}: {answer}");
        *ends.entry(format!("{} {}", message.kind(), field(&answer, "MSA", 1))).or_default() += 1;
    }
    println!("{ends:?}");
    let refused = site.count("SELECT count(*) AS n FROM lab_message WHERE state = 'held' AND reason = 'record-refused'");
    assert_eq!(refused, 0);
}
