//! The trail: what is entered, what of it can be read, what is done when it cannot be written, and what an intruder cannot hide.

mod accounting;
mod alarms;
mod day;
mod entries;
mod evidence;
mod feeds;
mod incident;
mod latency;
mod letters;
mod manipulations;
mod space;
mod unwritable;
mod view;

use crate::site::Site;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::{Value, json};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

const EVERYTHING: &str = "system/*.cruds";

fn patient(id: &str) -> Value {
    json!({ "resourceType": "Patient", "id": id, "active": true })
}

fn observation(patient: &str) -> Value {
    json!({
        "resourceType": "Observation", "status": "final", "code": { "text": "Haemoglobin" }, "valueString": "confidential",
        "subject": { "reference": format!("Patient/{patient}") }
    })
}

/// A served site with a client that may do everything, and two patients with a record each.
fn with_records() -> (Site, String) {
    let site = Site::prepare("");
    let token = site.client("hospital", EVERYTHING);
    let mut site = site;
    site.start();
    for id in ["a", "b"] {
        site.ask("PUT", &token, &format!("Patient/{id}"), Some(&patient(id))).expect(201);
        site.ask("POST", &token, "Observation", Some(&observation(id))).expect(201);
    }
    (site, token)
}

/// What one side of a TLS connection reads and writes.
type Tls = rustls::StreamOwned<rustls::ServerConnection, TcpStream>;

/// Listens with TLS, one connection at a time; the port, and a folder with the certificate to trust (`ca.pem`).
fn tls_listener(mut converse: impl FnMut(Tls) + Send + 'static) -> (u16, tempfile::TempDir) {
    listener(move |stream, config| {
        let session = rustls::ServerConnection::new(Arc::clone(config)).unwrap();
        converse(rustls::StreamOwned::new(session, stream));
    })
}

/// Listens on a port of its own, with what TLS needs; the folder has the authority to trust as `ca.pem`.
fn listener(mut converse: impl FnMut(TcpStream, &Arc<rustls::ServerConfig>) + Send + 'static) -> (u16, tempfile::TempDir) {
    let authority = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(authority.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(config.with_no_client_auth().with_single_cert(vec![authority.cert.der().clone()], key).unwrap());
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ca.pem"), authority.cert.pem()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            converse(stream, &config);
        }
    });
    (port, folder)
}
