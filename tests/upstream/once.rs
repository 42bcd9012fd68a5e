//! Once, whoever writes: after a crash in the middle of a write, and from several gateways before one server.

use crate::site::{Site, until};
use crate::support::{Behind, Heard, Plain, Said, Server, postgres, records};
use amanat::clock::Clock;
use amanat::fhir::Instant;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::scope;

const ALL: &str = "system/*.cruds";

/// What comes of the first write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum First {
    /// It is kept, and never answered.
    Kept,
    /// It is lost.
    Lost,
}

/// A server whose searches find nothing that is new, and whose first write ends in silence.
fn server(first: First) -> Behind {
    let kept: Mutex<Vec<(String, Value)>> = Mutex::default();
    let writes = AtomicUsize::new(0);
    Behind::start(move |heard| {
        let (path, _) = heard.below();
        if heard.method == "PUT" {
            let number = writes.fetch_add(1, Ordering::SeqCst);
            let mut record: Value = serde_json::from_slice(&heard.body).unwrap();
            record["meta"] = json!({"versionId": "1", "lastUpdated": "2026-06-01T12:00:00Z"});
            if number > 0 || first == First::Kept {
                kept.lock().unwrap().push((path.to_owned(), record.clone()));
            }
            let said = Said::json(201, record.to_string());
            return if number == 0 { said.sent(crate::support::Manner::Silent) } else { said };
        }
        if let Some((_, record)) = kept.lock().unwrap().iter().find(|(key, _)| key == path) {
            return Said::json(200, record.to_string());
        }
        if path.contains('/') && !path.ends_with("Observation") {
            return Said::json(404, "{}");
        }
        let url = format!("http://x{}", heard.target);
        let bundle = json!({"resourceType": "Bundle", "type": "searchset", "link": [{"relation": "self", "url": url}]});
        Said::json(200, bundle.to_string())
    })
}

#[test]
fn a_retry_after_a_crash_makes_no_second_record() {
    for first in [First::Kept, First::Lost] {
        let behind = server(first);
        let mut site = Site::prepare("");
        let text = std::fs::read_to_string(site.settings()).unwrap();
        let store = format!("url = \"{}\"\nledger = \"sqlite:amanat.db\"", behind.base());
        std::fs::write(site.settings(), text.replace("url = \"sqlite:amanat.db\"", &store)).unwrap();
        site.start();
        let token = site.client("lab", ALL);
        let body = records::observation("x", "p1", "laboratory").to_string();
        let headers = format!(
            "Authorization: Bearer {token}\r\nContent-Type: application/fhir+json\r\nIf-None-Exist: identifier=urn:obs|x\r\n"
        );
        let puts = || behind.asked().iter().filter(|asked| asked.starts_with("PUT")).cloned().collect::<Vec<_>>();
        scope(|scope| {
            // Its answer never comes.
            scope.spawn(|| drop(site.send("POST", "Observation", &headers, &body)));
            until("the write is under way", || !puts().is_empty());
            kill(&site);
        });
        let _ = site.stop();
        site.start();
        let reply = site.send("POST", "Observation", &headers, &body);
        assert_eq!(reply.status, if first == First::Kept { 200 } else { 201 }, "{first:?}: {}", reply.body);
        let again = site.send("POST", "Observation", &headers, &body);
        assert_eq!(again.status, 200, "{first:?}: {}", again.body);
        let places: BTreeSet<String> = puts().into_iter().collect();
        assert_eq!(places.len(), 1, "{first:?}: one record, however often it was begun: {places:?}");
    }
}

fn kill(site: &Site) {
    let id = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok).find_map(|entry| {
        let id: u32 = entry.file_name().to_str()?.parse().ok()?;
        let words = std::fs::read(entry.path().join("cmdline")).ok()?;
        let settings = site.settings();
        String::from_utf8_lossy(&words).contains(settings.to_str()?).then_some(id)
    });
    assert!(std::process::Command::new("kill").args(["-9", &id.unwrap().to_string()]).status().unwrap().success());
}

#[test]
fn whoever_begins_many_under_one_identifier_makes_nobody_look_them_all_up() {
    let server = Server::before_plain("Policy-all-normal", "");
    server.seed(&[records::patient("p1", "Ahmad"), records::patient("p2", "Weber")]);
    let create = |patient: &str, condition: Option<&str>| {
        let call = server.call("POST", "Observation").token(&server.patient(patient, "patient/*.cruds"));
        let call = condition.into_iter().fold(call, |call, condition| call.header("If-None-Exist", condition));
        call.json(&records::observation("same", patient, "laboratory")).send()
    };
    for _ in 0..70 {
        let _ = create("p1", None).expect(201);
    }
    let reads = || {
        let asked = server.behind.as_ref().unwrap().asked();
        asked.iter().filter(|asked| asked.starts_with("GET Observation/")).count()
    };
    let before = reads();
    // To one they are hidden; the other sees that there are several.
    let _ = create("p2", Some("identifier=urn:obs|same")).expect(201);
    assert!(reads() - before < 3 * 70, "{} reads", reads() - before);
    let before = reads();
    assert_eq!(create("p1", Some("identifier=urn:obs|same")).status, 412);
    assert!(reads() - before < 10, "{} reads", reads() - before);
}

/// Two gateways with one ledger before one plain server; `None`, and a word about it, without PostgreSQL.
fn nodes() -> Option<(Server, Server, Behind, tempfile::TempDir)> {
    nodes_through(|_, answer| answer())
}

