//! The numbers of an order: by them it is told from others, found on file, and tied to the order that it came of.

use super::Context;
use super::groups::Order;
use super::json::Json;
use super::parties::search_text;
use super::types::{entity, entity_inside, extended_id, identifier};
use crate::lab::v2::Part;

/// Value and system.
pub(super) type Number = (String, String);

/// The numbers of an order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Numbers {
    pub(super) placer: Option<Number>,
    pub(super) filler: Option<Number>,
}

impl Numbers {
    /// OBR-2 and OBR-3, else ORC-2 and ORC-3.
    pub(super) fn of(order: &Order<'_>, setting: &Context) -> Self {
        let number = |field: usize| {
            let of = [order.request, order.control].into_iter().flatten();
            of.map(|segment| segment.field(field)).find_map(|part| entity(part, setting))
        };
        Self { placer: number(2), filler: number(3) }
    }

    /// Of the order that this one came of: OBR-29, else ORC-8.
    pub(super) fn of_parent(order: &Order<'_>, setting: &Context) -> Self {
        let named = order.request.map(|obr| obr.field(29)).filter(|part| part.is_valued());
        let named = named.or_else(|| order.control.map(|orc| orc.field(8)).filter(|part| part.is_valued()));
        let number = |at: usize| named.and_then(|part| entity_inside(part.first().component(at), setting));
        Self { placer: number(1), filler: number(2) }
    }

    /// Whether a number of both is the same.
    pub(super) fn meets(&self, other: &Self) -> bool {
        let same = |one: &Option<Number>, other: &Option<Number>| one.is_some() && one == other;
        same(&self.placer, &other.placer) || same(&self.filler, &other.filler)
    }

    /// As references to an order that may be known elsewhere, by each of its numbers.
    pub(super) fn logical(&self) -> Json {
        let named = |number: Option<&Number>, kind: &str| {
            let identifier = typed(number, kind);
            if identifier.is_there() {
                Json::object([("type", Json::text("ServiceRequest")), ("identifier", identifier)])
            } else {
                Json::Absent
            }
        };
        Json::array([named(self.placer.as_ref(), "PLAC"), named(self.filler.as_ref(), "FILL")])
    }

    /// Conditions that find the order on file, among those of its patient.
    pub(super) fn known_for_patient(&self, subject: &str) -> Vec<String> {
        let patient = crate::fhir::encode(subject);
        let all = [&self.placer, &self.filler].into_iter().flatten();
        all.map(|(value, system)| {
            if system.is_empty() {
                format!("identifier={}&subject={patient}", crate::fhir::encode(&search_text(value)))
            } else {
                format!("{}&subject={patient}", condition(system, value))
            }
        })
        .collect()
    }
}

/// ORC-2, OBR-2, ORC-3 and OBR-3 as Identifiers, each once.
pub(super) fn identifiers(order: &Order<'_>, setting: &Context) -> Vec<Json> {
    let mut all: Vec<Json> = Vec::new();
    for (field, kind) in [(2, "PLAC"), (3, "FILL")] {
        for segment in [order.control, order.request].into_iter().flatten() {
            let one = typed(entity(segment.field(field), setting).as_ref(), kind);
            if one.is_there() && !all.contains(&one) {
                all.push(one);
            }
        }
    }
    all
}

/// Further numbers of an order: of its group as the filler has it (ORC-4.2, ORC-38), and its second placer number (OBR-53, ORC-33).
pub(super) fn further(order: &Order<'_>, setting: &Context) -> Vec<Json> {
    let group = order.control.and_then(|orc| entity(orc.field(38), setting));
    let inside = order.control.map(|orc| orc.field(4)).filter(|part| is_pair(*part));
    let group = group.or_else(|| entity_inside(inside?.component(2), setting));
    let second = [order.request.map(|obr| obr.field(53)), order.control.map(|orc| orc.field(33))];
    let second = second.into_iter().flatten().flat_map(Part::repetitions).map(|one| {
        let mut made = extended_id(one, setting);
        made.put("type", Json::concept("http://terminology.hl7.org/CodeSystem/v2-0203", "PLAC", ""));
        made
    });
    let mut all: Vec<Json> = Vec::new();
    for one in second.filter(|made| made.get("value").is_some()).chain([typed(group.as_ref(), "FGN")]) {
        if one.is_there() && !all.contains(&one) {
            all.push(one);
        }
    }
    all
}

/// ORC-4: the number of the group as the placer has it; since 2.8.2 sometimes a pair.
pub(super) fn requisition(order: &Order<'_>, setting: &Context) -> Json {
    let Some(part) = order.control.map(|orc| orc.field(4)) else { return Json::Absent };
    let number = if is_pair(part) { entity_inside(part.component(1), setting) } else { entity(part, setting) };
    typed(number.as_ref(), "PGN")
}

/// Whether a field is an EIP: its components have parts of their own, or only the second number is there.
fn is_pair(part: Part<'_>) -> bool {
    let parts = |at: usize| part.component(at).subcomponent(2).is_valued();
    parts(1) || (parts(2) && !part.component(3).is_valued())
}

fn typed(number: Option<&Number>, kind: &str) -> Json {
    number.map_or(Json::Absent, |(value, system)| identifier(system, value, kind))
}

fn condition(system: &str, value: &str) -> String {
    format!("identifier={}", crate::fhir::encode(&format!("{}|{}", search_text(system), search_text(value))))
}
