//! R9, R11, R13: emergency access, what protects, canaries.

use super::window::Windows;
use super::{Alarm, Event, Measure, Outcome, Rule, Seen, Subject};
use crate::fhir::Key;
use std::fmt::Write as _;

/// What the rules remember.
#[derive(Debug)]
pub(super) struct Guard {
    emergencies: Windows<String, (i64, String)>,
}

impl Default for Guard {
    fn default() -> Self {
        Self { emergencies: Windows::of_seconds(30 * 24 * 3_600) }
    }
}

impl Guard {
    pub(super) fn see(&mut self, seen: &Seen<'_>, alarms: &mut Vec<Alarm>) {
        self.emergency(seen, alarms);
        protection(seen, alarms);
        canary(seen, alarms);
    }

    fn emergency(&mut self, seen: &Seen<'_>, alarms: &mut Vec<Alarm>) {
        let entry = seen.entry;
        let started = entry.event == Event::Override("started") && entry.outcome == Outcome::Success;
        let (Some(user), Some(patient), true) = (&entry.agent.user, entry.patients.first(), started) else { return };
        let items = self.emergencies.add(user.to_string(), seen.at(), (seen.seq, patient.to_string()));
        let same = items.iter().filter(|(_, (_, other))| *other == patient.as_str()).count();
        let all = items.len();
        let mut text = "emergency access began".to_owned();
        if same > 1 {
            text.push_str(", not the first of this user to this patient within 30 days");
        }
        if all > seen.limits.emergencies {
            let _written = write!(text, ", the {all}th of this user within 30 days");
        }
        let alarm = seen.alarm(Rule::R9, Subject::User(user.to_string()), Measure::Page, text);
        alarms.push(Alarm { patient: Some(patient.clone()), ..alarm });
    }
}

fn protection(seen: &Seen<'_>, alarms: &mut Vec<Alarm>) {
    let entry = seen.entry;
    let text = match entry.event {
        Event::Policy(word) => format!("what decides was changed: {word}"),
        Event::Registry(word) if word.starts_with("role-") || word.starts_with("key-") => {
            format!("roles or keys were changed: {word}")
        }
        Event::TrailUse("verified") if entry.outcome != Outcome::Success => {
            "a verification of the trail found something".to_owned()
        }
        Event::Recording(_) if entry.outcome != Outcome::Success => "the spool of the trail was changed".to_owned(),
        Event::Recording("stopped") => "the trail could not be written".to_owned(),
        Event::Data("key-destroyed") => "a key was destroyed".to_owned(),
        _ => return,
    };
    alarms.push(seen.alarm(Rule::R11, Subject::of(entry), Measure::Page, text));
}

fn canary(seen: &Seen<'_>, alarms: &mut Vec<Alarm>) {
    let entry = seen.entry;
    let touched = |canary: &&Key| {
        let record = entry.records.iter().any(|one| one.resource_type == canary.resource_type && one.id == canary.id);
        record || (canary.resource_type == crate::fhir::ResourceType::Patient && entry.patients.contains(&canary.id))
    };
    if let Some(canary) = seen.limits.canaries.iter().find(touched) {
        let text = format!("the canary {canary} was touched: nobody has a reason to");
        alarms.push(seen.alarm(Rule::R13, Subject::of(entry), Measure::Page, text));
    }
}