/// The same with something between.
fn nodes_through(
    between: impl Fn(&Heard, &dyn Fn() -> Said) -> Said + Send + Sync + 'static,
) -> Option<(Server, Server, Behind, tempfile::TempDir)> {
    let Some(server) = postgres::server() else {
        println!("skipped: AMANAT_TEST_POSTGRES names no server");
        return None;
    };
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::fixed(Instant::parse("2026-06-01T12:00:00Z").unwrap());
    let behind = Plain::start_through(folder.path(), &clock, between);
    let ledger = postgres::schema(folder.path(), &server);
    let store = format!("[store]\nurl = \"{}\"\nledger = \"{ledger}\"\nconnections = 6", behind.base());
    let one = Server::with("Policy-all-normal", &store);
    let other = one.beside();
    one.seed(&[records::patient("p1", "Ahmad"), records::observation("o1", "p1", "laboratory")]);
    Some((one, other, behind, folder))
}

#[test]
fn of_many_that_create_the_same_through_two_gateways_one_does() {
    let Some((one, other, _behind, _folder)) = nodes() else { return };
    let token = one.system(ALL);
    let created = AtomicUsize::new(0);
    let conditions = ["identifier=urn:obs|same", "code=718-7&date=2026-05-01&patient=p1&status=preliminary"];
    for condition in conditions {
        created.store(0, Ordering::SeqCst);
        scope(|scope| {
            for at in 0..16 {
                let (node, token, created) = (if at % 2 == 0 { &one } else { &other }, &token, &created);
                scope.spawn(move || {
                    let mut record = records::observation("same", "p1", "laboratory");
                    record["status"] = json!("preliminary");
                    let call = node.call("POST", "Observation").token(token).header("If-None-Exist", condition);
                    let reply = call.json(&record).send();
                    // The first makes what the second condition finds, too.
                    assert!(matches!(reply.status, 200 | 201), "{}", reply.text());
                    created.fetch_add(usize::from(reply.status == 201), Ordering::SeqCst);
                });
            }
        });
        let wanted = usize::from(condition.starts_with("identifier"));
        assert_eq!(created.load(Ordering::SeqCst), wanted, "{condition}");
    }
    assert_eq!(other.get("Observation?identifier=urn:obs|same", &token).keys().len(), 1);
}

#[test]
fn a_consent_that_one_gateway_takes_bites_on_the_next_request_of_the_other() {
    let Some((one, other, _behind, _folder)) = nodes() else { return };
    let clinician = one.clinician("d1", "user/*.rs");
    let officer = one.system("system/*.cruds system/Consent.cruds");
    for round in 0..6 {
        let (here, there) = if round % 2 == 0 { (&one, &other) } else { (&other, &one) };
        assert_eq!(there.get("Observation/o1", &clinician).status, 200, "{round}");
        let denied = here.put("Consent/k1", &officer, &records::consent("k1", "p1", "deny"));
        assert!(matches!(denied.status, 200 | 201), "{}", denied.text());
        assert_eq!(there.get("Observation/o1", &clinician).status, 404, "{round}");
        let mut ended = records::consent("k1", "p1", "deny");
        ended["status"] = json!("inactive");
        let _ = there.put("Consent/k1", &officer, &ended).expect(200);
        assert_eq!(here.get("Observation/o1", &clinician).status, 200, "{round}");
    }
}

#[test]
fn a_consent_that_searches_do_not_show_yet_bites_on_the_next_request_of_the_other() {
    // What searches for consents show, until somebody lets them look again.
    let shown: Arc<Mutex<Option<Said>>> = Arc::default();
    let kept = Arc::clone(&shown);
    let lagging = move |heard: &Heard, answer: &dyn Fn() -> Said| {
        if heard.below().0 == "Consent" { kept.lock().unwrap().get_or_insert_with(answer).clone() } else { answer() }
    };
    let Some((one, other, _behind, _folder)) = nodes_through(lagging) else { return };
    let clinician = one.clinician("d1", "user/*.rs");
    let officer = one.system("system/*.cruds system/Consent.cruds");
    let mut ended = records::consent("k1", "p1", "deny");
    ended["status"] = json!("inactive");
    let shows = |node: &Server| node.get("Observation/o1", &clinician).status;
    assert_eq!((shows(&one), shows(&other)), (200, 200));
    for round in 0..4 {
        let (here, there) = if round % 2 == 0 { (&one, &other) } else { (&other, &one) };
        let denied = here.put("Consent/k1", &officer, &records::consent("k1", "p1", "deny"));
        assert!(matches!(denied.status, 200 | 201), "{}", denied.text());
        assert_eq!((shows(there), shows(here)), (404, 404), "{round}");
        one.wait(61);
        assert_eq!((shows(there), shows(here)), (404, 404), "{round}: and for as long as searches lag");
        // They show the denial now, and go on to.
        *shown.lock().unwrap() = None;
        one.wait(61);
        assert_eq!((shows(there), shows(here)), (404, 404), "{round}");
        let _ = there.put("Consent/k1", &officer, &ended).expect(200);
        for _ in 0..2 {
            assert_eq!((shows(here), shows(there)), (200, 200), "{round}");
            one.wait(61);
        }
        *shown.lock().unwrap() = None;
    }
}

#[test]
fn a_label_that_one_gateway_knows_of_is_known_to_the_other() {
    let Some((one, other, _behind, _folder)) = nodes() else { return };
    let mut record = records::observation("o1", "p1", "laboratory");
    record["meta"] = json!({"security": [{"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R"}]});
    one.seed(&[record]);
    let hidden = |server: &Server| server.get("Observation/o1", &server.clinician("d1", "user/*.rs")).status;
    assert_eq!((hidden(&one), hidden(&other)), (404, 404));
    let mine = one.patient("p1", "patient/*.cruds");
    let _ = one.put("Observation/o1", &mine, &records::observation("o1", "p1", "laboratory")).expect(200);
    assert_eq!((hidden(&one), hidden(&other)), (404, 404), "it stays as confidential as it was");
}
