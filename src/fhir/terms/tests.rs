use super::{CodeSystem, Codes, Source, TermsError, ValueSet, above, below, expand};
use crate::fhir::json::Document;
use proptest::prelude::*;
use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;

#[derive(Default)]
struct Shelf {
    sets: HashMap<String, Arc<ValueSet>>,
    systems: HashMap<String, Arc<CodeSystem>>,
}

impl Shelf {
    fn with(texts: &[&str]) -> Self {
        let mut shelf = Self::default();
        for text in texts {
            let document = Document::parse(text.as_bytes()).unwrap();
            if document.root().text_at("resourceType").unwrap() == "ValueSet" {
                let set = ValueSet::read(&document);
                shelf.sets.insert(set.url.clone(), Arc::new(set));
            } else {
                let system = CodeSystem::read(&document);
                shelf.systems.insert(system.url.clone(), Arc::new(system));
            }
        }
        shelf
    }
}

impl Source for Shelf {
    type Error = Infallible;

    fn value_set(&mut self, canonical: &str) -> Result<Option<Arc<ValueSet>>, Infallible> {
        Ok(self.sets.get(canonical).cloned())
    }

    fn code_system(&mut self, canonical: &str) -> Result<Option<Arc<CodeSystem>>, Infallible> {
        Ok(self.systems.get(canonical).cloned())
    }
}

const ANIMALS: &str = r#"{"resourceType":"CodeSystem","url":"http://animals","content":"complete","concept":[
    {"code":"animal","display":"Animal","concept":[
        {"code":"cat","display":"Cat","property":[{"code":"legs","valueInteger":4}]},
        {"code":"bird","display":"Bird","property":[{"code":"legs","valueInteger":2}]}]},
    {"code":"lion","display":"Lion","property":[{"code":"subsumedBy","valueCode":"cat"},{"code":"legs","valueInteger":4}]},
    {"code":"stone","display":"Stone"}]}"#;

fn list(codes: &Codes) -> Vec<String> {
    let mut all = Vec::new();
    for code in ["animal", "cat", "bird", "lion", "stone", "unheard-of"] {
        if codes.contains("http://animals", code) {
            all.push(code.to_owned());
        }
    }
    all
}

fn set(url: &str, compose: &str) -> String {
    format!(r#"{{"resourceType":"ValueSet","url":"{url}","compose":{compose}}}"#)
}

#[test]
fn hierarchies_are_read_from_nesting_and_from_properties() {
    let mut shelf = Shelf::with(&[ANIMALS]);
    assert_eq!(list(&below(&mut shelf, "http://animals", "cat").unwrap()), ["cat", "lion"]);
    assert_eq!(list(&below(&mut shelf, "http://animals", "animal").unwrap()), ["animal", "cat", "bird", "lion"]);
    assert_eq!(list(&above(&mut shelf, "http://animals", "lion").unwrap()), ["animal", "cat", "lion"]);
    assert!(matches!(below(&mut shelf, "http://animals", "dog"), Err(TermsError::Unknown(_))));
    assert!(matches!(below(&mut shelf, "http://plants", "tree"), Err(TermsError::Unknown(_))));
}

#[test]
fn value_sets_are_put_together_as_they_say() {
    let filtered = |op: &str, property: &str, value: &str| {
        format!(
            r#"{{"include":[{{"system":"http://animals","filter":[{{"property":"{property}","op":"{op}","value":"{value}"}}]}}]}}"#
        )
    };
    for (compose, expected) in [
        (r#"{"include":[{"system":"http://animals","concept":[{"code":"cat"},{"code":"stone"}]}]}"#.to_owned(), vec!["cat", "stone"]),
        (filtered("is-a", "concept", "cat"), vec!["cat", "lion"]),
        (filtered("descendent-of", "concept", "cat"), vec!["lion"]),
        (filtered("is-not-a", "concept", "animal"), vec!["stone"]),
        (filtered("=", "legs", "2"), vec!["bird"]),
        (filtered("in", "legs", "2, 4"), vec!["cat", "bird", "lion"]),
        (filtered("exists", "legs", "false"), vec!["animal", "stone"]),
        (filtered("regex", "code", "l.*|b.*"), vec!["bird", "lion"]),
        (
            r#"{"include":[{"system":"http://animals"}],"exclude":[{"system":"http://animals","concept":[{"code":"cat"}]}]}"#.to_owned(),
            vec!["animal", "bird", "lion", "stone", "unheard-of"],
        ),
        (
            r#"{"include":[{"system":"http://animals","concept":[{"code":"cat"},{"code":"lion"}],"valueSet":["http://sets/four"]}]}"#.to_owned(),
            vec!["lion"],
        ),
        (r#"{"include":[{"valueSet":["http://sets/four","http://sets/listed"]}]}"#.to_owned(), vec!["lion"]),
    ] {
        let four = set("http://sets/four", r#"{"include":[{"system":"http://animals","concept":[{"code":"lion"},{"code":"bird"}]}]}"#);
        let listed = r#"{"resourceType":"ValueSet","url":"http://sets/listed","compose":{"include":[{"system":"http://other"}]},
            "expansion":{"contains":[{"abstract":true,"system":"http://animals","code":"animal","contains":[{"system":"http://animals","code":"lion"}]}]}}"#;
        let mut shelf = Shelf::with(&[ANIMALS, &four, listed, &set("http://sets/it", &compose)]);
        assert_eq!(list(&expand(&mut shelf, "http://sets/it").unwrap()), expected, "{compose}");
    }
}

#[test]
fn what_cannot_be_answered_is_said_and_never_empty() {
    let circle = set("http://sets/circle", r#"{"include":[{"valueSet":["http://sets/circle"]}]}"#);
    let lost = set("http://sets/lost", r#"{"include":[{"valueSet":["http://sets/nowhere"]}]}"#);
    let strange = set(
        "http://sets/strange",
        r#"{"include":[{"system":"http://animals","filter":[{"property":"concept","op":"sounds-like","value":"cat"}]}]}"#,
    );
    let unread = set(
        "http://sets/unread",
        r#"{"include":[{"system":"http://plants","filter":[{"property":"concept","op":"is-a","value":"tree"}]}]}"#,
    );
    let partial = r#"{"resourceType":"ValueSet","url":"http://sets/partial","expansion":{"total":7,"contains":[{"system":"http://animals","code":"cat"}]}}"#;
    let mut shelf = Shelf::with(&[ANIMALS, &circle, &lost, &strange, &unread, partial]);
    for name in ["circle", "lost", "strange", "unread", "partial", "absent"] {
        assert!(matches!(expand(&mut shelf, &format!("http://sets/{name}")), Err(TermsError::Unknown(_))), "{name}");
    }
}

fn some_codes() -> impl Strategy<Value = Codes> {
    let names = proptest::collection::btree_set(proptest::sample::select(vec!["a", "b", "c"]), 0..3);
    (names, any::<bool>()).prop_map(|(names, whole)| {
        let listed = Codes::of("s", names.into_iter().map(str::to_owned));
        if whole { Codes::whole("s").without(&listed) } else { listed }
    })
}

proptest! {
    #[test]
    fn sets_of_codes_are_sets(one in some_codes(), other in some_codes()) {
        let (both, either, rest) = (one.clone().within(&other), one.clone().with(other.clone()), one.clone().without(&other));
        for code in ["a", "b", "c", "d"] {
            let (here, there) = (one.contains("s", code), other.contains("s", code));
            prop_assert_eq!(both.contains("s", code), here && there);
            prop_assert_eq!(either.contains("s", code), here || there);
            prop_assert_eq!(rest.contains("s", code), here && !there);
        }
    }
}
