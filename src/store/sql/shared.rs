//! What a node hears of the others, from a server.

use super::SqlStore;
use super::compile::Sql;
use super::connection::Connection;
use super::rows::{COLUMNS, Columns, Whole, WholeRow};
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
    let mut sql = Sql::new(connection.dialect());
    sql.say("SELECT coalesce((SELECT change FROM record ORDER BY updated DESC, change DESC LIMIT 1), 0), e.kept, ");
    sql.say("CAST(CASE WHEN ");
    newer(&mut sql, "EXISTS (SELECT 1 FROM record r WHERE ", types, seen);
    sql.say(" THEN 1 ELSE 0 END AS BIGINT) FROM epoch e");
    let asked = sql.statement().row::<(BigInt, BigInt, BigInt), (i64, i64, i64)>(connection)?;
    let (change, kept, some) = asked.ok_or_else(|| StoreError::Unavailable("the epoch is gone".to_owned()))?;
    let epoch = Epoch { change, kept };
    let records = if some == 0 { Vec::new() } else { records(connection, types, seen)? };
    Ok(News { epoch, records })
}

fn newer(sql: &mut Sql, begin: &str, types: &[i64], seen: Epoch) {
    if types.is_empty() {
        sql.say("FALSE");
        return;
    }
    sql.say(begin).say("r.type IN (").list(types.iter().copied()).say(") AND r.change > ").value(seen.change).say(")");
}

fn records(connection: &mut Connection, types: &[i64], seen: Epoch) -> Result<Vec<crate::store::Row>, StoreError> {
    let mut sql = Sql::new(connection.dialect());
    sql.say(&format!("SELECT {COLUMNS} FROM record r WHERE "));
    newer(&mut sql, "(", types, seen);
    sql.say(" ORDER BY r.change");
    let rows = sql.statement().rows::<Columns, WholeRow>(connection)?;
    rows.into_iter().map(|row| Whole::read(row).map(|whole| whole.row)).collect()
}
