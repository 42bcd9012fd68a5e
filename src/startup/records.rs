//! Where records live: in the gateway's own store, or behind a FHIR server, with the ledger beside.

use super::assembly::OpenError;
use crate::clock::Clock;
use crate::config::{Compartments, Config, ConsentsAt, Upstream, UpstreamAuth};
use crate::consent::Memberships;
use crate::disclosure::Crossing;
use crate::fhir::ResourceType;
use crate::smart::KeyRing;
use crate::store::RecordStore;
use crate::store::upstream::{Assertion, Credentials, Ledger, Narrowing, UpstreamOptions, UpstreamStore};
use std::sync::Arc;
use std::time::Duration;

/// The records that this configuration names; `ledger` is the gateway's own store.
pub(super) async fn records(
    config: &Config,
    clock: &Clock,
    keys: &Arc<KeyRing>,
    ledger: Ledger,
) -> Result<(Arc<dyn RecordStore>, Option<Arc<UpstreamStore>>), OpenError> {
    let Some(upstream) = &config.store.upstream else { return Ok((ledger.records, None)) };
    let servers = std::iter::once(upstream).chain(upstream.others.iter().map(|other| &other.server));
    let bases = servers.flat_map(|server| std::iter::once(&server.base).chain(&server.aliases));
    let theirs: Vec<String> = bases.map(|base| base.as_str().to_owned()).collect();
    let crossing =
        Crossing::new(config.labelling.clone(), config.server.base_url.as_str(), &theirs, upstream.bounds.recent_bytes);
    let options = options(upstream, clock, keys);
    let store = Arc::new(UpstreamStore::open(options, crossing, ledger, clock.clone()).await?);
    for noticed in store.probe(false).await.into_iter().filter(|noticed| !noticed.good) {
        tracing::warn!(what = noticed.what, seen = noticed.seen, "the server that keeps the records");
    }
    Ok((Arc::clone(&store) as Arc<dyn RecordStore>, Some(store)))
}

/// What the settings say of the server behind.
pub(super) fn options(upstream: &Upstream, clock: &Clock, keys: &Arc<KeyRing>) -> UpstreamOptions {
    let (bounds, seconds) = (upstream.bounds, Duration::from_secs);
    UpstreamOptions {
        aliases: upstream.aliases.iter().map(|base| base.as_str().to_owned()).collect(),
        credentials: credentials(&upstream.auth, clock, keys),
        authorities: upstream.ca.clone(),
        certificate: upstream.certificate.clone(),
        others: upstream.others.iter().map(|other| (other.types.clone(), options(&other.server, clock, keys))).collect(),
        own_types: match upstream.consents {
            ConsentsAt::Upstream => Vec::new(),
            ConsentsAt::Ledger => vec![ResourceType::Consent],
        },
        deciding: Memberships::TYPES.into_iter().chain([ResourceType::Consent]).collect(),
        narrowing: match upstream.compartments {
            Compartments::Auto => Narrowing::Auto,
            Compartments::Path => Narrowing::Path,
            Compartments::Parameters => Narrowing::Parameters,
        },
        demand_self_link: upstream.self_link_required,
        connect: seconds(bounds.connect_seconds),
        answer: seconds(bounds.answer_seconds),
        idle: seconds(bounds.idle_seconds),
        whole: seconds(bounds.whole_seconds),
        queue: seconds(bounds.queue_seconds),
        in_flight: bounds.in_flight,
        record_bytes: bounds.record_bytes,
        answer_bytes: bounds.answer_bytes,
        looked_at: bounds.looked_at,
        hop_records: bounds.hop_records,
        consent_poll: seconds(bounds.consent_poll_seconds),
        consent_age: seconds(bounds.consent_age_seconds),
        ..UpstreamOptions::new(upstream.base.as_str())
    }
}

fn credentials(auth: &UpstreamAuth, clock: &Clock, keys: &Arc<KeyRing>) -> Credentials {
    match auth {
        UpstreamAuth::None => Credentials::None,
        UpstreamAuth::Basic(user, password) => Credentials::Basic(user.clone(), password.clone()),
        UpstreamAuth::Bearer(file) => Credentials::BearerFile(file.clone()),
        UpstreamAuth::Backend { token_url, client_id, scope } => {
            let (clock, keys, client) = (clock.clone(), Arc::clone(keys), client_id.clone());
            let assertion: Assertion = Arc::new(move |audience| {
                crate::smart::own_assertion(&keys.assertion(), &client, audience, clock.now()).map_err(|fault| fault.to_string())
            });
            Credentials::Backend { token_url: token_url.clone(), scope: scope.clone(), assertion }
        }
    }
}
