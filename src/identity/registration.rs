//! What the gateway knows about a client beside its token.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// The part of a client's registration that decides about its tokens.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Registration {
    /// Tokens of a disabled client are refused.
    pub disabled: bool,
    /// The organization that it acts for, when the token names none.
    pub organization: Option<String>,
    /// The purposes that it may act for, normalised. Not empty: a token that states another one is refused.
    pub purposes: Vec<String>,
    /// SHA-256 of the one certificate that it connects with, base64url: its tokens need that certificate.
    pub certificate: Option<String>,
    /// It may name new records itself: update as create (`consent` L13).
    pub may_choose_ids: bool,
}

/// Nothing could be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unkept;

/// Whether something was used for the first time.
pub type FirstUse<'a> = Pin<Box<dyn Future<Output = Result<bool, Unkept>> + Send + 'a>>;

/// Who is registered. Lookups are served from a snapshot in memory.
pub trait Registrations: Send + Sync {
    /// The registration of this client of this issuer. The same client id of two issuers is two clients.
    fn find(&self, issuer: &str, client: &str) -> Option<Arc<Registration>>;

    /// Does a token of this gateway itself, or what a person allowed, by its name, count no more?
    fn is_revoked(&self, name: &str) -> bool;

    /// A number that changes with the snapshot.
    fn generation(&self) -> u64;

    /// Notes that something with this name was used by somebody, until a moment; `false` when it had been. Durable, and on every node.
    fn use_once<'a>(&'a self, by: &'a str, name: &'a str, until: crate::fhir::Instant, now: crate::fhir::Instant)
    -> FirstUse<'a>;

    /// Looks for this client behind the snapshot, at a bounded rate: it may have been added a moment ago.
    fn look_again<'a>(&'a self, client: &'a str, now: crate::fhir::Instant) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>>;
}

/// Nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nobody;

impl Registrations for Nobody {
    fn find(&self, _: &str, _: &str) -> Option<Arc<Registration>> {
        None
    }

    fn is_revoked(&self, _: &str) -> bool {
        false
    }

    fn generation(&self) -> u64 {
        0
    }

    fn use_once<'a>(&'a self, _: &'a str, _: &'a str, _: crate::fhir::Instant, _: crate::fhir::Instant) -> FirstUse<'a> {
        Box::pin(std::future::ready(Err(Unkept)))
    }

    fn look_again<'a>(&'a self, _: &'a str, _: crate::fhir::Instant) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        Box::pin(std::future::ready(()))
    }
}
