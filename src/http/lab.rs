//! `POST /lab/v2`: an HL7 v2 message in the body, its acknowledgement in the answer.

use super::Front;
use super::body;
use super::inbound::{address, certificate, single};
use super::outcome::Turned;
use super::render;
use crate::disclosure::Sealed;
use crate::fhir::{Headers, Method, Refusal, Request};
use crate::gateway::Inbound;
use actix_web::http::header;
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use std::sync::Arc;

/// The media types of HL7 v2 in its vertical bar form.
const KINDS: [&str; 4] = ["application/hl7-v2", "x-application/hl7-v2+er7", "application/hl7-v2+er7", "application/edi-hl7v2"];

/// Answers one message. It is taken to the end, whether or not its sender waits.
pub(super) async fn message(front: &Front, request: &HttpRequest, payload: Payload, id: &str) -> HttpResponse {
    let (inbound, message) = match read(front, request, payload, id).await {
        Ok(read) => read,
        Err(turned) => {
            let noted = turned.noted("POST", id, address(request));
            front.gateway.turned_away(noted).await;
            return turned.response();
        }
    };
    let gateway = Arc::clone(&front.gateway);
    let work = tokio::spawn(crate::telemetry::noting(async move { gateway.lab_v2(inbound, message).await }));
    match work.await {
        Ok((Ok(acknowledgement), client)) => {
            if let Some(client) = &client {
                crate::telemetry::note_client(client);
            }
            HttpResponse::Ok().insert_header((header::CONTENT_TYPE, "application/hl7-v2")).body(acknowledgement)
        }
        Ok((Err(refused), _)) => render::answer(Err(refused)),
        Err(_) => Turned::by(&Refusal::Internal).response(),
    }
}

async fn read(front: &Front, request: &HttpRequest, payload: Payload, id: &str) -> Result<(Inbound, Vec<u8>), Turned> {
    let kind = single(request, &header::CONTENT_TYPE)?.unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if !KINDS.contains(&kind.as_str()) {
        return Err(Turned::invalid("Send an HL7 v2 message as `application/hl7-v2`."));
    }
    let message = body::read(request, payload, front.config.lab.message_bytes, front.config.limits.body_seconds).await?;
    let authorization = request.headers().get_all(header::AUTHORIZATION);
    let inbound = Inbound {
        request: Request {
            method: Method::Post,
            path: "lab/v2".to_owned(),
            query: request.uri().query().unwrap_or_default().to_owned(),
            form: None,
            headers: Headers::default(),
        },
        body: Sealed::from_wire(Vec::new()),
        request_id: id.to_owned(),
        address: address(request),
        authorization: authorization.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect(),
        certificate: certificate(request),
    };
    Ok((inbound, message))
}
