//! What HTTP itself turns away, before anybody could be asked: wrong framing, too many bytes, addresses where nothing is.
//! No record and no identity plays a part in these.

use crate::disclosure::outcome;
use crate::fhir::{Outcome, Problem, Refusal, Told};
use crate::gateway::TurnedAway;
use actix_web::HttpResponse;
use actix_web::http::{ConnectionType, StatusCode, header};
use serde_json::json;
use std::borrow::Cow;

/// A request that is turned away.
#[derive(Debug)]
pub(super) struct Turned(Box<Reasons>);

#[derive(Debug)]
struct Reasons {
    told: Told,
    problems: Vec<Problem>,
    /// What is still in the connection cannot be trusted to be a request.
    close: bool,
    broken: bool,
    allow: Option<&'static str>,
}

impl Turned {
    /// By a row of the table of refusals.
    pub(super) fn by(refusal: &Refusal) -> Self {
        let problems = refusal.problems().to_vec();
        Self(Box::new(Reasons { told: refusal.told(), problems, close: false, broken: false, allow: None }))
    }

    /// One wrong thing about the request as a whole.
    pub(super) fn invalid(text: impl Into<String>) -> Self {
        Self::by(&Refusal::Invalid(vec![Problem::of("invalid", text)]))
    }

    /// The method does not exist at this place.
    pub(super) fn method(allow: &'static str) -> Self {
        let mut turned = Self::by(&Refusal::MethodNotAllowed(allow));
        turned.0.allow = Some(allow);
        turned
    }

    /// Nothing is served at this address.
    pub(super) fn nowhere(base: &str) -> Self {
        let mut turned = Self::by(&Refusal::NotSupported(String::new()));
        turned.0.told.text = Cow::Owned(format!("Nothing is served at this address. The FHIR API is at `{base}`."));
        turned
    }

    /// The body did not come in time (RFC 9110 § 15.5.9).
    pub(super) fn late() -> Self {
        let told = Told {
            status: 408,
            issue: "timeout",
            code: "AMANAT-IN-0009",
            text: Cow::Borrowed("The body did not arrive in time. Send it again, faster or in smaller parts."),
            outcome: Outcome::Minor,
            reason: Cow::Borrowed("input:timeout"),
        };
        Self(Box::new(Reasons { told, problems: Vec::new(), close: true, broken: false, allow: None }))
    }

    /// The connection is closed after the answer.
    pub(super) fn closing(mut self) -> Self {
        self.0.close = true;
        self
    }

    /// The framing itself is broken: actix closes the connection as soon as anything waits.
    pub(super) fn broken(mut self) -> Self {
        self.0.close = true;
        self.0.broken = true;
        self
    }

    /// Whether the answer must not wait.
    pub(super) fn is_broken(&self) -> bool {
        self.0.broken
    }

    /// HTTP status.
    pub(super) fn status(&self) -> u16 {
        self.0.told.status
    }

    /// The same for the trail.
    pub(super) fn noted<'a>(&'a self, method: &'a str, request_id: &'a str, address: String) -> TurnedAway<'a> {
        let told = &self.0.told;
        TurnedAway { method, request_id, address, outcome: told.outcome, reason: &told.reason }
    }

    /// The fixed sentence, and what was found.
    pub(super) fn sentence(&self) -> String {
        let texts = std::iter::once(self.0.told.text.as_ref()).chain(self.0.problems.iter().map(|problem| problem.text.as_str()));
        texts.collect::<Vec<_>>().join(" ")
    }

    /// As an OperationOutcome.
    pub(super) fn response(&self) -> HttpResponse {
        self.with_body("application/fhir+json; charset=utf-8", outcome(&self.0.told, &self.0.problems, None))
    }

    /// As an error of OAuth (RFC 6749 § 5.2).
    pub(super) fn oauth_response(&self) -> HttpResponse {
        let body = json!({ "error": "invalid_request", "error_description": self.sentence() });
        self.with_body("application/json", body.to_string())
    }

    fn with_body(&self, content_type: &'static str, body: String) -> HttpResponse {
        let mut response = HttpResponse::build(StatusCode::from_u16(self.status()).unwrap_or(StatusCode::BAD_REQUEST));
        response.insert_header((header::CONTENT_TYPE, content_type));
        if let Some(allow) = self.0.allow {
            response.insert_header((header::ALLOW, allow));
        }
        let mut response = response.body(body);
        if self.0.close {
            response.head_mut().set_connection_type(ConnectionType::Close);
        }
        response
    }
}
