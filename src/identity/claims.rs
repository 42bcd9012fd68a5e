//! The claims of a verified token: each of the right type and in bounds, or the token is refused.

use crate::fhir::json::{Document, Element, Kind};
use crate::fhir::{Id, Instant};
use std::borrow::Cow;

/// The claims of a token, strict JSON. Whoever holds one still has to verify the signature.
#[derive(Debug)]
pub struct Claims(Document);

impl Claims {
    /// Reads a payload: one JSON object, no member twice.
    ///
    /// # Errors
    /// `malformed`
    pub fn parse(payload: &[u8]) -> Result<Self, &'static str> {
        let document = Document::parse(payload).map_err(|_| "malformed")?;
        if document.root().kind() != Kind::Object {
            return Err("malformed");
        }
        Ok(Self(document))
    }

    /// The value of a claim.
    pub fn get(&self, name: &str) -> Option<Element<'_>> {
        self.0.root().get(name)
    }

    /// A claim that must be a text where it is present.
    ///
    /// # Errors
    /// `fault` when it is something else.
    pub fn text(&self, name: &str, fault: &'static str) -> Result<Option<Cow<'_, str>>, &'static str> {
        self.get(name).map(|value| value.as_str().ok_or(fault)).transpose()
    }

    /// A claim that must be a text that is not empty.
    ///
    /// # Errors
    /// `fault` when it is absent or something else.
    pub fn required(&self, name: &str, fault: &'static str) -> Result<Cow<'_, str>, &'static str> {
        self.text(name, fault)?.filter(|text| !text.is_empty()).ok_or(fault)
    }

    /// A claim that must be a logical id where it is present.
    ///
    /// # Errors
    /// `fault` when it is something else.
    pub fn id(&self, name: &str, fault: &'static str) -> Result<Option<Id>, &'static str> {
        self.text(name, fault)?.map(|text| Id::parse(&text).ok_or(fault)).transpose()
    }

    /// Does `aud` name one of these, byte for byte? It is a text or an array of texts (RFC 7519 § 4.1.3).
    ///
    /// # Errors
    /// `audience`
    pub fn is_for(&self, ours: &[impl AsRef<str>]) -> Result<(), &'static str> {
        let claim = self.get("aud").ok_or("audience")?;
        let named: Option<Vec<_>> = claim.flattened().map(Element::as_str).collect();
        let named = named.ok_or("audience")?;
        let one_of_ours = |name: &Cow<'_, str>| ours.iter().any(|our| our.as_ref() == *name);
        named.iter().any(one_of_ours).then_some(()).ok_or("audience")
    }

    /// When the token ends. `exp` must be there and lie in the future; `nbf` and `iat`, where present, may not. The leeway,
    /// in seconds, is added in the token's favour.
    ///
    /// # Errors
    /// `expiry`, `expired`, `not-before` or `issued-at`
    pub fn in_force(&self, now: Instant, leeway: u32) -> Result<Instant, &'static str> {
        let expires = self.moment("exp", "expiry")?.ok_or("expiry")?;
        let leeway = i64::from(leeway);
        if now >= expires.plus_seconds(leeway) {
            return Err("expired");
        }
        for (name, fault) in [("nbf", "not-before"), ("iat", "issued-at")] {
            if self.moment(name, fault)?.is_some_and(|moment| moment > now.plus_seconds(leeway)) {
                return Err(fault);
            }
        }
        Ok(expires)
    }

    /// A `NumericDate` (RFC 7519 § 2): a finite number of seconds, fractions allowed, before the year 10000.
    ///
    /// # Errors
    /// `fault` when it is something else.
    pub fn moment(&self, name: &str, fault: &'static str) -> Result<Option<Instant>, &'static str> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let seconds: f64 = value.number_text().and_then(|text| text.parse().ok()).ok_or(fault)?;
        if !(0.0..253_402_300_800.0).contains(&seconds) {
            return Err(fault);
        }
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the range was checked, and a fraction of a millisecond does not matter"
        )]
        let millis = (seconds * 1000.0) as i64;
        Ok(Some(Instant(millis)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Instant = Instant(1_800_000_000_000);

    fn in_force(claims: &str) -> Result<Instant, &'static str> {
        Claims::parse(claims.as_bytes())?.in_force(NOW, 30)
    }

    #[test]
    fn times_are_numbers_and_the_leeway_is_to_the_second() {
        assert_eq!(in_force(r#"{"exp":1800000300}"#), Ok(NOW.plus_seconds(300)));
        assert_eq!(in_force(r#"{"exp":1.8000003e9}"#), Ok(NOW.plus_seconds(300)));
        assert_eq!(in_force(r#"{"exp":1799999970.5}"#), Ok(Instant(1_799_999_970_500)));
        for (claims, fault) in [
            (r#"{"exp":1799999970}"#, "expired"),
            ("{}", "expiry"),
            (r#"{"exp":"1800000300"}"#, "expiry"),
            (r#"{"exp":null}"#, "expiry"),
            (r#"{"exp":1e400}"#, "expiry"),
            (r#"{"exp":-1}"#, "expiry"),
            (r#"{"exp":99999999999999999999}"#, "expiry"),
            (r#"{"exp":[1800000300]}"#, "expiry"),
            (r#"{"exp":1800000300,"nbf":1800003600}"#, "not-before"),
            (r#"{"exp":1800000300,"nbf":"+1h"}"#, "not-before"),
            (r#"{"exp":1800000300,"iat":1800086400}"#, "issued-at"),
            (r#"{"exp":1800000300,"iat":true}"#, "issued-at"),
            (r#"{"exp":1800000300,"exp":1800000300}"#, "malformed"),
        ] {
            assert_eq!(in_force(claims), Err(fault), "{claims}");
        }
        assert!(in_force(r#"{"exp":1800000300,"nbf":1800000030,"iat":1800000030}"#).is_ok());
    }

    #[test]
    fn an_audience_is_equal_to_the_byte() {
        let is_for = |aud: &str| Claims::parse(format!("{{\"aud\":{aud}}}").as_bytes()).unwrap().is_for(&["https://a/fhir"]);
        assert_eq!(is_for("\"https://a/fhir\""), Ok(()));
        assert_eq!(is_for("[\"https://b\",\"https://a/fhir\"]"), Ok(()));
        for wrong in
            ["\"https://a/fhir/\"", "\"https://a\"", "\"https://A/fhir\"", "[]", "\"\"", "null", "[\"https://a/fhir\",1]", "{}"]
        {
            assert_eq!(is_for(wrong), Err("audience"), "{wrong}");
        }
    }
}
