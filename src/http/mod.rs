//! HTTP: what stands on the wire, and nothing about what it means. Actix is known here, in `portal` and in `startup` only.

mod body;
mod cookies;
mod cors;
mod documents;
mod inbound;
mod lab;
mod management;
mod observe;
mod outcome;
mod pages;
mod place;
mod render;

pub use inbound::PeerAddress;
pub use management::{Health, mount as mount_management};

use crate::config::Config;
use crate::disclosure::Answer;
use crate::fhir::Method;
use crate::gateway::{Gateway, Inbound};
use crate::telemetry;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};
use place::Place;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

/// What stands behind the FHIR base. The only thing that it can say is an [`Answer`], which only the vault makes: a handler that
/// returns anything else cannot be mounted.
pub trait FhirRoute: 'static {
    /// Answers one request.
    fn answer(&self, inbound: Inbound) -> Pin<Box<dyn Future<Output = Answer> + '_>>;
}

impl FhirRoute for Arc<Gateway> {
    fn answer(&self, inbound: Inbound) -> Pin<Box<dyn Future<Output = Answer> + '_>> {
        if matches!(inbound.request.method, Method::Get | Method::Head) {
            return Box::pin(Gateway::answer(self, inbound));
        }
        Box::pin(to_the_end(Arc::clone(self), inbound))
    }
}

/// Answers on a task of its own, which goes on when the caller hangs up: what was begun to be written is taken over, a consent too.
async fn to_the_end(gateway: Arc<Gateway>, inbound: Inbound) -> Answer {
    let work = tokio::spawn(telemetry::noting(async move { Gateway::answer(&gateway, inbound).await }));
    match work.await {
        Ok((answer, client)) => {
            if let Some(client) = &client {
                telemetry::note_client(client);
            }
            answer
        }
        Err(ended) => match ended.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The process ends: there is nobody left to answer.
            Err(_) => std::future::pending().await,
        },
    }
}

/// What every request needs to know, besides itself.
pub struct Front {
    gateway: Arc<Gateway>,
    config: Arc<Config>,
    route: Box<dyn FhirRoute + Send + Sync>,
}

impl Front {
    /// The front of a gateway.
    pub fn new(gateway: &Arc<Gateway>, config: &Arc<Config>) -> Self {
        Self { route: Box::new(Arc::clone(gateway)), gateway: Arc::clone(gateway), config: Arc::clone(config) }
    }
}

/// Mounts the public side. Paths are told apart once, on their raw form, by [`Place`]; no second router rewrites them.
pub fn mount(app: &mut web::ServiceConfig, front: Arc<Front>) {
    app.default_service(web::to(move |request: HttpRequest, payload: web::Payload| {
        let front = Arc::clone(&front);
        async move { serve(&front, request, payload).await }
    }));
}

async fn serve(front: &Front, request: HttpRequest, payload: web::Payload) -> HttpResponse {
    let received = Instant::now();
    let id = inbound::request_id(&request);
    let place = Place::of(request.uri().path(), &front.config.server.base_url);
    let watch = observe::Watch::start(&request, place, &id, received);
    let work = async {
        if cors::is_preflight(&request) {
            return cors::preflight(&request, place, front);
        }
        match place {
            Place::Fhir(path) => fhir(front, &request, (place, path), payload, &id).await,
            Place::AppState(path) if front.gateway.keeps_app_state() && place.is_kept_state() => {
                Box::pin(fhir(front, &request, (place, path), payload, &id)).await
            }
            Place::Lab if request.method() == actix_web::http::Method::POST => {
                Box::pin(lab::message(front, &request, payload, &id)).await
            }
            Place::Page(page) => Box::pin(pages::serve(front, &request, page, payload, &id)).await,
            other => Box::pin(documents::serve(front, &request, other, payload, &id)).await,
        }
    };
    let (mut response, client) = telemetry::noting(work).await;
    offer_nonce(&request, front, &mut response);
    cors::allow(&request, place, front, &mut response);
    render::protect(&mut response, place, &id, &front.config.server);
    watch.end(&response, client.as_deref());
    response
}

/// Who proves to have a key is told the nonce of the next proof, before the last one is refused (RFC 9449 § 8.2).
fn offer_nonce(request: &HttpRequest, front: &Front, response: &mut HttpResponse) {
    if request.headers().contains_key("dpop")
        && let Ok(nonce) = HeaderValue::from_str(&front.gateway.proof_nonce())
    {
        response.headers_mut().insert(HeaderName::from_static("dpop-nonce"), nonce);
    }
}

async fn fhir(
    front: &Front,
    request: &HttpRequest,
    (place, path): (Place<'_>, &str),
    payload: web::Payload,
    id: &str,
) -> HttpResponse {
    match inbound::read(request, (place, path), payload, &front.config.limits, id).await {
        Ok(inbound) if matches!(place, Place::AppState(_)) => render::answer(front.gateway.app_state(inbound).await),
        Ok(inbound) => render::answer(front.route.answer(inbound).await),
        Err(turned) => {
            let (response, broken) = (turned.response(), turned.is_broken());
            let (gateway, method, id) = (Arc::clone(&front.gateway), request.method().to_string(), id.to_owned());
            let address = inbound::address(request);
            let entered = async move { gateway.turned_away(turned.noted(&method, &id, address)).await };
            if broken {
                actix_web::rt::spawn(entered);
            } else {
                Box::pin(entered).await;
            }
            response
        }
    }
}
