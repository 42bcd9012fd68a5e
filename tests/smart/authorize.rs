//! The authorization endpoint.

use super::visitor::{HOME, PASSWORD, Visitor, account, clinic, exchange, query, request, text};
use crate::support::{BASE, Reply, Server};
use serde_json::json;

fn refused(server: &Server, reply: &Reply, error: &str) {
    assert_eq!(reply.status, 303, "{}", reply.text());
    assert!(reply.header("location").unwrap().starts_with(&format!("{HOME}?")), "{:?}", reply.headers);
    let told = query(reply);
    assert_eq!(told.get("error").map(String::as_str), Some(error), "{told:?}");
    assert_eq!(
        (told.get("state").map(String::as_str), told.get("iss").map(String::as_str)),
        (Some("s 1&=#é"), Some(BASE)),
        "A-3, A-12"
    );
    assert!(told.contains_key("error_description") && !told.contains_key("code"));
    let entries = server.trail_of(reply);
    assert!(entries.iter().any(|entry| entry["event"]["kind"] == "sign-on" && entry["outcome"] == "4"), "{entries:?}");
}

#[test]
fn a1_get_and_post_are_the_same() {
    let server = clinic();
    let asked = request("patient/Patient.rs", &[]);
    let by_get = Visitor::new(&server).get(&format!("/authorize?{asked}")).expect(303);
    let by_post = Visitor::new(&server).post("/authorize", &asked).expect(303);
    for reply in [by_get, by_post] {
        let to = reply.header("location").unwrap().to_owned();
        assert!(to.starts_with("/authorize/continue?request="), "{to}");
        let page = Visitor::new(&server).get(&to).expect(200);
        assert!(page.text().contains("id=\"username\"") && page.text().contains("My Records"));
    }
}

#[test]
fn a3_success_brings_a_code_and_the_state_to_the_byte() {
    let server = clinic();
    let long = "x".repeat(1000);
    for state in ["s 1&=#é", "%2B+/?", "ریکارڈ", long.as_str()] {
        let mut visitor = Visitor::new(&server);
        let page = visitor.reach_consent(&request("patient/Patient.rs", &[("state", state)]), "amin");
        let told = query(&visitor.allow(&page).expect(303));
        assert_eq!(told["state"], state);
        assert!(told["code"].len() >= 22, "A-9: 128 bits");
        assert_eq!(told["iss"], BASE, "A-12");
    }
}

#[test]
fn a4_a5_a7_a13_faults_are_told_the_app() {
    let server = clinic();
    for (change, error) in [
        (("code_challenge", ""), "invalid_request"),
        (("code_challenge_method", ""), "invalid_request"),
        (("code_challenge_method", "plain"), "invalid_request"),
        (("aud", ""), "invalid_request"),
        (("aud", "https://elsewhere.example/fhir"), "invalid_request"),
        (("response_type", "token"), "unsupported_response_type"),
        (("response_type", "id_token"), "unsupported_response_type"),
        (("response_type", "code token"), "unsupported_response_type"),
        (("scope", "nonsense system/*.rs"), "invalid_scope"),
        (("request", "x"), "request_not_supported"),
        (("request_uri", "urn:x"), "request_uri_not_supported"),
        (("prompt", "none"), "login_required"),
    ] {
        let reply = Visitor::new(&server).open(&request("patient/Patient.rs", &[change]));
        refused(&server, &reply, error);
    }
    let slash = format!("{BASE}/");
    assert_eq!(Visitor::new(&server).open(&request("patient/Patient.rs", &[("aud", &slash)])).status, 200, "A-5");
}

#[test]
fn a6_nobody_is_sent_to_an_address_that_is_not_registered() {
    let server = clinic();
    for change in [
        ("client_id", ""),
        ("client_id", "unknown"),
        ("redirect_uri", ""),
        ("redirect_uri", "https://evil.example/callback"),
        ("redirect_uri", "https://app.example/callback/"),
        ("redirect_uri", "https://app.example/callback/more"),
        ("redirect_uri", "https://app.example/callback?more=1"),
        ("redirect_uri", "https://app.example/CALLBACK"),
        ("redirect_uri", "https://app.example/call%62ack"),
        ("redirect_uri", "https://user@app.example/callback"),
        ("redirect_uri", "https://app.example.evil.example/callback"),
    ] {
        let reply = Visitor::new(&server).open(&request("patient/Patient.rs", &[change])).expect(400);
        assert!(
            reply.header("location").is_none() && reply.header("content-type").unwrap().starts_with("text/html"),
            "{change:?}"
        );
        assert!(reply.text().contains("id=\"fault\""));
        let entry = &server.trail_of(&reply)[0];
        assert!(entry["reason"].as_str().unwrap().starts_with("authorize:"), "{entry}");
    }
    let other_port = request("patient/Patient.rs", &[("redirect_uri", "http://127.0.0.1:50123/callback")]);
    assert_eq!(Visitor::new(&server).open(&other_port).status, 200, "RFC 8252 § 7.3");
}

