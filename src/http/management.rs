//! What the operator's own tools ask: alive, ready, how much. On a listener of its own, never on the public one.

use crate::gateway::Gateway;
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What readiness depends on.
pub struct Health {
    gateway: Arc<Gateway>,
    stopping: AtomicBool,
}

impl Health {
    /// Of a gateway that serves.
    pub fn new(gateway: &Arc<Gateway>) -> Self {
        Self { gateway: Arc::clone(gateway), stopping: AtomicBool::new(false) }
    }

    /// From now on not ready: no new work should be sent here.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
    }

    /// Each condition, with the reason why it does not hold.
    fn checks(&self) -> [(&'static str, Result<(), String>); 2] {
        let stopping = self.stopping.load(Ordering::SeqCst);
        let serving = if stopping { Err("the gateway is shutting down".to_owned()) } else { Ok(()) };
        [("serving", serving), ("gateway", self.gateway.ready())]
    }
}

/// Mounts `/healthz`, `/readyz` and `/metrics`.
pub fn mount(app: &mut web::ServiceConfig, health: Arc<Health>) {
    app.route("/healthz", web::get().to(async || HttpResponse::Ok().content_type("text/plain").body("ok\n")))
        .route("/metrics", web::get().to(async || exposition()))
        .route(
            "/readyz",
            web::get().to(move |request: HttpRequest| {
                let response = readiness(&health, request.query_string() == "verbose");
                async move { response }
            }),
        );
}

fn exposition() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8"))
        .body(crate::telemetry::metrics_text())
}

fn readiness(health: &Health, verbose: bool) -> HttpResponse {
    let checks = health.checks();
    let ready = checks.iter().all(|(_, result)| result.is_ok());
    let mut response = if ready { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    if !verbose {
        return response.content_type("text/plain").body(if ready { "ready\n" } else { "not ready\n" });
    }
    let list: Vec<_> = checks
        .iter()
        .map(|(name, result)| json!({ "check": name, "ok": result.is_ok(), "reason": result.as_ref().err() }))
        .collect();
    let told = json!({ "ready": ready, "checks": list, "degraded": health.gateway.degraded() });
    response.content_type("application/json").body(told.to_string())
}
