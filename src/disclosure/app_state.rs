//! What an app asks to keep here for itself (SMART App Launch 2.2, "Persisting App State"): a Basic that is no record. It is read in here, so that
//! it is held to what every body is held to; afterwards it is the app's own text, which the gateway gives back and understands nothing of.

use super::Sealed;
use super::draft::Draft;
use super::pending::{Pending, Proof};
use super::released::HeaderWord;
use crate::audit::{Entry, Receipt};
use crate::fhir::json::Element;
use crate::fhir::stamp::prepare;
use crate::fhir::{Id, Instant, Problem, Refusal, ResourceType, Version};
use std::fmt::Write as _;

/// The largest state, in bytes as it is sent.
pub const LARGEST_APP_STATE: usize = 256 << 10;

/// A state on its way in.
pub struct AppState {
    draft: Draft,
    subject: Option<String>,
    coding: (String, String),
}

impl AppState {
    /// Reads the body of a create, or of an update of this id.
    ///
    /// # Errors
    /// [`Refusal::TooLarge`]; what [`Draft::read`] refuses; [`Refusal::Unprocessable`] with everything that the guide does not let a state be.
    pub fn read(body: &Sealed, id: Option<&Id>) -> Result<Self, Refusal> {
        if body.len() > LARGEST_APP_STATE {
            return Err(Refusal::TooLarge("a state may have 256 kilobytes"));
        }
        let draft = Draft::read(body, ResourceType::Basic, id)?;
        let root = draft.document().root();
        let mut problems = Vec::new();
        if id.is_none() {
            problems.extend(already_named(root));
        }
        let subject = subject(root).unwrap_or_else(|problem| {
            problems.push(problem);
            None
        });
        let coding = coding(root).unwrap_or_else(|problem| {
            problems.push(problem);
            Default::default()
        });
        problems.extend(extensions(root));
        let foreign = |name: &str| ["contained", "modifierExtension"].contains(&name);
        let foreign = root.members().filter(|(name, _)| foreign(name));
        problems.extend(foreign.map(|(name, _)| {
            Problem::at(
                "business-rule",
                format!("Basic.{name}"),
                "a state has none: keep everything in extensions with `valueString`",
            )
        }));
        if problems.is_empty() { Ok(Self { draft, subject, coding }) } else { Err(Refusal::Unprocessable(problems)) }
    }

    /// `subject.reference`
    pub fn subject(&self) -> Option<&str> {
        self.subject.as_deref()
    }

    /// System and code.
    pub fn coding(&self) -> (&str, &str) {
        (&self.coding.0, &self.coding.1)
    }

    /// As it is kept and given back.
    pub fn stamped(&self, id: &Id, version: Version, updated: Instant) -> String {
        prepare(self.draft.document(), ResourceType::Basic, id).stamp(version, updated)
    }
}

/// What only the server gives.
fn already_named(root: Element<'_>) -> Vec<Problem> {
    let given = |place: &str| Problem::at("business-rule", place, "the server gives it: leave it out");
    let version = root.get("meta").and_then(|meta| meta.get("versionId"));
    let id = root.get("id").map(|_| given("Basic.id"));
    id.into_iter().chain(version.map(|_| given("Basic.meta.versionId"))).collect()
}

fn subject(root: Element<'_>) -> Result<Option<String>, Problem> {
    let Some(subject) = root.get("subject") else { return Ok(None) };
    let reference =
        subject.text_at("reference").filter(|reference| reference.starts_with("https://") || reference.starts_with("http://"));
    let text =
        "needs an absolute reference below the FHIR base, such as https://fhir.example/fhir/Patient/p1; or leave `subject` out";
    reference.map(|one| Some(one.into_owned())).ok_or_else(|| Problem::at("value", "Basic.subject.reference", text))
}

fn coding(root: Element<'_>) -> Result<(String, String), Problem> {
    let codings: Vec<Element<'_>> =
        root.get("code").and_then(|code| code.get("coding")).into_iter().flat_map(Element::items).collect();
    let [one] = codings.as_slice() else {
        return Err(Problem::at("value", "Basic.code.coding", "must hold exactly one coding: it says which state this is"));
    };
    let code = one.text_at("code").filter(|code| !code.is_empty());
    let code = code.ok_or_else(|| Problem::at("required", "Basic.code.coding[0].code", "is missing"))?;
    Ok((one.text_at("system").unwrap_or_default().into_owned(), code.into_owned()))
}

