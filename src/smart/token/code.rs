//! `authorization_code`: an app exchanges the code that its user's browser brought (RFC 6749 § 4.1.3, RFC 7636).

use super::client_auth::Known;
use super::denied::Denied;
use super::form::Form;
use super::give::Gift;
use super::{TokenAnswer, TokenEndpoint, TokenRequest};
use crate::fhir::Instant;
use crate::smart::authorization::{Authorization, CODE_LIFE, Code, Lasting, OFFLINE_LIFE, Refresh, RefreshToken};
use crate::smart::client::ClientKind;
use crate::smart::secret;
use crate::smart::state::Held;

/// `grant_type`
pub(super) const GRANT: &str = "authorization_code";

const WRONG_CODE: &str = "The code is unknown, expired, used, or not this client's. Codes last 60 seconds and serve once.";

impl TokenEndpoint {
    pub(super) async fn code(&self, request: &TokenRequest<'_>, form: &Form, now: Instant) -> Result<TokenAnswer, Denied> {
        let known = self.client(request, form, None, now).await?;
        if known.client.kind == ClientKind::Backend {
            return Err(Denied::unauthorized("A backend client has no users; it gets its tokens by `client_credentials`."));
        }
        let code = form.get("code").ok_or_else(|| Denied::request("code", "The parameter `code` is missing."))?;
        let held = self.state.find::<Code>(&secret::kept(code), now).await?;
        let held = held.ok_or_else(|| Denied::grant("code-unknown", WRONG_CODE))?;
        self.may_exchange(&known, &held, form, now).await?;
        let bound = self.bound(&known.client, request, now).await?;
        if held.value.dpop_jkt.is_some() && held.value.dpop_jkt != bound.key {
            return Err(Denied::grant("code-key", "The code was asked for with `dpop_jkt`: prove that you have that key."));
        }
        let own_key = bound.key.clone().filter(|_| known.client.kind == ClientKind::Public);
        let (name, authorization, refresh) = self.exchanged(held, own_key, now).await?;
        let scope = authorization.scope.clone();
        let gift = Gift { asked: GRANT, name: &name, authorization: &authorization, scope, refresh, introduce: true };
        self.give(known, gift, bound, now).await
    }

    async fn may_exchange(&self, known: &Known, held: &Held<Code>, form: &Form, now: Instant) -> Result<(), Denied> {
        let code = &held.value;
        if code.authorization.client != known.client.id {
            return Err(Denied::grant("code-client", WRONG_CODE));
        }
        if let Some(used) = &code.used {
            self.end(used, "code-reused", now).await?;
            return Err(Denied::grant("code-reused", WRONG_CODE));
        }
        if now >= Instant(code.given).plus_seconds(CODE_LIFE) {
            return Err(Denied::grant("code-expired", WRONG_CODE));
        }
        if form.get("redirect_uri") != Some(code.redirect_uri.as_str()) {
            let text = "`redirect_uri` must be the one of the authorization request, to the letter.";
            return Err(Denied::grant("redirect-uri", text));
        }
        if !form.get("code_verifier").is_some_and(|verifier| verifies(verifier, &code.challenge)) {
            let text = "`code_verifier` is missing, or `code_challenge` was not its SHA-256 in base64url (RFC 7636).";
            return Err(Denied::grant("verifier", text));
        }
        Ok(())
    }

    /// Uses the code up, and keeps what it stands for. Of two that come at the same moment one wins, and the other ends what was won.
    async fn exchanged(
        &self,
        mut held: Held<Code>,
        key: Option<String>,
        now: Instant,
    ) -> Result<(String, Authorization, Option<String>), Denied> {
        let name = uuid::Uuid::new_v4().simple().to_string();
        held.value.used = Some(name.clone());
        if !self.state.change(&held).await? {
            let winner = self.state.find::<Code>(&held.id, now).await?.and_then(|held| held.value.used);
            if let Some(winner) = winner {
                self.end(&winner, "code-reused", now).await?;
            }
            return Err(Denied::grant("code-reused", WRONG_CODE));
        }
        let mut authorization = held.value.authorization;
        authorization.key = key;
        let refresh = match authorization.lasting {
            Lasting::Once => None,
            Lasting::Online | Lasting::Offline => Some(RefreshToken::first(&name).map_err(|_| Denied::away("random"))?),
        };
        authorization.refresh = refresh.as_ref().map(|token| Refresh::of(token, now));
        authorization.used = now.0;
        if authorization.lasting == Lasting::Offline {
            authorization.ends = now.plus_seconds(OFFLINE_LIFE).0;
        }
        self.state.add(&name, &authorization, now).await?;
        Ok((name, authorization, refresh.map(|token| token.to_text())))
    }
}

/// RFC 7636 § 4.1 and § 4.6, S256.
fn verifies(verifier: &str, challenge: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    (43..=128).contains(&verifier.len()) && verifier.bytes().all(legal) && secret::equal(&secret::kept(verifier), challenge)
}

#[cfg(test)]
mod tests {
    use super::verifies;

    #[test]
    fn the_verifier_is_that_of_rfc_7636_appendix_b() {
        let (verifier, challenge) =
            ("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        assert!(verifies(verifier, challenge));
        for wrong in ["", challenge, "short", &verifier.replace('d', "e"), &"a".repeat(129)] {
            assert!(!verifies(wrong, challenge), "{wrong}");
        }
    }
}
