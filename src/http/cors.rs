//! Which pages of a browser may read answers: everybody the open documents, configured origins and those of registered apps the rest,
//! `null` nothing, and nobody what is meant for people.

use super::Front;
use super::place::Place;
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};

const ALLOWED: HeaderValue = HeaderValue::from_static(
    "Authorization, Content-Type, Accept, Prefer, If-Match, If-None-Match, If-Modified-Since, If-None-Exist, X-Request-Id, X-Purpose-Of-Use, DPoP",
);
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "Location, Content-Location, ETag, Last-Modified, X-Progress, Retry-After, WWW-Authenticate, X-Request-Id, DPoP-Nonce",
);

/// Whether the request only asks what would be allowed.
pub(super) fn is_preflight(request: &HttpRequest) -> bool {
    request.method() == Method::OPTIONS
}

/// Tells the methods of a place, and to an origin that may come what it may send.
pub(super) fn preflight(request: &HttpRequest, place: Place<'_>, front: &Front) -> HttpResponse {
    let mut response = HttpResponse::NoContent();
    response.insert_header((header::ALLOW, place.methods()));
    if allowed_origin(request, place, front).is_some() {
        response.insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, place.methods()));
        response.insert_header((header::ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED));
        response.insert_header((header::ACCESS_CONTROL_MAX_AGE, "600"));
    }
    response.finish()
}

/// Lets the origin of a request read the response, when it may; refusals too.
pub(super) fn allow(request: &HttpRequest, place: Place<'_>, front: &Front, response: &mut HttpResponse) {
    if let Some(origin) = allowed_origin(request, place, front) {
        response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        response.headers_mut().insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    }
}

fn allowed_origin(request: &HttpRequest, place: Place<'_>, front: &Front) -> Option<HeaderValue> {
    let origin = request.headers().get(header::ORIGIN)?;
    if place.is_open() {
        return Some(HeaderValue::from_static("*"));
    }
    let configured = front.config.server.cors_origins.iter().any(|known| known.as_bytes() == origin.as_bytes());
    let registered = || origin.to_str().is_ok_and(|origin| front.gateway.knows_origin(origin));
    (place.is_for_apps() && (configured || registered())).then(|| origin.clone())
}
