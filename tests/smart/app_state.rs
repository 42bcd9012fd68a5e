//! What apps keep here for themselves (SMART App Launch 2.2, "Persisting App State").

use super::visitor::{HOME, Visitor, account, ask, clinic, encoded, furnish, request, text, tokens};
use crate::support::{BASE, Reply, Server};
use amanat::smart::{Account, Client};
use serde_json::{Value, json};

const CODE: &str = "https://app.example|keys";

fn state(subject: Option<&str>, code: &str, value: &str) -> Value {
    let mut state = json!({
        "resourceType": "Basic",
        "code": {"coding": [{"system": "https://app.example", "code": code}]},
        "extension": [{"url": "https://app.example/keys", "valueString": value}],
    });
    if let Some(subject) = subject {
        state["subject"] = json!({"reference": format!("{BASE}/{subject}")});
    }
    state
}

fn token(server: &Server, username: &str, scope: &str) -> String {
    text(&tokens(server, username, scope), "access_token").to_owned()
}

fn keep(server: &Server, token: &str, state: &Value) -> Reply {
    server.call("POST", "/app-state/Basic").token(token).json(state).send()
}

fn put(server: &Server, token: &str, state: &Value, tag: &str) -> Reply {
    let path = format!("/app-state/Basic/{}", state["id"].as_str().unwrap());
    let call = server.call("PUT", &path).token(token);
    let call = if tag.is_empty() { call } else { call.header("If-Match", tag) };
    call.json(state).send()
}

fn remove(server: &Server, token: &str, id: &str, tag: &str) -> Reply {
    let call = server.call("DELETE", &format!("/app-state/Basic/{id}")).token(token);
    if tag.is_empty() { call.send() } else { call.header("If-Match", tag).send() }
}

fn find(server: &Server, token: &str, query: &[(&str, &str)]) -> Reply {
    server.get(&format!("/app-state/Basic?{}", encoded(query)), token)
}

fn of(subject: &str) -> [(&str, &str); 2] {
    [("code", CODE), ("subject", subject)]
}

#[test]
fn k1_a_state_is_kept_as_it_is_and_told_where_it_lies() {
    let server = clinic();
    let smart = server.call("GET", "/fhir/.well-known/smart-configuration").send().json();
    let place = json!({"url": "https://localhost:8443/app-state", "capabilities": ["smart-app-state"]});
    assert_eq!(smart["associated_endpoints"], json!([place]), "D-12");
    assert!(smart["capabilities"].as_array().unwrap().contains(&json!("smart-app-state")), "D-14");
    let statement = server.call("GET", "/app-state/metadata").header("Origin", "https://any.example").send().expect(200);
    assert_eq!(statement.header("access-control-allow-origin"), Some("*"));
    assert_eq!(statement.json()["rest"][0]["resource"][0]["type"], "Basic");
    let amin = token(&server, "amin", "launch/patient patient/Basic.cuds");
    let new = state(Some("Patient/p1"), "keys", "{\"a\":1.0}");
    let reply = keep(&server, &amin, &new);
    server.allowed(&reply, 201, "create", &["p1"]);
    let kept = reply.json();
    let id = text(&kept, "id");
    assert_eq!(reply.header("location"), Some(format!("https://localhost:8443/app-state/Basic/{id}").as_str()));
    assert_eq!((reply.header("etag"), &kept["meta"]["versionId"]), (Some("W/\"1\""), &json!("1")));
    for name in ["subject", "code", "extension"] {
        assert_eq!(kept[name], new[name]);
    }
    // It is no record: nobody finds it among them.
    server.get(&format!("Basic/{id}"), &server.system("system/*.cruds")).expect(404);
    let stored = server.column("SELECT body AS leaf FROM app_state");
    assert!(stored.len() == 1 && !stored[0].contains("valueString"), "sealed: {stored:?}");
}

