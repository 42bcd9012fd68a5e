//! Parameters of an operation, read to the letter (<https://hl7.org/fhir/R4/parameters.html>).

use super::json::{Document, Element, Kind};
use super::{Problem, ResourceType};

/// One parameter that an operation takes.
#[derive(Debug, Clone, Copy)]
pub struct Slot {
    name: &'static str,
    takes: Takes,
    required: bool,
    repeats: bool,
}

/// The kinds of value.
#[derive(Debug, Clone, Copy)]
pub enum Takes {
    /// `valueString`
    Text,
    /// `valueCode`, or the code of a `valueCoding`.
    Code,
    /// A whole number that is not negative.
    Whole,
    /// `valueBoolean`, as the text `true` or `false`.
    Flag,
    /// The literal reference of a `valueReference`.
    Reference,
    /// A `resource` of one of these types.
    Record(&'static [ResourceType]),
}

/// What an operation was given.
#[derive(Debug, Clone, Default)]
pub struct Parameters(Vec<(&'static str, Value)>);

#[derive(Debug, Clone)]
enum Value {
    Text(String),
    Whole(u32),
    Record(Box<Document>),
}

impl Slot {
    /// One that must be there.
    pub(super) const fn required(name: &'static str, takes: Takes) -> Self {
        Self { name, takes, required: true, repeats: false }
    }

    /// One that may be there.
    pub(super) const fn optional(name: &'static str, takes: Takes) -> Self {
        Self { name, takes, required: false, repeats: false }
    }

    /// One that may be there any number of times.
    pub(super) const fn repeated(name: &'static str, takes: Takes) -> Self {
        Self { name, takes, required: false, repeats: true }
    }

    /// Its name.
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

impl Parameters {
    /// Reads a Parameters resource.
    ///
    /// # Errors
    /// Everything that is wrong: another resource, a name that the operation does not have, one too often or missing, a value of the
    /// wrong kind.
    pub fn read(document: &Document, slots: &'static [Slot]) -> Result<Self, Vec<Problem>> {
        let root = document.root();
        if root.text_at("resourceType").as_deref() != Some("Parameters") {
            return Err(vec![Problem::at("structure", "resourceType", "an operation takes a Parameters resource")]);
        }
        let list = root.get("parameter");
        if list.is_some_and(|list| list.kind() != Kind::Array) {
            return Err(vec![Problem::at("structure", "Parameters.parameter", "an array was expected")]);
        }
        let given = list.into_iter().flat_map(Element::items).enumerate().map(|(at, one)| {
            let place = format!("Parameters.parameter[{at}]");
            let name = one.text_at("name").unwrap_or_default();
            let slot = named(&name, slots).ok_or_else(|| unknown(&name, slots, place.clone()))?;
            Ok((slot, value(one, slot.takes).map_err(|text| Problem::at("value", place, text))?))
        });
        Self::checked(given.collect(), slots)
    }

    /// Reads the query of a GET: texts only.
    ///
    /// # Errors
    /// As [`Parameters::read`].
    pub fn of_query(pairs: &[(String, String)], slots: &'static [Slot]) -> Result<Self, Vec<Problem>> {
        let given = pairs.iter().map(|(name, value)| {
            let slot = named(name, slots).ok_or_else(|| unknown(name, slots, name.clone()))?;
            Ok((slot, Value::Text(value.clone())))
        });
        Self::checked(given.collect(), slots)
    }

    fn checked(given: Vec<Result<(&'static Slot, Value), Problem>>, slots: &'static [Slot]) -> Result<Self, Vec<Problem>> {
        let (mut found, mut problems) = (Vec::new(), Vec::new());
        for one in given {
            match one {
                Ok((slot, value)) => found.push((slot.name, value)),
                Err(problem) => problems.push(problem),
            }
        }
        for slot in slots {
            match found.iter().filter(|(name, _)| *name == slot.name).count() {
                // What could not be read has been told already.
                0 if slot.required && problems.is_empty() => {
                    problems.push(Problem::of("required", format!("the parameter `{}` is missing", slot.name)));
                }
                2.. if !slot.repeats => {
                    problems.push(Problem::of("structure", format!("the parameter `{}` may be given once only", slot.name)));
                }
                _ => {}
            }
        }
        if problems.is_empty() { Ok(Self(found)) } else { Err(problems) }
    }

    /// The text of a parameter.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.texts(name).next()
    }

    /// Every text of a parameter that repeats.
    pub fn texts(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(slot, _)| *slot == name).filter_map(|(_, value)| match value {
            Value::Text(text) => Some(text.as_str()),
            _ => None,
        })
    }

    /// The number of a parameter.
    pub fn whole(&self, name: &str) -> Option<u32> {
        self.0.iter().find(|(slot, _)| *slot == name).and_then(|(_, value)| match value {
            Value::Whole(number) => Some(*number),
            _ => None,
        })
    }

    /// The resource of a parameter.
    pub fn record(&self, name: &str) -> Option<&Document> {
        self.0.iter().find(|(slot, _)| *slot == name).and_then(|(_, value)| match value {
            Value::Record(document) => Some(&**document),
            _ => None,
        })
    }
}

fn named(name: &str, slots: &'static [Slot]) -> Option<&'static Slot> {
    slots.iter().find(|slot| slot.name == name)
}

fn unknown(name: &str, slots: &[Slot], place: String) -> Problem {
    let known: Vec<&str> = slots.iter().map(Slot::name).collect();
    let text = match known.as_slice() {
        [] => format!("this operation takes no parameters, and `{name}` was given"),
        known => format!("this operation has no parameter `{name}`; it takes {}", known.join(", ")),
    };
    Problem::at("not-supported", place, text)
}

/// The one value of a parameter. Whatever else stands beside it would be passed over in silence, and is refused.
fn value(parameter: Element<'_>, takes: Takes) -> Result<Value, String> {
    let mut others = parameter.members().map(|member| member.1).filter(|member| member.name() != "name" && member.name() != "id");
    let (Some(only), None) = (others.next(), others.next()) else {
        return Err("exactly one value was expected".to_owned());
    };
    let wanted = |what: &str| format!("a {what} was expected");
    let filled = |text: Option<std::borrow::Cow<'_, str>>| {
        text.filter(|text| !text.trim().is_empty()).map(|text| Value::Text(text.into_owned()))
    };
    match (takes, &*only.name()) {
        (Takes::Text, "valueString") => filled(only.as_str()).ok_or_else(|| wanted("text that is not empty")),
        (Takes::Code, "valueCode") => filled(only.as_str()).ok_or_else(|| wanted("code")),
        (Takes::Code, "valueCoding") => filled(only.text_at("code")).ok_or_else(|| wanted("coding with a code")),
        (Takes::Whole, "valueInteger" | "valuePositiveInt" | "valueUnsignedInt") => {
            let number = only.number_text().and_then(|text| text.parse().ok());
            number.map(Value::Whole).ok_or_else(|| wanted("whole number"))
        }
        (Takes::Flag, "valueBoolean") => {
            only.as_bool().map(|flag| Value::Text(flag.to_string())).ok_or_else(|| wanted("truth value"))
        }
        (Takes::Reference, "valueReference") => {
            filled(only.text_at("reference")).ok_or_else(|| wanted("reference with a literal `reference`"))
        }
        (Takes::Record(types), "resource") => {
            let found = only.text_at("resourceType").and_then(|name| ResourceType::parse(&name));
            let fits = found.is_some_and(|found| types.contains(&found));
            let document = fits.then(|| Document::parse(only.raw().as_bytes()).ok()).flatten();
            let names: Vec<&str> = types.iter().map(|one| one.name()).collect();
            document.map(|document| Value::Record(Box::new(document))).ok_or_else(|| wanted(&names.join(" or ")))
        }
        (takes, _) => Err(format!("the value must stand in `{}`", takes.member())),
    }
}

impl Takes {
    const fn member(self) -> &'static str {
        match self {
            Self::Text => "valueString",
            Self::Code => "valueCode",
            Self::Whole => "valueInteger",
            Self::Flag => "valueBoolean",
            Self::Reference => "valueReference",
            Self::Record(_) => "resource",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Parameters, Slot, Takes};
    use crate::fhir::ResourceType;
    use crate::fhir::json::Document;

    const SLOTS: &[Slot] = &[
        Slot::required("reason", Takes::Code),
        Slot::optional("minutes", Takes::Whole),
        Slot::repeated("purpose", Takes::Text),
        Slot::optional("consent", Takes::Record(&[ResourceType::Consent])),
    ];

    fn read(parameters: &str) -> Result<Parameters, String> {
        let text = format!(r#"{{"resourceType":"Parameters","parameter":[{parameters}]}}"#);
        Parameters::read(&Document::parse(text.as_bytes()).unwrap(), SLOTS).map_err(|problems| problems[0].text.clone())
    }

    #[test]
    fn what_fits_is_read_and_numbers_stay_numbers() {
        let given = read(
            r#"{"name":"reason","valueCoding":{"system":"s","code":"er"}},{"name":"minutes","valueInteger":30},
               {"name":"purpose","valueString":"TREAT"},{"name":"purpose","valueString":"COC"},
               {"name":"consent","resource":{"resourceType":"Consent","x":1.0}}"#,
        )
        .unwrap();
        assert_eq!((given.text("reason"), given.whole("minutes")), (Some("er"), Some(30)));
        assert_eq!(given.texts("purpose").collect::<Vec<_>>(), ["TREAT", "COC"]);
        assert!(given.record("consent").unwrap().text().contains("1.0"));
    }

    #[test]
    fn what_is_unknown_twice_missing_or_of_another_kind_is_refused() {
        for (parameters, told) in [
            ("", "`reason` is missing"),
            (r#"{"name":"reason","valueCode":"a"},{"name":"reason","valueCode":"b"}"#, "once only"),
            (r#"{"name":"cause","valueCode":"a"}"#, "no parameter `cause`"),
            (r#"{"name":"reason","valueString":"a"}"#, "`valueCode`"),
            (r#"{"name":"reason","valueCode":" "}"#, "a code"),
            (r#"{"name":"reason"}"#, "exactly one"),
            (r#"{"name":"reason","valueCode":"a","part":[]}"#, "exactly one"),
            (r#"{"name":"reason","valueCode":"a"},{"name":"minutes","valueInteger":1.5}"#, "whole number"),
            (r#"{"name":"reason","valueCode":"a"},{"name":"minutes","valueInteger":-1}"#, "whole number"),
            (r#"{"name":"reason","valueCode":"a"},{"name":"consent","resource":{"resourceType":"Patient"}}"#, "Consent"),
        ] {
            let fault = read(parameters).unwrap_err();
            assert!(fault.contains(told), "{parameters}: {fault}");
        }
        let other = Document::parse(br#"{"resourceType":"Patient"}"#).unwrap();
        assert!(Parameters::read(&other, SLOTS).is_err());
    }
}
