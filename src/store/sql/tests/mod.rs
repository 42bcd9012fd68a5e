//! Tests of the store: a small world of parameters and records, and what is asked of it.

mod commits;
mod conditions;
mod histories;
mod ledger;
mod load;
mod oracle;
mod plans;
mod recent;
mod relabel;
mod searches;

use super::connection::Place;
use super::{Connection, Dialect, PostgresOptions, SqlStore, SqliteOptions};
use crate::access::{Caller, Grant, Level, Permit, Predicate, Scopes};
use crate::audit::{Agent, Entry, Event};
use crate::clock::Clock;
use crate::disclosure::{Change, Commit, Committed, Expected, Forwarded};
use crate::fhir::search::{
    Component, Criterion, IndexEntry, IndexValue, Modifier, OrderKey, OrderKind, OrderedBefore, ParameterId, ParameterType,
    ReferenceValue, ResultShape, SearchParameter, SearchQuery, SystemMatch, TokenValue, Value,
};
use crate::fhir::{
    HistoryQuery, HistoryScope, Id, Instant, Interaction, Key, Marks, Need, Outcome, Rendering, ResourceType, Version,
};
use crate::store::{CommitError, PageBounds, RecordStore, Row, SearchPage};
use std::sync::{Arc, LazyLock};

/// A store in a folder, or a schema, of its own.
struct World {
    store: Arc<SqlStore>,
    clock: Clock,
    folder: tempfile::TempDir,
}

/// The server to test with, when the tests are to run on one: `AMANAT_TEST_STORE=postgres`, and where it is in `AMANAT_TEST_POSTGRES`.
fn server() -> Option<String> {
    std::env::var("AMANAT_TEST_STORE")
        .is_ok_and(|store| store == "postgres")
        .then(|| std::env::var("AMANAT_TEST_POSTGRES").unwrap())
}

/// The URL of a schema that belongs to this folder.
fn schema_of(folder: &std::path::Path, server: &str) -> String {
    let name: String = folder.file_name().unwrap().to_string_lossy().chars().filter(char::is_ascii_alphanumeric).collect();
    let name = format!("t{}_{}", std::process::id(), name.to_lowercase());
    let (make, url) = (format!("CREATE SCHEMA IF NOT EXISTS {name}"), server.to_owned());
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
            let driven = tokio::spawn(connection);
            client.batch_execute(&make).await.unwrap();
            drop(client);
            driven.await.unwrap().unwrap();
        });
    })
    .join()
    .unwrap();
    format!("{server}?options=-csearch_path%3D{name}")
}

const START: Instant = Instant(1_700_000_000_000);
const BOUNDS: PageBounds = PageBounds { count: 1000, included: 1000, bytes: 1 << 30 };

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::fixed(START);
        let store = Arc::new(open(folder.path(), &clock));
        Self { store, clock, folder }
    }

    async fn put(&self, record: Record) -> Committed {
        self.store.commit(record.into_commit()).await.unwrap()
    }

    async fn search(&self, permit: &Permit, query: &SearchQuery) -> SearchPage {
        self.store.search(permit, query, None, BOUNDS).await.unwrap()
    }

    async fn ids(&self, permit: &Permit, query: &SearchQuery) -> Vec<String> {
        ids(&self.search(permit, query).await.matches)
    }
}

fn open(folder: &std::path::Path, clock: &Clock) -> SqlStore {
    if let Some(server) = server() {
        let options = PostgresOptions { connections: 4, ..PostgresOptions::new(&schema_of(folder, &server)) };
        return SqlStore::connect(&options, clock.clone()).unwrap();
    }
    let options = SqliteOptions { readers: 2, ..SqliteOptions::default() };
    SqlStore::open(&folder.join("amanat.db"), clock.clone(), &options).unwrap()
}

fn ids(rows: &[Row]) -> Vec<String> {
    rows.iter().map(|row| row.facts.key.id.to_string()).collect()
}

/// A record on its way in.
#[derive(Clone)]
struct Record {
    key: Key,
    patients: Vec<Id>,
    marks: Marks,
    expected: Expected,
    content: Option<String>,
    add: Vec<IndexEntry>,
    remove: Vec<IndexEntry>,
    before: Vec<OrderedBefore>,
}

