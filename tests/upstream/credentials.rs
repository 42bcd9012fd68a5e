//! By what the server behind knows the gateway, and the gateway it: none, basic, bearer from a file, Backend Services, certificates.

use crate::site::{PROGRAM, Site, until};
use crate::support::{Behind, Heard, Said, Server, records};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

fn empty(heard: &Heard) -> Said {
    let url = format!("http://{}{}", heard.header("host").unwrap_or_default(), heard.target);
    let bundle = json!({"resourceType": "Bundle", "type": "searchset", "link": [{"relation": "self", "url": url}]});
    Said::json(200, bundle.to_string())
}

/// What each request to the FHIR base showed.
fn shown(server: &Server) -> Vec<Option<String>> {
    let heard = server.behind.as_ref().unwrap().heard.lock().unwrap();
    let records = heard.iter().filter(|one| one.target.starts_with("/fhir"));
    records.map(|one| one.header("authorization").map(str::to_owned)).collect()
}

#[test]
fn without_credentials_nothing_is_shown() {
    let server = Server::before(Behind::start(empty), "Policy-all-normal", "");
    let _ = server.get("Observation", &server.patient("p1", "patient/*.rs")).expect(200);
    assert!(shown(&server).iter().all(Option::is_none));
}

#[test]
fn a_bearer_token_is_read_from_its_file_each_time() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "first\n").unwrap();
    let settings = format!("auth = \"bearer\"\ntoken_file = \"{}\"", file.display());
    let server = Server::before(Behind::start(empty), "Policy-all-normal", &settings);
    let token = server.patient("p1", "patient/*.rs");
    let _ = server.get("Observation", &token).expect(200);
    assert!(shown(&server).iter().all(|one| one.as_deref() == Some("Bearer first")));
    std::fs::write(&file, "second\n").unwrap();
    let _ = server.get("Observation", &token).expect(200);
    assert_eq!(shown(&server).last().unwrap().as_deref(), Some("Bearer second"));
    // Without it nothing is asked, and the caller hears nothing of files.
    std::fs::remove_file(&file).unwrap();
    let before = shown(&server).len();
    let reply = server.get("Observation", &token);
    assert_eq!(reply.status, 503, "{}", reply.text());
    assert!(!reply.text().contains("token") && shown(&server).len() == before);
}

#[test]
fn a_token_is_fetched_by_assertion_kept_and_fetched_again_when_it_is_refused() {
    let (granted, good) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new("t1".to_owned())));
    let (count, accepted) = (Arc::clone(&granted), Arc::clone(&good));
    let behind = Behind::start(move |heard| {
        if heard.target == "/token" {
            let number = count.fetch_add(1, Ordering::SeqCst) + 1;
            return Said::json(200, json!({"access_token": format!("t{number}"), "expires_in": 300}).to_string());
        }
        let wanted = format!("Bearer {}", accepted.lock().unwrap());
        if heard.header("authorization") == Some(&wanted) { empty(heard) } else { Said::json(401, "{}") }
    });
    let token_url = format!("http://{}/token", behind.address);
    let settings = format!("auth = \"backend\"\ntoken_url = \"{token_url}\"\nclient_id = \"amanat\"\nscope = \"system/*.rs\"");
    let server = Server::before(behind, "Policy-all-normal", &settings);
    let token = server.patient("p1", "patient/*.rs");
    for _ in 0..3 {
        let _ = server.get("Observation", &token).expect(200);
    }
    assert_eq!(granted.load(Ordering::SeqCst), 1, "kept as long as it is good");
    *good.lock().unwrap() = "t2".to_owned();
    let _ = server.get("Observation", &token).expect(200);
    assert_eq!(granted.load(Ordering::SeqCst), 2);
    let heard = server.behind.as_ref().unwrap().heard.lock().unwrap();
    let asked = heard.iter().find(|one| one.target == "/token").unwrap();
    let form = String::from_utf8(asked.body.clone()).unwrap();
    assert!(form.contains("grant_type=client_credentials") && form.contains("scope=system/*.rs"), "{form}");
    let assertion = form.split("client_assertion=").nth(1).unwrap().split('&').next().unwrap();
    let head = claims(assertion.split('.').next().unwrap());
    assert_eq!(head["alg"], "ES384", "which every server of SMART Backend Services takes");
    let claims = claims(assertion.split('.').nth(1).unwrap());
    assert_eq!((&claims["iss"], &claims["sub"], &claims["aud"]), (&json!("amanat"), &json!("amanat"), &json!(token_url)));
    assert!(claims["jti"].is_string() && claims["exp"].as_i64().unwrap() <= server.clock.now().seconds() + 300, "{claims}");
    assert!(
        heard.iter().all(|one| !one.header("authorization").unwrap_or_default().contains(&token)),
        "never the caller's token"
    );
}

