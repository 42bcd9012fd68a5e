//! `[alarms]`: the alert rules, from where on each speaks, whether it acts, and who is told.

use super::audit::{Target, address};
use super::mail;
use super::settings::Settings;
use crate::audit::rules::{Measure, Network, Place, Policy, Rule, Thresholds};
use crate::fhir::Key;
use secrecy::SecretString;

/// `[alarms]`
#[derive(Debug, Clone)]
pub struct Alarms {
    /// Whether entries are looked at at all.
    pub enabled: bool,
    /// What rules do beside telling.
    pub policy: Policy,
    /// From where on each rule speaks.
    pub thresholds: Thresholds,
    /// Labels (`meta.security`) of patients who are specially protected.
    pub protected_labels: Vec<String>,
    /// Who is told.
    pub to: Vec<Target>,
}

/// Reads the section.
pub(super) fn read(settings: &mut Settings) -> Alarms {
    let usual = Thresholds::default();
    let key = |name: &str| format!("alarms.{name}");
    let enabled = settings.or(&key("enabled"), true);
    let policy = policy(settings);
    let labels = ["VIP", "CEL", "EMP"].map(str::to_owned).to_vec();
    let thresholds = Thresholds {
        off: rules(settings),
        quiet_seconds: settings.or(&key("quiet_seconds"), usual.quiet_seconds),
        failed_tokens: settings.or(&key("failed_tokens"), usual.failed_tokens),
        unknown_keys: settings.or(&key("unknown_keys"), usual.unknown_keys),
        hidden_reads: settings.or(&key("hidden_reads"), usual.hidden_reads),
        patients_an_hour: settings.or(&key("patients_an_hour"), usual.patients_an_hour),
        patients_times: settings.or(&key("patients_times"), usual.patients_times),
        export_times: settings.or(&key("export_times"), usual.export_times),
        duty: duty(settings),
        utc_offset_minutes: settings.or(&key("utc_offset_minutes"), usual.utc_offset_minutes),
        places: places(settings),
        travel_speed: settings.or(&key("travel_speed"), usual.travel_speed),
        emergencies: settings.or(&key("emergencies"), usual.emergencies),
        discharge_days: settings.or(&key("discharge_days"), usual.discharge_days),
        encounter_days: settings.or(&key("encounter_days"), usual.encounter_days),
        mass_updates: settings.or(&key("mass_updates"), usual.mass_updates),
        mass_deletes: settings.or(&key("mass_deletes"), usual.mass_deletes),
        churn: settings.or(&key("churn"), usual.churn),
        canaries: canaries(settings),
        network_bits: settings.or(&key("network_bits"), usual.network_bits),
        spike_times: settings.or(&key("spike_times"), usual.spike_times),
    };
    if thresholds.network_bits > 32 {
        settings.fault(&key("network_bits"), "must lie between 0 and 32");
    }
    for (name, count) in [
        ("failed_tokens", thresholds.failed_tokens),
        ("hidden_reads", thresholds.hidden_reads),
        ("patients_an_hour", thresholds.patients_an_hour),
        ("mass_updates", thresholds.mass_updates),
        ("mass_deletes", thresholds.mass_deletes),
        ("churn", thresholds.churn),
    ] {
        if count == 0 {
            settings.fault(&key(name), "must be at least 1: to silence a rule, name it in `alarms.off`");
        }
    }
    let protected_labels = settings.or(&key("protected_labels"), labels);
    Alarms { enabled, policy, thresholds, protected_labels, to: receivers(settings) }
}

/// `act`, `learn_days`, `spare`, and `[alarms.actions]`: `R3 = "suspend"`.
fn policy(settings: &mut Settings) -> Policy {
    let usual = Policy::default();
    let mut chosen = std::collections::HashMap::new();
    for rule in Rule::ALL {
        let key = format!("alarms.actions.{}", rule.name());
        // The environment has no capitals.
        let small = settings.optional::<String>(&key.to_ascii_lowercase());
        let Some(word) = settings.optional::<String>(&key).or(small) else { continue };
        match Measure::parse(&word) {
            Some(Measure::Pause) if rule != Rule::R15 => {
                settings.fault(&key, "only R15 is about a subscription that could pause");
            }
            Some(measure) => drop(chosen.insert(rule, measure)),
            None => settings.fault(
                &key,
                format!("`{word}` is no action; those that are: notify, throttle, revoke, suspend, hold, write-lock, pause"),
            ),
        }
    }
    let learn_days = settings.or("alarms.learn_days", usual.learn_days);
    if learn_days < 0 {
        settings.fault("alarms.learn_days", "must not be negative");
    }
    let spared = match settings.optional::<Vec<String>>("alarms.spare") {
        None => usual.spared,
        Some(names) => {
            let known: Vec<Network> = names.iter().filter_map(|name| Network::parse(name)).collect();
            if known.len() != names.len() {
                settings.fault("alarms.spare", "holds something that is no network, such as `10.0.0.0/8`");
            }
            known
        }
    };
    Policy { act: settings.or("alarms.act", usual.act), chosen, learn_days, spared }
}

