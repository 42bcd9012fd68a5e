//! A person who allowed an app something may wish not to be asked for the same again.

use super::visitor::{HOME, Visitor, app, clinic, exchange, furnish, query, request};
use crate::support::{Reply, Server};
use amanat::smart::Client;
use serde_json::json;

const SCOPE: &str = "launch/patient openid fhirUser patient/Patient.rs patient/Observation.rs";

/// Allows everything but for these fields, and ticks the wish.
fn allow_for_long(visitor: &mut Visitor<'_>, page: &Reply, off: &[&str]) -> Reply {
    let form = super::visitor::form(page.text(), "/authorize/answer");
    assert!(form.contains("id=\"remember\"") && !form.contains("id=\"remember\" checked"), "the wish is the person's own");
    let ticked: Vec<String> = super::visitor::ticks(&form).into_iter().filter(|tick| !off.contains(&tick.as_str())).collect();
    let mut fields: Vec<(&str, &str)> =
        ticked.iter().filter(|tick| *tick != "yes").map(|tick| ("allow", tick.as_str())).collect();
    fields.extend([("remember", "yes"), ("answer", "allow")]);
    visitor.submit(page, "/authorize/answer", &fields)
}

fn remembered<'s>(server: &'s Server, off: &[&str]) -> Visitor<'s> {
    let mut visitor = Visitor::signed_in(server, "amin");
    let page = visitor.open(&request(SCOPE, &[]));
    assert!(query(&allow_for_long(&mut visitor, &page, off)).contains_key("code"));
    visitor
}

/// Is the page shown?
fn asks(reply: &Reply) -> bool {
    reply.status == 200 && reply.text().contains("id=\"consent\"")
}

#[test]
fn the_same_app_is_not_asked_for_the_same_again() {
    let server = clinic();
    let mut visitor = remembered(&server, &[]);
    let reply = visitor.open(&request(SCOPE, &[]));
    let told = query(&reply);
    assert_eq!(told["state"], "s 1&=#é");
    let entry = server.trail_of(&reply).into_iter().find(|leaf| leaf["event"]["word"] == "authorized").unwrap();
    assert_eq!((&entry["reason"], &entry["patients"], &entry["outcome"]), (&json!("remembered"), &json!(["p1"]), &json!("0")));
    let tokens = exchange(&server, &told["code"]).expect(200).json();
    assert_eq!((&tokens["patient"], &tokens["scope"]), (&json!("p1"), &json!(SCOPE)));
    let silent = visitor.open(&request(SCOPE, &[("prompt", "none")]));
    assert!(query(&silent).contains_key("code"), "no page, and none is needed");
    let less = visitor.open(&request("launch/patient patient/Patient.rs", &[]));
    assert_eq!(exchange(&server, &query(&less)["code"]).expect(200).json()["scope"], "launch/patient patient/Patient.rs");
}

#[test]
fn more_is_always_asked_for() {
    let server = clinic();
    let mut visitor = remembered(&server, &[]);
    for more in [
        format!("{SCOPE} patient/Condition.rs"),
        format!("{SCOPE} offline_access"),
        SCOPE.replace("Observation.rs", "Observation.cruds"),
        "patient/*.rs".to_owned(),
    ] {
        assert!(asks(&visitor.open(&request(&more, &[]))), "{more}");
        let silent = visitor.open(&request(&more, &[("prompt", "none")]));
        assert_eq!(query(&silent)["error"], "interaction_required");
    }
    assert!(asks(&visitor.open(&request(SCOPE, &[("prompt", "consent")]))), "the app wants the page");
    let mut other = Visitor::signed_in(&server, "bano");
    assert!(asks(&other.open(&request(SCOPE, &[]))), "somebody else's consent");
}

#[test]
fn what_was_taken_back_stays_taken_back() {
    let server = clinic();
    let mut visitor = remembered(&server, &["s1"]);
    let told = query(&visitor.open(&request(SCOPE, &[])));
    let tokens = exchange(&server, &told["code"]).expect(200).json();
    assert_eq!(tokens["scope"], "launch/patient openid fhirUser patient/Patient.rs");
    assert!(asks(&visitor.open(&request("launch/patient patient/Observation.rs", &[]))));
}

