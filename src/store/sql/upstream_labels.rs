//! Labels of records that a FHIR server behind keeps, see [`LabelLedger`].

use super::SqlStore;
use super::statement::Statement;
use crate::fhir::{Confidentiality, Id, Key, Marks, ResourceType};
use crate::store::upstream::LabelLedger;
use crate::store::{Answering, CommitError, StoreError};
use diesel::sql_types::{BigInt, Text};

type Columns = (BigInt, Text, BigInt, BigInt, BigInt);
type Row = (i64, String, i64, i64, i64);

fn read((of, id, conf, sens, handling): Row) -> Option<(Key, Marks)> {
    let of = i16::try_from(of).ok().and_then(ResourceType::from_code)?;
    let marks = Marks {
        confidentiality: Confidentiality::of_rank(conf),
        sensitivity: sens.cast_unsigned(),
        handling: handling.cast_unsigned(),
        ..Marks::default()
    };
    Some((Key::new(of, Id::parse(&id)?), marks))
}

impl LabelLedger for SqlStore {
    fn labels(&self) -> Answering<'_, Vec<(Key, Marks)>> {
        let statement = Statement::new("SELECT type, id, conf, sens, handling FROM upstream_label");
        Box::pin(self.ledger.read(move |connection| {
            let rows = statement.rows::<Columns, Row>(connection)?;
            let damaged = || StoreError::Unavailable("a label of an upstream record is damaged".to_owned());
            rows.into_iter().map(|row| read(row).ok_or_else(damaged)).collect()
        }))
    }

    fn keep_labels(&self, labels: Vec<(Key, Marks)>) -> Answering<'_, (), CommitError> {
        Box::pin(self.ledger.write(move |connection| {
            for (key, marks) in labels {
                Statement::new(
                    "INSERT INTO upstream_label (type, id, conf, sens, handling) VALUES (?, ?, ?, ?, ?) ON CONFLICT (type, id) \
                     DO UPDATE SET conf = excluded.conf, sens = excluded.sens, handling = excluded.handling",
                )
                .bind(i64::from(key.resource_type.code()))
                .bind(key.id.as_str())
                .bind(marks.confidentiality.rank())
                .bind(marks.sensitivity.cast_signed())
                .bind(marks.handling.cast_signed())
                .run(connection)?;
            }
            Ok(())
        }))
    }
}
