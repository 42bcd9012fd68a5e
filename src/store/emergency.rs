//! What is kept of emergency access, as a port: grants, notices, and the cases that somebody else must close.

use super::{Answering, CommitError};
use crate::access::BreakGlass;
use crate::audit::{Entry, Receipt};
use crate::fhir::{Id, Instant};

/// Whom a notice is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recipient {
    /// The privacy office, at once.
    PrivacyOffice,
    /// The patient.
    Patient(Id),
}

impl Recipient {
    /// As it is kept: `privacy-office` or `Patient/id`.
    pub fn to_text(&self) -> String {
        match self {
            Self::PrivacyOffice => "privacy-office".to_owned(),
            Self::Patient(id) => format!("Patient/{id}"),
        }
    }
}

/// Something that somebody must be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The alert rule (`audit` § 11), such as `R9`.
    pub rule: &'static str,
    /// Who is told.
    pub recipient: Recipient,
    /// In plain words, without record content.
    pub text: String,
}

/// A notice as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Its id.
    pub id: String,
    /// The alert rule.
    pub rule: String,
    /// Who is told, as [`Recipient::to_text`] has it.
    pub recipient: String,
    /// The grant that it is about, and the patient.
    pub grant: String,
    /// The patient whose record was opened.
    pub patient: Id,
    /// In plain words.
    pub text: String,
    /// When it was made.
    pub made: Instant,
    /// When somebody took note, and who.
    pub taken: Option<(Instant, String)>,
}

/// Which notices.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Which {
    /// About this patient alone.
    pub patient: Option<Id>,
    /// For this recipient alone.
    pub recipient: Option<String>,
    /// Those that were taken note of, too.
    pub all: bool,
}

/// How a review ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// It was right.
    Justified,
    /// It was not.
    Violation,
    /// Somebody else must look.
    Escalated,
}

impl Disposition {
    const ALL: [(Self, &'static str); 3] =
        [(Self::Justified, "justified"), (Self::Violation, "violation"), (Self::Escalated, "escalated")];

    /// The word.
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(one, _)| *one == self).map_or("escalated", |(_, word)| word)
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == word).map(|(one, _)| *one)
    }
}

/// A case that somebody other than its actor must close.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// Its id.
    pub id: String,
    /// The grant.
    pub grant: BreakGlass,
    /// When it was opened.
    pub opened: Instant,
    /// Until when it must be closed.
    pub due: Instant,
    /// `open`, or how it ended.
    pub state: String,
    /// Who closed it; empty while it is open.
    pub reviewer: String,
    /// What the reviewer wrote.
    pub note: String,
}

impl Case {
    /// Is it open after the moment at which it should have been closed?
    pub fn is_overdue(&self, now: Instant) -> bool {
        self.state == "open" && self.due <= now
    }
}

/// Everything that begins with a grant: all of it or nothing, with its entry in the same transaction.
#[derive(Debug, Clone)]
pub struct Opening {
    /// The grant.
    pub grant: BreakGlass,
    /// Who is told.
    pub notices: Vec<Notice>,
    /// Until when its case must be closed.
    pub due: Instant,
    /// For the trail.
    pub entry: Entry,
}

/// A review that ends.
#[derive(Debug, Clone)]
pub struct Review {
    /// The case.
    pub case: String,
    /// How.
    pub disposition: Disposition,
    /// Who.
    pub reviewer: String,
    /// Why.
    pub note: String,
    /// When.
    pub now: Instant,
    /// For the trail.
    pub entry: Entry,
}

/// Why a case was not closed.
#[derive(Debug, thiserror::Error)]
pub enum ReviewError {
    /// There is none of this id.
    #[error("there is no such case")]
    Unknown,
    /// Somebody closed it before.
    #[error("the case is closed already")]
    Closed,
    /// The reviewer is the one who had the access.
    #[error("nobody closes a case of their own")]
    Own,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] CommitError),
}

impl From<super::StoreError> for ReviewError {
    fn from(error: super::StoreError) -> Self {
        Self::Store(error.into())
    }
}

/// Where emergency access is kept. Shared by every node.
pub trait EmergencyStore: Send + Sync {
    /// Keeps a grant with its notices, its case and its entry.
    fn open(&self, opening: Opening) -> Answering<'_, Receipt, CommitError>;

    /// The grants that hold at this moment.
    fn live(&self, now: Instant) -> Answering<'_, Vec<BreakGlass>>;

    /// How many grants this user had since a moment: for this patient, and in all.
    fn history<'a>(&'a self, user: &'a str, patient: &'a Id, since: Instant) -> Answering<'a, (i64, i64)>;

    /// Ends grants before their time; those that ended already stay as they are.
    fn end<'a>(&'a self, grants: &'a [String], by: &'a str, now: Instant, entry: Entry) -> Answering<'a, Receipt, CommitError>;

    /// Cases, those due first at the front; only open ones, unless all are asked for.
    fn cases(&self, all: bool) -> Answering<'_, Vec<Case>>;

    /// Notices, the oldest first.
    fn notices(&self, which: Which) -> Answering<'_, Vec<Kept>>;

    /// Takes note of those of these that are for the recipient and wait still, with the entry; their ids.
    fn take_notices<'a>(
        &'a self,
        ids: &'a [String],
        recipient: &'a str,
        by: &'a str,
        now: Instant,
        entry: Entry,
    ) -> Answering<'a, (Vec<String>, Receipt), CommitError>;

    /// Closes a case.
    fn close_case(&self, review: Review) -> Answering<'_, Receipt, ReviewError>;
}
