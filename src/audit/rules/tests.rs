//! Each rule: what tips it over, and what just does not.

use super::super::{Agent, Entry, Event};
use super::{Alarm, Detectors, Known, Measure, Network, Place, Rule, Subject, Thresholds};
use crate::fhir::{Id, Instant, Key, Outcome, Touched, Version};
use proptest::prelude::*;
use std::collections::HashMap;

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// 2026-06-01T12:00:00Z
const NOON: i64 = 1_780_315_200_000;

fn id(text: &str) -> Id {
    Id::parse(text).unwrap()
}

fn touched(key: &str) -> Touched {
    let key = Key::parse(key).unwrap();
    Touched { resource_type: key.resource_type, id: key.id, version: None }
}

fn doctor() -> Agent {
    Agent {
        client: "ward".into(),
        issuer: "https://idp".into(),
        subject: "d1".into(),
        user: Key::parse("Practitioner/d1"),
        token_id: Some("j1".into()),
        address: "192.0.2.7".into(),
        ..Agent::default()
    }
}

fn entry(event: Event, at: i64) -> Entry {
    Entry::concluded(event, doctor(), Instant(NOON + at), "r")
}

fn read(patient: &str, at: i64) -> Entry {
    entry(Event::Rest("read"), at).concerning([id(patient)]).touching([touched(&format!("Observation/of-{patient}"))])
}

fn failed(event: Event, reason: &str, at: i64) -> Entry {
    Entry { outcome: Outcome::Serious, agent: Agent::unknown("203.0.113.9"), ..entry(event, at).because(reason) }
}

fn hidden(key: &str, at: i64) -> Entry {
    Entry { outcome: Outcome::Minor, ..entry(Event::Rest("read"), at).because("not-found").touching([touched(key)]) }
}

/// All alarms of these entries, in order.
fn run(limits: Thresholds, known: &HashMap<Id, Known>, entries: impl IntoIterator<Item = Entry>) -> Vec<Alarm> {
    let mut detectors = Detectors::new(limits);
    let numbered = (1..).zip(entries);
    numbered.flat_map(|(seq, entry)| detectors.see(seq, &entry, known)).collect()
}

fn told(limits: Thresholds, entries: impl IntoIterator<Item = Entry>) -> Vec<(Rule, Subject, Measure)> {
    run(limits, &HashMap::new(), entries).into_iter().map(|alarm| (alarm.rule, alarm.subject, alarm.measure)).collect()
}

fn usual(entries: impl IntoIterator<Item = Entry>) -> Vec<(Rule, Subject, Measure)> {
    told(Thresholds::default(), entries)
}

fn user() -> Subject {
    Subject::User("Practitioner/d1".into())
}

fn client() -> Subject {
    Subject::Client("ward".into())
}

fn stranger() -> Subject {
    Subject::Address("203.0.113.9".into())
}

#[test]
fn r1_ten_failed_tokens_in_five_minutes() {
    let fail = |at| failed(Event::Rest("read"), "token:expired", at);
    assert_eq!(usual((0..10).map(|n| fail(n * 29 * SECOND))), [(Rule::R1, stranger(), Measure::Throttle)]);
    assert_eq!(usual((0..9).map(|n| fail(n * SECOND))), [], "nine are a mistake");
    assert_eq!(usual((0..30).map(|n| fail(n * 34 * SECOND))), [], "and ten in more than five minutes too");
    assert_eq!(usual((0..50).map(|n| failed(Event::Rest("read"), "token:missing", n))), [], "no token is no failed one");
    let strange = |at| failed(Event::Token, "assertion:unknown-key", at);
    assert_eq!(usual((0..3).map(strange)), [(Rule::R1, stranger(), Measure::Throttle)], "keys that nobody knows");
    assert_eq!(usual((0..2).map(strange)), []);
    let sign_in = |at| failed(Event::SignOn("login"), "password", at);
    assert_eq!(usual((0..10).map(sign_in)).len(), 1);
}

#[test]
fn r2_twenty_distinct_hidden_records_in_ten_minutes() {
    let ask = |n: i64| hidden(&format!("Patient/p{n}"), n * 20 * SECOND);
    assert_eq!(usual((0..20).map(ask)), [(Rule::R2, Subject::Token("j1".into()), Measure::Revoke)]);
    assert_eq!(usual((0..19).map(ask)), []);
    assert_eq!(usual((0..60).map(|n| hidden("Patient/p1", n))), [], "one record again and again is no enumeration");
    let types = ["Patient", "Observation", "Condition", "Encounter"];
    let around = (0..60).map(|n| hidden(&format!("{}/none", types[n % 4]), 0));
    assert_eq!(usual(around), [], "one id in many types neither");
    let alone = |n: i64| {
        let mut entry = ask(n);
        entry.agent.user = None;
        entry
    };
    let importer = usual((0..20).map(alone));
    assert_eq!(importer, [(Rule::R2, Subject::Token("j1".into()), Measure::Alert)], "a system is told of, and goes on");
    assert_eq!(usual((0..40).map(|n| hidden(&format!("Patient/p{n}"), n * 32 * SECOND))), [], "too slow");
}

