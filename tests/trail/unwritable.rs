use super::{observation, with_records};
use crate::site::{Site, until};

const FULL: &str = "CREATE TRIGGER full BEFORE INSERT ON trail BEGIN SELECT RAISE(ABORT, 'no space'); END";

fn refuses(site: &Site, token: &str) {
    for path in
        ["Patient/a", "Observation?patient=a", "Observation?code:text=haemoglobin", "Patient/a/_history", "Patient/nobody"]
    {
        let answer = site.get(token, path).expect(503);
        assert!(!answer.body.contains("confidential") && !answer.body.contains("\"active\""), "{answer:?}");
        assert_ne!(answer.header("retry-after"), "", "{answer:?}");
        assert_eq!(answer.json()["resourceType"], "OperationOutcome");
    }
    site.ask("POST", token, "Observation", Some(&observation("a"))).expect(503);
    site.get("no-token", "Patient/a").expect(503);
}

#[test]
fn a_trail_that_cannot_be_written_lets_nothing_out_and_nothing_in() {
    let (site, token) = with_records();
    let before = site.get(&token, "Observation?_summary=count").expect(200).json()["total"].clone();
    assert!(site.ready());
    site.tamper(FULL);
    refuses(&site, &token);
    assert!(!site.ready(), "and whoever asks is told that the gateway is not ready");
    let form = "POST /token HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 29\r\n\r\ngrant_type=client_credentials";
    assert_eq!(site.raw(form).status, 503, "no token either");
    site.tamper("DROP TRIGGER full");
    until("it is ready again without being asked for anything", || site.ready());
    let after = site.get(&token, "Observation?_summary=count").expect(200).json()["total"].clone();
    assert_eq!(before, after, "what was refused was not stored");
    site.ask("POST", &token, "Observation", Some(&observation("a"))).expect(201);
    site.done(&["audit", "verify"]);
}

#[test]
fn a_store_that_another_process_holds_is_the_same_and_passes() {
    let (site, token) = with_records();
    let mut other = site.database();
    let mut say = |text: &str| {
        let _changed = diesel::RunQueryDsl::execute(diesel::sql_query(text), &mut other).unwrap();
    };
    say("BEGIN IMMEDIATE");
    let answer = site.get(&token, "Patient/a").expect(503);
    assert!(!answer.body.contains("\"active\""), "{answer:?}");
    assert!(!site.ready());
    say("ROLLBACK");
    until("it is ready again", || site.ready());
    site.get(&token, "Patient/a").expect(200);
    site.done(&["audit", "verify"]);
}
