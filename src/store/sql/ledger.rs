//! The ledger: one writer, jobs that wait share a commit; readers beside it.
//!
//! A durable commit costs a disk sync, however much is in it. So whoever wants to write hands over a job and waits; the writer takes
//! all that wait at that moment, runs each so that it can be undone alone, commits once, and then answers them all.

use super::SqliteOptions;
use super::answered::{Answering, Answers, waiting};
use super::connection::{Connection, Place, Use};
use super::queue::{Next, Queue, Waiting};
use super::recent::Recent;
use super::writer::{Failing, Job, Writer};
use crate::audit::Entry;
use crate::clock::Clock;
use crate::store::StoreError;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use tokio::sync::oneshot;

/// Reads that may wait.
const READS_WAITING: usize = 4_096;

/// Where writes queue and reads are done.
#[derive(Debug)]
pub struct Ledger {
    place: Place,
    jobs: Arc<Queue>,
    reads: Mutex<Option<SyncSender<Reading>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    alive: Arc<AtomicBool>,
    troubled: Arc<AtomicBool>,
    recent: Arc<Recent>,
}

type Reading = Box<dyn FnOnce(&mut Connection) + Send>;

impl Ledger {
    /// Starts the threads. The database must be there, migrated.
    pub(super) fn start(place: Place, clock: Clock, options: &SqliteOptions) -> Result<Self, StoreError> {
        let readers = options.readers;
        let connection = place.connect(Use::Write)?;
        // Nothing would tell this node in time what another has written to a server's database.
        let recent = Arc::new(Recent::new(if connection.dialect().is_postgres() { 0 } else { options.recent }));
        let writer = Writer::resume(connection, clock, &options.node, Arc::clone(&recent))?;
        let jobs = Arc::new(Queue::default());
        let (reads, reading) = sync_channel::<Reading>(READS_WAITING);
        let alive = Arc::new(AtomicBool::new(true));
        let troubled = writer.troubled();
        let mut threads = vec![spawn("ledger", {
            let (jobs, alive) = (Arc::clone(&jobs), Arc::clone(&alive));
            move || write_all(writer, &Alive { jobs, alive })
        })?];
        let reading = Arc::new(Mutex::new(reading));
        for _ in 0..readers.max(1) {
            let (connection, reading) = (place.connect(Use::Read)?, Arc::clone(&reading));
            threads.push(spawn("reader", move || read_all(connection, &reading))?);
        }
        let (reads, threads) = (Mutex::new(Some(reads)), Mutex::new(threads));
        Ok(Self { place, jobs, reads, threads, alive, troubled, recent })
    }

    /// Writes: all that the closure does or nothing, durable when the answer is there. An error of the closure undoes it. Not for
    /// records, of which readers keep what they have read.
    ///
    /// # Errors
    /// The closure's own; `Unavailable` when the queue is full, the commit failed, or the ledger is closed.
    pub async fn write<T, E>(&self, work: impl FnOnce(&mut Connection) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.submit(0, move |writer| work(&mut writer.connection)).await
    }

    /// Reads on a thread that may take its time, one closure for everything that a request needs.
    ///
    /// # Errors
    /// The closure's own; `Unavailable` when the queue is full or the ledger is closed.
    pub async fn read<T, E>(&self, work: impl FnOnce(&mut Connection) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let reading: Reading = Box::new(move |connection| {
            // The caller may have gone: then nobody needs the read.
            if !answer.is_closed() {
                drop(answer.send(work(connection)));
            }
        });
        let sent = match &*self.reads.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(reads) => reads.try_send(reading).map_err(|_| unavailable("too many reads wait")),
            None => Err(unavailable("closed")),
        };
        sent?;
        answered.await.unwrap_or_else(|_| Err(unavailable("a reader failed").into()))
    }

    /// A read by primary key, on the calling thread.
    pub(super) fn inline<T, E>(&self, read: impl FnOnce(&mut Connection) -> Result<T, E>) -> Result<T, E>
    where
        E: From<StoreError>,
    {
        self.place.inline(read)
    }

    /// The rows of records that were read lately.
    pub(super) fn recent(&self) -> &Recent {
        &self.recent
    }

    /// Hands a job to the writer and waits until it is durable. `bytes` is about what it holds in memory.
    pub(super) async fn submit<T, E>(
        &self,
        bytes: usize,
        work: impl FnOnce(&mut Writer) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.submit_failing(Failing::Anywhere, bytes, work).await
    }

    /// The same for a job of which more is known than that it can fail.
    pub(super) async fn submit_failing<T, E>(
        &self,
        failing: Failing,
        bytes: usize,
        work: impl FnOnce(&mut Writer) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        self.jobs.put(Waiting { job: Box::new(Task { work: Some(work), failing, outcome: None, answer }), bytes })?;
        answered.await.unwrap_or_else(|_| Err(unavailable("the writer ended").into()))
    }

    /// Makes an entry of the trail durable; its number.
    pub(super) async fn enter(&self, entry: Entry) -> Result<i64, StoreError> {
        let (answer, answered) = waiting();
        self.jobs.put(Waiting { job: Box::new(Entering { entry, seq: None, answer }), bytes: ENTRY_BYTES })?;
        answered.await
    }

    /// Whether the writer is at work, and the last that it tried to write could be written.
    pub(super) fn ready(&self) -> bool {
        self.alive.load(Ordering::Acquire) && !self.troubled.load(Ordering::Acquire)
    }

    /// Finishes what waits, folds the log in, ends the threads. Blocks until then; later calls do nothing.
    pub(super) fn close(&self) {
        self.jobs.close();
        drop(self.reads.lock().unwrap_or_else(PoisonError::into_inner).take());
        for thread in self.threads.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread of the store had panicked");
            }
        }
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        self.close();
    }
}

