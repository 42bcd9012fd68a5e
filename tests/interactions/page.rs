//! Following a `next` link.

use super::{ALL, ward};
use crate::support::Server;

fn link(server: &Server, token: &str, path: &str) -> String {
    server.get(path, token).expect(200).next().unwrap()
}

#[test]
fn pages_are_full_and_end() {
    let server = ward();
    let app = server.patient("p1", "patient/*.rs");
    for path in ["Observation?_count=1", "Patient/p1/Observation?_count=1", "Observation?_count=1&_sort=-_lastUpdated"] {
        let first = server.get(path, &app).expect(200);
        let second = server.get(&first.next().unwrap(), &app);
        server.allowed(&second, 200, "search-type", &["p1"]);
        assert_eq!((first.keys().len(), second.keys().len(), second.next()), (1, 1, None), "{path}");
        assert_ne!(first.keys(), second.keys());
    }
    let first = server.get("Observation/_history?_count=1", &app).expect(200);
    server.allowed(&server.get(&first.next().unwrap(), &app), 200, "history-type", &["p1"]);
}

#[test]
fn somebody_elses_link_does_not_exist() {
    let server = ward();
    let link = link(&server, &server.patient("p1", "patient/*.rs"), "Observation?_count=1");
    let absent = server.get("?_page=bm9uc2Vuc2U", &server.system(ALL));
    for token in [server.patient("p2", "patient/*.rs"), server.system(ALL), server.clinician("d1", "user/*.rs")] {
        let reply = server.get(&link, &token);
        server.refused(&reply, 404, "AMANAT-REC-0001", "not-found");
        assert_eq!(reply.masked(), absent.masked());
    }
}

#[test]
fn a_link_that_was_touched_does_not_exist() {
    let server = ward();
    let app = server.patient("p1", "patient/*.rs");
    let link = link(&server, &app, "Observation?_count=1");
    let mut touched = link.clone().into_bytes();
    let last = touched.len() - 2;
    touched[last] = if touched[last] == b'A' { b'B' } else { b'A' };
    for bad in [String::from_utf8(touched).unwrap(), link[..link.len() - 4].to_owned(), "?_page=".to_owned()] {
        server.refused(&server.get(&bad, &app), 404, "AMANAT-REC-0001", "not-found");
    }
}

#[test]
fn a_link_is_decided_again_when_it_is_followed() {
    let server = ward();
    let link = link(&server, &server.patient("p1", "patient/*.rs"), "Observation?_count=1");
    // The same caller, with a token that grants less by now.
    let reply = server.get(&link, &server.patient("p1", "patient/Patient.rs"));
    server.refused(&reply, 403, "AMANAT-SCOPE-0001", "scope");
    let reply = server.get(&link, &server.patient("p1", "patient/Observation.rs?category=vital-signs")).expect(200);
    assert_eq!(reply.keys(), ["Observation/v1"]);
}