#[test]
fn r3_more_patients_than_the_user_ever_opens() {
    let opened = |count: i64, hour: i64| (0..count).map(move |n| read(&format!("p{hour}-{n}"), hour * HOUR + n));
    assert_eq!(usual(opened(51, 0)), [(Rule::R3, user(), Measure::Throttle)]);
    assert_eq!(usual(opened(50, 0)), []);
    assert_eq!(usual((0..500).map(|n| read("p1", n))), [], "one patient, however often");
    let busy = || (0..20).flat_map(move |hour| opened(40, hour));
    assert_eq!(usual(busy().chain(opened(160, 30))), [], "four times a habit of 40 is 160");
    assert_eq!(usual(busy().chain(opened(161, 30))), [(Rule::R3, user(), Measure::Throttle)]);
    let long_ago = (0..20).flat_map(move |hour| opened(40, hour));
    let later = opened(60, 31 * 24 + 30);
    assert_eq!(usual(long_ago.chain(later)).len(), 1, "a habit of more than 30 days ago is none");
}

#[test]
fn r4_an_export_beyond_the_usual_or_to_somewhere_new() {
    let job = |rows: u64, to: &str, at| entry(Event::Export("job"), at).asking(&format!("rows={rows} destination={to}"));
    let before = || (0..5).map(move |n| job(100, "https://a", n * HOUR));
    assert_eq!(usual(before().chain([job(301, "https://a", 9 * HOUR)])), [(Rule::R4, client(), Measure::Hold)]);
    assert_eq!(usual(before().chain([job(300, "https://a", 9 * HOUR)])), []);
    assert_eq!(usual(before().chain([job(100, "https://b", 9 * HOUR)])), [(Rule::R4, client(), Measure::Hold)]);
    assert_eq!(usual([job(1_000_000, "https://a", 0)]), [], "the first has nothing to be held against");
}

fn acquainted(known: Known) -> Vec<Rule> {
    let known = HashMap::from([(id("p1"), known)]);
    run(Thresholds::default(), &known, [read("p1", 0)]).into_iter().map(|alarm| alarm.rule).collect()
}

#[test]
fn r5_a_protected_patient_without_a_care_relation() {
    let marked = Known { marked: true, cares: Some(false), ..Known::default() };
    assert_eq!(acquainted(marked), [Rule::R5]);
    assert_eq!(acquainted(Known { cares: Some(true), ..marked }), []);
    assert_eq!(acquainted(Known { cares: None, ..marked }), [], "where it cannot be told nobody is accused");
    assert_eq!(acquainted(Known { marked: false, ..marked }), []);
}

#[test]
fn r6_and_r7_relatives_and_the_own_record() {
    assert_eq!(acquainted(Known { surname: true, ..Known::default() }), [Rule::R6]);
    assert_eq!(acquainted(Known { contact: true, ..Known::default() }), [Rule::R6]);
    assert_eq!(acquainted(Known { own: true, surname: true, ..Known::default() }), [Rule::R7]);
    assert_eq!(acquainted(Known::default()), []);
    let known = HashMap::from([(id("p1"), Known { own: true, ..Known::default() })]);
    let mut own = read("p1", 0);
    own.agent.user = Key::parse("Patient/p1");
    assert_eq!(run(Thresholds::default(), &known, [own]), [], "a patient's own app is no clinical role");
}

#[test]
fn r8_outside_the_hours_of_duty_or_in_two_places() {
    let limits = |from, to| Thresholds { duty: HashMap::from([("*".into(), (from, to))]), ..Thresholds::default() };
    let noon = 12 * 60;
    assert_eq!(told(limits(noon + 1, noon + 60), [read("p1", 0)]), [(Rule::R8, user(), Measure::Alert)]);
    assert_eq!(told(limits(noon, noon + 60), [read("p1", 0)]), []);
    assert_eq!(told(limits(20 * 60, 6 * 60), [read("p1", 0)]).len(), 1, "the night shift at noon");
    assert_eq!(told(limits(20 * 60, 13 * 60), [read("p1", 0)]), [], "a night shift that ends at one");
    let ahead = Thresholds { utc_offset_minutes: 300, ..limits(17 * 60, 18 * 60) };
    assert_eq!(told(ahead, [read("p1", 0)]), [], "noon is five in the afternoon in Karachi");
    let place = |network, latitude, longitude| Place { network: Network::parse(network).unwrap(), latitude, longitude };
    let places = vec![place("192.0.2.0/24", 24.9, 67.0), place("198.51.100.0/24", 31.5, 74.3)];
    let limits = || Thresholds { places: places.clone(), network_bits: 0, ..Thresholds::default() };
    let away = |at| {
        let mut entry = read("p1", at);
        entry.agent.address = "198.51.100.1".into();
        entry
    };
    assert_eq!(told(limits(), [read("p1", 0), away(HOUR)]), [(Rule::R8, user(), Measure::Alert)], "Karachi to Lahore in an hour");
    assert_eq!(told(limits(), [read("p1", 0), away(2 * HOUR)]), [], "in two hours by air");
    assert_eq!(told(limits(), [read("p1", 0), read("p1", 1)]), []);
}

