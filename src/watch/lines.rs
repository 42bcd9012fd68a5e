//! Entries as other systems read them: syslog (RFC 5424), CEF, JSON lines, OTLP. One entry is one line, whatever stands in it.

use super::pseudonym::Pseudonyms;
use crate::audit::{Agent, Entry, Event};
use crate::fhir::{Instant, Outcome, ResourceType};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Security and authorization messages (10), notice (5): 10 * 8 + 5.
const PRIORITY: u8 = 85;

/// The structured data of this product. 32473 is the enterprise number that RFC 5612 keeps for whoever has none of their own.
const STRUCTURE: &str = "amanat@32473";

/// An entry to be told.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told<'e> {
    /// Its number.
    pub(super) seq: i64,
    /// The hash of its leaf, in hexadecimal.
    pub(super) hash: &'e str,
    /// What it says.
    pub(super) entry: &'e Entry,
    /// The name of the node.
    pub(super) node: &'e str,
    /// How patients are named; `None` when the receiver may know their ids.
    pub(super) pseudonyms: Option<&'e Pseudonyms>,
}

/// What may stand in a line: control characters (with them line ends and ANSI sequences), line separators and what turns the writing
/// direction are told by their number.
pub(super) fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        let turns = matches!(character, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{feff}');
        if character.is_control() || turns {
            let _written = write!(out, "\\u{{{:x}}}", u32::from(character));
        } else {
            out.push(character);
        }
    }
    out
}

impl Told<'_> {
    fn patients(&self) -> Vec<String> {
        let name = |id: &crate::fhir::Id| match self.pseudonyms {
            Some(pseudonyms) => pseudonyms.of(id.as_str()),
            None => id.to_string(),
        };
        self.entry.patients.iter().map(name).collect()
    }

    /// Whom a receiver without entitlement is told of as a person: a patient's own reference is a patient's id.
    fn person(&self) -> Option<String> {
        let user = self.entry.agent.user.as_ref()?;
        match self.pseudonyms {
            Some(pseudonyms) if user.resource_type == ResourceType::Patient => {
                Some(format!("Patient/{}", pseudonyms.of(user.id.as_str())))
            }
            _ => Some(user.to_string()),
        }
    }

    /// The request; to whom is not entitled without the values, which may name people.
    fn request(&self) -> Option<String> {
        let query = self.entry.query.as_deref()?;
        if self.pseudonyms.is_none() {
            return Some(clean(query));
        }
        let rest = |event: bool| event.then(|| "request".to_owned());
        let (line, parameters) = query.split_once('?').unwrap_or((query, ""));
        let mut words = line.split(' ');
        let (Some(method), Some(path)) = (words.next(), words.next()) else { return rest(true) };
        let kind = path.split('/').find(|part| ResourceType::parse(part).is_some()).unwrap_or_default();
        let names: Vec<&str> =
            parameters.split('&').filter_map(|pair| pair.split('=').next()).filter(|name| !name.is_empty()).collect();
        let mark = if names.is_empty() { "" } else { "?" };
        Some(clean(&format!("{method} {kind}{mark}{}", names.join("&"))))
    }

    fn event(&self) -> String {
        match self.entry.event.words() {
            (kind, Some(word)) => format!("{kind}:{word}"),
            (kind, None) => kind.to_owned(),
        }
    }

    /// As a JSON object.
    pub(super) fn json(&self) -> Value {
        let Agent { client, issuer, subject, organization, purposes, token_id, address, .. } = &self.entry.agent;
        let records: Vec<String> = match self.pseudonyms {
            Some(_) => self.entry.records.iter().map(|record| record.resource_type.to_string()).collect(),
            None => self.entry.records.iter().map(|record| format!("{}/{}", record.resource_type, record.id)).collect(),
        };
        let subject = self.pseudonyms.map_or_else(|| subject.clone(), |pseudonyms| pseudonyms.of(subject));
        json!({
            "seq": self.seq, "hash": self.hash, "node": self.node, "recorded": self.entry.recorded.to_string(),
            "event": self.event(), "outcome": self.entry.outcome.code(), "reason": self.entry.reason, "client": client,
            "issuer": issuer, "subject": subject, "user": self.person(), "organization": organization, "purposes": purposes,
            "jti": token_id, "address": address, "patients": self.patients(), "records": records,
            "request": self.request(), "request_id": self.entry.request_id,
        })
    }

    /// As a JSON line, without its end.
    pub(super) fn json_line(&self) -> String {
        // JSON escapes what is below a blank; the rest that could break a line or a terminal is escaped here.
        escaped(&self.json().to_string())
    }

    /// As a syslog message with structured data; the message is the JSON line.
    pub(super) fn syslog(&self) -> String {
        let jti = self.entry.agent.token_id.as_deref().unwrap_or_default();
        let data = [
            ("seq", self.seq.to_string()),
            ("root", self.hash.to_owned()),
            ("jti", jti.to_owned()),
            ("out", self.entry.outcome.code().to_owned()),
        ];
        message(self.entry.recorded, self.node, "AUDIT", &data, &self.json_line())
    }

    /// As CEF in a syslog message.
    pub(super) fn cef(&self) -> String {
        message(self.entry.recorded, self.node, "CEF", &[], &self.cef_body())
    }

    fn cef_body(&self) -> String {
        let agent = &self.entry.agent;
        let severity = match self.entry.outcome {
            Outcome::Success => 2,
            Outcome::Minor => 5,
            Outcome::Serious => 8,
            Outcome::Major => 9,
        };
        let mut out = format!(
            "CEF:0|Amanat|amanat|{}|{}|{}|{severity}|",
            env!("CARGO_PKG_VERSION"),
            header(&self.event()),
            header(named(&self.entry.event))
        );
        let patients = self.patients().join(",");
        let fields = [
            ("rt", self.entry.recorded.0.to_string()),
            ("externalId", self.seq.to_string()),
            ("src", agent.address.clone()),
            ("suser", self.person().unwrap_or_default()),
            ("sourceServiceName", agent.client.clone()),
            ("request", self.request().unwrap_or_default()),
            ("outcome", self.entry.outcome.code().to_owned()),
            ("reason", self.entry.reason.clone()),
            ("cs1Label", if patients.is_empty() { String::new() } else { "patient".to_owned() }),
            ("cs1", patients),
            ("cs2Label", "requestId".to_owned()),
            ("cs2", self.entry.request_id.clone()),
        ];
        let told: Vec<String> = fields
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| format!("{name}={}", extension(value)))
            .collect();
        out.push_str(&told.join(" "));
        out
    }

    /// As a log record of OTLP.
    fn otlp(&self) -> Value {
        let text = |name: &str, value: String| json!({ "key": name, "value": { "stringValue": value } });
        let (number, word) = match self.entry.outcome {
            Outcome::Success => (9, "INFO"),
            Outcome::Minor => (13, "WARN"),
            Outcome::Serious | Outcome::Major => (17, "ERROR"),
        };
        let attributes = [
            ("event.name", self.event()),
            ("amanat.seq", self.seq.to_string()),
            ("amanat.hash", self.hash.to_owned()),
            ("amanat.outcome", self.entry.outcome.code().to_owned()),
            ("client.address", self.entry.agent.address.clone()),
            ("enduser.id", self.person().unwrap_or_default()),
        ];
        let attributes: Vec<Value> = attributes
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| text(name, clean(&value)))
            .collect();
        let mut record = json!({
            "timeUnixNano": self.entry.recorded.0.saturating_mul(1_000_000).to_string(),
            "severityNumber": number, "severityText": word,
            "body": { "stringValue": self.json_line() }, "attributes": attributes,
        });
        if let (Some(trace), Some(members)) = (trace_id(&self.entry.request_id), record.as_object_mut()) {
            members.insert("traceId".to_owned(), Value::from(trace));
        }
        record
    }
}

