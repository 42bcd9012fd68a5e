//! Whether a subscriber may know that a result was replaced: decided as if it read the record at that moment.

use super::super::Gateway;
use crate::access::authorize;
use crate::audit::{Agent, Entry};
use crate::disclosure::{Visit, show};
use crate::fhir::{Id, Interaction, Key, Need, ReadConditions, Refusal, Rendering};
use crate::lab::changes::{Announcing, Audience, Replaced};
use crate::store::lab::Feed;

impl Audience for Gateway {
    fn announce<'a>(&'a self, subscriber: &'a str, client: &'a str, change: &'a Replaced, again: bool) -> Announcing<'a> {
        Box::pin(async move {
            let Some(feed) = self.subscribing(client).await? else { return Ok(None) };
            let patients = match self.may_know(&feed, &change.key).await {
                Ok(patients) => patients,
                Err(Refusal::StoreUnavailable | Refusal::TrailUnavailable | Refusal::Internal) => {
                    return Err("nothing can be decided now".to_owned());
                }
                // Whatever else is the reason: it is not told.
                Err(_) => return Ok(None),
            };
            if !again {
                let asked = format!("lab told subscriber={subscriber} record={} version={}", change.key, change.version);
                let agent = Agent::of(&Self::sending_caller(&feed), String::new());
                let request = uuid::Uuid::now_v7().to_string();
                let entry = Self::lab_entry(agent, self.parts.clock.now(), &request, &asked);
                let entry = Entry { patients, ..entry };
                self.parts.trail.append(entry).await.map_err(|_| "the trail cannot be written".to_owned())?;
            }
            Ok(Some(change.notification(subscriber, &self.parts.base)))
        })
    }
}

impl Gateway {
    /// The client of a subscriber, while it is registered and not disabled.
    async fn subscribing(&self, client: &str) -> Result<Option<Feed>, String> {
        let clients = self.parts.tokens.registry.store().list().await.map_err(|_| "the registry cannot be read".to_owned())?;
        let found = clients.into_iter().find(|one| one.id == client && one.issuer.is_none() && !one.disabled);
        Ok(found.map(|client| Feed {
            client: client.id,
            issuer: self.parts.tokens.issuer.clone(),
            scope: client.scopes,
            organization: client.organization.unwrap_or_default(),
            purposes: client.purposes,
            ..Feed::default()
        }))
    }

    /// Whose record it is, if the client may read it.
    async fn may_know(&self, feed: &Feed, key: &Key) -> Result<Vec<Id>, Refusal> {
        let now = self.parts.clock.now();
        let permit = authorize(&Self::sending_caller(feed), Interaction::Read(key.clone(), ReadConditions::default()))?;
        let permit = self.parts.consent.narrow(permit, None, now)?;
        let row = self.parts.store.read(&permit, Need::Read, key).await?.ok_or(Refusal::NotFound)?;
        let agent = Agent::of(&Self::sending_caller(feed), String::new());
        let visit = Visit { request_id: String::new(), agent, event: "read", record: None, query: None, now };
        // The second look. What it would show is dropped: the subscriber comes for it with a token of its own.
        drop(show(&permit, &row, ReadConditions::default(), &Rendering::default(), &visit, &self.redaction())?);
        Ok(row.facts.patients.clone())
    }
}
