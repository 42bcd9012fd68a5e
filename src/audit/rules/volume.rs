//! R3, R4, R12, R15: how much.

use super::window::Windows;
use super::{Alarm, Event, Measure, Outcome, Rule, Seen, Subject};
use crate::fhir::{Id, ResourceType, Version};
use std::collections::{HashMap, HashSet, VecDeque};

const HOUR: i64 = 3_600_000;
const MONTH: i64 = 30 * 24 * HOUR;
/// Exports that make up what is usual.
const USUAL: usize = 20;

/// The patients that a user has opened, hour by hour.
#[derive(Debug, Default)]
struct Habit {
    hour: i64,
    patients: HashSet<Id>,
    /// Hours with any, and how many: 30 days.
    past: VecDeque<(i64, usize)>,
}

/// What a client exports usually.
#[derive(Debug, Default)]
struct Exports {
    rows: VecDeque<u64>,
    destinations: HashSet<String>,
}

/// What the rules remember.
#[derive(Debug)]
pub(super) struct Volume {
    habits: HashMap<String, Habit>,
    exports: HashMap<String, Exports>,
    updates: Windows<String, i64>,
    deletes: Windows<String, i64>,
    versions: Windows<String, i64>,
    turned: HashMap<String, i64>,
    delivered: Windows<String, i64>,
}

impl Default for Volume {
    fn default() -> Self {
        Self {
            habits: HashMap::new(),
            exports: HashMap::new(),
            updates: Windows::of_seconds(300),
            deletes: Windows::of_seconds(300),
            versions: Windows::of_seconds(300),
            turned: HashMap::new(),
            delivered: Windows::of_seconds(1_200),
        }
    }
}

impl Volume {
    pub(super) fn see(&mut self, seen: &Seen<'_>, alarms: &mut Vec<Alarm>) {
        if seen.entry.outcome != Outcome::Success {
            return;
        }
        self.patients(seen, alarms);
        self.exports(seen, alarms);
        self.writes(seen, alarms);
        self.subscriptions(seen, alarms);
    }

    fn patients(&mut self, seen: &Seen<'_>, alarms: &mut Vec<Alarm>) {
        let shown = matches!(seen.entry.event, Event::Rest(_)) && !seen.entry.patients.is_empty();
        let (Some(user), true) = (&seen.entry.agent.user, shown) else { return };
        let habit = self.habits.entry(user.to_string()).or_default();
        let hour = seen.at().div_euclid(HOUR);
        if hour != habit.hour {
            let count = std::mem::take(&mut habit.patients).len();
            if count > 0 {
                habit.past.push_back((habit.hour, count));
            }
            habit.past.retain(|(past, _)| (hour - past) * HOUR <= MONTH);
            habit.hour = hour;
        }
        habit.patients.extend(seen.entry.patients.iter().cloned());
        let bound = seen.limits.patients_an_hour.max(seen.limits.patients_times * percentile(&habit.past));
        let count = habit.patients.len();
        if count > bound {
            let text = format!("records of {count} patients within an hour; for this user up to {bound} would be usual");
            alarms.push(seen.alarm(Rule::R3, Subject::User(user.to_string()), Measure::Throttle, text));
        }
    }

    /// A job tells its rows and destination in its note: `rows=120 destination=https://...`.
    fn exports(&mut self, seen: &Seen<'_>, alarms: &mut Vec<Alarm>) {
        if seen.entry.event != Event::Export("job") && seen.entry.event != Event::Export("closed") {
            return;
        }
        let client = seen.entry.agent.client.clone();
        let note = seen.entry.query.as_deref().unwrap_or_default();
        let word =
            |name: &str| note.split([' ', '&']).find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')).map(str::to_owned);
        let usual = self.exports.entry(client.clone()).or_default();
        let hold = |text: String| seen.alarm(Rule::R4, Subject::Client(client.clone()), Measure::Hold, text);
        if let Some(destination) = word("destination") {
            let first = usual.destinations.is_empty();
            if usual.destinations.insert(destination) && !first {
                alarms.push(hold("an export went to a destination that this client never used before".to_owned()));
            }
        }
        let Some(rows) = word("rows").and_then(|rows| rows.parse::<u64>().ok()) else { return };
        let mean = usual.rows.iter().sum::<u64>() / (usual.rows.len() as u64).max(1);
        if !usual.rows.is_empty() && rows > mean.saturating_mul(seen.limits.export_times) {
            alarms.push(hold(format!("an export of {rows} rows, where {mean} are usual for this client")));
        }
        usual.rows.push_back(rows);
        if usual.rows.len() > USUAL {
            usual.rows.pop_front();
        }
    }

    fn writes(&mut self, seen: &Seen<'_>, alarms: &mut Vec<Alarm>) {
        let Event::Rest(word) = seen.entry.event else { return };
        let client = &seen.entry.agent.client;
        let lock = |text: String| seen.alarm(Rule::R12, Subject::Client(client.clone()), Measure::WriteLock, text);
        // What was not there before is not overwritten.
        let made = seen.entry.records.iter().all(|record| record.version == Some(Version(1))) && !seen.entry.records.is_empty();
        let (windows, bound, what) = match word {
            "update" if made => return,
            "update" | "patch" => (&mut self.updates, seen.limits.mass_updates, "updates"),
            "delete" => (&mut self.deletes, seen.limits.mass_deletes, "deletions"),
            _ => return,
        };
        let count = windows.total(client.clone(), seen.at(), seen.seq);
        if count >= bound {
            alarms.push(lock(format!("{count} {what} by one client within five minutes")));
        }
        for record in &seen.entry.records {
            let count = self.versions.total(format!("{}/{}", record.resource_type, record.id), seen.at(), seen.seq);
            if count >= seen.limits.churn {
                alarms.push(lock(format!("{count} versions of one record within five minutes")));
            }
        }
    }

    fn subscriptions(&mut self, seen: &Seen<'_>, alarms: &mut Vec<Alarm>) {
        let records = seen.entry.records.iter().filter(|record| record.resource_type == ResourceType::Subscription);
        for subscription in records {
            let id = subscription.id.to_string();
            match seen.entry.event {
                Event::Rest("update" | "patch") => {
                    self.turned.insert(id, seen.at());
                }
                Event::Disclosure("notification") => {
                    let items = self.delivered.add(id.clone(), seen.at(), seen.seq);
                    let Some(turned) = self.turned.get(&id).copied() else { continue };
                    if seen.at() - turned > 600_000 {
                        self.turned.remove(&id);
                        continue;
                    }
                    let after = items.iter().filter(|(at, _)| *at >= turned).count();
                    let before = items.iter().filter(|(at, _)| *at < turned && turned - at <= 600_000).count();
                    if after > before.max(3) * seen.limits.spike_times {
                        let text = format!(
                            "{after} notifications since the subscription was changed, {before} in the ten minutes before"
                        );
                        alarms.push(seen.alarm(Rule::R15, Subject::Subscription(id), Measure::Pause, text));
                    }
                }
                _ => {}
            }
        }
    }
}

/// The 95th percentile of the hours in which there was any.
fn percentile(past: &VecDeque<(i64, usize)>) -> usize {
    let mut counts: Vec<usize> = past.iter().map(|(_, count)| *count).collect();
    counts.sort_unstable();
    let at = (counts.len() * 95).div_ceil(100).saturating_sub(1);
    counts.get(at).copied().unwrap_or(0)
}
