//! Connections: how one is opened, and the one that each thread keeps for short reads.

use super::dialect::Dialect;
use super::postgres::{PgLink, ServerPlace};
use super::statement::Statement;
use crate::store::StoreError;
use diesel::connection::{Connection as _, SimpleConnection};
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// A connection to the database.
pub enum Connection {
    /// To the embedded one.
    Sqlite(SqliteConnection),
    /// To a server.
    Postgres(Box<PgLink>),
}

impl Connection {
    /// What SQL is to be written for.
    pub fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite(_) => Dialect::Sqlite,
            Self::Postgres(_) => Dialect::Postgres,
        }
    }
}

/// Runs an expression of diesel, such as `client::table.find(id).first(c)`, on whichever database a connection leads to.
///
/// ```ignore
/// on!(connection, c => client::table.find(id).select(client::name).first::<String>(c))
/// ```
#[macro_export]
macro_rules! on {
    ($connection:expr, $c:ident => $work:expr) => {
        match $connection {
            $crate::store::sql::Connection::Sqlite($c) => $work,
            $crate::store::sql::Connection::Postgres(link) => {
                let $c = link.as_mut();
                $work
            }
        }
    };
}

/// KiB of pages that the writer of the embedded database keeps.
pub(super) const WRITES_CACHED: i64 = 32_000;

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// The writer's only one.
    Write,
    /// Reads; a write is refused by the database itself.
    Read,
    /// Reads of a few pages each, between which others write.
    Peek,
    /// Folds the log into the file.
    Fold,
}

/// Where the database is.
#[derive(Debug, Clone)]
pub(super) enum Place {
    /// In a file.
    File(FilePlace),
    /// On a server.
    Server(ServerPlace),
}

impl Place {
    /// A new connection.
    pub(super) fn connect(&self, purpose: Use) -> Result<Connection, StoreError> {
        match self {
            Self::File(file) => file.connect(purpose),
            Self::Server(server) => server.connect(purpose),
        }
    }
}

/// The file, and how much of it to hold in memory.
#[derive(Debug, Clone)]
pub(super) struct FilePlace {
    path: PathBuf,
    number: u64,
    mapped: i64,
}

impl FilePlace {
    /// `mapped`: bytes of the file that a connection maps into memory.
    pub(super) fn new(path: &Path, mapped: i64) -> Result<Self, StoreError> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let path = std::path::absolute(path).map_err(|error| StoreError::Unavailable(error.to_string()))?;
        Ok(Self { path, number: NUMBER.fetch_add(1, Ordering::Relaxed), mapped })
    }

    /// A new connection.
    pub(super) fn connect(&self, purpose: Use) -> Result<Connection, StoreError> {
        self.open(purpose).map(Connection::Sqlite)
    }

    /// The file, opened.
    pub(super) fn open(&self, purpose: Use) -> Result<SqliteConnection, StoreError> {
        let name = self.path.to_str().ok_or_else(|| StoreError::Unavailable("the path is not UTF-8".into()))?;
        let failed = |error: &dyn std::fmt::Display| StoreError::Unavailable(error.to_string());
        let mut connection = SqliteConnection::establish(name).map_err(|error| failed(&error))?;
        let (cache, own) = match purpose {
            // The writer syncs at each commit (FULL): an answer is given only for what the disk has. The log is folded by `fold`; where
            // that does not keep up, by SQLite at last.
            Use::Write => {
                (WRITES_CACHED, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 40000;")
            }
            // It syncs as the writer does: the log before its pages are copied, the file after.
            Use::Fold => (100, "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;"),
            Use::Read | Use::Peek => (4_000, "PRAGMA query_only = ON;"),
        };
        // Each commit of another connection makes SQLite unmap the file: for a few pages, copying them costs less than mapping it anew.
        let mapped = if matches!(purpose, Use::Peek | Use::Fold) { 0 } else { self.mapped };
        let settings = format!(
            "PRAGMA busy_timeout = 5000; {own} PRAGMA foreign_keys = OFF; PRAGMA temp_store = MEMORY; \
             PRAGMA cache_size = -{cache}; PRAGMA mmap_size = {mapped};"
        );
        connection.batch_execute(&settings).map_err(|error| failed(&error))?;
        super::judge::register(&mut connection).map_err(|error| failed(&error))?;
        Ok(connection)
    }

    /// Runs a short read on this thread's own connection.
    ///
    /// A read by primary key costs a few microseconds from the page cache, and no lock that a writer holds: handing
    /// it to another thread would cost more than doing it. Anything that may take long goes to the readers instead.
    pub(super) fn inline<T, E>(&self, read: impl FnOnce(&mut Connection) -> Result<T, E>) -> Result<T, E>
    where
        E: From<StoreError>,
    {
        LOCAL.with(|local| {
            let mut local = local.try_borrow_mut().map_err(|_| StoreError::Unavailable("a read inside a read".into()))?;
            let known = local.iter().position(|(number, _)| *number == self.number);
            let at = if let Some(at) = known {
                at
            } else {
                if local.len() >= STORES_PER_THREAD {
                    local.remove(0);
                }
                local.push((self.number, self.connect(Use::Peek)?));
                local.len() - 1
            };
            let (_, connection) = local.get_mut(at).ok_or_else(|| StoreError::Unavailable("no connection".into()))?;
            let outcome = read(connection);
            super::statement::bound_kept(connection);
            outcome
        })
    }
}

/// One is the rule; tests open several.
const STORES_PER_THREAD: usize = 4;

thread_local! {
    static LOCAL: RefCell<Vec<(u64, Connection)>> = const { RefCell::new(Vec::new()) };
}

impl From<diesel::result::Error> for StoreError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Unavailable(error.to_string())
    }
}

/// Runs several reads on one state of the database.
pub(super) fn snapshot<T, E: From<diesel::result::Error>>(
    connection: &mut Connection,
    read: impl FnOnce(&mut Connection) -> Result<T, E>,
) -> Result<T, E> {
    let begin = match connection.dialect() {
        Dialect::Sqlite => "BEGIN",
        Dialect::Postgres => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
    };
    Statement::new(begin).run(connection)?;
    let outcome = read(connection);
    // Ends a read; there is nothing to keep or to lose.
    Statement::new("ROLLBACK").run(connection)?;
    outcome
}

/// A single number.
pub(super) fn number(connection: &mut Connection, statement: Statement) -> QueryResult<Option<i64>> {
    statement.row::<BigInt, i64>(connection)
}
