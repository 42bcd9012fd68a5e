//! What a node hears of the others, from a server.

use super::SqlStore;
use super::compile::Sql;
use super::connection::Connection;
use super::dialect::Dialect;
use super::rows::{COLUMNS, Columns, Whole, WholeRow};
use super::statement::Statement;
use crate::fhir::ResourceType;
use crate::store::shared::{Epoch, News, Shared};
use crate::store::{Answering, StoreError};
use diesel::sql_types::BigInt;

impl Shared for SqlStore {
    fn look<'a>(&'a self, types: &'a [ResourceType], seen: Epoch) -> Answering<'a, News> {
        let types: Vec<i64> = types.iter().map(|of| i64::from(of.code())).collect();
        Box::pin(async move {
            let news = self.ledger.peek(move |connection| look(connection, &types, seen)).await?;
            self.ledger.heard(news.epoch.change);
            Ok(news)
        })
    }

    fn leads(&self) -> bool {
        self.ledger.leads()
    }
}

/// One question, most of the time: the second one is asked when the first says that there is something to read.
fn look(connection: &mut Connection, types: &[i64], seen: Epoch) -> Result<News, StoreError> {
    let asked = question(connection.dialect(), types, seen).row::<(BigInt, BigInt, BigInt), (i64, i64, i64)>(connection)?;
    let (change, kept, some) = asked.ok_or_else(|| StoreError::Unavailable("the epoch is gone".to_owned()))?;
    let epoch = Epoch { change, kept };
    let records = if some == 0 { Vec::new() } else { records(connection, types, seen)? };
    Ok(News { epoch, records })
}

/// How far the store has come, and whether a record of these types has changed since.
pub(super) fn question(dialect: Dialect, types: &[i64], seen: Epoch) -> Statement {
    let mut sql = Sql::new(dialect);
    sql.say("SELECT coalesce((SELECT change FROM record ORDER BY updated DESC, change DESC LIMIT 1), 0), e.kept, ");
    sql.say("CAST(CASE WHEN ");
    any_newer(&mut sql, types, seen);
    sql.say(" THEN 1 ELSE 0 END AS BIGINT) FROM epoch e");
    sql.statement()
}

/// Whether a record of these types has changed. The newest of each type is asked for, which stands at the end of an index: of the plain
/// question PostgreSQL believes that some record or other answers it soon, and reads the table whole, since none does.
fn any_newer(sql: &mut Sql, types: &[i64], seen: Epoch) {
    if types.is_empty() {
        sql.say("FALSE");
        return;
    }
    sql.say("EXISTS (SELECT 1 FROM (");
    for (at, of) in types.iter().enumerate() {
        sql.say(if at == 0 { "SELECT " } else { " UNION ALL SELECT " }).value(*of).say(" AS type");
    }
    sql.say(") t WHERE (SELECT r.change FROM record r WHERE r.type = t.type ORDER BY r.change DESC LIMIT 1) > ")
        .value(seen.change);
    sql.say(")");
}

fn records(connection: &mut Connection, types: &[i64], seen: Epoch) -> Result<Vec<crate::store::Row>, StoreError> {
    let mut sql = Sql::new(connection.dialect());
    sql.say(&format!("SELECT {COLUMNS} FROM record r WHERE "));
    sql.say("r.type IN (").list(types.iter().copied()).say(") AND r.change > ").value(seen.change).say(" ORDER BY r.change");
    let rows = sql.statement().rows::<Columns, WholeRow>(connection)?;
    rows.into_iter().map(|row| Whole::read(row).map(|whole| whole.row)).collect()
}
