//! Requests to the server behind, and its answers: bounded in time, bytes and number.

mod badge;
mod breaker;
mod hands;
mod reach;
mod tls;

pub(super) use hands::passing;

use super::UpstreamOptions;
use super::fault::Fault;
use badge::Badge;
use breaker::Breaker;
use hands::{Body, Hands, Head};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{ACCEPT, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HeaderMap, IF_MATCH, RETRY_AFTER};
use hyper::{Method, Request};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout};

/// How often a request that changes nothing is sent at most.
const ATTEMPTS: u32 = 3;
/// The first pause between two attempts, at most.
const PAUSE_MILLIS: u64 = 100;
/// A server that asks for more patience than this is not asked again within the same request.
const PATIENCE: u32 = 2;

/// What is asked. The address is below the base, and made of parsed parts alone.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    method: Method,
    place: String,
    body: Option<Bytes>,
    headers: Vec<(hyper::header::HeaderName, String)>,
}

impl Ask {
    /// Reads something: `Patient/p1`, `Observation?patient=p1`.
    pub(super) fn get(place: impl Into<String>) -> Self {
        Self { method: Method::GET, place: place.into(), body: None, headers: Vec::new() }
    }

    /// A search, which the server must not answer without every parameter, nor from what it remembers.
    pub(super) fn search(place: impl Into<String>) -> Self {
        let mut ask = Self::get(place).prefer("handling=strict");
        ask.headers.push((CACHE_CONTROL, "no-cache".to_owned()));
        ask
    }

    pub(super) fn put(place: impl Into<String>, body: Vec<u8>) -> Self {
        Self { method: Method::PUT, ..Self::with(place, body) }
    }

    pub(super) fn post(place: impl Into<String>, body: Vec<u8>) -> Self {
        Self { method: Method::POST, ..Self::with(place, body) }
    }

    pub(super) fn delete(place: impl Into<String>) -> Self {
        Self { method: Method::DELETE, ..Self::get(place) }
    }

    fn with(place: impl Into<String>, body: Vec<u8>) -> Self {
        let kind = (CONTENT_TYPE, "application/fhir+json".to_owned());
        Self { body: Some(Bytes::from(body)), headers: vec![kind], ..Self::get(place) }
    }

    /// Where, below the base.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    pub(super) fn prefer(mut self, what: &str) -> Self {
        self.headers.push((hyper::header::HeaderName::from_static("prefer"), what.to_owned()));
        self
    }

    pub(super) fn none_exist(mut self, condition: &str) -> Self {
        self.headers.push((hyper::header::HeaderName::from_static("if-none-exist"), condition.to_owned()));
        self
    }

    pub(super) fn only_if(mut self, tag: &str) -> Self {
        self.headers.push((IF_MATCH, tag.to_owned()));
        self
    }
}

/// An answer, its body still arriving.
pub(super) struct Answer {
    pub(super) status: u16,
    /// Of HTTP.
    pub(super) version: hyper::Version,
    pub(super) headers: HeaderMap,
    body: Body,
    left: usize,
    _turn: OwnedSemaphorePermit,
}

impl Answer {
    /// The next bytes; `None` at the end.
    pub(super) async fn chunk(&mut self) -> Result<Option<Bytes>, Fault> {
        let Some(piece) = self.body.next().await.transpose()? else { return Ok(None) };
        self.left = self.left.checked_sub(piece.len()).ok_or_else(|| Fault::wrong("the answer is too large"))?;
        Ok(Some(piece))
    }

    /// The whole body, which may have so many bytes.
    pub(super) async fn whole(mut self, most: usize) -> Result<Vec<u8>, Fault> {
        let mut bytes = Vec::new();
        while let Some(piece) = self.chunk().await? {
            if bytes.len() + piece.len() > most {
                return Err(Fault::wrong("a record is too large"));
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes)
    }

    /// The text of a header.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Only JSON is read: a page of HTML with status 200 is a mistake somewhere between.
    pub(super) fn demand_json(&self) -> Result<(), Fault> {
        let kind = self.header("content-type").unwrap_or_default().split(';').next().unwrap_or_default().trim();
        let json =
            matches!(kind.to_ascii_lowercase().as_str(), "application/fhir+json" | "application/json" | "application/json+fhir");
        if json { Ok(()) } else { Err(Fault::wrong(format!("content of type `{kind}` where FHIR JSON was asked for"))) }
    }
}

/// The way to one server.
pub(super) struct Wire {
    base: String,
    hands: Hands,
    badge: Badge,
    breaker: Breaker,
    /// It has answered at least once what it was asked.
    answered: AtomicBool,
    turns: Arc<Semaphore>,
    queue: Duration,
    answer_bytes: usize,
}

impl Wire {
    /// Prepares; nothing is sent yet.
    pub(super) fn new(options: &UpstreamOptions) -> Result<Self, String> {
        Ok(Self {
            base: options.base.clone(),
            hands: Hands::start(options)?,
            badge: Badge::new(options.credentials.clone()),
            breaker: Breaker::default(),
            answered: AtomicBool::new(false),
            turns: Arc::new(Semaphore::new(options.in_flight.max(1))),
            queue: options.queue,
            answer_bytes: options.answer_bytes,
        })
    }

