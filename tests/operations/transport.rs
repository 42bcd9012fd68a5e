//! Certificates of the gateway and of partners, in a process of its own over real TLS.

use crate::site::{Answer, Site, amanat, await_ready, free_address, serve, signal};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tempfile::TempDir;

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    // Without a name of its own it would have that of its certificates, which then look self-signed.
    params.distinguished_name.push(DnType::CommonName, "test authority");
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate of an authority for a name: PEM of the certificate and of its key.
fn issue(authority: &Authority, name: &str) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, authority).unwrap();
    (certificate.pem(), key.serialize_pem())
}

fn put_certificate(folder: &Path, authority: &Authority) {
    let (certificate, key) = issue(authority, "localhost");
    fs::write(folder.join("key.pem"), key).unwrap();
    fs::write(folder.join("cert.pem"), certificate).unwrap();
}

/// A gateway made by `amanat init`, with certificates of an authority that the test knows.
struct House {
    folder: TempDir,
    listen: SocketAddr,
    process: Child,
    authority: Authority,
}

impl House {
    fn open(tls: &str, prepare: impl FnOnce(&Path)) -> Self {
        let (folder, listen, management, authority) = (tempfile::tempdir().unwrap(), free_address(), free_address(), authority());
        let place = folder.path().to_str().unwrap();
        let made =
            amanat(&["init", "--folder", place, "--listen", &listen.to_string(), "--implicit-policy", "Policy-all-normal"]);
        assert!(made.status.success());
        let settings = folder.path().join("amanat.toml");
        let text = fs::read_to_string(&settings).unwrap().replace("127.0.0.1:9443", &management.to_string());
        fs::write(&settings, text.replace("[tls]", &format!("[tls]\n{tls}"))).unwrap();
        put_certificate(folder.path(), &authority);
        prepare(folder.path());
        let process = serve(&settings);
        await_ready(management);
        Self { folder, listen, process, authority }
    }

    fn amanat(&self, words: &[&str]) -> String {
        let settings = self.folder.path().join("amanat.toml");
        let output = amanat(&[words, &["--config", settings.to_str().unwrap()]].concat());
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn connect(&self, own: Option<&(String, String)>) -> std::io::Result<StreamOwned<ClientConnection, TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let builder = builder.with_root_certificates(roots);
        let config = match own {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from_pem_slice(key.as_bytes()).unwrap());
                builder.with_client_auth_cert(vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()], key).unwrap()
            }
        };
        let session = ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap()).unwrap();
        let socket = TcpStream::connect(self.listen)?;
        socket.set_read_timeout(Some(Duration::from_secs(20)))?;
        Ok(StreamOwned::new(session, socket))
    }

    fn get(&self, token: &str, path: &str, own: Option<&(String, String)>) -> Answer {
        let mut line = self.connect(own).unwrap();
        let text =
            format!("GET /fhir/{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\r\n");
        line.write_all(text.as_bytes()).unwrap();
        let mut answer = Vec::new();
        drop(line.read_to_end(&mut answer));
        Answer::read(&answer)
    }
}

impl Drop for House {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// One answer on a connection that stays open.
fn ask(line: &mut StreamOwned<ClientConnection, TcpStream>) -> Result<(), String> {
    line.write_all(b"GET /.well-known/jwks.json HTTP/1.1\r\nHost: localhost\r\n\r\n").map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    let mut chunk = [0; 2048];
    loop {
        let count = line.read(&mut chunk).map_err(|error| error.to_string())?;
        bytes.extend_from_slice(&chunk[..count]);
        let text = String::from_utf8_lossy(&bytes);
        if text.ends_with("]}") {
            return if text.starts_with("HTTP/1.1 200") { Ok(()) } else { Err(text.into_owned()) };
        }
        if count == 0 {
            return Err(format!("closed after {text:?}"));
        }
    }
}

#[test]
fn certificates_change_under_load_and_no_connection_breaks() {
    let house = House::open("", |_| {});
    let (over, answers) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let lasting = scope.spawn(|| {
            let mut line = house.connect(None).unwrap();
            while !over.load(Ordering::Relaxed) {
                ask(&mut line).unwrap();
                answers.fetch_add(1, Ordering::Relaxed);
            }
        });
        let fresh = scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                ask(&mut house.connect(None).unwrap()).unwrap();
                answers.fetch_add(1, Ordering::Relaxed);
            }
        });
        for _ in 0..6 {
            std::thread::sleep(Duration::from_millis(250));
            put_certificate(house.folder.path(), &house.authority);
            signal(&house.process, "HUP");
        }
        std::thread::sleep(Duration::from_millis(300));
        over.store(true, Ordering::Relaxed);
        lasting.join().unwrap();
        fresh.join().unwrap();
    });
    assert!(answers.load(Ordering::Relaxed) > 20);
}

#[test]
fn a_client_bound_to_a_certificate_gets_nothing_without_it() {
    let partners = authority();
    let (own, other) = (issue(&partners, "lab.example"), issue(&partners, "other.example"));
    let house = House::open("client_ca = \"partners.pem\"", |folder| {
        fs::write(folder.join("partners.pem"), partners.pem()).unwrap();
        fs::write(folder.join("lab.pem"), &own.0).unwrap();
    });
    let file = house.folder.path().join("lab.pem");
    let redirect = "http://127.0.0.1:1/";
    let scope = "system/Patient.rs";
    house.amanat(&[
        "client",
        "add",
        "lab",
        "--scope",
        scope,
        "--redirect-uri",
        redirect,
        "--purpose",
        "TREAT",
        "--certificate",
        file.to_str().unwrap(),
    ]);
    std::thread::sleep(Duration::from_millis(1300));
    let token = house.amanat(&["token", "--client", "lab"]);
    assert_eq!(house.get(&token, "Patient?_count=1", None).status, 401, "the token without the certificate");
    assert_eq!(house.get(&token, "Patient?_count=1", Some(&other)).status, 401, "the token with another's certificate");
    house.get(&token, "Patient?_count=1", Some(&own)).expect(200);
}

#[test]
fn plain_http_is_for_loopback_only() {
    let site = Site::prepare("");
    let text = fs::read_to_string(site.settings()).unwrap();
    fs::write(site.settings(), text.replace(&format!("listen = \"{}\"", site.listen), "listen = \"0.0.0.0:0\"")).unwrap();
    let output = site.amanat(&["serve"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("[tls]"), "{output:?}");
}

#[test]
fn http_2_serves_many_requests_on_one_connection() {
    let version = Command::new("curl").arg("--version").output();
    if !version.is_ok_and(|told| String::from_utf8_lossy(&told.stdout).contains("HTTP2")) {
        println!("skipped: no curl that speaks HTTP/2");
        return;
    }
    let house = House::open("", |_| {});
    let authority = house.folder.path().join("authority.pem");
    fs::write(&authority, house.authority.pem()).unwrap();
    let url = format!("https://localhost:{}/fhir/metadata", house.listen.port());
    let mut curl = Command::new("curl");
    curl.args([
        "-sS",
        "--http2",
        "--cacert",
        authority.to_str().unwrap(),
        "-w",
        "%{http_version} %{http_code} %{num_connects}\n",
    ]);
    for _ in 0..3 {
        curl.args(["-o", "/dev/null", &url]);
    }
    let output = curl.output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "2 200 1\n2 200 0\n2 200 0\n", "{output:?}");
}
