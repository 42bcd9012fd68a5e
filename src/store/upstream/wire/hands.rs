//! The clients that talk to a server behind. A thread that serves talks by itself, over connections of its own: nothing is handed over
//! between threads. A thread that only passes by hands its requests to one that stays, since its connections would end with it.

use super::super::UpstreamOptions;
use super::super::fault::Fault;
use super::reach::Reach;
use super::tls;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{HeaderMap, Request, Response, Version};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout, timeout_at};

/// Pieces of a body that wait to be taken: whoever is slow to take them slows the sender down.
const AHEAD: usize = 4;
/// How long an idle connection is kept.
const KEPT: Duration = Duration::from_mins(1);

type Connector = HttpsConnector<HttpConnector<Reach>>;
type Wire = Client<Connector, Full<Bytes>>;

/// Numbers the servers behind, so that a thread tells its clients apart.
static NUMBERS: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// The clients of this thread, by server.
    static CLIENTS: RefCell<HashMap<u64, Wire>> = RefCell::default();
    /// Whether this thread ends soon.
    static PASSING: Cell<bool> = const { Cell::new(false) };
}

/// Says of this thread that it ends when the work is done.
pub(in crate::store::upstream) fn passing<T>(work: impl FnOnce() -> T) -> T {
    PASSING.set(true);
    work()
}

/// What an answer begins with, and where the rest arrives.
pub(in crate::store::upstream) struct Head {
    pub(in crate::store::upstream) status: u16,
    pub(in crate::store::upstream) version: Version,
    pub(in crate::store::upstream) headers: HeaderMap,
    pub(in crate::store::upstream) body: Body,
}

/// A body while it arrives: on a connection of this thread, or of the one that stays.
pub(in crate::store::upstream) enum Body {
    Here(Box<Incoming>, Duration, Instant),
    There(mpsc::Receiver<Result<Bytes, Fault>>),
}

impl Body {
    /// The next bytes; `None` at the end.
    pub(in crate::store::upstream) async fn next(&mut self) -> Option<Result<Bytes, Fault>> {
        match self {
            Self::There(pieces) => pieces.recv().await,
            Self::Here(body, idle, end) => piece(body, *idle, *end).await,
        }
    }
}

struct Job {
    request: Request<Full<Bytes>>,
    reply: oneshot::Sender<Result<Head, Fault>>,
}

/// The clients of one server.
pub(in crate::store::upstream) struct Hands {
    number: u64,
    connector: Connector,
    per_host: usize,
    patience: Patience,
    jobs: mpsc::UnboundedSender<Job>,
}

#[derive(Clone, Copy)]
struct Patience {
    answer: Duration,
    idle: Duration,
    whole: Duration,
}

impl Hands {
    /// Starts the thread that stays.
    ///
    /// # Errors
    /// When certificates cannot be read or no thread can be had.
    pub(in crate::store::upstream) fn start(options: &UpstreamOptions) -> Result<Self, String> {
        let patience = Patience { answer: options.answer, idle: options.idle, whole: options.whole };
        let (connector, per_host) = (tls::connector(options)?, options.in_flight);
        let jobs = stay(client(connector.clone(), per_host), patience)?;
        Ok(Self { number: NUMBERS.fetch_add(1, Ordering::Relaxed), connector, per_host, patience, jobs })
    }

    /// Sends a request and waits for the head of the answer.
    pub(in crate::store::upstream) async fn send(&self, request: Request<Full<Bytes>>) -> Result<Head, Fault> {
        if PASSING.get() {
            return self.hand_over(request).await;
        }
        let make = || client(self.connector.clone(), self.per_host);
        let wire = CLIENTS.with_borrow_mut(|clients| clients.entry(self.number).or_insert_with(make).clone());
        let end = Instant::now() + self.patience.whole;
        let response = asked(&wire, request, self.patience).await?;
        let (parts, body) = Response::into_parts(response);
        let body = Body::Here(Box::new(body), self.patience.idle, end);
        Ok(Head { status: parts.status.as_u16(), version: parts.version, headers: parts.headers, body })
    }

