//! `refresh_token`: an app goes on without its user (RFC 6749 § 6, RFC 9700 § 4.14).

use super::client_auth::Known;
use super::denied::Denied;
use super::form::Form;
use super::give::Gift;
use super::{TokenAnswer, TokenEndpoint, TokenRequest};
use crate::access::Scopes;
use crate::fhir::Instant;
use crate::smart::account::{Account, Session};
use crate::smart::authorization::{Authorization, Lasting, OFFLINE_LIFE, Presented, RefreshToken};
use crate::smart::client::ClientKind;
use crate::smart::state::Held;

/// `grant_type`
pub(super) const GRANT: &str = "refresh_token";

const WRONG_TOKEN: &str =
    "The refresh token is unknown, expired, revoked, used before, or not this client's. Let the user authorize anew.";

impl TokenEndpoint {
    pub(super) async fn refresh(&self, request: &TokenRequest<'_>, form: &Form, now: Instant) -> Result<TokenAnswer, Denied> {
        let text = form.get("refresh_token");
        let text = text.ok_or_else(|| Denied::request("refresh-token", "The parameter `refresh_token` is missing."))?;
        let token = RefreshToken::read(text);
        let held = match &token {
            Some(token) => self.state.find::<Authorization>(&token.authorization, now).await?,
            None => None,
        };
        // A public app is known by its refresh token when it does not name itself, and only when the token really is its own.
        let current = |held: &&Held<Authorization>| {
            let presented = token.as_ref().zip(held.value.refresh.as_ref()).map(|(token, refresh)| token.presented(refresh, now));
            presented.is_some_and(|presented| presented != Presented::Foreign)
        };
        let named = held.as_ref().filter(current).map(|held| held.value.client.as_str());
        let nameless = named.is_none() && form.get("client_id").is_none() && request.authorization.is_none();
        if nameless && form.get("client_assertion").is_none() {
            return Err(Denied::grant("refresh-unknown", WRONG_TOKEN));
        }
        let known = self.client(request, form, named, now).await?;
        let (Some(token), Some(held)) = (token, held) else { return Err(Denied::grant("refresh-unknown", WRONG_TOKEN)) };
        let bound = self.bound(&known.client, request, now).await?;
        if held.value.key.is_some() && held.value.key != bound.key {
            return Err(Denied::grant(
                "refresh-key",
                "The refresh token is bound to a key: prove that you have it, as at first.",
            ));
        }
        let (token, held) = self.renewed(&known, token, held, now).await?;
        let scope = narrowed(&held.value.scope, form.get("scope"))?;
        let refresh = Some(token.to_text());
        let gift = Gift { asked: GRANT, name: &held.id, authorization: &held.value, scope, refresh, introduce: false };
        self.give(known, gift, bound, now).await
    }

    /// The token to go on with. Those of public apps change at each use: of a copy and its original, one comes late and gives both away.
    async fn renewed(
        &self,
        known: &Known,
        token: RefreshToken,
        held: Held<Authorization>,
        now: Instant,
    ) -> Result<(RefreshToken, Held<Authorization>), Denied> {
        let refused = |why| Err(Denied::grant(why, WRONG_TOKEN));
        if held.value.client != known.client.id {
            return refused("refresh-client");
        }
        let presented = held.value.refresh.as_ref().map_or(Presented::Foreign, |refresh| token.presented(refresh, now));
        match presented {
            Presented::Foreign => return refused("refresh-unknown"),
            Presented::Reused => {
                self.end(&held.id, "refresh-reused", now).await?;
                return refused("refresh-reused");
            }
            Presented::Current | Presented::Lost => {}
        }
        if self.registry.revocations().is_stored(&self.state, &held.id, now).await?
            || !self.still_allowed(&held.value, now).await?
        {
            self.end(&held.id, "refresh-ended", now).await?;
            return refused("refresh-ended");
        }
        // One that is bound to a key is of no use to a thief (RFC 9700 § 2.2.2).
        let rotates = known.client.kind == ClientKind::Public && held.value.key.is_none();
        let next = if rotates { token.next(&self.refresh_key) } else { token.clone() };
        let changed = self.state.update::<Authorization>(&held.id, now, |authorization| {
            let Some(refresh) = &mut authorization.refresh else { return false };
            match token.presented(refresh, now) {
                Presented::Current if rotates => refresh.rotate(&next, now),
                Presented::Current | Presented::Lost => {}
                Presented::Reused | Presented::Foreign => return false,
            }
            authorization.used = now.0;
            if authorization.lasting == Lasting::Offline {
                authorization.ends = now.plus_seconds(OFFLINE_LIFE).0;
            }
            true
        });
        changed.await?.map_or_else(|| refused("refresh-unknown"), |held| Ok((next, held)))
    }

    /// The person is not locked out, has not cut everything off since, and is signed in where that is the condition.
    async fn still_allowed(&self, authorization: &Authorization, now: Instant) -> Result<bool, Denied> {
        let account = self.state.find::<Account>(&authorization.username, now).await?;
        let valid = account.is_some_and(|held| !held.value.disabled && held.value.valid_since <= authorization.given);
        let online = authorization.lasting == Lasting::Online;
        Ok(valid && (!online || self.state.find::<Session>(&authorization.session_key, now).await?.is_some()))
    }
}

/// All that was granted, or the part of it that is asked for.
fn narrowed(granted: &str, asked: Option<&str>) -> Result<String, Denied> {
    let Some(asked) = asked.filter(|asked| !asked.trim().is_empty()) else { return Ok(granted.to_owned()) };
    let held = Scopes::parse(granted);
    let covered = |word: &str| {
        let one = Scopes::parse(word);
        !one.is_empty() && one.intersect(&held).to_text() == one.to_text()
    };
    if !asked.split(' ').filter(|word| !word.is_empty()).all(|word| granted.split(' ').any(|had| had == word) || covered(word)) {
        return Err(Denied::scope("scope", "A refresh can ask for what was granted, or for less, and for nothing else."));
    }
    Ok(asked.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::narrowed;

    #[test]
    fn r3_a_refresh_narrows_and_never_widens() {
        let granted =
            "launch/patient offline_access patient/Observation.rs?category=a|b patient/Condition.read patient/Patient.rs";
        assert_eq!(narrowed(granted, None).unwrap(), granted);
        for asked in [
            granted,
            "patient/Patient.r",
            "patient/Condition.read",
            "patient/Observation.rs?category=a|b",
            " patient/Patient.rs ",
        ] {
            assert_eq!(narrowed(granted, Some(asked)).unwrap(), asked.trim());
        }
        for asked in [
            "patient/*.rs",
            "patient/Patient.cruds",
            "patient/Observation.rs",
            "openid",
            "user/Patient.rs",
            "patient/Patient.rs x",
        ] {
            assert!(narrowed(granted, Some(asked)).is_err(), "{asked}");
        }
    }
}
