use super::*;
use crate::identity::forge::{Host, answer};
use std::net::IpAddr;

async fn inside(url: &str) -> Result<Fetched, FetchFault> {
    Fetch::new(url, Reach::Inside).unwrap().run().await
}

#[tokio::test]
async fn a_good_answer_brings_its_body_and_its_age() {
    let host = Host::new(vec![answer("public, max-age=60", "{}"), answer("no-store", "{}")]);
    let first = inside(&host.url).await.unwrap();
    assert_eq!((first.body.as_slice(), first.max_age), (&b"{}"[..], Some(60)));
    assert_eq!(inside(&host.url).await.unwrap().max_age, Some(0));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let inner = Host::new(vec![answer("no-cache", "{}")]);
    let outer = Host::new(vec![format!("HTTP/1.1 302 Found\r\nLocation: {}\r\nContent-Length: 0\r\n\r\n", inner.url)]);
    assert_eq!(inside(&outer.url).await.unwrap_err(), FetchFault::Status(302));
    assert_eq!(inner.hits(), 0);
}

#[tokio::test]
async fn a_huge_answer_is_cut_off_and_a_slow_one_is_given_up() {
    let host = Host::new(vec![answer("no-cache", &"x".repeat(LARGEST_ANSWER + 1))]);
    assert_eq!(inside(&host.url).await.unwrap_err(), FetchFault::Body);
    let slow = Host::slow(vec![answer("no-cache", "{}")], Duration::from_millis(90));
    let fetch = Fetch::new(&slow.url, Reach::Inside).unwrap().within(Duration::from_millis(20));
    assert_eq!(fetch.run().await.unwrap_err(), FetchFault::Slow);
}

#[tokio::test]
async fn a_client_cannot_lead_the_gateway_inward() {
    for url in [
        "https://127.0.0.1/jwks",
        "https://localhost/jwks",
        "https://[::1]/jwks",
        "https://[::ffff:127.0.0.1]/jwks",
        "https://10.0.0.1/jwks",
        "https://192.168.1.1/jwks",
        "https://172.16.0.1/jwks",
        "https://169.254.169.254/latest/meta-data",
        "https://2130706433/jwks",
        "https://0177.0.0.1/jwks",
        "https://0.0.0.0/jwks",
        "https://[fd00:ec2::254]/jwks",
        "https://[fe80::1]/jwks",
        "https://[64:ff9b::7f00:1]/jwks",
        "https://[2002:7f00:1::]/jwks",
        "https://100.64.0.1/jwks",
    ] {
        let fault = Fetch::new(url, Reach::Public).unwrap().run().await.unwrap_err();
        assert_eq!(fault, FetchFault::OutOfReach, "{url}");
    }
}

#[tokio::test]
async fn not_even_an_operator_reaches_link_local_addresses_or_plain_http_beyond_loopback() {
    for url in ["https://169.254.169.254/", "http://10.0.0.1/jwks", "http://[::ffff:10.0.0.1]/jwks", "https://0.0.0.0/"] {
        assert_eq!(inside(url).await.unwrap_err(), FetchFault::OutOfReach, "{url}");
    }
}

#[test]
fn only_plain_https_urls_may_be_fetched() {
    for url in [
        "http://a.example/",
        "file:///etc/passwd",
        "https://",
        "https://u@a.example/",
        "https://a.example/#k",
        "/jwks",
        "ftp://a/",
    ] {
        assert_eq!(Fetch::new(url, Reach::Public).unwrap_err(), FetchFault::Address, "{url}");
    }
    assert!(Fetch::new("https://a.example/jwks?x=1", Reach::Public).is_ok());
}

#[test]
fn public_addresses_are_in_reach() {
    for text in ["8.8.8.8", "2606:4700::1111", "1.1.1.1"] {
        assert!(in_reach(text.parse::<IpAddr>().unwrap(), Reach::Public), "{text}");
    }
}

/// A TLS host on loopback whose certificate is for this name; answers one request. Gives its port and its certificate as PEM.
fn tls_host(name: &str) -> (u16, String) {
    use std::io::{Read as _, Write as _};
    let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(config.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).unwrap());
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut session = rustls::ServerConnection::new(config).unwrap();
        let mut tls = rustls::Stream::new(&mut session, &mut stream);
        let mut request = [0; 4096];
        if let Ok(read) = tls.read(&mut request) {
            let host =
                String::from_utf8_lossy(&request[..read]).lines().find(|line| line.starts_with("host:")).unwrap().to_owned();
            let _ = tls.write_all(answer("max-age=9", &host).as_bytes());
        }
    });
    (port, made.cert.pem())
}

#[tokio::test]
async fn tls_is_verified_for_the_name_and_not_for_the_address_that_was_connected_to() {
    let folder = tempfile::tempdir().unwrap();
    for (name, good) in [("localhost", true), ("other.example", false)] {
        let (port, certificate) = tls_host(name);
        let file = folder.path().join(name);
        std::fs::write(&file, certificate).unwrap();
        let url = format!("https://localhost:{port}/jwks");
        let fetched = Fetch::new(&url, Reach::Inside).unwrap().trusting(Some(file)).run().await;
        assert_eq!(fetched.is_ok(), good, "{fetched:?}");
        if let Ok(fetched) = fetched {
            assert_eq!(fetched.body, format!("host: localhost:{port}").as_bytes());
        }
    }
}

#[tokio::test]
async fn a_host_with_a_certificate_that_nobody_vouches_for_is_refused() {
    let (port, _) = tls_host("localhost");
    let fault = inside(&format!("https://localhost:{port}/jwks")).await.unwrap_err();
    assert!(matches!(fault, FetchFault::Connection(_)), "{fault:?}");
}