#[test]
fn a7_who_says_no_or_cancels_sends_access_denied() {
    let server = clinic();
    let mut visitor = Visitor::new(&server);
    let page = visitor.reach_consent(&request("patient/Patient.rs", &[]), "amin");
    let reply = visitor.submit(&page, "/authorize/answer", &[("answer", "refuse")]);
    refused(&server, &reply, "access_denied");
    let mut visitor = Visitor::new(&server);
    let page = visitor.open(&request("patient/Patient.rs", &[]));
    let reply = visitor.submit(&page, "/authorize/answer", &[("answer", "refuse")]);
    refused(&server, &reply, "access_denied");
}

#[test]
fn a10_a_code_serves_once_and_its_second_use_ends_what_it_brought() {
    let server = clinic();
    let code = Visitor::new(&server).code(&request("patient/Patient.rs offline_access", &[]), "amin");
    let first = exchange(&server, &code).expect(200).json();
    server.get("Patient/p1", text(&first, "access_token")).expect(200);
    server.wait(30);
    let again = exchange(&server, &code).expect(400);
    assert_eq!(again.json()["error"], "invalid_grant");
    assert_eq!(server.trail_of(&again)[0]["reason"], "grant:code-reused");
    server.refused(&server.get("Patient/p1", text(&first, "access_token")), 401, "AMANAT-AUTH-0002", "token:revoked");
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", text(&first, "refresh_token")), ("client_id", "app")];
    assert_eq!(super::visitor::ask(&server, &refresh).expect(400).json()["error"], "invalid_grant");
}

#[test]
fn a9_a_code_lasts_sixty_seconds() {
    let server = clinic();
    let code = Visitor::new(&server).code(&request("patient/Patient.rs", &[]), "amin");
    server.wait(61);
    let reply = exchange(&server, &code).expect(400);
    assert_eq!(
        (&reply.json()["error"], &server.trail_of(&reply)[0]["reason"]),
        (&json!("invalid_grant"), &json!("grant:code-expired"))
    );
}

#[test]
fn a11_pages_are_framed_by_nobody_and_kept_by_nobody() {
    let server = clinic();
    let mut visitor = Visitor::new(&server);
    let page = visitor.open(&request("patient/Patient.rs", &[])).expect(200);
    assert_eq!(page.header("x-frame-options"), Some("DENY"));
    assert_eq!((page.header("cache-control"), page.header("referrer-policy")), (Some("no-store"), Some("no-referrer")));
    let policy = page.header("content-security-policy").unwrap();
    assert!(
        policy.contains("frame-ancestors 'none'") && policy.contains("default-src 'none'") && !policy.contains("unsafe"),
        "{policy}"
    );
    assert!(policy.contains("form-action 'self' https://app.example;"), "the answer redirects to the app: {policy}");
    // What passkeys need comes as a file of its own.
    let scripts = |form: &str| page.text().matches(form).count();
    assert_eq!(scripts("<script"), scripts("<script type=\"module\" src=\"/"), "no inline script");
    assert!(!page.text().contains("style="), "no inline style");
    let cookie = visitor.cookie("__Host-amanat-form").unwrap().clone();
    for form in ["username=amin&password=x", "username=amin&password=x&form_token=wrong"] {
        let reply = visitor.post("/sign-in", form).expect(403);
        assert!(reply.text().contains("form-foreign"));
    }
    let mut other = Visitor::new(&server);
    other.get("/sign-in");
    assert_ne!(other.cookie("__Host-amanat-form"), Some(&cookie));
    let reply = other.submit(&page, "/sign-in", &[("username", "amin"), ("password", PASSWORD)]).expect(403);
    assert!(reply.header("set-cookie").is_none(), "a form of one browser is not one of another");
    let foreign = server.call("POST", "/sign-in").header("Sec-Fetch-Site", "cross-site").form("username=amin").send();
    assert_eq!(foreign.status, 403);
}

#[test]
fn a11_the_session_has_a_new_name_after_each_sign_in() {
    let server = clinic();
    let mut visitor = Visitor::signed_in(&server, "amin");
    let first = visitor.cookie("__Host-amanat-session").unwrap().clone();
    let page = visitor.open(&request("patient/Patient.rs", &[("prompt", "login")]));
    let reply = visitor.submit(&page, "/sign-in", &[("username", "amin"), ("password", PASSWORD)]);
    assert_eq!(reply.status, 303);
    assert_ne!(visitor.cookie("__Host-amanat-session").unwrap(), &first);
    let mut thief = Visitor::new(&server);
    let old = server.call("GET", "/account").header("Cookie", &format!("__Host-amanat-session={first}")).send();
    assert_eq!(old.header("location"), Some("/sign-in"), "the old name opens nothing");
    assert_eq!(thief.get("/account").header("location"), Some("/sign-in"));
}

