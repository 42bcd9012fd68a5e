//! Search parameters from stored SearchParameter resources.

use super::search_parameters::{Definition, NUMBERS, Values};
use super::structures::{Content, Member, shape};
use crate::fhir::ResourceType;
use crate::fhir::json::{Document, Element};
use crate::fhir::search::expression::{Elements, Types, compile};
use crate::fhir::search::{ParameterId, ParameterType, SearchParameter};
use std::collections::HashMap;

/// A SearchParameter, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposed {
    /// Canonical URL.
    pub url: String,
    /// The name in a query.
    pub code: String,
    /// What it searches.
    pub types: Vec<ResourceType>,
    /// Where its values are (FHIRPath).
    pub expression: String,
    kind: Option<ParameterType>,
    targets: Vec<ResourceType>,
}

impl Proposed {
    /// Reads a SearchParameter; `None` for one that is not active.
    pub fn read(document: &Document) -> Option<Self> {
        let root = document.root();
        let text = |name: &str| root.text_at(name).map(std::borrow::Cow::into_owned).unwrap_or_default();
        let types = |name: &str| -> Vec<ResourceType> {
            let all = root.get(name).into_iter().flat_map(Element::flattened).filter_map(Element::as_str);
            all.filter_map(|name| ResourceType::parse(&name)).collect()
        };
        (text("status") == "active").then(|| Self {
            url: text("url"),
            code: text("code"),
            types: types("base"),
            expression: text("expression"),
            kind: kind(&text("type")),
            targets: types("target"),
        })
    }

    /// The parameter for one of its types, under this number.
    ///
    /// # Errors
    /// Why it cannot be searched by, in its author's terms.
    pub fn define(&self, resource_type: ResourceType, number: i32) -> Result<Defined, String> {
        let form = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if self.code.is_empty() || self.code.starts_with('_') || !self.code.chars().all(form) {
            return Err(format!("`code`: `{}` is no name of letters, digits and hyphens", self.code));
        }
        let kind = self.kind.ok_or("`type`: a parameter of this kind (composite or special) cannot be defined here")?;
        if self.expression.is_empty() {
            return Err("`expression`: without one nothing can be indexed".to_owned());
        }
        let mine = of_type(&tidy(&self.expression), resource_type)
            .ok_or_else(|| format!("`expression`: no part of `{}` begins at {resource_type}", self.expression))?;
        if mine.split(" | ").any(|part| part.matches(".extension('").count() > 1) {
            return Err("`expression`: extensions of extensions cannot be followed here".to_owned());
        }
        let paths = paths(resource_type, &mine);
        let elements: Elements<'_> = paths.iter().map(|(path, types)| (path.as_str(), types.borrowed())).collect();
        let program = compile(&mine, "", &elements).map_err(|reason| format!("`expression`: {reason}"))?;
        let values = Values::Of(program);
        let parameter = SearchParameter {
            id: ParameterId(number * NUMBERS),
            resource_type,
            code: self.code.clone(),
            parameter_type: kind,
            targets: self.targets.clone(),
            components: Vec::new(),
            url: self.url.clone(),
            implied_system: None,
            ignores_case: values.ignores_case(kind),
        };
        Ok(Defined(Definition { parameter, values }))
    }
}

/// A parameter that can be searched by.
#[derive(Debug)]
pub struct Defined(pub(crate) Definition);

fn kind(name: &str) -> Option<ParameterType> {
    use ParameterType::{Date, Number, Quantity, Reference, String, Token, Uri};
    Some(match name {
        "token" => Token,
        "string" => String,
        "reference" => Reference,
        "date" => Date,
        "number" => Number,
        "quantity" => Quantity,
        "uri" => Uri,
        _ => return None,
    })
}

/// Without blanks where R4's own expressions have none, and `extension.where(url='x')` as the shorter `extension('x')`.
fn tidy(expression: &str) -> String {
    let joined = expression.split_whitespace().collect::<Vec<_>>().join(" ");
    let even = joined.replace(" = ", "=").replace("( ", "(").replace(" )", ")").replace('"', "'");
    values_of_extensions(&even.replace(".extension.where(url='", ".extension('"))
}

