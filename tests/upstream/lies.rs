//! A server behind that answers in shapes that no caller asked for: without end, in circles, in part, hidden by escapes. Each ends, shows
//! nobody what is not theirs, and is told as what it is.

use super::hostile::{Stage, bundle, is, versioned};
use crate::support::{Heard, Manner, Said, records};
use serde_json::{Value, json};
use std::time::Duration;

/// A Provenance of these records.
fn provenance(id: &str, targets: &[String]) -> Value {
    let targets: Vec<Value> = targets.iter().map(|target| json!({"reference": target})).collect();
    json!({"resourceType": "Provenance", "id": id, "recorded": "2026-05-01T00:00:00Z", "target": targets,
        "agent": [{"who": {"reference": "Practitioner/d1"}}]})
}

#[expect(clippy::unnecessary_wraps, reason = "a line of a script is one that may say nothing")]
fn record(record: &Value) -> Option<Said> {
    Some(Said::json(200, versioned(record).to_string()))
}

/// A page with these records that goes on at an address that was never asked.
#[expect(clippy::unnecessary_wraps, reason = "a line of a script is one that may say nothing")]
fn going_on(heard: &Heard, records: &[Value]) -> Option<Said> {
    let mut page = bundle(heard, records);
    let url = page["link"][0]["url"].as_str().unwrap().to_owned();
    let more = if url.contains('?') { "&x=1" } else { "?x=1" };
    page["link"].as_array_mut().unwrap().push(json!({"relation": "next", "url": format!("{url}{more}")}));
    Some(Said::json(200, page.to_string()))
}

/// What the server was asked, of addresses that begin so.
fn asked(stage: &Stage, place: &str) -> usize {
    let asked = stage.server.behind.as_ref().unwrap().asked();
    asked.iter().filter(|asked| asked.starts_with(&format!("GET {place}"))).count()
}

#[test]
fn a_record_belongs_to_the_patients_at_the_end_of_a_long_way() {
    const LENGTH: usize = 2_000;
    let stage = Stage::new("");
    stage.says(|heard| {
        let place = heard.below().0.to_owned();
        if place == "Observation/theirs" {
            return record(&records::observation("theirs", "p2", "laboratory"));
        }
        let at: usize = place.strip_prefix("Provenance/v")?.parse().ok()?;
        let next = if at == LENGTH { "Observation/theirs".to_owned() } else { format!("Provenance/v{}", at + 1) };
        record(&provenance(&format!("v{at}"), &[next]))
    });
    let of = |patient: &str| stage.server.get("Provenance/v0", &stage.server.patient(patient, "patient/*.rs"));
    stage.server.allowed(&of("p2"), 200, "read", &["p2"]);
    stage.server.refused(&of("p1"), 404, "AMANAT-REC-0001", "not-found");
}

#[test]
fn a_way_without_end_is_not_walked_to_its_end() {
    let stage = Stage::new("hop_records = 200");
    stage.says(|heard| {
        let at: usize = heard.below().0.strip_prefix("Provenance/v")?.parse().ok()?;
        record(&provenance(&format!("v{at}"), &[format!("Provenance/v{}", at + 1)]))
    });
    let reply = stage.server.get("Provenance/v0", &stage.app());
    stage.server.refused(&reply, 400, "AMANAT-IN-0002", "input:invalid");
    assert_eq!(reply.json()["issue"][0]["code"], "too-costly");
    assert!(asked(&stage, "Provenance/v") <= 202, "{}", asked(&stage, "Provenance/v"));
    // Nor is everything looked up that many records together name.
    let stage = Stage::new("looked_at = 100");
    stage.says(|heard| {
        let targets = |at: usize| (0..30).map(|target| format!("Observation/o{at}-{target}")).collect::<Vec<_>>();
        let all: Vec<Value> = (0..30).map(|at| provenance(&format!("v{at}"), &targets(at))).collect();
        match heard.below().0 {
            "Provenance" => Some(Said::json(200, bundle(heard, &all).to_string())),
            place => place.starts_with("Observation/").then(|| Said::json(404, "{}")),
        }
    });
    let reply = stage.server.get("Provenance", &stage.server.system("system/*.rs"));
    stage.server.refused(&reply, 400, "AMANAT-IN-0002", "input:invalid");
    assert!(asked(&stage, "Observation/o") <= 101, "{}", asked(&stage, "Observation/o"));
}

