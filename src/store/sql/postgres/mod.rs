//! The database on a PostgreSQL server: its connections, and how its tables come to be.
//!
//! There is no pool in the usual sense: every thread of the store that reads or writes keeps one connection, so that the number of
//! threads is that of the connections, and what waits, waits in the queues of the ledger.

mod held;
mod link;
mod migrate;
mod settings;
mod tls;

pub(super) use held::{Held, answers};
pub use link::{Here, PgLink};
pub(super) use migrate::migrate;
pub use settings::PostgresOptions;
pub(super) use settings::Server;

use super::connection::{Connection, Use};
use crate::store::StoreError;
use diesel::connection::SimpleConnection as _;
use diesel_async::AsyncPgConnection;
use diesel_async::async_connection_wrapper::BlockOn as _;
use rustls::ClientConfig;
use std::time::Duration;
use tokio_postgres::NoTls;
use tokio_postgres_rustls::MakeRustlsConnect;

/// The longest that one statement of the writer, or a read by key, may take.
const SHORT: Duration = Duration::from_secs(20);
/// After how long a node that holds the others up, because it was suspended or its network went away, loses its turn.
const IDLE: Duration = Duration::from_secs(10);

/// What one node at a time may do. Two stores in schemas of one database do not hold each other up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lock {
    /// Changing the tables.
    Migrates,
    /// Writing, until the transaction ends.
    Writes,
    /// Doing what only one should do. It is held by the writer's connection, and goes with it.
    Leads,
    /// Loading very many records (`load`). It is held by the writer's connection, and goes with it.
    Loads,
}

impl Lock {
    /// The arguments of `pg_advisory_lock` and its kin: who we are ("ama" and the kind), and which schema.
    pub(super) fn key(self) -> String {
        let kind = 0x616d_6100_i32 + self as i32;
        format!("{kind}, CAST(CAST(CAST(current_schema() AS regnamespace) AS oid)::bigint % 2147483647 AS int4)")
    }
}

/// A server, and what connections to it are told.
#[derive(Debug, Clone)]
pub(super) struct ServerPlace {
    pub(super) server: Server,
    pub(super) statement_timeout: Duration,
}

impl ServerPlace {
    /// A new connection, in the runtime of this thread.
    pub(super) fn connect(&self, purpose: Use) -> Result<Connection, StoreError> {
        let mut link = self.link()?;
        link.batch_execute(&self.told(purpose)).map_err(|error| failed(&error))?;
        Ok(Connection::Postgres(Box::new(link)))
    }

    /// A connection that has been told nothing.
    pub(super) fn link(&self) -> Result<PgLink, StoreError> {
        let here = Here::new().map_err(|error| failed(&error))?;
        let connected = here.block_on(self.establish());
        connected.map(PgLink::from)
    }

    async fn establish(&self) -> Result<AsyncPgConnection, StoreError> {
        let config = &self.server.config;
        let made = if let Some(tls) = &self.server.tls {
            let connected = config.connect(MakeRustlsConnect::new(ClientConfig::clone(tls))).await;
            let (client, connection) = connected.map_err(|error| unreached(&error))?;
            AsyncPgConnection::try_from_client_and_connection(client, connection).await
        } else {
            let (client, connection) = config.connect(NoTls).await.map_err(|error| unreached(&error))?;
            AsyncPgConnection::try_from_client_and_connection(client, connection).await
        };
        made.map_err(|error| failed(&error))
    }

    fn told(&self, purpose: Use) -> String {
        let timeout = if purpose == Use::Read { self.statement_timeout } else { SHORT };
        let own = match purpose {
            // An answer is given only for what the disk has; a stricter setting of the site (a standby that must have it too) stays.
            Use::Write => {
                "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off';"
            }
            // The order of the joins is chosen here, see `compile::driver`, from what the parameters are known to select.
            Use::Read | Use::Peek | Use::Fold => {
                "SET default_transaction_read_only = on; SET join_collapse_limit = 1; SET random_page_cost = 1.1;"
            }
        };
        let (timeout, idle, lock) = (timeout.as_millis(), IDLE.as_millis(), SHORT.as_millis());
        format!(
            "{own} SET statement_timeout = {timeout}; SET idle_in_transaction_session_timeout = {idle}; SET lock_timeout = {lock}; \
             SET jit = off; SET standard_conforming_strings = on;"
        )
    }
}

fn failed(error: &dyn std::fmt::Display) -> StoreError {
    StoreError::Unavailable(format!("PostgreSQL: {error}"))
}

/// With what is behind it: the outermost error only says that there was one.
fn unreached(error: &tokio_postgres::Error) -> StoreError {
    let mut text = error.to_string();
    let mut inner = std::error::Error::source(error);
    while let Some(cause) = inner {
        text = format!("{text}: {cause}");
        inner = cause.source();
    }
    StoreError::Unavailable(format!("PostgreSQL cannot be reached: {text}"))
}