#[test]
fn a14_prompt_and_max_age_are_kept_to_and_auth_time_tells() {
    let server = clinic();
    let mut visitor = Visitor::signed_in(&server, "amin");
    let scope = "openid fhirUser patient/Patient.rs";
    let reply = visitor.open(&request(scope, &[("prompt", "none")]));
    refused(&server, &reply, "interaction_required");
    let page = visitor.open(&request(scope, &[]));
    assert!(page.text().contains("id=\"consent\""), "signed in: asked at once");
    assert!(visitor.open(&request(scope, &[("prompt", "login")])).text().contains("id=\"password\""));
    server.wait(100);
    assert!(visitor.open(&request(scope, &[("max_age", "1000")])).text().contains("id=\"consent\""));
    let page = visitor.open(&request(scope, &[("max_age", "60")]));
    assert!(page.text().contains("id=\"password\""));
    let reply = visitor.submit(&page, "/sign-in", &[("username", "amin"), ("password", PASSWORD)]);
    let page = visitor.follow(reply);
    let code = query(&visitor.allow(&page)).remove("code").unwrap();
    let tokens = exchange(&server, &code).expect(200).json();
    let id_token = super::visitor::claims(text(&tokens, "id_token"));
    assert_eq!(id_token["auth_time"], json!(super::visitor::seconds(&server)));
    let hinted = [("id_token_hint", text(&tokens, "id_token")), ("prompt", "none")];
    let mut other = Visitor::signed_in(&server, "bano");
    refused(&server, &other.open(&request(scope, &hinted)), "login_required");
}

#[test]
fn a16_the_picker_is_shown_when_there_is_somebody_to_choose() {
    let server = clinic();
    let parent = account("parent", "Patient/p1");
    server.add_account(&amanat::smart::Account { patients: vec!["p2".to_owned()], ..parent });
    let scope = "launch/patient patient/Patient.rs offline_access";
    let mut visitor = Visitor::new(&server);
    let alone = visitor.reach_consent(&request(scope, &[]), "amin");
    assert!(alone.text().contains("id=\"consent\"") && alone.text().contains("Amin"), "one: no picker");
    assert!(alone.text().contains("id=\"offline-notice\"") && alone.text().contains("Come back without you"));
    let mut visitor = Visitor::new(&server);
    let picker = visitor.reach_consent(&request(scope, &[]), "parent");
    assert!(picker.text().contains("id=\"patient-p1\"") && picker.text().contains("id=\"patient-p2\""), "{}", picker.text());
    let reply = visitor.submit(&picker, "/authorize/patient", &[("patient", "p2")]);
    let page = visitor.follow(reply);
    assert!(page.text().contains("Bano"));
    let code = query(&visitor.allow(&page)).remove("code").unwrap();
    assert_eq!(exchange(&server, &code).expect(200).json()["patient"], "p2");
    let mut visitor = Visitor::new(&server);
    let picker = visitor.reach_consent(&request(scope, &[]), "parent");
    let reply = visitor.submit(&picker, "/authorize/patient", &[("patient", "p3")]);
    assert!(visitor.follow(reply).text().contains("id=\"patient-p1\""), "nobody else can be chosen");
}

