//! The compact form of a signed token (RFC 7515 § 7.1), taken apart strictly and with no trust yet.

use super::algorithm::Algorithm;
use crate::fhir::json::{Document, Kind};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

/// The longest token that is looked at, in bytes.
pub const LONGEST_TOKEN: usize = 16 * 1024;

/// A token taken apart. Nothing in it has been verified.
#[derive(Debug)]
pub struct Jws<'t> {
    /// The header.
    pub header: Header,
    /// The payload's bytes.
    pub payload: Vec<u8>,
    /// What the signature was made over.
    pub(super) signed: &'t str,
    /// The signature.
    pub(super) signature: Vec<u8>,
}

/// The members of a header that mean something here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// `alg`
    pub algorithm: Algorithm,
    /// `kid`
    pub key_id: Option<String>,
    /// `typ`, in lower case, without the prefix `application/` (RFC 7515 § 4.1.9).
    pub media_type: Option<String>,
    /// `jku`: never fetched, only compared with what is configured.
    pub key_url: Option<String>,
}

impl<'t> Jws<'t> {
    /// Takes a token apart: exactly three parts of unpadded base64url without stray bits, the header strict JSON.
    ///
    /// # Errors
    /// One word on what is wrong: `size`, `malformed`, `algorithm`, or `header`.
    pub fn parse(token: &'t str) -> Result<Self, &'static str> {
        if token.len() > LONGEST_TOKEN {
            return Err("size");
        }
        let (signed, signature) = token.rsplit_once('.').ok_or("malformed")?;
        let (header, payload) = signed.split_once('.').ok_or("malformed")?;
        if header.is_empty() || signature.is_empty() || payload.contains('.') {
            return Err("malformed");
        }
        let document = Document::parse(&decoded(header)?).map_err(|_| "malformed")?;
        Self::of(signed, &document, payload, signature, &[])
    }

    fn of(signed: &'t str, header: &Document, payload: &str, signature: &str, tolerated: &[&str]) -> Result<Self, &'static str> {
        let header = Header::read(header, tolerated)?;
        Ok(Self { header, payload: decoded(payload)?, signed, signature: decoded(signature)? })
    }

    /// Takes a token apart whose header carries the key that it is signed with (`jwk`), as proofs of possession do (RFC 9449 § 4.2).
    /// Gives the key as it stands there. That it is the right key is for the caller to say.
    ///
    /// # Errors
    /// As [`Jws::parse`].
    pub fn carrying_key(token: &'t str) -> Result<(Self, String), &'static str> {
        Self::carrying(token, "jwk", |value| Some(value.raw().to_owned()))
    }

    /// Takes a token apart whose header carries the certificates of its signer (`x5c`, RFC 7515 § 4.1.6): DER, the signer's own first.
    /// That the chain leads anywhere is for the caller to say.
    ///
    /// # Errors
    /// As [`Jws::parse`].
    pub fn carrying_certificates(token: &'t str) -> Result<(Self, Vec<Vec<u8>>), &'static str> {
        Self::carrying(token, "x5c", |value| {
            let one = |item: crate::fhir::json::Element<'_>| STANDARD.decode(item.as_str()?.as_bytes()).ok();
            let chain: Option<Vec<_>> = value.items().take(LONGEST_CHAIN + 1).map(one).collect();
            chain.filter(|chain| (1..=LONGEST_CHAIN).contains(&chain.len()))
        })
    }

    fn carrying<T>(
        token: &'t str,
        name: &str,
        read: impl FnOnce(crate::fhir::json::Element<'_>) -> Option<T>,
    ) -> Result<(Self, T), &'static str> {
        if token.len() > LONGEST_TOKEN {
            return Err("size");
        }
        let (signed, signature) = token.rsplit_once('.').ok_or("malformed")?;
        let (header, payload) = signed.split_once('.').ok_or("malformed")?;
        let document = Document::parse(&decoded(header)?).map_err(|_| "malformed")?;
        let carried = document.root().get(name).and_then(read).ok_or("header")?;
        Ok((Self::of(signed, &document, payload, signature, &[name])?, carried))
    }
}

/// The most certificates that a header may carry.
const LONGEST_CHAIN: usize = 6;

fn decoded(text: &str) -> Result<Vec<u8>, &'static str> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| "malformed")
}

impl Header {
    /// A header that carries a key, the address of a certificate, or an extension that must be understood is refused:
    /// none of them may say how the token is to be verified.
    fn read(document: &Document, tolerated: &[&str]) -> Result<Self, &'static str> {
        let root = document.root();
        if root.kind() != Kind::Object {
            return Err("malformed");
        }
        let foreign = |name: &&str| !tolerated.contains(name) && root.get(name).is_some();
        if ["crit", "jwk", "x5u", "b64", "enc", "zip"].iter().any(foreign) {
            return Err("header");
        }
        let text = |name: &str| match root.get(name) {
            None => Ok(None),
            Some(value) => value.as_str().map(|text| Some(text.into_owned())).ok_or("header"),
        };
        let algorithm = text("alg")?.and_then(|name| Algorithm::parse(&name)).ok_or("algorithm")?;
        let media_type = text("typ")?.map(|name| {
            let lower = name.to_ascii_lowercase();
            lower.strip_prefix("application/").map(str::to_owned).unwrap_or(lower)
        });
        Ok(Self { algorithm, key_id: text("kid")?, media_type, key_url: text("jku")? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(header: &str) -> String {
        format!("{}.{}.AAAA", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode("{}"))
    }

    #[test]
    fn a_header_that_brings_its_own_key_or_asks_for_extensions_is_refused() {
        for member in
            ["\"jwk\":{}", "\"x5u\":\"https://a\"", "\"crit\":[]", "\"crit\":[\"exp\"]", "\"b64\":false", "\"zip\":\"DEF\""]
        {
            assert_eq!(Jws::parse(&token(&format!("{{\"alg\":\"ES256\",{member}}}"))).unwrap_err(), "header", "{member}");
        }
    }

    #[test]
    fn a_member_of_the_wrong_type_or_present_twice_is_refused() {
        assert_eq!(Jws::parse(&token(r#"{"alg":"ES256","kid":7}"#)).unwrap_err(), "header");
        assert_eq!(Jws::parse(&token(r#"{"alg":"ES256","typ":null}"#)).unwrap_err(), "header");
        assert_eq!(Jws::parse(&token(r#"{"alg":"none","alg":"ES256"}"#)).unwrap_err(), "malformed");
        assert_eq!(Jws::parse(&token(r#"["ES256"]"#)).unwrap_err(), "malformed");
        assert_eq!(Jws::parse(&token("{}")).unwrap_err(), "algorithm");
    }

    #[test]
    fn base64_is_read_to_the_letter() {
        let good = token(r#"{"alg":"ES256","typ":"application/AT+JWT"}"#);
        assert_eq!(Jws::parse(&good).unwrap().header.media_type.as_deref(), Some("at+jwt"));
        for bad in [format!("{good}="), format!(" {good}"), good.replace('.', ".="), format!("{good}.AAAA"), format!("{good}B")] {
            assert_eq!(Jws::parse(&bad).unwrap_err(), "malformed", "{bad}");
        }
        assert_eq!(Jws::parse(&"a".repeat(LONGEST_TOKEN + 1)).unwrap_err(), "size");
    }

    proptest::proptest! {
        #[test]
        fn whatever_comes_is_taken_apart_or_refused(text in "\\PC{0,80}", header in "\\PC{0,40}", payload in "\\PC{0,40}") {
            let _ = Jws::parse(&text);
            let built = format!("{}.{}.AAAA", URL_SAFE_NO_PAD.encode(&header), URL_SAFE_NO_PAD.encode(&payload));
            if let Ok(jws) = Jws::parse(&built) {
                proptest::prop_assert_eq!(jws.payload, payload.as_bytes());
            }
        }
    }
}
