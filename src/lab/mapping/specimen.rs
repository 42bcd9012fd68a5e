//! SPM, or OBR-15 of older messages, as a Specimen.

use super::Context;
use super::json::{Json, decimal};
use super::parties::practitioner;
use super::types::{coding_system, concept, entity, entity_inside, extended_id, identifier, time};
use crate::fhir::{Key, ResourceType};
use crate::lab::v2::{Part, Segment};
use crate::lab::{Plan, Planned, Role};

/// The Specimen of an SPM segment, the nth of its order. `order` tells it from those of other orders where it has no number of its own.
pub(super) fn specimen(
    (nth, spm): (usize, &Segment<'_>),
    order: &str,
    with: &Key,
    subject: &str,
    setting: &Context,
    plan: &mut Plan,
) -> Key {
    let ids = [(1, "PLAC"), (2, "FILL")].map(|(at, kind)| {
        entity_inside(spm.field(2).component(at), setting)
            .map(|(value, system)| (identifier(&system, &value, kind), format!("{system}|{value}")))
    });
    let identity = ids.iter().flatten().map(|(_, text)| text.clone()).next_back();
    let identity = identity.unwrap_or_else(|| match nth {
        0 => format!("{order}/{}", spm.field(1).text()),
        nth => format!("{order}/{}/{nth}", spm.field(1).text()),
    });
    let other = spm.field(31).repetitions().map(|one| extended_id(one, setting));
    let container_ids = spm.field(32).repetitions().filter_map(|one| entity(one, setting));
    let other = other.chain(container_ids.map(|(value, system)| identifier(&system, &value, "SHIP")));
    let mut content = Json::object([
        ("resourceType", Json::text("Specimen")),
        ("identifier", Json::array(ids.into_iter().flatten().map(|(id, _)| id).chain(other))),
        ("accessionIdentifier", extended_id(spm.field(30), setting)),
        ("status", availability(&spm.field(20).text())),
        ("type", concept(spm.field(4), setting)),
        ("subject", Json::reference(subject)),
        ("receivedTime", moment_of(spm.field(18), setting)),
        ("parent", Json::array(spm.field(3).repetitions().map(|one| parent(one, setting)).collect::<Vec<_>>())),
        ("condition", Json::array(spm.field(24).repetitions().map(|one| concept(one, setting)).collect::<Vec<_>>())),
    ]);
    let mut collection = Json::object([
        ("method", concept(spm.field(7), setting)),
        ("bodySite", concept(spm.field(8), setting)),
        ("quantity", quantity(spm.field(12), setting)),
    ]);
    put_collected(&mut collection, spm.field(17), setting);
    content.put("collection", collection);
    let container =
        Json::object([("type", concept(spm.field(27), setting)), ("additiveCodeableConcept", concept(spm.field(6), setting))]);
    content.put("container", Json::one(container));
    let notes = spm.field(14).repetitions().map(|one| Json::object([("text", Json::text(&one.text()))]));
    content.put("note", Json::array(notes.collect::<Vec<_>>()));
    let key = setting.namer.key(ResourceType::Specimen, &identity);
    plan.add(Planned { key, known_by: Vec::new(), role: Role::With(with.clone()), content })
}

/// SPM-3: the specimen of which this one was taken, by the number that the laboratory or else the orderer gave it.
fn parent(part: Part<'_>, setting: &Context) -> Json {
    let number = [2, 1].into_iter().find_map(|at| entity_inside(part.component(at), setting));
    number.map_or(Json::Absent, |(value, system)| {
        Json::object([("type", Json::text("Specimen")), ("identifier", identifier(&system, &value, ""))])
    })
}

/// The Specimen that OBR-9, 10, 14, 15 and 39 tell of, where there is no SPM.
pub(super) fn from_order(
    obr: Segment<'_>,
    order: &str,
    with: &Key,
    subject: &str,
    setting: &Context,
    plan: &mut Plan,
) -> Option<Key> {
    if ![9, 10, 14, 15].into_iter().any(|field| obr.field(field).is_valued()) {
        return None;
    }
    let source = obr.field(15);
    let collector = practitioner(obr.field(10).first(), setting, plan);
    let start = time(obr.field(7), setting).map(|moment| moment.text);
    let end = time(obr.field(8), setting).map(|moment| moment.text).filter(|end| Some(end) != start.as_ref());
    let mut collection = Json::object([
        ("collector", collector),
        ("quantity", quantity(obr.field(9), setting)),
        ("bodySite", inner_concept(source.component(4), "", setting)),
    ]);
    put_taken(&mut collection, start, end);
    let additive = inner_concept(source.component(2), "http://terminology.hl7.org/CodeSystem/v2-0371", setting);
    let texts = [source.component(3).text()].into_iter().chain(obr.field(39).repetitions().map(|one| one.component(2).text()));
    let content = Json::object([
        ("resourceType", Json::text("Specimen")),
        ("type", inner_concept(source.component(1), "http://terminology.hl7.org/CodeSystem/v2-0487", setting)),
        ("subject", Json::reference(subject)),
        ("receivedTime", moment_of(obr.field(14), setting)),
        ("collection", collection),
        ("container", Json::one(Json::object([("additiveCodeableConcept", additive)]))),
        ("condition", Json::one(inner_concept(source.component(6), "", setting))),
        ("note", Json::array(texts.map(|text| Json::object([("text", Json::text(&text))])).collect::<Vec<_>>())),
    ]);
    let key = setting.namer.key(ResourceType::Specimen, &format!("{order}/source"));
    Some(plan.add(Planned { key, known_by: Vec::new(), role: Role::With(with.clone()), content }))
}

/// A CWE inside a component; `usual` is the system of a code that names none.
fn inner_concept(part: Part<'_>, usual: &str, setting: &Context) -> Json {
    let text = |number: usize| part.subcomponent(number).text();
    let (code, display, name) = (text(1), text(2), text(3));
    let system = if name.is_empty() { usual.to_owned() } else { coding_system(&name, setting) };
    let coding = if code.is_empty() { Json::Absent } else { Json::coding(&system, &code, &display) };
    let said = [display, code].into_iter().find(|text| !text.is_empty());
    Json::object([("coding", Json::one(coding)), ("text", Json::some(said))])
}

fn availability(code: &str) -> Json {
    match code {
        "Y" => Json::text("available"),
        "N" => Json::text("unavailable"),
        _ => Json::Absent,
    }
}

fn moment_of(part: Part<'_>, setting: &Context) -> Json {
    Json::some(time(part, setting).map(|moment| moment.text))
}

/// DR: a moment, or a period when its end is told too.
fn put_collected(collection: &mut Json, part: Part<'_>, setting: &Context) {
    let at = |number: usize| time(part.component(number), setting).map(|moment| moment.text);
    put_taken(collection, at(1), at(2));
}

fn put_taken(collection: &mut Json, start: Option<String>, end: Option<String>) {
    let made = match (start, end) {
        (None, None) => return,
        (start, Some(end)) => ("collectedPeriod", Json::object([("start", Json::some(start)), ("end", Json::text(&end))])),
        (start, None) => ("collectedDateTime", Json::some(start)),
    };
    if *collection == Json::Absent {
        *collection = Json::object([made]);
    } else {
        collection.put(made.0, made.1);
    }
}

/// CQ as a Quantity.
fn quantity(part: Part<'_>, setting: &Context) -> Json {
    let Some(value) = decimal(&part.component(1).text()) else { return Json::Absent };
    let unit = part.component(2).subcomponent(1).text();
    let declared = part.component(2).subcomponent(3).text() == "UCUM";
    let ucum = if declared { Some(unit.clone()) } else { setting.tables.ucum(&unit).map(str::to_owned) };
    Json::object([
        ("value", Json::Number(value)),
        ("unit", Json::text(&unit)),
        ("system", Json::text(ucum.as_ref().map_or("", |_| "http://unitsofmeasure.org"))),
        ("code", Json::some(ucum)),
    ])
}
