use super::{House, Reply, raw, read_all};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Writes a certificate for these names, and gives it as the client will see it.
fn write_certificate(folder: &Path, authority: &Authority, name: &str) -> CertificateDer<'static> {
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec!["localhost".to_owned(), name.to_owned()]).unwrap().signed_by(&key, authority).unwrap();
    std::fs::write(folder.join("cert.pem"), certificate.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
    certificate.der().clone()
}

const TLS: &str = "[tls]\ncertificate = \"cert.pem\"\nkey = \"key.pem\"\n";

type Line = StreamOwned<ClientConnection, TcpStream>;

fn connect(address: SocketAddr, authority: &Authority, own: Option<&Authority>, protocols: &[&[u8]]) -> std::io::Result<Line> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let builder = builder.with_root_certificates(roots);
    let mut config = match own {
        None => builder.with_no_client_auth(),
        Some(own) => {
            let key = KeyPair::generate().unwrap();
            let certificate = CertificateParams::new(vec!["partner".to_owned()]).unwrap().signed_by(&key, own).unwrap();
            let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
            builder.with_client_auth_cert(vec![certificate.der().clone()], key).unwrap()
        }
    };
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    let session = ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap()).unwrap();
    let socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut line = StreamOwned::new(session, socket);
    while line.conn.is_handshaking() {
        line.conn.complete_io(&mut line.sock)?;
    }
    Ok(line)
}

fn shown(line: &Line) -> CertificateDer<'static> {
    line.conn.peer_certificates().unwrap()[0].clone().into_owned()
}

fn ask(line: &mut Line, connection: &str) -> Reply {
    line.write_all(format!("GET /fhir/metadata HTTP/1.1\r\nHost: localhost\r\nConnection: {connection}\r\n\r\n").as_bytes())
        .unwrap();
    Reply(read_all(line))
}

#[tokio::test]
async fn new_certificates_are_served_to_new_connections_while_old_ones_live_on() {
    let (folder, authority) = (tempfile::tempdir().unwrap(), authority());
    let first = write_certificate(folder.path(), &authority, "first");
    let house = House::open_in(folder, "", TLS).await;
    let mut old = connect(house.address(), &authority, None, &[b"http/1.1"]).unwrap();
    assert_eq!(shown(&old), first);

    let second = write_certificate(house.folder.path(), &authority, "second");
    house.running.reload();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(shown(&connect(house.address(), &authority, None, &[]).unwrap()), second);

    std::fs::write(house.folder.path().join("key.pem"), "no key").unwrap();
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let mut latest = connect(house.address(), &authority, None, &[]).unwrap();
    assert_eq!(shown(&latest), second, "files that cannot be used leave the old in place");
    assert_eq!(ask(&mut latest, "close").status(), 200);

    let third = write_certificate(house.folder.path(), &authority, "third");
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(shown(&connect(house.address(), &authority, None, &[]).unwrap()), third, "changes are seen without being asked");
    assert_eq!(ask(&mut old, "close").status(), 200, "the first connection was never dropped");
    house.running.stop().await;
}

#[tokio::test]
async fn tl3_http_2_is_offered_and_plain_http_gets_no_answer() {
    let (folder, authority) = (tempfile::tempdir().unwrap(), authority());
    write_certificate(folder.path(), &authority, "gateway");
    let house = House::open_in(folder, "", TLS).await;
    let line = connect(house.address(), &authority, None, &[b"h2", b"http/1.1"]).unwrap();
    assert_eq!(line.conn.alpn_protocol(), Some(b"h2".as_slice()));
    assert_eq!(line.conn.protocol_version(), Some(rustls::ProtocolVersion::TLSv1_3));

    assert!(
        !raw(house.address(), b"GET /fhir/metadata HTTP/1.1\r\nHost: x\r\n\r\n").contains("HTTP/"),
        "plain HTTP gets no answer"
    );
    house.running.stop().await;
}

