//! The record store in a database: an embedded SQLite, or a PostgreSQL server that several nodes share; with the trail and the gateway's own few tables beside the records.
//!
//! * [`Ledger`]: one writer, whose waiting jobs share a commit; readers. `turn`: how the nodes of a server take turns.
//! * `dialect`: where the two databases differ. `postgres`: connections to a server.
//! * `compile`: queries and permits to SQL. `select`, `search`, `include`, `history`, `point`: what is read with it.
//! * `commit`, `index`, `names`: what is written.

mod answered;
mod app_state;
mod before;
mod bind;
mod commit;
mod compile;
mod connection;
mod cursor;
mod dialect;
mod emergency;
mod evidence;
mod fold;
mod gate;
mod history;
mod include;
mod index;
mod judge;
mod lab;
mod lane;
mod ledger;
mod load;
mod marks;
mod names;
mod pending;
mod point;
mod postgres;
mod queue;
mod recent;
mod reindex;
mod relabel;
mod rows;
mod search;
mod select;
mod settings;
mod shared;
mod spool;
mod spooling;
mod statement;
mod terms;
#[cfg(test)]
mod tests;
mod trail;
mod turn;
mod upstream_labels;
mod upstream_turns;
mod watch;
mod wording;
mod words;
mod writer;

pub use connection::Connection;
pub use dialect::Dialect;
pub use ledger::Ledger;
pub use postgres::{Here, PgLink, PostgresOptions};
pub use trail::TrailRow;

use super::shared::Shared;
use super::{
    Answering, CommitError, Cursor, HistoryPage, Marked, PageBounds, RecordStore, Row, SearchPage, StoreError, UnmarkedBatch,
};
use crate::access::{Permit, Predicate};
use crate::audit::Receipt;
use crate::clock::Clock;
use crate::disclosure::{Commit, Committed};
use crate::fhir::search::{IndexEntry, ParameterId, SearchQuery};
use crate::fhir::{Facts, HistoryQuery, Key, Need, ResourceType, Version};
use connection::{FilePlace, Place, Use, number};
use diesel::migration::MigrationSource;
use diesel::sqlite::Sqlite;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use ledger::Crew;
use postgres::{Server, ServerPlace};
use statement::Statement;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use writer::Failing;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/sqlite");

/// How the store uses the machine.
#[derive(Debug, Clone)]
pub struct SqliteOptions {
    /// Threads for searches and histories.
    pub readers: usize,
    /// Bytes of the database file that a connection for searches may map into memory.
    pub mapped: i64,
    /// Bytes of records to keep in memory that were read by their key.
    pub recent: u64,
    /// The name of this node in the trail.
    pub node: String,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        let readers = std::thread::available_parallelism().map_or(2, std::num::NonZero::get).clamp(1, 8);
        Self { readers, mapped: 1 << 30, recent: 32 << 20, node: "amanat".to_owned() }
    }
}

/// The store.
#[derive(Debug)]
pub struct SqlStore {
    ledger: Arc<Ledger>,
    /// The load that is on in this process.
    alive: Mutex<Option<load::Alive>>,
    /// A load was on in another process, when that was asked last.
    being_loaded: AtomicBool,
}

/// Connections for reads by key, of so many in all: a quarter.
const PEEKERS: usize = 4;
/// Connections at least: the writer's, one for reads by key, and two for searches.
const FEWEST: usize = 4;

impl SqlStore {
    /// Opens the database, makes it if there is none, and brings its tables up to date.
    ///
    /// # Errors
    /// When it cannot be opened or migrated, or was written by a newer release.
    pub fn open(path: &Path, clock: Clock, options: &SqliteOptions) -> Result<Self, StoreError> {
        let place = FilePlace::new(path, options.mapped)?;
        migrate(&place)?;
        let (recent, node) = (options.recent, options.node.clone());
        let crew = Crew { readers: options.readers, peekers: 0, replicas: Vec::new(), recent, node };
        Self::over(Ledger::start(Place::File(place), clock, &crew)?)
    }

    fn over(ledger: Ledger) -> Result<Self, StoreError> {
        let being_loaded = ledger.peek_now(load::is_on)?;
        Ok(Self { ledger: Arc::new(ledger), alive: Mutex::default(), being_loaded: AtomicBool::new(being_loaded) })
    }

