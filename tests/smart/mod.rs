//! The authorization server: each test is named after the row of the acceptance list that it shows (D discovery, C registration, A
//! authorization, T token, L launch, S scopes, O OpenID, R refresh, N introspection, V revocation, X CORS).

mod app_state;
mod apps;
mod authorize;
mod backend;
mod bound;
mod consent_page;
mod corner;
mod discovery;
mod federation;
mod keys;
mod launch;
mod passkeys;
mod people;
mod refresh;
mod registering;
mod remembered;
mod scopes;
mod strength;
mod token;
mod udap;
mod visitor;

pub(crate) use visitor::{furnish, tokens};
