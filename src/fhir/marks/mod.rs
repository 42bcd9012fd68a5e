//! What a consent may decide by, of one version of a record: its labels, its dates, and the set of what it names.

mod dates;
mod mentions;

pub use mentions::{Mentions, Pair, Reading};

use super::{Instant, Key, ResourceType};
use aws_lc_rs::digest;
use serde::Deserialize;
use std::sync::LazyLock;

/// Codes of v3-Confidentiality, least to most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Deserialize)]
#[expect(missing_docs, reason = "the codes are the standard's own")]
pub enum Confidentiality {
    U,
    L,
    M,
    #[default]
    N,
    R,
    V,
}

impl Confidentiality {
    const ALL: [(Self, &'static str); 6] =
        [(Self::U, "U"), (Self::L, "L"), (Self::M, "M"), (Self::N, "N"), (Self::R, "R"), (Self::V, "V")];

    /// The code.
    pub fn code(self) -> &'static str {
        Self::ALL.iter().find(|(one, _)| *one == self).map_or("V", |(_, code)| code)
    }

    /// Reads a code.
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == code).map(|(one, _)| *one)
    }

    /// Its place in the order, 0 for U to 5 for V: how a store keeps it.
    pub fn rank(self) -> i64 {
        Self::ALL.iter().zip(0..).find(|((one, _), _)| *one == self).map_or(5, |(_, rank)| rank)
    }

    /// The code of a rank; what is no rank is the most confidential.
    pub fn of_rank(rank: i64) -> Self {
        usize::try_from(rank).ok().and_then(|at| Self::ALL.get(at)).map_or(Self::V, |(one, _)| *one)
    }
}

/// A stretch of time, its end not included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Interval {
    /// The first moment.
    pub low: Instant,
    /// The first moment after.
    pub high: Instant,
}

/// When what a record tells took place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dates {
    /// A Patient, `RelatedPerson` or Person: always.
    Timeless,
    /// At these times; none when the record gives no date.
    At(Vec<Interval>),
}

impl Default for Dates {
    fn default() -> Self {
        Self::At(Vec::new())
    }
}

/// The first eight bytes of the SHA-256 of one thing that a record names. So few are never mistaken by chance, and none can be
/// made on purpose without 2^63 attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fact([u8; 8]);

/// In the order of the bytes, compared as one number: sets of facts are looked into for every row of a search.
impl Ord for Fact {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        u64::from_be_bytes(self.0).cmp(&u64::from_be_bytes(other.0))
    }
}

impl PartialOrd for Fact {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Fact {
    fn of(kind: u8, parts: [&str; 2]) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(&[kind]);
        for part in parts {
            context.update(part.as_bytes());
            context.update(&[0]);
        }
        let mut first = [0; 8];
        first.iter_mut().zip(context.finish().as_ref()).for_each(|(to, from)| *to = *from);
        Self(first)
    }

    /// It is this record, or refers to it.
    pub fn names(key: &Key) -> Self {
        Self::of(b'r', [key.resource_type.name(), key.id.as_str()])
    }

    /// This record, named by reference, is an author.
    pub fn author(key: &Key) -> Self {
        Self::of(b'a', [key.resource_type.name(), key.id.as_str()])
    }

    /// Whom this URL, or this identifier (`system|value`), names is an author.
    pub fn author_named(name: &str) -> Self {
        Self::of(b'n', ["", name])
    }

    /// The coding is among the primary ones.
    pub fn primary(system: &str, code: &str) -> Self {
        Self::of(b'p', [system, code])
    }

    /// The coding stands somewhere in the record.
    pub fn coding(system: &str, code: &str) -> Self {
        Self::of(b'c', [system, code])
    }

    /// A coding with this code, of whatever system, stands somewhere in the record.
    pub fn code(code: &str) -> Self {
        Self::of(b'o', ["", code])
    }

    /// It claims this profile, by canonical URL with the version if there is one (`url|version`).
    pub fn profile(canonical: &str) -> Self {
        Self::of(b'f', ["", canonical])
    }

    /// Some content of it has this MIME type.
    pub fn mime(kind: &str) -> Self {
        Self::of(b'm', ["", kind])
    }

    /// Some reference in it says more of another record of a patient than where it lies.
    pub fn telling() -> Self {
        static TELLING: LazyLock<Fact> = LazyLock::new(|| Fact::of(b't', ["", ""]));
        *TELLING
    }

    /// As bytes.
    pub fn bytes(self) -> [u8; 8] {
        self.0
    }
}

/// A set of facts, packed: eight bytes each. The first is the record's own name ([`Fact::names`] of its key), so that a store can
/// ask by it whether another record refers to this one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FactSet(Vec<u8>);