impl Record {
    fn new(key: &str, patients: &[&str]) -> Self {
        let key = Key::parse(key).unwrap();
        let content = Some(format!(r#"{{"resourceType":"{}","id":"{}"}}"#, key.resource_type, key.id));
        let patients = patients.iter().map(|patient| id(patient)).collect();
        let (add, remove, before) = (Vec::new(), Vec::new(), Vec::new());
        Self { key, patients, marks: Marks::default(), expected: Expected::Absent, content, add, remove, before }
    }

    fn over(mut self, version: i64) -> Self {
        self.expected = Expected::Version(Version(version));
        self
    }

    fn deleted(mut self) -> Self {
        self.content = None;
        self
    }

    fn add(mut self, parameter: &SearchParameter, value: IndexValue) -> Self {
        self.add.push(IndexEntry { parameter: parameter.id, group: 0, value });
        self
    }

    fn remove(mut self, parameter: &SearchParameter, value: IndexValue) -> Self {
        self.remove.push(IndexEntry { parameter: parameter.id, group: 0, value });
        self
    }

    /// What it was sorted by before.
    fn before(mut self, parameter: &SearchParameter, kind: OrderKind, ends: Option<(OrderKey, OrderKey)>) -> Self {
        self.before.push(OrderedBefore { parameter: parameter.id, kind, ends });
        self
    }

    fn into_change(self) -> Change {
        let content = self.content.as_deref().map(Forwarded::for_test);
        Change {
            key: self.key,
            expected: self.expected,
            content,
            patients: self.patients,
            marks: self.marks,
            add: self.add,
            remove: self.remove,
            before: self.before,
        }
    }

    fn into_commit(self) -> Commit {
        commit(vec![self])
    }
}

fn commit(records: Vec<Record>) -> Commit {
    Commit { guards: Vec::new(), changes: records.into_iter().map(Record::into_change).collect(), entries: vec![entry()] }
}

fn entry() -> Entry {
    Entry {
        event: Event::Rest("create"),
        recorded: START,
        outcome: Outcome::Success,
        reason: String::new(),
        request_id: "r1".into(),
        agent: Agent::default(),
        patients: Vec::new(),
        records: Vec::new(),
        query: None,
        decided: Vec::new(),
    }
}

fn id(text: &str) -> Id {
    Id::parse(text).unwrap()
}

fn key(text: &str) -> Key {
    Key::parse(text).unwrap()
}

/// A caller who may do everything, narrowed.
fn permit(narrowing: Predicate) -> Permit {
    let needs = vec![Need::Create, Need::Read, Need::Update, Need::Delete, Need::Search];
    let text = "system/*.cruds".to_owned();
    let grant = Grant {
        level: Level::System,
        resource_type: None,
        needs,
        constraint: Arc::new([]),
        text: text.clone(),
        form: crate::access::Form::V2,
    };
    let caller = Caller {
        issuer: "https://issuer.example".into(),
        subject: "hospital".into(),
        client: "hospital".into(),
        user: None,
        organization: None,
        scopes: Scopes { grants: vec![grant], contexts: Vec::new(), text },
        patient: None,
        encounter: None,
        purposes: Vec::new(),
        acr: None,
        token_id: None,
        expires: Instant(i64::MAX),
        sign_in: crate::access::SignIn::default(),
    };
    Permit::for_test(caller, Interaction::Capabilities, narrowing)
}

fn everything() -> Permit {
    permit(Predicate::All)
}

/// A search for observations.
fn observations(criteria: Vec<Criterion>) -> SearchQuery {
    of(vec![ResourceType::Observation], criteria)
}

fn of(types: Vec<ResourceType>, criteria: Vec<Criterion>) -> SearchQuery {
    SearchQuery {
        contained: None,
        types,
        compartment: None,
        criteria,
        shape: ResultShape::default(),
        rendering: Rendering::default(),
        applied: Vec::new(),
        ignored: Vec::new(),
    }
}

struct Parameters {
    code: SearchParameter,
    category: SearchParameter,
    patient: SearchParameter,
    date: SearchParameter,
    note: SearchParameter,
    probability: SearchParameter,
    value: SearchParameter,
    profile: SearchParameter,
    code_value: SearchParameter,
    family: SearchParameter,
    near: SearchParameter,
}

/// Row numbers far from those of R4.
static PARAMETERS: LazyLock<Parameters> = LazyLock::new(|| {
    use ParameterType as P;
    let of = |n: i32, code: &str, parameter_type| SearchParameter {
        id: ParameterId(900_000 + 8 * n),
        resource_type: if code == "family" { ResourceType::Patient } else { ResourceType::Observation },
        code: code.to_owned(),
        parameter_type,
        targets: if code == "patient" { vec![ResourceType::Patient] } else { Vec::new() },
        components: Vec::new(),
        url: format!("http://test/{code}"),
        implied_system: None,
        ignores_case: false,
    };
    let mut code_value = of(8, "code-value", P::Composite);
    let component = |n, parameter_type| Component { parameter_type, id: code_value.id.component(n), targets: Vec::new() };
    let components = vec![component(0, P::Token), component(1, P::Quantity)];
    code_value.components = components;
    Parameters {
        code: of(0, "code", P::Token),
        category: of(1, "category", P::Token),
        patient: of(2, "patient", P::Reference),
        date: of(3, "date", P::Date),
        note: of(4, "note", P::String),
        probability: of(5, "probability", P::Number),
        value: of(6, "value", P::Quantity),
        profile: of(7, "profile", P::Uri),
        code_value,
        family: of(9, "family", P::String),
        near: of(10, "near", P::Special),
    }
});

fn parameters() -> &'static Parameters {
    &PARAMETERS
}

fn token(system: &str, code: &str) -> IndexValue {
    IndexValue::Token { system: system.into(), code: code.into() }
}

fn text(exact: &str) -> IndexValue {
    IndexValue::Text { folded: exact.to_lowercase(), exact: exact.into() }
}

fn reference(to: &str) -> IndexValue {
    let key = key(to);
    IndexValue::Reference { resource_type: key.resource_type, id: key.id.to_string() }
}

fn matching(parameter: &'static SearchParameter, value: Value) -> Criterion {
    Criterion::Match { parameter, modifier: Modifier::Plain, values: vec![value] }
}

fn coded(code: &str) -> Value {
    Value::Token(TokenValue { system: SystemMatch::Any, code: Some(code.into()) })
}

fn about(patient: &str) -> Value {
    Value::Reference(ReferenceValue::Local(ResourceType::Patient, id(patient)))
}

fn history_of(scope: HistoryScope) -> HistoryQuery {
    HistoryQuery { scope, count: None, since: None, at: None, rendering: Rendering::default() }
}

async fn versions_of(world: &World, permit: &Permit, query: &HistoryQuery) -> Vec<(String, i64, bool)> {
    let page = world.store.history(permit, query, None, BOUNDS).await.unwrap();
    let of = |row: &Row| (row.facts.key.to_string(), row.facts.version.0, row.content.is_none());
    page.versions.iter().map(of).collect()
}

fn is_stale<T>(outcome: &Result<T, CommitError>) -> bool {
    matches!(outcome, Err(CommitError::Stale))
}
