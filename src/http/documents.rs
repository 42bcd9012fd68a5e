//! What is served beside the FHIR API: discovery, keys, and the token endpoint. None of it holds a record.

use super::Front;
use super::body;
use super::inbound::{address, certificate, single};
use super::outcome::Turned;
use super::place::Place;
use crate::gateway::TokenRequest;
use actix_web::http::{Method, StatusCode, header};
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// Bytes of a form at the token endpoint: an assertion is a few kilobytes.
const TOKEN_FORM_BYTES: usize = 64 << 10;

/// Answers at a place that is not FHIR.
pub(super) async fn serve(front: &Front, request: &HttpRequest, place: Place<'_>, payload: Payload, id: &str) -> HttpResponse {
    let reading = matches!(*request.method(), Method::GET | Method::HEAD);
    match place {
        Place::SmartConfiguration if reading => json(request, front.gateway.smart_configuration()),
        Place::Jwks if reading => json(request, front.gateway.jwks()),
        Place::Token if request.method() == Method::POST => {
            token(front, request, payload, id).await.unwrap_or_else(|turned| turned.oauth_response())
        }
        Place::Token => Turned::method(place.methods()).oauth_response(),
        Place::SmartConfiguration | Place::Jwks => Turned::method(place.methods()).response(),
        Place::Nowhere | Place::Fhir(_) => Turned::nowhere(front.config.server.base_url.as_str()).response(),
    }
}

/// An open document; only its tag to a client that has it already (RFC 9110 § 13.1.2).
fn json(request: &HttpRequest, body: String) -> HttpResponse {
    let mut hasher = DefaultHasher::new();
    body.hash(&mut hasher);
    let tag = format!("\"{:016x}\"", hasher.finish());
    let known = request.headers().get_all(header::IF_NONE_MATCH).filter_map(|value| value.to_str().ok());
    let known = known.flat_map(|value| value.split(',')).any(|one| one.trim().trim_start_matches("W/") == tag);
    let mut response = if known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response.insert_header((header::ETAG, tag));
    if known {
        return response.finish();
    }
    response.insert_header((header::CONTENT_TYPE, "application/json")).body(body)
}

/// The token endpoint (RFC 6749 § 3.2).
async fn token(front: &Front, request: &HttpRequest, payload: Payload, id: &str) -> Result<HttpResponse, Turned> {
    let body = body::read(request, payload, TOKEN_FORM_BYTES, front.config.limits.body_seconds).await?;
    let form = TokenRequest {
        body: String::from_utf8(body).map_err(|_| Turned::invalid("The form is not UTF-8."))?,
        content_type: single(request, &header::CONTENT_TYPE)?,
        authorization: single(request, &header::AUTHORIZATION)?,
        address: address(request),
        request_id: id.to_owned(),
        certificate: certificate(request),
        query: request.uri().query().unwrap_or_default().to_owned(),
    };
    let reply = front.gateway.token(form).await;
    let mut response = HttpResponse::build(StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR));
    response.insert_header((header::CONTENT_TYPE, "application/json")).insert_header((header::PRAGMA, "no-cache"));
    for (name, value) in reply.headers {
        response.insert_header((name, value));
    }
    Ok(response.body(reply.body))
}
