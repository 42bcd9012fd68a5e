//! The calls of the command line into the rooms below: registry, issuer, trail, records.

use super::screen::Failure;
use crate::access::Scopes;
use crate::audit::{Agent, Entry, Event, TAIL_CAVEAT, Verifier};
use crate::clock::Clock;
use crate::config::Config;
use crate::disclosure::Sealed;
use crate::fhir::{Headers, Id, Instant, Interaction, Key, Method, Outcome, Refusal, Request, RouteOptions, interaction};
use crate::gateway::{Draft, Explained, Inbound, Shift, Somebody};
use crate::identity::normalised_purpose;
use crate::smart::{Client, ClientKeys, ClientStore, Grant, issue};
use crate::startup::{Assembly, assemble};
use crate::store::emergency::{Case, Disposition, EmergencyStore as _, Kept, Recipient, Review, Which};
use crate::store::sql::TrailRow;
use crate::store::upstream::Noticed;
use serde::Serialize;
use std::fmt::Display;
use std::sync::Arc;

/// The client that fills a demo, and is disabled afterwards.
const LOADER: &str = "demo-loader";

/// Entries of the trail read at a time.
const VERIFIED_AT_ONCE: u32 = 5_000;

/// A gateway as the command line uses it: in the serving process, or beside it on the same store.
pub(super) struct Desk {
    pub(super) parts: Arc<Assembly>,
    /// Where the pages are.
    pub(super) origin: String,
    lifetime: u32,
    clock: Clock,
}

/// A token to be issued.
#[derive(Debug, Clone, Default)]
pub(super) struct Wish {
    /// To which client.
    pub(super) client: String,
    /// Which scopes; all that the client has, when absent.
    pub(super) scope: Option<String>,
    /// Launch patient.
    pub(super) patient: Option<String>,
    /// `fhirUser`, such as `Practitioner/doctor`.
    pub(super) user: Option<String>,
    /// Purpose of use.
    pub(super) purpose: Option<String>,
}

/// What verifying the trail found.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Verified {
    /// Entries that are right, up to the first that is not.
    pub(super) entries: u64,
    /// The number of the first that is wrong.
    pub(super) first_bad: Option<i64>,
    /// What is wrong with it.
    pub(super) broken: Option<String>,
    /// What could not be seen.
    pub(super) caveat: &'static str,
}