#[test]
fn k1_what_the_guide_does_not_let_a_state_be_is_refused() {
    let server = clinic();
    let amin = token(&server, "amin", "launch/patient patient/Basic.cuds");
    let good = state(Some("Patient/p1"), "keys", "x");
    let but = |change: &dyn Fn(&mut Value)| {
        let mut state = good.clone();
        change(&mut state);
        state
    };
    for (name, wrong, status) in [
        ("id", but(&|one| one["id"] = json!("mine")), 422),
        ("versionId", but(&|one| one["meta"] = json!({"versionId": "7"})), 422),
        ("two codings", but(&|one| one["code"]["coding"] = json!([{"code": "a"}, {"code": "b"}])), 422),
        ("no coding", but(&|one| drop(one.as_object_mut().unwrap().remove("code"))), 422),
        ("relative", but(&|one| one["subject"]["reference"] = json!("Patient/p1")), 422),
        ("foreign", but(&|one| one["subject"]["reference"] = json!("https://elsewhere.example/fhir/Patient/p1")), 400),
        ("extension", but(&|one| one["extension"][0] = json!({"url": "https://a", "valueInteger": 1})), 422),
        ("another type", json!({"resourceType": "Observation"}), 400),
        ("too large", but(&|one| one["extension"][0]["valueString"] = json!("x".repeat(257 << 10))), 413),
    ] {
        let reply = keep(&server, &amin, &wrong);
        assert_eq!(
            (reply.status, &reply.json()["resourceType"]),
            (status, &json!("OperationOutcome")),
            "{name}: {}",
            reply.text()
        );
        assert_eq!(server.trail_of(&reply)[0]["outcome"], "4", "{name}");
    }
    keep(&server, &amin, &but(&|one| one["extension"][0]["valueString"] = json!("x".repeat(250 << 10)))).expect(201);
    for subject in ["Patient/p2", "Practitioner/d1", "Observation/o1"] {
        server.refused(&keep(&server, &amin, &state(Some(subject), "keys", "x")), 403, "AMANAT-SCOPE-0002", "compartment");
    }
    server.refused(&keep(&server, &amin, &state(None, "keys", "x")), 403, "AMANAT-SCOPE-0002", "compartment");
}

#[test]
fn k2_a_change_names_the_version_and_leaves_the_name_alone() {
    let server = clinic();
    let amin = token(&server, "amin", "launch/patient patient/Basic.cuds");
    let kept = keep(&server, &amin, &state(Some("Patient/p1"), "keys", "one")).expect(201).json();
    let id = text(&kept, "id").to_owned();
    let with = |value: &str| {
        let mut state = state(Some("Patient/p1"), "keys", value);
        state["id"] = json!(id);
        state
    };
    server.refused(&put(&server, &amin, &with("two"), ""), 428, "AMANAT-REC-0004", "input:version-required");
    let changed = put(&server, &amin, &with("two"), "W/\"1\"");
    server.allowed(&changed, 200, "update", &["p1"]);
    assert_eq!((changed.header("etag"), &changed.json()["meta"]["versionId"]), (Some("W/\"2\""), &json!("2")));
    assert_eq!(changed.json()["extension"][0]["valueString"], "two");
    server.refused(&put(&server, &amin, &with("three"), "W/\"1\""), 412, "AMANAT-REC-0003", "input:version");
    let mut other = with("x");
    other["code"]["coding"][0]["code"] = json!("view");
    assert_eq!(put(&server, &amin, &other, "W/\"2\"").status, 412, "another code");
    let mut other = with("x");
    other.as_object_mut().unwrap().remove("subject");
    assert_eq!(put(&server, &amin, &other, "W/\"2\"").status, 412, "another subject");
    let mut other = with("x");
    other["id"] = json!("b");
    let path = format!("/app-state/Basic/{id}");
    assert_eq!(
        server.call("PUT", &path).token(&amin).header("If-Match", "W/\"2\"").json(&other).send().status,
        400,
        "another id"
    );
    server.refused(&remove(&server, &amin, &id, ""), 428, "AMANAT-REC-0004", "input:version-required");
    server.refused(&remove(&server, &amin, &id, "W/\"1\""), 412, "AMANAT-REC-0003", "input:version");
    server.allowed(&remove(&server, &amin, &id, "W/\"2\""), 204, "delete", &["p1"]);
    assert_eq!(remove(&server, &amin, &id, "W/\"2\"").status, 412, "gone");
    assert_eq!(put(&server, &amin, &with("back"), "W/\"2\"").status, 412, "gone");
    for (method, path) in [("GET", format!("/app-state/Basic/{id}")), ("PATCH", "/app-state/Basic".to_owned())] {
        let reply = server.call(method, &path).token(&amin).send();
        server.refused(&reply, 405, "AMANAT-IN-0007", "input:method");
    }
}

