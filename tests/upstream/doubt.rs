//! A change whose end the server behind, or something between, did not tell: it is found out, or told as what it is. Never a second record.

use crate::support::{Heard, Manner, Plain, Reply, Said, Server, records};
use amanat::clock::Clock;
use amanat::fhir::Instant;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

const ALL: &str = "system/*.cruds";

/// What becomes of the next change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Done,
    Undone,
}
use Fate::{Done, Undone};

/// What is heard of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    /// A page of HTML with this status, by something between.
    Status(u16),
    /// The connection ends.
    Cut,
    /// The connection ends in the middle of the answer.
    Half,
    /// Nothing, in time.
    Silence,
}
use Word::{Cut, Half, Silence, Status};

/// All that says nothing about how it ended.
const WORDS: [Word; 4] = [Status(502), Status(504), Cut, Silence];

/// A gateway in front of a plain server, with something between that spoils the next change.
struct Site {
    server: Server,
    next: Arc<Mutex<Option<(Fate, Word)>>>,
    /// The changes that were kept from the server.
    kept: Arc<Mutex<Vec<Heard>>>,
    _folder: TempDir,
}

impl Site {
    /// `forgets`: the server does not know of a record that is gone that it ever was there.
    fn new(forgets: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::fixed(Instant::parse("2026-06-01T12:00:00Z").unwrap());
        let (next, kept) = (Arc::<Mutex<Option<(Fate, Word)>>>::default(), Arc::<Mutex<Vec<Heard>>>::default());
        let (script, away) = (Arc::clone(&next), Arc::clone(&kept));
        let behind = Plain::start_through(folder.path(), &clock, move |heard, answer| {
            if heard.method == "GET" {
                let said = answer();
                return if forgets && said.status == 410 { Said::json(404, "{}") } else { said };
            }
            let Some((fate, word)) = script.lock().unwrap().take() else { return answer() };
            let said = if fate == Done { answer() } else { Said::json(200, "{}") };
            if fate == Undone {
                away.lock().unwrap().push(heard.clone());
            }
            match word {
                Status(status) => {
                    let mut page = Said::json(status, "<html>Bad Gateway</html>");
                    page.headers = vec![("Content-Type".to_owned(), "text/html".to_owned())];
                    page
                }
                Cut => said.sent(Manner::Cut),
                Half => said.sent(Manner::Half),
                Silence => said.sent(Manner::Silent),
            }
        });
        let server = Server::before(behind, "Policy-all-normal", "answer_seconds = 4");
        server.seed(&[records::patient("p1", "Ahmad")]);
        Self { server, next, kept, _folder: folder }
    }

    /// A record of its own for each case.
    fn seed(&self, id: &str) {
        self.server.seed(&[records::observation(id, "p1", "laboratory")]);
    }

    /// Asks for a change that comes to this end.
    fn spoiled(&self, fate: Fate, word: Word, change: impl FnOnce(&Server, &str) -> Reply) -> Reply {
        *self.next.lock().unwrap() = Some((fate, word));
        let reply = change(&self.server, &self.server.system(ALL));
        assert!(self.next.lock().unwrap().is_none(), "a change was sent: {}", reply.text());
        reply
    }

    /// What the server behind was told to change so far.
    fn changes(&self) -> Vec<String> {
        let asked = self.server.behind.as_ref().unwrap().asked();
        asked.into_iter().filter(|asked| !asked.starts_with("GET")).collect()
    }

    fn found(&self, query: &str) -> Vec<String> {
        self.server.get(query, &self.server.system(ALL)).expect(200).keys()
    }

    fn version(&self, id: &str) -> (u16, Option<String>) {
        let reply = self.server.get(&format!("Observation/{id}"), &self.server.system(ALL));
        (reply.status, reply.header("etag").map(str::to_owned))
    }

    /// It is done, and told as any other.
    #[track_caller]
    fn is_done(&self, reply: &Reply, status: u16, event: &str) {
        self.server.allowed(reply, status, event, &["p1"]);
        let entries = self.server.trail_of(reply);
        let reasons: Vec<&str> = entries.iter().map(|leaf| leaf["reason"].as_str().unwrap_or_default()).collect();
        assert_eq!(reasons, ["opened", ""], "{entries:?}");
    }