/// Extensions of the state itself have a text and nothing else.
fn extensions(root: Element<'_>) -> Vec<Problem> {
    let all = root.get("extension").into_iter().flat_map(Element::items).enumerate();
    let wrong = all.filter(|(_, one)| {
        one.get("valueString").and_then(Element::as_str).is_none()
            || one.members().any(|(name, _)| !["url", "valueString", "id"].contains(&name.as_ref()))
    });
    let text = "must have a `valueString` and no other value: write the rest as text, JSON for example";
    wrong.map(|(at, _)| Problem::at("value", format!("Basic.extension[{at}]"), text)).collect()
}

impl Pending {
    /// A state that was kept: created, or changed. Its entry was written with it.
    pub fn state_kept(created: bool, state: String, place: &str, version: Version, receipt: Receipt) -> Self {
        let mut headers = vec![(HeaderWord::ETag, version.etag())];
        if created {
            headers.push((HeaderWord::Location, place.to_owned()));
        }
        let status = if created { 201 } else { 200 };
        Self { status, headers, body: state.into_bytes(), proof: Proof::Paid(receipt) }
    }

    /// A state that is gone. Its entry was written with it.
    pub fn state_removed(receipt: Receipt) -> Self {
        Self { status: 204, headers: Vec::new(), body: Vec::new(), proof: Proof::Paid(receipt) }
    }

    /// The states that were looked for, each as it was kept, with its address.
    pub fn states_found(states: &[(String, String)], link: &str, entry: Entry) -> Self {
        let quoted = |text: &str| crate::fhir::json::quote(text);
        let total = states.len();
        let mut body = format!("{{\"resourceType\":\"Bundle\",\"type\":\"searchset\",\"total\":{total}");
        let _ = write!(body, ",\"link\":[{{\"relation\":\"self\",\"url\":{}}}]", quoted(link));
        for (at, (place, state)) in states.iter().enumerate() {
            body.push_str(if at == 0 { ",\"entry\":[" } else { "," });
            let _ = write!(body, "{{\"fullUrl\":{},\"resource\":{state},\"search\":{{\"mode\":\"match\"}}}}", quoted(place));
        }
        body.push_str(if states.is_empty() { "}" } else { "]}" });
        Self { status: 200, headers: Vec::new(), body: body.into_bytes(), proof: Proof::Owed(vec![entry]) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn read(body: &Value, id: Option<&str>) -> Result<AppState, Refusal> {
        let id = id.and_then(Id::parse);
        AppState::read(&Sealed::from_wire(body.to_string().into_bytes()), id.as_ref())
    }

    fn good() -> Value {
        json!({
            "resourceType": "Basic",
            "subject": {"reference": "https://a/fhir/Patient/p1"},
            "code": {"coding": [{"system": "https://app", "code": "keys"}]},
            "extension": [{"url": "https://app/keys", "valueString": "secret"}],
        })
    }

    #[test]
    fn a_state_is_taken_as_it_is_and_given_back_with_id_and_version() {
        let state = read(&good(), None).unwrap();
        assert_eq!((state.subject(), state.coding()), (Some("https://a/fhir/Patient/p1"), ("https://app", "keys")));
        let kept: Value = serde_json::from_str(&state.stamped(
            &Id::parse("s1").unwrap(),
            Version(1),
            Instant::parse("2026-06-01T00:00:00Z").unwrap(),
        ))
        .unwrap();
        assert_eq!((&kept["id"], &kept["meta"]["versionId"]), (&json!("s1"), &json!("1")));
        assert_eq!(kept["extension"], good()["extension"]);
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        let body = json!({
            "resourceType": "Basic", "id": "x", "meta": {"versionId": "7"}, "subject": {"reference": "Patient/p1"},
            "code": {"coding": [{"code": "a"}, {"code": "b"}]}, "extension": [{"url": "https://a", "valueInteger": 1}],
            "modifierExtension": [{"url": "https://a", "valueString": "x"}],
        });
        let Err(Refusal::Unprocessable(problems)) = read(&body, None) else { panic!("taken") };
        let places: Vec<&str> = problems.iter().filter_map(|one| one.expression.as_deref()).collect();
        assert_eq!(
            places,
            [
                "Basic.id",
                "Basic.meta.versionId",
                "Basic.subject.reference",
                "Basic.code.coding",
                "Basic.extension[0]",
                "Basic.modifierExtension"
            ]
        );
        let mut large = good();
        large["extension"][0]["valueString"] = json!("x".repeat(LARGEST_APP_STATE));
        assert!(matches!(read(&large, None), Err(Refusal::TooLarge(_))));
    }
}
