//! Checks of what the store holds: the trail, whether a token of the gateway's own is good at its own door, and the labels.

use super::{Finding, Patient, Row};
use crate::cli::desk::{Desk, Verified};
use crate::cli::screen::{Failure, wait};
use crate::consent::Labelling;

/// In order of number.
pub(super) const CHECKS: &[Row] = &[
    Row { number: 19, title: "the newest entries of the trail fit together", look: trail },
    Row { number: 20, title: "a token that the gateway issues is accepted by it", look: token },
    Row { number: 21, title: "every record is labelled by the rules in force", look: labels },
    Row { number: 22, title: "no message of a laboratory waits for long", look: intake },
];

/// Entries of the trail that are looked at: those of about a day. `amanat audit verify` looks at all.
const NEWEST: u32 = 10_000;

/// Asks the store, when there is one: a check makes no file. A server is asked at once.
fn ask<T>(patient: &Patient<'_>, question: impl AsyncFnOnce(&Desk) -> Result<T, Failure>) -> Option<Result<T, Failure>> {
    if patient.config.store.sqlite_path().is_some_and(|path| !path.exists()) {
        return None;
    }
    Some(wait(async {
        let desk = Desk::open(patient.config).await?;
        let answer = question(&desk).await;
        desk.close().await;
        answer
    }))
}

const NOTHING_YET: &str = "there is no store yet: the first start makes it";

fn trail(patient: &Patient<'_>) -> Finding {
    match ask(patient, async |desk: &Desk| desk.verify_trail(Some(NEWEST)).await) {
        None => Finding::skipped(NOTHING_YET),
        Some(Ok(Verified { broken: None, entries, .. })) => Finding::fine(format!("{entries} entries")),
        Some(Ok(Verified { broken: Some(broken), .. })) => {
            Finding::error(broken, "keep the folder as it is, run `amanat audit verify`, and compare with a backup")
        }
        Some(Err(failure)) => Finding::error(failure.to_string(), "restore the store from the newest backup"),
    }
}

fn token(patient: &Patient<'_>) -> Finding {
    match ask(patient, Desk::try_token) {
        None => Finding::skipped(NOTHING_YET),
        Some(Ok(Some(client))) => Finding::fine(format!("tried with `{client}`")),
        Some(Ok(None)) => Finding::skipped("no client is registered that could get one: `amanat client add --help`"),
        Some(Err(failure)) => {
            Finding::error(failure.to_string(), "check the clock and server.base_url; the keys are in the store")
        }
    }
}

fn labels(patient: &Patient<'_>) -> Finding {
    let ruleset = patient.config.labelling.ruleset();
    match ask(patient, async |desk: &Desk| desk.marked(ruleset).await) {
        None => Finding::skipped(NOTHING_YET),
        Some(Ok((all, marked))) if all == marked => {
            let version = Labelling::version_of(ruleset);
            Finding::fine(format!("{all} records; version {version} of the label rules"))
        }
        Some(Ok((all, marked))) => Finding::warning(
            format!("{} of {all} records wait, and are shown as restricted ones until then", all - marked),
            "run `amanat serve`: it labels them beside its other work",
        ),
        Some(Err(failure)) => Finding::error(failure.to_string(), "restore the store from the newest backup"),
    }
}

fn intake(patient: &Patient<'_>) -> Finding {
    match ask(patient, Desk::lab_waiting) {
        None => Finding::skipped(NOTHING_YET),
        Some(Ok(waiting)) if waiting.is_empty() => Finding::fine("nothing waits"),
        Some(Ok(waiting)) => Finding::warning(
            waiting
                .iter()
                .map(|(state, count, age)| format!("{count} {state}, the oldest for {} minutes", age / 60))
                .collect::<Vec<_>>()
                .join("; "),
            "`amanat lab queue` tells why each waits, `amanat lab fix` and `replay` mend it",
        ),
        Some(Err(failure)) => Finding::error(failure.to_string(), "restore the store from the newest backup"),
    }
}