/// The table's `extension('x')` is the value of the extension, of whatever type: what says so again is left out.
fn values_of_extensions(expression: &str) -> String {
    let mut parts = expression.split(".extension('");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (url, rest) = part.split_once("')").unwrap_or((part, ""));
        let rest = rest.strip_prefix(".value").map_or(rest, |rest| rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric()));
        let cast = [" as ", ".as(", ".ofType("].iter().find_map(|cast| rest.strip_prefix(cast).map(|rest| (*cast, rest)));
        let rest = match cast {
            Some((cast, rest)) => {
                let rest = rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric());
                if cast == " as " { rest } else { rest.strip_prefix(')').unwrap_or(rest) }
            }
            None => rest,
        };
        text.extend([".extension('", url, "')", rest]);
    }
    text
}

/// The parts of a union that begin at a type.
fn of_type(expression: &str, resource_type: ResourceType) -> Option<String> {
    let begins = |part: &&str| {
        let part = part.trim_start_matches('(');
        let first = part.split(['.', ' ', ')']).next().unwrap_or_default();
        first == resource_type.name() || first == "Resource" || first == "DomainResource"
    };
    let parts: Vec<String> = expression.split(" | ").filter(begins).map(|part| rooted(part, resource_type)).collect();
    (!parts.is_empty()).then(|| parts.join(" | "))
}

fn rooted(part: &str, resource_type: ResourceType) -> String {
    part.replacen("DomainResource.", &format!("{resource_type}."), 1).replacen(
        "Resource.",
        &format!("{resource_type}."),
        usize::from(part.trim_start_matches('(').starts_with("Resource.")),
    )
}

/// The types of an element.
enum Kinds {
    One(String),
    Choice(Vec<String>),
}

impl Kinds {
    fn borrowed(&self) -> Types<'_> {
        match self {
            Self::One(name) => Types::One(name),
            Self::Choice(names) => Types::Choice(names.iter().map(String::as_str).collect()),
        }
    }
}

/// How deep a path goes.
const DEPTH: usize = 8;

/// The types of the elements that an expression may pass: those whose names stand in it.
fn paths(resource_type: ResourceType, expression: &str) -> HashMap<String, Kinds> {
    let words: Vec<&str> = expression.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let mut paths = HashMap::new();
    walk(resource_type.name(), resource_type.name(), &words, DEPTH, &mut paths);
    // What `as` and `ofType` lead to goes on under the name of the type.
    for word in &words {
        if shape(word).is_some_and(|shape| !shape.is_resource()) {
            walk(word, word, &words, DEPTH, &mut paths);
        }
    }
    paths
}

fn walk(path: &str, shape_path: &str, words: &[&str], depth: usize, paths: &mut HashMap<String, Kinds>) {
    let Some(shape) = shape(shape_path).filter(|_| depth > 0) else { return };
    let mut choices: HashMap<String, Vec<String>> = HashMap::new();
    for member in shape.members() {
        let stem = member.element();
        if !words.contains(&stem) {
            continue;
        }
        let name = type_name(member);
        if member.is_choice() {
            choices.entry(stem.to_owned()).or_default().push(name);
            continue;
        }
        let here = format!("{path}.{stem}");
        if let Some(inner) = member.shape() {
            walk(&here, inner.path(), words, depth - 1, paths);
        }
        paths.insert(here, Kinds::One(name));
    }
    for (stem, names) in choices {
        paths.insert(format!("{path}.{stem}"), Kinds::Choice(names));
    }
}

