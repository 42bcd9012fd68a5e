//! A plain FHIR server without a policy: a store, and nothing that decides. It stands behind the gateway where a test wants to show that
//! the gateway does the same in front of a server as over its own store.

use super::behind::{Behind, Heard, Said};
use amanat::access::{Caller, Permit, Scopes, SignIn, authorize};
use amanat::audit::Agent;
use amanat::clock::Clock;
use amanat::consent::{ConsentSettings, Labelling};
use amanat::disclosure::{
    Change, Commit, Draft, HeaderWord, Marking, PageFrame, Part, Pending, Redaction, Row, Sealed, Visit, deletion, found,
    history, refuse, release, responses, searchset, show, unpack, written,
};
use amanat::fhir::definitions::search_parameters;
use amanat::fhir::search::SearchQuery;
use amanat::fhir::{
    Headers, HistoryQuery, HistoryScope, Id, Instant, Interaction, Key, Method, Need, Refusal, Rendering, Request, ResourceType,
    RouteOptions, WriteCondition, encode, interaction, prefer, rendering,
};
use amanat::store::sql::{SqlStore, SqliteOptions};
use amanat::store::{Cursor, PageBounds, RecordStore as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::path::Path;
use std::sync::{Arc, OnceLock};

/// The server.
pub(crate) struct Plain {
    store: SqlStore,
    clock: Clock,
    base: OnceLock<String>,
    labelling: Labelling,
    settings: ConsentSettings,
}

const BOUNDS: PageBounds = PageBounds { count: 20, included: 1_000, bytes: 16 << 20 };

/// One request's answer, and what became of it.
type Outcome = Result<(Pending, Rendering), Refusal>;

impl Plain {
    /// Starts one with a store in this folder.
    pub(crate) fn start(folder: &Path, clock: &Clock) -> Behind {
        Self::start_through(folder, clock, |_, answer| answer())
    }

    /// The same behind something that may keep a request, or give another answer than the server's.
    pub(crate) fn start_through(
        folder: &Path,
        clock: &Clock,
        between: impl Fn(&Heard, &dyn Fn() -> Said) -> Said + Send + Sync + 'static,
    ) -> Behind {
        let store = SqlStore::open(&folder.join("behind.db"), clock.clone(), &SqliteOptions::default()).unwrap();
        let plain = Arc::new(Self {
            store,
            clock: clock.clone(),
            base: OnceLock::new(),
            labelling: Labelling::default(),
            settings: ConsentSettings::default(),
        });
        let answers = Arc::clone(&plain);
        let behind = Behind::start(move |heard| {
            let answer = || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(answers.answer(heard))
            };
            between(heard, &answer)
        });
        plain.base.set(behind.base()).unwrap();
        behind
    }

    fn base(&self) -> &str {
        self.base.get().unwrap()
    }

    async fn answer(&self, heard: &Heard) -> Said {
        let (path, query) = heard.below();
        if path == "metadata" {
            return Said::json(200, statement());
        }
        let (prefer_return, lenient) = prefer::prefer(heard.header("prefer"));
        let headers = Headers {
            if_match: heard.header("if-match").map(str::to_owned),
            if_none_exist: heard.header("if-none-exist").map(str::to_owned),
            prefer_return,
            lenient,
            content_type: heard.header("content-type").map(str::to_owned),
            ..Headers::default()
        };
        let method = Method::parse(&heard.method).unwrap();
        let request = Request { method, path: path.to_owned(), query: query.to_owned(), form: None, headers };
        let visit = self.visit();
        match self.perform(&request, Sealed::from_wire(heard.body.clone()), &visit).await {
            Ok((pending, rendering)) => match release(pending, &rendering, &visit, &self.store).await {
                Ok(released) => said(released.status(), released.headers().to_vec(), released.into_body()),
                Err(refused) => said(refused.status(), refused.headers().to_vec(), refused.into_body()),
            },
            Err(refusal) => {
                let refused = refuse(&refusal, &visit, &self.store).await;
                said(refused.status(), refused.headers().to_vec(), refused.into_body())
            }
        }
    }

    fn visit(&self) -> Visit {
        let agent = Agent { client: "gateway".to_owned(), ..Agent::default() };
        Visit { request_id: "behind".to_owned(), agent, event: "operation", record: None, query: None, now: self.clock.now() }
    }

    fn options(&self) -> RouteOptions<'_> {
        RouteOptions { base: self.base(), now: self.clock.now(), max_count: 1_000, known: &amanat::fhir::search::STANDARD }
    }

    fn permit(interaction: Interaction) -> Result<Permit, Refusal> {
        let caller = Caller {
            issuer: "own".to_owned(),
            subject: "gateway".to_owned(),
            client: "gateway".to_owned(),
            user: None,
            organization: None,
            scopes: Scopes::parse("system/*.cruds system/Consent.cruds"),
            patient: None,
            encounter: None,
            purposes: Vec::new(),
            acr: None,
            token_id: None,
            expires: Instant(i64::MAX),
            sign_in: SignIn::default(),
        };
        authorize(&Arc::new(caller), interaction)
    }

    fn redaction(&self) -> Redaction<'_> {
        Redaction {
            marking: Marking { labelling: &self.labelling, base: self.base(), known: &amanat::fhir::search::STANDARD },
            settings: &self.settings,
            hidden: None,
        }
    }

    async fn perform(&self, request: &Request, body: Sealed, visit: &Visit) -> Outcome {
        let mut from = None;
        let mut asked = interaction(request, &self.options())?;
        if let Interaction::Page(token) = &asked {
            let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).map_err(|_| Refusal::NotFound)?).unwrap();
            let (path, cursor) = text.split_once('\n').ok_or(Refusal::NotFound)?;
            from = Some(Cursor(cursor.to_owned()));
            asked = interaction(&Request::get(path), &self.options())?;
        }
        let permit = Self::permit(asked)?;
        let how = rendering(request)?;
        let pending = match permit.interaction() {
            Interaction::Read(key, conditions) => {
                let row = self.store.read(&permit, Need::Read, key).await?.ok_or(Refusal::NotFound)?;
                show(&permit, &row, *conditions, &how, visit, &self.redaction())?
            }
            Interaction::Vread(key, version) => {
                let row = self.store.vread(&permit, key, *version).await?.ok_or(Refusal::NotFound)?;
                show(&permit, &row, amanat::fhir::ReadConditions::default(), &how, visit, &self.redaction())?
            }
            Interaction::Search(query) => self.search(&permit, query, from.as_ref(), visit).await?,
            Interaction::History(query) => self.history(&permit, query, from.as_ref(), visit).await?,
            Interaction::Create(of, condition) => self.create(&permit, *of, condition.as_deref(), &body, &how, visit).await?,
            Interaction::Update(key, condition) => {
                let change = self.update(&permit, key, *condition, &body).await?;
                let created = change.0;
                self.commit(vec![change.1], visit)
                    .await?
                    .pop()
                    .map(|(stored, receipt)| {
                        Ok::<_, Refusal>(written(&stored, created, &how, &[], self.base(), None)?.paid(receipt))
                    })
                    .unwrap()?
            }
            Interaction::Delete(key, _) => match self.removal(&permit, key).await? {
                Some(change) => {
                    let (stored, receipt) = self.commit(vec![change], visit).await?.pop().unwrap();
                    written(&stored, false, &how, &[], self.base(), None)?.paid(receipt)
                }
                None => Pending::nothing(visit.concluded(Vec::new(), Vec::new())),
            },
            Interaction::Bundle => self.transaction(&body, &how, visit).await?,
            _ => return Err(Refusal::NotSupported(request.path.clone())),
        };
        Ok((pending, how))
    }

    fn frame(&self, path: &str, next: Option<Cursor>, total: Option<u64>) -> PageFrame {
        let next =
            next.map(|cursor| format!("{}?_page={}", self.base(), URL_SAFE_NO_PAD.encode(format!("{path}\n{}", cursor.0))));
        let self_link = format!("{}/{path}", self.base());
        PageFrame { total, self_link, next_link: next, ignored: Vec::new(), now: Some(self.clock.now()), ..PageFrame::default() }
    }

    async fn search(
        &self,
        permit: &Permit,
        query: &SearchQuery,
        from: Option<&Cursor>,
        visit: &Visit,
    ) -> Result<Pending, Refusal> {
        let bounds = PageBounds { count: query.shape.count.unwrap_or(BOUNDS.count), ..BOUNDS };
        let page = self.store.search(permit, query, from, bounds).await?;
        let owner = query.compartment.as_ref().map(|owner| format!("{}/{}/", owner.resource_type, owner.id)).unwrap_or_default();
        let of = query.types.first().map(|of| of.name()).unwrap_or_default();
        let parameters: Vec<String> =
            query.applied.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
        let frame = self.frame(&format!("{owner}{of}?{}", parameters.join("&")), page.next, page.total);
        searchset(permit, (&page.matches, &page.included), &frame, &query.rendering, visit, &self.redaction())
    }

    async fn history(
        &self,
        permit: &Permit,
        query: &HistoryQuery,
        from: Option<&Cursor>,
        visit: &Visit,
    ) -> Result<Pending, Refusal> {
        let bounds = PageBounds { count: query.count.unwrap_or(BOUNDS.count), ..BOUNDS };
        let page = self.store.history(permit, query, from, bounds).await?;
        let (path, need) = match &query.scope {
            HistoryScope::Instance(key) if page.versions.is_empty() && from.is_none() => {
                return Err(if self.store.versions(std::slice::from_ref(key)).await?[0].is_none() {
                    Refusal::NotFound
                } else {
                    Refusal::Gone
                });
            }
            HistoryScope::Instance(key) => (format!("{key}/"), Need::Read),
            HistoryScope::Type(of) => (format!("{of}/"), Need::Search),
            HistoryScope::System => (String::new(), Need::Search),
        };
        let since = query.since.map(|since| format!("_since={}", encode(&since.to_string())));
        let at = query.at.as_ref().map(|at| format!("_at={}", encode(&at.text)));
        let mut parameters: Vec<String> = since.into_iter().chain(at).collect();
        parameters.extend(query.count.map(|count| format!("_count={count}")));
        let frame = self.frame(&format!("{path}_history?{}", parameters.join("&")), page.next, page.total);
        history(permit, need, &page.versions, &frame, &query.rendering, visit, &self.redaction())
    }

    async fn create(
        &self,
        permit: &Permit,
        of: ResourceType,
        condition: Option<&SearchQuery>,
        body: &Sealed,
        how: &Rendering,
        visit: &Visit,
    ) -> Result<Pending, Refusal> {
        if let Some(condition) = condition {
            let rows = self.store.select(permit, Need::Search, condition, 2).await?;
            match rows.as_slice() {
                [] => {}
                [only] => return found(permit, only, how, visit, &self.redaction()),
                _ => return Err(Refusal::SeveralMatch),
            }
        }
        let key = Key::new(of, Id::random());
        let change = self.changed(permit, &key, None, Draft::read(body, of, None)?, Need::Create)?;
        let (stored, receipt) = self.commit(vec![change], visit).await?.pop().unwrap();
        Ok(written(&stored, true, how, &[], self.base(), None)?.paid(receipt))
    }

    /// Whether it creates, and the change.
    async fn update(
        &self,
        permit: &Permit,
        key: &Key,
        condition: WriteCondition,
        body: &Sealed,
    ) -> Result<(bool, Change), Refusal> {
        let old = self.store.read(permit, Need::Update, key).await?;
        if let WriteCondition::Match(version) = condition
            && old.as_ref().is_none_or(|old| old.facts.deleted || old.facts.version != version)
        {
            return Err(Refusal::VersionMismatch);
        }
        let created = old.as_ref().is_none_or(|old| old.facts.deleted);
        let draft = Draft::read(body, key.resource_type, Some(&key.id))?;
        Ok((created, self.changed(permit, key, old.as_ref(), draft, Need::Update)?))
    }

    fn changed(&self, permit: &Permit, key: &Key, old: Option<&Row>, draft: Draft, need: Need) -> Result<Change, Refusal> {
        draft.change(permit, need, key.clone(), old, &self.redaction().marking, self.clock.now())
    }

    async fn removal(&self, permit: &Permit, key: &Key) -> Result<Option<Change>, Refusal> {
        let old = self.store.read(permit, Need::Delete, key).await?.filter(|old| !old.facts.deleted);
        old.map(|old| deletion(&old, &self.redaction().marking)).transpose()
    }

    async fn commit(
        &self,
        changes: Vec<Change>,
        visit: &Visit,
    ) -> Result<Vec<(amanat::disclosure::Stored, amanat::audit::Receipt)>, Refusal> {
        use amanat::audit::Trail as _;
        let entries = vec![visit.concluded(Vec::new(), Vec::new())];
        let committed = self.store.commit(Commit { guards: Vec::new(), changes, entries }).await?;
        let mut all = Vec::new();
        for stored in committed.stored {
            let receipt =
                self.store.append(visit.concluded(Vec::new(), Vec::new())).await.map_err(|_| Refusal::TrailUnavailable)?;
            all.push((stored, receipt));
        }
        Ok(all)
    }

    /// `PUT` and `DELETE`, all or nothing: what the gateway sends.
    async fn transaction(&self, body: &Sealed, how: &Rendering, visit: &Visit) -> Result<Pending, Refusal> {
        let (_, parts) = unpack(body, 10_000)?;
        let (mut changes, mut created) = (Vec::new(), Vec::new());
        for part in &parts {
            let (creates, change) = self.step(part).await?;
            created.push(creates);
            changes.push(change);
        }
        let stored = self.commit(changes, visit).await?;
        let answers = stored.into_iter().zip(created);
        let answers: Result<Vec<_>, Refusal> = answers
            .map(|((stored, receipt), created)| Ok(Ok(written(&stored, created, how, &[], self.base(), None)?.paid(receipt))))
            .collect();
        Ok(responses("transaction-response", answers?))
    }

    async fn step(&self, part: &Part) -> Result<(bool, Change), Refusal> {
        let permit = Self::permit(interaction(&part.request, &self.options())?)?;
        match permit.interaction() {
            Interaction::Update(key, condition) => self.update(&permit, key, *condition, &part.body()?).await,
            Interaction::Delete(key, _) => Ok((false, self.removal(&permit, key).await?.ok_or(Refusal::NotFound)?)),
            _ => Err(Refusal::NotSupported("entry".to_owned())),
        }
    }
}

