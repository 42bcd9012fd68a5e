//! SPM, or OBR-15 of older messages, as a Specimen.

use super::Context;
use super::json::{Json, decimal};
use super::types::{concept, entity_inside, extended_id, identifier, time};
use crate::fhir::{Key, ResourceType};
use crate::lab::v2::{Part, Segment};
use crate::lab::{Plan, Planned, Role};

/// The Specimen of an SPM segment. `order` tells it from those of other orders where it has no number of its own.
pub(super) fn specimen(spm: Segment<'_>, order: &str, with: &Key, subject: &str, setting: &Context<'_>, plan: &mut Plan) -> Key {
    let ids = [(1, "PLAC"), (2, "FILL")].map(|(at, kind)| {
        entity_inside(spm.field(2).component(at), setting)
            .map(|(value, system)| (identifier(&system, &value, kind), format!("{system}|{value}")))
    });
    let identity = ids.iter().flatten().map(|(_, text)| text.clone()).next_back();
    let identity = identity.unwrap_or_else(|| format!("{order}/{}", spm.field(1).text()));
    let other = [31, 32].into_iter().flat_map(|field| spm.field(field).repetitions()).map(|one| extended_id(one, setting));
    let mut content = Json::object([
        ("resourceType", Json::text("Specimen")),
        ("identifier", Json::array(ids.into_iter().flatten().map(|(id, _)| id).chain(other))),
        ("accessionIdentifier", extended_id(spm.field(30), setting)),
        ("status", availability(&spm.field(20).text())),
        ("type", concept(spm.field(4), setting)),
        ("subject", Json::reference(subject)),
        ("receivedTime", moment_of(spm.field(18), setting)),
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

/// The Specimen that OBR-14 and 15 tell of, where there is no SPM.
pub(super) fn from_order(
    obr: Segment<'_>,
    order: &str,
    with: &Key,
    subject: &str,
    setting: &Context<'_>,
    plan: &mut Plan,
) -> Option<Key> {
    let source = obr.field(15);
    if !source.is_valued() {
        return None;
    }
    let (code, text) = (source.component(1).subcomponent(1).text(), source.component(1).subcomponent(2).text());
    let coding = Json::one(Json::coding("http://terminology.hl7.org/CodeSystem/v2-0487", &code, &text));
    let said = [&text, &code].into_iter().find(|text| !text.is_empty()).cloned();
    let collected = time(obr.field(7), setting).map(|moment| moment.text);
    let site = source.component(4).text();
    let collection =
        Json::object([("collectedDateTime", Json::some(collected)), ("bodySite", Json::object([("text", Json::text(&site))]))]);
    let content = Json::object([
        ("resourceType", Json::text("Specimen")),
        ("type", Json::object([("coding", if code.is_empty() { Json::Absent } else { coding }), ("text", Json::some(said))])),
        ("subject", Json::reference(subject)),
        ("receivedTime", moment_of(obr.field(14), setting)),
        ("collection", collection),
    ]);
    let key = setting.namer.key(ResourceType::Specimen, &format!("{order}/source"));
    Some(plan.add(Planned { key, known_by: Vec::new(), role: Role::With(with.clone()), content }))
}

fn availability(code: &str) -> Json {
    match code {
        "Y" => Json::text("available"),
        "N" => Json::text("unavailable"),
        _ => Json::Absent,
    }
}

fn moment_of(part: Part<'_>, setting: &Context<'_>) -> Json {
    Json::some(time(part, setting).map(|moment| moment.text))
}

/// DR: a moment, or a period when its end is told too.
fn put_collected(collection: &mut Json, part: Part<'_>, setting: &Context<'_>) {
    let at = |number: usize| time(part.component(number), setting).map(|moment| moment.text);
    let (start, end) = (at(1), at(2));
    if start.is_none() && end.is_none() {
        return;
    }
    let made = match end {
        Some(end) => ("collectedPeriod", Json::object([("start", Json::some(start)), ("end", Json::text(&end))])),
        None => ("collectedDateTime", Json::some(start)),
    };
    if *collection == Json::Absent {
        *collection = Json::object([made]);
    } else {
        collection.put(made.0, made.1);
    }
}

/// CQ as a Quantity.
fn quantity(part: Part<'_>, setting: &Context<'_>) -> Json {
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
