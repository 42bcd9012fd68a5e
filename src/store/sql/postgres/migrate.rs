//! The tables on a server, made and brought up to date, by one node at a time.

use super::{Lock, ServerPlace, failed};
use crate::store::StoreError;
use diesel::connection::SimpleConnection as _;
use diesel::migration::MigrationSource;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::{Integer, Text};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

pub(in crate::store::sql) const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// The oldest server that this works with.
const OLDEST: i32 = 140_000;

/// Brings the tables up to date.
///
/// # Errors
/// When the server is too old, does not speak UTF-8, or was written to by a newer release; or when it fails.
pub(in crate::store::sql) fn migrate(place: &ServerPlace) -> Result<(), StoreError> {
    let mut link = place.link()?;
    fit(&mut link)?;
    // Nodes that start together wait for the first. The lock ends with the connection.
    link.batch_execute(&format!("SELECT pg_advisory_lock({})", Lock::Migrates.key())).map_err(|error| failed(&error))?;
    let broken = |error: Box<dyn std::error::Error + Send + Sync>| StoreError::Unavailable(format!("migration: {error}"));
    let known = MigrationSource::<Pg>::migrations(&MIGRATIONS).map_err(broken)?;
    let newest = known.iter().map(|migration| migration.name().version().as_owned()).max();
    let applied = MigrationHarness::<Pg>::applied_migrations(&mut link).map_err(broken)?;
    if applied.iter().max() > newest.as_ref() {
        return Err(StoreError::Unavailable("the database was written by a newer release of amanat; use that one".into()));
    }
    link.run_pending_migrations(MIGRATIONS).map_err(broken)?;
    Ok(())
}

fn fit(link: &mut super::PgLink) -> Result<(), StoreError> {
    let version = diesel::select(diesel::dsl::sql::<Integer>("current_setting('server_version_num')::int4"));
    let version = version.get_result::<i32>(link).map_err(|error| failed(&error))?;
    if version < OLDEST {
        return Err(failed(&"the server is older than version 14"));
    }
    let encoding = diesel::select(diesel::dsl::sql::<Text>("current_setting('server_encoding')"));
    let encoding = encoding.get_result::<String>(link).map_err(|error| failed(&error))?;
    if encoding == "UTF8" { Ok(()) } else { Err(failed(&format!("the database has the encoding {encoding}; it must be UTF8"))) }
}