    /// Nobody knows, and it is told so.
    #[track_caller]
    fn is_in_doubt(&self, reply: &Reply) {
        self.is_refused(reply, 504, "AMANAT-UP-0005", "upstream:in-doubt");
        assert_eq!(reply.json()["issue"][0]["code"], "timeout");
        assert!(reply.header("retry-after").is_none(), "it is not to be repeated without a look");
        assert!(!reply.text().contains("othing was done"), "{}", reply.text());
    }

    #[track_caller]
    fn is_refused(&self, reply: &Reply, status: u16, code: &str, reason: &str) {
        assert_eq!((reply.status, reply.code().as_str()), (status, code), "{}", reply.text());
        assert_eq!(reply.json()["resourceType"], "OperationOutcome");
        let entries = self.server.trail_of(reply);
        assert!(entries.iter().any(|leaf| leaf["reason"] == "opened"), "what was begun is known: {entries:?}");
        let concluded = self.server.concluded_of(reply);
        assert_eq!(concluded.len(), 1, "{concluded:?}");
        assert_eq!((&concluded[0]["reason"], &concluded[0]["outcome"]), (&json!(reason), &json!("12")));
    }
}

fn labelled(id: &str) -> Value {
    records::observation(id, "p1", "laboratory")
}

fn amended(id: &str) -> Value {
    let mut record = labelled(id);
    record["status"] = json!("amended");
    record
}

/// The id in `Location`.
fn id_of(reply: &Reply) -> String {
    let place = reply.header("location").unwrap();
    place.split('/').skip_while(|part| *part != "Observation").nth(1).unwrap().to_owned()
}

fn conditional(server: &Server, token: &str, value: &str) -> Reply {
    let call = server.call("POST", "Observation").token(token).header("If-None-Exist", &format!("identifier=urn:obs|{value}"));
    call.json(&labelled(value)).send()
}

#[test]
fn a_create_that_was_done_is_answered_as_done_and_sent_once() {
    let site = Site::new(false);
    // Some that stand between say 503 when the server broke off in the middle, and some have words of their own.
    let words = [WORDS.as_slice(), &[Half, Status(500), Status(503), Status(524)]].concat();
    for (at, word) in words.into_iter().enumerate() {
        let (value, before) = (format!("n{at}"), site.changes().len());
        let reply = site.spoiled(Done, word, |server, token| server.post("Observation", token, &labelled(&value)));
        site.is_done(&reply, 201, "create");
        assert_eq!(site.found(&format!("Observation?identifier=urn:obs|{value}")), [format!("Observation/{}", id_of(&reply))]);
        assert_eq!(reply.header("etag"), Some("W/\"1\""), "{word:?}");
        assert_eq!(site.changes().len(), before + 1, "{word:?}");
    }
}

#[test]
fn a_create_that_was_not_done_is_in_doubt() {
    let site = Site::new(false);
    for word in WORDS {
        let before = site.changes().len();
        let reply = site.spoiled(Undone, word, |server, token| server.post("Observation", token, &labelled("n")));
        site.is_in_doubt(&reply);
        assert_eq!(site.changes().len(), before + 1, "{word:?}: it is not sent again by itself");
        assert!(site.found("Observation?identifier=urn:obs|n").is_empty());
    }
    site.is_in_doubt(&site.spoiled(Undone, Status(524), |server, token| server.post("Observation", token, &labelled("n"))));
    // One that has no time, and shows that it did nothing.
    let reply = site.spoiled(Undone, Status(503), |server, token| server.post("Observation", token, &labelled("n")));
    site.is_refused(&reply, 503, "AMANAT-UP-0003", "upstream:busy");
    assert_eq!(reply.header("retry-after"), Some("5"));
    // A server that says itself that it failed, and shows that it did.
    let reply = site.spoiled(Undone, Status(500), |server, token| server.post("Observation", token, &labelled("n")));
    site.is_refused(&reply, 502, "AMANAT-UP-0002", "upstream:untrusted");
}

