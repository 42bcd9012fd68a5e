//! A server behind that lies, breaks off, stalls or floods. Nothing leaks, memory stays bounded, and the caller hears a clear 502 or 504.

use crate::support::{Behind, Heard, Manner, Said, Server, records};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

type Script = Arc<Mutex<Box<dyn Fn(&Heard) -> Option<Said> + Send>>>;

/// A gateway in front of something that follows the script, and has no consents and nobody who belongs to anything.
pub(super) struct Stage {
    pub(super) server: Server,
    script: Script,
}

impl Stage {
    pub(super) fn new(settings: &str) -> Self {
        let script: Script = Arc::new(Mutex::new(Box::new(|_| None)));
        let lines = Arc::clone(&script);
        let behind = Behind::start(move |heard| {
            let said = (lines.lock().unwrap())(heard);
            said.unwrap_or_else(|| Said::json(200, bundle(heard, &[]).to_string()))
        });
        Self { server: Server::before(behind, "Policy-all-normal", settings), script }
    }

    pub(super) fn says(&self, line: impl Fn(&Heard) -> Option<Said> + Send + 'static) {
        *self.script.lock().unwrap() = Box::new(line);
    }

    /// One patient's app.
    pub(super) fn app(&self) -> String {
        self.server.patient("p1", "patient/*.cruds")
    }

    #[track_caller]
    pub(super) fn untrusted(&self, path: &str) {
        let reply = self.server.get(path, &self.app());
        self.server.refused(&reply, 502, "AMANAT-UP-0002", "upstream:untrusted");
    }
}

/// A search set with an honest `self` link.
pub(super) fn bundle(heard: &Heard, records: &[Value]) -> Value {
    let url = format!("http://{}{}", heard.header("host").unwrap_or_default(), heard.target);
    let entries: Vec<Value> =
        records.iter().map(|record| json!({"resource": versioned(record), "search": {"mode": "match"}})).collect();
    json!({"resourceType": "Bundle", "type": "searchset", "total": 4711, "link": [{"relation": "self", "url": url}], "entry": entries})
}

pub(super) fn versioned(record: &Value) -> Value {
    let mut record = record.clone();
    record["meta"] = json!({"versionId": "1", "lastUpdated": "2026-05-01T00:00:00Z"});
    record
}

pub(super) fn is(heard: &Heard, of: &str) -> bool {
    heard.below().0.split('/').next_back() == Some(of)
}

#[test]
fn filters_that_are_ignored_show_nobody_elses_records() {
    let stage = Stage::new("");
    stage.says(|heard| {
        let all = [
            records::observation("mine", "p1", "laboratory"),
            records::observation("theirs", "p2", "laboratory"),
            records::observation("vital", "p1", "vital-signs"),
            records::condition("c1", "p1"),
        ];
        is(heard, "Observation").then(|| Said::json(200, bundle(heard, &all).to_string()))
    });
    for query in ["Observation", "Observation?category=laboratory", "Observation?_sort=date"] {
        let reply = stage.server.get(query, &stage.app()).expect(200);
        assert!(!reply.text().contains("p2") && !reply.text().contains("theirs"), "{}", reply.text());
        assert!(reply.keys().contains(&"Observation/mine".to_owned()), "{query}");
    }
    assert_eq!(stage.server.get("Observation?category=laboratory", &stage.app()).keys(), ["Observation/mine"]);
    let told = stage.server.get("Observation?category=laboratory&_total=accurate", &stage.app()).json();
    assert_eq!(told["total"], 1, "totals are the gateway's own");
    let counted = stage.server.get("Observation?_summary=count", &stage.app()).json();
    assert_eq!(counted["total"], 2);
}

#[test]
fn somebody_elses_record_under_my_address_is_not_shown() {
    let stage = Stage::new("");
    stage.says(|heard| {
        let said = match heard.below().0 {
            "Observation/theirs" => records::observation("theirs", "p2", "laboratory"),
            "Observation/o1" => records::observation("other", "p1", "laboratory"),
            _ => return None,
        };
        Some(Said::json(200, versioned(&said).to_string()))
    });
    let reply = stage.server.get("Observation/theirs", &stage.app());
    stage.server.refused(&reply, 404, "AMANAT-REC-0001", "not-found");
    stage.untrusted("Observation/o1");
}

