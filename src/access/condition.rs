//! What remains of a patient's consents for one caller once everything is folded that is the same for a whole request: a condition
//! on the marks of a record.

use super::OneOf;
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
    /// Of one of these types.
    Type(OneOf<ResourceType>),
    /// One of these very records, in any version.
    Record(OneOf<Key>),
    /// It has one of these facts.
    Has(OneOf<Fact>),
    /// It refers to one of the records whose names these facts are. A hub never does.
    RefersTo(OneOf<Fact>),
    /// One of the named records refers to it, or is it. A hub is not drawn in by that. Only a store can tell.
    ReferredToBy(OneOf<Key>),
    /// There are dates, and all lie inside one of these. The timeless are inside.
    DatesInside(OneOf<Interval>),
    /// Some date meets one of these; a record without date may. The timeless do not.
    DatesMeet(OneOf<Interval>),
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

    /// How many tests there are in it, each alternative counted.
    pub fn tests(&self) -> usize {
        match self {
            Self::All | Self::None => 0,
            Self::Not(inner) => inner.tests(),
            Self::And(parts) | Self::Or(parts) => parts.iter().map(Self::tests).sum(),
            Self::Test(test) => test.alternatives(),
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
            Self::Type(types) => types.contains(&facts.key.resource_type),
            Self::Record(keys) => keys.contains(&facts.key),
            Self::Has(wanted) => marks.facts.contain_any(wanted.as_slice()),
            Self::RefersTo(_) if is_hub(facts.key.resource_type) => false,
            Self::RefersTo(_) if marks.is_unread() => return None,
            Self::RefersTo(names) => marks.facts.contain_any(names.as_slice()),
            Self::ReferredToBy(keys) if keys.contains(&facts.key) => true,
            Self::ReferredToBy(_) if is_hub(facts.key.resource_type) => false,
            Self::ReferredToBy(_) if marks.is_unread() => return None,
            Self::ReferredToBy(keys) => return decided(keys, true, refers),
            Self::DatesInside(spans) => match &marks.dates {
                Dates::Timeless => true,
                Dates::At(all) => !all.is_empty() && spans.iter().any(|span| all.iter().all(|one| lies_inside(*one, *span))),
            },
            Self::DatesMeet(spans) => match &marks.dates {
                Dates::Timeless => false,
                Dates::At(all) => all.is_empty() || all.iter().any(|one| meets_any(*one, spans.as_slice())),
            },
        })
    }

    fn alternatives(&self) -> usize {
        match self {
            Self::Type(all) => all.iter().len(),
            Self::Record(all) | Self::ReferredToBy(all) => all.iter().len(),
            Self::Has(all) | Self::RefersTo(all) => all.iter().len(),
            Self::DatesInside(all) | Self::DatesMeet(all) => all.iter().len(),
            _ => 1,
        }
    }

    /// What holds where one of the two does, as one test; `None` when there is none.
    pub fn or(&self, other: &Self) -> Option<Self> {
        Some(match (self.clone(), other.clone()) {
            (Self::ConfidentialityAtMost(one), Self::ConfidentialityAtMost(other)) => Self::ConfidentialityAtMost(one.max(other)),
            (Self::ConfidentialityAtLeast(one), Self::ConfidentialityAtLeast(other)) => {
                Self::ConfidentialityAtLeast(one.min(other))
            }
            (Self::SensitiveToAny(one), Self::SensitiveToAny(other)) => Self::SensitiveToAny(one | other),
            (Self::Handled(one), Self::Handled(other)) => Self::Handled(one | other),
            (Self::Type(one), Self::Type(other)) => Self::Type(one.or(other)),
            (Self::Record(one), Self::Record(other)) => Self::Record(one.or(other)),
            (Self::Has(one), Self::Has(other)) => Self::Has(one.or(other)),
            (Self::RefersTo(one), Self::RefersTo(other)) => Self::RefersTo(one.or(other)),
            (Self::ReferredToBy(one), Self::ReferredToBy(other)) => Self::ReferredToBy(one.or(other)),
            (Self::DatesInside(one), Self::DatesInside(other)) => Self::DatesInside(one.or(other)),
            (Self::DatesMeet(one), Self::DatesMeet(other)) => Self::DatesMeet(one.or(other)),
            _ => return None,
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

fn lies_inside(one: Interval, span: Interval) -> bool {
    span.low <= one.low && one.high <= span.high
}

/// Whether it meets one of these. Looked at to the end, whatever is found, so that the compiler can take many at once.
#[expect(clippy::needless_bitwise_bool, reason = "no branch between, so that many are compared at once")]
fn meets_any(one: Interval, spans: &[Interval]) -> bool {
    spans.iter().fold(false, |met, span| met | ((one.low < span.high) & (span.low < one.high)))
}
