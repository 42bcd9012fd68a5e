use super::Memberships;
use crate::consent::{CLINICIAN, ConsentSettings, Site, Standing};
use crate::fhir::json::Document;
use crate::fhir::{Id, Instant, Key, Version};
use serde_json::{Value, json};

fn key(text: &str) -> Key {
    Key::parse(text).unwrap()
}

fn filled(records: &[Value]) -> Memberships {
    let mut memberships = Memberships::default();
    for record in records {
        put(&mut memberships, record, 1);
    }
    memberships
}

fn put(memberships: &mut Memberships, record: &Value, version: i64) {
    let at = key(&format!("{}/{}", record["resourceType"].as_str().unwrap(), record["id"].as_str().unwrap()));
    let document = Document::parse(record.to_string().as_bytes()).unwrap();
    let site = Site::new(&ConsentSettings::default(), "https://own/fhir");
    memberships.put(&at, Version(version), Some(&document), &site);
}

fn named(reference: &str) -> Value {
    json!({ "reference": reference })
}

fn role(id: &str, members: &Value) -> Value {
    let mut role = json!({"resourceType": "PractitionerRole", "id": id, "practitioner": named("Practitioner/a"), "organization": named("Organization/x")});
    role.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    role
}

fn group(id: &str, member: &str) -> Value {
    json!({"resourceType": "Group", "id": id, "type": "practitioner", "actual": true, "member": [{"entity": named(member)}]})
}

fn standing(memberships: &Memberships, user: &str) -> Standing {
    memberships.standing(Some(&key(user)), None, None, Instant::parse("2025-06-01T10:00:00Z").unwrap())
}

fn stands(memberships: &Memberships, user: &str, for_: &str) -> bool {
    standing(memberships, user).references.contains(&key(for_))
}

#[test]
fn a_practitioner_stands_for_active_roles_their_organizations_and_what_these_are_part_of() {
    let memberships = filled(&[
        role("now", &json!({"healthcareService": [named("HealthcareService/h")]})),
        role("past", &json!({"period": {"end": "2024"}, "organization": named("Organization/old")})),
        role("off", &json!({"active": false, "organization": named("Organization/off")})),
        json!({"resourceType": "Organization", "id": "x", "partOf": named("https://own/fhir/Organization/whole"), "identifier": [{"system": "urn:n", "value": "7"}]}),
        json!({"resourceType": "Organization", "id": "whole", "partOf": named("Organization/x")}),
    ]);
    let standing = standing(&memberships, "Practitioner/a");
    let all: Vec<String> = standing.references.iter().map(ToString::to_string).collect();
    assert_eq!(standing.references.len(), 5, "{all:?}");
    for one in ["Practitioner/a", "PractitionerRole/now", "Organization/x", "Organization/whole", "HealthcareService/h"] {
        assert!(standing.references.contains(&key(one)), "{one}");
    }
    assert!(standing.identifiers.iter().any(|one| one.text == "urn:n|7"));
    assert!(standing.complete && standing.roles.contains(CLINICIAN));
}

#[test]
fn groups_and_teams_take_in_their_active_members_to_depth_four() {
    let team = |status: &str, period: Value| json!({"resourceType": "CareTeam", "id": "t", "status": status, "participant": [{"member": named("PractitionerRole/now"), "period": period}]});
    let mut records = vec![role("now", &json!({})), group("g1", "Practitioner/a")];
    records.extend((2..=5).map(|at| group(&format!("g{at}"), &format!("Group/g{}", at - 1))));
    records.push(team("active", json!({"start": "2025", "end": "2025-07-01"})));
    let mut memberships = filled(&records);
    for inside in ["Group/g1", "Group/g4", "CareTeam/t"] {
        assert!(stands(&memberships, "Practitioner/a", inside), "{inside}");
    }
    assert!(!stands(&memberships, "Practitioner/a", "Group/g5"), "five deep");
    assert_eq!(standing(&memberships, "Practitioner/a").valid_until, Instant::parse("2025-07-02T00:00:00Z").unwrap());
    for (at, (status, period)) in [("active", json!({"end": "2024"})), ("inactive", json!({}))].into_iter().enumerate() {
        put(&mut memberships, &team(status, period), 2 + i64::try_from(at).unwrap());
        assert!(!stands(&memberships, "Practitioner/a", "CareTeam/t"), "{status}");
    }
    let mut gone = group("g1", "Practitioner/a");
    gone["member"][0]["inactive"] = json!(true);
    put(&mut memberships, &gone, 2);
    assert!(!stands(&memberships, "Practitioner/a", "Group/g1"));
    put(&mut memberships, &group("g1", "Practitioner/a"), 1);
    assert!(!stands(&memberships, "Practitioner/a", "Group/g1"), "an older version that arrives late changes nothing");
}

