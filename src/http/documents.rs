//! What is served beside the FHIR API: discovery, keys, and the token endpoint. None of it holds a record.

use super::Front;
use super::body;
use super::inbound::{address, certificate, proof, single};
use super::outcome::Turned;
use super::place::Place;
use crate::fhir::Refusal;
use crate::gateway::{Endpoint, TokenReply, TokenRequest};
use crate::smart::RegistrationRequest;
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
        Place::Jwks if reading => json(request, front.gateway.jwks().await),
        Place::Brands if reading && front.gateway.brands().is_some() => json(request, front.gateway.brands().unwrap_or_default()),
        Place::SmartStyle if reading => json(request, crate::portal::SMART_STYLE.to_owned()),
        Place::OpenidConfiguration if reading => json(request, front.gateway.openid_configuration()),
        Place::ProtectedResource if reading => json(request, front.gateway.protected_resource()),
        Place::Udap if reading => match front.gateway.udap_configuration(request.uri().query().unwrap_or_default()) {
            Some(document) => json(request, document),
            None => Turned::nowhere(front.config.server.base_url.as_str()).response(),
        },
        Place::Register(client) if place.methods().split(", ").any(|known| known == request.method().as_str()) => {
            register(front, request, client, payload, id).await.unwrap_or_else(|turned| turned.oauth_response())
        }
        Place::AppState(_) if reading && !place.is_kept_state() => match front.gateway.app_state_statement() {
            Some(document) => json(request, document),
            None => Turned::nowhere(front.config.server.base_url.as_str()).response(),
        },
        Place::Userinfo if reading || request.method() == Method::POST => userinfo(front, request).await,
        Place::Token | Place::Introspect | Place::Revoke | Place::Push if request.method() == Method::POST => {
            let endpoint = match place {
                Place::Introspect => Endpoint::Introspection,
                Place::Revoke => Endpoint::Revocation,
                Place::Push => Endpoint::Push,
                _ => Endpoint::Token,
            };
            token(front, request, endpoint, payload, id).await.unwrap_or_else(|turned| turned.oauth_response())
        }
        Place::Token | Place::Introspect | Place::Revoke | Place::Push | Place::Register(_) => {
            Turned::method(place.methods()).oauth_response()
        }
        Place::SmartConfiguration
        | Place::OpenidConfiguration
        | Place::Jwks
        | Place::SmartStyle
        | Place::Brands
        | Place::Userinfo
        | Place::ProtectedResource
        | Place::Udap
        | Place::Lab => Turned::method(place.methods()).response(),
        Place::Nowhere | Place::Fhir(_) | Place::Page(_) | Place::AppState(_) => {
            Turned::nowhere(front.config.server.base_url.as_str()).response()
        }
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
async fn token(
    front: &Front,
    request: &HttpRequest,
    endpoint: Endpoint,
    payload: Payload,
    id: &str,
) -> Result<HttpResponse, Turned> {
    let body = body::read(request, payload, TOKEN_FORM_BYTES, front.config.limits.body_seconds).await?;
    let form = TokenRequest {
        body: String::from_utf8(body).map_err(|_| Turned::invalid("The form is not UTF-8."))?,
        content_type: single(request, &header::CONTENT_TYPE)?,
        authorization: single(request, &header::AUTHORIZATION)?,
        address: address(request),
        request_id: id.to_owned(),
        certificate: certificate(request),
        proof: proof(request)?,
        query: request.uri().query().unwrap_or_default().to_owned(),
    };
    Ok(replied(front.gateway.token(endpoint, form).await))
}

fn replied(reply: TokenReply) -> HttpResponse {
    let mut response = HttpResponse::build(StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR));
    response.insert_header((header::CONTENT_TYPE, "application/json")).insert_header((header::PRAGMA, "no-cache"));
    for (name, value) in reply.headers {
        response.insert_header((name, value));
    }
    response.body(reply.body)
}

/// Bytes of a registration.
const REGISTRATION_BYTES: usize = 64 << 10;

/// The registration endpoint (RFC 7591, RFC 7592, UDAP).
async fn register(
    front: &Front,
    request: &HttpRequest,
    client: Option<&str>,
    payload: Payload,
    id: &str,
) -> Result<HttpResponse, Turned> {
    if !front.gateway.clients_register() {
        return Ok(Turned::nowhere(front.config.server.base_url.as_str()).response());
    }
    let body = body::read(request, payload, REGISTRATION_BYTES, front.config.limits.body_seconds).await?;
    let body = String::from_utf8(body).map_err(|_| Turned::invalid("The body is not UTF-8."))?;
    let (content_type, authorization) = (single(request, &header::CONTENT_TYPE)?, single(request, &header::AUTHORIZATION)?);
    let asked = RegistrationRequest {
        method: request.method().as_str(),
        client,
        content_type: content_type.as_deref(),
        authorization: authorization.as_deref(),
        body: &body,
    };
    Ok(replied(front.gateway.register(&asked, &address(request), id).await))
}

/// Who the user of a token is (OpenID Connect Core § 5.3).
async fn userinfo(front: &Front, request: &HttpRequest) -> HttpResponse {
    let authorization = match single(request, &header::AUTHORIZATION) {
        Ok(authorization) => authorization,
        Err(turned) => return turned.oauth_response(),
    };
    let proof = match proof(request) {
        Ok(proof) => proof,
        Err(turned) => return turned.oauth_response(),
    };
    let shown = (request.method().as_str(), proof.as_deref());
    match front.gateway.userinfo(authorization.as_deref(), certificate(request).as_ref(), shown).await {
        Ok(claims) => HttpResponse::Ok().insert_header((header::CONTENT_TYPE, "application/json")).body(claims),
        Err(refusal) => {
            let challenge = match &refusal {
                Refusal::TokenMissing => "Bearer realm=\"amanat\"",
                Refusal::ScopeMissing { .. } => "Bearer realm=\"amanat\", error=\"insufficient_scope\", scope=\"openid\"",
                Refusal::ProofRefused(_) => "DPoP realm=\"amanat\", error=\"invalid_dpop_proof\"",
                _ => "Bearer realm=\"amanat\", error=\"invalid_token\"",
            };
            let mut response = Turned::by(&refusal).response();
            response.headers_mut().insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static(challenge));
            response
        }
    }
}