fn said(status: u16, headers: Vec<(HeaderWord, String)>, body: Vec<u8>) -> Said {
    let mut said = Said::json(status, body);
    for (word, value) in headers {
        said = said.with(word.name(), &value);
    }
    said
}

/// What it says of itself.
fn statement() -> String {
    let resources: Vec<serde_json::Value> = ResourceType::ALL
        .iter()
        .map(|of| {
            let parameters: Vec<serde_json::Value> =
                search_parameters(*of).map(|one| serde_json::json!({"name": one.code, "type": "token"})).collect();
            let interactions = ["read", "vread", "update", "delete", "create", "search-type", "history-instance", "history-type"];
            let interactions: Vec<serde_json::Value> =
                interactions.iter().map(|code| serde_json::json!({"code": code})).collect();
            serde_json::json!({
                "type": of.name(), "searchParam": parameters, "interaction": interactions, "versioning": "versioned-update",
                "updateCreate": true, "conditionalCreate": true,
            })
        })
        .collect();
    let interactions = ["transaction", "history-system"].map(|code| serde_json::json!({"code": code}));
    serde_json::json!({
        "resourceType": "CapabilityStatement", "status": "active", "kind": "instance", "fhirVersion": "4.0.1",
        "format": ["json"], "date": "2026-01-01",
        "rest": [{"mode": "server", "resource": resources, "interaction": interactions}],
    })
    .to_string()
}
