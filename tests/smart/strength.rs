//! How strong a sign-in is, what needs a strong one, and the keys behind the tokens.

use super::visitor::{Visitor, claims, clinic, exchange, furnish, request, text, tokens};
use crate::support::Server;
use serde_json::json;

const STEP_UP: &str = "[smart.step_up]\nneeded_for = [\"export\", \"administration\", \"delete\"]\nmax_age_seconds = 120";

#[test]
fn a14_what_the_site_names_needs_a_fresh_and_strong_sign_in() {
    let server = Server::with("Policy-all-normal", STEP_UP);
    furnish(&server);
    server.seed(&[json!({"resourceType": "Patient", "id": "p1"})]);
    let told = tokens(&server, "khan", "openid user/*.cruds user/AuditEvent.rs");
    let token = text(&told, "access_token");
    server.get("Patient/p1", token).expect(200);
    for (method, path) in [("GET", "_history"), ("GET", "AuditEvent?_count=1"), ("DELETE", "Patient/p1")] {
        let reply = server.call(method, path).token(token).send();
        server.refused(&reply, 401, "AMANAT-AUTH-0004", "step-up");
        let challenge = reply.header("www-authenticate").unwrap();
        assert!(challenge.contains("error=\"insufficient_user_authentication\""), "{challenge}");
        assert!(challenge.contains("acr_values=\"urn:amanat:acr:two-factor urn:amanat:acr:passkey\""), "{challenge}");
        assert!(challenge.contains("max_age=\"120\""), "{challenge}");
    }
    let machine = server.system("system/*.rs");
    server.get("_history", &machine).expect(200);
    let strong = |minutes: i64| {
        let at = server.clock.now().seconds() - minutes * 60;
        server.token(json!({
            "scope": "user/*.rs", "fhirUser": "Practitioner/d1", "acr": "urn:amanat:acr:two-factor", "auth_time": at,
        }))
    };
    server.get("_history", &strong(1)).expect(200);
    server.refused(&server.get("_history", &strong(3)), 401, "AMANAT-AUTH-0004", "step-up");
}

#[test]
fn o5_keys_change_without_a_token_lost_and_a_lost_key_counts_no_more() {
    let server = clinic();
    let told = tokens(&server, "amin", "launch/patient openid patient/Patient.rs");
    let old = text(&told, "access_token").to_owned();
    let kid = |token: &str| {
        use base64::Engine as _;
        let header = token.split('.').next().unwrap();
        let header = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(header).unwrap();
        serde_json::from_slice::<serde_json::Value>(&header).unwrap()["kid"].as_str().unwrap().to_owned()
    };
    let published = || server.call("GET", "/.well-known/jwks.json").send().text().to_owned();
    let new = server.rotate_keys(false);
    assert!(new.iter().all(|id| published().contains(id)) && published().contains(&kid(&old)));
    assert!(!new.contains(&kid(text(&tokens(&server, "amin", "openid"), "access_token"))), "first seen, then used");
    server.wait(301);
    server.inside(|gateway| async move { gateway.refresh().await });
    let told = tokens(&server, "amin", "launch/patient openid patient/Patient.rs");
    assert_eq!(kid(text(&told, "access_token")), new[0]);
    assert_eq!(kid(text(&told, "id_token")), new[1]);
    server.get("Patient/p1", text(&told, "access_token")).expect(200);
    server.get("Patient/p1", &old).expect(200);
    assert!(published().contains(&kid(&old)));
    let newer = server.rotate_keys(true);
    assert!(!published().contains(&kid(&old)) && published().contains(&newer[0]));
    assert_eq!(server.get("Patient/p1", &old).expect(401).code(), "AMANAT-AUTH-0002");
}

#[test]
fn a14_an_app_asks_for_a_strong_sign_in_and_the_token_tells_what_it_got() {
    let server = clinic();
    let mut visitor = Visitor::signed_in(&server, "amin");
    let asked = request("launch/patient patient/Patient.rs", &[("acr_values", "urn:amanat:acr:two-factor"), ("max_age", "60")]);
    let page = visitor.open(&asked);
    assert!(page.text().contains("id=\"password\""), "too weak a sign-in is asked for again");
    let code = visitor.code(&asked, "amin");
    let told = exchange(&server, &code).expect(200).json();
    assert_eq!(claims(text(&told, "access_token"))["acr"], "urn:amanat:acr:password");
}

#[test]
fn a_password_from_a_known_breach_is_not_taken() {
    let write = |folder: &std::path::Path| {
        std::fs::write(folder.join("breached.txt"), "Vermilion Teapot 93\n\n").unwrap();
    };
    let server = Server::with_files("Policy-all-normal", "[smart]\nrefused_passwords = \"breached.txt\"", write);
    furnish(&server);
    let link = server.invite("khan");
    let mut visitor = Visitor::new(&server);
    let page = visitor.get(&format!("/set-up?token={link}")).expect(200);
    let refused = visitor.submit(&page, "/set-up", &[("password", "vermilion teapot 93")]).expect(200);
    assert!(refused.text().contains("id=\"fault\""));
    let taken = visitor.submit(&page, "/set-up", &[("password", "vermilion teapot lantern")]);
    assert_eq!(taken.status, 303);
}