    /// Connects to a database on a server, and brings its tables up to date. Blocks until then.
    ///
    /// # Errors
    /// When it cannot be reached or migrated, or was written to by a newer release.
    pub fn connect(options: &PostgresOptions, clock: Clock) -> Result<Self, StoreError> {
        let place = |url| {
            let server = Server::parse(url, options.password.as_ref())?;
            Ok::<_, StoreError>(ServerPlace { server, statement_timeout: options.statement_timeout })
        };
        let first = place(&options.url)?;
        let replicas = options.replicas.iter().map(place).collect::<Result<Vec<_>, _>>()?;
        // On a thread of its own: the caller's may have a runtime already.
        std::thread::scope(|scope| scope.spawn(|| postgres::migrate(&first)).join())
            .unwrap_or_else(|_| Err(StoreError::Unavailable("the migration panicked".to_owned())))?;
        let connections = options.connections.max(FEWEST);
        let peekers = connections / PEEKERS;
        let crew = Crew { readers: connections - peekers - 1, peekers, replicas, recent: 0, node: options.node.clone() };
        Self::over(Ledger::start(Place::Server(first), clock, &crew)?)
    }

    /// What other nodes may do to this store; `None` for one that is this node's alone.
    pub fn shared(self: &Arc<Self>) -> Option<Arc<dyn Shared>> {
        let server = matches!(self.ledger.place(), Place::Server(_));
        server.then(|| Arc::clone(self) as Arc<dyn Shared>)
    }

    /// Writes and reads of the gateway's own tables.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Whether writes can be taken and the database can be read, now.
    pub fn ready(&self) -> bool {
        // On a server the writer looks once a second; asking here would hold up whoever asks.
        let readable = match self.ledger.place() {
            Place::File(file) => {
                file.inline(|connection| Ok::<_, StoreError>(number(connection, Statement::new("SELECT 1"))?)).is_ok()
            }
            Place::Server(_) => true,
        };
        self.ledger.ready() && readable
    }

    /// Finishes what waits and folds the write-ahead log into the file. Blocks until done; afterwards nothing is taken any more.
    pub fn close(&self) {
        self.ledger.close();
    }
}

impl SqlStore {
    async fn read_by(&self, predicate: Predicate, key: &Key) -> Result<Option<Row>, StoreError> {
        let recent = self.ledger.recent();
        let decided = |row: &Row| gate::by_facts(&predicate, &row.facts).map(|shown| shown.then(|| row.clone()));
        if let Some(answer) = recent.find(key, decided).flatten() {
            return Ok(answer);
        }
        let (seen, wanted) = (recent.seen(key), key.clone());
        let found = self.ledger.peek(move |connection| point::read(connection, &predicate, &wanted)).await?;
        if let Some(row) = &found {
            recent.keep(seen, row);
        }
        Ok(found)
    }
}

fn migrate(place: &FilePlace) -> Result<(), StoreError> {
    let failed = |error: Box<dyn std::error::Error + Send + Sync>| StoreError::Unavailable(format!("migration: {error}"));
    let mut connection = place.open(Use::Write)?;
    let known = MigrationSource::<Sqlite>::migrations(&MIGRATIONS).map_err(failed)?;
    let newest = known.iter().map(|migration| migration.name().version().as_owned()).max();
    let applied = MigrationHarness::<Sqlite>::applied_migrations(&mut connection).map_err(failed)?;
    if applied.iter().max() > newest.as_ref() {
        return Err(StoreError::Unavailable("the database was written by a newer release of amanat; use that one".into()));
    }
    connection.run_pending_migrations(MIGRATIONS).map_err(failed)?;
    Ok(())
}

