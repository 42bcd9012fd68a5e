//! TXA with its text as a `DocumentReference` (MDM).

use super::Context;
use super::codes;
use super::groups::Group;
use super::json::Json;
use super::numbers::Numbers;
use super::observation::text_of;
use super::parties::practitioner;
use super::report::{label, meta};
use super::types::{concept, entity, identifier, time};
use super::value::{Unit, value};
use crate::fhir::{Key, ResourceType};
use crate::lab::v2::{Fault, FaultKind, Segment};
use crate::lab::{Plan, Planned, Role, Stamp};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Maps the document of a patient.
pub(super) fn document(group: &Group<'_>, subject: &str, setting: &Context, plan: &mut Plan) -> Result<(), Vec<Fault>> {
    let Some(txa) = group.document else {
        return Err(vec![Fault::of(FaultKind::Sequence, "there is no TXA segment: which document is this?")]);
    };
    let message = txa.message();
    let number = entity(txa.field(12), setting);
    let sender = message.header(4).component(1).text();
    let identity = number
        .as_ref()
        .map_or_else(|| format!("{sender}/{}", setting.message), |(value, system)| format!("{sender}/{system}|{value}"));
    let key = setting.namer.key(ResourceType::DocumentReference, &identity);
    let attachments = attachments(group, txa, &key, setting, plan);
    // The event counts before the date of the document: an addendum or a cancellation comes later than what it is about.
    let sent = setting.sent(message);
    let event = message.header(9).component(2).text();
    let status = if event == "T11" || txa.field(19).text() == "CA" { "entered-in-error" } else { "current" };
    let completed = codes::document_status(&txa.field(17).text());
    let completed = match event.as_str() {
        "T05" | "T06" => Some("amended"),
        _ => completed,
    };
    let dated = [6, 7, 4].into_iter().find_map(|field| time(txa.field(field), setting)).map_or(sent, |moment| moment.instant);
    let mut content = Json::object([
        ("resourceType", Json::text("DocumentReference")),
        ("meta", labelled(meta(message, None, setting), txa, setting)),
        ("extension", Json::one(Json::extension(crate::disclosure::AS_OF, "valueInstant", Json::text(&sent.to_string())))),
        ("masterIdentifier", number.map_or(Json::Absent, |(value, system)| identifier(&system, &value, ""))),
        ("identifier", Json::one(identifier("", &txa.field(16).text(), ""))),
        ("status", Json::text(status)),
        ("docStatus", completed.map_or(Json::Absent, Json::text)),
        ("type", concept(txa.field(2), setting)),
        ("subject", Json::reference(subject)),
        ("date", Json::text(&dated.to_string())),
        ("description", Json::text(&txa.field(25).text())),
        ("securityLabel", labels(txa, setting)),
        ("content", Json::array(attachments.into_iter().map(|one| Json::object([("attachment", one)])))),
    ]);
    // The orders that it is about are named; a document makes none.
    let orders = group.orders.iter().flat_map(|order| {
        let Json::List(named) = Numbers::of(order, setting).logical() else { return Vec::new() };
        named
    });
    content.put("context", Json::object([("related", Json::array(orders.collect::<Vec<_>>()))]));
    let authors: Vec<Json> = txa.field(9).repetitions().map(|one| practitioner(one, setting, plan)).collect();
    content.put("author", Json::array(authors));
    if txa.field(10).is_valued() {
        content.put("authenticator", practitioner(txa.field(10).first(), setting, plan));
    }
    let stamp =
        Stamp { at: sent, status: if status == "current" { completed.unwrap_or("final").to_owned() } else { status.to_owned() } };
    plan.add(Planned { key, known_by: Vec::new(), role: Role::Result(stamp), content });
    Ok(())
}

/// TXA-18: how confidential it is, which decides who may see it.
fn labels(txa: Segment<'_>, setting: &Context) -> Json {
    let all = txa.field(18).repetitions().map(|one| Json::object([("coding", Json::one(label(one, setting)))]));
    Json::array(all.collect::<Vec<_>>())
}

/// The same labels where every access is decided by them.
fn labelled(mut meta: Json, txa: Segment<'_>, setting: &Context) -> Json {
    let all = Json::array(txa.field(18).repetitions().map(|one| label(one, setting)).collect::<Vec<_>>());
    if meta.is_there() {
        meta.put("security", all);
        return meta;
    }
    Json::object([("security", all)])
}

/// What a document consists of; where it is only told of (T01, T03, ...), its title stands for it.
fn attachments(group: &Group<'_>, txa: Segment<'_>, key: &Key, setting: &Context, plan: &mut Plan) -> Vec<Json> {
    let observed = group.loose.iter().chain(group.orders.iter().flat_map(|order| &order.observations));
    let (mut texts, mut attachments) = (Vec::new(), Vec::new());
    for one in observed {
        plan.observations.push(key.clone());
        if let Some(text) = text_of(one) {
            texts.push(text);
            continue;
        }
        let unit = Unit::of(one.result, setting, plan);
        let found = value(one.result, &unit, setting, plan);
        attachments.extend(found.attachments);
        texts.extend(found.member.map(|(_, value)| value.as_text().map_or_else(|| value.to_string(), str::to_owned)));
    }
    texts.extend(group.notes.iter().map(|note| note.field(3).text()).filter(|text| !text.is_empty()));
    if !texts.is_empty() {
        let data = STANDARD.encode(texts.join("\n").as_bytes());
        attachments.push(Json::object([("contentType", Json::text("text/plain")), ("data", Json::text(&data))]));
    }
    if attachments.is_empty() {
        let title = [txa.field(25).text(), txa.field(2).component(2).text(), txa.field(2).component(1).text()];
        let title = title.into_iter().find(|text| !text.is_empty()).unwrap_or_else(|| "document".to_owned());
        attachments.push(Json::object([("title", Json::text(&title))]));
    }
    attachments
}
