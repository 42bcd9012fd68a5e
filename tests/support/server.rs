//! The gateway that a test talks to: in a thread and a folder of its own, on a free port, with a clock that stands still.

use super::postgres;
use super::{Behind, Call, Coverage, ISSUER, Plain, Reply, Served, Signer};
use amanat::clock::Clock;
use amanat::fhir::Instant;
use amanat::smart::{Account, Client, Context};
use serde_json::{Value, json};
use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use tempfile::TempDir;

/// The FHIR base that the gateway believes to have.
pub(crate) const BASE: &str = "https://localhost:8443/fhir";

/// When its clock stands at first.
const MOMENT: &str = "2026-06-01T12:00:00Z";

/// A gateway that serves until it is dropped.
pub(crate) struct Server {
    // Before the folder, so that it stops before the folder goes.
    served: Served,
    // Looks at the trail when it goes.
    pub(super) coverage: Coverage,
    /// What keeps the records, where the gateway stands in front of something.
    pub(crate) behind: Option<Behind>,
    folder: TempDir,
    settings: String,
    pub(crate) clock: Clock,
    pub(crate) signer: Arc<Signer>,
}

impl Server {
    /// Has the database look at what it holds, where it plans by that; false where it does not.
    pub(crate) fn analyse(&self) -> bool {
        let url = schema_in(&self.settings, self.folder.path());
        url.inspect(|url| drop(postgres::ask(url, "ANALYZE"))).is_some()
    }
}

/// The URL of the store that these settings name, when it is on a server.
fn schema_in(settings: &str, folder: &std::path::Path) -> Option<String> {
    let ledger = |line: &'_ str| line.strip_prefix("ledger = \"postgres:").map(str::to_owned);
    let set =
        settings.lines().find_map(|line| line.strip_prefix("url = \"postgres:").map(str::to_owned).or_else(|| ledger(line)));
    let set = set.map(|rest| format!("postgres:{}", rest.trim_end_matches('"')));
    let own = || postgres::asked() && !settings.contains("[store]");
    set.or_else(|| own().then(|| postgres::schema(folder, &postgres::server().unwrap())))
}

/// Whether the gateways of these tests stand in front of a plain FHIR server.
fn stands_in_front() -> bool {
    std::env::var("AMANAT_TEST_STORE").is_ok_and(|store| store == "upstream")
}

/// Whether a test cannot be run in front of a server and the tests are; says why.
pub(crate) fn left_out_in_front(why: &str) -> bool {
    if stands_in_front() {
        println!("left out in front of a server: {why}");
    }
    stands_in_front()
}

impl Server {
    /// Without a consent, everybody whom scopes let in.
    pub(crate) fn open() -> Self {
        Self::with("Policy-all-normal", "")
    }

    /// With this implicit policy, and further sections of the configuration.
    pub(crate) fn with(implicit_policy: &str, sections: &str) -> Self {
        Self::made(implicit_policy, "", sections)
    }

    /// In front of something that answers HTTP; `settings` are those of `[upstream]`.
    pub(crate) fn before(behind: Behind, implicit_policy: &str, settings: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::fixed(Instant::parse(MOMENT).unwrap());
        Self::served(folder, clock, Some(behind), implicit_policy, "", &format!("[upstream]\n{settings}\n"))
    }

    /// In front of a plain FHIR server.
    pub(crate) fn before_plain(implicit_policy: &str, settings: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::fixed(Instant::parse(MOMENT).unwrap());
        let behind = Plain::start(folder.path(), &clock);
        Self::served(folder, clock, Some(behind), implicit_policy, "", &format!("[upstream]\n{settings}\n"))
    }

    /// In front of a plain FHIR server, with further sections of the configuration.
    pub(crate) fn in_front(implicit_policy: &str, sections: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::fixed(Instant::parse(MOMENT).unwrap());
        let behind = Plain::start(folder.path(), &clock);
        Self::served(folder, clock, Some(behind), implicit_policy, "", sections)
    }

    /// With further settings of the issuer.
    pub(crate) fn with_issuer(settings: &str) -> Self {
        Self::made("Policy-all-normal", settings, "")
    }

    /// Without a consent nobody; only the client that seeds may choose ids.
    pub(crate) fn strict(sections: &str) -> Self {
        let server = Self::made("Policy-deny", "update_as_create = false", sections);
        let seeds = Client::app("c1", "Seeds", Vec::new(), "system/*.cruds system/Consent.cruds system/AuditEvent.rs");
        server.register(Client { issuer: Some(ISSUER.to_owned()), may_choose_ids: true, ..seeds });
        server
    }