/// The name of a member's type; of a choice what stands behind its stem, as R4 writes it.
fn type_name(member: &Member) -> String {
    let suffix = member.name().get(member.element().len()..).unwrap_or_default();
    let primitive = matches!(member.content(), Content::Primitive(_));
    match (suffix, member.content()) {
        ("", Content::Primitive(primitive)) => primitive.name().to_owned(),
        ("", Content::AnyResource) => "Resource".to_owned(),
        ("", content) => content.shape().map(|shape| shape.path().to_owned()).unwrap_or_default(),
        (suffix, _) if primitive => {
            let mut letters = suffix.chars();
            letters.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(letters).collect()
        }
        (suffix, _) => suffix.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::Proposed;
    use crate::fhir::ResourceType;
    use crate::fhir::json::Document;
    use crate::fhir::search::{Custom, CustomParameters, IndexValue, extract};

    fn proposed(base: &str, kind: &str, expression: &str) -> Proposed {
        let text = serde_json::json!({"resourceType": "SearchParameter", "status": "active", "url": "http://own/x", "code": "own",
            "base": [base], "type": kind, "expression": expression});
        Proposed::read(&Document::parse(text.to_string().as_bytes()).unwrap()).unwrap()
    }

    fn values(base: &str, kind: &str, expression: &str, record: &str) -> Result<Vec<IndexValue>, String> {
        let of = ResourceType::parse(base).unwrap();
        let known = CustomParameters::new(vec![Custom::new(proposed(base, kind, expression).define(of, 1_000_000)?, true)]);
        let own = known.find(of, "own").unwrap().id;
        let entries = extract(&Document::parse(record.as_bytes()).unwrap(), of, "", &known);
        Ok(entries.into_iter().filter(|entry| entry.parameter == own).map(|entry| entry.value).collect())
    }

    #[test]
    fn expressions_reach_what_they_name() {
        let patient = r#"{"resourceType":"Patient","maritalStatus":{"coding":[{"system":"s","code":"M"}]},"multipleBirthInteger":2,
            "contact":[{"name":{"family":"Khan"},"period":{"start":"2020"}}],"photo":[{"contentType":"image/png","title":"Me"}],
            "extension":[{"url":"http://e","valueCodeableConcept":{"coding":[{"code":"x"}]}},{"url":"http://d","valueDateTime":"2024-01-01"}]}"#;
        let token = |system: &str, code: &str| IndexValue::Token { system: system.into(), code: code.into() };
        for (kind, expression, expected) in [
            ("token", "Patient.maritalStatus", Some(token("s", "M"))),
            ("token", "Patient.extension('http://e').value", Some(token("", "x"))),
            ("token", "Patient.extension.where(url = 'http://e').value.ofType(CodeableConcept)", Some(token("", "x"))),
            ("token", "(Patient.extension.where(url='http://e').value as CodeableConcept)", Some(token("", "x"))),
            ("number", "Patient.multipleBirth as integer", None),
            ("number", "(Patient.multipleBirth as integer)", Some(IndexValue::Number { low: 2.0, high: 2.0 })),
            ("string", "Patient.photo.title", Some(IndexValue::Text { folded: "me".into(), exact: "Me".into() })),
            (
                "string",
                "Patient.contact.name.family | Person.name.family",
                Some(IndexValue::Text { folded: "khan".into(), exact: "Khan".into() }),
            ),
        ] {
            let found = values("Patient", kind, expression, patient);
            match expected {
                Some(expected) => assert_eq!(found.unwrap(), [expected], "{expression}"),
                None => assert!(found.is_err(), "{expression}"),
            }
        }
        assert_eq!(values("Patient", "date", "Patient.extension.where(url='http://d').valueDateTime", patient).unwrap().len(), 1);
        assert_eq!(values("Patient", "date", "Patient.contact.period", patient).unwrap().len(), 1);
    }

    #[test]
    fn what_cannot_be_done_says_why() {
        for (kind, expression) in [
            ("token", ""),
            ("token", "Observation.code"),
            ("token", "Patient.nosuch"),
            ("token", "Patient.name.first().family"),
            ("token", "Patient.extension('a').extension('b').value"),
            ("composite", "Patient"),
            ("special", "Patient.name"),
        ] {
            assert!(values("Patient", kind, expression, r#"{"resourceType":"Patient"}"#).is_err(), "{kind} {expression}");
        }
    }
}
