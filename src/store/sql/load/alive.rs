//! Which loads are alive: each holds a lock that ends with its process. So whoever opens the store can tell a load that goes on, which is
//! left alone, from one that was killed, which is finished.
//!
//! Of the embedded database it is a lock on a file beside it, which stays there, empty: the database's own file cannot carry it, since closing
//! that once more would give up SQLite's locks. On a server it is an advisory lock of the writer's connection.

use super::super::connection::{Connection, number};
use super::super::postgres::Lock;
use super::super::statement::Statement;
use crate::store::StoreError;
use diesel::sql_types::Text;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::path::PathBuf;

/// A load that this process keeps alive: until it is dropped, or for as long as its connection lasts.
#[derive(Debug)]
pub(in crate::store::sql) enum Alive {
    /// By a file, which is locked.
    File {
        /// Closing it ends the lock.
        _locked: File,
    },
    /// By the connection of the writer.
    Connection,
}

impl Alive {
    /// Takes the lock; `None` when another process has it.
    ///
    /// # Errors
    /// When nobody can tell.
    pub(super) fn take(connection: &mut Connection) -> Result<Option<Self>, StoreError> {
        if connection.dialect().is_postgres() {
            let text = format!("SELECT CAST(CASE WHEN pg_try_advisory_lock({}) THEN 1 ELSE 0 END AS BIGINT)", Lock::Loads.key());
            let got = number(connection, Statement::new(text))? == Some(1);
            return Ok(got.then_some(Self::Connection));
        }
        let place = place(connection)?;
        let failed = |error: io::Error| StoreError::Unavailable(format!("`{}`: {error}", place.display()));
        let file = opened(&place).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self::File { _locked: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }

    /// Gives back what does not go by itself when it is dropped.
    pub(super) fn give_back(connection: &mut Connection) -> Result<(), StoreError> {
        if connection.dialect().is_postgres() {
            Statement::new(format!("SELECT pg_advisory_unlock({})", Lock::Loads.key())).run(connection)?;
        }
        Ok(())
    }
}

/// Beside the database.
fn place(connection: &mut Connection) -> Result<PathBuf, StoreError> {
    let file = Statement::new("SELECT file FROM pragma_database_list WHERE name = 'main'").row::<Text, String>(connection)?;
    Ok(PathBuf::from(format!("{}-load", file.unwrap_or_default())))
}

/// Whoever may only read it, because another user of the system made it, can lock it too.
fn opened(place: &PathBuf) -> io::Result<File> {
    match OpenOptions::new().read(true).write(true).create(true).truncate(false).open(place) {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => File::open(place),
        opened => opened,
    }
}
