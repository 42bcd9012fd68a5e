//! From a request of actix to an [`Inbound`]. What two readers could understand differently is refused here.

use super::body;
use super::outcome::Turned;
use super::place::Place;
use crate::config::Limits;
use crate::disclosure::Sealed;
use crate::fhir::{Headers, Instant as Moment, Method, Refusal, Request, prefer};
use crate::gateway::Inbound;
use crate::identity::PeerCertificate;
use actix_web::HttpRequest;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::web::Payload;

const FORM: &str = "application/x-www-form-urlencoded";

/// The caller's own `X-Request-Id` when it is harmless, else a new one (UUID version 7).
pub(super) fn request_id(request: &HttpRequest) -> String {
    let harmless =
        |id: &&str| (1..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    let sent = request.headers().get("x-request-id").and_then(|id| id.to_str().ok()).filter(harmless);
    sent.map_or_else(|| uuid::Uuid::now_v7().to_string(), str::to_owned)
}

/// The client certificate of the connection, when TLS has verified one.
pub(super) fn certificate(request: &HttpRequest) -> Option<PeerCertificate> {
    request.conn_data::<PeerCertificate>().cloned()
}

/// Network address of the peer; headers that claim another are not believed.
pub(super) fn address(request: &HttpRequest) -> String {
    let noted = request.conn_data::<PeerAddress>().map(|noted| noted.0.to_string());
    noted.or_else(|| request.peer_addr().map(|address| address.ip().to_string())).unwrap_or_default()
}

/// The network address of a connection's peer, written out once for all of its requests.
pub struct PeerAddress(pub Box<str>);

/// A header that must not be repeated.
///
/// # Errors
/// 400 when it is, or holds other than visible ASCII.
pub(super) fn single(request: &HttpRequest, name: &HeaderName) -> Result<Option<String>, Turned> {
    let mut values = request.headers().get_all(name);
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => {
            let text =
                value.to_str().map_err(|_| Turned::invalid(format!("The header `{name}` holds other than visible ASCII.")))?;
            Ok(Some(text.trim().to_owned()))
        }
        _ => Err(Turned::invalid(format!("The header `{name}` occurs more than once."))),
    }
}

