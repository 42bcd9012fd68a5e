//! A refusal as an OperationOutcome with the headers that belong to it.

use super::{HeaderWord, Refused, Visit};
use crate::fhir::{Problem, Refusal, Told};
use amanat_documents::{Issue, operation_outcome};

/// The refusal as it is told to the caller.
pub(super) fn refused(refusal: &Refusal, visit: &Visit) -> Refused {
    let told = refusal.told();
    let headers = headers(refusal, &told);
    Refused::mint(&told, headers, document(refusal, Some(&visit.request_id)).into_bytes())
}

/// The OperationOutcome of a refusal.
pub(super) fn document(refusal: &Refusal, request_id: Option<&str>) -> String {
    outcome(&refusal.told(), refusal.problems(), request_id)
}

/// The OperationOutcome of a row of the table: one issue for each problem, or the fixed sentence.
pub fn outcome(told: &Told, problems: &[Problem], request_id: Option<&str>) -> String {
    if problems.is_empty() {
        let reference = request_id.filter(|_| told.status >= 500).map(|id| format!(" Request id: {id}.")).unwrap_or_default();
        let diagnostics = format!("{}: {}{reference}", told.code, told.text);
        return operation_outcome(&[Issue {
            severity: "error",
            issue: told.issue,
            code: told.code,
            text: &told.text,
            diagnostics: Some(&diagnostics),
            expression: None,
        }]);
    }
    let diagnostics: Vec<String> = problems.iter().map(|problem| diagnosed(told.code, problem)).collect();
    let issues: Vec<Issue<'_>> =
        problems.iter().zip(&diagnostics).map(|(problem, diagnostics)| issue("error", told.code, problem, diagnostics)).collect();
    operation_outcome(&issues)
}

/// What went well, for `Prefer: return=OperationOutcome`, with warnings.
pub(super) fn success(text: &str, warnings: &[Problem]) -> String {
    let done = Issue {
        severity: "information",
        issue: "informational",
        code: "AMANAT-OK-0001",
        text,
        diagnostics: Some(text),
        expression: None,
    };
    operation_outcome(&std::iter::once(done).chain(warned(warnings)).collect::<Vec<_>>())
}

/// What is told beside the matches of a search.
pub(super) fn beside(text: &str, warnings: &[Problem]) -> String {
    if text.is_empty() { operation_outcome(&warned(warnings).collect::<Vec<_>>()) } else { success(text, warnings) }
}

fn warned(warnings: &[Problem]) -> impl Iterator<Item = Issue<'_>> {
    warnings.iter().map(|problem| issue("warning", "AMANAT-WARN-0001", problem, &problem.text))
}

fn diagnosed(code: &str, problem: &Problem) -> String {
    let place = problem.expression.as_ref().map(|at| format!(" (at {at})")).unwrap_or_default();
    format!("{code}: {}{place}", problem.text)
}

fn issue<'p>(severity: &'p str, code: &'p str, problem: &'p Problem, diagnostics: &'p str) -> Issue<'p> {
    Issue {
        severity,
        issue: problem.issue,
        code,
        text: &problem.text,
        diagnostics: Some(diagnostics),
        expression: problem.expression.as_deref(),
    }
}

fn headers(refusal: &Refusal, told: &Told) -> Vec<(HeaderWord, String)> {
    let challenge = |rest: &str| vec![(HeaderWord::WwwAuthenticate, format!("Bearer realm=\"amanat\"{rest}"))];
    match refusal {
        Refusal::TokenMissing => challenge(""),
        Refusal::TokenInvalid(_) => challenge(", error=\"invalid_token\", error_description=\"bad, expired or revoked\""),
        Refusal::ProofRefused(why) => vec![(HeaderWord::WwwAuthenticate, proof_challenge(why))],
        Refusal::StepUp { acr_values, max_age } => challenge(&format!(
            ", error=\"insufficient_user_authentication\", error_description=\"sign in again\", acr_values=\"{acr_values}\", max_age=\"{max_age}\""
        )),
        Refusal::ScopeMissing { needed } => challenge(&format!(", error=\"insufficient_scope\", scope=\"{needed}\"")),
        Refusal::MethodNotAllowed(allow) => vec![(HeaderWord::Allow, (*allow).to_owned())],
        Refusal::TooManyRequests(seconds) | Refusal::UpstreamBusy(seconds) => vec![(HeaderWord::RetryAfter, seconds.to_string())],
        _ if told.status == 503 => vec![(HeaderWord::RetryAfter, "5".to_owned())],
        _ => Vec::new(),
    }
}

/// RFC 9449 § 7.1 and § 9.
fn proof_challenge(why: &str) -> String {
    let error = match why {
        "nonce" => "use_dpop_nonce",
        "scheme" | "unbound" | "key" => "invalid_token",
        _ => "invalid_dpop_proof",
    };
    format!("DPoP realm=\"amanat\", error=\"{error}\", algs=\"{PROOF_ALGORITHMS}\"")
}

/// What proofs may be signed with, as a challenge tells it.
const PROOF_ALGORITHMS: &str = "ES256 ES384 PS256 PS384 RS256 RS384";
