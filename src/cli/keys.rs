//! Key pairs for clients, as JWK.

use super::screen::Failure;
use aws_lc_rs::encoding::AsBigEndian;
use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// Bytes of a coordinate of P-384.
const COORDINATE: usize = 48;

/// A private key for ES384 and its public half, both as JWK.
///
/// # Errors
/// When the system has no random numbers.
pub(super) fn es384(kid: &str) -> Result<(Value, Value), Failure> {
    let failed = || Failure::Failed("no key could be made".to_owned());
    let pair = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).map_err(|_| failed())?;
    let secret = pair.private_key().as_be_bytes().map_err(|_| failed())?;
    // The point in uncompressed form: 4, x, y.
    let point = pair.public_key().as_ref().split_first().filter(|(form, _)| **form == 4).map(|(_, point)| point);
    let (x, y) = point.and_then(|point| point.split_at_checked(COORDINATE)).ok_or_else(failed)?;
    let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let public = json!({ "kty": "EC", "crv": "P-384", "kid": kid, "alg": "ES384", "use": "sig", "x": text(x), "y": text(y) });
    let mut private = public.clone();
    if let Some(members) = private.as_object_mut() {
        members.insert("d".to_owned(), text(secret.as_ref()).into());
    }
    Ok((private, public))
}

#[cfg(test)]
mod tests {
    use super::es384;

    #[test]
    fn the_public_half_is_a_jwk_without_the_secret() {
        let (private, public) = es384("k1").unwrap();
        assert!(public.get("d").is_none());
        let length = |member: &str| private[member].as_str().unwrap().len();
        assert_eq!((length("x"), length("y"), length("d")), (64, 64, 64));
        let key: jsonwebtoken::jwk::Jwk = serde_json::from_value(public).unwrap();
        jsonwebtoken::DecodingKey::from_jwk(&key).unwrap();
    }
}
