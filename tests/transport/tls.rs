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
async fn http_2_is_offered_and_tls_1_1_is_not() {
    let (folder, authority) = (tempfile::tempdir().unwrap(), authority());
    write_certificate(folder.path(), &authority, "gateway");
    let house = House::open_in(folder, "", TLS).await;
    let line = connect(house.address(), &authority, None, &[b"h2", b"http/1.1"]).unwrap();
    assert_eq!(line.conn.alpn_protocol(), Some(b"h2".as_slice()));
    assert_eq!(line.conn.protocol_version(), Some(rustls::ProtocolVersion::TLSv1_3));

    // A ClientHello that can speak TLS 1.1 at most: version 3.2, one suite, no extensions.
    let mut hello = vec![0x03, 0x02];
    hello.extend([7; 32]);
    hello.extend([0, 0, 2, 0xc0, 0x13, 1, 0]);
    let mut record = vec![22, 3, 1, 0, u8::try_from(hello.len() + 4).unwrap(), 1, 0, 0, u8::try_from(hello.len()).unwrap()];
    record.extend(hello);
    let answer = raw(house.address(), &record);
    assert!(!answer.contains("HTTP/"), "{answer:?}");
    assert!(answer.is_empty() || answer.as_bytes()[0] == 21, "an alert or a close, not {answer:?}");
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
