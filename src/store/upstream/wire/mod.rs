//! Requests to the server behind, and its answers: bounded in time, bytes and number.

mod badge;
mod breaker;
mod hands;
mod reach;
mod tls;

pub(super) use hands::passing;

use super::UpstreamOptions;
use super::fault::Fault;
use crate::clock::Clock;
use crate::fhir::Instant;
use badge::Badge;
use breaker::{Breaker, Pass, Sign};
use hands::{Body, Hands, Head};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{ACCEPT, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HeaderMap, IF_MATCH, RETRY_AFTER};
use hyper::{Method, Request};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant as Moment, sleep, timeout};

/// How often a request that changes nothing is sent at most.
const ATTEMPTS: u32 = 3;
/// The first pause between two attempts, at most.
const PAUSE_MILLIS: u64 = 100;
/// A server that asks for more patience than this is not asked again within the same request.
const PATIENCE: u32 = 2;
/// Seconds after which to ask again a server that is busy and does not say for how long.
const UNTOLD: u32 = 5;
/// How long a server that works takes to answer the harmless question, at most.
const SOON: Duration = Duration::from_secs(5);
/// Bytes of that answer that are looked at.
const FEW: usize = 64 << 10;
/// Seconds that anybody is told to wait, at most.
const LONGEST: i64 = 3_600;

/// What is asked. The address is below the base, and made of parsed parts alone.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    method: Method,
    place: String,
    body: Option<Bytes>,
    headers: Vec<(hyper::header::HeaderName, String)>,
    /// Asked while another answer is being read, which has its turn already.
    beside: bool,
}

impl Ask {
    /// Reads something: `Patient/p1`, `Observation?patient=p1`.
    pub(super) fn get(place: impl Into<String>) -> Self {
        Self { method: Method::GET, place: place.into(), body: None, headers: Vec::new(), beside: false }
    }

    /// The same, asked while another answer is being read. Those that wait for it must not keep it from its turn: it has turns of its own,
    /// and whoever has one of these waits for nobody.
    pub(super) fn beside(self) -> Self {
        Self { beside: true, ..self }
    }

    /// The same, which the server must not answer from what it remembers.
    pub(super) fn fresh(mut self) -> Self {
        self.headers.push((CACHE_CONTROL, "no-cache".to_owned()));
        self
    }

