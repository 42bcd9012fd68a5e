//! Locking out, and letting in again.

use super::{find, step};
use crate::audit::{Agent, Entry, Event};
use crate::cli::audit::evidence::{Evidence, failed};
use crate::cli::screen::Failure;
use crate::fhir::Instant;
use crate::store::watch::{Effect, Restricted, Restriction, WatchStore as _};
use serde_json::{Value, json};

/// Whom containment is for.
#[derive(Debug, clap::Args)]
pub(super) struct Whom {
    /// Lock this client out.
    #[arg(long, value_name = "ID")]
    client: Vec<String>,
    /// Lock this user out.
    #[arg(long, value_name = "REFERENCE")]
    user: Vec<String>,
    /// Revoke the token of this `jti`.
    #[arg(long, value_name = "JTI")]
    token: Vec<String>,
    /// Lock this address out.
    #[arg(long, value_name = "ADDRESS")]
    ip: Vec<String>,
    /// Lock everybody out.
    #[arg(long)]
    everybody: bool,
    /// Let nobody write.
    #[arg(long)]
    read_only: bool,
    /// Let nobody export, and no notification be delivered.
    #[arg(long)]
    no_egress: bool,
}

pub(super) async fn contain(evidence: &Evidence, id: &str, whom: &Whom, by: &str) -> Result<Value, Failure> {
    find(evidence, id).await?;
    let named =
        |kind: Restricted, names: &[String]| names.iter().map(|name| (kind, name.clone(), Effect::Suspend)).collect::<Vec<_>>();
    let mut all = named(Restricted::Client, &whom.client);
    all.extend(named(Restricted::User, &whom.user));
    all.extend(named(Restricted::Token, &whom.token));
    all.extend(named(Restricted::Address, &whom.ip));
    let everybody = [
        (whom.everybody, Effect::Suspend),
        (whom.read_only, Effect::WriteLock),
        (whom.no_egress, Effect::Hold),
        (whom.no_egress, Effect::Pause),
    ];
    all.extend(everybody.iter().filter(|(asked, _)| *asked).map(|(_, effect)| (Restricted::Everybody, String::new(), *effect)));
    if all.is_empty() {
        return Err(Failure::Usage(
            "name whom to lock out: --client, --user, --token, --ip, --everybody, --read-only, --no-egress".to_owned(),
        ));
    }
    let restrictions: Vec<Restriction> = all
        .into_iter()
        .map(|(kind, target, effect)| Restriction {
            id: format!("{id}-{}-{target}-{}", kind.word(), effect.word()),
            kind,
            target,
            effect,
            begins: Instant(0),
            ends: None,
            reason: format!("incident {id}"),
            by: by.to_owned(),
        })
        .collect();
    let told: Vec<String> = restrictions
        .iter()
        .map(|one| format!("{} {} {}", one.effect.word(), one.kind.word(), one.target).trim().to_owned())
        .collect();
    // Whoever is locked out also loses what they hold of emergency access.
    for user in &whom.user {
        let key = crate::fhir::Key::parse(user);
        evidence.desk.end_emergency(None, key.as_ref(), by).await?;
    }
    step(evidence, id, ("contained", "contained"), by, &told.join("; "), restrictions).await?;
    Ok(json!({ "contained": told }))
}

pub(super) async fn lift(evidence: &Evidence, id: &str, by: &str) -> Result<Value, Failure> {
    find(evidence, id).await?;
    let now = evidence.desk.now();
    let mut lifted = 0;
    for one in evidence.watch().restrictions(now).await.map_err(failed)? {
        if one.reason == format!("incident {id}") {
            let agent = Agent { client: "amanat".to_owned(), subject: by.to_owned(), ..Agent::default() };
            let entry = Entry::concluded(Event::Guard("lifted"), agent, now, uuid::Uuid::now_v7().to_string());
            lifted += evidence.watch().lift(&one.id, by, now, entry.asking(&one.id)).await.map_err(failed)?;
        }
    }
    step(evidence, id, ("noted", "noted"), by, &format!("{lifted} restrictions were lifted"), Vec::new()).await?;
    Ok(json!({ "lifted": lifted }))
}