    /// Under another FHIR base. Its tokens are its own alone.
    pub(crate) fn at(base: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::fixed(Instant::parse(MOMENT).unwrap());
        let lead = format!("base_url = \"{base}\"");
        Self::configured(folder, clock, None, "Policy-all-normal", (&lead, ""), "")
    }

    /// As a demo is served.
    pub(crate) fn demo() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::fixed(Instant::parse(MOMENT).unwrap());
        Self::configured(folder, clock, None, "Policy-all-normal", ("exposure = \"demo\"", ""), "")
    }

    /// With `AMANAT_TEST_STORE=upstream` every gateway of the tests stands in front of a plain FHIR server, but for those of which the
    /// test says itself where their records are: these are the same wherever the others stand.
    fn made(implicit_policy: &str, issuer: &str, sections: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::fixed(Instant::parse(MOMENT).unwrap());
        let in_front = stands_in_front() && !sections.contains("[store]");
        let behind = in_front.then(|| Plain::start(folder.path(), &clock));
        Self::served(folder, clock, behind, implicit_policy, issuer, sections)
    }

    fn served(
        folder: TempDir,
        clock: Clock,
        behind: Option<Behind>,
        implicit_policy: &str,
        issuer: &str,
        sections: &str,
    ) -> Self {
        let store = behind.as_ref().map(|behind| format!("[store]\nurl = \"{}\"\n", behind.base())).unwrap_or_default();
        Self::configured(folder, clock, behind, implicit_policy, ("", issuer), &format!("{sections}\n{store}"))
    }

    /// In front of a server that runs already, at this base.
    pub(crate) fn before_peer(base: &str, settings: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::fixed(Instant::parse(MOMENT).unwrap());
        let sections = format!("[store]\nurl = \"{base}\"\n[upstream]\n{settings}\n");
        Self::configured(folder, clock, None, "Policy-all-normal", ("", ""), &sections)
    }

    /// With files beside the configuration, which `sections` may name; `make` writes them.
    pub(crate) fn with_files(implicit_policy: &str, sections: &str, make: impl FnOnce(&std::path::Path)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        make(folder.path());
        let clock = Clock::fixed(Instant::parse(MOMENT).unwrap());
        Self::configured(folder, clock, None, implicit_policy, ("", ""), sections)
    }

    /// `lead` belongs to `[server]`, `issuer` to the issuer.
    fn configured(
        folder: TempDir,
        clock: Clock,
        behind: Option<Behind>,
        implicit_policy: &str,
        (lead, issuer): (&str, &str),
        sections: &str,
    ) -> Self {
        let signer = Arc::new(Signer::new("k1"));
        std::fs::write(folder.path().join("jwks.json"), signer.key_set().to_string()).unwrap();
        let settings = format!(
            "{lead}\n[[issuers]]\nissuer = \"{ISSUER}\"\naudience = [\"{BASE}\"]\njwks_file = \"jwks.json\"\nalgorithms = [\"ES256\"]\n{issuer}\n\
             [consent]\nimplicit_policy = \"{implicit_policy}\"\n{sections}\n"
        );
        let served = Served::new(folder.path(), settings.clone(), &clock);
        let coverage = Coverage::of(folder.path().join("amanat.db"), schema_in(&settings, folder.path()));
        Self { served, coverage, behind, folder, settings, clock, signer }
    }

    /// Stops, lets something happen to the store, and starts again.
    pub(crate) fn restart(self, meanwhile: impl FnOnce(&std::path::Path)) -> Self {
        let Self { served, coverage, behind, folder, settings, clock, signer } = self;
        drop(served);
        meanwhile(&folder.path().join("amanat.db"));
        let served = Served::new(folder.path(), settings.clone(), &clock);
        Self { served, coverage, behind, folder, settings, clock, signer }
    }

    /// Another node with the same settings: of the same store, when that is on a server.
    pub(crate) fn beside(&self) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("jwks.json"), self.signer.key_set().to_string()).unwrap();
        let (settings, clock) = (self.settings.clone(), self.clock.clone());
        let served = Served::new(folder.path(), settings.clone(), &clock);
        let coverage = Coverage::of(folder.path().join("amanat.db"), self.schema());
        Self { served, coverage, behind: None, folder, settings, clock, signer: Arc::clone(&self.signer) }
    }

    /// The URL of the store, when it is on a server.
    pub(crate) fn schema(&self) -> Option<String> {
        schema_in(&self.settings, self.folder.path())
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.served.address
    }

    /// Where health and metrics are.
    pub(crate) fn management(&self) -> SocketAddr {
        self.served.management
    }

    /// Where it speaks MLLP.
    pub(crate) fn mllp(&self) -> SocketAddr {
        self.served.mllp.unwrap()
    }

    /// The folder of its settings.
    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// The file of the embedded store.
    pub(crate) fn database(&self) -> PathBuf {
        self.folder.path().join("amanat.db")
    }

    /// Registers a client with the gateway's own issuer.
    pub(crate) fn register(&self, client: Client) {
        self.served.register(client);
        self.served.look_at_registry();
    }

    /// Changes a registered client, as an operator does.
    pub(crate) fn change_client(&self, id: &str, change: impl FnOnce(Client) -> Client) {
        self.served.change_client(id, change);
        self.served.look_at_registry();
    }

    /// Rotates the signing keys; the names of the new ones.
    pub(crate) fn rotate_keys(&self, lost: bool) -> Vec<String> {
        self.served.rotate_keys(lost)
    }

    /// The secret of a link by which somebody chooses a password.
    pub(crate) fn invite(&self, username: &str) -> String {
        self.served.invite(username)
    }

    /// Adds somebody who signs in.
    pub(crate) fn add_account(&self, account: &Account) {
        self.served.add_account(account);
    }

    /// Locks somebody out.
    pub(crate) fn lock_account(&self, username: &str) {
        self.served.lock_account(username);
    }

    /// What an EHR does at which somebody is signed in with this cookie.
    pub(crate) fn launch(&self, client: &str, context: Context, session: &str) -> Result<String, String> {
        self.served.launch(client, context, session)
    }

    /// Takes the registered clients over, as the gateway does each second.
    pub(crate) fn look_at_registry(&self) {
        self.served.look_at_registry();
    }

    /// Locks a client out.
    pub(crate) fn disable(&self, client: &str) {
        self.served.disable(client);
    }

    /// Asks the gateway what no route asks.
    pub(crate) fn inside<T, W: Future<Output = T>>(&self, work: impl FnOnce(std::sync::Arc<amanat::gateway::Gateway>) -> W) -> T {
        self.served.wait(work)
    }

    /// Moves the clock on.
    pub(crate) fn wait(&self, seconds: i64) {
        self.clock.set(self.clock.now().plus_seconds(seconds));
    }

    /// A token of these claims; the ones that every token needs are added where they are missing.
    pub(crate) fn token(&self, claims: Value) -> String {
        let now = self.clock.now().seconds();
        let mut all =
            json!({"iss": ISSUER, "aud": BASE, "sub": "s1", "client_id": "c1", "iat": now, "exp": now + 3600, "jti": "j1"});
        for (name, value) in claims.as_object().unwrap() {
            all[name] = value.clone();
        }
        self.signer.sign(&all)
    }

    /// A client acting alone.
    pub(crate) fn system(&self, scopes: &str) -> String {
        self.token(json!({"scope": scopes}))
    }

    /// An app that a patient opened.
    pub(crate) fn patient(&self, id: &str, scopes: &str) -> String {
        let user = format!("Patient/{id}");
        self.token(json!({"scope": scopes, "patient": id, "fhirUser": user, "client_id": "app", "sub": id}))
    }

    /// A practitioner through an app, for treatment.
    pub(crate) fn clinician(&self, id: &str, scopes: &str) -> String {
        let user = format!("Practitioner/{id}");
        self.token(json!({"scope": scopes, "fhirUser": user, "client_id": "ward", "sub": id, "purpose_of_use": "TREAT"}))
    }

    pub(crate) fn call(&self, method: &str, path: &str) -> Call<'_> {
        Call::new(self, method, path)
    }

    pub(crate) fn get(&self, path: &str, token: &str) -> Reply {
        self.call("GET", path).token(token).send()
    }

    pub(crate) fn post(&self, path: &str, token: &str, body: &Value) -> Reply {
        self.call("POST", path).token(token).json(body).send()
    }

    pub(crate) fn put(&self, path: &str, token: &str, body: &Value) -> Reply {
        self.call("PUT", path).token(token).json(body).send()
    }

    pub(crate) fn patch(&self, path: &str, token: &str, body: &Value) -> Reply {
        self.call("PATCH", path).token(token).json(body).send()
    }

    pub(crate) fn delete(&self, path: &str, token: &str) -> Reply {
        self.call("DELETE", path).token(token).send()
    }

    /// Puts records in one transaction, each under its own id.
    #[track_caller]
    pub(crate) fn seed(&self, records: &[Value]) {
        let entry = |record: &Value| {
            let url = format!("{}/{}", record["resourceType"].as_str().unwrap(), record["id"].as_str().unwrap());
            json!({"resource": record, "request": {"method": "PUT", "url": url}})
        };
        let entries: Vec<Value> = records.iter().map(entry).collect();
        let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": entries});
        let _ = self.post("", &self.system("system/*.cruds system/Consent.cruds"), &bundle).expect(200);
    }
}