impl FactSet {
    /// The facts of a record, its own name first.
    pub fn of(key: &Key, others: impl IntoIterator<Item = Fact>) -> Self {
        let own = Fact::names(key);
        let mut others: Vec<Fact> = others.into_iter().filter(|fact| *fact != own).collect();
        others.sort_unstable();
        others.dedup();
        Self(std::iter::once(own).chain(others).flat_map(Fact::bytes).collect())
    }

    /// As a store kept them.
    pub fn packed(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// As a store keeps them.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Each of them, the record's own name first.
    pub fn iter(&self) -> impl Iterator<Item = Fact> + '_ {
        self.0.as_chunks().0.iter().map(|bytes| Fact(*bytes))
    }

    /// Is it among them?
    pub fn contains(&self, fact: Fact) -> bool {
        self.0.chunks_exact(8).any(|one| one == fact.0)
    }

    /// Is one of these, which are in order, among them?
    pub fn contain_any(&self, wanted: &[Fact]) -> bool {
        let (facts, _) = self.0.as_chunks();
        let Some((own, others)) = facts.split_first() else { return false };
        let sought = |fact: &[u8; 8]| wanted.binary_search(&Fact(*fact)).is_ok();
        if sought(own) {
            return true;
        }
        if wanted.len() > MANY_MORE * others.len() {
            return others.iter().any(sought);
        }
        // Both are in order: one way through both sees whether they meet.
        let mut wanted = wanted.iter().peekable();
        others.iter().any(|fact| {
            let fact = Fact(*fact);
            while wanted.next_if(|one| **one < fact).is_some() {}
            wanted.peek().is_some_and(|one| **one == fact)
        })
    }
}

/// By so many times what is wanted must outnumber the facts of a record for a search for each fact to be quicker than one way through.
const MANY_MORE: usize = 8;

/// What consents decide by. Without marks at all (`Marks::default()`) a record counts as *normal*, undated and naming nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Marks {
    /// The confidentiality that counts: explicit label, labelling rules, floor of what is stigmatizing, and the high-water mark of
    /// the versions before.
    pub confidentiality: Confidentiality,
    /// Sensitivities, a bit each (`consent` § 3.3).
    pub sensitivity: u64,
    /// Handling codes, a bit each.
    pub handling: u64,
    /// When.
    pub dates: Dates,
    /// What it names.
    pub facts: FactSet,
    /// The rules that made these; 0 for none, [`Marks::UNREAD`] when the record has not been read for marks yet.
    pub ruleset: i64,
}

impl Marks {
    /// The ruleset of a record that was stored before marks were, and has not been read for them since.
    pub const UNREAD: i64 = -1;

    /// The marks of a record that has not been read for them: *restricted*, all else unknown.
    pub fn unread() -> Self {
        Self { confidentiality: Confidentiality::R, ruleset: Self::UNREAD, ..Self::default() }
    }

    /// Whether nothing but the confidentiality is known.
    pub fn is_unread(&self) -> bool {
        self.ruleset == Self::UNREAD
    }

    /// The marks of a record, which `key` names, that is decided together with another: a Binary with its security context, a Provenance with
    /// what it tells of. Whatever hides the other hides it too, and what is not known of the other is not known of it.
    #[must_use]
    pub fn joined_with(self, key: &Key, other: &Self) -> Self {
        if self.is_unread() || other.is_unread() {
            return Self { confidentiality: self.confidentiality.max(other.confidentiality), ..Self::unread() };
        }
        let facts = FactSet::of(key, self.facts.iter().chain(other.facts.iter()));
        let dates = match (&self.dates, &other.dates) {
            (Dates::At(own), Dates::At(theirs)) => {
                let mut all: Vec<Interval> = own.iter().chain(theirs).copied().collect();
                all.sort_unstable();
                all.dedup();
                Dates::At(all)
            }
            _ => self.dates.clone(),
        };
        Self { dates, facts, ..self }.raised_to(other)
    }

    /// The stricter of two versions' labels on the rest of this one (high-water mark, history).
    #[must_use]
    pub fn raised_to(mut self, other: &Self) -> Self {
        self.confidentiality = self.confidentiality.max(other.confidentiality);
        self.sensitivity |= other.sensitivity;
        self.handling |= other.handling;
        self
    }
}

/// Types of which a record is never drawn in because it refers to, or is referred to by, another (`consent` § 5, hubs).
pub fn is_hub(of: ResourceType) -> bool {
    matches!(
        of,
        ResourceType::Patient
            | ResourceType::Practitioner
            | ResourceType::PractitionerRole
            | ResourceType::Organization
            | ResourceType::Location
    )
}

#[cfg(test)]
mod tests;