impl Desk {
    /// Opens the store of these settings.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub(super) async fn open(config: &Config) -> Result<Self, Failure> {
        let opened = assemble(config, &Clock::system()).await;
        let parts = opened.map_err(|error| Failure::of("the gateway cannot open", error))?;
        Ok(Self::of(&Arc::new(parts), config))
    }

    /// Of a gateway that serves in this process.
    pub(super) fn of(parts: &Arc<Assembly>, config: &Config) -> Self {
        let origin = config.server.base_url.origin().to_owned();
        Self { parts: Arc::clone(parts), origin, lifetime: config.smart.token_lifetime_seconds, clock: Clock::system() }
    }

    /// The parts of the gateway.
    pub(super) fn parts(&self) -> &Arc<Assembly> {
        &self.parts
    }

    /// Writes an entry about what was done here with the trail.
    pub(super) async fn note_trail_use(&self, word: &'static str, outcome: Outcome, what: &str) {
        let agent = Agent { client: "amanat".to_owned(), ..Agent::default() };
        let entry = Entry::concluded(Event::TrailUse(word), agent, self.clock.now(), uuid::Uuid::now_v7().to_string());
        self.parts.gateway.record(Entry { outcome, ..entry.asking(what) }).await;
    }

    /// Closes what [`Desk::open`] opened.
    pub(super) async fn close(self) {
        self.parts.gateway.close().await;
    }

    /// The gateway.
    pub(super) fn gateway(&self) -> &crate::gateway::Gateway {
        &self.parts.gateway
    }

    /// Compares what the FHIR server behind says of itself with what it does; nothing when there is none.
    pub(super) async fn probe_upstream(&self, writes: bool) -> Vec<Noticed> {
        match &self.parts.upstream {
            Some(upstream) => upstream.probe(writes).await,
            None => Vec::new(),
        }
    }

    /// Registers a client.
    ///
    /// # Errors
    /// When the id is taken, or the registration is not one.
    pub(super) async fn add_client(&self, client: Client) -> Result<(), Failure> {
        let client = client.checked(self.parts.registry.reach()).map_err(|fault| Failure::Usage(fault.to_string()))?;
        let id = client.id.clone();
        if self.clients().add(client, self.clock.now()).await.map_err(failed)? {
            return self.changed("client-added", &id).await;
        }
        Err(Failure::Failed(format!("there is a client `{id}` already")))
    }

    /// Every client, by id.
    pub(super) async fn list_clients(&self) -> Result<Vec<Client>, Failure> {
        self.clients().list().await.map_err(failed)
    }

    /// Disables a client; false when there is none of this id.
    pub(super) async fn disable_client(&self, id: &str) -> Result<bool, Failure> {
        let found = self.clients().set_disabled(id, true).await.map_err(failed)?;
        if found {
            self.changed("client-disabled", id).await?;
            // What the client holds of emergency access ends with it.
            self.parts.gateway.refresh().await;
        }
        Ok(found)
    }

    /// The present moment.
    pub(super) fn now(&self) -> Instant {
        self.clock.now()
    }

    /// Why somebody sees a record, or does not. The question is audited.
    pub(super) async fn explain(&self, somebody: &Somebody, record: &str) -> Result<Explained, Failure> {
        let key = Key::parse(record).ok_or_else(|| Failure::Usage(format!("--record: `{record}` is not one")))?;
        self.parts.gateway.note_question(&format!("explain {record}")).await;
        self.parts.gateway.explain(somebody, &key).await.map_err(|refusal| refused(&refusal))
    }

    /// The same for what a search finds.
    pub(super) async fn explain_search(&self, somebody: &Somebody, search: &str) -> Result<Vec<Explained>, Failure> {
        let (path, query) = search.split_once('?').unwrap_or((search, ""));
        let request = Request {
            method: Method::Get,
            path: path.to_owned(),
            query: query.to_owned(),
            form: None,
            headers: Headers::default(),
        };
        let options = RouteOptions {
            base: &self.parts.issuer,
            now: self.clock.now(),
            max_count: 100,
            known: &crate::fhir::search::STANDARD,
        };
        let Interaction::Search(search) = interaction(&request, &options).map_err(|refusal| refused(&refusal))? else {
            return Err(Failure::Usage(format!("--search: `{search}` is not one")));
        };
        self.parts.gateway.note_question(&format!("explain {path}?{query}")).await;
        self.parts.gateway.explain_search(somebody, *search).await.map_err(|refusal| refused(&refusal))
    }

    /// Who would gain or lose what under a draft. The question is audited.
    pub(super) async fn shadow(&self, draft: &Draft, since: Instant) -> Result<Vec<Shift>, Failure> {
        self.parts.gateway.note_question(&format!("explain shadow since={since}")).await;
        self.parts.gateway.shadow(draft, since).await.map_err(|refusal| refused(&refusal))
    }

    /// Cases of emergency access, those due first at the front.
    pub(super) async fn cases(&self, all: bool) -> Result<Vec<Case>, Failure> {
        self.parts.store.cases(all).await.map_err(failed)
    }

    /// Closes a case, with an entry.
    pub(super) async fn close_case(&self, case: &str, by: &str, disposition: Disposition, note: &str) -> Result<(), Failure> {
        let now = self.clock.now();
        let agent =
            Agent { client: "amanat".to_owned(), subject: by.to_owned(), purposes: vec!["BTG".to_owned()], ..Agent::default() };
        let entry = Entry::concluded(Event::Override("reviewed"), agent, now, uuid::Uuid::now_v7().to_string());
        let review = Review {
            case: case.to_owned(),
            disposition,
            reviewer: by.to_owned(),
            note: note.to_owned(),
            now,
            entry: entry.asking(&format!("case={case} disposition={} by={by}", disposition.word())),
        };
        self.parts.store.close_case(review).await.map(drop).map_err(failed)
    }

    /// What was told of emergency access.
    pub(super) async fn notices(&self, all: bool) -> Result<Vec<Kept>, Failure> {
        self.parts.store.notices(Which { all, ..Which::default() }).await.map_err(failed)
    }

    /// Takes note for the privacy office, with an entry; the ids of those that waited.
    pub(super) async fn acknowledge(&self, ids: &[String], by: &str) -> Result<Vec<String>, Failure> {
        let agent =
            Agent { client: "amanat".to_owned(), subject: by.to_owned(), purposes: vec!["BTG".to_owned()], ..Agent::default() };
        let entry = Entry::concluded(Event::Override("noticed"), agent, self.clock.now(), uuid::Uuid::now_v7().to_string());
        let entry = entry.asking(&format!("notices={} by={by}", ids.join(",")));
        let office = Recipient::PrivacyOffice.to_text();
        let taken = self.parts.store.take_notices(ids, &office, by, self.clock.now(), entry).await.map_err(failed)?;
        Ok(taken.0)
    }

    /// Ends emergency access before its time; how many grants that were.
    pub(super) async fn end_emergency(&self, grant: Option<&str>, user: Option<&Key>, by: &str) -> Result<usize, Failure> {
        self.parts.gateway.end_emergency(grant, user, by).await.map_err(|refusal| refused(&refusal))
    }

    /// Notes a change of the registry, and lets a gateway in this process know of it.
    pub(super) async fn changed(&self, word: &'static str, client: &str) -> Result<(), Failure> {
        self.parts.gateway.note_about(Event::Registry(word), client).await;
        self.parts.registry.refresh().await.map_err(failed)
    }

    pub(super) fn clients(&self) -> &dyn ClientStore {
        self.parts.registry.store()
    }

    /// Issues an access token of the gateway's own issuer. Nothing is granted beyond the client's registration.
    pub(super) async fn issue(&self, wish: &Wish) -> Result<String, Failure> {
        let now = self.clock.now();
        let found = self.clients().find(&wish.client).await.map_err(failed)?;
        let client = found.filter(|client| !client.disabled);
        let client =
            client.ok_or_else(|| Failure::Failed(format!("there is no client `{}` that may get tokens", wish.client)))?;
        let issued = issue(&self.parts.keys.signing(), &self.grant(wish, client)?, now).map_err(failed)?;
        Ok(issued.token)
    }

    fn grant(&self, wish: &Wish, client: Client) -> Result<Grant, Failure> {
        let wrong = |flag: &str, text: &str| Failure::Usage(format!("{flag}: `{text}` is not one"));
        let user = wish.user.as_deref().map(|user| Key::parse(user).ok_or_else(|| wrong("--user", user))).transpose()?;
        let patient = wish.patient.as_deref().map(|id| Id::parse(id).ok_or_else(|| wrong("--patient", id))).transpose()?;
        let purposes = match wish.purpose.as_deref() {
            Some(purpose) => vec![normalised_purpose(purpose).ok_or_else(|| wrong("--purpose", purpose))?],
            None => client.purposes,
        };
        let allowed = Scopes::parse(&client.scopes);
        let scopes = wish.scope.as_deref().map_or_else(|| allowed.clone(), |asked| Scopes::parse(asked).intersect(&allowed));
        if scopes.grants.is_empty() {
            return Err(Failure::Usage(format!("none of these scopes is registered for `{}`: {}", client.id, client.scopes)));
        }
        Ok(Grant {
            issuer: self.parts.issuer.clone(),
            audience: self.parts.issuer.clone(),
            client: client.id,
            subject: wish.user.clone(),
            scope: scopes.to_text(),
            lifetime: self.lifetime,
            user,
            patient,
            organization: client.organization,
            purposes,
            certificate: client.certificate,
            ..Grant::default()
        })
    }

    /// Verifies the whole trail, or only its last entries.
    pub(super) async fn verify_trail(&self, last: Option<u32>) -> Result<Verified, Failure> {
        let (mut verifier, mut from) = (Verifier::new(), 1);
        if let Some(before) = self.entry_before(last).await? {
            from = before.seq + 1;
            let hash = before.hash.as_slice().try_into().map_err(|_| Failure::Failed("a hash is damaged".to_owned()))?;
            verifier = Verifier::behind(before.seq, hash);
        }
        loop {
            let rows = self.parts.store.trail_entries(from, VERIFIED_AT_ONCE).await.map_err(failed)?;
            from = rows.last().map_or(from, |row| row.seq + 1);
            let sound = rows.iter().try_for_each(|row| verifier.check(row.seq, &row.leaf, &row.hash)).is_ok();
            if rows.is_empty() || !sound {
                break;
            }
        }
        let verdict = verifier.finish();
        let (first_bad, broken) = verdict.finding.map(|finding| (finding.seq, finding.to_string())).unzip();
        Ok(Verified { entries: verdict.entries, first_bad, broken, caveat: TAIL_CAVEAT })
    }

    /// The entry before the last so many; none when the trail is shorter.
    async fn entry_before(&self, last: Option<u32>) -> Result<Option<TrailRow>, Failure> {
        let Some(last) = last else { return Ok(None) };
        let Some(head) = self.parts.store.trail_head().await.map_err(failed)? else { return Ok(None) };
        let seq = head.seq - i64::from(last);
        let found = self.parts.store.trail_entries(seq.max(1), 1).await.map_err(failed)?;
        Ok(found.into_iter().next().filter(|row| row.seq == seq))
    }

    /// Whether a token that the gateway issues is one that it accepts, tried with the first client that can get one without a
    /// certificate. `None` when there is no such client.
    pub(super) async fn try_token(&self) -> Result<Option<String>, Failure> {
        let clients = self.list_clients().await?;
        let able = |client: &Client| !client.disabled && client.certificate.is_none() && client.issuer.is_none();
        let Some(client) = clients.into_iter().find(able) else { return Ok(None) };
        let token = self.issue(&Wish { client: client.id.clone(), ..Wish::default() }).await?;
        self.parts.gateway.accepts(&token).await.map_err(|refusal| Failure::Failed(refusal.told().text.into_owned()))?;
        Ok(Some(client.id))
    }

    /// How many records there are, and how many of them rules of this number have labelled.
    pub(super) async fn marked(&self, ruleset: i64) -> Result<(u64, u64), Failure> {
        self.parts.store.marked(ruleset).await.map_err(failed)
    }

    /// Loads the synthetic people through the gateway, one transaction after the other. The single place that does.
    pub(super) async fn load_demo(&self, bundles: Vec<String>) -> Result<(), Failure> {
        let loader =
            Client::backend(LOADER, "Loads the synthetic people", ClientKeys::None, "system/*.cruds system/Consent.cruds");
        let loader = Client { purposes: vec!["TREAT".to_owned()], may_choose_ids: true, ..loader };
        self.clients().add(loader, self.clock.now()).await.map_err(failed)?;
        self.changed("client-added", LOADER).await?;
        let token = self.issue(&Wish { client: LOADER.to_owned(), ..Wish::default() }).await?;
        for bundle in bundles {
            self.transact(&token, bundle)
                .await
                .map_err(|why| Failure::Failed(format!("the synthetic people were refused: {why}")))?;
        }
        self.disable_client(LOADER).await.map(|_| ())
    }

    /// Hands a Bundle in, as the holder of the token; why it was refused.
    pub(super) async fn transact(&self, token: &str, bundle: String) -> Result<(), String> {
        let request =
            Request { method: Method::Post, path: String::new(), query: String::new(), form: None, headers: Headers::default() };
        let inbound = Inbound {
            request,
            body: Sealed::from_wire(bundle.into_bytes()),
            request_id: uuid::Uuid::now_v7().to_string(),
            address: String::new(),
            authorization: vec![format!("Bearer {token}")],
            certificate: None,
        };
        let answered = self.parts.gateway.answer(inbound).await;
        answered.map(|_| ()).map_err(|refused| String::from_utf8_lossy(&refused.into_body()).into_owned())
    }
}

pub(super) fn refused(refusal: &Refusal) -> Failure {
    let problems: Vec<&str> = refusal.problems().iter().map(|problem| problem.text.as_str()).collect();
    let told = refusal.told();
    Failure::Failed(if problems.is_empty() { told.text.into_owned() } else { problems.join("; ") })
}

pub(super) fn failed(error: impl Display) -> Failure {
    Failure::Failed(error.to_string())
}
