use super::House;

#[tokio::test]
async fn a_request_that_two_readers_could_frame_differently_is_refused_and_the_connection_closed() {
    let house = House::open("", "").await;
    let smuggled = "GET /fhir/metadata HTTP/1.1\r\nHost: x\r\n\r\n";
    let post = "POST /fhir/Patient HTTP/1.1\r\nHost: x\r\nContent-Type: application/fhir+json\r\n";
    for (name, request) in [
        ("length and chunks", format!("{post}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{smuggled}")),
        ("two lengths", format!("{post}Content-Length: 2\r\nContent-Length: 4\r\n\r\n{{}}{smuggled}")),
        ("two equal lengths", format!("{post}Content-Length: 2\r\nContent-Length: 2\r\n\r\n{{}}{smuggled}")),
        ("a list of lengths", format!("{post}Content-Length: 2, 2\r\n\r\n{{}}{smuggled}")),
        ("a signed length", format!("{post}Content-Length: +2\r\n\r\n{{}}{smuggled}")),
        (
            "two transfer encodings",
            format!("{post}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n{smuggled}"),
        ),
        ("an unknown transfer encoding", format!("{post}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n{smuggled}")),
        ("chunks last but not alone", format!("{post}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n{smuggled}")),
        ("space before the colon", format!("{post}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n{smuggled}")),
        ("a folded header", format!("{post}X-A: 1\r\n Transfer-Encoding: chunked\r\n\r\n{smuggled}")),
        ("chunks in HTTP/1.0", format!("POST /fhir/Patient HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{smuggled}")),
        ("two hosts", "GET /fhir/metadata HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n".to_owned()),
        ("no host", "GET /fhir/metadata HTTP/1.1\r\n\r\n".to_owned()),
        ("a chunk size with a sign", format!("{post}Transfer-Encoding: chunked\r\n\r\n+2\r\n{{}}\r\n0\r\n\r\n")),
        ("a bare line feed in a name", "GET /fhir/metadata HTTP/1.1\r\nHost: x\r\nA\nB: c\r\n\r\n".to_owned()),
        ("a NUL in a value", "GET /fhir/metadata HTTP/1.1\r\nHost: x\r\nA: b\0c\r\n\r\n".to_owned()),
        (
            "a change of protocol",
            "GET /fhir/metadata HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n".to_owned(),
        ),
    ] {
        let answer = house.raw(request.as_bytes());
        assert!(answer.starts_with("HTTP/1.1 400") || answer.starts_with("HTTP/1.0 400"), "{name}: {answer}");
        assert_eq!(answer.matches("HTTP/1.").count(), 1, "{name}: {answer}");
    }
    house.running.stop().await;
}

#[tokio::test]
async fn an_ordinary_chunked_request_is_read_to_its_end() {
    let house = House::open("", "").await;
    let post =
        "POST /fhir/Patient HTTP/1.1\r\nHost: x\r\nContent-Type: application/fhir+json\r\nTransfer-Encoding: chunked\r\n\r\n";
    let next = "GET /fhir/metadata HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let answer = house.raw(format!("{post}2\r\n{{}}\r\n0\r\n\r\n{next}").as_bytes());
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 2, "{answer}");
    assert!(answer.contains("HTTP/1.1 401"), "{answer}");
    assert!(answer.contains("HTTP/1.1 200"), "{answer}");
    house.running.stop().await;
}

#[tokio::test]
async fn a_repeated_header_that_decides_something_is_refused() {
    let house = House::open("", "").await;
    for name in ["If-Match", "If-None-Match", "If-None-Exist", "Content-Type"] {
        let reply = house.ask("PUT /fhir/Patient/p1", &format!("{name}: a\r\n{name}: b\r\nContent-Length: 0\r\n"));
        assert_eq!(reply.status(), 400, "{name}");
        assert_eq!(reply.json()["issue"][0]["details"]["coding"][0]["code"], "AMANAT-IN-0002", "{name}");
    }
    house.running.stop().await;
}
