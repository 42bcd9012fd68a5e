//! How the caller wants the answer: `Prefer`, `Accept`, `_format`, `_pretty`, `_summary`, `_elements`.

use super::{Problem, Refusal, Rendering, Return, Summary, has_value};

/// Reads the `Prefer` headers (RFC 7240): `return=`, and whether `handling=lenient`. The first of a name counts; unknown ones are ignored.
pub fn prefer<'h>(headers: impl IntoIterator<Item = &'h str>) -> (Option<Return>, bool) {
    let (mut wanted, mut lenient) = (None, None);
    for preference in headers.into_iter().flat_map(|header| header.split([',', ';'])) {
        let (name, value) = preference.split_once('=').unwrap_or((preference, ""));
        let value = value.trim().trim_matches('"');
        match name.trim().to_ascii_lowercase().as_str() {
            "return" if wanted.is_none() => wanted = returned(value),
            "handling" if lenient.is_none() => lenient = Some(value.eq_ignore_ascii_case("lenient")),
            _ => {}
        }
    }
    (wanted, lenient.unwrap_or(false))
}

fn returned(value: &str) -> Option<Return> {
    match value.to_ascii_lowercase().as_str() {
        "representation" => Some(Return::Representation),
        "minimal" => Some(Return::Minimal),
        "operationoutcome" => Some(Return::OperationOutcome),
        _ => None,
    }
}

/// Reads the parameters of a rendering out of decoded pairs; other parameters are left to others.
///
/// # Errors
/// [`Refusal::NotAcceptable`] for a `_format` that is not JSON; [`Refusal::Invalid`] for any other value that R4 does not know, and for
/// `_summary` together with `_elements`, whose combination R4 leaves open.
pub fn rendering(pairs: &[(String, String)]) -> Result<Rendering, Refusal> {
    let mut rendering = Rendering::default();
    let mut problems = Vec::new();
    let mut format = None;
    for (name, value) in pairs.iter().filter(|pair| has_value(pair)) {
        match name.as_str() {
            "_format" => format = Some(value.as_str()),
            "_pretty" => match value.as_str() {
                "true" => rendering.pretty = true,
                "false" => rendering.pretty = false,
                _ => problems.push(Problem::of("value", "`_pretty` is `true` or `false`.")),
            },
            "_summary" => match summary(value) {
                Ok(summary) => rendering.summary = summary,
                Err(problem) => problems.push(problem),
            },
            "_elements" => match elements(value) {
                Some(names) => rendering.elements.extend(names),
                None => problems.push(Problem::of("value", "`_elements` lists names of elements, with commas between them.")),
            },
            _ => {}
        }
    }
    if rendering.summary.is_some() && !rendering.elements.is_empty() {
        problems.push(Problem::of("invalid", "`_summary` and `_elements` exclude each other; use one."));
    }
    match format {
        Some(format) if !is_json(format) => Err(Refusal::NotAcceptable),
        _ if problems.is_empty() => Ok(rendering),
        _ => Err(Refusal::Invalid(problems)),
    }
}

fn summary(value: &str) -> Result<Option<Summary>, Problem> {
    match value {
        "true" => Ok(Some(Summary::True)),
        "text" => Ok(Some(Summary::Text)),
        "data" => Ok(Some(Summary::Data)),
        "count" => Ok(Some(Summary::Count)),
        "false" => Ok(None),
        _ => Err(Problem::of("value", "`_summary` is one of `true`, `text`, `data`, `count` and `false`.")),
    }
}

/// The names, each a plain element name; a choice may be written with its `[x]`.
fn elements(value: &str) -> Option<Vec<String>> {
    let name = |name: &str| {
        let name = name.trim().trim_end_matches("[x]");
        (!name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric())).then(|| name.to_owned())
    };
    value.split(',').map(name).collect()
}

/// Whether a `_format` means JSON. A `+` that was not escaped arrives as a space.
fn is_json(format: &str) -> bool {
    let kind = format.split(';').next().unwrap_or("").trim().to_ascii_lowercase().replace(' ', "+");
    matches!(kind.as_str(), "json" | "application/json" | "application/fhir+json" | "application/json+fhir" | "text/json")
}

/// Whether `Accept` lets the answer be `application/fhir+json`, or `application/json`, which is the same text (RFC 9110 § 12.5.1).
pub fn accepts_json(accept: &str) -> bool {
    let mut ranges = accept.split(',').filter(|range| !range.trim().is_empty()).peekable();
    if ranges.peek().is_none() {
        return true;
    }
    let ranges: Vec<Range> = ranges.map(Range::read).collect();
    ["application/fhir+json", "application/json", "application/json+fhir", "text/json"].into_iter().any(|kind| {
        let nearest = ranges.iter().filter_map(|range| Some((range.nearness(kind)?, range.wanted))).max();
        nearest.is_some_and(|(_, wanted)| wanted)
    })
}

