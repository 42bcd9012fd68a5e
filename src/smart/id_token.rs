//! The claims of an `id_token` (OpenID Connect Core § 2; SMART App Launch 2.2, "Scopes for requesting identity data").

use super::authorization::Authorization;
use super::client::LONGEST_TOKEN_LIFE;
use crate::fhir::Instant;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// What the app is told about who signed in. `issuer` is also the FHIR base, below which the user's own record lies.
pub(super) fn claims(authorization: &Authorization, issuer: &str, access_token: &str, now: Instant) -> Value {
    let mut claims = json!({
        "iss": issuer,
        "sub": authorization.subject,
        "aud": authorization.client,
        "iat": now.seconds(),
        "exp": now.seconds() + i64::from(LONGEST_TOKEN_LIFE),
        "auth_time": authorization.sign_in.at.div_euclid(1000),
        "acr": authorization.sign_in.acr,
        "amr": authorization.sign_in.amr,
        "sid": authorization.session,
        "at_hash": at_hash(access_token),
    });
    if let Some(claims) = claims.as_object_mut() {
        if let Some(nonce) = &authorization.nonce {
            claims.insert("nonce".to_owned(), json!(nonce));
        }
        if authorization.has("fhirUser") || authorization.has("profile") {
            let user = format!("{issuer}/{}", authorization.user);
            claims.insert("fhirUser".to_owned(), json!(user));
            claims.insert("profile".to_owned(), json!(user));
        }
        if authorization.has("profile") {
            claims.insert("name".to_owned(), json!(authorization.name));
        }
    }
    claims
}

/// The left half of the hash of the access token (OpenID Connect Core § 3.1.3.6, for RS256).
fn at_hash(access_token: &str) -> String {
    let hash = digest(&SHA256, access_token.as_bytes());
    URL_SAFE_NO_PAD.encode(hash.as_ref().get(..16).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_hash_of_an_access_token_is_that_of_openid_connect() {
        // OpenID Connect Core, appendix A.3.
        assert_eq!(super::at_hash("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"), "77QmUPtjPfzWtF2AnpK9RQ");
    }
}
