//! From an answer to the wire, and the headers that every response carries.

use super::place::{Page, Place};
use crate::config::{Exposure, Server};
use crate::disclosure::{Answer, HeaderWord};
use actix_web::body::MessageBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::{HttpResponse, HttpResponseBuilder};

const ONE_YEAR: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// Writes an answer.
pub(super) fn answer(answer: Answer) -> HttpResponse {
    match answer {
        Ok(released) => message(head(released.status(), released.headers()), released.into_body()),
        Err(refused) => message(head(refused.status(), refused.headers()), refused.into_body()),
    }
}

fn head(status: u16, headers: &[(HeaderWord, String)]) -> HttpResponseBuilder {
    let mut response = HttpResponse::build(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR));
    for (word, value) in headers {
        response.insert_header((name(*word), value.as_str()));
    }
    response
}

/// The name, as actix has it ready.
const fn name(word: HeaderWord) -> HeaderName {
    match word {
        HeaderWord::ETag => header::ETAG,
        HeaderWord::LastModified => header::LAST_MODIFIED,
        HeaderWord::Location => header::LOCATION,
        HeaderWord::WwwAuthenticate => header::WWW_AUTHENTICATE,
        HeaderWord::RetryAfter => header::RETRY_AFTER,
        HeaderWord::Allow => header::ALLOW,
    }
}

fn message<B: MessageBody + 'static>(mut response: HttpResponseBuilder, body: B) -> HttpResponse {
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
        Place::SmartConfiguration | Place::OpenidConfiguration | Place::Jwks | Place::ProtectedResource => "max-age=300",
        Place::Page(Page::Style | Page::Icon | Page::Script) | Place::SmartStyle => "public, max-age=31536000, immutable",
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