fn claims(part: &str) -> Value {
    use base64::Engine as _;
    serde_json::from_slice(&base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn certify(authority: &Authority, folder: &Path, file: &str, name: &str) {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, authority).unwrap();
    std::fs::write(folder.join(format!("{file}.pem")), certificate.pem()).unwrap();
    std::fs::write(folder.join(format!("{file}-key.pem")), key.serialize_pem()).unwrap();
}

fn rewrite(site: &Site, change: impl FnOnce(String) -> String) {
    let text = std::fs::read_to_string(site.settings()).unwrap();
    std::fs::write(site.settings(), change(text)).unwrap();
}

/// Two gateways in processes of their own: one keeps records as a plain FHIR server would, over TLS, for clients that show a certificate;
/// the other stands in front of it.
struct Pair {
    records: Site,
    gateway: Site,
    folder: tempfile::TempDir,
}

impl Pair {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ours = authority();
        std::fs::write(folder.path().join("ca.pem"), ours.pem()).unwrap();
        std::fs::write(folder.path().join("other-ca.pem"), authority().pem()).unwrap();
        certify(&ours, folder.path(), "server", "localhost");
        certify(&ours, folder.path(), "gateway", "gateway");
        let mut gateway = Site::prepare("");
        gateway.start();
        let keys = gateway.raw("GET /.well-known/jwks.json HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        std::fs::write(folder.path().join("jwks.json"), keys.json().to_string()).unwrap();
        let _ = gateway.stop();
        let place = |name: &str| folder.path().join(name).display().to_string();
        let tls = format!(
            "[tls]\ncertificate = \"{}\"\nkey = \"{}\"\nclient_ca = \"{}\"\n",
            place("server.pem"),
            place("server-key.pem"),
            place("ca.pem")
        );
        let mut records = Site::prepare(&tls);
        let plain = format!("http://{}/fhir", records.listen);
        rewrite(&records, |text| text.replace(&plain, &base(&records)));
        let (scope, jwks, certificate) = ("system/*.cruds system/Consent.cruds", place("jwks.json"), place("gateway.pem"));
        let words = ["client", "add", "gateway", "--scope", scope, "--jwks", &jwks, "--certificate", &certificate];
        records.done(&[&words[..], &["--purpose", "TREAT", "--may-choose-ids"]].concat());
        records.start();
        Self { records, gateway, folder }
    }

    /// The gateway that trusts these certificates and shows this one.
    fn front(&self, ca: &str, certificate: Option<&str>) {
        self.front_by(&base(&self.records), ca, certificate);
    }

    /// The same by this address of the server.
    fn front_by(&self, address: &str, ca: &str, certificate: Option<&str>) {
        let place = |name: &str| self.folder.path().join(name).display().to_string();
        let shown = certificate.map(|name| {
            format!("certificate = \"{}\"\nkey = \"{}\"\n", place(&format!("{name}.pem")), place(&format!("{name}-key.pem")))
        });
        let base = base(&self.records);
        rewrite(&self.gateway, |text| {
            let head = text.split("[upstream]").next().unwrap();
            let store = format!("url = \"{address}\"\nledger = \"sqlite:amanat.db\"\n");
            let head =
                if head.contains("ledger") { head.to_owned() } else { head.replace("url = \"sqlite:amanat.db\"\n", &store) };
            let token_url = base.replace("/fhir", "/token");
            format!(
                "{head}[upstream]\naliases = [\"{base}\"]\nauth = \"backend\"\ntoken_url = \"{token_url}\"\nclient_id = \"gateway\"\n\
                 scope = \"system/*.cruds system/Consent.cruds\"\nca = \"{}\"\n{}",
                place(ca),
                shown.unwrap_or_default()
            )
        });
    }
}

fn base(site: &Site) -> String {
    format!("https://localhost:{}/fhir", site.listen.port())
}

/// How many answers of the server came over this version of HTTP.
fn answers(gateway: &Site, http: &str) -> u64 {
    let mut management = TcpStream::connect(gateway.management).unwrap();
    write!(management, "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut metrics = String::new();
    management.read_to_string(&mut metrics).unwrap();
    let name = format!("amanat_upstream_answers_total{{http=\"{http}\"}} ");
    metrics.lines().find_map(|line| line.strip_prefix(&name)).map_or(0, |count| count.trim().parse().unwrap())
}

#[test]
fn a_second_gateway_behind_is_reached_by_certificate_and_signed_assertion_over_http_2() {
    let mut pair = Pair::new();
    pair.front("ca.pem", Some("gateway"));
    pair.gateway.start();
    let app = pair.gateway.client("app", "system/*.cruds");
    for record in [records::patient("p1", "Ahmad"), records::observation("o1", "p1", "laboratory")] {
        let place = format!("{}/{}", record["resourceType"].as_str().unwrap(), record["id"].as_str().unwrap());
        let answer = pair.gateway.ask("PUT", &app, &place, Some(&record));
        assert_eq!(answer.status, 201, "{}", answer.body);
    }
    let created = pair.gateway.ask("POST", &app, "Observation", Some(&records::observation("x", "p1", "laboratory")));
    assert_eq!(created.status, 201, "{}", created.body);
    let found = pair.gateway.get(&app, "Observation?patient=p1&_sort=-date&_include=Observation:patient");
    assert_eq!((found.status, found.json()["entry"].as_array().unwrap().len()), (200, 3), "{}", found.body);
    assert!(!found.body.contains(&format!(":{}/", pair.records.listen.port())), "{}", found.body);
    assert!(answers(&pair.gateway, "2") > 0 && answers(&pair.gateway, "1.1") == 0);
    // It was the gateway that wrote, by the other's own trail.
    assert!(pair.records.trail().iter().any(|entry| entry.told()["agent"]["client"] == "gateway"));
}

/// Passes bytes on to a server, and counts the connections.
fn relay(to: SocketAddr) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, count) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&count);
    std::thread::spawn(move || {
        for near in listener.incoming().map_while(Result::ok) {
            let Ok(far) = TcpStream::connect(to) else { return };
            counted.fetch_add(1, Ordering::SeqCst);
            for (mut from, mut into) in [(near.try_clone().unwrap(), far.try_clone().unwrap()), (far, near)] {
                std::thread::spawn(move || {
                    drop(std::io::copy(&mut from, &mut into));
                    drop(into.shutdown(Shutdown::Write));
                });
            }
        }
    });
    (address, count)
}

