//! A gateway in this process, over a store in a folder of its own, that is gone when it is dropped.

use super::case::{Case, Reply};
use crate::cli::screen::Failure;
use crate::clock::Clock;
use crate::config::{Config, Sources};
use crate::disclosure::{HeaderWord, Sealed};
use crate::fhir::{Headers, Instant, Key, Method, Request, prefer};
use crate::gateway::Inbound;
use crate::identity::Reach;
use crate::smart::{Client, ClientKeys, Grant, issue};
use crate::startup::{Assembly, assemble_over};
use crate::store::RecordStore;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What may stand between a gateway and its store: itself, or what a test plants there.
pub type Over<'o> = dyn Fn(Arc<dyn RecordStore>) -> Arc<dyn RecordStore> + 'o;

/// Where the records of a gateway with this folder and clock are: its section `[store]`, and any that go with it.
pub type Places<'p> = dyn Fn(&Path, &Clock) -> String + 'p;

/// What the gateways of a hunt stand on.
#[derive(Clone, Copy)]
pub struct Ground<'g> {
    /// Between each and its store.
    pub over: &'g Over<'g>,
    /// Where its store is.
    pub places: &'g Places<'g>,
}

/// The embedded store, in the gateway's own folder.
pub(super) fn embedded(_: &Path, _: &Clock) -> String {
    "[store]\nurl = \"sqlite:selftest.db\"\n".to_owned()
}

/// Below which the gateways believe to answer.
pub(super) const BASE: &str = "https://selftest.example/fhir";

/// The client that fills the stores.
const FILLER: &str = "filler";

/// The client that asks.
const ASKER: &str = "asker";

/// Pages of one answer that are followed.
const PAGES: usize = 60;

/// Who asks.
#[derive(Debug, Clone, Default)]
pub(super) struct Asker {
    pub(super) scope: &'static str,
    pub(super) user: Option<&'static str>,
    pub(super) patient: Option<&'static str>,
    pub(super) purpose: Option<&'static str>,
}

/// The gateway.
pub(super) struct Twin {
    assembly: Assembly,
    clock: Clock,
    token: String,
    filler: String,
    // Behind the assembly, so that the files go when nobody uses them any more.
    _folder: Folder,
}

/// A folder that goes with its owner.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

impl Twin {
    /// Opens it, empty.
    pub(super) async fn open(clock: &Clock, asker: &Asker, ground: Ground<'_>) -> Result<Self, Failure> {
        let folder = Folder(std::env::temp_dir().join(format!("amanat-selftest-{}", uuid::Uuid::new_v4())));
        crate::cli::places::make_folder(&folder.0)?;
        let rules = folder.0.join("labels.toml");
        std::fs::write(&rules, super::world::LABEL_RULES)?;
        let file = folder.0.join("amanat.toml");
        std::fs::write(&file, settings(&(ground.places)(&folder.0, clock)))?;
        let config = Config::load(Sources { file: Some(file), ..Sources::default() })?;
        let opened = assemble_over(&config, clock, ground.over).await;
        let assembly = opened.map_err(|error| Failure::of("the gateway of the self-test cannot open", error))?;
        let filler = Asker { scope: "system/*.cruds system/Consent.cruds", ..Asker::default() };
        let mut twin = Self { assembly, clock: clock.clone(), token: String::new(), filler: String::new(), _folder: folder };
        twin.filler = twin.register(FILLER, &filler, true).await?;
        twin.token = twin.register(ASKER, asker, false).await?;
        Ok(twin)
    }

    /// Registers a client, and gives a token for what it asks.
    async fn register(&self, name: &str, asker: &Asker, may_choose_ids: bool) -> Result<String, Failure> {
        let purposes = asker.purpose.iter().map(|one| (*one).to_owned()).collect();
        let kind = match asker.user {
            Some(_) => Client::app(name, name, vec!["https://selftest.example/app".to_owned()], asker.scope),
            None => Client::backend(name, name, ClientKeys::JwksUri(format!("{BASE}/keys")), asker.scope),
        };
        let client = Client { purposes, may_choose_ids, ..kind };
        let client = client.checked(Reach::Public).map_err(|fault| Failure::Failed(fault.to_string()))?;
        let (now, registry) = (self.clock.now(), &self.assembly.registry);
        let grant = Grant {
            issuer: self.assembly.issuer.clone(),
            audience: self.assembly.issuer.clone(),
            client: client.id.clone(),
            subject: asker.user.map(str::to_owned),
            scope: client.scopes.clone(),
            lifetime: 3600,
            user: asker.user.and_then(Key::parse),
            patient: asker.patient.and_then(crate::fhir::Id::parse),
            purposes: client.purposes.clone(),
            ..Grant::default()
        };
        registry.store().add(client, now).await.map_err(|error| Failure::Failed(error.to_string()))?;
        registry.refresh().await.map_err(|error| Failure::Failed(error.to_string()))?;
        let issued = issue(&self.assembly.keys.signing(), &grant, now).map_err(|error| Failure::Failed(error.to_string()))?;
        Ok(issued.token)
    }

