//! The interactions of the R4 RESTful API, as a closed enum (<https://hl7.org/fhir/R4/http.html>).

use super::search::SearchQuery;
use super::{Id, Instant, Key, Operation, Rendering, ResourceType, Version};

/// What a request asks for.
#[derive(Debug, Clone)]
pub enum Interaction {
    /// `GET metadata`
    Capabilities,
    /// `GET Type/id`
    Read(Key, ReadConditions),
    /// `GET Type/id/_history/version`
    Vread(Key, Version),
    /// `GET [Type[/id]]/_history`
    History(HistoryQuery),
    /// `GET Type?...`, `GET ?...`, `GET Patient/id/Type?...`, and their `POST _search` forms.
    Search(Box<SearchQuery>),
    /// A sealed `next` link; its content is known only after it was opened for the caller.
    Page(String),
    /// `POST Type`, with the query of `If-None-Exist`.
    Create(ResourceType, Option<Box<SearchQuery>>),
    /// `PUT Type/id`
    Update(Key, WriteCondition),
    /// `PUT Type?...`
    ConditionalUpdate(Box<SearchQuery>, WriteCondition),
    /// `PATCH Type/id`
    Patch(Key, WriteCondition),
    /// `PATCH Type?...`
    ConditionalPatch(Box<SearchQuery>, WriteCondition),
    /// `DELETE Type/id`
    Delete(Key, WriteCondition),
    /// `DELETE Type?...`
    ConditionalDelete(Box<SearchQuery>),
    /// `POST` to the base: batch or transaction, told apart by the body.
    Bundle,
    /// `$name`, on the system, a type or a record.
    Operate(Operation),
}

/// `If-None-Match` and `If-Modified-Since` of a read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReadConditions {
    /// The version that the caller holds.
    pub none_match: Option<Version>,
    /// When the caller's copy was current.
    pub modified_since: Option<Instant>,
}

/// What the caller demands of the current version before a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WriteCondition {
    /// Nothing.
    #[default]
    None,
    /// `If-Match: W/"n"`
    Match(Version),
    /// `If-None-Match: *`: it must not exist yet.
    Absent,
}

/// `_history` with its parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryQuery {
    /// Whose history.
    pub scope: HistoryScope,
    /// `_count`, bounded.
    pub count: Option<u32>,
    /// `_since`: changes at or after this moment.
    pub since: Option<Instant>,
    /// `_at`: what was current at some moment of this time.
    pub at: Option<Span>,
    /// How to write the answer.
    pub rendering: Rendering,
}

/// A date, a part of one, or a moment: as it is written, and the time that it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// As it is written.
    pub text: String,
    /// Its first millisecond.
    pub first: Instant,
    /// Its last one.
    pub last: Instant,
}

impl Span {
    /// Reads it; `None` when it is no date.
    pub fn parse(text: &str) -> Option<Self> {
        let (first, end) = super::search::interval(text)?;
        Some(Self { text: text.to_owned(), first, last: Instant(end.0 - 1) })
    }
}

/// Instance, type or system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HistoryScope {
    /// One record.
    Instance(Key),
    /// All of a type.
    Type(ResourceType),
    /// All.
    System,
}

/// The letters of SMART v2 scopes, as needs (SMART App Launch 2.2 § scopes).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Need {
    /// `c`
    Create,
    /// `r`: read, vread, instance history.
    Read,
    /// `u`: update, patch, update as create.
    Update,
    /// `d`
    Delete,
    /// `s`: type and system search, type and system history.
    Search,
}

impl Need {
    /// The letter.
    pub const fn letter(self) -> char {
        match self {
            Self::Create => 'c',
            Self::Read => 'r',
            Self::Update => 'u',
            Self::Delete => 'd',
            Self::Search => 's',
        }
    }
}

/// An owner of a compartment that narrows a search: `Patient/p1/Observation`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CompartmentOwner {
    /// `Patient`, `Encounter`, `Practitioner`, `RelatedPerson` or `Device`.
    pub resource_type: ResourceType,
    /// Whose.
    pub id: Id,
}

impl Interaction {
    /// The search that it is, or that decides which record it is about.
    pub fn query(&self) -> Option<&SearchQuery> {
        match self {
            Self::Search(query)
            | Self::ConditionalUpdate(query, _)
            | Self::ConditionalPatch(query, _)
            | Self::ConditionalDelete(query) => Some(query),
            Self::Create(_, condition) => condition.as_deref(),
            _ => None,
        }
    }

    /// The code of `http://hl7.org/fhir/restful-interaction` (for `Page`, what it continues is not known yet: `search`).
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Capabilities => "capabilities",
            Self::Read(..) => "read",
            Self::Vread(..) => "vread",
            Self::History(HistoryQuery { scope: HistoryScope::Instance(_), .. }) => "history-instance",
            Self::History(HistoryQuery { scope: HistoryScope::Type(_), .. }) => "history-type",
            Self::History(HistoryQuery { scope: HistoryScope::System, .. }) => "history-system",
            Self::Search(query) if query.types.is_empty() => "search-system",
            Self::Search(_) => "search-type",
            Self::Page(_) => "search",
            Self::Create(..) => "create",
            Self::Update(..) | Self::ConditionalUpdate(..) => "update",
            Self::Patch(..) | Self::ConditionalPatch(..) => "patch",
            Self::Delete(..) | Self::ConditionalDelete(..) => "delete",
            Self::Bundle => "batch",
            Self::Operate(_) => "operation",
        }
    }
}