#[test]
fn it_ends_in_time_with_the_password_and_when_the_person_says_so() {
    let server = clinic();
    let mut visitor = remembered(&server, &[]);
    let page = visitor.get("/account").expect(200);
    assert!(page.text().contains("ask-again") && page.text().contains("My Records"), "{}", page.text());
    let reply = visitor.submit(&page, "/account/ask-again", &[("client", "app")]);
    assert_eq!((reply.status, reply.header("location")), (303, Some("/account")));
    assert_eq!(server.trail_of(&reply)[0]["reason"], "remembered-consent");
    assert!(asks(&visitor.open(&request(SCOPE, &[]))));

    let mut visitor = remembered(&server, &[]);
    let page = visitor.get("/account").expect(200);
    let authorization =
        page.text().split("name=\"authorization\" value=\"").nth(1).map(|rest| rest.split('"').next().unwrap().to_owned());
    if let Some(authorization) = authorization {
        visitor.submit(&page, "/account/disconnect", &[("authorization", &authorization)]).expect(200);
    } else {
        let code = query(&visitor.open(&request(SCOPE, &[])))["code"].clone();
        exchange(&server, &code).expect(200);
        let page = visitor.get("/account").expect(200);
        let rest = page.text().split("name=\"authorization\" value=\"").nth(1).unwrap().to_owned();
        visitor.submit(&page, "/account/disconnect", &[("authorization", rest.split('"').next().unwrap())]).expect(200);
    }
    assert!(asks(&visitor.open(&request(SCOPE, &[]))), "who disconnects an app is asked again");

    remembered(&server, &[]);
    server.wait(30 * 24 * 3600 + 1);
    let mut visitor = Visitor::signed_in(&server, "amin");
    assert!(asks(&visitor.open(&request(SCOPE, &[]))), "thirty days");
}

#[test]
fn only_where_nobody_can_stand_in_for_the_app_and_the_site_wants_it() {
    let server = clinic();
    let mut visitor = Visitor::signed_in(&server, "amin");
    let at_home = visitor.open(&request(SCOPE, &[("redirect_uri", "http://127.0.0.1:8765/callback")]));
    assert!(asks(&at_home) && !at_home.text().contains("id=\"remember\""));
    // Whoever sends the field all the same is not heard.
    let form = super::visitor::form(at_home.text(), "/authorize/answer");
    let ticked = super::visitor::ticks(&form);
    let mut fields: Vec<(&str, &str)> = ticked.iter().map(|tick| ("allow", tick.as_str())).collect();
    fields.extend([("remember", "yes"), ("answer", "allow")]);
    assert!(query(&visitor.submit(&at_home, "/authorize/answer", &fields)).contains_key("code"));
    assert!(asks(&visitor.open(&request(SCOPE, &[("redirect_uri", "http://127.0.0.1:8765/callback")]))));

    let never = Server::with("Policy-all-normal", "[smart]\nremember_consent_days = 0");
    furnish(&never);
    never.seed(&[json!({"resourceType": "Patient", "id": "p1"})]);
    let page = Visitor::signed_in(&never, "amin").open(&request(SCOPE, &[]));
    assert!(asks(&page) && !page.text().contains("id=\"remember\""));
}

#[test]
fn another_address_of_the_app_is_another_question() {
    let server = clinic();
    let elsewhere = "https://app.example/other".to_owned();
    server.change_client("app", |client| Client { redirect_uris: vec![HOME.to_owned(), elsewhere.clone()], ..client });
    let mut visitor = remembered(&server, &[]);
    assert!(asks(&visitor.open(&request(SCOPE, &[("redirect_uri", &elsewhere)]))));
    server.register(app("twin"));
    assert!(asks(&visitor.open(&request(SCOPE, &[("client_id", "twin")]))));
}
