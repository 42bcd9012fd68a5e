//! A server that is away or sick is left alone. One that fails at what somebody asks is not: nobody closes it to others by a query.

use super::hostile::{Stage, bundle, is};
use crate::support::{Manner, Said, records};
use std::time::Duration;

/// How often the server was asked how it is.
fn questions(stage: &Stage) -> usize {
    let asked = stage.server.behind.as_ref().unwrap().asked();
    asked.iter().filter(|asked| *asked == "GET Patient/amanat-probe-nobody").count()
}

/// Others are answered.
#[track_caller]
fn open_to_others(stage: &Stage) {
    let reply = stage.server.get("Observation", &stage.app());
    stage.server.allowed(&reply, 200, "search-type", &["p1"]);
}

/// Answers searches for `poison` so, and everything else as it should be.
fn poisoned(stage: &Stage, said: Said) {
    stage.says(move |heard| {
        if heard.target.contains("poison") {
            return Some(said.clone());
        }
        if heard.below().0.ends_with("amanat-probe-nobody") {
            return Some(Said::json(404, "{}"));
        }
        let page = bundle(heard, &[records::observation("mine", "p1", "laboratory")]);
        is(heard, "Observation").then(|| Said::json(200, page.to_string()))
    });
}

#[test]
fn a_query_that_the_server_fails_at_closes_it_to_nobody() {
    let stage = Stage::new("");
    let begun = std::time::Instant::now();
    for said in [
        Said::json(500, "{}"),
        Said::json(504, "{}"),
        Said::json(200, bundle_text()).sent(Manner::Half),
        Said::json(200, "{}").sent(Manner::Cut),
    ] {
        poisoned(&stage, said);
        for _ in 0..12 {
            let reply = stage.server.get("Observation?code=poison", &stage.app());
            assert!(matches!(reply.status, 502..=504), "{}", reply.text());
            assert_ne!(reply.code(), "AMANAT-UP-0003", "it is not left alone: {}", reply.text());
        }
        open_to_others(&stage);
    }
    let most = 2 + usize::try_from(begun.elapsed().as_secs() / 10).unwrap();
    assert!((1..=most).contains(&questions(&stage)), "asked how it is {} times", questions(&stage));
}

fn bundle_text() -> String {
    r#"{"resourceType":"Bundle","type":"searchset","entry":[]}"#.to_owned()
}

#[test]
fn a_query_that_takes_too_long_closes_it_to_nobody() {
    let stage = Stage::new("answer_seconds = 1");
    poisoned(&stage, Said::json(200, "").sent(Manner::Silent));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let reply = stage.server.get("Observation?code=poison", &stage.app());
                stage.server.refused(&reply, 504, "AMANAT-UP-0001", "upstream:slow");
            });
        }
    });
    open_to_others(&stage);
    assert_eq!(questions(&stage), 1, "before anybody was sent away");
}

#[test]
fn nobody_keeps_a_server_closed_that_is_back() {
    let stage = Stage::new("");
    stage.says(|_| Some(Said::json(503, "{}")));
    for _ in 0..5 {
        drop(stage.server.get("Observation", &stage.app()));
    }
    let reply = stage.server.get("Observation", &stage.app());
    stage.server.refused(&reply, 503, "AMANAT-UP-0003", "upstream:busy");
    assert_eq!(questions(&stage), 0, "it said itself that it cannot answer");
    poisoned(&stage, Said::json(500, "{}"));
    std::thread::sleep(Duration::from_millis(2_100));
    for _ in 0..3 {
        let reply = stage.server.get("Observation?code=poison", &stage.app());
        stage.server.refused(&reply, 502, "AMANAT-UP-0002", "upstream:untrusted");
        open_to_others(&stage);
    }
    assert_eq!(questions(&stage), 1, "one asked whether it is back");
}

#[test]
fn a_server_that_is_sick_is_sent_no_change_to_see_how_it_is() {
    let stage = Stage::new("");
    stage.says(|_| Some(Said::json(500, "{}")));
    for _ in 0..6 {
        drop(stage.server.get("Observation", &stage.app()));
    }
    std::thread::sleep(Duration::from_millis(2_100));
    let sent = stage.server.behind.as_ref().unwrap().asked().len();
    let record = records::observation("x", "p1", "laboratory");
    let reply = stage.server.post("Observation", &stage.server.system("system/*.cruds"), &record);
    assert_eq!((reply.status, reply.code().as_str()), (503, "AMANAT-UP-0003"), "{}", reply.text());
    let asked = stage.server.behind.as_ref().unwrap().asked();
    assert_eq!(asked[sent..], ["GET Patient/amanat-probe-nobody"], "the question alone");
}
