//! When what a record tells took place (`consent` § 2.2, dates).

use super::{Dates, Interval};
use crate::fhir::definitions::{Values, definitions};
use crate::fhir::json::{Document, Element};
use crate::fhir::search::expression::Reached;
use crate::fhir::search::{ElementType, Inside, ParameterType, interval};
use crate::fhir::{Instant, ResourceType};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use std::collections::{BTreeSet, HashSet};

/// Date parameters that say nothing about when: birth and death of people, dates that are values, shelf life.
const LEFT_OUT: [&str; 6] = ["_lastUpdated", "birthdate", "death-date", "value-date", "expiration-date", "expiry"];

/// Where values of the R4 type `instant` begin in the text of a document: they are moments, to the millisecond.
pub(super) type Moments = HashSet<usize>;

/// The dates of a record: the values of its type's date search parameters. Partial dates are whole days, months or years in `zone`.
pub(super) fn dates(document: &Document, of: ResourceType, zone: &TimeZone, moments: &Moments) -> Dates {
    if matches!(of, ResourceType::Patient | ResourceType::RelatedPerson | ResourceType::Person) {
        return Dates::Timeless;
    }
    let reader = Reader { zone, moments };
    let mut found = BTreeSet::new();
    for definition in definitions(of) {
        let parameter = &definition.parameter;
        if parameter.parameter_type != ParameterType::Date || LEFT_OUT.contains(&parameter.code.as_str()) {
            continue;
        }
        if let Values::Of(program) = &definition.values {
            program.each(&Inside::default(), document.root(), document.root(), &mut |reached| reader.value(reached, &mut found));
        }
    }
    Dates::At(found.into_iter().collect())
}

struct Reader<'z> {
    zone: &'z TimeZone,
    moments: &'z Moments,
}

impl Reader<'_> {
    fn value(&self, reached: Reached<'_>, found: &mut BTreeSet<Interval>) {
        match reached.element_type {
            ElementType::Date => found.extend(self.date(reached.element)),
            ElementType::Period => found.extend(self.period(reached.element)),
            ElementType::Timing => {
                let events = reached.element.get("event").into_iter().flat_map(Element::flattened);
                found.extend(events.filter_map(|event| self.date(event)));
                let bounds = reached.element.get("repeat").and_then(|repeat| repeat.get("boundsPeriod"));
                found.extend(bounds.and_then(|period| self.period(period)));
            }
            _ => {}
        }
    }

    fn date(&self, element: Element<'_>) -> Option<Interval> {
        let text = element.as_str()?;
        let (low, high) = interval(&text)?;
        let Some((_, time)) = text.split_once('T') else {
            return Some(Interval { low: self.local(low), high: self.local(high) });
        };
        if self.moments.contains(&element.span().start) {
            return Some(Interval { low, high: Instant(low.0.saturating_add(1)) });
        }
        let zoned = time.contains(['Z', '+', '-']);
        Some(if zoned { Interval { low, high } } else { Interval { low: self.local(low), high: self.local(high) } })
    }

    /// An end that is missing is open; a Period with neither is nothing. One that ends before it starts covers both.
    fn period(&self, period: Element<'_>) -> Option<Interval> {
        let end = |name: &str| period.get(name).and_then(|end| self.date(end));
        match (end("start"), end("end")) {
            (None, None) => None,
            (Some(start), None) => Some(Interval { high: Instant(i64::MAX), ..start }),
            (None, Some(end)) => Some(Interval { low: Instant(i64::MIN), ..end }),
            (Some(start), Some(end)) => Some(Interval { low: start.low.min(end.low), high: start.high.max(end.high) }),
        }
    }

    /// The same reading of the clock in the zone as this one in UTC.
    fn local(&self, utc: Instant) -> Instant {
        if *self.zone == TimeZone::UTC {
            return utc;
        }
        let clock = Timestamp::from_millisecond(utc.0).map(|moment| TimeZone::UTC.to_datetime(moment));
        let there = clock.and_then(|clock: DateTime| self.zone.to_timestamp(clock));
        there.map_or(utc, |moment| Instant(moment.as_millisecond()))
    }
}
