//! Checks of the FHIR server behind: what it says of itself against what it does.

use super::{Finding, Patient, Row};
use crate::cli::desk::Desk;
use crate::cli::screen::{Failure, wait};
use crate::store::upstream::Noticed;

/// In order of number.
pub(super) const CHECKS: &[Row] =
    &[Row { number: 70, title: "the server that keeps the records does what the gateway relies on", look: behind }];

const FIX: &str = "see docs/upstreams.md for what the gateway does about each";

fn behind(patient: &Patient<'_>) -> Finding {
    if patient.config.store.upstream.is_none() {
        return Finding::skipped("records are in the gateway's own store");
    }
    let found: Result<Vec<Noticed>, Failure> = wait(async {
        let desk = Desk::open(patient.config).await?;
        let found = desk.probe_upstream(patient.try_writes).await;
        desk.close().await;
        Ok(found)
    });
    match found {
        Ok(all) => told(&all),
        Err(failure) => {
            Finding::error(failure.to_string(), "check store.url, the credentials under [upstream], and that it runs")
        }
    }
}

fn told(all: &[Noticed]) -> Finding {
    let text = |wanted: &dyn Fn(&Noticed) -> bool| {
        let lines: Vec<String> = all.iter().filter(|one| wanted(one)).map(|one| format!("{}: {}", one.what, one.seen)).collect();
        lines.join("; ")
    };
    if all.iter().any(|one| one.needed && !one.good) {
        return Finding::error(text(&|one| !one.good), FIX);
    }
    if all.iter().any(|one| !one.good) {
        return Finding::warning(text(&|one| !one.good), FIX);
    }
    Finding::fine(text(&|_| true))
}

#[cfg(test)]
mod tests {
    use super::{Finding, Noticed, told};
    use crate::cli::doctor::Severity;

    #[test]
    fn what_must_be_is_an_error_and_what_is_made_up_for_a_warning() {
        let one = |good, needed| Noticed { what: "x", good, needed, seen: "y".to_owned() };
        assert!(matches!(told(&[one(true, false)]), Finding::Fine { .. }));
        assert!(matches!(told(&[one(false, false)]), Finding::Wrong { severity: Severity::Warning, .. }));
        assert!(matches!(told(&[one(false, false), one(false, true)]), Finding::Wrong { severity: Severity::Error, .. }));
    }
}