#[test]
fn what_is_not_on_file_or_lists_nobody_does_not_resolve() {
    let described = json!({"resourceType": "Group", "id": "all", "type": "person", "actual": false});
    let counted = json!({"resourceType": "Group", "id": "many", "type": "person", "actual": true, "quantity": 25});
    let mut memberships = filled(&[
        group("g", "Practitioner/a"),
        group("outer", "Group/all"),
        described,
        counted,
        role("r", &json!({"active": false})),
    ]);
    for known in ["Group/g", "PractitionerRole/r", "Organization/none", "Practitioner/none"] {
        assert!(memberships.resolves(&key(known)), "{known}");
    }
    for unknown in [
        "Group/none",
        "Group/all",
        "Group/many",
        "Group/outer",
        "CareTeam/none",
        "PractitionerRole/none",
        "HealthcareService/none",
    ] {
        assert!(!memberships.resolves(&key(unknown)), "{unknown}");
    }
    let epoch = memberships.epoch();
    memberships.put(&key("Group/g"), Version(2), None, &Site::new(&ConsentSettings::default(), ""));
    assert!(!memberships.resolves(&key("Group/g")) && memberships.epoch() > epoch);
}

#[test]
fn a_relative_stands_for_a_patient_while_the_relation_holds() {
    let relative =
        |period: Value| json!({"resourceType": "RelatedPerson", "id": "m", "patient": named("Patient/p1"), "period": period});
    let p1 = Id::parse("p1").unwrap();
    let now = standing(&filled(&[relative(json!({"start": "2020"}))]), "RelatedPerson/m");
    assert!(now.proxy_for.contains(&p1) && now.own.is_none() && now.roles.is_empty());
    assert!(standing(&filled(&[relative(json!({"end": "2024"}))]), "RelatedPerson/m").proxy_for.is_empty());
    assert_eq!(standing(&Memberships::default(), "Patient/p1").own, Some(p1));
}

#[test]
fn a_client_stands_for_its_organization_by_whatever_name_and_for_the_owner_of_its_device() {
    let memberships = filled(&[
        json!({"resourceType": "Organization", "id": "lab", "identifier": [{"system": "urn:n", "value": "7"}], "partOf": named("Organization/group")}),
        json!({"resourceType": "Device", "id": "d", "status": "active", "owner": named("Organization/lab")}),
        json!({"resourceType": "Device", "id": "broken", "status": "inactive", "owner": named("Organization/lab")}),
    ]);
    let now = Instant::parse("2025-06-01T10:00:00Z").unwrap();
    for standing in [
        memberships.standing(None, Some("Organization/lab"), None, now),
        memberships.standing(None, Some("urn:n|7"), None, now),
        memberships.standing(None, None, Some(&key("Device/d")), now),
    ] {
        assert!(standing.references.contains(&key("Organization/group")), "{:?}", standing.references);
        assert!(standing.identifiers.iter().any(|one| one.text == "urn:n|7"));
    }
    let broken = memberships.standing(None, None, Some(&key("Device/broken")), now);
    assert!(!broken.references.contains(&key("Organization/lab")) && !broken.roles.contains(CLINICIAN));
    assert!(memberships.standing(None, Some("Organization/lab"), None, now).roles.contains(CLINICIAN));
}
