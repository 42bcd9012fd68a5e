//! What an operator does about the authorization server: admits clients, rotates keys.

use super::desk::{Desk, failed};
use super::screen::Failure;
use crate::access::Scopes;
use crate::audit::{Agent, Entry, Event};
use crate::identity::Reach;
use crate::smart::Client;

/// What an operator adds when they admit a client.
#[derive(Debug, Clone, Default)]
pub(super) struct Approval {
    /// The organization that it acts for.
    pub(super) organization: Option<String>,
    /// The purposes that it may act for.
    pub(super) purposes: Vec<String>,
    /// Fewer scopes than it asked for.
    pub(super) scope: Option<String>,
    /// The operator answers for it.
    pub(super) vetted: bool,
}

impl Desk {
    /// Admits a client that registered itself.
    ///
    /// # Errors
    /// When there is none of this id, or it does not wait, or what is granted is no registration.
    pub(super) async fn approve_client(&self, id: &str, grant: Approval) -> Result<Client, Failure> {
        let found = self.clients().find(id).await.map_err(failed)?;
        let mut client = found.ok_or_else(|| Failure::Failed(format!("there is no client `{id}`")))?;
        let Some(enrolled) = client.enrolled.as_mut().filter(|enrolled| enrolled.approved.is_none()) else {
            return Err(Failure::Failed(format!("`{id}` does not wait for approval")));
        };
        enrolled.approved = Some(self.now().0);
        client.organization = grant.organization.or(client.organization);
        if !grant.purposes.is_empty() {
            client.purposes = grant.purposes;
        }
        if let Some(scope) = grant.scope {
            client.scopes = Scopes::parse(&scope).intersect(&Scopes::parse(&client.scopes)).to_text();
        }
        client.vetted |= grant.vetted;
        let client = client.checked(Reach::Public).map_err(|fault| Failure::Usage(fault.to_string()))?;
        self.clients().replace(client.clone(), self.now()).await.map_err(failed)?;
        self.changed("client-enabled", id).await?;
        Ok(client)
    }

    /// Puts new keys in the place of those that sign; their names. `lost` when somebody else may have the old ones.
    pub(super) async fn rotate_keys(&self, lost: bool) -> Result<Vec<String>, Failure> {
        let names = self.parts.keys.rotate(self.clients(), lost, self.now()).await.map_err(failed)?;
        let agent = Agent { client: "amanat".to_owned(), ..Agent::default() };
        let entry = Entry::concluded(Event::Policy("key-rotated"), agent, self.now(), uuid::Uuid::now_v7().to_string());
        let asked = format!("keys={}{}", names.join(","), if lost { "&lost=true" } else { "" });
        self.parts.gateway.record(entry.asking(&asked)).await;
        Ok(names)
    }
}