#[test]
fn of_records_that_belong_with_each_other_in_a_circle_none_forgets_a_patient() {
    let stage = Stage::new("");
    let circle = || {
        let of = |id: &str, targets: &[&str]| provenance(id, &targets.iter().map(ToString::to_string).collect::<Vec<_>>());
        [of("a", &["Provenance/b"]), of("b", &["Provenance/a", "Observation/theirs"]), of("c", &["Provenance/a"])]
    };
    stage.says(move |heard| match heard.below().0 {
        "Observation/theirs" => record(&records::observation("theirs", "p2", "laboratory")),
        "Consent" => Some(Said::json(200, bundle(heard, &[records::consent("k", "p2", "deny")]).to_string())),
        place if is(heard, "Provenance") || place == "Provenance" => Some(Said::json(200, bundle(heard, &circle()).to_string())),
        place => record(circle().iter().find(|one| place == format!("Provenance/{}", one["id"].as_str().unwrap()))?),
    });
    stage.server.wait(61);
    let found = stage.server.get("Provenance", &stage.server.system("system/*.rs")).expect(200);
    assert!(found.keys().is_empty(), "all of them belong to one who denies: {:?}", found.keys());
}

#[test]
fn included_records_histories_and_consents_have_an_end_too() {
    let stage = Stage::new("");
    stage.says(|heard| match heard.below().0 {
        "Practitioner" => going_on(heard, &[records::practitioner("other", "Nobody")]),
        "Observation/o1/_history" => going_on(heard, &[]),
        _ if is(heard, "Observation") => {
            let mut one = records::observation("mine", "p1", "laboratory");
            one["performer"] = json!([{"reference": "Practitioner/a"}, {"reference": "Practitioner/b"}]);
            Some(Said::json(200, bundle(heard, &[one]).to_string()))
        }
        _ => None,
    });
    stage.untrusted("Observation?_include=Observation:performer");
    stage.untrusted("Observation/o1/_history");
    // Consents among which there is none that was not there before.
    stage.says(|heard| match heard.below().0 {
        "Consent" => going_on(heard, &[records::patient("p1", "Ahmad")]),
        _ => None,
    });
    stage.server.wait(61);
    let reply = stage.server.get("Observation", &stage.app());
    stage.server.refused(&reply, 503, "AMANAT-UP-0004", "upstream:consents");
}

#[test]
fn pages_that_come_slowly_and_have_no_end_take_no_longer_than_one_exchange_may() {
    let stage = Stage::new("whole_seconds = 1");
    stage.says(|heard| {
        let page = going_on(heard, &[records::observation("theirs", "p2", "x")]);
        is(heard, "Observation").then(|| {
            std::thread::sleep(Duration::from_millis(300));
            page.unwrap()
        })
    });
    let pages = || asked(&stage, "Patient/p1/Observation");
    let page = stage.server.get("Observation", &stage.app()).expect(200);
    assert!(page.keys().is_empty() && page.next().is_some(), "{}", page.text());
    assert!(pages() <= 8, "{} pages", pages());
    let reply = stage.server.get("Observation?_sort=date", &stage.app());
    stage.server.refused(&reply, 504, "AMANAT-UP-0001", "upstream:slow");
    assert!(pages() <= 16, "{} pages", pages());
}

#[test]
fn records_on_which_a_page_depends_take_no_longer_than_one_exchange_may() {
    let stage = Stage::new("whole_seconds = 1");
    stage.says(|heard| {
        let ids = || (0..30).map(|at| format!("o{at}"));
        let place = heard.below().0;
        if place.starts_with("Observation/o") {
            std::thread::sleep(Duration::from_millis(300));
            return record(&records::observation(place.rsplit('/').next().unwrap(), "p1", "laboratory"));
        }
        let all: Vec<Value> = match place {
            "Provenance" => ids().map(|id| provenance(&format!("v{id}"), &[format!("Observation/{id}")])).collect(),
            "Observation/_history" => ids().map(|id| records::observation(&id, "p1", "laboratory")).collect(),
            _ => return None,
        };
        Some(Said::json(200, bundle(heard, &all).to_string()))
    });
    let looked_up = || asked(&stage, "Observation/o");
    let reply = stage.server.get("Provenance", &stage.server.system("system/*.rs"));
    stage.server.refused(&reply, 504, "AMANAT-UP-0001", "upstream:slow");
    assert!(looked_up() <= 6, "{} records", looked_up());
    // A history goes on where it stopped, and comes to its end.
    let (mut told, mut pages) = (0, 0);
    let mut next = Some("Observation/_history?_count=50".to_owned());
    while let Some(path) = next.take() {
        let before = looked_up();
        let page = stage.server.get(&path, &stage.app()).expect(200);
        assert!(looked_up() - before <= 6, "{} records", looked_up() - before);
        (told, pages) = (told + page.keys().len(), pages + 1);
        next = page.next();
    }
    assert!(told == 30 && pages > 3, "{told} versions on {pages} pages");
}