/// A request id that is a trace id (W3C), or a UUID, whose digits make one.
fn trace_id(request_id: &str) -> Option<String> {
    let digits: String = request_id.chars().filter(|c| *c != '-').collect::<String>().to_ascii_lowercase();
    let fits = digits.len() == 32 && digits.bytes().all(|b| b.is_ascii_hexdigit()) && digits.bytes().any(|b| b != b'0');
    fits.then_some(digits)
}

/// The body of an OTLP export of logs.
pub(super) fn otlp(told: &[Told<'_>]) -> String {
    let node = told.first().map_or("", |one| one.node);
    let records: Vec<Value> = told.iter().map(Told::otlp).collect();
    let document = json!({ "resourceLogs": [{
        "resource": { "attributes": [
            { "key": "service.name", "value": { "stringValue": "amanat" } },
            { "key": "service.instance.id", "value": { "stringValue": node } },
            { "key": "service.version", "value": { "stringValue": env!("CARGO_PKG_VERSION") } },
        ] },
        "scopeLogs": [{ "scope": { "name": "amanat.audit" }, "logRecords": records }],
    }] });
    escaped(&document.to_string())
}

/// The syslog message of a checkpoint.
pub(super) fn checkpoint(note: &str, made: Instant) -> String {
    message(made, "amanat", "CHECKPOINT", &[], &json!({ "checkpoint": note }).to_string())
}

/// The syslog message of an alarm.
pub(super) fn alarm(at: Instant, node: &str, rule: &str, text: &str) -> String {
    message(at, node, "ALARM", &[("rule", rule.to_owned())], &clean(text))
}

/// RFC 5424 § 6.
fn message(at: Instant, host: &str, kind: &str, data: &[(&str, String)], text: &str) -> String {
    let mut structure = String::new();
    for (name, value) in data {
        let _written = write!(structure, " {name}=\"{}\"", parameter(value));
    }
    let structure = if structure.is_empty() { "-".to_owned() } else { format!("[{STRUCTURE}{structure}]") };
    let host: String = host.chars().filter(char::is_ascii_graphic).take(255).collect();
    format!("<{PRIORITY}>1 {at} {host} amanat {} {kind} {structure} \u{feff}{text}", std::process::id())
}

/// A value of structured data: quote, backslash and closing bracket are escaped (RFC 5424 § 6.3.3).
fn parameter(text: &str) -> String {
    clean(text).replace('\\', "\\\\").replace('"', "\\\"").replace(']', "\\]")
}

/// A header field of CEF: backslash and pipe are escaped.
fn header(text: &str) -> String {
    clean(text).replace('\\', "\\\\").replace('|', "\\|")
}

/// A value of an extension of CEF: backslash and equals sign are escaped.
fn extension(text: &str) -> String {
    clean(text).replace('\\', "\\\\").replace('=', "\\=")
}

/// JSON with everything escaped that could break a line or act on a terminal.
fn escaped(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for character in json.chars() {
        let acts = character.is_control()
            || matches!(character, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{feff}');
        if acts {
            let _written = write!(out, "\\u{:04x}", u32::from(character));
        } else {
            out.push(character);
        }
    }
    out
}

fn named(event: &Event) -> &'static str {
    match event {
        Event::Rest(code) => code,
        Event::Token => "token requested",
        Event::Start => "gateway started",
        Event::Stop => "gateway stopped",
        other => other.words().1.unwrap_or("event"),
    }
}

#[cfg(test)]
#[path = "lines_tests.rs"]
mod tests;
