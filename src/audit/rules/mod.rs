//! The alert rules R1 to R15: state machines over the entries of the trail, in their order. No clock, no I/O: an entry brings its own
//! time, and what must be known of people and patients is given along.

mod credentials;
mod guard;
mod persons;
mod places;
mod policy;
mod volume;
mod window;

#[cfg(test)]
mod tests;

pub use places::{Network, Place};
pub use policy::Policy;

use super::{Entry, Event};
use crate::fhir::{Id, Instant, Key, Outcome, ResourceType};
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;

/// A rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rule {
    /// Failed tokens.
    R1,
    /// Enumeration of ids.
    R2,
    /// Too many patients for one user.
    R3,
    /// An unusual export.
    R4,
    /// A well-known patient or an employee, without a care relation.
    R5,
    /// Relatives: name, address or contact in common.
    R6,
    /// Staff in their own record.
    R7,
    /// Outside hours, or in two places at once.
    R8,
    /// Emergency access.
    R9,
    /// After discharge, or without an encounter for long.
    R10,
    /// What protects was changed or fails.
    R11,
    /// Mass writes.
    R12,
    /// A canary was touched.
    R13,
    /// One token in several networks, or used again.
    R14,
    /// A subscription turned elsewhere, then busy.
    R15,
}

impl Rule {
    /// Every rule, in order.
    pub const ALL: [Self; 15] = [
        Self::R1,
        Self::R2,
        Self::R3,
        Self::R4,
        Self::R5,
        Self::R6,
        Self::R7,
        Self::R8,
        Self::R9,
        Self::R10,
        Self::R11,
        Self::R12,
        Self::R13,
        Self::R14,
        Self::R15,
    ];

    /// Its name: `R1` to `R15`.
    pub const fn name(self) -> &'static str {
        const NAMES: [&str; 15] =
            ["R1", "R2", "R3", "R4", "R5", "R6", "R7", "R8", "R9", "R10", "R11", "R12", "R13", "R14", "R15"];
        #[expect(clippy::indexing_slicing, reason = "there is a name for each rule")]
        NAMES[self as usize]
    }

    /// The rule of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.name().eq_ignore_ascii_case(name))
    }
}

/// What is done beside telling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// Somebody is told.
    Alert,
    /// Somebody is woken.
    Page,
    /// One request a second from now on.
    Throttle,
    /// The token is of no use any more.
    Revoke,
    /// The client or user is not served.
    Suspend,
    /// Exports wait for an approval.
    Hold,
    /// Nothing is written any more.
    WriteLock,
    /// Notifications wait.
    Pause,
}

/// Whom an alarm is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Subject {
    /// A client.
    Client(String),
    /// A user.
    User(String),
    /// A token.
    Token(String),
    /// A network address.
    Address(String),
    /// A subscription.
    Subscription(String),
    /// The gateway as a whole.
    Everybody,
}

impl Subject {
    /// The name alone.
    pub fn name(&self) -> &str {
        match self {
            Self::Client(name) | Self::User(name) | Self::Token(name) | Self::Address(name) | Self::Subscription(name) => name,
            Self::Everybody => "",
        }
    }

    /// Who acts in an entry: the user, else the client, else the address.
    pub fn of(entry: &Entry) -> Self {
        let agent = &entry.agent;
        match &agent.user {
            Some(user) => Self::User(user.to_string()),
            None if agent.client.is_empty() => Self::Address(agent.address.clone()),
            None => Self::Client(agent.client.clone()),
        }
    }
}

/// An alarm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    /// The rule.
    pub rule: Rule,
    /// The entry that tipped it over.
    pub seq: i64,
    /// When that was.
    pub at: Instant,
    /// Whom it is about.
    pub subject: Subject,
    /// The patient, where it is about one.
    pub patient: Option<Id>,
    /// In plain words: counts and names of accounts, never record content.
    pub text: String,
    /// What is to be done.
    pub measure: Measure,
}

/// What is known of a user and a patient whose record the user opened.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact by itself")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Known {
    /// The patient's record carries the label of a well-known person or an employee.
    pub marked: bool,
    /// There is a care relation: care team, encounter, appointment, general practitioner. `None` when it cannot be told.
    pub cares: Option<bool>,
    /// The patient is the user.
    pub own: bool,
    /// They have the same surname.
    pub surname: bool,
    /// They have an address, telephone number or contact in common.
    pub contact: bool,
    /// When the patient's last encounter ended, or that it goes on: [`Instant`] of now. `None` without any.
    pub last_encounter: Option<Instant>,
    /// The last encounter was a stay that ended then.
    pub discharged: Option<Instant>,
}

/// What a look-up of acquaintances gives.
pub type Acquainting<'a> = Pin<Box<dyn Future<Output = HashMap<Id, Known>> + Send + 'a>>;

/// Who can tell how a user and patients stand to each other.
pub trait Acquaintance: Send + Sync {
    /// Of each patient of whom it can be told. `labels` are those of specially protected patients.
    fn known<'a>(&'a self, user: &'a Key, patients: &'a [Id], labels: &'a [String]) -> Acquainting<'a>;
}

