//! The trail as it stands on disk, and what each refusal must leave there.

use super::postgres;
use super::{Reply, Server};
use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use diesel::sql_types::Text;
use serde_json::Value;

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    leaf: String,
}

impl Server {
    /// Another connection to the store, beside the gateway's own.
    pub(crate) fn connect(&self) -> SqliteConnection {
        let mut connection = SqliteConnection::establish(self.database().to_str().unwrap()).unwrap();
        diesel::sql_query("PRAGMA busy_timeout = 10000").execute(&mut connection).unwrap();
        connection
    }

    /// Runs SQL in the store, beside the gateway.
    pub(crate) fn execute(&self, sql: &str) {
        match self.schema() {
            Some(url) => drop(postgres::ask(&url, sql)),
            None => self.connect().batch_execute(sql).unwrap(),
        }
    }

    /// The column `leaf` of every row, as text.
    pub(crate) fn column(&self, sql: &str) -> Vec<String> {
        match self.schema() {
            Some(url) => postgres::ask(&url, sql),
            None => diesel::sql_query(sql).load::<Row>(&mut self.connect()).unwrap().into_iter().map(|row| row.leaf).collect(),
        }
    }

    /// Every leaf, in order.
    pub(crate) fn trail(&self) -> Vec<Value> {
        if let Some(url) = self.schema() {
            let leaves = postgres::ask(&url, "SELECT convert_from(leaf, 'UTF8') FROM trail ORDER BY seq");
            return leaves.iter().map(|leaf| serde_json::from_str(leaf).unwrap()).collect();
        }
        let rows = diesel::sql_query("SELECT CAST(leaf AS TEXT) AS leaf FROM trail ORDER BY seq");
        let rows: Vec<Row> = rows.load(&mut self.connect()).unwrap();
        rows.iter().map(|row| serde_json::from_str(&row.leaf).unwrap()).collect()
    }

    /// The entries of one request.
    pub(crate) fn trail_of(&self, reply: &Reply) -> Vec<Value> {
        self.trail().into_iter().filter(|leaf| leaf["request_id"] == reply.request_id()).collect()
    }

    /// The same without those that tell what was about to be sent to a server behind.
    pub(crate) fn concluded_of(&self, reply: &Reply) -> Vec<Value> {
        self.trail_of(reply).into_iter().filter(|leaf| leaf["reason"] != "opened").collect()
    }

    /// A refusal with this status and this code of the gateway, and exactly one entry that says why.
    #[track_caller]
    pub(crate) fn refused(&self, reply: &Reply, status: u16, code: &str, reason: &str) {
        assert_eq!((reply.status, reply.code().as_str()), (status, code), "{}", reply.text());
        assert_eq!(reply.json()["resourceType"], "OperationOutcome");
        assert_eq!(reply.header("allow").is_some(), status == 405, "the methods that do exist");
        let entries = self.trail_of(reply);
        assert_eq!(entries.len(), 1, "one entry for {} {}: {entries:?}", status, reply.text());
        assert_eq!(entries[0]["reason"], reason, "{entries:?}");
        let outcome = match status {
            400 if reason == "token:misplaced" => "8",
            401 => "8",
            500.. => "12",
            _ => "4",
        };
        assert_eq!(entries[0]["outcome"], outcome, "{entries:?}");
    }

    /// A success, and at least one entry that names these patients and says so.
    #[track_caller]
    pub(crate) fn allowed(&self, reply: &Reply, status: u16, event: &str, patients: &[&str]) {
        assert_eq!(reply.status, status, "{}", String::from_utf8_lossy(&reply.body));
        let entries = self.trail_of(reply);
        let told = entries.iter().find(|leaf| leaf["event"]["word"] == event && leaf["outcome"] == "0");
        let told = told.unwrap_or_else(|| panic!("no entry of `{event}` in {entries:?}"));
        let named: Vec<&str> = told["patients"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        assert_eq!(named, patients, "{told}");
    }
}
