//! The authorization server: registered clients, the people who sign in, what they allow apps, and the tokens that come of it (SMART App
//! Launch 2.2, RFC 6749, OpenID Connect Core).
//!
//! * [`asked`] reads an authorization request, [`Offer`] says what the person is offered, [`TokenEndpoint`] exchanges what they allowed.
//! * [`People`] are those who sign in; [`State`] keeps everything between two steps, for every node.

mod account;
mod app_state;
mod authorization;
mod authorize;
mod brands;
mod client;
mod communities;
mod discovery;
mod enrolment;
mod federation;
mod id_token;
mod issue;
mod kept;
mod key_age;
mod key_ring;
mod keys;
mod launch;
mod own_assertion;
mod own_key;
mod passkey;
mod password;
mod people;
mod pkcs8;
mod profile;
mod redirect_uri;
mod register;
mod registry;
mod revocations;
mod seal;
mod second_factor;
pub mod secret;
mod sessions;
mod state;
mod state_storage;
pub mod storage;
mod store;
mod token;
pub mod totp;

pub use account::{
    ACR_FEDERATED, ACR_PASSKEY, ACR_PASSWORD, ACR_TWO_FACTOR, ACRS, Account, INVITATION_LIFE, SESSION_LIFE, Session,
};
pub use app_state::app_state_statement;
pub use authorization::{Authorization, CODE_LIFE, Code, GRACE, Lasting, OFFLINE_LIFE};
pub use authorize::{
    Answered, Asked, CATEGORIES, Category, Choice, KINDS, Offer, Pending as PendingRequest, Remembered, Wrong, asked, sent_back,
};
pub use brands::{brand_bundle, brand_identifier};
pub use client::{Client, ClientFault, ClientKeys, ClientKind, LONGEST_BACKEND_TOKEN, LONGEST_TOKEN_LIFE};
pub use communities::{Communities, Community, CommunitySettings, LONGEST_STATEMENT};
pub use discovery::{
    APP_STATE_PATH, DEVELOPERS_PATH, Endpoints, capabilities, openid_configuration, protected_resource, scopes_supported,
    smart_configuration, udap_configuration,
};
pub use enrolment::Enrolled;
pub use federation::{Federation, FederationFault, Outbound, ProviderSettings, Stranger};
pub use issue::{Grant, Issued, SignedIn, issue};
pub use kept::Kept;
pub use key_ring::{KEY_LEAD, KeyRing, KeyRingFault};
pub use keys::{KeyFault, SigningKey, generate_client_key, key_set, key_set_text};
pub use launch::{Context, LAUNCH_LIFE, Launch, STYLE_PATH, context_fault};
pub use own_assertion::own_assertion;
pub use passkey::{ALGORITHMS as PASSKEY_ALGORITHMS, Made, Passkey, RelyingParty, Used};
pub use password::PasswordFault;
pub use people::{People, PeopleFault};
pub use profile::{Profile, TlsName};
pub use redirect_uri::origin;
pub use register::{Admission, Registrar, RegistrationRequest};
pub use registry::Registry;
pub use revocations::Revocations;
pub use seal::Seal;
pub use second_factor::Challenge;
pub use sessions::{Present, Whence};
pub use state::{Held, Kind, NEVER, State, StateRow, StateStore, Stored};
pub use store::{ClientStore, ClientStoreError, Pending, StoredKey};
pub use token::{
    ASSERTION_TYPE, AssertionRules, LONGEST_ASSERTION, PUSHED_PREFIX, Pushed, TokenAnswer, TokenEndpoint, TokenFacts,
    TokenRequest,
};

#[cfg(test)]
mod memory;
