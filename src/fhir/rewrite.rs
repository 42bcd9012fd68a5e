//! References inside a record: found, listed and replaced, by the structure table.
//!
//! A transaction gives records new addresses; whatever names the old ones is replaced: `Reference.reference`, every value of type uri, url,
//! oid or uuid, and the links and images of the narrative (R4 http § transaction), in contained resources and extensions too. Canonicals,
//! other strings and the words of the narrative are never touched.

use super::ResourceType;
mod markup;

use super::definitions::{Content, Primitive, Shape, resource};
use super::json::{Document, Element, Kind};
use super::shape::Place;
use markup::relinked;

/// A value that may name another record.
struct Named<'d> {
    value: Element<'d>,
    by: Naming,
}

/// How a value names it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Naming {
    /// `Reference.reference`
    Reference,
    /// An address of another type.
    Address,
    /// Links and images among words.
    Narrative,
}

/// The document with each address for which `replace` knows another one replaced; every other byte stays.
#[must_use]
pub fn rewrite_references(document: &Document, replace: &dyn Fn(&str) -> Option<String>) -> Document {
    let mut replacements = Vec::new();
    visit(document, &mut |named, _| {
        let new = named.value.as_str().and_then(|old| match named.by {
            Naming::Narrative => relinked(&old, replace),
            Naming::Reference | Naming::Address => replace(&old),
        });
        replacements.extend(new.map(|new| (named.value, new)));
    });
    document.with_strings(&replacements)
}

/// Every `Reference.reference` with its FHIRPath, in order.
pub fn references(document: &Document) -> Vec<(String, String)> {
    let mut found = Vec::new();
    visit(document, &mut |named, place| {
        if let Some(text) = named.value.as_str().filter(|_| named.by == Naming::Reference) {
            found.push((place.to_string(), text.into_owned()));
        }
    });
    found
}

/// What [`visit`] calls for each address.
type Visitor<'v, 'd> = dyn FnMut(&Named<'d>, &Place<'_>) + 'v;

fn visit<'d>(document: &'d Document, found: &mut Visitor<'_, 'd>) {
    let root = document.root();
    if let Some(shape) = own_shape(root) {
        object(root, shape, &Place::root(shape.path()), found);
    }
}

fn own_shape(value: Element<'_>) -> Option<&'static Shape> {
    value.text_at("resourceType").and_then(|name| ResourceType::parse(&name)).and_then(resource)
}

fn object<'d>(value: Element<'d>, shape: &Shape, place: &Place<'_>, found: &mut Visitor<'_, 'd>) {
    for (name, value) in value.members() {
        let plain = name.strip_prefix('_');
        let Some(member) = shape.member(plain.unwrap_or(&name)) else { continue };
        let place = place.element(member.element());
        let content = if plain.is_some() { Content::element() } else { Some(member.content()) };
        let Some(content) = content else { continue };
        let reference = shape.path() == "Reference" && name == "reference";
        let several = value.kind() == Kind::Array;
        for (index, item) in value.flattened().enumerate() {
            let place = if several { place.item(index) } else { place };
            one(item, content, reference, &place, found);
        }
    }
}

fn one<'d>(value: Element<'d>, content: Content, reference: bool, place: &Place<'_>, found: &mut Visitor<'_, 'd>) {
    match content {
        Content::Primitive(primitive) => {
            let by = if reference { Some(Naming::Reference) } else { naming(primitive) };
            if let Some(by) = by {
                found(&Named { value, by }, place);
            }
        }
        Content::Complex(_) => {
            if let Some(shape) = content.shape() {
                object(value, shape, place, found);
            }
        }
        Content::AnyResource => {
            if let Some(shape) = own_shape(value) {
                object(value, shape, place, found);
            }
        }
    }
}

fn naming(primitive: Primitive) -> Option<Naming> {
    match primitive {
        Primitive::Uri | Primitive::Url | Primitive::Oid | Primitive::Uuid => Some(Naming::Address),
        Primitive::Xhtml => Some(Naming::Narrative),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{references, rewrite_references};
    use crate::fhir::json::Document;

    fn rewritten(text: &str) -> String {
        let document = Document::parse(text.as_bytes()).unwrap();
        rewrite_references(&document, &|old| (old == "urn:uuid:1").then(|| "Patient/one".to_owned())).into_text()
    }

    #[test]
    fn addresses_are_replaced_wherever_the_type_says_so() {
        let text = |address: &str| {
            format!(
                concat!(
                    r#"{{"resourceType":"Observation","contained":[{{"resourceType":"Encounter","subject":{{"reference":"{0}"}}}}],"#,
                    r#""_status":{{"extension":[{{"url":"u","valueUrl":"{0}"}}]}},"subject":{{"reference":"{0}","display":"x"}},"#,
                    r#""extension":[{{"url":"u","extension":[{{"url":"v","valueReference":{{"reference":"{0}"}}}}]}}],"#,
                    r#""performer":[{{"reference":"Practitioner/1"}},{{"reference":"{0}"}}],"#,
                    r#""instantiatesCanonical":"unknown here","valueQuantity":{{"value":1.50,"system":"{0}"}},"#,
                    r#""text":{{"status":"additional","div":"<div><a href=\"{0}\">urn:uuid:1</a> <img alt=\"x\" src='{0}'/></div>"}}}}"#
                ),
                address
            )
        };
        assert_eq!(rewritten(&text("urn:uuid:1")), text("Patient/one"));
    }

    #[test]
    fn other_strings_canonicals_and_the_words_of_the_narrative_stay() {
        let text = concat!(
            r#"{"resourceType":"Patient","text":{"status":"generated","div":"urn:uuid:1"},"identifier":[{"value":"urn:uuid:1"}],"#,
            r#""extension":[{"url":"u","valueString":"urn:uuid:1"},{"url":"v","valueCanonical":"urn:uuid:1"}],"meta":{"profile":["urn:uuid:1"]},"contact":[{"organization":{"display":"urn:uuid:1"}}]}"#
        );
        assert_eq!(rewritten(text), text);
    }

    #[test]
    fn references_are_listed_with_their_place() {
        let text = concat!(
            r#"{"resourceType":"Observation","subject":{"reference":"Patient/1"},"contained":[{"resourceType":"Encounter","#,
            r##""subject":{"reference":"#p"}}],"valueQuantity":{"system":"urn:x"},"performer":[{"display":"x"},{"reference":"Practitioner?identifier=a"}]}"##
        );
        let found = references(&Document::parse(text.as_bytes()).unwrap());
        let expected = [
            ("Observation.subject.reference", "Patient/1"),
            ("Observation.contained[0].subject.reference", "#p"),
            ("Observation.performer[1].reference", "Practitioner?identifier=a"),
        ];
        assert_eq!(found, expected.map(|(place, text)| (place.to_owned(), text.to_owned())));
    }
}