#[test]
fn an_update_is_found_out_by_its_content() {
    let site = Site::new(false);
    for (at, word) in [WORDS.as_slice(), &[Half]].concat().into_iter().enumerate() {
        let (one, other) = (format!("a{at}"), format!("b{at}"));
        site.seed(&one);
        let put = |server: &Server, token: &str| server.put(&format!("Observation/{one}"), token, &amended(&one));
        let reply = site.spoiled(Done, word, put);
        site.is_done(&reply, 200, "update");
        assert_eq!((reply.header("etag"), &reply.json()["status"]), (Some("W/\"2\""), &json!("amended")), "{word:?}");
        let patch = json!([{"op": "replace", "path": "/status", "value": "corrected"}]);
        let reply = site.spoiled(Done, word, |server, token| server.patch(&format!("Observation/{one}"), token, &patch));
        site.is_done(&reply, 200, "patch");
        assert_eq!(site.version(&one), (200, Some("W/\"3\"".to_owned())), "{word:?}");
        if word == Half {
            continue;
        }
        site.seed(&other);
        let put = |server: &Server, token: &str| {
            let call = server.call("PUT", &format!("Observation/{other}")).token(token).header("If-Match", "W/\"1\"");
            call.json(&amended(&other)).send()
        };
        site.is_in_doubt(&site.spoiled(Undone, word, put));
        assert_eq!(site.version(&other), (200, Some("W/\"1\"".to_owned())), "{word:?}");
        // Whoever looked may repeat it, once.
        let _ = put(&site.server, &site.server.system(ALL)).expect(200);
        assert_eq!(put(&site.server, &site.server.system(ALL)).status, 412);
    }
}

#[test]
fn a_delete_is_found_out_whether_the_server_remembers_or_not() {
    for forgets in [false, true] {
        let site = Site::new(forgets);
        for (at, word) in WORDS.into_iter().enumerate() {
            let (one, other) = (format!("a{at}"), format!("b{at}"));
            site.seed(&one);
            let reply = site.spoiled(Done, word, |server, token| server.delete(&format!("Observation/{one}"), token));
            site.is_done(&reply, 204, "delete");
            assert_eq!(site.version(&one).0, if forgets { 404 } else { 410 }, "{word:?}");
            site.seed(&other);
            let delete = |server: &Server, token: &str| server.delete(&format!("Observation/{other}"), token);
            site.is_in_doubt(&site.spoiled(Undone, word, delete));
            assert_eq!(site.version(&other).0, 200, "{word:?}");
            let _ = delete(&site.server, &site.server.system(ALL)).expect(204);
        }
    }
}

#[test]
fn a_conditional_create_makes_one_record_however_often_it_is_begun() {
    let site = Site::new(false);
    for (at, word) in WORDS.into_iter().enumerate() {
        let (one, other, late) = (format!("a{at}"), format!("b{at}"), format!("c{at}"));
        let create = |value: &str| conditional(&site.server, &site.server.system(ALL), value);
        // Done, and found at the next time.
        let reply = site.spoiled(Done, word, |server, token| conditional(server, token, &one));
        site.is_done(&reply, 201, "create");
        assert_eq!(create(&one).status, 200, "{word:?}");
        // Not done, and done at the next time.
        site.is_in_doubt(&site.spoiled(Undone, word, |server, token| conditional(server, token, &other)));
        assert_eq!((create(&other).status, create(&other).status), (201, 200), "{word:?}");
        // Done after it was looked for and not found.
        site.is_in_doubt(&site.spoiled(Undone, word, |server, token| conditional(server, token, &late)));
        let kept = site.kept.lock().unwrap().last().unwrap().clone();
        let (status, _) =
            site.server.behind.as_ref().unwrap().send("PUT", kept.below().0, &String::from_utf8(kept.body.clone()).unwrap());
        assert_eq!((status, create(&late).status), (201, 200), "{word:?}");
        for value in [&one, &other, &late] {
            assert_eq!(site.found(&format!("Observation?identifier=urn:obs|{value}")).len(), 1, "{word:?}");
            let places = site.changes().into_iter().filter(|asked| asked.starts_with("PUT Observation/"));
            assert_eq!(places.collect::<BTreeSet<String>>().len(), 3 * at + 3, "one address for each");
        }
    }
}

