//! Absence is deny: no token, no scope, no consent, no trail: nothing is sent.

use crate::support::records::{consent, observation, patient};
use crate::support::{Reply, Server, left_out_in_front};
use serde_json::json;

const PATHS: [&str; 9] = [
    "Patient/p1",
    "Patient/p1/_history",
    "Patient/p1/_history/1",
    "Patient",
    "Patient/p1/Observation",
    "Observation?patient=p1&_include=Observation:subject",
    "Observation/_history",
    "_history",
    "?_id=o1",
];

fn filled(policy: &str) -> Server {
    let server = Server::with(policy, "");
    server.seed(&[patient("p1", "Amin"), observation("o1", "p1", "laboratory")]);
    server
}

/// Nothing of any record.
fn silent(reply: &Reply) -> bool {
    !["Amin", "valueQuantity", "mrn-p1", "\"entry\""].iter().any(|content| reply.text().contains(content))
}

#[test]
fn without_a_token_or_a_scope_nothing_is_sent() {
    let server = filled("Policy-all-normal");
    for path in PATHS {
        let reply = server.get(path, "");
        server.refused(&reply, 401, "AMANAT-AUTH-0001", "token:missing");
        assert!(silent(&reply));
        let reply = server.get(path, &server.system(""));
        server.refused(&reply, 403, "AMANAT-SCOPE-0001", "scope");
        assert!(silent(&reply));
    }
}

#[test]
fn where_no_consent_speaks_policy_deny_sends_nothing() {
    let server = filled("Policy-deny");
    let clinician = server.clinician("d1", "user/*.rs");
    for token in [clinician, server.system("system/*.rs")] {
        for path in PATHS {
            let reply = server.get(path, &token);
            assert!(matches!(reply.status, 200 | 404), "{path}");
            assert!(silent(&reply), "{path}: {}", reply.text());
            if reply.status == 200 && reply.json().get("total").is_some() {
                assert_eq!(reply.json()["total"], 0, "{path}");
            }
        }
    }
    // The patient's own request is not for consent to refuse.
    let _ = server.get("Patient/p1", &server.patient("p1", "patient/*.rs")).expect(200);
}

#[test]
fn a_consent_that_cannot_be_read_as_written_denies() {
    let server = filled("Policy-all-normal");
    let token = server.clinician("d1", "user/*.rs");
    let _ = server.get("Patient/p1", &token).expect(200);
    let mut odd = consent("k1", "p1", "permit");
    odd["provision"]["provision"] =
        json!([{"type": "permit", "modifierExtension": [{"url": "urn:unknown", "valueBoolean": true}]}]);
    let reply = server.put("Consent/k1", &server.system("system/Consent.cruds"), &odd);
    if reply.status == 201 {
        server.refused(&server.get("Patient/p1", &token), 404, "AMANAT-REC-0001", "not-found");
    } else {
        assert_eq!(reply.status, 422, "{}", reply.text());
    }
}

/// Another connection takes the trail away: from then on no entry can be written.
fn without_trail(server: &Server) {
    server.execute("ALTER TABLE trail RENAME TO trail_away");
}

#[test]
fn when_the_trail_cannot_be_written_nothing_is_sent_and_nothing_is_done() {
    let server = filled("Policy-all-normal");
    let (all, app) = (server.system("system/*.cruds"), server.patient("p1", "patient/*.rs"));
    let _ = server.get("Patient/p1", &all).expect(200);
    let link = server.get("_history?_count=1", &all).expect(200).next().unwrap();
    without_trail(&server);
    let unavailable = |reply: Reply| {
        assert_eq!((reply.status, reply.code().as_str()), (503, "AMANAT-TRAIL-0001"), "{}", reply.text());
        assert!(reply.header("retry-after").is_some() && silent(&reply) && reply.header("etag").is_none());
    };
    for path in PATHS.into_iter().chain([link.as_str(), "Patient/nope", "Patient?nope=1", "nope"]) {
        unavailable(server.get(path, &app));
        unavailable(server.get(path, ""));
    }
    unavailable(server.post("Observation", &all, &observation("x", "p1", "laboratory")));
    unavailable(server.put("Observation/o1", &all, &observation("o1", "p1", "vital-signs")));
    unavailable(server.patch("Observation/o1", &all, &json!([{"op": "replace", "path": "/status", "value": "amended"}])));
    unavailable(server.delete("Observation/o1", &all));
    unavailable(server.delete("Observation?status=final", &all));
    for kind in ["batch", "transaction"] {
        let entries = json!([
            {"request": {"method": "GET", "url": "Patient/p1"}},
            {"request": {"method": "DELETE", "url": "Observation/o1"}}
        ]);
        unavailable(server.post("", &all, &json!({"resourceType": "Bundle", "type": kind, "entry": entries})));
    }
    let reply = server.call("POST", "/token").form("grant_type=client_credentials").send();
    assert_eq!((reply.status, &reply.json()["error"]), (503, &json!("temporarily_unavailable")));
    // It comes back: so do the answers, and nothing was done meanwhile.
    server.execute("ALTER TABLE trail_away RENAME TO trail");
    let reply = server.get("Observation/o1", &all);
    server.allowed(&reply, 200, "read", &["p1"]);
    assert_eq!(reply.header("etag"), Some("W/\"1\""));
    assert_eq!(server.get("Observation", &all).json()["total"], 1);
}

#[test]
fn when_the_records_cannot_be_read_nothing_is_sent_and_the_trail_says_so() {
    if left_out_in_front("it takes a table of the gateway's own index away; tests of hostile servers take the server away") {
        return;
    }
    let server = filled("Policy-all-normal");
    let all = server.system("system/*.cruds");
    server.execute("ALTER TABLE index_token RENAME TO index_away");
    for path in ["Patient?gender=female", "Patient?identifier=urn:mrn|mrn-p1", "Patient/p1/Observation?status=final"] {
        let reply = server.get(path, &all);
        server.refused(&reply, 503, "AMANAT-STORE-0001", "store");
        assert!(silent(&reply) && !reply.text().contains("index_token") && !reply.text().contains("no such table"));
    }
    server.execute("ALTER TABLE index_away RENAME TO index_token");
    let _ = server.get("Patient/p1", &all).expect(200);
}