#[test]
fn a_self_link_without_a_parameter_is_not_believed() {
    let stage = Stage::new("");
    stage.says(|heard| {
        let mut all = bundle(heard, &[records::observation("mine", "p1", "laboratory")]);
        all["link"][0]["url"] = json!("http://x/fhir/Observation?_count=5");
        is(heard, "Observation").then(|| Said::json(200, all.to_string()))
    });
    stage.untrusted("Observation?category=laboratory");
    let lenient = Stage::new("self_link_required = false");
    lenient.says(|heard| {
        let mut all = bundle(heard, &[records::observation("mine", "p1", "laboratory"), records::observation("no", "p1", "x")]);
        all["link"] = json!([]);
        is(heard, "Observation").then(|| Said::json(200, all.to_string()))
    });
    assert_eq!(lenient.server.get("Observation?category=laboratory", &lenient.app()).expect(200).keys(), ["Observation/mine"]);
}

#[test]
fn what_is_no_fhir_json_is_refused_whole() {
    let stage = Stage::new("");
    let texts = [
        "<html>sign in</html>",
        "",
        "{}",
        r#"{"resourceType":"Patient","id":"p1"}"#,
        r#"{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Observation","id":"a","id":"b"}}]}"#,
        r#"{"resourceType":"Bundle","entry":[],"entry":[]}"#,
        r#"{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Nonsense","id":"a"}}]}"#,
        r#"{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Observation"}}]}"#,
    ];
    for text in texts {
        stage.says(move |heard| is(heard, "Observation").then(|| Said::json(200, text)));
        stage.untrusted("Observation");
    }
    stage.says(|heard| {
        let mut said = Said::json(200, bundle(heard, &[]).to_string());
        said.headers = vec![("Content-Type".to_owned(), "text/html".to_owned())];
        is(heard, "Observation").then_some(said)
    });
    stage.untrusted("Observation");
}

#[test]
fn redirects_and_links_that_lead_elsewhere_are_not_followed() {
    let stage = Stage::new("");
    let trap = Behind::start(|heard| Said::json(200, bundle(heard, &[records::observation("trap", "p1", "x")]).to_string()));
    let base = trap.base();
    let elsewhere = base.clone();
    stage.says(move |heard| is(heard, "Observation").then(|| Said::json(302, "").with("Location", &elsewhere)));
    stage.untrusted("Observation");
    for link in [format!("{base}/Observation"), "http://169.254.169.254/latest".to_owned(), "/etc".to_owned(), "../x".to_owned()]
    {
        stage.says(move |heard| {
            let mut all = bundle(heard, &[records::observation("mine", "p1", "x")]);
            all["link"].as_array_mut().unwrap().push(json!({"relation": "next", "url": link}));
            is(heard, "Observation").then(|| Said::json(200, all.to_string()))
        });
        stage.untrusted("Observation");
    }
    assert!(trap.asked().is_empty());
}

#[test]
fn pages_that_never_end_end() {
    let stage = Stage::new("looked_at = 500");
    stage.says(|heard| {
        let url = format!("http://{}{}", heard.header("host").unwrap(), heard.target);
        let mut all = bundle(heard, &[records::observation("theirs", "p2", "x")]);
        all["link"].as_array_mut().unwrap().push(json!({"relation": "next", "url": format!("{url}&x=1")}));
        is(heard, "Observation").then(|| Said::json(200, all.to_string()))
    });
    let page = stage.server.get("Observation", &stage.app()).expect(200);
    assert!(page.keys().is_empty() && page.next().is_some(), "a thin page that goes on: {}", page.text());
    let sorted = stage.server.get("Observation?_sort=date", &stage.app());
    stage.server.refused(&sorted, 400, "AMANAT-IN-0002", "input:invalid");
    stage.says(|heard| {
        let mut all = bundle(heard, &[records::observation("mine", "p1", "x")]);
        let url = all["link"][0]["url"].clone();
        all["link"].as_array_mut().unwrap().push(json!({"relation": "next", "url": url}));
        is(heard, "Observation").then(|| Said::json(200, all.to_string()))
    });
    stage.untrusted("Observation");
}

