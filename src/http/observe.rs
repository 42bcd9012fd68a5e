//! One log line and one sample for each request. Templates and ids of requests only: never a path, a query or a record's id.

use super::place::Place;
use crate::telemetry::{REQUEST_SECONDS, REQUESTS_ACTIVE};
use actix_web::body::{BodySize, MessageBody as _};
use actix_web::{HttpRequest, HttpResponse};
use std::time::Instant;

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
        metrics::gauge!(REQUESTS_ACTIVE).increment(1.0);
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
        metrics::histogram!(REQUEST_SECONDS, "route" => self.route, "method" => self.method, "status" => class, "resource" => self.resource)
            .record(seconds);
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
        metrics::gauge!(REQUESTS_ACTIVE).decrement(1.0);
    }
}

fn method(request: &HttpRequest) -> &'static str {
    match request.method().as_str() {
        "OPTIONS" => "OPTIONS",
        name => crate::fhir::Method::parse(name).map_or("other", crate::fhir::Method::name),
    }
}
