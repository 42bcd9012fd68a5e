//! Who asks: bearer token, issuers and their keys, client certificate -> [`crate::access::Caller`].
//!
//! A token is accepted only when every check passes explicitly. Nothing in a token makes the gateway fetch or open anything: which
//! keys verify it, and where they come from, is configuration.

mod algorithm;
mod authenticator;
mod bearer;
mod caller;
mod certificate;
mod chain;
mod claims;
mod fetch;
mod issuer;
mod jws;
mod key_cache;
mod key_set;
mod proof;
mod purpose;
mod registration;
mod settings;

pub use algorithm::{Algorithm, Curve};
pub use authenticator::Authenticator;
pub use bearer::{no_token_in, token};
pub use certificate::{PeerCertificate, thumbprint};
pub use chain::{Anchors, Certified, uris_of};
pub use claims::Claims;
pub use fetch::{Exchanged, Fetch, FetchFault, Fetched, LARGEST_ANSWER, LONGEST_FETCH, Reach};
pub use issuer::{Issuer, Issuers, IssuersFault};
pub use jws::{Header, Jws, LONGEST_TOKEN};
pub use key_cache::{Freshness, KeyCache, KeysFault, PublishedKeys, REFETCH_INTERVAL};
pub use key_set::{KeySet, KeySetFault};
pub use proof::{Nonces, PROOF_ALGORITHMS, Proof, Proving, token_hash};
pub use purpose::{ACT_REASON, PURPOSES, normalised as normalised_purpose};
pub use registration::{FirstUse, Nobody, Registration, Registrations, Unkept};
pub use settings::{IssuerFault, IssuerSection, IssuerSettings, KeysAt, USUAL_LEEWAY};

#[cfg(test)]
pub(crate) mod forge;