#[test]
fn half_an_answer_is_none() {
    let stage = Stage::new("idle_seconds = 1");
    let said = |heard: &Heard| Said::json(200, bundle(heard, &[records::observation("mine", "p1", "x")]).to_string());
    stage.says(move |heard| is(heard, "Observation").then(|| said(heard).sent(Manner::Half)));
    stage.untrusted("Observation");
    stage.says(move |heard| is(heard, "Observation").then(|| said(heard).sent(Manner::Stalled)));
    let reply = stage.server.get("Observation", &stage.app());
    stage.server.refused(&reply, 504, "AMANAT-UP-0001", "upstream:slow");
}

#[test]
fn silence_ends_in_504() {
    let stage = Stage::new("answer_seconds = 1");
    stage.says(|heard| is(heard, "Observation").then(|| Said::json(200, "").sent(Manner::Silent)));
    let reply = stage.server.get("Observation", &stage.app());
    stage.server.refused(&reply, 504, "AMANAT-UP-0001", "upstream:slow");
}

#[test]
fn a_flood_is_cut_off() {
    let stage = Stage::new("answer_bytes = 4000000\nrecord_bytes = 1000000");
    let flood = |text: &str| {
        let mut said = Said::json(200, text.repeat(10_000));
        said.manner = Manner::Endless;
        said
    };
    // White space, an entry that never ends, and entries without end.
    stage.says(move |heard| is(heard, "Observation").then(|| flood("        ")));
    stage.untrusted("Observation");
    stage.says(move |heard| is(heard, "o1").then(|| flood("{\"a\":")));
    stage.untrusted("Observation/o1");
    let behind = stage.server.behind.as_ref().unwrap();
    let sent = *behind.sent.lock().unwrap();
    assert!(sent < 40_000_000, "{sent} bytes were taken");
}

#[test]
fn what_the_server_calls_itself_is_told_to_nobody() {
    let stage = Stage::new("");
    stage.says(|heard| {
        let base = format!("http://{}/fhir", heard.header("host").unwrap());
        let mut record = records::observation("mine", "p1", "laboratory");
        record["subject"]["reference"] = json!(format!("{base}/Patient/p1"));
        record["text"] =
            json!({"status": "generated", "div": format!("<div xmlns=\"http://www.w3.org/1999/xhtml\">{base}/Patient/p1</div>")});
        let mut all = bundle(heard, &[record.clone(), records::observation("second", "p1", "laboratory")]);
        all["entry"][0]["fullUrl"] = json!(format!("{base}/Observation/mine"));
        match heard.below().0 {
            "Observation/mine" => {
                Some(Said::json(200, versioned(&record).to_string()).with("Location", &base).with("Server", "secret"))
            }
            _ => is(heard, "Observation").then(|| Said::json(200, all.to_string())),
        }
    });
    let address = stage.server.behind.as_ref().unwrap().address.to_string();
    for path in ["Observation/mine", "Observation", "Observation?_count=1"] {
        let reply = stage.server.get(path, &stage.app()).expect(200);
        assert!(!reply.text().contains(&address), "{}", reply.text());
        assert!(reply.headers.iter().all(|(_, value)| !value.contains(&address) && value != "secret"), "{:?}", reply.headers);
        assert!(reply.text().contains("https://localhost:8443/fhir/Patient/p1"), "told below the gateway's own base");
    }
}

#[test]
fn the_callers_own_words_and_token_do_not_reach_the_server() {
    let stage = Stage::new("auth = \"basic\"\nuser = \"gateway\"\npassword = \"secret\"");
    let token = stage.app();
    let call = stage.server.call("GET", "Observation?category=laboratory&_count=7").token(&token);
    let call = call
        .header("X-Forwarded-User", "root")
        .header("X-Tenant", "other")
        .header("Cookie", "a=b")
        .header("Prefer", "handling=lenient");
    let _ = call.send().expect(200);
    let heard = stage.server.behind.as_ref().unwrap().heard.lock().unwrap();
    let asked = heard.iter().find(|one| one.target.contains("category")).unwrap();
    assert_eq!(asked.header("authorization"), Some("Basic Z2F0ZXdheTpzZWNyZXQ="));
    assert_eq!(asked.header("prefer"), Some("handling=strict"));
    assert!(asked.target.starts_with("/fhir/Patient/p1/Observation?category="), "{}", asked.target);
    let known = ["host", "accept", "prefer", "cache-control", "authorization"];
    assert!(asked.headers.iter().all(|(name, _)| known.contains(&name.as_str())), "{:?}", asked.headers);
}