    /// Puts records, each at its id, and deletes those that have no content.
    pub(super) async fn fill(&self, records: &[Value]) -> Result<(), Failure> {
        if records.is_empty() {
            return Ok(());
        }
        let entry = |record: &Value| {
            let part = |name: &str| record.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            let url = format!("{}/{}", part("resourceType"), part("id"));
            match record.get("deleted") {
                Some(_) => json!({"request": {"method": "DELETE", "url": url}}),
                None => json!({"resource": record, "request": {"method": "PUT", "url": url}}),
            }
        };
        let entries: Vec<Value> = records.iter().map(entry).collect();
        let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": entries});
        let reply = self.answered(&Case::new(Method::Post, "").json(&bundle), &self.filler).await;
        if reply.status == 200 { Ok(()) } else { Err(Failure::Failed(format!("the self-test cannot fill its store: {reply}"))) }
    }

    /// The answer to a request, and the pages behind it.
    pub(super) async fn ask(&self, case: &Case) -> Vec<Reply> {
        let mut replies = vec![self.answered(case, &self.token).await];
        while let Some(next) = replies.last().and_then(|reply| reply.next(BASE)).filter(|_| replies.len() < PAGES) {
            replies.push(self.answered(&Case::get(next), &self.token).await);
        }
        replies
    }

    async fn answered(&self, case: &Case, token: &str) -> Reply {
        match self.assembly.gateway.answer(inbound(case, token)).await {
            Ok(released) => {
                let (status, headers) = (released.status(), released.headers().to_vec());
                reply(status, &headers, &released.into_body())
            }
            Err(refused) => {
                let (status, headers) = (refused.status(), refused.headers().to_vec());
                reply(status, &headers, &refused.into_body())
            }
        }
    }

    /// Finishes what was begun.
    pub(super) async fn close(self) {
        self.assembly.gateway.close().await;
    }
}

fn settings(store: &str) -> String {
    format!(
        "[server]\nlisten = \"127.0.0.1:0\"\nmanagement_listen = \"127.0.0.1:0\"\nbase_url = \"{BASE}\"\n\
         {store}[limits]\npage_default = 7\n\
         [consent]\nimplicit_policy = \"Policy-all-normal\"\nimplicit_max_conf = \"V\"\nlabel_rules = \"labels.toml\"\n"
    )
}

fn reply(status: u16, headers: &[(HeaderWord, String)], body: &[u8]) -> Reply {
    let headers = headers.iter().map(|(word, value)| (word.name().to_owned(), value.clone())).collect();
    Reply { status, headers, body: String::from_utf8_lossy(body).into_owned() }
}

fn inbound(case: &Case, token: &str) -> Inbound {
    let (path, query) = case.place.split_once('?').unwrap_or((&case.place, ""));
    let of = |name: &str| case.headers.iter().find(|(given, _)| *given == name).map(|(_, value)| value.clone());
    let preferences = of("Prefer");
    let (prefer_return, lenient) = prefer::prefer(preferences.as_deref());
    let headers = Headers {
        if_match: of("If-Match"),
        if_none_match: of("If-None-Match"),
        if_modified_since: of("If-Modified-Since").and_then(|date| Instant::parse_http_date(&date)),
        if_none_exist: of("If-None-Exist"),
        prefer_return,
        lenient,
        accept: None,
        content_type: case.content_type().map(str::to_owned),
        proof: None,
        purposes: None,
    };
    let form = case.form.clone();
    let request = Request { method: case.method, path: path.to_owned(), query: query.to_owned(), form, headers };
    Inbound {
        request,
        body: Sealed::from_wire(case.body.clone().unwrap_or_default().into_bytes()),
        request_id: "selftest".to_owned(),
        address: String::new(),
        authorization: vec![format!("Bearer {token}")],
        certificate: None,
    }
}