#[test]
fn r9_any_emergency_access_and_its_repetition() {
    let glass = |patient: &str, at| entry(Event::Override("started"), at).concerning([id(patient)]);
    let texts = |entries: Vec<Entry>| {
        let alarms = run(Thresholds::default(), &HashMap::new(), entries);
        assert!(alarms.iter().all(|alarm| alarm.rule == Rule::R9 && alarm.measure == Measure::Page && alarm.patient.is_some()));
        alarms.into_iter().map(|alarm| alarm.text).collect::<Vec<_>>()
    };
    assert_eq!(texts(vec![glass("p1", 0)]), ["emergency access began"]);
    assert!(texts(vec![glass("p1", 0), glass("p1", 29 * DAY)])[1].contains("not the first of this user to this patient"));
    assert_eq!(texts(vec![glass("p1", 0), glass("p1", 31 * DAY)])[1], "emergency access began");
    let many = (0..4).map(|n| glass(&format!("p{n}"), n * DAY)).collect();
    assert!(texts(many)[3].contains("4th of this user"));
    assert_eq!(usual([entry(Event::Override("ended"), 0).concerning([id("p1")])]), []);
}

#[test]
fn r10_long_after_the_last_encounter() {
    let at = |days: i64| Some(Instant(NOON - days * DAY));
    assert_eq!(acquainted(Known { discharged: at(31), ..Known::default() }), [Rule::R10]);
    assert_eq!(acquainted(Known { discharged: at(30), ..Known::default() }), []);
    assert_eq!(acquainted(Known { last_encounter: at(181), ..Known::default() }), [Rule::R10]);
    assert_eq!(acquainted(Known { last_encounter: at(180), ..Known::default() }), []);
    assert_eq!(acquainted(Known::default()), [], "a site without encounters tells nothing by them");
}

#[test]
fn r11_what_protects_was_changed_or_fails() {
    for event in [
        Event::Policy("label-rules-changed"),
        Event::Registry("role-changed"),
        Event::Registry("key-removed"),
        Event::Recording("stopped"),
        Event::Data("key-destroyed"),
    ] {
        assert_eq!(usual([entry(event, 0)]).first().map(|alarm| (alarm.0, alarm.2)), Some((Rule::R11, Measure::Page)));
    }
    assert_eq!(usual([Entry { outcome: Outcome::Serious, ..entry(Event::TrailUse("verified"), 0) }]).len(), 1);
    let changed = Entry { outcome: Outcome::Serious, ..entry(Event::Recording("started"), 0) }.because("spool:changed");
    assert_eq!(usual([changed]).len(), 1);
    for event in
        [Event::TrailUse("verified"), Event::Registry("client-added"), Event::Recording("started"), Event::Data("backup")]
    {
        assert_eq!(usual([entry(event.clone(), 0)]), [], "{event:?}");
    }
}

#[test]
fn r12_mass_writes() {
    let limits = || Thresholds { mass_updates: 100, mass_deletes: 20, churn: 50, ..Thresholds::default() };
    let write = |word, n: i64| entry(Event::Rest(word), n).touching([touched(&format!("Observation/o{n}"))]);
    assert_eq!(told(limits(), (0..100).map(|n| write("update", n))), [(Rule::R12, client(), Measure::WriteLock)]);
    assert_eq!(told(limits(), (0..99).map(|n| write("update", n))), []);
    let begun_and_done = |n: i64| [write("update", n).because(Entry::OPENED), write("update", n)];
    assert_eq!(
        told(limits(), (0..99).flat_map(begun_and_done)),
        [],
        "in front of a server each has two entries, and counts once"
    );
    assert_eq!(told(limits(), (0..20).map(|n| write("delete", n))), [(Rule::R12, client(), Measure::WriteLock)]);
    assert_eq!(told(limits(), (0..19).map(|n| write("delete", n))), []);
    let same = |n: i64| entry(Event::Rest("patch"), n).touching([touched("Observation/o1")]);
    assert_eq!(told(limits(), (0..50).map(same)), [(Rule::R12, client(), Measure::WriteLock)]);
    assert_eq!(told(limits(), (0..49).map(same)), []);
    assert_eq!(told(limits(), (0..5_000).map(|n| write("create", n))), [], "intake is no destruction");
    let first = |n: i64| {
        let made = Touched { version: Some(Version(1)), ..touched(&format!("Observation/o{n}")) };
        entry(Event::Rest("update"), n).touching([made])
    };
    assert_eq!(told(limits(), (0..5_000).map(first)), [], "nor under ids of one's own");
}

