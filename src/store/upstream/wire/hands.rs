//! The threads that talk to the server behind, apart from those that serve: connections are shared by all of these, and whoever waits for an
//! answer may wait as it likes.

use super::super::UpstreamOptions;
use super::super::fault::Fault;
use super::tls;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{HeaderMap, Request, Response};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout, timeout_at};

/// Threads.
const HANDS: usize = 2;
/// Pieces of a body that wait to be taken: whoever is slow to take them slows the sender down.
const AHEAD: usize = 4;
/// How long an idle connection is kept.
const KEPT: Duration = Duration::from_mins(1);

type Wire = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// What an answer begins with, and where the rest arrives.
pub(in crate::store::upstream) struct Head {
    pub(in crate::store::upstream) status: u16,
    pub(in crate::store::upstream) headers: HeaderMap,
    pub(in crate::store::upstream) body: mpsc::Receiver<Result<Bytes, Fault>>,
}

struct Job {
    request: Request<Full<Bytes>>,
    reply: oneshot::Sender<Result<Head, Fault>>,
}

/// The threads.
pub(in crate::store::upstream) struct Hands {
    jobs: Vec<mpsc::UnboundedSender<Job>>,
    next: AtomicUsize,
}

#[derive(Clone, Copy)]
struct Patience {
    answer: Duration,
    idle: Duration,
    whole: Duration,
}

impl Hands {
    /// Starts them.
    ///
    /// # Errors
    /// When certificates cannot be read or no thread can be had.
    pub(in crate::store::upstream) fn start(options: &UpstreamOptions) -> Result<Self, String> {
        let patience = Patience { answer: options.answer, idle: options.idle, whole: options.whole };
        let jobs = (0..HANDS).map(|_| start(options, patience)).collect::<Result<_, _>>()?;
        Ok(Self { jobs, next: AtomicUsize::new(0) })
    }

    /// Sends a request and waits for the head of the answer.
    pub(in crate::store::upstream) async fn send(&self, request: Request<Full<Bytes>>) -> Result<Head, Fault> {
        let (reply, answered) = oneshot::channel();
        let at = self.next.fetch_add(1, Ordering::Relaxed) % self.jobs.len().max(1);
        let gone = || Fault::Unreachable("the gateway is stopping".to_owned());
        self.jobs.get(at).ok_or_else(gone)?.send(Job { request, reply }).map_err(|_| gone())?;
        answered.await.unwrap_or_else(|_| Err(gone()))
    }
}

fn start(options: &UpstreamOptions, patience: Patience) -> Result<mpsc::UnboundedSender<Job>, String> {
    let connector = tls::connector(options)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|fault| fault.to_string())?;
    let (jobs, mut taken) = mpsc::unbounded_channel::<Job>();
    let per_host = options.in_flight;
    let work = move || {
        runtime.block_on(async move {
            let wire: Wire = Client::builder(TokioExecutor::new())
                .pool_timer(TokioTimer::new())
                .pool_idle_timeout(KEPT)
                .pool_max_idle_per_host(per_host)
                .build(connector);
            while let Some(job) = taken.recv().await {
                drop(tokio::spawn(serve(wire.clone(), job, patience)));
            }
        });
    };
    std::thread::Builder::new().name("upstream".into()).spawn(work).map_err(|fault| fault.to_string())?;
    Ok(jobs)
}

async fn serve(wire: Wire, job: Job, patience: Patience) {
    let Job { request, mut reply } = job;
    let end = Instant::now() + patience.whole;
    let answer = tokio::select! {
        answer = timeout(patience.answer, wire.request(request)) => answer,
        () = reply.closed() => return,
    };
    let response = match answer {
        Err(_) => return drop(reply.send(Err(Fault::Slow("the head of the answer")))),
        Ok(Err(fault)) => return drop(reply.send(Err(Fault::Unreachable(chain(&fault))))),
        Ok(Ok(response)) => response,
    };
    let (parts, body) = Response::into_parts(response);
    let (pieces, taken) = mpsc::channel(AHEAD);
    if reply.send(Ok(Head { status: parts.status.as_u16(), headers: parts.headers, body: taken })).is_ok() {
        pass_on(body, &pieces, patience.idle, end).await;
    }
}

async fn pass_on(mut body: Incoming, pieces: &mpsc::Sender<Result<Bytes, Fault>>, idle: Duration, end: Instant) {
    loop {
        let piece = match timeout_at(end.min(Instant::now() + idle), body.frame()).await {
            Err(_) => Err(Fault::Slow("the body of the answer")),
            Ok(None) => return,
            Ok(Some(Err(fault))) => Err(Fault::Wrong(format!("the answer broke off: {}", chain(&fault)))),
            Ok(Some(Ok(frame))) => match frame.into_data() {
                Ok(data) => Ok(data),
                Err(_) => continue,
            },
        };
        let last = piece.is_err();
        if pieces.send(piece).await.is_err() || last {
            return;
        }
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