#[test]
fn a_label_is_not_lost_by_a_change_that_is_made_after_it_was_given_up() {
    let site = Site::new(false);
    let mut restricted = labelled("o1");
    restricted["meta"] =
        json!({"security": [{"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R"}]});
    site.server.seed(&[restricted]);
    let hidden = || site.server.get("Observation/o1", &site.server.clinician("d1", "user/*.rs"));
    site.server.refused(&hidden(), 404, "AMANAT-REC-0001", "not-found");
    // The patient writes it without the label, and nobody knows how that ended.
    let mine = site.server.patient("p1", "patient/*.cruds");
    let put = |server: &Server, _: &str| server.put("Observation/o1", &mine, &amended("o1"));
    site.is_in_doubt(&site.spoiled(Undone, Cut, put));
    let kept = site.kept.lock().unwrap().last().unwrap().clone();
    let behind = site.server.behind.as_ref().unwrap();
    assert_eq!(behind.send("PUT", kept.below().0, &String::from_utf8(kept.body.clone()).unwrap()).0, 200, "it was made, late");
    assert_eq!(site.server.get("Observation/o1", &mine).expect(200).json()["status"], "amended");
    site.server.refused(&hidden(), 404, "AMANAT-REC-0001", "not-found");
}

/// An update that changes nothing, one that does, a deletion and a creation.
fn transaction(changed: &str, deleted: &str, made: &str) -> Value {
    let put = |record: &Value, url: &str| json!({"resource": record, "request": {"method": "PUT", "url": url}});
    json!({"resourceType": "Bundle", "type": "transaction", "entry": [
        put(&records::patient("p1", "Ahmad"), "Patient/p1"),
        put(&amended(changed), &format!("Observation/{changed}")),
        {"request": {"method": "DELETE", "url": format!("Observation/{deleted}")}},
        {"resource": labelled(made), "request": {"method": "POST", "url": "Observation"}},
    ]})
}

#[test]
fn of_a_transaction_each_change_is_found_out() {
    let site = Site::new(false);
    for (at, word) in [WORDS.as_slice(), &[Half]].concat().into_iter().enumerate() {
        for fate in [Done, Undone] {
            if (fate, word) == (Undone, Half) {
                continue;
            }
            let ids = ["a", "b", "c"].map(|letter| format!("{letter}{at}{}", usize::from(fate == Done)));
            site.seed(&ids[0]);
            site.seed(&ids[1]);
            let all = transaction(&ids[0], &ids[1], &ids[2]);
            let reply = site.spoiled(fate, word, |server, token| server.post("", token, &all));
            let now = [site.version(&ids[0]).1, site.version(&ids[1]).1].map(Option::unwrap_or_default);
            let made = site.found(&format!("Observation?identifier=urn:obs|{}", ids[2])).len();
            if fate == Done {
                let statuses: Vec<Value> =
                    reply.json()["entry"].as_array().unwrap().iter().map(|entry| entry["response"]["status"].clone()).collect();
                assert_eq!(
                    (reply.status, statuses),
                    (200, vec!["200".into(), "200".into(), "204".into(), "201".into()]),
                    "{word:?}"
                );
                assert_eq!((now[0].as_str(), site.version(&ids[1]).0, made), ("W/\"2\"", 410, 1), "{word:?}");
            } else {
                site.is_in_doubt(&reply);
                assert_eq!((now[0].as_str(), now[1].as_str(), made), ("W/\"1\"", "W/\"1\"", 0), "{word:?}");
            }
        }
    }
}

#[test]
fn an_update_that_changes_nothing_does_not_vouch_for_a_deletion() {
    let site = Site::new(false);
    for word in WORDS {
        site.seed("o1");
        let all = json!({"resourceType": "Bundle", "type": "transaction", "entry": [
            {"resource": records::patient("p1", "Ahmad"), "request": {"method": "PUT", "url": "Patient/p1"}},
            {"request": {"method": "DELETE", "url": "Observation/o1"}},
        ]});
        site.is_in_doubt(&site.spoiled(Undone, word, |server, token| server.post("", token, &all)));
        assert_eq!(site.version("o1").0, 200, "{word:?}");
    }
}