#[tokio::test]
async fn a_client_certificate_is_optional_but_must_be_of_a_known_authority() {
    let (folder, authority, stranger) = (tempfile::tempdir().unwrap(), authority(), self::authority());
    write_certificate(folder.path(), &authority, "gateway");
    std::fs::write(folder.path().join("partners.pem"), authority.pem()).unwrap();
    let house = House::open_in(folder, "", &format!("{TLS}client_ca = \"partners.pem\"\n")).await;
    for own in [None, Some(&authority)] {
        let mut line = connect(house.address(), &authority, own, &[b"http/1.1"]).unwrap();
        assert_eq!(ask(&mut line, "close").status(), 200);
    }
    let refused = connect(house.address(), &authority, Some(&stranger), &[b"http/1.1"]).map(|mut line| {
        drop(line.write_all(b"GET /fhir/metadata HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
        read_all(&mut line)
    });
    assert!(!refused.unwrap_or_default().contains("HTTP/"), "a stranger's certificate gets no answer");
    house.running.stop().await;
}

/// A `ClientHello` for this version at most, with these suites and extensions, in a record of its own.
fn hello(version: u8, suites: &[u16], extensions: &[u8]) -> Vec<u8> {
    let mut hello = vec![3, version];
    hello.extend([7; 32]);
    hello.push(0);
    hello.extend(u16::try_from(suites.len() * 2).unwrap().to_be_bytes());
    hello.extend(suites.iter().flat_map(|suite| suite.to_be_bytes()));
    hello.extend([1, 0]);
    if !extensions.is_empty() {
        hello.extend(u16::try_from(extensions.len()).unwrap().to_be_bytes());
        hello.extend(extensions);
    }
    let length = u16::try_from(hello.len()).unwrap();
    let mut record = vec![22, 3, u8::from(version != 0)];
    record.extend((length + 4).to_be_bytes());
    record.extend([1, 0]);
    record.extend(length.to_be_bytes());
    record.extend(hello);
    record
}

/// `supported_groups`, `ec_point_formats` and `signature_algorithms` that any server of today can use.
const EXTENSIONS: [u8; 32] = [
    0, 10, 0, 6, 0, 4, 0, 23, 0, 29, // x25519 and secp256r1
    0, 11, 0, 2, 1, 0, // uncompressed
    0, 13, 0, 12, 0, 10, 4, 3, 5, 3, 8, 4, 4, 1, 2, 1,
];

/// What came: the type of the first record, or nothing.
fn answered(address: SocketAddr, hello: &[u8]) -> Option<u8> {
    use std::io::Read as _;
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    stream.write_all(hello).unwrap();
    let mut first = [0; 5];
    let read = stream.read(&mut first).unwrap_or(0);
    assert!(!first.starts_with(b"HTTP"), "no byte of HTTP");
    (read > 0).then_some(first[0])
}

const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;

#[tokio::test]
async fn tl1_tls_1_2_and_1_3_are_spoken_at_every_door() {
    let (folder, authority) = (tempfile::tempdir().unwrap(), authority());
    write_certificate(folder.path(), &authority, "gateway");
    let house = House::open_in(folder, "", TLS).await;
    for (version, spoken) in
        [(&rustls::version::TLS12, rustls::ProtocolVersion::TLSv1_2), (&rustls::version::TLS13, rustls::ProtocolVersion::TLSv1_3)]
    {
        for request in [
            "GET /fhir/metadata",
            "GET /fhir/Patient/p1",
            "GET /authorize",
            "POST /token",
            "POST /introspect",
            "POST /app-state/Basic",
        ] {
            let mut roots = RootCertStore::empty();
            roots.add(authority.der().clone()).unwrap();
            let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
            let config = ClientConfig::builder_with_provider(provider).with_protocol_versions(&[version]).unwrap();
            let config = config.with_root_certificates(roots).with_no_client_auth();
            let session = ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap()).unwrap();
            let socket = TcpStream::connect(house.address()).unwrap();
            socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
            let mut line = StreamOwned::new(session, socket);
            let text = format!("{request} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
            line.write_all(text.as_bytes()).unwrap();
            assert!(read_all(&mut line).starts_with("HTTP/1.1 "), "{request} by {spoken:?}");
            assert_eq!(line.conn.protocol_version(), Some(spoken), "{request}");
        }
    }
    house.running.stop().await;
}

#[tokio::test]
async fn tl2_tl3_older_versions_and_weaker_suites_get_an_alert_and_no_byte_of_http() {
    let (folder, authority) = (tempfile::tempdir().unwrap(), authority());
    write_certificate(folder.path(), &authority, "gateway");
    let house = House::open_in(folder, "", TLS).await;
    // ECDHE with ECDSA and AES-GCM, which a server of today takes: the probe itself is one that can be answered.
    let good = [0xc02b, 0xc02c];
    assert_eq!(answered(house.address(), &hello(3, &good, &EXTENSIONS)), Some(HANDSHAKE));
    let old = [0xc009, 0xc00a, 0xc013, 0xc014, 0x002f, 0x0035, 0x000a];
    for (version, name) in [(0, "SSL 3.0"), (1, "TLS 1.0"), (2, "TLS 1.1")] {
        for suites in [&old[..], &good[..]] {
            let first = answered(house.address(), &hello(version, suites, &EXTENSIONS));
            assert!(first.is_none_or(|first| first == ALERT), "{name}: {first:?}");
        }
    }
    for (suites, name) in [
        (&[0xc009, 0xc00a, 0xc023, 0xc024][..], "ECDHE with CBC"),
        (&[0x002f, 0x0035, 0x009c, 0x009d], "without forward secrecy"),
        (&[0x009e, 0x009f], "with DHE"),
        (&[0x0005, 0x000a, 0xc007], "RC4 and 3DES"),
        (&[0xc006, 0x0001], "without encryption"),
    ] {
        let first = answered(house.address(), &hello(3, suites, &EXTENSIONS));
        assert!(first.is_none_or(|first| first == ALERT), "{name}: {first:?}");
    }
    house.running.stop().await;
}
