//! Threads that read, each with a connection, and the queues before them.

use super::connection::{Connection, Place, Use};
use super::point::last_change;
use super::postgres::{Held, ServerPlace};
use super::statement::bound_kept;
use crate::store::StoreError;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// Reads that may wait in one queue.
const WAITING: usize = 4_096;

/// How long a server that could not be reached is left alone, where another can be asked instead.
const AWAY: Duration = Duration::from_secs(2);

/// A read, handed a connection or the reason why there is none. Says whether it went well.
pub(super) type Reading = Box<dyn FnOnce(Result<&mut Connection, StoreError>) -> bool + Send>;

/// The taking end of a queue, shared by the threads that serve it.
pub(super) type Readings = Arc<Mutex<Receiver<Reading>>>;

/// A queue of reads.
#[derive(Debug, Clone)]
pub(super) struct Lane(Arc<Mutex<Option<SyncSender<Reading>>>>);

impl Lane {
    /// A queue, and where its reads are taken from.
    pub(super) fn new() -> (Self, Readings) {
        let (sender, receiver) = sync_channel(WAITING);
        (Self(Arc::new(Mutex::new(Some(sender)))), Arc::new(Mutex::new(receiver)))
    }

    /// Takes no more; the threads end when they have done what waits.
    pub(super) fn close(&self) {
        drop(self.0.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    fn put(&self, reading: Reading) -> Result<(), StoreError> {
        match &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(sender) => sender.try_send(reading).map_err(|_| unavailable("too many reads wait")),
            None => Err(unavailable("closed")),
        }
    }

    /// Hands over a read and waits for its answer.
    pub(super) async fn read<T, E>(&self, work: impl FnOnce(&mut Connection) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        self.put(reading(work, answer))?;
        answered.await.unwrap_or_else(|_| Err(unavailable("a reader failed").into()))
    }

    /// The same for a thread that must not do anything else meanwhile.
    pub(super) fn read_now<T, E>(&self, work: impl FnOnce(&mut Connection) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (answer, answered) = std::sync::mpsc::sync_channel(1);
        self.put(Box::new(move |connection| {
            let outcome = connection.map_err(E::from).and_then(work);
            let well = outcome.is_ok();
            drop(answer.send(outcome));
            well
        }))?;
        answered.recv().unwrap_or_else(|_| Err(unavailable("a reader failed").into()))
    }
}

fn reading<T, E>(
    work: impl FnOnce(&mut Connection) -> Result<T, E> + Send + 'static,
    answer: oneshot::Sender<Result<T, E>>,
) -> Reading
where
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
{
    Box::new(move |connection| {
        // The caller may have gone: then nobody needs the read.
        if answer.is_closed() {
            return true;
        }
        let outcome = connection.map_err(E::from).and_then(work);
        let well = outcome.is_ok();
        drop(answer.send(outcome));
        well
    })
}

fn unavailable(why: &str) -> StoreError {
    StoreError::Unavailable(why.to_owned())
}

fn next(readings: &Readings) -> Option<Reading> {
    readings.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

/// Runs a read. A defect in one ends that read (its answer is dropped, the caller hears of it), not the thread.
fn run(reading: Reading, connection: Result<&mut Connection, StoreError>) -> Option<bool> {
    let outcome = catch_unwind(AssertUnwindSafe(|| reading(connection)));
    if outcome.is_err() {
        tracing::error!("a read panicked");
    }
    outcome.ok()
}

/// Serves a queue from a file.
pub(super) fn serve_file(mut connection: Connection, readings: &Readings) {
    while let Some(reading) = next(readings) {
        run(reading, Ok(&mut connection));
        bound_kept(&mut connection);
    }
}

/// Serves a queue from a server. A connection that was lost is made anew with the next read.
pub(super) fn serve(place: ServerPlace, purpose: Use, readings: &Readings) {
    let mut held = Held::new(place, purpose);
    while let Some(reading) = next(readings) {
        serve_one(&mut held, reading);
    }
}

fn serve_one(held: &mut Held, reading: Reading) {
    match run(reading, held.get()) {
        Some(well) => held.went(well),
        None => held.let_go(),
    }
    held.tidy();
}

/// What a thread that serves from a replica needs beside it.
pub(super) struct Behind {
    /// Where reads go that the replica cannot answer.
    pub(super) first: Lane,
    /// The newest change that any request so far may have seen.
    pub(super) known: Arc<AtomicI64>,
}

/// Serves a queue from a replica, as long as that has everything that a request may have seen: each read is preceded by the question
/// how far the replica is. What it cannot answer goes to the first server.
pub(super) fn serve_replica(place: ServerPlace, behind: &Behind, readings: &Readings) {
    let mut held = Held::new(place, Use::Read);
    let mut away: Option<Instant> = None;
    while let Some(reading) = next(readings) {
        let due = behind.known.load(Ordering::Acquire);
        let asked = away.is_none_or(|since| since.elapsed() > AWAY);
        let reached = asked.then(|| held.get().and_then(|connection| Ok(last_change(connection)?)));
        match reached {
            Some(Ok(reached)) if reached >= due => {
                away = None;
                serve_one(&mut held, reading);
                continue;
            }
            Some(Err(error)) => {
                tracing::warn!(%error, "a replica cannot be read; the first server answers");
                (away, held) = (Some(Instant::now()), held.anew());
            }
            Some(Ok(_)) | None => {}
        }
        metrics::counter!("amanat_store_replica_passed_total").increment(1);
        if behind.first.put(reading).is_err() {
            tracing::warn!("a read could not be passed on");
        }
    }
}

/// Starts the threads of a queue.
pub(super) fn start(
    place: &Place,
    purpose: Use,
    threads: usize,
    readings: &Readings,
) -> Result<Vec<std::thread::JoinHandle<()>>, StoreError> {
    let mut started = Vec::new();
    for _ in 0..threads.max(1) {
        let readings = Arc::clone(readings);
        started.push(match place {
            Place::File(file) => {
                let connection = file.connect(purpose)?;
                spawn("reader", move || serve_file(connection, &readings))?
            }
            Place::Server(server) => {
                let server = server.clone();
                spawn("reader", move || serve(server, purpose, &readings))?
            }
        });
    }
    Ok(started)
}

/// A thread of the store.
pub(super) fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<std::thread::JoinHandle<()>, StoreError> {
    std::thread::Builder::new().name(name.into()).spawn(work).map_err(|error| unavailable(&error.to_string()))
}