#[test]
fn one_connection_over_http_2_carries_many_requests_at_once() {
    let mut pair = Pair::new();
    let (address, connections) = relay(pair.records.listen);
    pair.front_by(&format!("https://localhost:{}/fhir", address.port()), "ca.pem", Some("gateway"));
    pair.gateway.start();
    let app = pair.gateway.client("app", "system/*.cruds");
    let one = records::patient("p1", "Ahmad");
    assert_eq!(pair.gateway.ask("PUT", &app, "Patient/p1", Some(&one)).status, 201);
    // Each thread that serves gets to know the server.
    for _ in 0..24 {
        assert_eq!(pair.gateway.get(&app, "Patient/p1").status, 200);
    }
    let before = (connections.load(Ordering::SeqCst), answers(&pair.gateway, "2"));
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| (0..5).for_each(|_| assert_eq!(pair.gateway.get(&app, "Patient/p1").status, 200)));
        }
    });
    let after = (connections.load(Ordering::SeqCst), answers(&pair.gateway, "2"));
    assert!(after.1 >= before.1 + 80, "{before:?} {after:?}");
    // A thread that had not served yet opens one, or a few at once: never one for each request.
    assert!(after.0 <= before.0 + 16 && after.0 * 3 < usize::try_from(after.1).unwrap(), "{before:?} {after:?}");
    assert_eq!(answers(&pair.gateway, "1.1"), 0);
}