/// `[alarms]`: from where on a rule speaks.
#[derive(Debug, Clone)]
pub struct Thresholds {
    /// Rules that do not speak.
    pub off: Vec<Rule>,
    /// Seconds in which a rule speaks once of the same subject.
    pub quiet_seconds: i64,
    /// R1: failed tokens of a client or address within five minutes.
    pub failed_tokens: usize,
    /// R1: signatures by keys that nobody knows, of a client or address within five minutes.
    pub unknown_keys: usize,
    /// R2: reads of distinct records that are hidden or not there, by one token within ten minutes.
    pub hidden_reads: usize,
    /// R3: distinct patients of a user within an hour, whatever the user's habit.
    pub patients_an_hour: usize,
    /// R3: so many times the user's own 95th percentile of 30 days.
    pub patients_times: usize,
    /// R4: rows of an export, so many times the client's usual.
    pub export_times: u64,
    /// R8: hours of duty of users, in minutes of the local day; `None` for always.
    pub duty: HashMap<String, (u32, u32)>,
    /// R8: minutes that the local time is ahead of UTC.
    pub utc_offset_minutes: i64,
    /// R8: where networks are.
    pub places: Vec<Place>,
    /// R8: kilometres an hour that nobody travels at.
    pub travel_speed: f64,
    /// R9: grants of a user within 30 days.
    pub emergencies: usize,
    /// R10: days after a stay in which its record may still be worked on.
    pub discharge_days: i64,
    /// R10: days without an encounter.
    pub encounter_days: i64,
    /// R12: records that one client overwrites within five minutes.
    pub mass_updates: usize,
    /// R12: deletions of one client within five minutes.
    pub mass_deletes: usize,
    /// R12: versions of one record within five minutes.
    pub churn: usize,
    /// R13: records that nobody has a reason to touch (`Patient/canary`).
    pub canaries: Vec<Key>,
    /// R14: leading bits of an IPv4 address that make a network; of IPv6, twice as many.
    pub network_bits: u8,
    /// R15: notifications within ten minutes after a change, so many times those of the ten before.
    pub spike_times: usize,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            off: Vec::new(),
            quiet_seconds: 600,
            failed_tokens: 10,
            unknown_keys: 3,
            hidden_reads: 20,
            patients_an_hour: 50,
            patients_times: 4,
            export_times: 3,
            duty: HashMap::new(),
            utc_offset_minutes: 0,
            places: Vec::new(),
            travel_speed: 900.0,
            emergencies: 3,
            discharge_days: 30,
            encounter_days: 180,
            mass_updates: 20_000,
            mass_deletes: 5_000,
            churn: 2_000,
            canaries: Vec::new(),
            network_bits: 16,
            spike_times: 3,
        }
    }
}

/// Everything that one rule needs to look at an entry.
struct Seen<'e> {
    seq: i64,
    entry: &'e Entry,
    known: &'e HashMap<Id, Known>,
    limits: &'e Thresholds,
}

impl Seen<'_> {
    fn at(&self) -> i64 {
        self.entry.recorded.0
    }

    fn alarm(&self, rule: Rule, subject: Subject, measure: Measure, text: String) -> Alarm {
        Alarm { rule, seq: self.seq, at: self.entry.recorded, subject, patient: None, text, measure }
    }

    /// A person who cares for others opened records, and it went well.
    fn opened(&self) -> Option<&Key> {
        let user = self.entry.agent.user.as_ref()?;
        let staff =
            matches!(user.resource_type, ResourceType::Practitioner | ResourceType::PractitionerRole | ResourceType::Person);
        let shown = matches!(self.entry.event, Event::Rest(_)) && self.entry.outcome == Outcome::Success;
        (staff && shown && !self.entry.patients.is_empty()).then_some(user)
    }
}

/// All rules with what they remember.
#[derive(Debug, Default)]
pub struct Detectors {
    limits: Thresholds,
    credentials: credentials::Credentials,
    volume: volume::Volume,
    persons: persons::Persons,
    guard: guard::Guard,
    spoken: HashMap<(Rule, Subject, Option<Id>), i64>,
}

impl Detectors {
    /// Nothing seen yet.
    pub fn new(limits: Thresholds) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Whether [`Detectors::see`] wants to know how user and patients of this entry stand to each other.
    pub fn asks(entry: &Entry) -> bool {
        Seen { seq: 0, entry, known: &HashMap::new(), limits: &Thresholds::default() }.opened().is_some()
    }

    /// Looks at the next entry.
    pub fn see(&mut self, seq: i64, entry: &Entry, known: &HashMap<Id, Known>) -> Vec<Alarm> {
        // What the gateway does by itself is no behaviour of anybody, and what was only begun counts when it is done.
        if matches!(entry.event, Event::Guard(_) | Event::Incident(_)) || entry.is_opening() {
            return Vec::new();
        }
        let limits = std::mem::take(&mut self.limits);
        let seen = Seen { seq, entry, known, limits: &limits };
        let mut alarms = Vec::new();
        self.credentials.see(&seen, &mut alarms);
        self.volume.see(&seen, &mut alarms);
        self.persons.see(&seen, &mut alarms);
        self.guard.see(&seen, &mut alarms);
        alarms.retain(|alarm| !limits.off.contains(&alarm.rule));
        self.limits = limits;
        self.hushed(alarms)
    }

    /// Each rule speaks once of the same for a while; emergency access and canaries always do.
    fn hushed(&mut self, mut alarms: Vec<Alarm>) -> Vec<Alarm> {
        let quiet = self.limits.quiet_seconds.saturating_mul(1_000);
        alarms.retain(|alarm| {
            let about = (alarm.rule, alarm.subject.clone(), alarm.patient.clone());
            let last = self.spoken.get(&about).copied();
            let heard = last.is_some_and(|last| alarm.at.0.saturating_sub(last) < quiet) && alarm.rule != Rule::R9;
            if !heard {
                self.spoken.insert(about, alarm.at.0);
            }
            !heard
        });
        if self.spoken.len() > window::MOST {
            let newest = self.spoken.values().copied().max().unwrap_or(0);
            self.spoken.retain(|_, at| newest.saturating_sub(*at) < quiet);
        }
        alarms
    }
}
