//! The examples of the specification and of a profile set are stored and come back unchanged.

use super::hospital::Hospital;
use super::source::{folder, lines};
use super::tree::Tree;

const ALL: &str = "system/*.cruds system/Consent.cruds system/AuditEvent.cr";

/// Puts a record (an AuditEvent is posted: the trail is nobody's to change) and reads it back. A consent is compared with what its
/// PUT answered: it takes effect at once, and may hide the patient's records from this client, itself among them.
fn round_trip(hospital: &Hospital, record: &str) -> Result<(), String> {
    let mut sent = Tree::read(record);
    let key = sent.key();
    let posted = key.starts_with("AuditEvent/");
    let whole = [("Prefer", "return=representation")];
    let (method, place) = if posted { ("POST", "AuditEvent") } else { ("PUT", key.as_str()) };
    let mut reply = hospital.send(method, place, &whole, record.into());
    if reply.status != 201 {
        return Err(format!("{key} is refused: {}", reply.diagnosis()));
    }
    if !key.starts_with("Consent/") {
        reply = hospital.get(reply.location.split("/_history").next().unwrap());
    }
    if reply.status != 200 && reply.status != 201 {
        return Err(format!("{key} cannot be read: {}", reply.diagnosis()));
    }
    let mut got = reply.tree();
    if posted {
        sent.remove("id");
        got.remove("id");
    }
    let (sent, got) = (sent.without_stamp().to_string(), got.without_stamp().to_string());
    if sent == got { Ok(()) } else { Err(format!("{key} differs:\n  sent {sent:.300}\n  got  {got:.300}")) }
}

fn all_of(name: &str) -> Vec<String> {
    let Some(folder) = folder(name) else { return Vec::new() };
    let (hospital, mut records) = (Hospital::open(ALL), lines(&folder));
    // Consents last: some of them deny.
    records.sort_by_key(|record| Tree::read(record).key().starts_with("Consent/"));
    let wrong: Vec<_> = records.iter().filter_map(|record| round_trip(&hospital, record).err()).collect();
    println!("{name}: {} of {} unchanged", records.len() - wrong.len(), records.len());
    wrong
}

#[test]
fn the_examples_of_the_specification_are_kept_unchanged() {
    let wrong = all_of("hl7-r4-examples");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_examples_of_profile_sets_are_kept_unchanged() {
    let sets = [
        "us-core-6.1-examples",
        "ipa-1.0-examples",
        "ips-1.1-examples",
        "subscriptions-backport-r4-examples",
        "bulkdata-ig-examples",
    ];
    let wrong: Vec<_> = sets.into_iter().flat_map(all_of).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