    async fn hand_over(&self, request: Request<Full<Bytes>>) -> Result<Head, Fault> {
        let (reply, answered) = oneshot::channel();
        let gone = || Fault::Unreachable("the gateway is stopping".to_owned());
        self.jobs.send(Job { request, reply }).map_err(|_| gone())?;
        answered.await.unwrap_or_else(|_| Err(gone()))
    }
}

impl Drop for Hands {
    fn drop(&mut self) {
        // Those of other threads go with the threads.
        drop(CLIENTS.try_with(|clients| clients.try_borrow_mut().map(|mut clients| clients.remove(&self.number))));
    }
}

fn client(connector: Connector, per_host: usize) -> Wire {
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(KEPT)
        .pool_max_idle_per_host(per_host)
        .build(connector)
}

fn stay(wire: Wire, patience: Patience) -> Result<mpsc::UnboundedSender<Job>, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|fault| fault.to_string())?;
    let (jobs, mut taken) = mpsc::unbounded_channel::<Job>();
    let work = move || {
        runtime.block_on(async move {
            while let Some(job) = taken.recv().await {
                drop(tokio::spawn(serve(wire.clone(), job, patience)));
            }
        });
    };
    std::thread::Builder::new().name("upstream".into()).spawn(work).map_err(|fault| fault.to_string())?;
    Ok(jobs)
}

async fn asked(wire: &Wire, request: Request<Full<Bytes>>, patience: Patience) -> Result<Response<Incoming>, Fault> {
    match timeout(patience.answer, wire.request(request)).await {
        Err(_) => Err(Fault::Slow("the head of the answer")),
        Ok(Err(fault)) if fault.is_connect() => Err(Fault::Unreachable(chain(&fault))),
        Ok(Err(fault)) => Err(Fault::Lost(chain(&fault))),
        Ok(Ok(response)) => Ok(response),
    }
}

async fn serve(wire: Wire, job: Job, patience: Patience) {
    let Job { request, mut reply } = job;
    let end = Instant::now() + patience.whole;
    let answer = tokio::select! {
        answer = asked(&wire, request, patience) => answer,
        () = reply.closed() => return,
    };
    let response = match answer {
        Err(fault) => return drop(reply.send(Err(fault))),
        Ok(response) => response,
    };
    let (parts, mut body) = Response::into_parts(response);
    let (pieces, taken) = mpsc::channel(AHEAD);
    let (status, version, headers) = (parts.status.as_u16(), parts.version, parts.headers);
    if reply.send(Ok(Head { status, version, headers, body: Body::There(taken) })).is_err() {
        return;
    }
    while let Some(piece) = piece(&mut body, patience.idle, end).await {
        let last = piece.is_err();
        if pieces.send(piece).await.is_err() || last {
            return;
        }
    }
}

/// The next bytes of a body, in time.
async fn piece(body: &mut Incoming, idle: Duration, end: Instant) -> Option<Result<Bytes, Fault>> {
    loop {
        return match timeout_at(end.min(Instant::now() + idle), body.frame()).await {
            Err(_) => Some(Err(Fault::Slow("the body of the answer"))),
            Ok(None) => None,
            Ok(Some(Err(fault))) => Some(Err(Fault::Wrong(format!("the answer broke off: {}", chain(&fault))))),
            Ok(Some(Ok(frame))) => match frame.into_data() {
                Ok(data) => Some(Ok(data)),
                Err(_) => continue,
            },
        };
    }
}

/// An error with what lies beneath it.
fn chain(fault: &dyn std::error::Error) -> String {
    let mut text = fault.to_string();
    let mut beneath = fault.source();
    while let Some(inner) = beneath {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        beneath = inner.source();
    }
    text
}
