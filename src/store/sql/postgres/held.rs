//! The connection that a thread keeps, made anew when it is lost.

use super::ServerPlace;
use crate::store::StoreError;
use crate::store::sql::connection::{Connection, Use, number};
use crate::store::sql::statement::{Statement, bound_kept};
use std::time::{Duration, Instant};

/// How long a connection may lie unused before it is asked whether it still is one.
const RESTED: Duration = Duration::from_secs(1);

/// A connection to a server, or the place to get one.
pub(in crate::store::sql) struct Held {
    place: ServerPlace,
    purpose: Use,
    connection: Option<Connection>,
    /// Since when nothing has been asked; `None` when what was asked last failed.
    good: Option<Instant>,
}

impl Held {
    /// None yet.
    pub(in crate::store::sql) fn new(place: ServerPlace, purpose: Use) -> Self {
        Self { place, purpose, connection: None, good: None }
    }

    /// A connection that works, as far as one can know.
    ///
    /// # Errors
    /// When there is none to be had.
    pub(in crate::store::sql) fn get(&mut self) -> Result<&mut Connection, StoreError> {
        let fresh = self.good.is_some_and(|since| since.elapsed() < RESTED);
        let kept = self.connection.take().and_then(|mut kept| (fresh || answers(&mut kept)).then_some(kept));
        let connection = kept.map_or_else(|| self.place.connect(self.purpose), Ok)?;
        self.good = Some(Instant::now());
        Ok(self.connection.insert(connection))
    }

    /// Notes how it went: after a failure the connection is asked before it is used again.
    pub(in crate::store::sql) fn went(&mut self, well: bool) {
        self.good = well.then(Instant::now);
    }

    /// Lets go of it: nobody knows what state it is in.
    pub(in crate::store::sql) fn let_go(&mut self) {
        self.connection = None;
    }

    /// The same place, without a connection.
    pub(in crate::store::sql) fn anew(self) -> Self {
        Self::new(self.place, self.purpose)
    }

    /// Between two reads: bounds what the connection keeps prepared.
    pub(in crate::store::sql) fn tidy(&mut self) {
        if let Some(connection) = &mut self.connection {
            bound_kept(connection);
        }
    }
}

/// Whether there is still somebody at the other end, and no transaction that failed.
pub(in crate::store::sql) fn answers(connection: &mut Connection) -> bool {
    number(connection, Statement::new("SELECT CAST(1 AS BIGINT)")).is_ok()
}