#[test]
fn r13_a_canary() {
    let limits = || Thresholds {
        canaries: vec![Key::parse("Patient/canary").unwrap(), Key::parse("Observation/bait").unwrap()],
        ..Thresholds::default()
    };
    assert_eq!(told(limits(), [read("canary", 0)]), [(Rule::R13, user(), Measure::Page)]);
    assert_eq!(told(limits(), [hidden("Patient/canary", 0)]).len(), 1, "also when nothing was shown");
    assert_eq!(told(limits(), [entry(Event::Rest("search-type"), 0).touching([touched("Observation/bait")])]).len(), 1);
    assert_eq!(told(limits(), [read("canary-2", 0), read("p1", 1)]), []);
}

#[test]
fn r14_one_token_in_two_networks_or_a_replay() {
    let from = |address: &str, at| Entry { agent: Agent { address: address.into(), ..doctor() }, ..read("p1", at) };
    let token = Subject::Token("j1".into());
    assert_eq!(usual([from("192.0.2.7", 0), from("198.51.100.7", MINUTE)]), [(Rule::R14, token.clone(), Measure::Alert)]);
    assert_eq!(usual([from("192.0.2.7", 0), from("192.0.99.7", MINUTE)]), [], "the same network");
    assert_eq!(usual([from("192.0.2.7", 0), from("198.51.100.7", 5 * MINUTE)]), [], "after five minutes");
    assert_eq!(usual([from("2001:db8::1", 0), from("2001:db8:1::1", 1)]), [], "one provider of IPv6");
    assert_eq!(usual([from("2001:db8::1", 0), from("2001:db9::1", 1)]).len(), 1);
    let replay = failed(Event::Token, "assertion:replayed", 0);
    assert_eq!(usual([replay]), [(Rule::R14, stranger(), Measure::Throttle)]);
}

#[test]
fn r15_a_subscription_that_was_turned_and_is_busy() {
    let of = |event, at| entry(event, at).touching([touched("Subscription/s1")]);
    let turned = || of(Event::Rest("update"), 10 * MINUTE);
    let sent = |n: i64| of(Event::Disclosure("notification"), n);
    let before = || (0..4).map(move |n| sent(n * MINUTE));
    let after = |count: i64| (0..count).map(move |n| sent(11 * MINUTE + n));
    let alarms = usual(before().chain([turned()]).chain(after(13)));
    assert_eq!(alarms, [(Rule::R15, Subject::Subscription("s1".into()), Measure::Pause)]);
    assert_eq!(usual(before().chain([turned()]).chain(after(12))), []);
    assert_eq!(usual(before().chain(after(100))), [], "busy, and not turned");
}

#[test]
fn a_rule_that_is_off_is_silent_and_one_that_spoke_is_quiet_for_a_while() {
    let canary =
        |off: Vec<Rule>| Thresholds { canaries: vec![Key::parse("Patient/canary").unwrap()], off, ..Thresholds::default() };
    assert_eq!(told(canary(vec![Rule::R13]), [read("canary", 0)]), []);
    assert_eq!(told(canary(Vec::new()), (0..10).map(|n| read("canary", n * SECOND))).len(), 1);
    assert_eq!(told(canary(Vec::new()), [read("canary", 0), read("canary", 10 * MINUTE)]).len(), 2);
    assert_eq!(usual([entry(Event::Guard("alarm"), 0), entry(Event::Incident("opened"), 0)]), []);
    assert!(Rule::ALL.iter().all(|rule| Rule::parse(rule.name()) == Some(*rule)) && Rule::parse("R16").is_none());
}

proptest! {
    #[test]
    fn whatever_comes_in_whatever_order_nothing_panics(entries in prop::collection::vec((super::super::samples::entries(), -1_000_000..1_000_000_i64), 0..60)) {
        let canaries = vec![Key::parse("Patient/canary").unwrap()];
        let mut detectors = Detectors::new(Thresholds { canaries, failed_tokens: 1, ..Thresholds::default() });
        for (seq, (entry, at)) in (1..).zip(entries) {
            let entry = Entry { recorded: Instant(NOON + at), ..entry };
            let known = entry.patients.iter().map(|patient| (patient.clone(), Known { marked: true, cares: Some(false), last_encounter: Some(Instant(0)), ..Known::default() })).collect();
            drop(detectors.see(seq, &entry, &known));
        }
    }
}