#[test]
fn a_server_that_is_not_the_one_to_trust_is_asked_nothing_and_one_that_trusts_not_answers_nothing() {
    let pair = Pair::new();
    let app = pair.gateway.client("app", "system/*.cruds");
    for (ca, certificate) in [("other-ca.pem", Some("gateway")), ("ca.pem", None), ("ca.pem", Some("server"))] {
        pair.front(ca, certificate);
        // It begins all the same, and answers nothing until it can.
        let mut process = crate::site::serve(&pair.gateway.settings());
        until("the gateway listens", || TcpStream::connect(pair.gateway.listen).is_ok());
        let reply = pair.gateway.get(&app, "Observation");
        assert_eq!(reply.status, 503, "{ca} {certificate:?}: {}", reply.body);
        assert!(reply.body.contains("AMANAT-UP-0004"), "{}", reply.body);
        drop(process.kill());
        drop(process.wait());
    }
    let entries: Vec<Value> = pair.records.trail().iter().map(crate::site::Entry::told).collect();
    let asked = entries.iter().filter(|entry| entry["agent"]["client"] == "gateway" && entry["event"]["kind"] == "rest");
    assert_eq!(asked.filter(|entry| entry["outcome"] == "0").count(), 0, "{entries:?}");
}

#[test]
fn a_gateway_begins_without_its_server_and_serves_when_it_comes() {
    let address = crate::site::free_address();
    let site = Site::prepare("");
    let store = format!("url = \"http://{address}/fhir\"\nledger = \"sqlite:amanat.db\"");
    rewrite(&site, |text| text.replace("url = \"sqlite:amanat.db\"", &store));
    let app = site.client("app", "system/*.rs");
    let mut process = crate::site::serve(&site.settings());
    until("the gateway answers", || site.get(&app, "metadata").status == 200);
    let refused = site.get(&app, "Observation");
    assert_eq!((refused.status, site.ready()), (503, false), "{}", refused.body);
    assert!(refused.body.contains("AMANAT-UP-0004"), "{}", refused.body);
    let behind = Behind::start_at(address, empty);
    until("the gateway is ready", || site.ready());
    until("it serves", || site.get(&app, "Observation").status == 200);
    assert!(behind.asked().iter().any(|asked| asked.starts_with("GET Consent")), "consents first");
    crate::site::signal(&process, "TERM");
    assert!(process.wait().unwrap().success());
}

#[test]
fn a_machines_own_addresses_are_no_server() {
    for url in ["http://169.254.169.254/fhir", "https://[fe80::1]/fhir", "https://[fd00:ec2::254]/fhir", "https://0.0.0.0/fhir"] {
        let site = Site::prepare("[upstream]\nplain_http = true\n");
        rewrite(&site, |text| {
            text.replace("url = \"sqlite:amanat.db\"", &format!("url = \"{url}\"\nledger = \"sqlite:amanat.db\""))
        });
        let output = std::process::Command::new(PROGRAM).arg("serve").arg("--config").arg(site.settings()).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && text.contains("never connected to"), "{url}: {text}");
    }
}
