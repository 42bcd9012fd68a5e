//! Refresh tokens.

use super::visitor::{Visitor, ask, clinic, exchange, request, text, tokens};
use crate::support::{Reply, Server};
use serde_json::json;

const SCOPE: &str = "launch/patient offline_access patient/Patient.rs patient/Observation.rs";

fn refreshed(server: &Server, token: &str, more: &[(&str, &str)]) -> Reply {
    let fields: Vec<_> =
        [("grant_type", "refresh_token"), ("refresh_token", token)].into_iter().chain(more.iter().copied()).collect();
    ask(server, &fields)
}

fn invalid(reply: &Reply) {
    assert_eq!((reply.status, &reply.json()["error"]), (400, &json!("invalid_grant")), "{}", reply.text());
}

#[test]
fn r1_r2_offline_access_brings_a_refresh_token_that_works() {
    let server = clinic();
    assert!(tokens(&server, "amin", "patient/Patient.rs").get("refresh_token").is_none());
    let first = tokens(&server, "amin", SCOPE);
    server.wait(3600);
    let reply = refreshed(&server, text(&first, "refresh_token"), &[("client_id", "app")]).expect(200);
    assert_eq!((reply.header("cache-control"), reply.header("pragma")), (Some("no-store"), Some("no-cache")));
    let told = reply.json();
    assert_eq!(
        (&told["scope"], &told["token_type"], &told["patient"]),
        (&first["scope"], &json!("Bearer"), &json!("p1")),
        "L-10"
    );
    assert!(told["expires_in"].is_u64());
    server.get("Patient/p1", text(&told, "access_token")).expect(200);
    let same = refreshed(&server, text(&told, "refresh_token"), &[("client_id", "app"), ("scope", text(&first, "scope"))]);
    same.expect(200);
}

#[test]
fn r1_online_access_ends_with_the_session() {
    let server = clinic();
    let mut visitor = Visitor::signed_in(&server, "amin");
    let told = exchange(&server, &visitor.code(&request("online_access patient/Patient.rs", &[]), "amin")).expect(200).json();
    let next = refreshed(&server, text(&told, "refresh_token"), &[]).expect(200).json();
    let page = visitor.get("/account");
    visitor.submit(&page, "/sign-out", &[]).expect(303);
    assert_eq!(server.get("Patient/p1", text(&next, "access_token")).status, 401);
    invalid(&refreshed(&server, text(&next, "refresh_token"), &[]));
}

#[test]
fn r3_a_refresh_can_ask_for_less_and_not_for_more() {
    let server = clinic();
    let first = tokens(&server, "amin", SCOPE);
    let less = refreshed(&server, text(&first, "refresh_token"), &[("scope", "patient/Patient.r")]).expect(200).json();
    assert_eq!(less["scope"], "patient/Patient.r");
    assert_eq!(server.get("Observation?_id=o1", text(&less, "access_token")).status, 403);
    for more in ["patient/*.rs", "patient/Condition.rs", "patient/Patient.cruds", "openid"] {
        let reply = refreshed(&server, text(&less, "refresh_token"), &[("scope", more)]);
        assert_eq!((reply.status, &reply.json()["error"]), (400, &json!("invalid_scope")), "{more}");
    }
    refreshed(&server, text(&less, "refresh_token"), &[]).expect(200);
}

#[test]
fn r4_a_public_app_need_not_name_itself_and_nobody_else_can_use_its_token() {
    let server = clinic();
    server.register(super::visitor::app("other"));
    let first = tokens(&server, "amin", SCOPE);
    invalid(&refreshed(&server, text(&first, "refresh_token"), &[("client_id", "other")]));
    let told = refreshed(&server, text(&first, "refresh_token"), &[]).expect(200).json();
    server.get("Patient/p1", text(&told, "access_token")).expect(200);
}

#[test]
fn r5_each_use_changes_the_token_and_a_copy_ends_the_family() {
    let server = clinic();
    let first = tokens(&server, "amin", SCOPE);
    let second = refreshed(&server, text(&first, "refresh_token"), &[]).expect(200).json();
    assert_ne!(second["refresh_token"], first["refresh_token"]);
    server.wait(59);
    let lost = refreshed(&server, text(&first, "refresh_token"), &[]).expect(200).json();
    assert_eq!(lost["refresh_token"], second["refresh_token"], "a lost answer is given again");
    let third = refreshed(&server, text(&second, "refresh_token"), &[]).expect(200).json();
    server.wait(61);
    let reuse = refreshed(&server, text(&first, "refresh_token"), &[]);
    invalid(&reuse);
    assert_eq!(server.trail_of(&reuse)[0]["reason"], "grant:refresh-reused");
    invalid(&refreshed(&server, text(&third, "refresh_token"), &[]));
    server.refused(&server.get("Patient/p1", text(&third, "access_token")), 401, "AMANAT-AUTH-0002", "token:revoked");
}

#[test]
fn r6_a_refresh_token_holds_three_months_from_its_last_use() {
    let server = clinic();
    let mut told = tokens(&server, "amin", SCOPE);
    for _ in 0..3 {
        server.wait(92 * 24 * 3600);
        told = refreshed(&server, text(&told, "refresh_token"), &[]).expect(200).json();
    }
    server.wait(101 * 24 * 3600);
    invalid(&refreshed(&server, text(&told, "refresh_token"), &[]));
}

#[test]
fn r7_what_is_no_refresh_token_is_refused() {
    let server = clinic();
    for wrong in ["", "x", "a.b", &format!("{}.{}", "a".repeat(32), "b".repeat(43))] {
        let reply = refreshed(&server, wrong, &[("client_id", "app")]);
        assert_eq!(reply.status, 400, "{wrong}: {}", reply.text());
    }
    invalid(&refreshed(&server, "nothing-like-it", &[]));
}

#[test]
fn r9_who_is_locked_out_or_changes_the_password_takes_the_tokens_along() {
    let server = clinic();
    let first = tokens(&server, "amin", SCOPE);
    server.lock_account("amin");
    invalid(&refreshed(&server, text(&first, "refresh_token"), &[]));
    let other = tokens(&server, "bano", SCOPE);
    server.disable("app");
    let reply = refreshed(&server, text(&other, "refresh_token"), &[]);
    assert_eq!(reply.status, 401, "{}", reply.text());
    server.refused(&server.get("Patient/p2", text(&other, "access_token")), 401, "AMANAT-AUTH-0002", "token:client-disabled");
}