#[test]
fn k3_an_app_finds_what_it_kept_and_nobody_elses() {
    let server = clinic();
    server.register(Client::app("other", "Other", vec![HOME.to_owned()], "launch/patient patient/Basic.cuds"));
    let amin = token(&server, "amin", "launch/patient patient/Basic.cuds");
    let one = keep(&server, &amin, &state(Some("Patient/p1"), "keys", "one")).expect(201).json();
    keep(&server, &amin, &state(Some("Patient/p1"), "view", "two")).expect(201);
    let subject = format!("{BASE}/Patient/p1");
    let found = find(&server, &amin, &of(&subject));
    server.allowed(&found, 200, "search-type", &["p1"]);
    assert_eq!(found.keys(), [format!("Basic/{}", text(&one, "id"))]);
    let bundle = found.json();
    assert_eq!((&bundle["type"], &bundle["total"], &bundle["entry"][0]["resource"]), (&json!("searchset"), &json!(1), &one));
    let posted = server.call("POST", "/app-state/Basic/_search").token(&amin).form(&encoded(&of(&subject))).send().expect(200);
    assert_eq!(posted.keys().len(), 1);
    // The same person through another app.
    let code = Visitor::new(&server).code(&request("launch/patient patient/Basic.cuds", &[("client_id", "other")]), "amin");
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", HOME),
        ("client_id", "other"),
        ("code_verifier", super::visitor::VERIFIER),
    ];
    let elsewhere = text(&ask(&server, &fields).expect(200).json(), "access_token").to_owned();
    assert!(find(&server, &elsewhere, &of(&subject)).expect(200).keys().is_empty(), "isolated per app");
    assert_eq!(remove(&server, &elsewhere, text(&one, "id"), "W/\"1\"").status, 412);
    // Another patient's, through the same app: nothing, and no word of it.
    let bano = token(&server, "bano", "launch/patient patient/Basic.cuds");
    let hidden = find(&server, &bano, &of(&subject));
    assert!(hidden.json()["total"] == 0 && hidden.keys().is_empty());
    assert_eq!(remove(&server, &bano, text(&one, "id"), "W/\"1\"").status, 412);
    for wrong in [
        vec![("code", CODE)],
        vec![("subject", subject.as_str())],
        vec![("code", "keys"), ("subject", &subject)],
        vec![("code", CODE), ("subject", "Patient/p1")],
        vec![("code", CODE), ("subject:missing", "false")],
        vec![("code", CODE), ("subject", &subject), ("_include", "Basic:subject")],
    ] {
        let reply = find(&server, &amin, &wrong);
        server.refused(&reply, 400, "AMANAT-IN-0002", "input:invalid");
    }
}

