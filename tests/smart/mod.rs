//! The authorization server: each test is named after the row of the acceptance list that it shows (D discovery, C registration, A
//! authorization, T token, L launch, S scopes, O OpenID, R refresh, N introspection, V revocation, X CORS).

mod apps;
mod authorize;
mod consent_page;
mod corner;
mod discovery;
mod launch;
mod people;
mod refresh;
mod scopes;
mod token;
mod visitor;
