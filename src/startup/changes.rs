//! What changed since the last start, for the trail: the software, the settings, and of these what decides, each with its hash before and
//! after. Whoever edits a file of settings needs no command that could enter it.

use crate::audit::{Agent, Entry, Event};
use crate::clock::Clock;
use crate::config::Config;
use crate::consent::Labelling;
use crate::gateway::Gateway;
use crate::store::StoreError;
use crate::store::sql::SqlStore;
use aws_lc_rs::digest;
use std::fmt::Write as _;

/// Writes the entries of a start: what changed, then the start itself.
///
/// # Errors
/// When the store cannot be read or written.
pub(super) async fn tell(gateway: &Gateway, store: &SqlStore, config: &Config, clock: &Clock) -> Result<(), StoreError> {
    let settings = |of: &dyn Fn(&str) -> bool| -> String {
        let lines = config.effective.iter().filter(|one| of(&one.key)).map(|one| format!("{}={}\n", one.key, one.value));
        hashed(&lines.collect::<String>())
    };
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let whole = settings(&|_| true);
    let rules = Labelling::version_of(config.labelling.ruleset()).to_string();
    let known = [
        ("told-version", version.clone(), Event::Software("updated")),
        ("told-consent-settings", settings(&|key| key.starts_with("consent.")), Event::Policy("consent-settings-changed")),
        ("told-label-rules", hashed(&rules), Event::Policy("label-rules-changed")),
        ("told-configuration", whole.clone(), Event::Policy("configuration-changed")),
    ];
    for (name, now, event) in known {
        let before = store.setting(name).await?.and_then(|bytes| String::from_utf8(bytes).ok());
        if before.as_deref() == Some(now.as_str()) {
            continue;
        }
        if let Some(before) = before {
            gateway.record(entry(event, clock, &format!("before={before} after={now}"))).await;
        }
        store.set_setting(name, now.into_bytes()).await?;
    }
    let node = &config.audit.node;
    gateway.record(entry(Event::Start, clock, &format!("version={version} configuration={whole} node={node}"))).await;
    Ok(())
}

fn entry(event: Event, clock: &Clock, told: &str) -> Entry {
    let agent = Agent { client: "amanat".to_owned(), ..Agent::default() };
    Entry::concluded(event, agent, clock.now(), uuid::Uuid::now_v7().to_string()).asking(told)
}

fn hashed(text: &str) -> String {
    let digest = digest::digest(&digest::SHA256, text.as_bytes());
    digest.as_ref().iter().take(16).fold("sha256:".to_owned(), |mut out, byte| {
        let _written = write!(out, "{byte:02x}");
        out
    })
}