    /// Whether the server is being left alone.
    pub(super) fn is_resting(&self) -> bool {
        self.breaker.is_open()
    }

    /// Whether it has ever answered what it was asked.
    pub(super) fn has_answered(&self) -> bool {
        self.answered.load(Ordering::Acquire)
    }

    /// Asks. What changes nothing is asked again, after a pause, when the server cannot be reached or says that it cannot answer now.
    pub(super) async fn ask(&self, ask: &Ask) -> Result<Answer, Fault> {
        let turn = timeout(self.queue, Arc::clone(&self.turns).acquire_owned()).await;
        let turn = turn.ok().and_then(Result::ok).ok_or(Fault::Busy(1))?;
        let mut attempt = 1;
        let head = loop {
            let outcome = self.attempt(ask).await;
            let again = ask.method == Method::GET && attempt < ATTEMPTS && worth_repeating(&outcome);
            if !again {
                break outcome?;
            }
            metrics::counter!("amanat_upstream_retries_total").increment(1);
            sleep(pause(attempt)).await;
            attempt += 1;
        };
        if let 429 | 503 = head.status {
            return Err(Fault::Busy(retry_after(&head.headers).unwrap_or(5)));
        }
        if (300..400).contains(&head.status) {
            return Err(Fault::wrong(format!("a redirect (status {}), which is never followed", head.status)));
        }
        let Head { status, version, headers, body } = head;
        Ok(Answer { status, version, headers, body, left: self.answer_bytes, _turn: turn })
    }

    async fn attempt(&self, ask: &Ask) -> Result<Head, Fault> {
        self.breaker.pass(Instant::now())?;
        let guard = Undecided(&self.breaker);
        let outcome = self.exchange(ask).await;
        std::mem::forget(guard);
        let failed = match &outcome {
            Ok(head) => matches!(head.status, 500 | 502..=504),
            Err(fault) => fault.counts(),
        };
        self.breaker.note(failed, Instant::now());
        if let Ok(head) = &outcome {
            metrics::counter!("amanat_upstream_answers_total", "http" => protocol(head.version)).increment(1);
            self.answered.fetch_or(head.status < 400, Ordering::AcqRel);
        }
        outcome
    }

    async fn exchange(&self, ask: &Ask) -> Result<Head, Fault> {
        let head = self.hands.send(self.request(ask).await?).await?;
        if head.status != 401 {
            return Ok(head);
        }
        // Once, with fresh credentials: a 401 did nothing, so that sending it again is safe.
        self.badge.refused().await;
        self.hands.send(self.request(ask).await?).await
    }

    async fn request(&self, ask: &Ask) -> Result<Request<Full<Bytes>>, Fault> {
        let slash = if ask.place.is_empty() || ask.place.starts_with('?') { "" } else { "/" };
        let mut request = Request::builder()
            .method(&ask.method)
            .uri(format!("{}{slash}{}", self.base, ask.place))
            .header(ACCEPT, "application/fhir+json");
        for (name, value) in &ask.headers {
            request = request.header(name, value);
        }
        if let Some(value) = self.badge.header(&self.hands).await? {
            request = request.header(AUTHORIZATION, value);
        }
        let body = Full::new(ask.body.clone().unwrap_or_default());
        request.body(body).map_err(|fault| Fault::wrong(format!("no request could be made: {fault}")))
    }
}

/// A request that may be given up by whoever waits for it.
struct Undecided<'b>(&'b Breaker);

impl Drop for Undecided<'_> {
    fn drop(&mut self) {
        self.0.forget();
    }
}

fn protocol(version: hyper::Version) -> &'static str {
    match version {
        hyper::Version::HTTP_2 => "2",
        hyper::Version::HTTP_11 => "1.1",
        _ => "other",
    }
}

fn worth_repeating(outcome: &Result<Head, Fault>) -> bool {
    match outcome {
        Ok(head) => {
            matches!(head.status, 502 | 504)
                || (matches!(head.status, 429 | 503) && retry_after(&head.headers).unwrap_or(0) <= PATIENCE)
        }
        Err(fault) => matches!(fault, Fault::Unreachable(_)),
    }
}

/// Between half and the whole of a time that doubles.
fn pause(attempt: u32) -> Duration {
    let most = PAUSE_MILLIS << attempt.min(6);
    let jitter = uuid::Uuid::new_v4().as_u128() % u128::from(most / 2 + 1);
    Duration::from_millis(most / 2 + u64::try_from(jitter).unwrap_or(0))
}

/// Seconds of `Retry-After`; a date counts as a few.
fn retry_after(headers: &HeaderMap) -> Option<u32> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?;
    Some(text.trim().parse().unwrap_or(5))
}
