//! One entry is one line, and what an attacker writes into a request stays text.

use super::{Told, clean, otlp, trace_id};
use crate::audit::{Agent, Entry, Event};
use crate::fhir::{Id, Instant, Key};
use crate::watch::pseudonym::Pseudonyms;
use proptest::prelude::*;

fn entry(text: &str) -> Entry {
    let agent = Agent {
        client: text.to_owned(),
        subject: text.to_owned(),
        user: Key::parse("Patient/p1"),
        token_id: Some(text.to_owned()),
        address: "192.0.2.7".to_owned(),
        ..Agent::default()
    };
    let entry = Entry::concluded(Event::Rest("search-type"), agent, Instant(1_767_323_045_678), text).because(text);
    let entry = entry.concerning(Id::parse("p1"));
    Entry { query: Some(format!("GET Observation?patient=p1&code={text}")), ..entry }
}

fn told<'e>(entry: &'e Entry, pseudonyms: Option<&'e Pseudonyms>) -> Told<'e> {
    Told { seq: 7, hash: "ab", entry, node: "n1", pseudonyms }
}

#[test]
fn a_syslog_message_has_the_form_of_rfc_5424() {
    let entry = entry("a\"b]c\\d");
    let text = told(&entry, None).syslog();
    let pid = std::process::id();
    let head = format!(
        r#"<85>1 2026-01-02T03:04:05.678Z n1 amanat {pid} AUDIT [amanat@32473 seq="7" root="ab" jti="a\"b\]c\\d" out="0"] "#
    );
    assert!(text.starts_with(&head), "{text}");
}

#[test]
fn a_cef_message_escapes_what_cef_must() {
    let entry = entry("a|b=c\\d");
    let text = told(&entry, None).cef();
    let version = env!("CARGO_PKG_VERSION");
    assert!(text.contains(&format!("CEF:0|Amanat|amanat|{version}|rest:search-type|search-type|2|rt=1767323045678 ")), "{text}");
    assert!(text.contains("reason=a|b\\=c\\\\d ") && text.contains("cs1Label=patient cs1=p1 "), "{text}");
}

#[test]
fn a_receiver_that_is_not_entitled_learns_no_id_of_a_patient() {
    let (entry, pseudonyms) = (entry("x"), Pseudonyms::new(b"key"));
    let one = told(&entry, Some(&pseudonyms));
    for text in [one.syslog(), one.cef(), one.json_line(), otlp(&[one])] {
        assert!(!text.contains("p1"), "{text}");
        assert!(text.contains(&pseudonyms.of("p1")), "{text}");
    }
    assert!(one.cef().contains("request=GET Observation?patient&code "), "{}", one.cef());
    assert_ne!(Pseudonyms::new(b"other").of("p1"), pseudonyms.of("p1"));
}

#[test]
fn a_trace_id_is_taken_from_the_request() {
    assert_eq!(trace_id("0af7651916cd43dd8448eb211c80319c").as_deref(), Some("0af7651916cd43dd8448eb211c80319c"));
    assert_eq!(trace_id("01234567-89AB-7def-8123-456789abcdef").as_deref(), Some("0123456789ab7def8123456789abcdef"));
    assert_eq!(trace_id("req-1").or(trace_id(&"0".repeat(32))), None);
}

#[test]
fn controls_and_terminal_sequences_are_told_by_number() {
    assert_eq!(clean("a\r\n\u{1b}[31mb\u{202e}"), "a\\u{d}\\u{a}\\u{1b}[31mb\\u{202e}");
}

proptest! {
    #[test]
    fn whatever_is_asked_an_entry_stays_one_line(text in any::<String>()) {
        let (entry, pseudonyms) = (entry(&text), Pseudonyms::new(b"key"));
        for pseudonyms in [None, Some(&pseudonyms)] {
            let one = told(&entry, pseudonyms);
            for line in [one.syslog(), one.cef(), one.json_line(), otlp(&[one])] {
                prop_assert!(!line.chars().any(|c| c.is_control() || c == '\u{2028}' || c == '\u{202e}'), "{line:?}");
            }
            prop_assert!(serde_json::from_str::<serde_json::Value>(&one.json_line()).is_ok());
            prop_assert!(serde_json::from_str::<serde_json::Value>(&otlp(&[one])).is_ok());
            // No unescaped pipe in the header: eight fields, the last of which is the extension.
            let cef = one.cef();
            let body = cef.split_once("CEF:0").unwrap().1;
            prop_assert!(body.matches('|').count() >= 7);
        }
    }
}
