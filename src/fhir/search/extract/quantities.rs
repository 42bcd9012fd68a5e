//! Number and quantity values.

use super::{Collector, Place};
use crate::fhir::json::Element;
use crate::fhir::search::decimal::finite;
use crate::fhir::search::element_type::ElementType;
use crate::fhir::search::expression::Reached;
use crate::fhir::search::index::IndexValue;
use std::borrow::Cow;

/// The system of the codes of currencies.
const CURRENCIES: &str = "urn:iso:std:iso:4217";

impl Collector<'_> {
    pub(super) fn number(&mut self, place: Place<'_>, reached: Reached<'_>) {
        let bounds = match reached.element_type {
            ElementType::Range => range(reached.element),
            _ => reached.element.number_text().and_then(finite).map(|value| (value, value)),
        };
        if let Some((low, high)) = bounds {
            self.push(place, IndexValue::Number { low, high });
        }
    }

    pub(super) fn quantity(&mut self, place: Place<'_>, reached: Reached<'_>) {
        let element = reached.element;
        match reached.element_type {
            ElementType::Money => {
                if let Some((low, high)) = bounds(element) {
                    let (system, unit) = (CURRENCIES.to_owned(), member(element, "currency").into_owned());
                    self.push(place, IndexValue::Quantity { low, high, system, unit });
                }
            }
            ElementType::Range => {
                let measured = element.get("high").or_else(|| element.get("low"));
                if let (Some((low, high)), Some(measured)) = (range(element), measured) {
                    self.measured(place, measured, low, high);
                }
            }
            ElementType::SampledData => {
                if let Some(origin) = element.get("origin") {
                    self.simple(place, origin);
                }
            }
            ElementType::Quantity => self.simple(place, element),
            _ => {}
        }
    }

    fn simple(&mut self, place: Place<'_>, quantity: Element<'_>) {
        if let Some((low, high)) = bounds(quantity) {
            self.measured(place, quantity, low, high);
        }
    }

    /// One entry by code; one more by unit text, where that says something else. The text belongs to no system.
    fn measured(&mut self, place: Place<'_>, quantity: Element<'_>, low: f64, high: f64) {
        let (code, unit) = (member(quantity, "code"), member(quantity, "unit"));
        if !unit.is_empty() && unit != code {
            self.push(place, IndexValue::Quantity { low, high, system: String::new(), unit: unit.clone().into_owned() });
        }
        if !code.is_empty() || unit.is_empty() {
            let system = member(quantity, "system").into_owned();
            self.push(place, IndexValue::Quantity { low, high, system, unit: code.into_owned() });
        }
    }
}

fn member<'d>(element: Element<'d>, name: &str) -> Cow<'d, str> {
    element.text_at(name).unwrap_or_default()
}

/// What the value of a quantity may be: a comparator opens one end.
fn bounds(quantity: Element<'_>) -> Option<(f64, f64)> {
    let value = quantity.get("value").and_then(Element::number_text).and_then(finite)?;
    Some(match member(quantity, "comparator").as_ref() {
        "<" | "<=" => (f64::NEG_INFINITY, value),
        ">" | ">=" => (value, f64::INFINITY),
        _ => (value, value),
    })
}

/// The ends of a Range; one that is missing is open, a Range with neither is nothing.
fn range(element: Element<'_>) -> Option<(f64, f64)> {
    let end = |name: &str| element.get(name).and_then(bounds);
    let (low, high) = (end("low"), end("high"));
    if low.is_none() && high.is_none() {
        return None;
    }
    Some((low.map_or(f64::NEG_INFINITY, |(low, _)| low), high.map_or(f64::INFINITY, |(_, high)| high)))
}
