//! Whether every patient of a record permits it, asked of the verdicts themselves ([`super::super::judge`]).

use super::super::marks::mark_columns;
use super::{On, Sql};
use crate::access::Verdicts;

impl Sql {
    /// No patient of the record denies it, and none leaves it open. The text is the same whatever the verdicts say.
    pub(super) fn judged(&mut self, verdicts: &Verdicts, on: On<'_>) -> &mut Self {
        let row = self.alias();
        let marks = mark_columns!("{row}.").replace("{row}", &row);
        self.say("(SELECT permitted(").value(verdicts.clone());
        self.say(&format!(
            ", {row}.type, {row}.id, {row}.patients, {marks}) FROM record {row} WHERE {row}.rid = {}) IS TRUE",
            on.rid
        ))
    }
}
