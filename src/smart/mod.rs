//! The authorization server, as far as it is there: registered clients, the token endpoint for SMART Backend Services, discovery, keys.

mod assertion;
mod client;
mod discovery;
mod issue;
mod kept;
mod key_ring;
mod keys;
mod pkcs8;
mod registry;
pub mod storage;
mod store;
mod token;

pub use assertion::{ASSERTION_TYPE, AssertionRules, LONGEST_ASSERTION};
pub use client::{Client, ClientFault, ClientKeys, ClientKind, LONGEST_BACKEND_TOKEN, LONGEST_TOKEN_LIFE};
pub use discovery::{CAPABILITIES, Endpoints, scopes_supported, smart_configuration};
pub use issue::{Grant, Issued, issue};
pub use kept::Kept;
pub use key_ring::{KeyRing, KeyRingFault};
pub use keys::{KeyFault, SigningKey, generate_client_key, key_set, key_set_text};
pub use registry::Registry;
pub use store::{ClientStore, ClientStoreError, Pending, StoredKey};
pub use token::{TokenAnswer, TokenEndpoint, TokenFacts, TokenRequest};

#[cfg(test)]
mod memory;
