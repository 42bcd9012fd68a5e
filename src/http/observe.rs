//! One log line and one sample for each request. Templates and ids of requests only: never a path, a query or a record's id.

use super::place::Place;
use crate::telemetry::{REQUEST_SECONDS, REQUESTS_ACTIVE};
use actix_web::body::{BodySize, MessageBody as _};
use actix_web::{HttpRequest, HttpResponse};
use metrics::{Gauge, Histogram};
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::LazyLock;
use std::time::Instant;

/// What samples are told apart by: route, method, class of status, type. A bounded set.
type Labels = [&'static str; 4];

thread_local! {
    /// The histograms that this thread has written to: to find one by its labels in the registry costs more than the sample.
    static SECONDS: RefCell<HashMap<Labels, Histogram>> = RefCell::default();
}

/// Requests being answered.
static ACTIVE: LazyLock<Gauge> = LazyLock::new(|| metrics::gauge!(REQUESTS_ACTIVE));

/// A request under way. Dropped when it ends, however it ends.
pub(super) struct Watch {
    method: &'static str,
    route: &'static str,
    resource: &'static str,
    id: String,
    received: Instant,
}

impl Watch {
    /// Begins.
    pub(super) fn start(request: &HttpRequest, place: Place<'_>, id: &str, received: Instant) -> Self {
        ACTIVE.increment(1.0);
        let resource = place.resource_type().unwrap_or("none");
        Self { method: method(request), route: place.template(), resource, id: id.to_owned(), received }
    }

    /// Ends with a response.
    pub(super) fn end(self, response: &HttpResponse, client: Option<&str>) {
        let status = response.status().as_u16();
        let seconds = self.received.elapsed().as_secs_f64();
        let class = match status {
            ..=299 => "2xx",
            300..=399 => "3xx",
            400..=499 => "4xx",
            _ => "5xx",
        };
        sample([self.route, self.method, class, self.resource], seconds);
        let bytes = match response.body().size() {
            BodySize::Sized(bytes) => bytes,
            BodySize::None | BodySize::Stream => 0,
        };
        tracing::info!(
            request_id = self.id,
            client_id = client.unwrap_or_default(),
            method = self.method,
            route = self.route,
            status,
            dur_ms = (seconds * 1e6).round() / 1e3,
            bytes,
            "answered"
        );
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        ACTIVE.decrement(1.0);
    }
}

fn sample(labels: Labels, seconds: f64) {
    let [route, method, status, resource] = labels;
    let find =
        || metrics::histogram!(REQUEST_SECONDS, "route" => route, "method" => method, "status" => status, "resource" => resource);
    SECONDS.with_borrow_mut(|known| known.entry(labels).or_insert_with(find).record(seconds));
}

fn method(request: &HttpRequest) -> &'static str {
    match request.method().as_str() {
        "OPTIONS" => "OPTIONS",
        name => crate::fhir::Method::parse(name).map_or("other", crate::fhir::Method::name),
    }
}
