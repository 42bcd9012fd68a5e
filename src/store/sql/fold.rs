//! Folding the log of the embedded database into its file, beside the writer.
//!
//! A commit appends to the log. SQLite folds it into the file inside of a commit, every so many pages: whoever waits for that commit, and all
//! behind, then wait for thousands of pages to be copied and for a second sync. So a thread of its own folds what there is, while the writer
//! goes on; and when the log is long and little of it is left, the writer folds that little itself, between two batches, so that the next one
//! begins the log anew. Folding loses nothing, wherever it ends: the log is what counts until its pages are in the file and synced.

use super::connection::{Connection, FilePlace, Use, number};
use super::lane::spawn;
use super::statement::Statement;
use crate::store::StoreError;
use diesel::sql_types::BigInt;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// When what is folded, in pages of the log.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// So many pages that are not folded are worth the thread's work.
    beside: u32,
    /// From this length on the log is to begin anew.
    long: u32,
    /// So many pages at most the writer folds itself.
    few: u32,
}

/// Four megabytes at a time; the log is begun anew at some forty.
const PACE: Pace = Pace { beside: 1_000, long: 10_000, few: 100 };

/// So many batches may go by before SQLite is asked how long the log is: it reads the question anew each time, and a page of entries more
/// or less says nothing new.
const UNASKED: u32 = 16;

/// Of so many bytes together: of a record forty pages may be written for a kilobyte, so that some two thousand pages are not known of.
const UNASKED_BYTES: usize = 64 << 10;

/// How long the thread rests after it failed.
const REST: Duration = Duration::from_secs(1);

/// The writer's side.
pub(super) struct Fold {
    pace: Pace,
    /// The length at which the writer folds the rest itself, the next time.
    turn: u32,
    /// Batches since SQLite was asked, and about their bytes.
    unasked: (u32, usize),
    /// The log is long: it is to be met with little left.
    close: bool,
    nudge: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Fold {
    /// Starts the thread.
    pub(super) fn start(place: &FilePlace) -> Result<Self, StoreError> {
        Self::paced(place, PACE)
    }

    fn paced(place: &FilePlace, rhythm: Pace) -> Result<Self, StoreError> {
        let (nudge, nudged) = sync_channel(1);
        let connection = place.connect(Use::Fold)?;
        let thread = spawn("fold", move || serve(connection, &nudged))?;
        Ok(Self { pace: rhythm, turn: rhythm.long, unasked: (0, 0), close: false, nudge: Some(nudge), thread: Some(thread) })
    }

    /// To be called between two batches, with the writer's connection, and about how many bytes the last one wrote.
    pub(super) fn written(&mut self, connection: &mut Connection, bytes: usize) {
        let (batches, before) = self.unasked;
        self.unasked = (batches + 1, before.saturating_add(bytes));
        if self.close || self.unasked.0 >= UNASKED || self.unasked.1 >= UNASKED_BYTES {
            self.look(connection);
        }
    }

    /// To be called when the writer has nothing to do.
    pub(super) fn rested(&mut self, connection: &mut Connection) {
        if self.unasked.0 > 0 {
            self.look(connection);
        }
    }

    fn look(&mut self, connection: &mut Connection) {
        self.unasked = (0, 0);
        self.close = false;
        let Some(length) = length(connection) else { return };
        if length.pages < self.pace.long {
            self.turn = self.pace.long;
        }
        let due = length.pages >= self.turn;
        let left = length.left();
        if left > if due { self.pace.few } else { self.pace.beside } {
            self.close = due;
            self.nudge();
        } else if due {
            // A reader that is at work keeps the log as it is: then it is tried again when it has grown some more.
            self.turn = length.pages.saturating_add(self.pace.beside);
            fold(connection);
        }
    }

    fn nudge(&self) {
        if let Some(nudge) = &self.nudge
            && let Err(TrySendError::Disconnected(())) = nudge.try_send(())
        {
            tracing::error!("the thread that folds the log ended");
        }
    }
}

impl Drop for Fold {
    fn drop(&mut self) {
        drop(self.nudge.take());
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that folds the log had panicked");
        }
    }
}

fn serve(mut connection: Connection, nudged: &Receiver<()>) {
    while nudged.recv().is_ok() {
        if !fold(&mut connection) {
            std::thread::sleep(REST);
        }
    }
}

/// Folds what nobody reads from the log any more. Whether it could.
fn fold(connection: &mut Connection) -> bool {
    match number(connection, Statement::new("PRAGMA wal_checkpoint(PASSIVE)")) {
        Ok(_) => true,
        Err(error) => {
            tracing::warn!(%error, "the write-ahead log cannot be folded in; it grows until that is possible");
            false
        }
    }
}

/// How long the log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Length {
    /// Pages in it.
    pages: u32,
    /// Those of them that are in the file too.
    folded: u32,
}

impl Length {
    fn left(self) -> u32 {
        self.pages.saturating_sub(self.folded)
    }
}

/// What SQLite says of the log when it is asked to fold none of it; `None` when there is no log or it does not say. The index of the log
/// says it too, but a file that a process opens and closes beside SQLite takes SQLite's locks on it away.
fn length(connection: &mut Connection) -> Option<Length> {
    let asked = Statement::new("PRAGMA wal_checkpoint(NOOP)");
    let (_, pages, folded) = asked.row::<(BigInt, BigInt, BigInt), (i64, i64, i64)>(connection).ok().flatten()?;
    Some(Length { pages: u32::try_from(pages).ok()?, folded: u32::try_from(folded).ok()? })
}

#[cfg(test)]
mod tests {
    use super::{Fold, Length, Pace, UNASKED, UNASKED_BYTES, length};
    use crate::store::sql::connection::{Connection, FilePlace, Use, number};
    use crate::store::sql::statement::Statement;