/// Reads a request at a place of FHIR; `path` is below its base.
///
/// # Errors
/// What HTTP itself turns away.
pub(super) async fn read(
    request: &HttpRequest,
    (place, path): (Place<'_>, &str),
    payload: Payload,
    limits: &Limits,
    id: &str,
) -> Result<Inbound, Turned> {
    let method = Method::parse(request.method().as_str()).ok_or_else(|| Turned::method(place.methods()))?;
    if request.headers().contains_key(header::UPGRADE)
        && joined(request, &header::UPGRADE).to_ascii_lowercase().contains("websocket")
    {
        // The bytes that follow would be read as one endless body.
        return Err(Turned::invalid("This server does not change the protocol of a connection.").closing());
    }
    let headers = headers(request)?;
    let mut body = Vec::new();
    if matches!(method, Method::Post | Method::Put | Method::Patch) {
        let bound = if path.is_empty() || path == "$process-message" { limits.bundle_bytes } else { limits.body_bytes };
        // In a box of its own: most requests have none, and should not carry the place for unpacking one.
        body = Box::pin(body::read(request, payload, bound, limits.body_seconds)).await?;
    }
    let form = match method {
        Method::Post if path.rsplit('/').next() == Some("_search") => Some(form(&headers, std::mem::take(&mut body))?),
        _ => None,
    };
    let query = request.uri().query().unwrap_or_default().to_owned();
    let authorization = request.headers().get_all(header::AUTHORIZATION);
    Ok(Inbound {
        request: Request { method, path: path.to_owned(), query, form, headers },
        body: Sealed::from_wire(body),
        request_id: id.to_owned(),
        address: address(request),
        authorization: authorization.map(text).collect(),
        certificate: certificate(request),
    })
}

/// A header as text. What is not UTF-8 is no token either, whatever stands for it.
fn text(value: &HeaderValue) -> String {
    std::str::from_utf8(value.as_bytes()).map_or_else(|_| String::from_utf8_lossy(value.as_bytes()).into_owned(), str::to_owned)
}

fn form(headers: &Headers, body: Vec<u8>) -> Result<String, Turned> {
    if !body.is_empty() && headers.content_type.as_deref() != Some(FORM) {
        return Err(Turned::by(&Refusal::MediaType));
    }
    String::from_utf8(body).map_err(|_| Turned::invalid("The form is not UTF-8."))
}

fn headers(request: &HttpRequest) -> Result<Headers, Turned> {
    let preferences = request.headers().get_all("prefer").filter_map(|value| value.to_str().ok());
    let (prefer_return, lenient) = prefer::prefer(preferences);
    let accept = joined(request, &header::ACCEPT);
    Ok(Headers {
        if_match: single(request, &header::IF_MATCH)?,
        if_none_match: single(request, &header::IF_NONE_MATCH)?,
        // A date that cannot be read is ignored (RFC 9110 § 13.1.3).
        if_modified_since: single(request, &header::IF_MODIFIED_SINCE)?.and_then(|date| Moment::parse_http_date(&date)),
        if_none_exist: single(request, &HeaderName::from_static("if-none-exist"))?,
        prefer_return,
        lenient,
        accept: Some(accept).filter(|accept| !accept.is_empty()),
        content_type: content_type(request)?,
        proof: proof(request)?,
        purposes: single(request, &HeaderName::from_static("x-purpose-of-use"))?,
    })
}

/// The one proof of possession (RFC 9449 § 4.3).
pub(super) fn proof(request: &HttpRequest) -> Result<Option<String>, Turned> {
    single(request, &HeaderName::from_static("dpop"))
}

/// A list header, its lines joined (RFC 9110 § 5.3).
fn joined(request: &HttpRequest, name: &HeaderName) -> String {
    let lines: Vec<_> = request.headers().get_all(name).filter_map(|value| value.to_str().ok()).collect();
    lines.join(", ")
}

/// The media type in lower case, without parameters. A charset other than UTF-8 is not read.
fn content_type(request: &HttpRequest) -> Result<Option<String>, Turned> {
    let Some(value) = single(request, &header::CONTENT_TYPE)? else { return Ok(None) };
    let mut parts = value.split(';');
    let media_type = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
    for parameter in parts {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let value = value.trim().trim_matches('"');
        if name.trim().eq_ignore_ascii_case("charset") && !value.eq_ignore_ascii_case("utf-8") {
            return Err(Turned::by(&Refusal::MediaType));
        }
    }
    Ok(Some(media_type))
}

#[cfg(test)]
mod tests {
    use super::{content_type, headers, request_id, single};
    use actix_web::http::header;
    use actix_web::test::TestRequest;

    #[test]
    fn a_request_id_is_kept_only_when_it_is_harmless() {
        let with = |id: &str| request_id(&TestRequest::default().insert_header(("x-request-id", id)).to_http_request());
        assert_eq!(with("a.B_9-"), "a.B_9-");
        for bad in ["", "with space", "quote\"", &"x".repeat(65)] {
            assert_eq!(with(bad).len(), 36, "{bad}");
        }
    }

    #[test]
    fn a_repeated_single_header_is_refused() {
        let request = TestRequest::default()
            .append_header((header::IF_MATCH, "W/\"1\""))
            .append_header((header::IF_MATCH, "W/\"2\""))
            .to_http_request();
        assert_eq!(single(&request, &header::IF_MATCH).unwrap_err().status(), 400);
        assert_eq!(headers(&request).unwrap_err().status(), 400);
    }

    #[test]
    fn a_media_type_comes_without_parameters_and_only_in_utf_8() {
        let read =
            |value: &str| content_type(&TestRequest::default().insert_header((header::CONTENT_TYPE, value)).to_http_request());
        assert_eq!(read("Application/FHIR+JSON; charset=\"UTF-8\"").unwrap().as_deref(), Some("application/fhir+json"));
        assert_eq!(read("application/fhir+json;charset=utf-16").unwrap_err().status(), 415);
    }
}
