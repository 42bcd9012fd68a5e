//! R1, R2, R14: what is done with tokens.

use super::window::Windows;
use super::{Alarm, Event, Measure, Outcome, Rule, Seen, Subject};
use std::net::IpAddr;

/// Five minutes.
const SHORT: i64 = 300;
/// Ten minutes.
const LONG: i64 = 600;

/// What the rules remember.
#[derive(Debug)]
pub(super) struct Credentials {
    failed: Windows<Subject, i64>,
    unknown: Windows<Subject, i64>,
    hidden: Windows<String, String>,
    networks: Windows<String, String>,
}

impl Default for Credentials {
    fn default() -> Self {
        Self {
            failed: Windows::of_seconds(SHORT),
            unknown: Windows::of_seconds(SHORT),
            hidden: Windows::of_seconds(LONG),
            networks: Windows::of_seconds(SHORT),
        }
    }
}

impl Credentials {
    pub(super) fn see(&mut self, seen: &Seen<'_>, alarms: &mut Vec<Alarm>) {
        self.failed(seen, alarms);
        self.hidden(seen, alarms);
        self.networks(seen, alarms);
        if seen.entry.outcome != Outcome::Success && seen.entry.reason.contains("replay") {
            let text = "an assertion or token was used a second time".to_owned();
            alarms.push(seen.alarm(Rule::R14, subject(seen), Measure::Throttle, text));
        }
    }

    fn failed(&mut self, seen: &Seen<'_>, alarms: &mut Vec<Alarm>) {
        let reason = seen.entry.reason.as_str();
        let of_token = reason.starts_with("token:") || reason.starts_with("assertion:");
        let failed = seen.entry.outcome != Outcome::Success && (of_token || seen.entry.event == Event::SignOn("login"));
        // Somebody who comes without a token at all has not failed with one; who goes on with a revoked one is known already.
        if !failed || matches!(reason, "token:missing" | "token:revoked") {
            return;
        }
        let count = self.failed.total(subject(seen), seen.at(), seen.seq);
        if count >= seen.limits.failed_tokens {
            let text = format!("{count} tokens or sign-ins failed within five minutes");
            alarms.push(seen.alarm(Rule::R1, subject(seen), Measure::Throttle, text));
        }
        if reason.contains("key") || reason.contains("kid") {
            let count = self.unknown.total(subject(seen), seen.at(), seen.seq);
            if count >= seen.limits.unknown_keys {
                let text = format!("{count} tokens within five minutes name keys that their issuer does not have");
                alarms.push(seen.alarm(Rule::R1, subject(seen), Measure::Throttle, text));
            }
        }
    }

    fn hidden(&mut self, seen: &Seen<'_>, alarms: &mut Vec<Alarm>) {
        let entry = seen.entry;
        let read = matches!(entry.event, Event::Rest("read" | "vread" | "history-instance" | "operation"));
        let (Some(record), true) = (entry.records.first(), read && entry.reason == "not-found") else { return };
        let (name, subject) = match &entry.agent.token_id {
            Some(id) => (format!("jti {id}"), Subject::Token(id.clone())),
            None => (format!("client {}", entry.agent.client), Subject::Client(entry.agent.client.clone())),
        };
        // The same id in many types is a look around, not a guess at somebody's record.
        let (_, distinct) = self.hidden.count(name, seen.at(), record.id.to_string());
        if distinct >= seen.limits.hidden_reads {
            let text = format!("{distinct} distinct records that are hidden or not there were asked for within ten minutes");
            // A system that looks whether records are there yet, before it writes them, does the same and means nothing by it.
            let measure = if entry.agent.user.is_some() { Measure::Revoke } else { Measure::Alert };
            alarms.push(seen.alarm(Rule::R2, subject, measure, text));
        }
    }

    fn networks(&mut self, seen: &Seen<'_>, alarms: &mut Vec<Alarm>) {
        let agent = &seen.entry.agent;
        let used = matches!(seen.entry.event, Event::Rest(_));
        let (Some(token), Some(network), true) = (&agent.token_id, network(&agent.address, seen.limits.network_bits), used)
        else {
            return;
        };
        let (_, distinct) = self.networks.count(format!("{} {token}", agent.issuer), seen.at(), network);
        if distinct > 1 {
            let text = format!("one token came from {distinct} networks within five minutes");
            // A telephone that leaves the house changes networks too: a site that has none chooses to revoke.
            alarms.push(seen.alarm(Rule::R14, Subject::Token(token.clone()), Measure::Alert, text));
        }
    }
}

/// Who failed: the address. A client is only claimed until it is proved, and nobody must be able to slow down another by its name.
fn subject(seen: &Seen<'_>) -> Subject {
    let agent = &seen.entry.agent;
    if agent.address.is_empty() { Subject::Client(agent.client.clone()) } else { Subject::Address(agent.address.clone()) }
}

/// The network of an address.
fn network(address: &str, bits: u8) -> Option<String> {
    let (number, width, bits) = match address.parse::<IpAddr>().ok()?.to_canonical() {
        IpAddr::V4(v4) => (u128::from(u32::from(v4)), 32, u32::from(bits).min(32)),
        IpAddr::V6(v6) => (u128::from(v6), 128, (u32::from(bits) * 2).min(128)),
    };
    Some(format!("{width}:{:x}", number.checked_shr(width - bits).unwrap_or(0)))
}
