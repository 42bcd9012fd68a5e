//! Exactly once, under concurrency.

use super::{ALL, ward};
use crate::support::Reply;
use crate::support::records::observation;
use serde_json::json;
use std::thread::scope;

fn statuses(replies: &[Reply]) -> Vec<u16> {
    let mut all: Vec<u16> = replies.iter().map(|reply| reply.status).collect();
    all.sort_unstable();
    all
}

#[test]
fn sixty_four_conditional_creates_make_one_record() {
    let server = ward();
    let all = server.system(ALL);
    let body = observation("x", "p1", "laboratory");
    let create =
        || server.call("POST", "Observation").token(&all).header("If-None-Exist", "identifier=urn:obs%7Cx").json(&body).send();
    let replies: Vec<Reply> = scope(|threads| {
        let calls: Vec<_> = (0..64).map(|_| threads.spawn(create)).collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    let mut expected = vec![200; 63];
    expected.push(201);
    assert_eq!(statuses(&replies), expected);
    assert_eq!(server.get("Observation?identifier=urn:obs|x", &all).json()["total"], 1);
    let ids: Vec<_> = replies.iter().map(|reply| reply.json()["id"].clone()).collect();
    assert!(ids.iter().all(|id| *id == ids[0]));
}

#[test]
fn of_conditional_updates_that_race_one_creates_and_the_others_follow() {
    let server = ward();
    let all = server.system(ALL);
    let mut body = observation("x", "p1", "laboratory");
    body.as_object_mut().unwrap().remove("id");
    let update = || server.put("Observation?identifier=urn:obs|x", &all, &body);
    let replies: Vec<Reply> = scope(|threads| {
        let calls: Vec<_> = (0..64).map(|_| threads.spawn(update)).collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    assert_eq!(replies.iter().filter(|reply| reply.status == 201).count(), 1, "{:?}", statuses(&replies));
    assert!(replies.iter().all(|reply| matches!(reply.status, 200 | 201 | 409)), "{:?}", statuses(&replies));
    assert_eq!(server.get("Observation?identifier=urn:obs|x", &all).json()["total"], 1);
}

#[test]
fn of_updates_with_the_same_if_match_one_wins() {
    let server = ward();
    let all = server.system(ALL);
    let body = observation("o1", "p1", "laboratory");
    let update = || server.call("PUT", "Observation/o1").token(&all).header("If-Match", "W/\"1\"").json(&body).send();
    let replies: Vec<Reply> = scope(|threads| {
        let calls: Vec<_> = (0..16).map(|_| threads.spawn(update)).collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    let mut expected = vec![412; 15];
    expected.insert(0, 200);
    assert_eq!(statuses(&replies), expected);
    for lost in replies.iter().filter(|reply| reply.status != 200) {
        server.refused(lost, 412, "AMANAT-REC-0003", "input:version");
    }
    assert_eq!(server.get("Observation/o1", &all).header("etag"), Some("W/\"2\""));
}

#[test]
fn transactions_with_the_same_condition_make_one_record() {
    let server = ward();
    let all = server.system(ALL);
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": [{
        "fullUrl": "urn:uuid:1",
        "resource": observation("x", "p1", "laboratory"),
        "request": {"method": "POST", "url": "Observation", "ifNoneExist": "identifier=urn:obs|x"},
    }]});
    let replies: Vec<Reply> = scope(|threads| {
        let calls: Vec<_> = (0..64).map(|_| threads.spawn(|| server.post("", &all, &bundle))).collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    assert!(replies.iter().all(|reply| reply.status == 200), "{:?}", statuses(&replies));
    assert_eq!(server.get("Observation?identifier=urn:obs|x", &all).json()["total"], 1);
}

/// `AMANAT_ROUNDS` rounds of 64 clients that create under the same condition; a few dozen by themselves.
#[test]
fn round_after_round_of_sixty_four_conditional_creates_each_makes_one_record() {
    let rounds: usize = std::env::var("AMANAT_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(24);
    let server = ward();
    let all = server.system(ALL);
    for round in 0..rounds {
        let name = format!("round-{round}");
        let body = observation(&name, "p1", "laboratory");
        let condition = format!("identifier=urn:obs%7C{name}");
        let create = || server.call("POST", "Observation").token(&all).header("If-None-Exist", &condition).json(&body).send();
        let replies: Vec<Reply> = scope(|threads| {
            let calls: Vec<_> = (0..64).map(|_| threads.spawn(create)).collect();
            calls.into_iter().map(|call| call.join().unwrap()).collect()
        });
        assert_eq!(replies.iter().filter(|reply| reply.status == 201).count(), 1, "{:?}", statuses(&replies));
        assert!(replies.iter().all(|reply| matches!(reply.status, 200 | 201)), "{:?}", statuses(&replies));
        assert_eq!(server.get(&format!("Observation?identifier=urn:obs|{name}"), &all).json()["total"], 1, "{name}");
    }
    println!("{rounds} rounds of 64 clients, one record each");
}
