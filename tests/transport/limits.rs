use super::{House, Reply, read_all};
use flate2::{Compression, write::GzEncoder};
use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

const SMALL: &str = "[limits]\nbody_bytes = 3000000\nbody_seconds = 1\nhead_seconds = 1\n";

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn post(house: &House, headers: &str, body: &[u8]) -> Reply {
    let head = format!(
        "POST /fhir/Patient HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/fhir+json\r\n{headers}\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    Reply(house.raw(&[head.as_bytes(), body].concat()))
}

#[tokio::test]
async fn a_body_beyond_the_bound_is_refused_whether_or_not_it_says_so_first() {
    let house = House::open("", SMALL).await;
    let declared = Reply(house.raw(b"POST /fhir/Patient HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n"));
    assert_eq!(declared.status(), 413);
    assert_eq!(declared.json()["issue"][0]["code"], "too-long");
    let chunk = format!("{:x}\r\n{}\r\n", 1_000_000, " ".repeat(1_000_000));
    let chunks =
        format!("POST /fhir/Patient HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{}0\r\n\r\n", chunk.repeat(4));
    assert_eq!(Reply(house.raw(chunks.as_bytes())).status(), 413);
    house.running.stop().await;
}

#[tokio::test]
async fn a_packed_body_is_unpacked_within_bounds_of_size_and_ratio() {
    let house = House::open("", SMALL).await;
    assert_eq!(post(&house, "Content-Encoding: gzip\r\n", &packed(b"{}")).status(), 401, "an honest body reaches the gateway");
    let bomb = packed(&vec![b' '; 2_900_000]);
    let reply = post(&house, "Content-Encoding: gzip\r\n", &bomb);
    assert_eq!(reply.status(), 413);
    assert!(reply.body().contains("a hundred times"), "{}", reply.0);
    assert_eq!(post(&house, "Content-Encoding: gzip\r\n", &packed(&vec![b' '; 200 << 20])).status(), 413);
    assert_eq!(post(&house, "Content-Encoding: gzip\r\n", b"not gzip at all").status(), 400);
    assert_eq!(post(&house, "Content-Encoding: br\r\n", b"{}").status(), 415);
    assert_eq!(post(&house, "Content-Encoding: gzip\r\nContent-Encoding: gzip\r\n", b"{}").status(), 415);
    house.running.stop().await;
}

#[tokio::test]
async fn a_body_or_head_that_trickles_in_is_cut_off() {
    let house = House::open("", SMALL).await;
    let begun = Instant::now();
    let slow = Reply(house.raw(b"POST /fhir/Patient HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{"));
    assert_eq!(slow.status(), 408);
    assert_eq!(slow.json()["issue"][0]["code"], "timeout");
    let head = house.raw(b"GET /fhir/metadata HTTP/1.1\r\nHo");
    assert!(head.is_empty() || head.starts_with("HTTP/1.1 408"), "{head}");
    assert!(begun.elapsed() < Duration::from_secs(6));
    house.running.stop().await;
}

#[tokio::test]
async fn a_connection_whose_client_takes_nothing_is_dropped() {
    let house = House::open("", "[limits]\nstalled_seconds = 1\n").await;
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(&house.address().into()).unwrap();
    let mut stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    // More than the system holds on the way.
    let asked = 100;
    stream.write_all("GET /fhir/metadata HTTP/1.1\r\nHost: x\r\n\r\n".repeat(asked).as_bytes()).unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    let answered = read_all(&mut stream).matches("HTTP/1.1 200").count();
    assert!(answered < asked, "all {answered} answers were kept for a client that did not come for them");
    house.running.stop().await;
}

#[tokio::test]
async fn a_form_search_takes_a_form_and_nothing_else() {
    let house = House::open("", "").await;
    let form =
        |content_type: &str, body: &str| {
            let length = body.len();
            let head = format!("Content-Type: {content_type}\r\nContent-Length: {length}\r\n");
            Reply(house.raw(
                format!("POST /fhir/Patient/_search HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{head}\r\n{body}").as_bytes(),
            ))
        };
    assert_eq!(form("application/x-www-form-urlencoded", "name=a").status(), 401);
    assert_eq!(form("application/fhir+json", "{}").status(), 415);
    assert_eq!(form("application/x-www-form-urlencoded; charset=iso-8859-1", "name=a").status(), 415);
    house.running.stop().await;
}

#[tokio::test]
async fn a_stop_lets_a_request_in_flight_end() {
    let house = House::open("", "").await;
    let address = house.address();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    stream.write_all(b"POST /fhir/Patient HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{").unwrap();
    std::thread::sleep(Duration::from_millis(300));
    let rest = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(500));
        stream.write_all(b"}").unwrap();
        read_all(&mut stream)
    });
    house.running.stop().await;
    assert_eq!(Reply(rest.join().unwrap()).status(), 401);
    assert!(TcpStream::connect(address).is_err(), "nobody listens any more");
}
