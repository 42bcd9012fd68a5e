//! Which place of the server a path names, judged once, on the raw path.

use crate::config::BaseUrl;
use crate::fhir::{ResourceType, methods};

/// A place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place<'a> {
    /// Below the FHIR base: the rest, without leading slash, still escaped.
    Fhir(&'a str),
    /// `[base]/.well-known/smart-configuration`
    SmartConfiguration,
    /// `/.well-known/jwks.json`
    Jwks,
    /// `/token`
    Token,
    /// Nothing is there.
    Nowhere,
}

impl<'a> Place<'a> {
    /// The place of a raw path.
    pub(super) fn of(path: &'a str, base: &BaseUrl) -> Self {
        match path {
            "/token" => return Self::Token,
            "/.well-known/jwks.json" => return Self::Jwks,
            _ => {}
        }
        let Some(rest) = path.strip_prefix(base.path()) else { return Self::Nowhere };
        match rest.strip_prefix('/') {
            Some(".well-known/smart-configuration") => Self::SmartConfiguration,
            Some(rest) => Self::Fhir(rest),
            None if rest.is_empty() => Self::Fhir(""),
            None => Self::Nowhere,
        }
    }

    /// Methods that exist here, for `Allow`.
    pub(super) fn methods(self) -> &'static str {
        match self {
            Self::Fhir(path) => methods(path),
            Self::SmartConfiguration | Self::Jwks | Self::Nowhere => "GET, HEAD, OPTIONS",
            Self::Token => "POST, OPTIONS",
        }
    }

    /// Whether every origin may read it without credentials.
    pub(super) fn is_open(self) -> bool {
        matches!(self, Self::SmartConfiguration | Self::Jwks | Self::Fhir("metadata"))
    }

    /// The shape of the path: a bounded set of names, without ids.
    pub(super) fn template(self) -> &'static str {
        match self {
            Self::Fhir(path) => fhir_template(path),
            Self::SmartConfiguration => "/.well-known/smart-configuration",
            Self::Jwks => "/.well-known/jwks.json",
            Self::Token => "/token",
            Self::Nowhere => "nowhere",
        }
    }

    /// The type that a FHIR path begins with, when it looks like one.
    pub(super) fn resource_type(self) -> Option<&'static str> {
        let Self::Fhir(path) = self else { return None };
        path.split('/').next().and_then(ResourceType::parse).map(ResourceType::name)
    }
}

fn fhir_template(path: &str) -> &'static str {
    let mut segments = path.trim_end_matches('/').split('/');
    match [segments.next(), segments.next(), segments.next(), segments.next(), segments.next()] {
        [Some(""), None, ..] => "{base}",
        [Some("metadata"), None, ..] => "metadata",
        [Some("_history"), None, ..] => "_history",
        [Some("_search"), None, ..] => "_search",
        [Some(_), None, ..] => "{type}",
        [Some(_), Some("_search"), None, ..] => "{type}/_search",
        [Some(_), Some("_history"), None, ..] => "{type}/_history",
        [Some(_), Some(_), None, ..] => "{type}/{id}",
        [Some(_), Some(_), Some("_history"), None, _] => "{type}/{id}/_history",
        [Some(_), Some(_), Some("_history"), Some(_), None] => "{type}/{id}/_history/{version}",
        [Some(_), Some(_), Some(_), None, _] => "{type}/{id}/{type}",
        [Some(_), Some(_), Some(_), Some("_search"), None] => "{type}/{id}/{type}/_search",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::Place;
    use crate::config::BaseUrl;

    #[test]
    fn a_path_is_one_place_and_only_its_raw_form_counts() {
        let base = BaseUrl::parse("https://fhir.example/r4/fhir").unwrap();
        for (path, place) in [
            ("/r4/fhir/Patient/p1", Place::Fhir("Patient/p1")),
            ("/r4/fhir", Place::Fhir("")),
            ("/r4/fhir/", Place::Fhir("")),
            ("/r4/fhir/metadata", Place::Fhir("metadata")),
            ("/r4/fhir/.well-known/smart-configuration", Place::SmartConfiguration),
            ("/.well-known/smart-configuration", Place::Nowhere),
            ("/r4/fhirx/Patient", Place::Nowhere),
            ("/r4/%66hir/Patient", Place::Nowhere),
            ("//r4/fhir/Patient", Place::Nowhere),
            ("/token", Place::Token),
            ("/token/", Place::Nowhere),
        ] {
            assert_eq!(Place::of(path, &base), place, "{path}");
        }
    }

    #[test]
    fn a_template_never_holds_an_id() {
        for (path, template) in [
            ("Patient/p1", "{type}/{id}"),
            ("Patient/p1/_history/3", "{type}/{id}/_history/{version}"),
            ("Patient/p1/Observation", "{type}/{id}/{type}"),
            ("", "{base}"),
            ("a/b/c/d/e/f", "other"),
        ] {
            assert_eq!(Place::Fhir(path).template(), template);
        }
        assert_eq!(Place::Fhir("Patient/p1").resource_type(), Some("Patient"));
        assert_eq!(Place::Fhir("Ahmed/p1").resource_type(), None);
    }
}
