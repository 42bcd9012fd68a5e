//! The data types that search tells apart.

/// The type of an element, as far as extraction treats types differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum ElementType {
    Address,
    Boolean,
    Canonical,
    /// `code` and `id`.
    Code,
    CodeableConcept,
    Coding,
    ContactPoint,
    /// `date`, `dateTime`, `instant`.
    Date,
    Extension,
    HumanName,
    Identifier,
    Money,
    /// `decimal`, `integer`, `positiveInt`, `unsignedInt`.
    Number,
    Period,
    /// `Quantity` and its profiles.
    Quantity,
    Range,
    Reference,
    Resource,
    SampledData,
    /// `string` and `markdown`.
    String,
    Timing,
    /// `uri`, `url`, `oid`, `uuid`.
    Uri,
    /// Whatever no search parameter has values of.
    Other,
}

impl ElementType {
    /// The type of this name.
    pub(crate) fn of(name: &str) -> Self {
        match name {
            "Address" => Self::Address,
            "boolean" => Self::Boolean,
            "canonical" => Self::Canonical,
            "code" | "id" => Self::Code,
            "CodeableConcept" => Self::CodeableConcept,
            "Coding" => Self::Coding,
            "ContactPoint" => Self::ContactPoint,
            "date" | "dateTime" | "instant" => Self::Date,
            "Extension" => Self::Extension,
            "HumanName" => Self::HumanName,
            "Identifier" => Self::Identifier,
            "Money" => Self::Money,
            "decimal" | "integer" | "positiveInt" | "unsignedInt" => Self::Number,
            "Period" => Self::Period,
            "Quantity" | "Age" | "Count" | "Distance" | "Duration" | "SimpleQuantity" | "MoneyQuantity" => Self::Quantity,
            "Range" => Self::Range,
            "Reference" => Self::Reference,
            "Resource" => Self::Resource,
            "SampledData" => Self::SampledData,
            "string" | "markdown" => Self::String,
            "Timing" => Self::Timing,
            "uri" | "url" | "oid" | "uuid" => Self::Uri,
            _ => Self::Other,
        }
    }

    /// The type behind the suffix of a choice element, such as `CodeableConcept` in `valueCodeableConcept` or `DateTime` in `valueDateTime`.
    pub(crate) fn of_suffix(suffix: &str) -> Self {
        let mut letters = suffix.chars();
        let Some(first) = letters.next().filter(char::is_ascii_uppercase) else { return Self::Other };
        match Self::of(suffix) {
            Self::Other => Self::of(&format!("{}{}", first.to_ascii_lowercase(), letters.as_str())),
            found => found,
        }
    }
}

/// The name of the member that holds a choice element with a value of a type: `value`, `dateTime` give `valueDateTime`.
pub(crate) fn choice_member(element: &str, type_name: &str) -> String {
    let mut letters = type_name.chars();
    let first = letters.next().map(|c| c.to_ascii_uppercase());
    element.chars().chain(first).chain(letters).collect()
}
