//! Turns and beginnings of writes to a FHIR server behind, see [`TurnLedger`]. Times are the database's own, so that nodes need not agree
//! on theirs.

use super::SqlStore;
use super::connection::{Connection, number};
use super::statement::Statement;
use crate::fhir::{Id, Key, ResourceType};
use crate::store::upstream::{Begun, TurnLedger, Wanted};
use crate::store::{Answering, StoreError};
use diesel::sql_types::{BigInt, Text};
use std::time::Duration;

/// How long a beginning is remembered.
const REMEMBERED: Duration = Duration::from_hours(24);

/// Why nothing was taken.
enum Blocked {
    /// What stands in the way ends by itself after so many milliseconds.
    For(i64),
    Failed(StoreError),
}

impl From<StoreError> for Blocked {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

impl From<diesel::result::Error> for Blocked {
    fn from(error: diesel::result::Error) -> Self {
        Self::Failed(error.into())
    }
}

impl TurnLedger for SqlStore {
    fn take(&self, holder: String, wanted: Wanted, lease: Duration) -> Answering<'_, Option<Duration>> {
        Box::pin(async move {
            // An error takes back what the closure took.
            match self.ledger.write(move |connection| take(connection, &holder, &wanted, lease)).await {
                Ok(()) => Ok(None),
                Err(Blocked::For(left)) => Ok(Some(Duration::from_millis(u64::try_from(left).unwrap_or(0)))),
                Err(Blocked::Failed(error)) => Err(error),
            }
        })
    }

    fn renew(&self, holder: String, lease: Duration) -> Answering<'_, ()> {
        Box::pin(self.ledger.write(move |connection| {
            let ends = now(connection)?.saturating_add(millis(lease));
            Statement::new("UPDATE upstream_turn SET ends = ? WHERE holder = ?").bind(ends).bind(holder).run(connection)?;
            Ok(())
        }))
    }

    fn leave(&self, holder: String) -> Answering<'_, ()> {
        let statement = Statement::new("DELETE FROM upstream_turn WHERE holder = ?").bind(holder);
        Box::pin(self.ledger.write(move |connection| Ok(statement.run(connection).map(drop)?)))
    }

    fn begin(&self, records: Vec<(Vec<u8>, Key)>) -> Answering<'_, ()> {
        Box::pin(self.ledger.write(move |connection| {
            let at = now(connection)?;
            let oldest = at.saturating_sub(millis(REMEMBERED));
            Statement::new("DELETE FROM upstream_begun WHERE at < ?").bind(oldest).run(connection)?;
            for (name, key) in records {
                let text = "INSERT INTO upstream_begun (name, type, id, at) VALUES (?, ?, ?, ?) ON CONFLICT (name, type, id) \
                     DO UPDATE SET at = excluded.at";
                let of = i64::from(key.resource_type.code());
                Statement::new(text).bind(name).bind(of).bind(key.id.as_str()).bind(at).run(connection)?;
            }
            Ok(())
        }))
    }

    fn tell(&self) -> Answering<'_, ()> {
        let statement = Statement::new("UPDATE upstream_news SET changes = changes + 1");
        Box::pin(self.ledger.write(move |connection| Ok(statement.run(connection).map(drop)?)))
    }

    fn begun(&self, names: Vec<Vec<u8>>) -> Answering<'_, Vec<Key>> {
        Box::pin(self.ledger.peek(move |connection| {
            let mut keys = Vec::new();
            for name in names {
                let statement = Statement::new("SELECT type, id FROM upstream_begun WHERE name = ? ORDER BY at DESC").bind(name);
                let rows = statement.rows::<(BigInt, Text), (i64, String)>(connection)?;
                keys.extend(rows.into_iter().filter_map(key));
            }
            Ok(keys)
        }))
    }

    fn begun_when(&self, name: Vec<u8>) -> Answering<'_, Vec<Begun>> {
        Box::pin(self.ledger.peek(move |connection| {
            let now = now(connection)?;
            let statement = Statement::new("SELECT type, id, at FROM upstream_begun WHERE name = ?").bind(name);
            let rows = statement.rows::<(BigInt, Text, BigInt), (i64, String, i64)>(connection)?;
            let begun = |(of, id, at): (i64, String, i64)| {
                let age = Duration::from_millis(u64::try_from(now.saturating_sub(at)).unwrap_or(0));
                Some(Begun { key: key((of, id))?, at, age })
            };
            Ok(rows.into_iter().filter_map(begun).collect())
        }))
    }
}

fn key((of, id): (i64, String)) -> Option<Key> {
    let of = i16::try_from(of).ok().and_then(ResourceType::from_code)?;
    Some(Key::new(of, Id::parse(&id)?))
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// Milliseconds since 1970 by the database's clock, which all nodes have in common.
fn now(connection: &mut Connection) -> Result<i64, StoreError> {
    let text = if connection.dialect().is_postgres() {
        "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)"
    } else {
        "SELECT CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER)"
    };
    number(connection, Statement::new(text))?.ok_or_else(|| StoreError::Unavailable("the database tells no time".to_owned()))
}

/// Everything or nothing. The writer's own turn makes looking and taking one step.
fn take(connection: &mut Connection, holder: &str, wanted: &Wanted, lease: Duration) -> Result<(), Blocked> {
    let now = now(connection)?;
    Statement::new("DELETE FROM upstream_turn WHERE ends <= ?").bind(now).run(connection)?;
    let ends = now.saturating_add(millis(lease));
    let wanted_names = wanted.names.iter().map(|one| (one, 0)).chain(wanted.alone.iter().map(|one| (one, 1)));
    for ((of, name), alone) in wanted_names {
        let text =
            "INSERT INTO upstream_turn (name, type, alone, holder, ends) VALUES (?, ?, ?, ?, ?) ON CONFLICT (name) DO NOTHING";
        let (of, name) = (i64::from(of.code()), name.clone());
        let put = Statement::new(text).bind(name.clone()).bind(of).bind(alone).bind(holder).bind(ends).run(connection)?;
        if put == 0 {
            let other = Statement::new("SELECT ends FROM upstream_turn WHERE name = ?").bind(name);
            return Err(Blocked::For(number(connection, other)?.unwrap_or(now).saturating_sub(now)));
        }
        // Somebody has the whole type, or this writer wants it and somebody has a record of it.
        let text = "SELECT max(ends) FROM upstream_turn WHERE type = ? AND holder <> ? AND (alone = 1 OR ? = 1)";
        let others = Statement::new(text).bind(of).bind(holder).bind(alone);
        let others = others.row::<diesel::sql_types::Nullable<BigInt>, Option<i64>>(connection)?.flatten();
        if let Some(ends) = others {
            return Err(Blocked::For(ends.saturating_sub(now)));
        }
    }
    Ok(())
}