impl RecordStore for SqlStore {
    fn read<'a>(&'a self, permit: &'a Permit, need: Need, key: &'a Key) -> Answering<'a, Option<Row>> {
        let predicate = permit.rows(key.resource_type, need);
        Box::pin(async move {
            match predicate {
                Predicate::None => Ok(None),
                predicate => self.read_by(predicate, key).await,
            }
        })
    }

    fn vread<'a>(&'a self, permit: &'a Permit, key: &'a Key, version: Version) -> Answering<'a, Option<Row>> {
        let predicate = permit.rows(key.resource_type, Need::Read);
        Box::pin(async move {
            match predicate {
                Predicate::None => Ok(None),
                predicate => {
                    let key = key.clone();
                    self.ledger.peek(move |connection| point::vread(connection, &predicate, &key, version)).await
                }
            }
        })
    }

    fn search<'a>(
        &'a self,
        permit: &'a Permit,
        query: &'a SearchQuery,
        from: Option<&'a Cursor>,
        bounds: PageBounds,
    ) -> Answering<'a, SearchPage> {
        let (permit, query, from) = (permit.clone(), query.clone(), from.cloned());
        Box::pin(async move {
            self.demand_whole().await?;
            self.ledger.read_anywhere(move |connection| search::page(connection, &permit, &query, from.as_ref(), bounds)).await
        })
    }

    fn history<'a>(
        &'a self,
        permit: &'a Permit,
        query: &'a HistoryQuery,
        from: Option<&'a Cursor>,
        bounds: PageBounds,
    ) -> Answering<'a, HistoryPage> {
        let (permit, query, from) = (permit.clone(), query.clone(), from.cloned());
        Box::pin(self.ledger.read_anywhere(move |connection| history::page(connection, &permit, &query, from.as_ref(), bounds)))
    }

    fn select<'a>(&'a self, permit: &'a Permit, need: Need, query: &'a SearchQuery, limit: u32) -> Answering<'a, Vec<Row>> {
        let (permit, query) = (permit.clone(), query.clone());
        let read = move |connection: &mut _| select::rows(connection, &permit, need, &query, limit);
        Box::pin(async move {
            self.demand_whole().await?;
            self.ledger.read(move |connection| connection::snapshot(connection, read)).await
        })
    }

    fn commit(&self, commit: Commit) -> Answering<'_, Committed, CommitError> {
        let bytes = commit::bytes(&commit);
        Box::pin(async move {
            if !commit.changes.is_empty() {
                self.demand_whole().await?;
            }
            let applied = self.ledger.submit_failing(Failing::Early, bytes, move |writer| commit::apply(writer, commit)).await?;
            Ok(Committed { stored: applied.stored, receipt: Receipt::durable(applied.seq) })
        })
    }

    fn consents(&self) -> Answering<'_, Vec<Row>> {
        Box::pin(self.ledger.read(|connection| point::all(connection, ResourceType::Consent)))
    }

    fn current(&self, of: ResourceType) -> Answering<'_, Vec<Row>> {
        Box::pin(self.ledger.read(move |connection| point::all(connection, of)))
    }

    fn facts_of(&self, key: &Key) -> Result<Option<Facts>, StoreError> {
        let key = key.clone();
        self.ledger.peek_now(move |connection| point::facts_of(connection, &key))
    }

    fn all_versions<'a>(&'a self, key: &'a Key) -> Answering<'a, Vec<Row>> {
        let key = key.clone();
        Box::pin(self.ledger.read(move |connection| point::versions(connection, &key)))
    }

    fn versions<'a>(&'a self, keys: &'a [Key]) -> Answering<'a, Vec<Option<(Version, bool)>>> {
        let keys = keys.to_vec();
        Box::pin(self.ledger.peek(move |connection| keys.iter().map(|key| Ok(point::version(connection, key)?)).collect()))
    }

    fn facts<'a>(&'a self, keys: &'a [Key]) -> Answering<'a, Vec<Facts>> {
        let keys = keys.to_vec();
        Box::pin(self.ledger.peek(move |connection| point::facts(connection, &keys)))
    }

    fn unmarked(&self, ruleset: i64) -> Answering<'_, Option<UnmarkedBatch>> {
        Box::pin(self.next_unmarked(ruleset))
    }

    fn mark(&self, ruleset: i64, marked: Vec<Marked>, reached: i64, last: bool) -> Answering<'_, ()> {
        Box::pin(self.write_marks(ruleset, marked, reached, last))
    }

    fn parameter_state(&self) -> Answering<'_, Option<Vec<u8>>> {
        Box::pin(self.setting(reindex::SETTING))
    }

    fn keep_parameter_state(&self, state: Vec<u8>, tell: bool) -> Answering<'_, ()> {
        Box::pin(self.ledger.write(move |connection| reindex::keep(connection, state, tell)))
    }

    fn extraction_state(&self) -> Answering<'_, Option<Vec<u8>>> {
        Box::pin(self.setting(reindex::EXTRACTION))
    }

    fn keep_extraction_state(&self, state: Vec<u8>) -> Answering<'_, ()> {
        Box::pin(self.set_setting(reindex::EXTRACTION, state))
    }

    fn index_anew(&self, entries: Vec<(i64, Version, Vec<IndexEntry>)>) -> Answering<'_, ()> {
        Box::pin(self.ledger.submit(0, move |writer| reindex::anew(writer, entries)))
    }

    fn any_indexed(&self) -> Answering<'_, bool> {
        Box::pin(self.ledger.read(reindex::any))
    }

    fn records_after(&self, of: ResourceType, place: i64) -> Answering<'_, Vec<(i64, Row)>> {
        Box::pin(self.ledger.read(move |connection| reindex::after(connection, of, place)))
    }

    fn index(&self, entries: Vec<(i64, Version, Vec<IndexEntry>)>) -> Answering<'_, ()> {
        Box::pin(self.ledger.submit(0, move |writer| reindex::add(writer, entries)))
    }

    fn unindex(&self, parameter: ParameterId) -> Answering<'_, ()> {
        Box::pin(self.ledger.write(move |connection| reindex::remove(connection, parameter)))
    }

    fn ready(&self) -> bool {
        Self::ready(self)
    }

    fn close(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let ledger = Arc::clone(&self.ledger);
        Box::pin(async move {
            // Closing waits for the last commit: not on a thread that serves.
            if tokio::task::spawn_blocking(move || ledger.close()).await.is_err() {
                tracing::error!("the store could not be closed");
            }
        })
    }
}
