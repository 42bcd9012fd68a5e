//! The doors of the API: each route with the letters that open it. Every door is tried without a token, with tokens that must not be
//! believed, and with each letter alone (`smart` S-2); it opens for its own letters and for no other.

use super::ward;
use crate::support::records::observation;
use crate::support::{ISSUER, Reply, Server};
use serde_json::{Value, json};

/// One route and what opens it.
pub(super) struct Door {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    /// Letters of `system/Observation.` that are needed together; empty when no token is needed.
    letters: &'static str,
    /// The answer to somebody who has them.
    status: u16,
    headers: &'static [(&'static str, &'static str)],
    body: Body,
    /// The word of the trail.
    event: &'static str,
}

#[derive(Clone, Copy)]
enum Body {
    None,
    Form,
    Record(&'static str),
    Patch,
    Bundle,
}

const fn door(method: &'static str, path: &'static str, letters: &'static str, event: &'static str) -> Door {
    Door { method, path, letters, status: 200, headers: &[], body: Body::None, event }
}

/// Every route. `{page}` stands for a link that the caller was given.
pub(super) const DOORS: &[Door] = &[
    door("GET", "metadata", "", "capabilities"),
    door("GET", "Observation/o1", "r", "read"),
    door("GET", "Observation/o1/_history/1", "r", "vread"),
    door("GET", "Observation/o1/_history", "r", "history-instance"),
    door("GET", "Observation/_history", "s", "history-type"),
    door("GET", "_history", "s", "history-system"),
    door("GET", "Observation?status=final", "s", "search-type"),
    Door { body: Body::Form, ..door("POST", "Observation/_search", "s", "search-type") },
    door("GET", "?_id=o1", "s", "search-system"),
    Door { body: Body::Form, ..door("POST", "_search", "s", "search-system") },
    door("GET", "Patient/p1/Observation", "s", "search-type"),
    Door { body: Body::Form, ..door("POST", "Patient/p1/Observation/_search", "s", "search-type") },
    door("GET", "?_page={page}", "s", "search-type"),
    Door { status: 201, body: Body::Record("n1"), ..door("POST", "Observation", "c", "create") },
    Door {
        status: 201,
        body: Body::Record("n2"),
        headers: &[("If-None-Exist", "identifier=urn:obs%7Cn2")],
        ..door("POST", "Observation", "cs", "create")
    },
    Door { body: Body::Record("o1"), ..door("PUT", "Observation/o1", "u", "update") },
    Door { body: Body::Record("o1"), ..door("PUT", "Observation?identifier=urn:obs|o1", "us", "update") },
    Door { body: Body::Patch, ..door("PATCH", "Observation/o1", "u", "patch") },
    Door { body: Body::Patch, ..door("PATCH", "Observation?identifier=urn:obs|o1", "us", "patch") },
    Door { status: 204, ..door("DELETE", "Observation/v1", "d", "delete") },
    Door { status: 204, ..door("DELETE", "Observation?identifier=urn:obs|o1", "ds", "delete") },
    Door { body: Body::Bundle, ..door("POST", "", "r", "batch") },
];

impl Door {
    fn knock(&self, server: &Server, token: &str, page: &str) -> Reply {
        let mut call = server.call(self.method, &self.path.replace("{page}", page)).token(token);
        for (name, value) in self.headers {
            call = call.header(name, value);
        }
        match self.body {
            Body::None => call,
            Body::Form => call.form("_id=o1"),
            Body::Record(id) => call.json(&observation(id, "p1", "laboratory")),
            Body::Patch => call.json(&json!([{"op": "replace", "path": "/status", "value": "amended"}])),
            Body::Bundle => {
                let read = json!({"request": {"method": "GET", "url": "Observation/o1"}});
                call.json(&json!({"resourceType": "Bundle", "type": "batch", "entry": [read]}))
            }
        }
        .send()
    }

    fn closed() -> impl Iterator<Item = &'static Door> {
        DOORS.iter().filter(|door| !door.letters.is_empty())
    }
}

/// A link to a second page, given to this very token.
fn page(server: &Server, token: &str) -> String {
    let first = server.get("Observation?_count=1", token).expect(200);
    first.next().unwrap().strip_prefix("?_page=").unwrap().to_owned()
}

#[test]
fn without_a_token_no_door_opens() {
    let server = ward();
    let link = page(&server, &server.system("system/*.rs"));
    for door in Door::closed() {
        let reply = door.knock(&server, "", &link);
        server.refused(&reply, 401, "AMANAT-AUTH-0001", "token:missing");
        assert_eq!(reply.header("www-authenticate"), Some("Bearer realm=\"amanat\""), "{} {}", door.method, door.path);
    }
}

