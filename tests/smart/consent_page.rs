//! What a person takes back on the consent page is not granted.

use super::visitor::{Visitor, clinic, exchange, form, query, request, text, ticks};
use serde_json::Value;

fn granted(scope: &str, username: &str, off: &dyn Fn(&str) -> bool) -> (crate::support::Server, Value) {
    let server = clinic();
    let told = {
        let mut visitor = Visitor::new(&server);
        let page = visitor.reach_consent(&request(scope, &[]), username);
        let all = ticks(&form(page.text(), "/authorize/answer"));
        let off: Vec<&str> = all.iter().map(String::as_str).filter(|field| off(field)).collect();
        let code = query(&visitor.allow_but(&page, &off).expect(303)).remove("code").unwrap();
        exchange(&server, &code).expect(200).json()
    };
    (server, told)
}

#[test]
fn a15_a_whole_type_is_taken_back() {
    let (server, told) =
        granted("patient/Patient.rs patient/Observation.rs patient/Condition.rs", "amin", &|field| field.starts_with("s2"));
    assert_eq!(told["scope"], "patient/Patient.rs patient/Observation.rs");
    assert_eq!(server.get("Condition?_id=c1", text(&told, "access_token")).status, 403);
    server.get("Observation/o1", text(&told, "access_token")).expect(200);
}

#[test]
fn a15_s7_s8_one_category_of_a_type_is_left() {
    let vital = "s0.c4";
    let (server, told) = granted("patient/Observation.rs", "amin", &|field| field.starts_with("s0.") && field != vital);
    let expected = "patient/Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|vital-signs";
    assert_eq!(told["scope"], expected);
    let token = text(&told, "access_token");
    assert_eq!(server.get("Observation", token).expect(200).keys(), ["Observation/v1"]);
    assert_eq!(server.get("Observation?category=vital-signs", token).expect(200).keys(), ["Observation/v1"]);
    assert!(server.get("Observation?category=laboratory", token).expect(200).keys().is_empty());
    server.get("Observation/v1", token).expect(200);
    server.get("Observation/o1", token).expect(404);
}

#[test]
fn a15_everything_is_cut_down_to_a_kind() {
    let keep = ["s0", "s0.k3", "identity", "offline"];
    let (server, told) = granted("offline_access patient/*.read", "amin", &|field| !keep.contains(&field));
    assert_eq!(told["scope"], "offline_access patient/Observation.read", "S-3: in the form that was asked");
    let token = text(&told, "access_token");
    server.get("Observation/o1", token).expect(200);
    assert_eq!(server.get("Patient/p1", token).status, 403);
}

#[test]
fn a16_offline_use_can_be_switched_off() {
    let (_, told) =
        granted("offline_access openid fhirUser patient/Patient.rs", "amin", &|field| ["offline", "identity"].contains(&field));
    assert_eq!(told["scope"], "patient/Patient.rs");
    assert!(told.get("refresh_token").is_none() && told.get("id_token").is_none());
}

#[test]
fn whoever_takes_everything_back_is_asked_again() {
    let server = clinic();
    let mut visitor = Visitor::new(&server);
    let page = visitor.reach_consent(&request("patient/Patient.rs", &[]), "amin");
    let again = visitor.allow_but(&page, &["s0"]).expect(200);
    assert!(again.text().contains("id=\"fault\""));
    assert_eq!(visitor.allow(&again).status, 303);
}

#[test]
fn forged_fields_grant_nothing_more() {
    let server = clinic();
    let mut visitor = Visitor::new(&server);
    let page = visitor.reach_consent(&request("patient/Patient.rs", &[]), "amin");
    let fields = [
        ("allow", "s0"),
        ("allow", "s1"),
        ("allow", "s0.others"),
        ("allow", "offline"),
        ("scope", "user/*.cruds"),
        ("answer", "allow"),
    ];
    let code = query(&visitor.submit(&page, "/authorize/answer", &fields).expect(303)).remove("code").unwrap();
    assert_eq!(exchange(&server, &code).expect(200).json()["scope"], "patient/Patient.rs");
}

#[test]
fn the_pages_speak_urdu_from_right_to_left() {
    let server = clinic();
    let mut visitor = Visitor::new(&server);
    let page = visitor.open(&request("patient/Patient.rs", &[]));
    assert!(page.text().contains("lang=\"en\" dir=\"ltr\""));
    let other = page.text().split("id=\"language\" class=\"language\" href=\"").nth(1).unwrap().split('"').next().unwrap();
    let page = visitor.get(&other.replace("&#38;", "&").replace("&amp;", "&")).expect(200);
    assert!(page.text().contains("lang=\"ur\" dir=\"rtl\"") && page.text().contains("پاس ورڈ"), "{}", page.text());
    let reply = visitor.submit(&page, "/sign-in", &[("username", "amin"), ("password", super::visitor::PASSWORD)]);
    let consent = visitor.follow(reply);
    assert!(consent.text().contains("کیا اجازت دیں؟"), "the choice is remembered");
    let accepted = server.call("GET", "/sign-in").header("Accept-Language", "ur-PK,en;q=0.5").send();
    assert!(accepted.text().contains("dir=\"rtl\""));
}
