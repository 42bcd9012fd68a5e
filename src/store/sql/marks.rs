//! The columns of marks, on their way in and out.

use super::bind::Absent;
use super::statement::{Bind, Statement};
use crate::fhir::{Confidentiality, Dates, FactSet, Instant, Interval, Marks};
use diesel::sql_types::{BigInt, Binary, Nullable, Text};

/// The names of the columns, in their order, after a prefix such as `r.`.
macro_rules! mark_columns {
    ($of:literal) => {
        concat!(
            $of,
            "conf, ",
            $of,
            "ruleset, ",
            $of,
            "sens, ",
            $of,
            "handling, ",
            $of,
            "dates, ",
            $of,
            "date_lo, ",
            $of,
            "date_hi, ",
            $of,
            "spans, ",
            $of,
            "facts"
        )
    };
}
pub(super) use mark_columns;

/// Their SQL types.
pub(super) type MarkColumns = (
    BigInt,
    BigInt,
    Nullable<BigInt>,
    Nullable<BigInt>,
    Nullable<BigInt>,
    Nullable<BigInt>,
    Nullable<BigInt>,
    Nullable<Text>,
    Nullable<Binary>,
);

/// Their values.
pub(super) type MarkRow =
    (i64, i64, Option<i64>, Option<i64>, Option<i64>, Option<i64>, Option<i64>, Option<String>, Option<Vec<u8>>);

/// The `dates` of what is timeless.
const TIMELESS: i64 = -1;

/// Reads the columns; `None` when they are damaged. What was never read for marks has its confidentiality and nothing else.
pub(super) fn read((conf, ruleset, sens, handling, dates, low, high, spans, facts): MarkRow) -> Option<Marks> {
    let confidentiality = Confidentiality::of_rank(conf);
    if ruleset == Marks::UNREAD {
        return Some(Marks { confidentiality, ..Marks::unread() });
    }
    let dates = match (dates?, spans) {
        (TIMELESS, _) => Dates::Timeless,
        (0, _) => Dates::At(Vec::new()),
        (1, _) => Dates::At(vec![Interval { low: Instant(low?), high: Instant(high?) }]),
        (_, spans) => {
            let all: Vec<(i64, i64)> = serde_json::from_str(&spans?).ok()?;
            Dates::At(all.into_iter().map(|(low, high)| Interval { low: Instant(low), high: Instant(high) }).collect())
        }
    };
    Some(Marks {
        confidentiality,
        sensitivity: sens?.cast_unsigned(),
        handling: handling?.cast_unsigned(),
        dates,
        facts: FactSet::packed(facts?),
        ruleset,
    })
}

/// The labels of a current version: how it bears on those before it.
pub(super) type Raising = (i64, Option<i64>, Option<i64>);

/// Raises the labels of a superseded version to those of the current one. When the current one was never read, neither counts as read.
pub(super) fn raise(marks: &mut Marks, (conf, sens, handling): Raising) {
    let current = match (sens, handling) {
        (Some(sens), Some(handling)) => {
            Marks { sensitivity: sens.cast_unsigned(), handling: handling.cast_unsigned(), ..Marks::default() }
        }
        _ => Marks::unread(),
    };
    let current = Marks { confidentiality: Confidentiality::of_rank(conf), ..current };
    let unread = current.is_unread();
    let own = std::mem::take(marks);
    *marks = own.raised_to(&current);
    if unread {
        *marks = Marks { confidentiality: marks.confidentiality, ..Marks::unread() };
    }
}

/// The values of the columns, in their order.
pub(super) fn mark_values(marks: &Marks) -> [Bind; 9] {
    let (conf, ruleset) = (marks.confidentiality.rank().into(), marks.ruleset.into());
    if marks.is_unread() {
        let [sens, handling, dates, low, high] = [const { Bind::Absent(Absent::Number) }; 5];
        return [conf, ruleset, sens, handling, dates, low, high, Bind::Absent(Absent::Text), Bind::Absent(Absent::Bytes)];
    }
    let (count, low, high, spans) = spread(&marks.dates);
    [
        conf,
        ruleset,
        marks.sensitivity.cast_signed().into(),
        marks.handling.cast_signed().into(),
        count.into(),
        low.into(),
        high.into(),
        spans.map_or(Bind::Absent(Absent::Text), Bind::from),
        marks.facts.bytes().to_vec().into(),
    ]
}

impl Statement {
    /// With the values of the columns, in their order.
    #[must_use]
    pub(super) fn bind_marks(self, marks: &Marks) -> Self {
        mark_values(marks).into_iter().fold(self, Self::bind)
    }
}

/// How many, from when to when, and each when there are several.
fn spread(dates: &Dates) -> (i64, i64, i64, Option<String>) {
    let all = match dates {
        Dates::Timeless => return (TIMELESS, 0, 0, None),
        Dates::At(all) => all,
    };
    let low = all.iter().map(|one| one.low.0).min().unwrap_or(0);
    let high = all.iter().map(|one| one.high.0).max().unwrap_or(0);
    let count = i64::try_from(all.len()).unwrap_or(i64::MAX);
    let each: Vec<String> = all.iter().map(|one| format!("[{},{}]", one.low.0, one.high.0)).collect();
    (count, low, high, (count > 1).then(|| format!("[{}]", each.join(","))))
}
