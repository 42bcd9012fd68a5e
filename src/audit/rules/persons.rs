//! R5 to R8 and R10: who opens whose record, and when and where.

use super::{Alarm, Measure, Place, Rule, Seen, Subject};
use crate::fhir::{Id, Key};
use std::collections::HashMap;
use std::net::IpAddr;

const DAY: i64 = 86_400_000;

/// What the rules remember: where each user was last.
#[derive(Debug, Default)]
pub(super) struct Persons {
    last: HashMap<String, (i64, Place)>,
}

impl Persons {
    pub(super) fn see(&mut self, seen: &Seen<'_>, alarms: &mut Vec<Alarm>) {
        let Some(user) = seen.opened() else { return };
        for patient in &seen.entry.patients {
            of_patient(seen, user, patient, alarms);
        }
        duty(seen, user, alarms);
        self.travel(seen, user, alarms);
    }

    fn travel(&mut self, seen: &Seen<'_>, user: &Key, alarms: &mut Vec<Alarm>) {
        let Ok(address) = seen.entry.agent.address.parse::<IpAddr>() else { return };
        let Some(place) = seen.limits.places.iter().find(|place| place.network.holds(address)) else { return };
        let Some((at, before)) = self.last.insert(user.to_string(), (seen.at(), *place)) else { return };
        let distance = before.distance(place);
        #[expect(clippy::cast_precision_loss, reason = "milliseconds between two requests are far below 2^52")]
        let hours = ((seen.at() - at).max(1) as f64) / 3_600_000.0;
        if distance / hours > seen.limits.travel_speed {
            let text = format!("in two places {distance:.0} km apart within {:.0} minutes", hours * 60.0);
            alarms.push(seen.alarm(Rule::R8, Subject::User(user.to_string()), Measure::Alert, text));
        }
    }
}

fn of_patient(seen: &Seen<'_>, user: &Key, patient: &Id, alarms: &mut Vec<Alarm>) {
    let Some(known) = seen.known.get(patient) else { return };
    let mut raise = |rule, text: String| {
        let alarm = seen.alarm(rule, Subject::User(user.to_string()), Measure::Alert, text);
        alarms.push(Alarm { patient: Some(patient.clone()), ..alarm });
    };
    if known.own {
        raise(Rule::R7, "the user opened their own record through a clinical role".to_owned());
    } else if known.surname || known.contact {
        let what = if known.contact { "an address, telephone number or contact" } else { "the surname" };
        raise(Rule::R6, format!("user and patient have {what} in common"));
    }
    if known.marked && known.cares == Some(false) {
        raise(Rule::R5, "a specially protected patient was opened without a care relation".to_owned());
    }
    let since = |at: i64| (seen.at() - at).div_euclid(DAY);
    let after = known.discharged.map(|at| since(at.0)).filter(|days| *days > seen.limits.discharge_days);
    let stale = known.last_encounter.map(|at| since(at.0)).filter(|days| *days > seen.limits.encounter_days);
    if let Some(days) = after.or(stale) {
        raise(Rule::R10, format!("opened {days} days after the last encounter or discharge"));
    }
}

/// Outside the hours of duty, which may reach over midnight.
fn duty(seen: &Seen<'_>, user: &Key, alarms: &mut Vec<Alarm>) {
    let duty = seen.limits.duty.get(&user.to_string()).or_else(|| seen.limits.duty.get("*"));
    let Some((from, to)) = duty.copied() else { return };
    let local = seen.at().div_euclid(60_000) + seen.limits.utc_offset_minutes;
    let Ok(minute) = u32::try_from(local.rem_euclid(1_440)) else { return };
    let on = if from <= to { (from..to).contains(&minute) } else { minute >= from || minute < to };
    if !on {
        let text = format!("at {:02}:{:02}, outside the hours of duty", minute / 60, minute % 60);
        alarms.push(seen.alarm(Rule::R8, Subject::User(user.to_string()), Measure::Alert, text));
    }
}