#[test]
fn a_token_that_must_not_be_believed_opens_no_door() {
    let server = ward();
    let link = page(&server, &server.system("system/*.rs"));
    let now = server.clock.now().seconds();
    let stranger = crate::support::Signer::new("k1");
    let all = json!({"iss": ISSUER, "aud": crate::support::BASE, "sub": "s", "client_id": "c", "exp": now + 60,
                     "scope": "system/*.cruds"});
    let with = |name: &str, value: Value| server.token(json!({"scope": "system/*.cruds", name: value}));
    let bad = [
        (stranger.sign(&all), "signature"),
        (with("exp", json!(now - 60)), "expired"),
        (with("aud", json!("https://elsewhere.example/fhir")), "audience"),
        (with("iss", json!("https://idp.example/")), "issuer"),
        (with("nbf", json!(now + 3600)), "not-before"),
        (with("exp", Value::Null), "expiry"),
    ];
    for door in Door::closed() {
        for (token, why) in &bad {
            let reply = door.knock(&server, token, &link);
            server.refused(&reply, 401, "AMANAT-AUTH-0002", &format!("token:{why}"));
            assert!(reply.header("www-authenticate").unwrap().contains("error=\"invalid_token\""));
        }
    }
}

#[test]
fn a_token_in_the_url_or_twice_opens_no_door() {
    let server = ward();
    let token = server.system("system/*.cruds");
    for path in ["Observation/o1", "Observation", "metadata/x", "Observation/o1/_history", ""] {
        let reply = server.get(&format!("{path}?access_token={token}"), &token);
        server.refused(&reply, 400, "AMANAT-AUTH-0003", "token:misplaced");
        assert!(!server.trail().iter().any(|leaf| leaf.to_string().contains(&token)), "the trail holds a usable token");
    }
    let reply = server.call("POST", "Observation/_search").token(&token).form(&format!("access_token={token}")).send();
    server.refused(&reply, 400, "AMANAT-AUTH-0003", "token:misplaced");
    let reply = server.call("GET", "Observation/o1").token(&token).token(&token).send();
    server.refused(&reply, 400, "AMANAT-AUTH-0003", "token:misplaced");
}

#[test]
fn each_letter_opens_its_own_doors_and_no_other() {
    for door in Door::closed().filter(|door| !matches!(door.body, Body::Bundle)) {
        let server = ward();
        let letter = |letters: &str| server.system(&format!("system/Observation.{letters}"));
        let link = page(&server, &letter("s"));
        for one in ["c", "r", "u", "d", "s"].into_iter().filter(|one| *one != door.letters) {
            // A link is bound to its caller; that the letter is missing is told before.
            let reply = door.knock(&server, &letter(one), &link);
            if door.path.contains("_page") && one == "r" {
                server.refused(&reply, 403, "AMANAT-SCOPE-0001", "scope");
                continue;
            }
            server.refused(&reply, 403, "AMANAT-SCOPE-0001", "scope");
            assert!(reply.header("www-authenticate").unwrap().contains("error=\"insufficient_scope\""), "{}", door.path);
            assert!(reply.header("etag").is_none());
        }
        let reply = door.knock(&server, &letter(door.letters), &link);
        assert_eq!(reply.status, door.status, "{} {} with {}: {}", door.method, door.path, door.letters, reply.text());
        let entries = server.trail_of(&reply);
        assert!(
            entries.iter().any(|leaf| leaf["event"]["word"] == door.event && leaf["outcome"] == "0"),
            "{} {}: {entries:?}",
            door.method,
            door.path
        );
    }
}

#[test]
fn a_scope_for_another_type_or_level_opens_no_door() {
    let server = ward();
    let link = page(&server, &server.system("system/*.rs"));
    let tokens = [
        server.system("system/Condition.cruds"),
        server.system("openid fhirUser launch/patient"),
        server.system(""),
        // Patient and user scopes of a token that names neither.
        server.system("patient/*.cruds user/*.cruds"),
        // A system scope of a token that names a person.
        server.clinician("d1", "system/*.cruds"),
        server.system("system/Observation.sr system/observation.rs system/Observation.RS System/*.rs"),
    ];
    for door in Door::closed() {
        for (at, token) in tokens.iter().enumerate() {
            // What spans types leaves out those that are not granted: another type's scope opens it, on that type.
            let spans = door.path == "_history" || door.event == "search-system" || matches!(door.body, Body::Bundle);
            if at == 0 && (spans || door.path.contains("_page")) {
                continue;
            }
            let reply = door.knock(&server, token, &link);
            if door.path.contains("_page") {
                // To a person the client's link does not exist; the client is told what it lacks.
                match at {
                    4 => server.refused(&reply, 404, "AMANAT-REC-0001", "not-found"),
                    _ => server.refused(&reply, 403, "AMANAT-SCOPE-0001", "scope"),
                }
                continue;
            }
            server.refused(&reply, 403, "AMANAT-SCOPE-0001", "scope");
        }
    }
}

#[test]
fn a_head_request_meets_the_same_answers_without_bodies() {
    let server = ward();
    let token = server.system("system/*.rs");
    let link = page(&server, &token);
    for door in DOORS.iter().filter(|door| door.method == "GET") {
        for token in ["", &token] {
            let get = door.knock(&server, token, &link);
            let head = server.call("HEAD", &door.path.replace("{page}", &link)).token(token).send();
            assert_eq!((head.status, head.body.as_slice()), (get.status, &b""[..]), "{}", door.path);
            assert_eq!(head.header("etag"), get.header("etag"), "{}", door.path);
            assert_eq!(head.header("www-authenticate"), get.header("www-authenticate"), "{}", door.path);
            if !token.is_empty() && door.path != "metadata" {
                assert_eq!(server.trail_of(&head).len(), server.trail_of(&get).len(), "{}", door.path);
            }
        }
    }
}
