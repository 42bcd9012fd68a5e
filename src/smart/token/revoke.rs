//! Revocation (RFC 7009): an app gives a token up.

use super::denied::Denied;
use super::form::Form;
use super::{TokenAnswer, TokenEndpoint, TokenFacts, TokenRequest, headers};
use crate::access::Caller;
use crate::fhir::Instant;
use crate::smart::authorization::{Authorization, Presented, RefreshToken};

const ASKED: &str = "revocation";

impl TokenEndpoint {
    /// Answers at the revocation endpoint. `examined` is whom the token stands for, when it is an access token that would be accepted
    /// now. A token that is unknown or somebody else's is left alone, and nobody is told (§ 2.2).
    pub async fn revoke(&self, request: &TokenRequest<'_>, examined: Option<&Caller>, now: Instant) -> TokenAnswer {
        let form = match Form::read(request) {
            Ok(form) => form,
            Err(denied) => return denied.answer(TokenFacts::of(ASKED)),
        };
        match self.revoked(request, &form, examined, now).await {
            Ok(facts) => TokenAnswer { status: 200, headers: headers(false), body: String::new(), facts },
            Err(denied) => denied.answer(TokenFacts::claimed(ASKED, &form)),
        }
    }

    async fn revoked(
        &self,
        request: &TokenRequest<'_>,
        form: &Form,
        examined: Option<&Caller>,
        now: Instant,
    ) -> Result<TokenFacts, Denied> {
        let client = self.client(request, form, None, now).await?.client;
        let token = form.get("token").ok_or_else(|| Denied::request("token", "The parameter `token` is missing."))?;
        if form.get("token_type_hint").is_some_and(|hint| !["access_token", "refresh_token"].contains(&hint)) {
            let text = "Access tokens and refresh tokens can be revoked; leave `token_type_hint` out or name one of them.";
            let reason = "request:hint".to_owned();
            return Err(Denied { status: 400, error: "unsupported_token_type", text: text.into(), reason, basic: false });
        }
        let mut facts = TokenFacts { client: Some(client.id.clone()), ..TokenFacts::of(ASKED) };
        let own = examined.filter(|caller| caller.issuer == self.issuer && caller.client == client.id);
        let done = if let Some((caller, id)) = own.and_then(|caller| Some((caller, caller.token_id.clone()?))) {
            facts.user = Some((caller.subject.clone(), caller.user.clone()));
            self.registry.revocations().revoke(&self.state, &id, "client", now).await?;
            facts.token_id = Some(id);
            true
        } else {
            self.refresh_revoked(token, &client.id, now).await?
        };
        let reason = if done { "token:revoked" } else { "token:unknown" };
        reason.clone_into(&mut facts.reason);
        Ok(facts)
    }

    async fn refresh_revoked(&self, token: &str, client: &str, now: Instant) -> Result<bool, Denied> {
        let Some(token) = RefreshToken::read(token) else { return Ok(false) };
        let held = self.state.find::<Authorization>(&token.authorization, now).await?;
        let Some(held) = held.filter(|held| held.value.client == client) else { return Ok(false) };
        let presented = held.value.refresh.as_ref().map_or(Presented::Foreign, |refresh| token.presented(refresh, now));
        if presented == Presented::Foreign {
            return Ok(false);
        }
        Ok(self.end(&held.id, "client", now).await?)
    }
}
