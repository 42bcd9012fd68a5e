//! What watches, as a port: alarms, restrictions in force, mutes, the review queue, incidents. Shared by every node.

use super::emergency::{Review, ReviewError};
use super::{Answering, CommitError};
use crate::audit::{Entry, Receipt};
use crate::fhir::Instant;

/// Whom a restriction is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Restricted {
    /// A client, by its `client_id`.
    Client,
    /// A user, by `fhirUser` (`Practitioner/d1`) or `sub`.
    User,
    /// A token, by its `jti`.
    Token,
    /// A network address.
    Address,
    /// Everybody.
    Everybody,
}

/// What a restriction does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Nothing is answered.
    Suspend,
    /// One request a second.
    Throttle,
    /// Exports wait for an approval.
    Hold,
    /// Nothing is written.
    WriteLock,
    /// No notification is delivered.
    Pause,
}

/// The words of an enum, in its written form.
macro_rules! words {
    ($of:ty, $($variant:ident = $word:literal),*) => {
        impl $of {
            /// The written form.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }

            /// Reads the written form.
            pub fn parse(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

words!(Restricted, Client = "client", User = "user", Token = "token", Address = "address", Everybody = "everybody");
words!(Effect, Suspend = "suspend", Throttle = "throttle", Hold = "hold", WriteLock = "write-lock", Pause = "pause");

/// A restriction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restriction {
    /// Its id.
    pub id: String,
    /// Whom it is for.
    pub kind: Restricted,
    /// Which one; empty for everybody.
    pub target: String,
    /// What it does.
    pub effect: Effect,
    /// From when.
    pub begins: Instant,
    /// Until when; `None` until it is lifted.
    pub ends: Option<Instant>,
    /// Why.
    pub reason: String,
    /// Who set it.
    pub by: String,
}

/// An alarm that a rule raised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raised {
    /// Its id: the same for the same rule, subject and entry, whichever node saw it.
    pub id: String,
    /// The rule, such as `R3`.
    pub rule: String,
    /// The entry that tipped it over; 0 when none did.
    pub seq: i64,
    /// When.
    pub at: Instant,
    /// Who or what it is about.
    pub subject: String,
    /// The patient, as an id; empty when none.
    pub patient: String,
    /// In plain words, without record content.
    pub text: String,
    /// What was done.
    pub action: String,
    /// `open`, or how it was judged.
    pub state: String,
}

/// A case of the review queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reviewed {
    /// Its id.
    pub id: String,
    /// `break-glass`, `alarm` or `sample`.
    pub kind: String,
    /// The grant, the alarm, or the number of the entry.
    pub about: String,
    /// The patient; empty when none.
    pub patient: String,
    /// Whose act it was: nobody closes a case of their own.
    pub actor: String,
    /// When it was opened.
    pub opened: Instant,
    /// Until when it must be closed.
    pub due: Instant,
    /// `open`, or how it ended.
    pub state: String,
    /// Who closed it.
    pub reviewer: String,
    /// What the reviewer wrote.
    pub note: String,
}

/// A rule that is not to be heard about one subject for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mute {
    /// The rule.
    pub rule: String,
    /// About whom; empty for everybody.
    pub subject: String,
    /// Until when.
    pub ends: Instant,
    /// Why.
    pub reason: String,
    /// Who muted it.
    pub by: String,
}

/// An incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incident {
    /// Its id.
    pub id: String,
    /// What it is called.
    pub title: String,
    /// When it was discovered: clocks run from here.
    pub discovered: Instant,
    /// When it was opened.
    pub opened: Instant,
    /// By whom.
    pub opened_by: String,
    /// Who leads.
    pub owner: String,
    /// `open` or `closed`.
    pub state: String,
    /// The cause, once it is closed.
    pub cause: String,
    /// When it was closed.
    pub closed: Option<Instant>,
    /// By whom.
    pub closed_by: String,
}

/// A line of an incident's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncidentLine {
    /// When.
    pub at: Instant,
    /// What kind of step: `opened`, `scoped`, `contained`, `notified`, `noted`, `closed`.
    pub kind: String,
    /// By whom.
    pub by: String,
    /// What was done or found.
    pub text: String,
}

/// Everything that begins with an alarm, or nothing.
#[derive(Debug, Clone)]
pub struct Alarming {
    /// The alarm.
    pub raised: Raised,
    /// What it restricts.
    pub restriction: Option<Restriction>,
    /// Until when somebody must have looked.
    pub due: Instant,
    /// For the trail: the alarm, and each action.
    pub entries: Vec<Entry>,
}

/// A step of an incident.
#[derive(Debug, Clone)]
pub struct Step {
    /// Which incident.
    pub incident: String,
    /// What is added to its history.
    pub line: IncidentLine,
    /// What it restricts.
    pub restrictions: Vec<Restriction>,
    /// The cause, when it closes the incident.
    pub closes: Option<String>,
    /// For the trail.
    pub entry: Entry,
}

/// Where all this is kept.
pub trait WatchStore: Send + Sync {
    /// Keeps an alarm with its action, its case and its entries. False, and nothing, when it is there already.
    fn raise(&self, alarming: Alarming) -> Answering<'_, bool, CommitError>;

    /// Alarms, the newest first; only open ones, unless all are asked for.
    fn alarms(&self, all: bool, limit: u32) -> Answering<'_, Vec<Raised>>;

    /// Alarms from this entry on, in order.
    fn alarms_since(&self, seq: i64, limit: u32) -> Answering<'_, Vec<Raised>>;

    /// The restrictions in force.
    fn restrictions(&self, now: Instant) -> Answering<'_, Vec<Restriction>>;

    /// Sets a restriction, with its entry.
    fn restrict(&self, restriction: Restriction, entry: Entry) -> Answering<'_, Receipt, CommitError>;

    /// Lifts restrictions; how many there were.
    fn lift<'a>(&'a self, id: &'a str, by: &'a str, now: Instant, entry: Entry) -> Answering<'a, usize, CommitError>;

    /// The mutes in force.
    fn mutes(&self, now: Instant) -> Answering<'_, Vec<Mute>>;

    /// Mutes.
    fn mute(&self, mute: Mute, entry: Entry) -> Answering<'_, Receipt, CommitError>;

    /// Puts accesses that were drawn at random before a reviewer; those that are there already stay as they are.
    fn sample(&self, cases: Vec<Reviewed>) -> Answering<'_, ()>;

    /// The review queue, those due first at the front; only open ones, unless all are asked for.
    fn queue(&self, all: bool) -> Answering<'_, Vec<Reviewed>>;

    /// Closes a case of any kind. Nobody closes a case of their own.
    fn review(&self, review: Review) -> Answering<'_, Receipt, ReviewError>;

    /// Opens an incident.
    fn open_incident(&self, incident: Incident, line: IncidentLine, entry: Entry) -> Answering<'_, Receipt, CommitError>;

    /// An incident with its history.
    fn incident<'a>(&'a self, id: &'a str) -> Answering<'a, Option<(Incident, Vec<IncidentLine>)>>;

    /// All of them, the newest first.
    fn incidents(&self) -> Answering<'_, Vec<Incident>>;

    /// Adds a step.
    fn step(&self, step: Step) -> Answering<'_, Receipt, CommitError>;
}
