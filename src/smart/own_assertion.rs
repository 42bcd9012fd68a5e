//! The gateway as a client of somebody else's token endpoint (SMART Backend Services).

use super::keys::KeyFault;
use super::own_key::OwnKey;
use crate::fhir::Instant;
use serde_json::json;

/// Seconds that an assertion of the gateway's own lives.
const LIFE: i64 = 120;

/// A signed assertion of this client for this token endpoint (RFC 7523). Each has an id of its own.
///
/// # Errors
/// [`KeyFault::Sign`]
pub fn own_assertion(key: &OwnKey, client: &str, token_url: &str, now: Instant) -> Result<String, KeyFault> {
    let seconds = now.seconds();
    let claims = json!({
        "iss": client, "sub": client, "aud": token_url, "jti": uuid::Uuid::new_v4().to_string(),
        "iat": seconds, "exp": seconds + LIFE,
    });
    key.sign(&claims)
}