    /// A search, which the server must not answer without every parameter, nor from what it remembers.
    pub(super) fn search(place: impl Into<String>) -> Self {
        Self::get(place).prefer("handling=strict").fresh()
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
    verdict: Verdict,
    _turn: OwnedSemaphorePermit,
}

impl Answer {
    /// The next bytes; `None` at the end.
    pub(super) async fn chunk(&mut self) -> Result<Option<Bytes>, Fault> {
        let Some(piece) = self.body.next().await else { return Ok(None) };
        // Whether it is slow or breaks off: it is there, and may answer others.
        let piece = piece.inspect_err(|_| self.verdict.sign = Some(Sign::Odd))?;
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
    breaker: Arc<Breaker>,
    /// What it is asked to see whether it works.
    harmless: Ask,
    /// It has answered at least once what it was asked.
    answered: AtomicBool,
    turns: Arc<Semaphore>,
    /// For what is asked while another answer is being read.
    turns_beside: Arc<Semaphore>,
    queue: Duration,
    clock: Clock,
    answer_bytes: usize,
}

impl Wire {
    /// Prepares; nothing is sent yet. `harmless`: the address of a record that a sound server looks up quickly, there or not.
    pub(super) fn new(options: &UpstreamOptions, harmless: String, clock: &Clock) -> Result<Self, String> {
        Ok(Self {
            base: options.base.clone(),
            hands: Hands::start(options)?,
            badge: Badge::new(options.credentials.clone()),
            breaker: Arc::default(),
            harmless: Ask::get(harmless).fresh(),
            answered: AtomicBool::new(false),
            turns: Arc::new(Semaphore::new(options.in_flight.max(1))),
            turns_beside: Arc::new(Semaphore::new(options.in_flight.max(1))),
            queue: options.queue,
            clock: clock.clone(),
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
        let turns = if ask.beside { &self.turns_beside } else { &self.turns };
        let turn = timeout(self.queue, Arc::clone(turns).acquire_owned()).await;
        let turn = turn.ok().and_then(Result::ok).ok_or(Fault::Busy(1))?;
        let mut attempt = 1;
        let (head, verdict) = loop {
            let outcome = self.attempt(ask).await;
            let head = outcome.as_ref().map(|(head, _)| head);
            let again = if ask.method == Method::GET && attempt < ATTEMPTS { self.patience(head) } else { None };
            let Some(wished) = again else { break outcome? };
            metrics::counter!("amanat_upstream_retries_total").increment(1);
            sleep(pause(attempt).max(wished)).await;
            attempt += 1;
        };
        let seconds = self.retry_after(&head.headers).unwrap_or(UNTOLD).max(1);
        match head.status {
            // Something between says 503, too, when it has lost the server in the middle of a change.
            503 if ask.method != Method::GET => return Err(Fault::Turned(seconds)),
            429 | 503 => return Err(Fault::Busy(seconds)),
            _ => {}
        }
        if (300..400).contains(&head.status) {
            return Err(Fault::wrong(format!("a redirect (status {}), which is never followed", head.status)));
        }
        let Head { status, version, headers, body } = head;
        Ok(Answer { status, version, headers, body, left: self.answer_bytes, verdict, _turn: turn })
    }

    /// How long it wishes to be left alone before it is asked again; `None` when asking again makes no sense.
    fn patience(&self, outcome: Result<&Head, &Fault>) -> Option<Duration> {
        match outcome {
            Ok(Head { status: 502 | 504, .. }) | Err(Fault::Unreachable(_) | Fault::Lost(_)) => Some(Duration::ZERO),
            Ok(Head { status: 429 | 503, headers, .. }) => {
                let wished = self.retry_after(headers).unwrap_or(0);
                (wished <= PATIENCE).then(|| Duration::from_secs(wished.into()))
            }
            _ => None,
        }
    }

    /// Seconds of `Retry-After`, which is a number or a date (RFC 9110 § 10.2.3); an hour at most, whatever is said.
    fn retry_after(&self, headers: &HeaderMap) -> Option<u32> {
        let text = headers.get(RETRY_AFTER)?.to_str().ok().map(str::trim).filter(|text| !text.is_empty())?;
        let seconds = if text.bytes().all(|byte| byte.is_ascii_digit()) {
            text.parse().unwrap_or(i64::MAX)
        } else {
            Instant::parse_http_date(text)?.seconds().saturating_sub(self.clock.now().seconds())
        };
        u32::try_from(seconds.clamp(0, LONGEST)).ok()
    }

    async fn attempt(&self, ask: &Ask) -> Result<(Head, Verdict), Fault> {
        if self.breaker.pass(Moment::now())? == Pass::Ask {
            let _asking = Asking(&self.breaker);
            let well = self.is_well().await;
            metrics::counter!("amanat_upstream_questions_total", "answer" => if well { "well" } else { "sick" }).increment(1);
            self.breaker.answered(well, Moment::now())?;
        }
        let mut verdict = Verdict { breaker: Arc::clone(&self.breaker), sign: None };
        let outcome = self.exchange(ask).await;
        verdict.sign = Some(match &outcome {
            Ok(head) => Sign::of_status(head.status),
            Err(fault) => Sign::of_fault(fault),
        });
        let head = outcome?;
        metrics::counter!("amanat_upstream_answers_total", "http" => protocol(head.version)).increment(1);
        self.answered.fetch_or(head.status < 400, Ordering::AcqRel);
        Ok((head, verdict))
    }

    /// Whether the server answers something that no caller chose, soon and to the end.
    async fn is_well(&self) -> bool {
        let asked = async {
            let Head { status, mut body, .. } = self.exchange(&self.harmless).await?;
            let mut bytes = 0;
            while let Some(piece) = body.next().await {
                bytes += piece?.len();
                if bytes > FEW {
                    break;
                }
            }
            Ok::<_, Fault>(Sign::of_status(status) == Sign::Well)
        };
        matches!(timeout(SOON, asked).await, Ok(Ok(true)))
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

/// How a request ended, which the breaker hears when the whole of the answer has come, or is given up: a server that begins every answer and
/// ends none has failed each time.
struct Verdict {
    breaker: Arc<Breaker>,
    /// `None` for a request that was given up before it could tell anything.
    sign: Option<Sign>,
}

impl Drop for Verdict {
    fn drop(&mut self) {
        if let Some(sign) = self.sign {
            self.breaker.note(sign, Moment::now());
        }
    }
}

/// Somebody asks the server how it is. Whoever gives that up leaves it to the next.
struct Asking<'w>(&'w Breaker);

impl Drop for Asking<'_> {
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

/// Between half and the whole of a time that doubles.
fn pause(attempt: u32) -> Duration {
    let most = PAUSE_MILLIS << attempt.min(6);
    let jitter = uuid::Uuid::new_v4().as_u128() % u128::from(most / 2 + 1);
    Duration::from_millis(most / 2 + u64::try_from(jitter).unwrap_or(0))
}