/// One media range of `Accept`.
struct Range {
    /// In lower case, such as `application/*`.
    kind: String,
    /// Whether its weight is above zero.
    wanted: bool,
}

impl Range {
    fn read(text: &str) -> Self {
        let mut parts = text.split(';').map(str::trim);
        let kind = parts.next().unwrap_or("").to_ascii_lowercase();
        let mut wanted = true;
        for (name, value) in parts.filter_map(|part| part.split_once('=')) {
            let value = value.trim().trim_matches('"');
            match name.trim().to_ascii_lowercase().as_str() {
                "q" => wanted &= value.parse::<f32>().is_ok_and(|weight| weight > 0.0),
                // R4 names publication and major version; some clients name the whole.
                "fhirversion" => wanted &= value == "4.0" || value.starts_with("4.0."),
                _ => {}
            }
        }
        Self { kind, wanted }
    }

    /// How exactly it names a media type; `None` when it does not.
    fn nearness(&self, kind: &str) -> Option<u8> {
        match self.kind.as_str() {
            exact if exact == kind => Some(2),
            "*/*" | "*" => Some(0),
            range => {
                let main = range.strip_suffix("/*")?;
                kind.strip_prefix(main)?.starts_with('/').then_some(1)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{accepts_json, prefer, rendering};
    use crate::fhir::{Refusal, Rendering, Return, Summary};

    fn read(pairs: &[(&str, &str)]) -> Result<Rendering, Refusal> {
        let pairs: Vec<_> = pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        rendering(&pairs)
    }

    #[test]
    fn preferences_are_found_among_others() {
        assert_eq!(prefer(["return=minimal"]), (Some(Return::Minimal), false));
        assert_eq!(
            prefer(["respond-async, Return=\"OperationOutcome\"; x=y", "handling=lenient"]),
            (Some(Return::OperationOutcome), true)
        );
        assert_eq!(prefer(["return=representation, return=minimal"]), (Some(Return::Representation), false));
        assert_eq!(prefer(["return=nothing", "handling=strict, handling=lenient"]), (None, false));
        assert_eq!(prefer([]), (None, false));
    }

    #[test]
    fn a_rendering_is_read_from_its_parameters() {
        let found =
            read(&[("_format", "application/fhir json"), ("_pretty", "true"), ("name", "x"), ("_elements", "value[x], status")]);
        let expected = Rendering { pretty: true, elements: vec!["value".into(), "status".into()], ..Rendering::default() };
        assert_eq!(found, Ok(expected));
        assert_eq!(read(&[("_summary", "data")]).unwrap().summary, Some(Summary::Data));
        assert_eq!(read(&[("_summary", "false")]), Ok(Rendering::default()));
    }

    #[test]
    fn other_formats_are_not_acceptable() {
        for format in ["xml", "application/fhir+xml", "ttl", "html", "application/xml;q=1"] {
            assert_eq!(read(&[("_format", format)]), Err(Refusal::NotAcceptable), "{format}");
        }
        for format in ["json", "application/json", "application/fhir+json; fhirVersion=4.0", "text/json", ""] {
            assert!(read(&[("_format", format)]).is_ok(), "{format}");
        }
    }

    #[test]
    fn values_that_r4_does_not_know_are_invalid() {
        for pairs in [
            vec![("_pretty", "yes")],
            vec![("_summary", "all")],
            vec![("_elements", "a,,b")],
            vec![("_elements", "a b")],
            vec![("_summary", "true"), ("_elements", "id")],
        ] {
            assert!(matches!(read(&pairs), Err(Refusal::Invalid(_))), "{pairs:?}");
        }
    }

    #[test]
    fn accept_is_weighed_by_the_nearest_range() {
        let good = [
            "",
            "*/*",
            "application/fhir+json",
            "application/json;q=0.1, text/html",
            "text/html, application/*;q=0.5",
            "application/fhir+xml, application/fhir+json;q=0.9",
            "application/fhir+json; fhirVersion=4.0",
            "application/fhir+json; fhirVersion=4.0.1",
            "Application/FHIR+JSON",
            "text/xml, */*;q=0.001",
        ];
        let bad = [
            "application/fhir+xml",
            "text/html",
            "application/fhir+json;q=0",
            "*/*;q=0",
            "application/*;q=0.0, text/html",
            "application/fhir+json;fhirVersion=3.0",
            "application/fhir+json;fhirVersion=4.3",
            "application/jsonx",
            "application/fhir+json;q=zero",
        ];
        for accept in good {
            assert!(accepts_json(accept), "{accept}");
        }
        for accept in bad {
            assert!(!accepts_json(accept), "{accept}");
        }
    }
}
