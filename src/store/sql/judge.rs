//! Verdicts decided in memory, from inside a query.
//!
//! What consents say may be long: a hundred rules of one patient, conditions of thousands. Written out as SQL it would have to be prepared
//! anew each time. So the database calls `permitted` for a row, with the row's own marks, and the function asks the verdicts as a read
//! by key does. The SQL is the same whatever the verdicts say.
//!
//! A condition may ask whether another record refers to the one at hand ([`Condition::holds_given`]). A function cannot run a query in
//! the middle of one: it notes which record it would have to look at, the row counts as not decided, and the statement is run again
//! once that record has been read. So a [`Session`] goes with each statement that asks verdicts.

use super::connection::Connection;
use super::marks::{self, MarkRow};
use super::rows::{patients_of, resource_type};
use super::statement::{Bind, Statement};
use crate::access::{Condition, Verdicts, decided};
use crate::fhir::{Fact, FactSet, Facts, Id, Instant, Key, Version};
use diesel::prelude::*;
use diesel::sql_types::{Binary, Nullable};
use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeSet, HashMap};

#[expect(clippy::too_many_arguments, reason = "a function of SQL takes a row's marks one by one")]
mod function {
    use diesel::sql_types::{BigInt, Binary, Nullable, Text};

    diesel::define_sql_function! {
        /// Whether these verdicts permit a row with these marks; NULL when that is not known.
        fn permitted(
            verdicts: BigInt, kind: BigInt, id: Text, patients: Text,
            conf: BigInt, ruleset: BigInt, sens: Nullable<BigInt>, handling: Nullable<BigInt>, dates: Nullable<BigInt>,
            low: Nullable<BigInt>, high: Nullable<BigInt>, spans: Nullable<Text>, facts: Nullable<Binary>
        ) -> Nullable<Bool>;
    }
}

/// Makes the function known to a connection.
pub(super) fn register(connection: &mut SqliteConnection) -> QueryResult<()> {
    function::permitted_utils::register_nondeterministic_impl(
        connection,
        |verdicts: i64,
         kind: i64,
         id: String,
         patients: String,
         conf: i64,
         ruleset: i64,
         sens: Option<i64>,
         handling: Option<i64>,
         dates: Option<i64>,
         low: Option<i64>,
         high: Option<i64>,
         spans: Option<String>,
         facts: Option<Vec<u8>>| {
            let marks = (conf, ruleset, sens, handling, dates, low, high, spans, facts);
            answer(verdicts, (kind, &id), &patients, marks)
        },
    )
}

thread_local! {
    static ASKED: RefCell<Asked> = RefCell::default();
}

/// What the statement that runs on this thread asks, and what has been read for it.
#[derive(Default)]
struct Asked {
    verdicts: Vec<(i64, Verdicts)>,
    read: HashMap<Key, Read>,
    missing: BTreeSet<Key>,
}

/// A record that a condition looks at.
enum Read {
    /// There is no live one.
    Absent,
    /// It has not been read for marks yet.
    Unread,
    /// What it names.
    Naming(FactSet),
}

impl Asked {
    /// Whether the record of this key refers to the one with this name.
    fn refers(&mut self, key: &Key, name: Fact) -> Option<bool> {
        match self.read.get(key) {
            Some(Read::Absent) => Some(false),
            Some(Read::Unread) => None,
            Some(Read::Naming(facts)) => Some(facts.contains(name)),
            None => {
                self.missing.insert(key.clone());
                None
            }
        }
    }
}

fn answer(handle: i64, (kind, id): (i64, &str), patients: &str, marks: MarkRow) -> Option<bool> {
    ASKED.with(|asked| {
        let mut asked = asked.try_borrow_mut().ok()?;
        let verdicts = asked.verdicts.iter().find(|(known, _)| *known == handle).map(|(_, verdicts)| verdicts.clone())?;
        let patients: Vec<Id> = patients_of(patients).collect();
        let marks = RefCell::new(Some(marks));
        // Most conditions are `All` or `None`, and ask for no marks.
        let facts = OnceCell::new();
        let facts = || facts.get_or_init(|| facts_of(kind, id, marks.take()?)).as_ref();
        decided(&patients, false, |patient| match verdicts.of(patient) {
            Condition::All => Some(true),
            Condition::None => Some(false),
            condition => {
                let facts = facts()?;
                condition.holds_given(facts, &mut |key| asked.refers(key, Fact::names(&facts.key)))
            }
        })
    })
}

/// What conditions ask of: its patients, version and time they do not.
fn facts_of(kind: i64, id: &str, marks: MarkRow) -> Option<Facts> {
    Some(Facts {
        key: Key::new(resource_type(kind)?, Id::parse(id)?),
        version: Version(0),
        updated: Instant(0),
        deleted: false,
        patients: Vec::new(),
        marks: marks::read(marks)?,
    })
}

/// A statement that asks verdicts, while it runs on this thread.
pub(super) struct Session(());

impl Session {
    /// For the verdicts among these values; `None` when there are none.
    pub(super) fn of(binds: &[Bind]) -> Option<Self> {
        let verdicts: Vec<_> = binds.iter().filter_map(Bind::verdicts).collect();
        if verdicts.is_empty() {
            return None;
        }
        ASKED.with(|asked| asked.replace(Asked { verdicts, ..Asked::default() }));
        Some(Self(()))
    }

    /// Whether some row could not be decided so far for want of another.
    #[expect(clippy::unused_self, reason = "there is something missing only while a session lasts")]
    pub(super) fn lacks(&self) -> bool {
        ASKED.with(|asked| !asked.borrow().missing.is_empty())
    }

    /// Reads what was missing; the statement can then be run again.
    #[expect(clippy::unused_self, reason = "it is the session that learns")]
    pub(super) fn learn(&self, connection: &mut Connection) -> QueryResult<()> {
        let missing = ASKED.with(|asked| std::mem::take(&mut asked.borrow_mut().missing));
        for key in missing {
            let read = read(connection, &key)?;
            ASKED.with(|asked| asked.borrow_mut().read.insert(key, read));
        }
        Ok(())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        ASKED.with(RefCell::take);
    }
}

fn read(connection: &mut Connection, key: &Key) -> QueryResult<Read> {
    let found = Statement::new("SELECT facts FROM record WHERE type = ? AND id = ? AND deleted = 0")
        .bind(i64::from(key.resource_type.code()))
        .bind(key.id.as_str())
        .row::<Nullable<Binary>, Option<Vec<u8>>>(connection)?;
    Ok(match found {
        None => Read::Absent,
        Some(None) => Read::Unread,
        Some(Some(facts)) => Read::Naming(FactSet::packed(facts)),
    })
}

/// Whether the live record of this key refers to the one with this name; `None` when it has not been read for that.
pub(super) fn refers(connection: &mut Connection, key: &Key, name: Fact) -> QueryResult<Option<bool>> {
    Ok(match read(connection, key)? {
        Read::Absent => Some(false),
        Read::Unread => None,
        Read::Naming(facts) => Some(facts.contains(name)),
    })
}