#[test]
fn a16_a_clinician_looks_for_the_patient() {
    let server = clinic();
    let mut visitor = Visitor::new(&server);
    let picker = visitor.reach_consent(&request("launch/patient patient/Observation.rs", &[]), "khan");
    assert!(picker.text().contains("id=\"patient-search\"") && picker.text().contains("id=\"patient-p1\""), "{}", picker.text());
    let entries = server.trail_of(&picker);
    assert!(
        entries.iter().any(|entry| entry["event"]["word"] == "search-type" && entry["outcome"] == "0"),
        "the look is entered: {entries:?}"
    );
    let handle = picker.text().split("name=\"request\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let found = visitor.get(&format!("/authorize/continue?request={handle}&name=bano&born="));
    assert!(found.text().contains("id=\"patient-p2\"") && !found.text().contains("id=\"patient-p1\""));
    let none = visitor.get(&format!("/authorize/continue?request={handle}&name=%2C%24%7Cx&born=never"));
    assert!(none.text().contains("id=\"nobody\""), "{}", none.text());
    let reply = visitor.submit(&found, "/authorize/patient", &[("patient", "p2")]);
    let page = visitor.follow(reply);
    let code = query(&visitor.allow(&page)).remove("code").unwrap();
    let tokens = exchange(&server, &code).expect(200).json();
    server.get("Observation/o2", text(&tokens, "access_token")).expect(200);
    server.get("Observation/o1", text(&tokens, "access_token")).expect(404);
    assert_eq!(
        super::visitor::claims(text(&tokens, "access_token"))["extensions"]["hl7-b2b"]["purpose_of_use"],
        json!(["TREAT"])
    );
}

#[test]
fn a17_the_back_button_and_a_second_answer_are_safe() {
    let server = clinic();
    let mut visitor = Visitor::new(&server);
    let page = visitor.reach_consent(&request("patient/Patient.rs", &[]), "amin");
    let first = visitor.allow(&page).expect(303);
    let second = visitor.allow(&page).expect(400);
    assert!(second.text().contains("request-over"));
    exchange(&server, &query(&first)["code"]).expect(200);
    let mut visitor = Visitor::new(&server);
    let page = visitor.reach_consent(&request("patient/Patient.rs", &[]), "amin");
    server.wait(1801);
    assert!(visitor.allow(&page).expect(400).text().contains("request-over"), "it expires");
}

#[test]
fn a18_a_scope_of_thirty_two_kilobytes_works_by_post() {
    let server = clinic();
    let mut scope = String::from("patient/Patient.rs");
    while scope.len() < 32 << 10 {
        scope.push_str(" patient/Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory");
    }
    let mut visitor = Visitor::new(&server);
    let reply = visitor.post("/authorize", &request(&scope, &[])).expect(303);
    assert_eq!(visitor.follow(reply).status, 200);
}

#[test]
fn a19_no_script_reads_the_authorization_endpoint() {
    let server = clinic();
    let asked = request("patient/Patient.rs", &[]);
    for method in ["GET", "OPTIONS"] {
        let reply = server.call(method, &format!("/authorize?{asked}")).header("Origin", "https://app.example").send();
        assert_eq!(reply.header("access-control-allow-origin"), None, "{method}");
    }
}

#[test]
fn l3_without_a_patient_there_is_no_token() {
    let server = clinic();
    server.add_account(&account("ghost", "Patient/p9"));
    let reply = Visitor::new(&server).reach_consent(&request("patient/Patient.rs", &[]), "ghost");
    refused(&server, &reply, "access_denied");
}

#[test]
fn bp1_sign_in_leads_nowhere_else() {
    let server = clinic();
    let mut visitor = Visitor::new(&server);
    let page = visitor.get("/sign-in");
    let fields =
        [("username", "amin"), ("password", PASSWORD), ("request", "https://evil.example"), ("next", "https://evil.example")];
    let reply = visitor.submit(&page, "/sign-in", &fields).expect(400);
    assert!(reply.header("location").is_none());
}

#[test]
fn a2_what_is_not_known_is_not_looked_at() {
    let server = clinic();
    let mut visitor = Visitor::new(&server);
    let asked =
        request("openid fhirUser patient/Patient.rs", &[("foo", "bar"), ("claims", "{}"), ("idp", "https://idp.example")]);
    assert!(exchange(&server, &visitor.code(&asked, "amin")).expect(200).json()["access_token"].is_string());
}

#[test]
fn a12_every_answer_says_who_gives_it() {
    let server = clinic();
    let mut visitor = Visitor::new(&server);
    let page = visitor.reach_consent(&request("patient/Patient.rs", &[]), "amin");
    assert_eq!(query(&visitor.allow(&page))["iss"], BASE);
    let page = visitor.open(&request("patient/Patient.rs", &[]));
    let refused = visitor.submit(&page, "/authorize/answer", &[("answer", "refuse")]);
    assert_eq!((query(&refused)["iss"].as_str(), query(&refused)["error"].as_str()), (BASE, "access_denied"));
    let wrong = visitor.open(&request("patient/Patient.rs", &[("response_type", "token")]));
    assert_eq!((query(&wrong)["iss"].as_str(), query(&wrong)["error"].as_str()), (BASE, "unsupported_response_type"));
}

#[test]
fn bp6_no_page_posts_a_message_to_another_window() {
    let server = clinic();
    let mut visitor = Visitor::new(&server);
    let sign_in = visitor.get("/sign-in").expect(200);
    let consent = visitor.reach_consent(&request("patient/Patient.rs", &[]), "amin");
    let account = visitor.get("/account").expect(200);
    let script =
        sign_in.text().split("<script type=\"module\" src=\"").nth(1).map(|rest| rest.split('"').next().unwrap().to_owned());
    let script = visitor.get(&script.expect("the script of passkeys")).expect(200);
    for page in [&sign_in, &consent, &account, &script] {
        assert!(!page.text().contains("postMessage") && !page.text().contains("window.opener"), "{}", page.text());
    }
}
