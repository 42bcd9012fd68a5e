//! What remains of a patient's consents for one caller once everything is folded that is the same for a whole request: a condition
//! on the marks of a record.

use super::formula::{Formula, decided, joined};
use crate::fhir::{Confidentiality, Dates, Fact, Facts, Interval, Key, ResourceType, is_hub};

/// A condition on one record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Condition {
    /// Every record.
    All,
    /// No record.
    None,
    /// Those that the other does not hold for.
    Not(Box<Condition>),
    /// All of these.
    And(Vec<Condition>),
    /// Any of these.
    Or(Vec<Condition>),
    /// One test.
    Test(Test),
}

/// A test of one mark.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Test {
    /// Not more confidential than this.
    ConfidentialityAtMost(Confidentiality),
    /// At least as confidential as this.
    ConfidentialityAtLeast(Confidentiality),
    /// Some sensitivity is among these bits.
    SensitiveToAny(u64),
    /// There is a sensitivity, and none but these bits.
    SensitiveOnlyTo(u64),
    /// Some handling code is among these bits.
    Handled(u64),
    /// Of this type.
    Type(ResourceType),
    /// This very record, in any version.
    Record(Key),
    /// It has this fact.
    Has(Fact),
    /// The named record refers to it, or is it. A hub is not drawn in by that. Only a store can tell.
    ReferredToBy(Key),
    /// There are dates, and all lie inside. The timeless are inside.
    DatesInside(Interval),
    /// Some date meets the interval; a record without date may. The timeless do not.
    DatesMeet(Interval),
}

impl Condition {
    /// Both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        joined(self, other, true)
    }

    /// Either.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        joined(self, other, false)
    }

    /// The opposite.
    #[must_use]
    pub fn negated(self) -> Self {
        match self {
            Self::All => Self::None,
            Self::None => Self::All,
            Self::Not(inner) => *inner,
            one => Self::Not(Box::new(one)),
        }
    }

    /// `All` or `None`.
    pub fn always(holds: bool) -> Self {
        if holds { Self::All } else { Self::None }
    }

    /// Decides in memory; `None` when another record would have to be looked at, or this one has not been read for marks yet.
    pub fn holds(&self, facts: &Facts) -> Option<bool> {
        self.holds_given(facts, &mut |_| None)
    }

    /// The same for who can look: `refers` tells whether the live record of this key refers to the one decided on, `None` when that
    /// is not known.
    pub fn holds_given(&self, facts: &Facts, refers: &mut dyn FnMut(&Key) -> Option<bool>) -> Option<bool> {
        match self {
            Self::All => Some(true),
            Self::None => Some(false),
            Self::Not(inner) => inner.holds_given(facts, refers).map(|holds| !holds),
            Self::And(all) => decided(all, false, |one| one.holds_given(facts, refers)),
            Self::Or(any) => decided(any, true, |one| one.holds_given(facts, refers)),
            Self::Test(test) => test.holds(facts, refers),
        }
    }
}

impl Formula for Condition {
    fn constant(&self) -> Option<bool> {
        match self {
            Self::All => Some(true),
            Self::None => Some(false),
            _ => None,
        }
    }

    fn parts(self, all: bool) -> Result<Vec<Self>, Self> {
        match self {
            Self::And(parts) if all => Ok(parts),
            Self::Or(parts) if !all => Ok(parts),
            one => Err(one),
        }
    }

    fn of_parts(parts: Vec<Self>, all: bool) -> Self {
        if all { Self::And(parts) } else { Self::Or(parts) }
    }
}

impl Test {
    fn holds(&self, facts: &Facts, refers: &mut dyn FnMut(&Key) -> Option<bool>) -> Option<bool> {
        let marks = &facts.marks;
        if marks.is_unread() && self.asks_marks() {
            return None;
        }
        Some(match self {
            Self::ConfidentialityAtMost(most) => marks.confidentiality <= *most,
            Self::ConfidentialityAtLeast(least) => marks.confidentiality >= *least,
            Self::SensitiveToAny(bits) => marks.sensitivity & bits != 0,
            Self::SensitiveOnlyTo(bits) => marks.sensitivity != 0 && marks.sensitivity & !bits == 0,
            Self::Handled(bits) => marks.handling & bits != 0,
            Self::Type(of) => facts.key.resource_type == *of,
            Self::Record(key) => facts.key == *key,
            Self::Has(fact) => marks.facts.contains(*fact),
            Self::ReferredToBy(key) if facts.key == *key => true,
            Self::ReferredToBy(_) if is_hub(facts.key.resource_type) => false,
            Self::ReferredToBy(_) if marks.is_unread() => return None,
            Self::ReferredToBy(key) => return refers(key),
            Self::DatesInside(span) => match &marks.dates {
                Dates::Timeless => true,
                Dates::At(all) => !all.is_empty() && all.iter().all(|one| span.low <= one.low && one.high <= span.high),
            },
            Self::DatesMeet(span) => match &marks.dates {
                Dates::Timeless => false,
                Dates::At(all) => all.is_empty() || all.iter().any(|one| one.low < span.high && span.low < one.high),
            },
        })
    }

    /// Whether it asks for what only a record that was read has.
    fn asks_marks(&self) -> bool {
        matches!(
            self,
            Self::SensitiveToAny(_)
                | Self::SensitiveOnlyTo(_)
                | Self::Handled(_)
                | Self::Has(_)
                | Self::DatesInside(_)
                | Self::DatesMeet(_)
        )
    }
}