    fn some(connection: &mut Connection, at: i64) {
        let rows = (0..20).map(|row| Statement::new("INSERT INTO t VALUES (?, ?)").bind(at * 20 + row).bind(vec![7_u8; 3_000]));
        Statement::new("BEGIN IMMEDIATE").run(connection).unwrap();
        rows.for_each(|row| assert_eq!(row.run(connection).unwrap(), 1));
        Statement::new("COMMIT").run(connection).unwrap();
    }

    fn opened() -> (tempfile::TempDir, FilePlace, Connection) {
        let folder = tempfile::tempdir().unwrap();
        let place = FilePlace::new(&folder.path().join("x.db"), 0).unwrap();
        let mut writer = place.connect(Use::Write).unwrap();
        Statement::new("PRAGMA synchronous = OFF").rows::<diesel::sql_types::BigInt, i64>(&mut writer).unwrap();
        Statement::new("CREATE TABLE t (a INTEGER PRIMARY KEY, b BLOB)").run(&mut writer).unwrap();
        (folder, place, writer)
    }

    const QUICK: Pace = Pace { beside: 100, long: 1_000, few: 30 };

    #[test]
    fn a_log_that_is_written_on_and_on_begins_anew() {
        let (_folder, place, mut writer) = opened();
        let mut fold = Fold::paced(&place, QUICK).unwrap();
        let (mut before, mut anew) = (0, 0);
        for at in 0..1_000 {
            some(&mut writer, at);
            fold.written(&mut writer, 500);
            let pages = length(&mut writer).unwrap().pages;
            anew += u32::from(pages < before);
            assert!(pages < 12_000, "{pages}");
            before = pages;
            // On a busy machine the thread needs its time.
            let mut patience = 2_000;
            while pages > 3 * QUICK.long && length(&mut writer).unwrap().left() > QUICK.few && patience > 0 {
                std::thread::sleep(std::time::Duration::from_millis(5));
                fold.look(&mut writer);
                patience -= 1;
            }
        }
        assert!(anew >= 1);
        drop(fold);
        assert_eq!(number(&mut writer, Statement::new("SELECT count(*) FROM t")).unwrap(), Some(20_000));
    }

    #[test]
    fn the_length_is_asked_for_now_and_then_and_always_where_it_counts() {
        let (_folder, place, mut writer) = opened();
        let mut fold = Fold::paced(&place, Pace { beside: 1, long: 1_000, few: 1 }).unwrap();
        for batches in 1..UNASKED {
            some(&mut writer, batches.into());
            fold.written(&mut writer, 500);
            assert_eq!(fold.unasked.0, batches);
        }
        assert_eq!(length(&mut writer).map(|length| length.folded), Some(0), "nobody was asked to fold");
        fold.written(&mut writer, 500);
        assert_eq!(fold.unasked, (0, 0), "after some batches");
        fold.written(&mut writer, UNASKED_BYTES);
        assert_eq!(fold.unasked, (0, 0), "after a large one");
        some(&mut writer, 0);
        fold.written(&mut writer, 500);
        assert_eq!(fold.unasked, (1, 500));
        fold.rested(&mut writer);
        assert_eq!(fold.unasked, (0, 0), "when nothing is asked for");
        fold.rested(&mut writer);
        drop(fold);
        assert_eq!(length(&mut writer).map(Length::left), Some(0), "what was found was folded");
    }

    #[test]
    fn a_long_log_is_watched_until_little_of_it_is_left() {
        let (_folder, place, mut writer) = opened();
        let mut reader = place.connect(Use::Read).unwrap();
        some(&mut writer, 0);
        Statement::new("BEGIN").run(&mut reader).unwrap();
        number(&mut reader, Statement::new("SELECT count(*) FROM t")).unwrap();
        some(&mut writer, 1);
        let mut fold = Fold::paced(&place, Pace { beside: 1_000, long: 10, few: 0 }).unwrap();
        fold.look(&mut writer);
        assert!(fold.close, "the reader keeps more of it than the writer folds");
        fold.written(&mut writer, 1);
        assert_eq!(fold.unasked, (0, 0), "after each batch");
        Statement::new("ROLLBACK").run(&mut reader).unwrap();
        let mut patience = 2_000;
        while fold.close && patience > 0 {
            std::thread::sleep(std::time::Duration::from_millis(5));
            fold.written(&mut writer, 1);
            patience -= 1;
        }
        some(&mut writer, 2);
        assert!(length(&mut writer).unwrap().pages < 40, "and begun anew");
        drop(fold);
    }

    #[test]
    fn what_a_reader_still_needs_stays_in_the_log() {
        let (_folder, place, mut writer) = opened();
        let mut reader = place.connect(Use::Read).unwrap();
        some(&mut writer, 0);
        Statement::new("BEGIN").run(&mut reader).unwrap();
        let count = |reader: &mut Connection| number(reader, Statement::new("SELECT count(*) FROM t")).unwrap();
        assert_eq!(count(&mut reader), Some(20));
        let mut fold = Fold::paced(&place, QUICK).unwrap();
        for at in 1..200 {
            some(&mut writer, at);
            fold.look(&mut writer);
        }
        assert_eq!(count(&mut reader), Some(20), "it sees what it saw");
        Statement::new("ROLLBACK").run(&mut reader).unwrap();
        assert_eq!(count(&mut reader), Some(4_000));
        for at in 200..400 {
            some(&mut writer, at);
            fold.look(&mut writer);
        }
        drop(fold);
        super::fold(&mut writer);
        assert_eq!(length(&mut writer).map(Length::left), Some(0), "nothing keeps it now");
        assert_eq!(count(&mut reader), Some(8_000));
    }
}
