//! The errors of the endpoints that clients call themselves (RFC 6749 § 5.2).

use super::super::store::ClientStoreError;
use super::{TokenAnswer, TokenFacts, headers};
use crate::fhir::Outcome;
use serde_json::json;
use std::borrow::Cow;

/// An error of RFC 6749 § 5.2.
#[derive(Debug)]
pub(super) struct Denied {
    pub(super) status: u16,
    pub(super) error: &'static str,
    /// For the caller: what to do next.
    pub(super) text: Cow<'static, str>,
    pub(super) reason: String,
    /// Did the client try the `Authorization` header?
    pub(super) basic: bool,
}

impl Denied {
    pub(super) fn request(reason: &str, text: &'static str) -> Self {
        Self { status: 400, error: "invalid_request", text: text.into(), reason: format!("request:{reason}"), basic: false }
    }

    pub(super) fn client(reason: &str) -> Self {
        let text = "The client could not be authenticated. Check the assertion: key, kid, aud (this URL), exp (at most 5 minutes), a fresh jti.";
        Self { status: 401, error: "invalid_client", text: text.into(), reason: format!("assertion:{reason}"), basic: false }
    }

    /// A client that did not authenticate, or in another way than it is registered for.
    pub(super) fn unknown_client(reason: &str) -> Self {
        let text = "The client could not be authenticated. Check `client_id`, and authenticate in the one way that it is registered for: \
                    none, client_secret_basic or private_key_jwt.";
        Self { text: text.into(), reason: format!("client:{reason}"), ..Self::client(reason) }
    }

    pub(super) fn scope(reason: &str, text: &'static str) -> Self {
        Self { status: 400, error: "invalid_scope", text: text.into(), reason: format!("grant:{reason}"), basic: false }
    }

    /// A proof of possession that is none, or that should be there (RFC 9449 § 5 and § 8).
    pub(super) fn proof(reason: &'static str) -> Self {
        let (error, text) = match reason {
            "nonce" => ("use_dpop_nonce", "Make a new proof that carries the nonce of the header `DPoP-Nonce`."),
            "missing" => {
                ("invalid_dpop_proof", "Tokens of this client are bound to a key: send a proof in the header `DPoP` (RFC 9449).")
            }
            _ => (
                "invalid_dpop_proof",
                "The header `DPoP` holds no fresh proof of this request (RFC 9449 § 4): check typ, alg, jwk, htm, htu, iat, jti.",
            ),
        };
        Self { status: 400, error, text: text.into(), reason: format!("proof:{reason}"), basic: false }
    }

    /// A code or refresh token that is not one, or not this client's.
    pub(super) fn grant(reason: &str, text: &'static str) -> Self {
        Self { status: 400, error: "invalid_grant", text: text.into(), reason: format!("grant:{reason}"), basic: false }
    }

    pub(super) fn unauthorized(text: &'static str) -> Self {
        Self {
            status: 400,
            error: "unauthorized_client",
            text: text.into(),
            reason: "grant:client-kind".to_owned(),
            basic: false,
        }
    }

    pub(super) fn away(reason: &str) -> Self {
        let text = "The request could not be completed. Nothing was issued; try again later.";
        Self { status: 503, error: "temporarily_unavailable", text: text.into(), reason: reason.to_owned(), basic: false }
    }

    /// The answer, and what the trail says about it.
    pub(super) fn answer(self, facts: TokenFacts) -> TokenAnswer {
        let outcome = match self.status {
            503 => Outcome::Major,
            401 => Outcome::Serious,
            _ => Outcome::Minor,
        };
        TokenAnswer {
            status: self.status,
            headers: headers(self.basic),
            body: json!({"error": self.error, "error_description": self.text}).to_string(),
            facts: TokenFacts { outcome, reason: self.reason, ..facts },
        }
    }
}

impl From<ClientStoreError> for Denied {
    fn from(fault: ClientStoreError) -> Self {
        tracing::error!(%fault, "the authorization server's store failed");
        Self::away("store")
    }
}
