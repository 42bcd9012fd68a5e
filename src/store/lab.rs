//! The inbox of result intake, as a port: messages as they came, and what became of each.

use super::{Answering, CommitError};
use crate::audit::Entry;
use crate::fhir::Instant;

/// How far a message has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Stored, not yet filed.
    Received,
    /// Its records are in the store.
    Filed,
    /// Everything in it was older than what is on file.
    Superseded,
    /// It waits for a person.
    Held,
    /// Its sender must correct it.
    Failed,
    /// It is not taken: type, version, feed or grant.
    Rejected,
    /// A person decided that there is nothing to file.
    Dismissed,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Received, Self::Filed, Self::Superseded, Self::Held, Self::Failed, Self::Rejected, Self::Dismissed];

    /// The word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Filed => "filed",
            Self::Superseded => "superseded",
            Self::Held => "held",
            Self::Failed => "failed",
            Self::Rejected => "rejected",
            Self::Dismissed => "dismissed",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.word() == word)
    }

    /// Whether somebody should look at it.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Received | Self::Held | Self::Failed | Self::Rejected)
    }
}

/// Who sent a message, and under which grant it is filed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Feed {
    /// `client_id`
    pub client: String,
    /// Its issuer.
    pub issuer: String,
    /// What it was granted when the message came.
    pub scope: String,
    /// The organization that it acts for; empty for none.
    pub organization: String,
    /// Purposes of use.
    pub purposes: Vec<String>,
    /// How the message came.
    pub door: String,
    /// From which network address.
    pub address: String,
}

/// A message in the inbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Its id here.
    pub id: String,
    /// Client, sending application, sending facility.
    pub sender: String,
    /// Its control id.
    pub control: String,
    /// SHA-256 of the bytes as they came first.
    pub digest: Vec<u8>,
    /// Who sent it.
    pub feed: Feed,
    /// Type and event, such as `ORU^R01`.
    pub kind: String,
    /// When it says that it was sent.
    pub sent: Instant,
    /// When it came.
    pub received: Instant,
    /// When its state last changed.
    pub updated: Instant,
    /// How far it has come.
    pub state: State,
    /// A machine code for why.
    pub reason: String,
    /// Findings, as a JSON array; never record content.
    pub detail: String,
    /// Whose records it was filed in: references, separated by blanks.
    pub patients: String,
    /// The patients that a person decided on, in the order of the PID segments, separated by blanks.
    pub decided: String,
    /// Who decided or edited last; empty for nobody.
    pub editor: String,
    /// How often it was replayed.
    pub replay: u32,
    /// The accept acknowledgement that was given.
    pub reply: Option<Vec<u8>>,
    /// The application's acknowledgement.
    pub answer: Option<Vec<u8>>,
    /// The message: as it came, or as it was edited.
    pub content: Vec<u8>,
    /// As it came, when it was edited.
    pub original: Option<Vec<u8>>,
}

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// The new state.
    pub state: State,
    /// Why.
    pub reason: String,
    /// Findings, as a JSON array.
    pub detail: String,
    /// Whose records.
    pub patients: String,
    /// The application's acknowledgement, where one is to be given.
    pub answer: Option<Vec<u8>>,
    /// When.
    pub now: Instant,
}

/// What a person does about a message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Correction {
    /// The patients, decided.
    pub decided: Option<String>,
    /// The message, edited.
    pub content: Option<Vec<u8>>,
    /// It is dismissed instead of filed, for this reason.
    pub dismissed: Option<String>,
    /// Who.
    pub editor: String,
}

/// Which messages to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// In these states; in any, when empty.
    pub states: Vec<State>,
    /// With this reason.
    pub reason: Option<String>,
    /// With a finding about this.
    pub about: Option<String>,
    /// At most so many, the oldest first.
    pub limit: u32,
}

/// Where messages are kept. Shared by every node.
pub trait LabStore: Send + Sync {
    /// Keeps a message with its trail entry, unless the same is there: then gives that one, as it stands.
    fn receive(&self, message: Kept, entry: Entry) -> Answering<'_, Option<Kept>, CommitError>;

    /// A message.
    fn message<'a>(&'a self, id: &'a str) -> Answering<'a, Option<Kept>>;

    /// Notes what became of a message. `false` when its replay is no longer this one: somebody else has changed it meanwhile.
    fn settle<'a>(&'a self, id: &'a str, replay: u32, settlement: Settlement) -> Answering<'a, bool, CommitError>;

    /// Notes what a person does about a message, with the entry for the trail; then it is as if it had just come.
    fn correct<'a>(&'a self, id: &'a str, correction: Correction, now: Instant, entry: Entry)
    -> Answering<'a, bool, CommitError>;

    /// Messages, the oldest first.
    fn list(&self, listing: Listing) -> Answering<'_, Vec<Kept>>;

    /// How many messages are in each state, and since when the oldest of it.
    fn counts(&self) -> Answering<'_, Vec<(State, u64, Instant)>>;

    /// The latest moment at which a filed message of this client about exactly these patients, of a type that begins so, was sent.
    fn latest<'a>(&'a self, client: &'a str, patients: &'a str, kind: &'a str) -> Answering<'a, Option<Instant>>;
}
