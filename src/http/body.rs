//! The body of a request, read within bounds of bytes, time and expansion.

use super::outcome::Turned;
use crate::fhir::Refusal;
use actix_web::HttpRequest;
use actix_web::dev::Decompress;
use actix_web::error::PayloadError;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, ContentEncoding};
use actix_web::web::{Bytes, Payload};
use futures_util::{Stream, StreamExt};
use std::cell::Cell;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

/// How many times its size a packed body may grow. Records shrink to a tenth or so; a bomb to a thousandth.
const MAX_RATIO: usize = 100;

/// Up to here the ratio does not matter.
const HARMLESS: usize = 1 << 20;

/// Reads it whole, unpacked.
///
/// # Errors
/// 413 beyond a bound, 415 for an encoding other than gzip, 408 when it does not come in time, 400 when it breaks off.
pub(super) async fn read(request: &HttpRequest, payload: Payload, bound: usize, seconds: u64) -> Result<Vec<u8>, Turned> {
    let packed = is_packed(request)?;
    let declared = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|declared| declared > bound) {
        return Err(too_large("the body exceeds the bound of this server"));
    }
    let arrived = Rc::new(Cell::new(0_usize));
    let counter = Rc::clone(&arrived);
    let payload = payload.inspect(move |chunk| counter.set(counter.get() + chunk.as_ref().map_or(0, Bytes::len)));
    let reading = async {
        if packed {
            collect(Decompress::new(payload, ContentEncoding::Gzip), bound, &arrived).await
        } else {
            collect(payload, bound, &arrived).await
        }
    };
    tokio::time::timeout(Duration::from_secs(seconds), reading).await.unwrap_or_else(|_| Err(Turned::late()))
}

fn is_packed(request: &HttpRequest) -> Result<bool, Turned> {
    let mut encodings = request.headers().get_all(CONTENT_ENCODING);
    match (encodings.next(), encodings.next()) {
        (None, _) => Ok(false),
        (Some(one), None) if one.as_bytes().eq_ignore_ascii_case(b"identity") => Ok(false),
        (Some(one), None) if one.as_bytes().eq_ignore_ascii_case(b"gzip") => Ok(true),
        _ => Err(Turned::by(&Refusal::MediaType).closing()),
    }
}

async fn collect<S>(chunks: S, bound: usize, arrived: &Cell<usize>) -> Result<Vec<u8>, Turned>
where
    S: Stream<Item = Result<Bytes, PayloadError>>,
{
    let mut chunks = pin!(chunks);
    let mut body = Vec::new();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| Turned::invalid("The body breaks off or is not framed or packed correctly.").broken())?;
        let size = body.len() + chunk.len();
        if size > bound {
            return Err(too_large("the body exceeds the bound of this server"));
        }
        if size > HARMLESS && size / MAX_RATIO > arrived.get() {
            return Err(too_large("the body unpacks to more than a hundred times its size"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn too_large(bound: &'static str) -> Turned {
    Turned::by(&Refusal::TooLarge(bound)).closing()
}