#[test]
fn the_history_of_a_type_tells_of_no_other_and_of_no_other_time() {
    let stage = Stage::new("");
    stage.says(|heard| {
        let (mine, other) = (records::observation("mine", "p1", "laboratory"), records::condition("c1", "p1"));
        let mut late = records::observation("late", "p1", "laboratory");
        late["meta"] = json!({"versionId": "1", "lastUpdated": "2026-05-20T00:00:00Z"});
        match heard.below().0 {
            "Observation/_history" => {
                let mut page = bundle(heard, &[mine, other]);
                page["entry"].as_array_mut().unwrap().push(json!({"resource": late}));
                Some(Said::json(200, page.to_string()))
            }
            "Observation/mine" => record(&mine),
            "Observation/late" => Some(Said::json(200, late.to_string())),
            "Condition/c1" => record(&other),
            _ => None,
        }
    });
    let keys = |query: &str| stage.server.get(query, &stage.app()).expect(200).keys();
    assert_eq!(keys("Observation/_history"), ["Observation/mine", "Observation/late"]);
    assert_eq!(keys("Observation/_history?_at=2026-05-02"), ["Observation/mine"]);
}

#[test]
fn what_the_server_keeps_from_the_gateway_is_not_taken_for_the_record() {
    let stage = Stage::new("");
    stage.says(|heard| {
        let mut part = records::practitioner("d1", "House");
        let coding = |code: &str| json!([{"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": code}]);
        part["meta"] = json!({"versionId": "1", "lastUpdated": "2026-05-01T00:00:00Z",
            "tag": coding("SUBSETTED"), "security": coding("REDACTED")});
        match heard.below().0 {
            "Practitioner/d1" => Some(Said::json(200, part.to_string())),
            "Practitioner" => {
                let mut page = bundle(heard, &[]);
                page["entry"] = json!([{"resource": part}]);
                Some(Said::json(200, page.to_string()))
            }
            _ => None,
        }
    });
    stage.untrusted("Practitioner/d1");
    stage.untrusted("Practitioner");
}

#[test]
fn how_long_to_wait_is_passed_on_as_seconds_and_never_as_years() {
    let stage = Stage::new("");
    for (said, told) in [
        ("17", "17"),
        // Its clock and the gateway's agree: half a minute from now.
        ("Mon, 01 Jun 2026 12:00:30 GMT", "30"),
        ("Mon, 01 Jun 2020 12:00:30 GMT", "1"),
        ("Fri, 01 Jun 2096 12:00:30 GMT", "3600"),
        ("4294967295", "3600"),
        ("99999999999999999999999999", "3600"),
        ("-5", "5"),
        ("", "5"),
        ("soon", "5"),
        ("0", "1"),
    ] {
        stage.says(move |heard| is(heard, "Observation").then(|| Said::json(429, "").with("Retry-After", said)));
        let reply = stage.server.get("Observation", &stage.app());
        stage.server.refused(&reply, 503, "AMANAT-UP-0003", "upstream:busy");
        assert_eq!(reply.header("retry-after"), Some(told), "{said}");
    }
}

#[test]
fn a_server_that_begins_every_answer_and_ends_none_is_left_alone() {
    let stage = Stage::new("");
    stage.says(|heard| {
        let page = bundle(heard, &[records::observation("mine", "p1", "x")]);
        let asked = is(heard, "Observation") || is(heard, "amanat-probe-nobody");
        asked.then(|| Said::json(200, page.to_string()).sent(Manner::Half))
    });
    for _ in 0..5 {
        stage.untrusted("Observation");
    }
    drop(stage.server.get("Observation", &stage.app()));
    let before = asked(&stage, "");
    let reply = stage.server.get("Observation", &stage.app());
    stage.server.refused(&reply, 503, "AMANAT-UP-0003", "upstream:busy");
    assert_eq!(asked(&stage, ""), before, "it was not asked");
}

#[test]
fn what_depends_on_other_records_needs_no_second_turn() {
    let stage = Stage::new("in_flight = 1\nqueue_seconds = 1");
    stage.says(|heard| {
        let gone = json!({"resourceType": "Bundle", "type": "history", "entry": [
            {"request": {"method": "DELETE", "url": "Observation/gone"}, "response": {"status": "204", "etag": "W/\"2\""}},
            {"resource": versioned(&records::observation("gone", "p1", "x")), "request": {"method": "PUT", "url": "Observation/gone"}},
        ]});
        match heard.below().0 {
            "Observation/mine" => record(&records::observation("mine", "p1", "laboratory")),
            "Observation/gone" => Some(Said::json(410, "{}")),
            "Observation/gone/_history" => Some(Said::json(200, gone.to_string())),
            _ if is(heard, "Provenance") => {
                let all = [provenance("v", &["Observation/mine".to_owned()])];
                Some(Said::json(200, bundle(heard, &all).to_string()))
            }
            _ => None,
        }
    });
    assert_eq!(stage.server.get("Provenance?target=Observation/mine", &stage.app()).expect(200).keys(), ["Provenance/v"]);
    assert_eq!(stage.server.get("Observation/gone", &stage.app()).status, 410);
}