fn rules(settings: &mut Settings) -> Vec<Rule> {
    let names: Vec<String> = settings.or("alarms.off", Vec::new());
    let known: Vec<Rule> = names.iter().filter_map(|name| Rule::parse(name)).collect();
    if known.len() != names.len() {
        settings.fault("alarms.off", "holds something other than `R1` to `R15`");
    }
    known
}

fn canaries(settings: &mut Settings) -> Vec<Key> {
    let names: Vec<String> = settings.or("alarms.canaries", Vec::new());
    let known: Vec<Key> = names.iter().filter_map(|name| Key::parse(name)).collect();
    if known.len() != names.len() {
        settings.fault("alarms.canaries", "holds something that is no record, such as `Patient/canary`");
    }
    known
}

/// `[[alarms.duty]]`: `user` (or `*`), `from` and `to` as `HH:MM` of the local day.
fn duty(settings: &mut Settings) -> std::collections::HashMap<String, (u32, u32)> {
    let mut all = std::collections::HashMap::new();
    for at in 0..settings.elements("alarms.duty") {
        let key = |name: &str| format!("alarms.duty[{at}].{name}");
        let (user, from, to): (Option<String>, Option<String>, Option<String>) =
            (settings.required(&key("user")), settings.required(&key("from")), settings.required(&key("to")));
        let (Some(user), Some(from), Some(to)) = (user, from, to) else { continue };
        match (minutes(&from), minutes(&to)) {
            (Some(from), Some(to)) => drop(all.insert(user, (from, to))),
            _ => settings.fault(&key("from"), "and `to` must be times of the day, such as `07:30`"),
        }
    }
    all
}

fn minutes(text: &str) -> Option<u32> {
    let (hours, minutes) = text.split_once(':')?;
    let (hours, minutes) = (hours.parse::<u32>().ok()?, minutes.parse::<u32>().ok()?);
    (hours <= 24 && minutes < 60).then_some(hours * 60 + minutes)
}

/// `[[alarms.places]]`: `network`, `latitude`, `longitude`.
fn places(settings: &mut Settings) -> Vec<Place> {
    let mut all = Vec::new();
    for at in 0..settings.elements("alarms.places") {
        let key = |name: &str| format!("alarms.places[{at}].{name}");
        let network: Option<String> = settings.required(&key("network"));
        let (latitude, longitude): (Option<f64>, Option<f64>) =
            (settings.required(&key("latitude")), settings.required(&key("longitude")));
        let (Some(network), Some(latitude), Some(longitude)) = (network, latitude, longitude) else { continue };
        match Network::parse(&network) {
            Some(network) => all.push(Place { network, latitude, longitude }),
            None => settings.fault(&key("network"), "must be a network such as `192.0.2.0/24`"),
        }
    }
    all
}

/// `[alarms.notify]`: `webhook` (signed with `secret`), `syslog`, `file`, `mail`.
fn receivers(settings: &mut Settings) -> Vec<Target> {
    let key = |name: &str| format!("alarms.notify.{name}");
    let mut to: Vec<Target> = settings.path(&key("file")).map(Target::File).into_iter().collect();
    let (ca, secret) = (settings.path(&key("ca")), settings.optional_secret::<String>(&key("secret")).map(SecretString::from));
    for (name, kind) in [("webhook", "https"), ("syslog", "syslog")] {
        let Some(given) = settings.optional::<String>(&key(name)) else { continue };
        match address(kind, &given, ca.clone(), secret.clone()) {
            Ok(target) => to.push(target),
            Err(text) => settings.fault(&key(name), text),
        }
    }
    to.extend(mail::read(settings, "alarms.notify.mail").map(Target::Mail));
    to
}