fn unavailable(why: &str) -> StoreError {
    StoreError::Unavailable(why.to_owned())
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, StoreError> {
    std::thread::Builder::new().name(name.into()).spawn(work).map_err(|error| unavailable(&error.to_string()))
}

/// Says that the writer is gone, however it goes, to those who wait too.
struct Alive {
    jobs: Arc<Queue>,
    alive: Arc<AtomicBool>,
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.alive.store(false, Ordering::Release);
        self.jobs.abandon();
    }
}

fn write_all(mut writer: Writer, alive: &Alive) {
    loop {
        match alive.jobs.take() {
            Next::Batch(batch) => {
                writer.settle(batch);
                super::statement::bound_kept(&mut writer.connection);
            }
            Next::Quiet => {
                writer.try_again();
                writer.look_around();
            }
            Next::End => break,
        }
    }
    writer.checkpoint();
}

fn read_all(mut connection: Connection, reading: &Mutex<Receiver<Reading>>) {
    loop {
        let next = reading.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(read) = next else { break };
        // A defect in one read ends that read (its answer is dropped, the caller hears of it), not the thread.
        if catch_unwind(AssertUnwindSafe(|| read(&mut connection))).is_err() {
            tracing::error!("a read panicked");
        }
        super::statement::bound_kept(&mut connection);
    }
}

/// About what an entry that waits holds in memory.
const ENTRY_BYTES: usize = 500;

/// An entry of the trail and whoever waits for it.
struct Entering {
    entry: Entry,
    seq: Option<i64>,
    answer: Answering,
}

impl Job for Entering {
    fn run(&mut self, writer: &mut Writer) -> bool {
        self.seq = Some(writer.enter(&self.entry));
        true
    }

    fn failing(&self) -> Failing {
        Failing::Never
    }

    fn settle(self: Box<Self>, outcome: Result<(), &str>, answers: &mut Answers) {
        let done = outcome.map_err(unavailable).and_then(|()| self.seq.ok_or_else(|| unavailable("an entry was not written")));
        answers.add(&self.answer, done);
    }
}

/// A closure and whoever waits for it.
struct Task<T, E, F> {
    work: Option<F>,
    failing: Failing,
    outcome: Option<Result<T, E>>,
    answer: oneshot::Sender<Result<T, E>>,
}

impl<T, E, F> Job for Task<T, E, F>
where
    T: Send,
    E: From<StoreError> + Send,
    F: FnOnce(&mut Writer) -> Result<T, E> + Send,
{
    fn run(&mut self, writer: &mut Writer) -> bool {
        let Some(work) = self.work.take() else { return false };
        // A defect in one job must not take the writer, and with it every other write, away.
        let outcome =
            catch_unwind(AssertUnwindSafe(|| work(writer))).unwrap_or_else(|_| Err(unavailable("a write panicked").into()));
        self.outcome.insert(outcome).is_ok()
    }

    fn failing(&self) -> Failing {
        self.failing
    }

    fn settle(self: Box<Self>, outcome: Result<(), &str>, _answers: &mut Answers) {
        let done = match (self.outcome, outcome) {
            (Some(Ok(value)), Ok(())) => Ok(value),
            (Some(Err(error)), _) => Err(error),
            (_, Err(why)) => Err(unavailable(why).into()),
            (None, Ok(())) => Err(unavailable("a write was not run").into()),
        };
        // Nobody listens any more when the request was dropped; what was written stays written.
        drop(self.answer.send(done));
    }
}
