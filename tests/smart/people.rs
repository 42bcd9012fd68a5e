//! People who sign in.

use super::visitor::{PASSWORD, Visitor, clinic, request};
use serde_json::json;

fn try_password(visitor: &mut Visitor<'_>, username: &str, password: &str) -> crate::support::Reply {
    let page = visitor.get("/sign-in");
    visitor.submit(&page, "/sign-in", &[("username", username), ("password", password)])
}

#[test]
fn a_wrong_password_and_an_unknown_name_look_the_same() {
    let server = clinic();
    let mut visitor = Visitor::new(&server);
    let wrong = try_password(&mut visitor, "amin", "wrong").expect(200);
    let unknown = try_password(&mut visitor, "nobody", "wrong").expect(200);
    assert_eq!(wrong.text().replace("amin", "*"), unknown.text().replace("nobody", "*"));
    let entry = &server.trail_of(&wrong)[0];
    assert_eq!(
        (&entry["event"]["word"], &entry["outcome"], &entry["reason"]),
        (&json!("login"), &json!("8"), &json!("sign-in:wrong"))
    );
    assert!(!entry.to_string().contains("wrong\",\"p"), "no password in the trail");
}

#[test]
fn an_account_closes_after_five_failures_and_opens_again() {
    let server = clinic();
    let mut visitor = Visitor::new(&server);
    for _ in 0..5 {
        try_password(&mut visitor, "amin", "wrong");
    }
    let closed = try_password(&mut visitor, "amin", PASSWORD).expect(200);
    assert!(closed.text().contains("Too many attempts"));
    server.wait(31);
    try_password(&mut visitor, "amin", PASSWORD).expect(303);
}

#[test]
fn sign_in_and_sign_out_are_entered() {
    let server = clinic();
    let mut visitor = Visitor::signed_in(&server, "amin");
    let page = visitor.get("/account").expect(200);
    assert!(page.text().contains("this browser"));
    visitor.submit(&page, "/sign-out", &[]).expect(303);
    assert_eq!(visitor.get("/account").header("location"), Some("/sign-in"));
    let words: Vec<String> = server
        .trail()
        .iter()
        .filter(|leaf| leaf["event"]["kind"] == "sign-on")
        .map(|leaf| leaf["event"]["word"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(words, ["login", "logout"]);
}

#[test]
fn a_session_of_another_browser_can_be_ended() {
    let server = clinic();
    let mut here = Visitor::signed_in(&server, "amin");
    let mut there = Visitor::signed_in(&server, "amin");
    let page = here.get("/account");
    let session = page.text().split("name=\"session\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    here.submit(&page, "/account/sign-out", &[("session", &session)]).expect(303);
    assert_eq!(there.get("/account").header("location"), Some("/sign-in"));
    assert_eq!(here.get("/account").status, 200);
}

#[test]
fn a_phone_becomes_the_second_factor() {
    let server = clinic();
    let mut visitor = Visitor::signed_in(&server, "khan");
    let page = visitor.get("/account/phone").expect(200);
    let secret = page.text().split("id=\"secret\" dir=\"ltr\">").nth(1).unwrap().split('<').next().unwrap().to_owned();
    assert!(visitor.submit(&page, "/account/phone", &[("code", "000000")]).text().contains("id=\"fault\""));
    let code = amanat::smart::totp::code(&secret, server.clock.now()).unwrap();
    let done = visitor.submit(&page, "/account/phone", &[("code", &code)]).expect(200);
    assert!(done.text().contains("id=\"recovery\""));
    let recovery = done.text().split("<code>").nth(1).unwrap().split('<').next().unwrap().to_owned();

    let mut other = Visitor::new(&server);
    let page = other.open(&request("openid user/Patient.rs", &[]));
    let reply = other.submit(&page, "/sign-in", &[("username", "khan"), ("password", PASSWORD)]);
    let page = other.follow(reply);
    assert!(page.text().contains("id=\"code-form\""), "half signed in is not signed in: {}", page.text());
    assert!(other.get("/account").header("location").is_some());
    assert!(other.submit(&page, "/sign-in/code", &[("code", &code)]).text().contains("id=\"fault\""), "used");
    server.wait(30);
    let code = amanat::smart::totp::code(&secret, server.clock.now()).unwrap();
    let reply = other.submit(&page, "/sign-in/code", &[("code", &code)]).expect(303);
    let consent = other.follow(reply);
    assert!(consent.text().contains("id=\"consent\""));
    let code = super::visitor::query(&other.allow(&consent)).remove("code").unwrap();
    let tokens = super::visitor::exchange(&server, &code).expect(200).json();
    let claims = super::visitor::claims(super::visitor::text(&tokens, "id_token"));
    assert_eq!((&claims["acr"], &claims["amr"]), (&json!("urn:amanat:acr:two-factor"), &json!(["pwd", "otp", "mfa"])));

    let mut lost = Visitor::new(&server);
    try_password(&mut lost, "khan", PASSWORD).expect(303);
    let page = lost.get("/sign-in");
    lost.submit(&page, "/sign-in/code", &[("code", &recovery)]).expect(303);
    lost.get("/account").expect(200);
}

#[test]
fn a_stronger_sign_in_can_be_asked_for() {
    let server = clinic();
    let mut visitor = Visitor::signed_in(&server, "amin");
    let asked = request("openid patient/Patient.rs", &[("acr_values", "urn:amanat:acr:two-factor")]);
    let page = visitor.open(&asked);
    assert!(page.text().contains("id=\"password\""), "weaker than what is asked");
    let reply = visitor.submit(&page, "/sign-in", &[("username", "amin"), ("password", PASSWORD)]);
    assert!(visitor.follow(reply).text().contains("id=\"consent\""), "who has nothing stronger is not asked for ever");
}
