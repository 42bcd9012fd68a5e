//! Who belongs to what is part of the decision: a change bites on the next request, for reads, searches and counts.

use crate::support::Server;
use crate::support::records::{consent, observation, patient, practitioner};
use serde_json::{Value, json};

fn team(member: &str) -> Value {
    json!({"resourceType": "Group", "id": "g1", "type": "practitioner", "actual": true, "active": true,
        "member": [{"entity": {"reference": member}}]})
}

/// A patient who lets one group see everything, and nobody else.
fn server() -> Server {
    let server = Server::with("Policy-deny", "");
    let mut permit = consent("k1", "p1", "permit");
    let role = json!({"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": "IRCP"}]});
    permit["provision"]["actor"] = json!([{"role": role, "reference": {"reference": "Group/g1"}}]);
    server.seed(&[
        patient("p1", "Amin"),
        practitioner("d1", "Khan"),
        practitioner("d2", "Lodhi"),
        observation("o1", "p1", "laboratory"),
    ]);
    let officer = server.system("system/*.cruds system/Consent.cruds");
    let _ = server.put("Group/g1", &officer, &team("Practitioner/d2")).expect(201);
    let _ = server.put("Consent/k1", &officer, &permit).expect(201);
    server
}

#[test]
fn who_joins_a_group_sees_on_the_next_request_and_who_leaves_sees_no_more() {
    let server = server();
    let clerk = server.system("system/*.cruds");
    let (khan, lodhi) = (server.clinician("d1", "user/*.rs"), server.clinician("d2", "user/*.rs"));
    let shown = |token: &str| {
        let count = server.get("Observation?_summary=count", token).json()["total"].as_u64().unwrap();
        (server.get("Observation/o1", token).status, count)
    };
    assert_eq!((shown(&khan), shown(&lodhi)), ((404, 0), (200, 1)));
    let _ = server.put("Group/g1", &clerk, &team("Practitioner/d1")).expect(200);
    assert_eq!((shown(&khan), shown(&lodhi)), ((200, 1), (404, 0)));
    // A role that belongs to the group, held by the physician until it is not active any more.
    let _ = server.put("Group/g1", &clerk, &team("PractitionerRole/r1")).expect(200);
    assert_eq!(shown(&lodhi), (404, 0));
    let role = |active: bool| json!({"resourceType": "PractitionerRole", "id": "r1", "active": active, "practitioner": {"reference": "Practitioner/d2"}});
    let _ = server.put("PractitionerRole/r1", &clerk, &role(true)).expect(201);
    assert_eq!(shown(&lodhi), (200, 1));
    let _ = server.put("PractitionerRole/r1", &clerk, &role(false)).expect(200);
    assert_eq!(shown(&lodhi), (404, 0));
    let _ = server.put("PractitionerRole/r1", &clerk, &role(true)).expect(200);
    let _ = server.delete("Group/g1", &clerk).expect(204);
    assert_eq!(shown(&lodhi), (404, 0));
}

#[test]
fn a_change_of_one_consent_leaves_the_verdicts_of_others_as_they_were() {
    let server = server();
    let officer = server.system("system/*.cruds system/Consent.cruds");
    let token = server.clinician("d2", "user/*.rs");
    server.seed(&[patient("p2", "Bano"), observation("o2", "p2", "laboratory")]);
    let status = |id: &str| server.get(&format!("Observation/{id}"), &token).status;
    assert_eq!((status("o1"), status("o2")), (200, 404));
    for round in 0..3 {
        let verdict = if round % 2 == 0 { "permit" } else { "deny" };
        let _ = server.put("Consent/k2", &officer, &consent("k2", "p2", verdict));
        assert_eq!((status("o1"), status("o2")), (200, if verdict == "permit" { 200 } else { 404 }), "{round}");
    }
}