#[test]
fn retry_after_is_passed_on_and_a_server_that_keeps_failing_is_left_alone() {
    let stage = Stage::new("");
    stage.says(|heard| is(heard, "Observation").then(|| Said::json(503, "").with("Retry-After", "17")));
    let reply = stage.server.get("Observation", &stage.app());
    stage.server.refused(&reply, 503, "AMANAT-UP-0003", "upstream:busy");
    assert_eq!(reply.header("retry-after"), Some("17"));
    stage.says(|_| Some(Said::json(500, "{}")));
    for _ in 0..8 {
        drop(stage.server.get("Observation", &stage.app()));
    }
    let before = stage.server.behind.as_ref().unwrap().heard.lock().unwrap().len();
    let reply = stage.server.get("Observation", &stage.app());
    stage.server.refused(&reply, 503, "AMANAT-UP-0003", "upstream:busy");
    assert_eq!(stage.server.behind.as_ref().unwrap().heard.lock().unwrap().len(), before, "it was not asked");
}

#[test]
fn consents_that_cannot_be_read_again_close_everything() {
    let stage = Stage::new("");
    stage.says(|heard| is(heard, "Observation").then(|| Said::json(200, bundle(heard, &[]).to_string())));
    let _ = stage.server.get("Observation", &stage.app()).expect(200);
    stage.says(|heard| {
        Some(if is(heard, "Consent") { Said::json(500, "{}") } else { Said::json(200, bundle(heard, &[]).to_string()) })
    });
    stage.server.wait(61);
    let reply = stage.server.get("Observation", &stage.app());
    stage.server.refused(&reply, 503, "AMANAT-UP-0004", "upstream:consents");
}

#[test]
fn what_changes_nothing_is_asked_again_and_three_times_at_most() {
    let stage = Stage::new("");
    let failures = Arc::new(Mutex::new(0));
    let left = Arc::clone(&failures);
    stage.says(move |heard| {
        let mut left = left.lock().unwrap();
        let fails = is(heard, "Observation") && *left > 0;
        *left -= i32::from(fails);
        fails.then(|| Said::json(502, "{}"))
    });
    let asked = || {
        let heard = stage.server.behind.as_ref().unwrap().heard.lock().unwrap();
        heard.iter().filter(|one| is(one, "Observation")).count()
    };
    *failures.lock().unwrap() = 2;
    let _ = stage.server.get("Observation", &stage.app()).expect(200);
    assert_eq!(asked(), 3, "twice in vain");
    *failures.lock().unwrap() = 3;
    let reply = stage.server.get("Observation", &stage.app());
    assert!(matches!(reply.status, 502 | 503), "{}", reply.text());
    assert_eq!(asked(), 6, "and three times at most");
}

#[test]
fn where_all_turns_are_taken_the_next_is_told_to_come_again() {
    let stage = Stage::new("in_flight = 1\nqueue_seconds = 1\nanswer_seconds = 4");
    stage.says(|heard| is(heard, "Observation").then(|| Said::json(200, "").sent(Manner::Silent)));
    let replies: Vec<_> = std::thread::scope(|scope| {
        let ask = || scope.spawn(|| stage.server.get("Observation", &stage.app()));
        let both = [ask(), ask()];
        both.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let mut statuses: Vec<u16> = replies.iter().map(|reply| reply.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [503, 504]);
    let busy = replies.iter().find(|reply| reply.status == 503).unwrap();
    assert_eq!(busy.header("retry-after"), Some("1"));
    stage.server.refused(busy, 503, "AMANAT-UP-0003", "upstream:busy");
}
