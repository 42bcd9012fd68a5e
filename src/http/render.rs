//! From an answer to the wire, and the headers that every response carries.

use super::place::{Page, Place};
use crate::config::{Exposure, Server};
use crate::disclosure::{Answer, HeaderWord};
use actix_web::HttpResponse;
use actix_web::body::MessageBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};

const ONE_YEAR: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// Writes an answer.
pub(super) fn answer(answer: Answer) -> HttpResponse {
    match answer {
        Ok(released) => message(released.status(), released.headers().to_vec(), released.into_body()),
        Err(refused) => message(refused.status(), refused.headers().to_vec(), refused.into_body()),
    }
}

fn message<B: MessageBody + 'static>(status: u16, headers: Vec<(HeaderWord, String)>, body: B) -> HttpResponse {
    let mut response = HttpResponse::build(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR));
    for (word, value) in headers {
        response.insert_header((word.name(), value));
    }
    if !matches!(body.size(), actix_web::body::BodySize::Sized(0) | actix_web::body::BodySize::None) {
        response.insert_header((header::CONTENT_TYPE, "application/fhir+json; charset=utf-8"));
    }
    response.body(body)
}

/// The headers of every response: nothing is sniffed, kept by caches, framed or run.
pub(super) fn protect(response: &mut HttpResponse, place: Place<'_>, id: &str, server: &Server) {
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // A page for people has a policy of its own.
    if !headers.contains_key(header::CONTENT_SECURITY_POLICY) {
        headers.insert(
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'; sandbox"),
        );
    }
    headers.insert(header::VARY, HeaderValue::from_static("Accept, Authorization, Origin, Prefer"));
    let keeping = match place {
        Place::SmartConfiguration | Place::OpenidConfiguration | Place::Jwks => "max-age=300",
        Place::Page(Page::Style) | Place::SmartStyle => "public, max-age=31536000, immutable",
        _ => "no-store",
    };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(keeping));
    // A promise about a name holds for every port of it, so never about a developer's own computer.
    if server.base_url.is_https() && !server.base_url.is_loopback() {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, ONE_YEAR);
    }
    if server.exposure == Exposure::Demo {
        headers.insert(HeaderName::from_static("x-amanat-mode"), HeaderValue::from_static("demo"));
    }
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(HeaderName::from_static("x-request-id"), id);
    }
}
