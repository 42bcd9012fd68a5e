//! The ledger: one writer, jobs that wait share a commit; readers beside it.
//!
//! A durable commit costs a disk sync, however much is in it. So whoever wants to write hands over a job and waits; the writer takes
//! all that wait at that moment, runs each so that it can be undone alone, commits once, and then answers them all.

use super::answered::{Answering, Answers, waiting};
use super::connection::{Connection, Place, Use};
use super::lane::{self, Behind, Lane, spawn};
use super::postgres::ServerPlace;
use super::queue::{Next, Queue, Waiting};
use super::recent::Recent;
use super::turn::Seen;
use super::writer::{Failing, Job, Writer};
use crate::audit::Entry;
use crate::clock::Clock;
use crate::store::StoreError;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// Where writes queue and reads are done.
#[derive(Debug)]
pub struct Ledger {
    place: Place,
    jobs: Arc<Queue>,
    /// What may take its time.
    reads: Lane,
    /// Reads by key, on a server.
    peeks: Lane,
    /// What may take its time and be answered by another server.
    replicas: Vec<Lane>,
    next_replica: AtomicUsize,
    threads: Mutex<Vec<JoinHandle<()>>>,
    alive: Arc<AtomicBool>,
    troubled: Arc<AtomicBool>,
    recent: Arc<Recent>,
    seen: Seen,
    /// Entries that wait beside the database.
    waiting: Arc<AtomicUsize>,
}

/// How many threads do what.
#[derive(Debug, Clone)]
pub(super) struct Crew {
    /// For searches and histories.
    pub(super) readers: usize,
    /// For reads by key, on a server.
    pub(super) peekers: usize,
    /// Servers that follow the first one.
    pub(super) replicas: Vec<ServerPlace>,
    /// Records of which the last row read is kept, of a file.
    pub(super) recent: u64,
    /// The name of this node in the trail.
    pub(super) node: String,
}

impl Ledger {
    /// Starts the threads. The database must be there, migrated.
    pub(super) fn start(place: Place, clock: Clock, crew: &Crew) -> Result<Self, StoreError> {
        // Nothing would tell this node in time what another has written to a server's database.
        let recent = Arc::new(Recent::new(if matches!(place, Place::Server(_)) { 0 } else { crew.recent }));
        let jobs = Arc::new(Queue::default());
        let alive = Arc::new(AtomicBool::new(true));
        let (report, resumed) = sync_channel(1);
        let mut threads = vec![spawn("ledger", {
            let alive = Alive { jobs: Arc::clone(&jobs), alive: Arc::clone(&alive) };
            let (place, node, recent) = (place.clone(), crew.node.clone(), Arc::clone(&recent));
            move || match Writer::resume(place, clock, &node, recent) {
                Ok(writer) => {
                    drop(report.send(Ok((writer.troubled(), writer.turn.seen()))));
                    write_all(writer, &alive);
                }
                Err(error) => drop(report.send(Err(error))),
            }
        })?];
        let (troubled, seen) = resumed.recv().unwrap_or_else(|_| Err(unavailable("the writer ended")))?;
        let (reads, readings) = Lane::new();
        threads.extend(lane::start(&place, Use::Read, crew.readers, &readings)?);
        let (peeks, readings) = Lane::new();
        if matches!(place, Place::Server(_)) {
            threads.extend(lane::start(&place, Use::Peek, crew.peekers, &readings)?);
        }
        let mut replicas = Vec::new();
        for replica in &crew.replicas {
            let (lane, readings) = Lane::new();
            for _ in 0..crew.readers.max(1) {
                let behind = Behind { first: reads.clone(), known: Arc::clone(&seen.known) };
                let (replica, readings) = (replica.clone(), Arc::clone(&readings));
                threads.push(spawn("replica", move || lane::serve_replica(replica, &behind, &readings))?);
            }
            replicas.push(lane);
        }
        let (threads, next_replica) = (Mutex::new(threads), AtomicUsize::new(0));
        let waiting = Arc::default();
        Ok(Self { place, jobs, reads, peeks, replicas, next_replica, threads, alive, troubled, recent, seen, waiting })
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
        self.reads.read(work).await
    }

    /// The same, by a replica if there is one that has everything that a request so far may have seen.
    pub(super) async fn read_anywhere<T, E>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let turn = self.next_replica.fetch_add(1, Ordering::Relaxed).checked_rem(self.replicas.len()).unwrap_or(0);
        self.replicas.get(turn).unwrap_or(&self.reads).read(work).await
    }

    /// A read by primary key: of a file on the calling thread, of a server beside searches that take their time.
    pub(super) async fn peek<T, E>(&self, work: impl FnOnce(&mut Connection) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        match &self.place {
            Place::File(file) => file.inline(work),
            Place::Server(_) => self.peeks.read(work).await,
        }
    }

    /// The same for a thread that waits.
    pub(super) fn peek_now<T, E>(&self, work: impl FnOnce(&mut Connection) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        match &self.place {
            Place::File(file) => file.inline(work),
            Place::Server(_) => self.peeks.read_now(work),
        }
    }

    /// A request may have seen this change.
    pub(super) fn heard(&self, change: i64) {
        self.seen.known.fetch_max(change, Ordering::AcqRel);
    }

    /// Whether this node does what only one should do.
    pub(super) fn leads(&self) -> bool {
        self.seen.leads.load(Ordering::Acquire)
    }

    /// Where the database is.
    pub(super) fn place(&self) -> &Place {
        &self.place
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

    /// Whether the writer is at work, and the last that it tried to write could be written: an entry of the trail beside the database, when
    /// that is a file. Without a server nothing can be decided.
    pub(super) fn ready(&self) -> bool {
        let there = matches!(self.place, Place::File(_)) || self.waiting.load(Ordering::Acquire) == 0;
        self.alive.load(Ordering::Acquire) && !self.troubled.load(Ordering::Acquire) && there
    }

    /// How many entries wait beside the database.
    pub(super) fn waiting(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.waiting)
    }

    /// Finishes what waits, folds the log in, ends the threads. Blocks until then; later calls do nothing.
    pub(super) fn close(&self) {
        self.jobs.close();
        for lane in self.replicas.iter().chain([&self.reads, &self.peeks]) {
            lane.close();
        }
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

/// How long a writer that is never idle may not know whether its node leads.
const SEEK: Duration = Duration::from_secs(2);

fn write_all(mut writer: Writer, alive: &Alive) {
    let mut sought = Instant::now();
    loop {
        match alive.jobs.take() {
            Next::Batch(batch, bytes) => {
                writer.settle(batch);
                super::statement::bound_kept(&mut writer.connection);
                writer.fold(bytes);
                if sought.elapsed() > SEEK {
                    writer.seek_lead();
                    sought = Instant::now();
                }
            }
            Next::Quiet => {
                writer.fold_rest();
                writer.try_again();
                writer.look_around();
            }
            Next::End => break,
        }
    }
    if writer.has_spooled() {
        let _last = writer.hand_over();
    }
    writer.checkpoint();
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

    fn entry(&self) -> Option<&Entry> {
        Some(&self.entry)
    }

    fn spooled(&mut self) {
        self.seq = Some(0);
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
