//! What the gateway keeps for itself under a name: keys for sealed links, the number of the last checkpoint.

use super::SqlStore;
use super::statement::Statement;
use crate::store::StoreError;
use diesel::sql_types::Binary;

impl SqlStore {
    /// The value under a name.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn setting(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let statement = Statement::new("SELECT value FROM setting WHERE name = ?").bind(name);
        self.ledger.read(move |connection| Ok(statement.row::<Binary, Vec<u8>>(connection)?)).await
    }

    /// Puts a value under a name, in place of the one before.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn set_setting(&self, name: &str, value: Vec<u8>) -> Result<(), StoreError> {
        let text = "INSERT INTO setting (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
        let statement = Statement::new(text).bind(name).bind(value);
        self.ledger.write(move |connection| Ok(statement.run(connection).map(drop)?)).await
    }

    /// The value under a name; when there is none, this one is put there first. Of several callers, all get the same.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn setting_or(&self, name: &str, value: Vec<u8>) -> Result<Vec<u8>, StoreError> {
        let put = Statement::new("INSERT INTO setting (name, value) VALUES (?, ?) ON CONFLICT DO NOTHING").bind(name).bind(value);
        let ask = Statement::new("SELECT value FROM setting WHERE name = ?").bind(name);
        self.ledger
            .write(move |connection| {
                put.run(connection)?;
                ask.row::<Binary, Vec<u8>>(connection)?.ok_or_else(|| StoreError::Unavailable("the setting is gone".into()))
            })
            .await
    }
}
