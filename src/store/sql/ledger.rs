//! The ledger: one writer, jobs that wait share a commit; readers beside it.
//!
//! A durable commit costs a disk sync, however much is in it. So whoever wants to write hands over a job and waits; the writer takes
//! all that wait at that moment, runs each in a savepoint, commits once, and then answers them all.

use super::SqliteOptions;
use super::connection::{Place, Use};
use super::writer::{Job, Writer};
use crate::clock::Clock;
use crate::store::StoreError;
use diesel::prelude::*;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::oneshot;

/// Jobs that may wait. Beyond, the answer is "unavailable" at once: a queue that cannot be worked off helps nobody.
const WAITING: usize = 4_096;
/// Bytes that may wait.
const WAITING_BYTES: usize = 256 << 20;
/// Jobs in one commit.
const BATCH: usize = 512;
/// Bytes in one commit.
const BATCH_BYTES: usize = 16 << 20;

/// How long nothing may be asked before a writer that failed tries by itself whether it can write again.
const AGAIN: Duration = Duration::from_secs(1);

/// Where writes queue and reads are done.
#[derive(Debug)]
pub struct Ledger {
    place: Place,
    jobs: Mutex<Option<SyncSender<Waiting>>>,
    reads: Mutex<Option<SyncSender<Reading>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    bytes: Arc<AtomicUsize>,
    alive: Arc<AtomicBool>,
    troubled: Arc<AtomicBool>,
}

struct Waiting {
    job: Box<dyn Job>,
    bytes: usize,
}

type Reading = Box<dyn FnOnce(&mut SqliteConnection) + Send>;

impl Ledger {
    /// Starts the threads. The database must be there, migrated.
    pub(super) fn start(place: Place, clock: Clock, options: &SqliteOptions) -> Result<Self, StoreError> {
        let readers = options.readers;
        let writer = Writer::resume(place.connect(Use::Write)?, clock, &options.node)?;
        let (jobs, waiting) = sync_channel(WAITING);
        let (reads, reading) = sync_channel::<Reading>(WAITING);
        let bytes = Arc::new(AtomicUsize::new(0));
        let alive = Arc::new(AtomicBool::new(true));
        let troubled = writer.troubled();
        let mut threads = vec![spawn("ledger", {
            let (bytes, alive) = (Arc::clone(&bytes), Alive(Arc::clone(&alive)));
            move || write_all(writer, &waiting, &bytes, &alive)
        })?];
        let reading = Arc::new(Mutex::new(reading));
        for _ in 0..readers.max(1) {
            let (connection, reading) = (place.connect(Use::Read)?, Arc::clone(&reading));
            threads.push(spawn("reader", move || read_all(connection, &reading))?);
        }
        let (jobs, reads, threads) = (Mutex::new(Some(jobs)), Mutex::new(Some(reads)), Mutex::new(threads));
        Ok(Self { place, jobs, reads, threads, bytes, alive, troubled })
    }

    /// Writes: all that the closure does or nothing, durable when the answer is there. An error of the closure undoes it.
    ///
    /// # Errors
    /// The closure's own; `Unavailable` when the queue is full, the commit failed, or the ledger is closed.
    pub async fn write<T, E>(&self, work: impl FnOnce(&mut SqliteConnection) -> Result<T, E> + Send + 'static) -> Result<T, E>
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
    pub async fn read<T, E>(&self, work: impl FnOnce(&mut SqliteConnection) -> Result<T, E> + Send + 'static) -> Result<T, E>
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
    pub(super) fn inline<T, E>(&self, read: impl FnOnce(&mut SqliteConnection) -> Result<T, E>) -> Result<T, E>
    where
        E: From<StoreError>,
    {
        self.place.inline(read)
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
        self.hand_over(bytes, false, work).await
    }

    /// The same for work that is one statement: nothing of it can be left half done.
    pub(super) async fn submit_single<T, E>(
        &self,
        bytes: usize,
        work: impl FnOnce(&mut Writer) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.hand_over(bytes, true, work).await
    }

    async fn hand_over<T, E>(
        &self,
        bytes: usize,
        single: bool,
        work: impl FnOnce(&mut Writer) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        self.enqueue(Waiting { job: Box::new(Task { work: Some(work), single, outcome: None, answer }), bytes })?;
        answered.await.unwrap_or_else(|_| Err(unavailable("the writer ended").into()))
    }

    fn enqueue(&self, waiting: Waiting) -> Result<(), StoreError> {
        let bytes = waiting.bytes;
        if self.bytes.fetch_add(bytes, Ordering::Relaxed) > WAITING_BYTES {
            self.bytes.fetch_sub(bytes, Ordering::Relaxed);
            return Err(unavailable("too much waits to be written"));
        }
        let sent = match &*self.jobs.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(jobs) => jobs.try_send(waiting).map_err(|_| unavailable("too much waits to be written")),
            None => Err(unavailable("closed")),
        };
        if sent.is_err() {
            self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        }
        sent
    }

    /// Whether the writer is at work, and the last that it tried to write could be written.
    pub(super) fn ready(&self) -> bool {
        self.alive.load(Ordering::Acquire) && !self.troubled.load(Ordering::Acquire)
    }

    /// Finishes what waits, folds the log in, ends the threads. Blocks until then; later calls do nothing.
    pub(super) fn close(&self) {
        drop(self.jobs.lock().unwrap_or_else(PoisonError::into_inner).take());
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

/// Says that the writer is gone, however it goes.
struct Alive(Arc<AtomicBool>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

fn write_all(mut writer: Writer, waiting: &Receiver<Waiting>, held: &AtomicUsize, _alive: &Alive) {
    loop {
        let first = match waiting.recv_timeout(AGAIN) {
            Ok(first) => first,
            Err(RecvTimeoutError::Timeout) => {
                writer.try_again();
                continue;
            }
            Err(RecvTimeoutError::Disconnected) => break,
        };
        let (batch, bytes) = gather(first, waiting);
        held.fetch_sub(bytes, Ordering::Relaxed);
        writer.settle(batch);
        super::statement::bound_kept(&mut writer.connection);
    }
    writer.checkpoint();
}

/// What waits, and its bytes. When nothing more does, the processor is given up once: on a core with other work its threads hand over
/// what they have ready, and more requests share the commit; on an idle one it comes back at once.
fn gather(first: Waiting, waiting: &Receiver<Waiting>) -> (Vec<Box<dyn Job>>, usize) {
    let mut bytes = first.bytes;
    let mut batch = vec![first.job];
    let mut yielded = false;
    while batch.len() < BATCH && bytes < BATCH_BYTES {
        match waiting.try_recv() {
            Ok(next) => {
                bytes += next.bytes;
                batch.push(next.job);
            }
            Err(_) if !yielded => {
                yielded = true;
                std::thread::yield_now();
            }
            Err(_) => break,
        }
    }
    (batch, bytes)
}

fn read_all(mut connection: SqliteConnection, reading: &Mutex<Receiver<Reading>>) {
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

/// A closure and whoever waits for it.
struct Task<T, E, F> {
    work: Option<F>,
    single: bool,
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

    fn single(&self) -> bool {
        self.single
    }

    fn settle(self: Box<Self>, outcome: Result<(), &str>) {
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
