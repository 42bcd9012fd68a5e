//! Where an access token may stand: in the `Authorization` header, once (RFC 6750 § 2.1), and nowhere else.

use super::jws::LONGEST_TOKEN;
use crate::fhir::Refusal;

/// The token of an `Authorization` header.
///
/// # Errors
/// [`Refusal::TokenMissing`] without a header or for another scheme, [`Refusal::TokenInvalid`] for what is no token.
pub fn token(authorization: Option<&str>) -> Result<&str, Refusal> {
    match presented(authorization)? {
        (Scheme::Bearer, token) => Ok(token),
        (Scheme::Bound, _) => Err(Refusal::TokenMissing),
    }
}

/// How a token is presented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    /// Whoever holds it may use it, or whoever has the certificate that it is bound to (RFC 6750, RFC 8705).
    Bearer,
    /// Whoever proves to have the key that it is bound to (`DPoP`, RFC 9449 § 7.1).
    Bound,
}

/// The token of an `Authorization` header, and under which scheme it stands there.
///
/// # Errors
/// As [`token`].
pub(super) fn presented(authorization: Option<&str>) -> Result<(Scheme, &str), Refusal> {
    let value = authorization.ok_or(Refusal::TokenMissing)?;
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    let scheme = if scheme.eq_ignore_ascii_case("bearer") {
        Scheme::Bearer
    } else if scheme.eq_ignore_ascii_case("dpop") {
        Scheme::Bound
    } else {
        return Err(Refusal::TokenMissing);
    };
    if token.len() > LONGEST_TOKEN {
        return Err(Refusal::TokenInvalid("size"));
    }
    // Looked at to the end, whatever is found: so the compiler can take many characters at once.
    if token.is_empty() || !token.bytes().fold(true, |legal, byte| legal & is_legal(byte)) {
        return Err(Refusal::TokenInvalid("malformed"));
    }
    Ok((scheme, token))
}

/// A character of `b64token`, by few ranges: every request has some hundreds of them to judge.
const fn is_legal(byte: u8) -> bool {
    // `-`, `.` and `/` stand before the digits.
    matches!(byte, b'+' | b'-'..=b'9' | b'=' | b'A'..=b'Z' | b'_' | b'a'..=b'z' | b'~')
}

/// Refuses a token that came in the query or in a form: URLs end up in logs and histories.
///
/// # Errors
/// [`Refusal::TokenMisplaced`]
pub fn no_token_in(parameters: &[(String, String)]) -> Result<(), Refusal> {
    let named = |name: &str| name.eq_ignore_ascii_case("access_token");
    if parameters.iter().any(|(name, _)| named(name)) { Err(Refusal::TokenMisplaced) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_well_formed_bearer_token_is_taken() {
        assert_eq!(token(Some("Bearer a.b-c_d~e+f/g=")), Ok("a.b-c_d~e+f/g="));
        assert_eq!(token(Some("bEaReR abc")), Ok("abc"));
        for missing in [None, Some("Basic YTpi"), Some("abc"), Some(""), Some("DPoP abc")] {
            assert_eq!(token(missing), Err(Refusal::TokenMissing), "{missing:?}");
        }
        for wrong in ["Bearer", "Bearer ", "Bearer  abc", "Bearer abc def", "Bearer abc,Bearer def", "Bearer a\tb", "Bearer ä"] {
            assert_eq!(token(Some(wrong)), Err(Refusal::TokenInvalid("malformed")), "{wrong}");
        }
        let long = format!("Bearer {}", "a".repeat(LONGEST_TOKEN + 1));
        assert_eq!(token(Some(&long)), Err(Refusal::TokenInvalid("size")));
    }

    #[test]
    fn legal_are_the_characters_of_rfc_6750_alone() {
        for byte in 0..=u8::MAX {
            assert_eq!(is_legal(byte), byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte), "{byte}");
        }
    }

    #[test]
    fn a_token_in_the_query_or_a_form_is_misplaced() {
        let pair = |name: &str| vec![("_id".to_owned(), "1".to_owned()), (name.to_owned(), "t".to_owned())];
        assert_eq!(no_token_in(&pair("access_token")), Err(Refusal::TokenMisplaced));
        assert_eq!(no_token_in(&pair("Access_Token")), Err(Refusal::TokenMisplaced));
        assert_eq!(no_token_in(&pair("code")), Ok(()));
    }
}