#[test]
fn k3_what_is_for_everybody_is_read_by_users_and_changed_by_administrators() {
    let server = clinic();
    let chief = account("chief", "Practitioner/d1");
    server.add_account(&Account { roles: vec!["administrator".to_owned()], ..chief });
    let (user, chief) = (token(&server, "khan", "user/Basic.cuds"), token(&server, "chief", "user/Basic.cuds"));
    let everybody = [("code", CODE), ("subject:missing", "true")];
    server.refused(&keep(&server, &user, &state(None, "keys", "x")), 403, "AMANAT-SCOPE-0002", "compartment");
    let kept = keep(&server, &chief, &state(None, "keys", "for all")).expect(201).json();
    assert_eq!(find(&server, &user, &everybody).expect(200).keys(), [format!("Basic/{}", text(&kept, "id"))]);
    keep(&server, &user, &state(Some("Practitioner/d1"), "keys", "mine")).expect(201);
    assert_eq!(find(&server, &user, &everybody).expect(200).keys().len(), 1, "one for each");
    assert_eq!(remove(&server, &user, text(&kept, "id"), "W/\"1\"").status, 412);
    assert_eq!(remove(&server, &chief, text(&kept, "id"), "W/\"1\"").status, 204);
}

#[test]
fn k_scopes_decide_before_anything_is_looked_at() {
    let server = clinic();
    for (path, token) in [("/app-state/Basic?code=a|b", ""), ("/app-state/Basic", "garbage")] {
        assert_eq!(server.get(path, token).status, 401, "{path}");
    }
    let reads = token(&server, "amin", "launch/patient patient/Basic.s patient/Patient.rs");
    let subject = format!("{BASE}/Patient/p1");
    find(&server, &reads, &of(&subject)).expect(200);
    server.refused(&keep(&server, &reads, &json!({})), 403, "AMANAT-SCOPE-0001", "scope");
    let narrow = token(&server, "amin", &format!("launch/patient patient/Basic.cuds?code={CODE}"));
    keep(&server, &narrow, &state(Some("Patient/p1"), "keys", "x")).expect(201);
    server.refused(&keep(&server, &narrow, &state(Some("Patient/p1"), "view", "x")), 403, "AMANAT-SCOPE-0002", "compartment");
    let view = [("code", "https://app.example|view"), ("subject", subject.as_str())];
    assert!(find(&server, &narrow, &view).expect(200).keys().is_empty());
    server.get("/app-state/Observation", &reads).expect(404);
}

#[test]
fn k_there_is_room_for_so_many_and_it_ends_with_the_client() {
    let server = Server::with("Policy-all-normal", "[smart]\nregistration = \"at-once\"");
    furnish(&server);
    server.seed(&[json!({"resourceType": "Patient", "id": "p1"})]);
    let body = json!({
        "client_name": "Mine", "redirect_uris": [HOME], "token_endpoint_auth_method": "none", "grant_types": ["authorization_code"],
        "scope": "launch/patient patient/Basic.cuds",
    });
    let told = server.call("POST", "/register").body("application/json", body.to_string()).send().expect(201).json();
    let id = text(&told, "client_id").to_owned();
    let code = Visitor::new(&server).code(&request("launch/patient patient/Basic.cuds", &[("client_id", &id)]), "amin");
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", HOME),
        ("client_id", &id),
        ("code_verifier", super::visitor::VERIFIER),
    ];
    let token = text(&ask(&server, &fields).expect(200).json(), "access_token").to_owned();
    for at in 0..64 {
        keep(&server, &token, &state(Some("Patient/p1"), &format!("code-{at}"), "x")).expect(201);
    }
    server.refused(&keep(&server, &token, &state(Some("Patient/p1"), "one-more", "x")), 413, "AMANAT-IN-0006", "input:size");
    let path = format!("/register/{id}");
    server.call("DELETE", &path).token(text(&told, "registration_access_token")).send().expect(204);
    assert!(server.column("SELECT id AS leaf FROM app_state").is_empty());
}

#[test]
fn d15_app_state_can_be_switched_off() {
    let server = Server::with("Policy-all-normal", "[smart]\napp_state = false");
    let smart = server.call("GET", "/fhir/.well-known/smart-configuration").send().json();
    assert!(smart.get("associated_endpoints").is_none());
    assert!(!smart["capabilities"].as_array().unwrap().contains(&json!("smart-app-state")));
    for path in ["/app-state/Basic", "/app-state/metadata"] {
        assert_eq!(server.call("GET", path).send().status, 404, "{path}");
    }
}
