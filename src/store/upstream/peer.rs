//! One of the servers behind: its address, the way to it, and what it can do.

use super::abilities::Abilities;
use super::settings::{Narrowing, UpstreamOptions};
use super::wire::Wire;
use crate::clock::Clock;
use crate::fhir::{Key, ResourceType};
use arc_swap::ArcSwap;
use std::sync::Arc;

/// An id that nobody gives a record.
pub(super) const NOBODY: &str = "amanat-probe-nobody";

/// A FHIR server.
pub(super) struct Peer {
    pub(super) base: String,
    /// Other bases that it uses of itself.
    pub(super) aliases: Vec<String>,
    pub(super) wire: Wire,
    pub(super) abilities: ArcSwap<Abilities>,
    pub(super) narrowing: Narrowing,
    pub(super) demand_self_link: bool,
}

impl Peer {
    /// Prepares the way to a server that keeps this type, among others; nothing is sent yet.
    pub(super) fn new(options: &UpstreamOptions, of: ResourceType, clock: &Clock) -> Result<Self, String> {
        Ok(Self {
            base: options.base.clone(),
            aliases: options.aliases.clone(),
            wire: Wire::new(options, format!("{of}/{NOBODY}"), clock)?,
            abilities: ArcSwap::default(),
            narrowing: options.narrowing,
            demand_self_link: options.demand_self_link,
        })
    }

    pub(super) fn abilities(&self) -> arc_swap::Guard<Arc<Abilities>> {
        self.abilities.load()
    }

    /// Whether it works now, as far as was seen.
    pub(super) fn ready(&self) -> bool {
        self.wire.has_answered() && !self.wire.is_resting()
    }
}

/// All of them: the first has every type that no other one names.
pub(super) struct Peers {
    first: Peer,
    others: Vec<(Vec<ResourceType>, Peer)>,
}

impl Peers {
    pub(super) fn new(options: &UpstreamOptions, clock: &Clock) -> Result<Self, String> {
        let other = |(types, options): &(Vec<ResourceType>, UpstreamOptions)| {
            let of = types.first().copied().unwrap_or(ResourceType::Patient);
            Ok((types.clone(), Peer::new(options, of, clock)?))
        };
        let others = options.others.iter().map(other).collect::<Result<_, String>>()?;
        Ok(Self { first: Peer::new(options, ResourceType::Patient, clock)?, others })
    }

    /// The one that keeps a type.
    pub(super) fn of(&self, of: ResourceType) -> &Peer {
        self.others.iter().find(|(types, _)| types.contains(&of)).map_or(&self.first, |(_, peer)| peer)
    }

    /// The one that keeps all of these; `None` when several do.
    pub(super) fn of_all(&self, mut types: impl Iterator<Item = ResourceType>) -> Option<&Peer> {
        let one = types.next().map_or(&self.first, |of| self.of(of));
        types.all(|of| std::ptr::eq(self.of(of), one)).then_some(one)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Peer> {
        std::iter::once(&self.first).chain(self.others.iter().map(|(_, peer)| peer))
    }

    /// Whether there is more than one.
    pub(super) fn several(&self) -> bool {
        !self.others.is_empty()
    }

    /// How `asked` may know a record: by its address below any base, and where another server keeps it, below that one's.
    pub(super) fn refer(&self, asked: &Peer, key: &Key) -> String {
        let home = self.of(key.resource_type);
        if std::ptr::eq(home, asked) { key.to_string() } else { format!("{key},{}/{key}", home.base) }
    }
}