#[test]
fn an_address_that_escapes_hide_is_found_all_the_same() {
    let stage = Stage::new("");
    stage.says(|heard| {
        let host = heard.header("host").unwrap();
        let address = match heard.below().0 {
            "Observation/o1" => format!("\\u0068ttp:\\/\\u002f{host}/fhir\\u002FPatient/p2"),
            "Observation/o2" => format!("http:\\/\\/{host}\\/fhir\\/Patient\\/p2"),
            "Observation/o3" => format!("http:/\\/{host}/fhir/Patient/p2"),
            _ => return None,
        };
        let mut said = records::observation(heard.below().0.rsplit('/').next().unwrap(), "p2", "laboratory");
        said["note"] = json!([{"text": "a \\u0022 b \\/ \"c\""}]);
        let text = versioned(&said).to_string().replacen("Patient/p2", &address, 1);
        Some(Said::json(200, text))
    });
    let address = stage.server.behind.as_ref().unwrap().address.to_string();
    for id in ["o1", "o2", "o3"] {
        let reply = stage.server.get(&format!("Observation/{id}"), &stage.server.patient("p2", "patient/*.rs"));
        stage.server.allowed(&reply, 200, "read", &["p2"]);
        assert_eq!(reply.json()["subject"]["reference"], "https://localhost:8443/fhir/Patient/p2");
        assert_eq!(reply.json()["note"][0]["text"], "a \\u0022 b \\/ \"c\"", "what is escaped for a reason means the same");
        assert!(!reply.text().contains(&address), "{}", reply.text());
        stage.server.refused(&stage.server.get(&format!("Observation/{id}"), &stage.app()), 404, "AMANAT-REC-0001", "not-found");
    }
}

#[test]
fn an_answer_that_is_packed_is_not_unpacked() {
    let stage = Stage::new("");
    // A hundred megabytes of nothing would fit in as little.
    let packed = [&b"\x1f\x8b\x08\0\0\0\0\0\0\xff"[..], &[0; 4_000]].concat();
    stage.says(move |heard| {
        let said = Said::json(200, packed.clone()).with("Content-Encoding", "gzip");
        (is(heard, "Observation") || is(heard, "o1")).then_some(said)
    });
    stage.untrusted("Observation");
    stage.untrusted("Observation/o1");
    let heard = stage.server.behind.as_ref().unwrap().heard.lock().unwrap();
    assert!(heard.iter().all(|one| one.header("accept-encoding").is_none()), "nor asked for");
}

#[test]
fn errors_of_the_server_are_told_in_the_gateways_own_words() {
    let stage = Stage::new("");
    let outcome = json!({"resourceType": "OperationOutcome", "text": {"div": "SELECT secret FROM p2"},
        "issue": [{"severity": "error", "code": "exception", "diagnostics": "secret: Patient/p2 at http://inside"}]});
    for (status, told, code, reason) in [
        (400, 502, "AMANAT-UP-0002", "upstream:untrusted"),
        (401, 502, "AMANAT-UP-0002", "upstream:untrusted"),
        (403, 502, "AMANAT-UP-0002", "upstream:untrusted"),
        (418, 502, "AMANAT-UP-0002", "upstream:untrusted"),
        (429, 503, "AMANAT-UP-0003", "upstream:busy"),
        (404, 404, "AMANAT-REC-0001", "not-found"),
        (599, 502, "AMANAT-UP-0002", "upstream:untrusted"),
        (200, 502, "AMANAT-UP-0002", "upstream:untrusted"),
    ] {
        let text = outcome.to_string();
        stage.says(move |heard| {
            let said = Said::json(status, text.clone()).with("WWW-Authenticate", "Basic realm=\"secret\"");
            let said = said.with("Location", "http://inside/secret").with("ETag", "W/\"secret\"").with("Link", "<http://inside>");
            is(heard, "o1").then(|| said.with("Set-Cookie", "secret=1").sent(Manner::Whole))
        });
        let reply = stage.server.get("Observation/o1", &stage.app());
        stage.server.refused(&reply, told, code, reason);
        let all = format!("{:?} {}", reply.headers, reply.text());
        assert!(!all.contains("secret") && !all.contains("inside") && !all.contains("p2"), "{status}: {all}");
    }
}
