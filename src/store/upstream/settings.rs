//! What a site decides about the FHIR server behind.

use crate::fhir::ResourceType;
use secrecy::SecretString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Signs an assertion for this token endpoint with the gateway's own key (SMART Backend Services).
pub type Assertion = Arc<dyn Fn(&str) -> Result<String, String> + Send + Sync>;

/// By what the gateway is known to the server behind. A caller's token never goes there.
#[derive(Clone, Default)]
pub enum Credentials {
    /// By nothing, or by its certificate alone.
    #[default]
    None,
    /// User name and password (RFC 7617).
    Basic(String, SecretString),
    /// The bearer token in a file, read again when it changes.
    BearerFile(PathBuf),
    /// SMART Backend Services: a signed assertion for a token.
    Backend {
        /// The token endpoint.
        token_url: String,
        /// What is asked for.
        scope: String,
        /// Signs.
        assertion: Assertion,
    },
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Basic(..) => "Basic",
            Self::BearerFile(_) => "BearerFile",
            Self::Backend { .. } => "Backend",
        })
    }
}

/// How members of a compartment are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Narrowing {
    /// By path, unless the server was seen not to know it; then by parameters.
    #[default]
    Auto,
    /// By the compartment's own path, `Patient/p1/Observation`.
    Path,
    /// By each parameter that makes a member, one query after the other.
    Parameters,
}

/// Everything about the server behind.
#[derive(Debug, Clone)]
pub struct UpstreamOptions {
    /// Its FHIR base, without a slash at the end.
    pub base: String,
    /// Other bases that it uses of itself, in links and references.
    pub aliases: Vec<String>,
    /// By what it knows the gateway.
    pub credentials: Credentials,
    /// The certificates (PEM) to trust instead of the public ones.
    pub authorities: Option<PathBuf>,
    /// Certificate chain and key (PEM) to show.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// Further servers, each with the types that it keeps instead of this one. Bounds of requests and the like are this one's.
    pub others: Vec<(Vec<ResourceType>, UpstreamOptions)>,
    /// Types that are kept in the gateway's own store. `AuditEvent` always is.
    pub own_types: Vec<ResourceType>,
    /// Types that decisions are made with: other nodes hear of their changes at once.
    pub deciding: Vec<ResourceType>,
    /// How it is asked for a compartment.
    pub narrowing: Narrowing,
    /// Whether a search is refused whose `self` link lacks a parameter.
    pub demand_self_link: bool,
    /// Time to connect.
    pub connect: Duration,
    /// Time until an answer begins.
    pub answer: Duration,
    /// Time between two pieces of a body.
    pub idle: Duration,
    /// Time of one exchange in all.
    pub whole: Duration,
    /// Requests at a time.
    pub in_flight: usize,
    /// Time that a request may wait for its turn.
    pub queue: Duration,
    /// Bytes of one record.
    pub record_bytes: usize,
    /// Bytes of one answer.
    pub answer_bytes: usize,
    /// Records that one request may look at.
    pub looked_at: usize,
    /// Records that a hop of a chain may lead over.
    pub hop_records: usize,
    /// Between two looks at the consents that others wrote.
    pub consent_poll: Duration,
    /// How old what is known of them may be before nothing is decided by it any more.
    pub consent_age: Duration,
}

impl UpstreamOptions {
    /// The usual bounds, for this base.
    pub fn new(base: &str) -> Self {
        let seconds = Duration::from_secs;
        Self {
            base: base.trim_end_matches('/').to_owned(),
            aliases: Vec::new(),
            credentials: Credentials::None,
            authorities: None,
            certificate: None,
            others: Vec::new(),
            own_types: Vec::new(),
            deciding: vec![ResourceType::Consent],
            narrowing: Narrowing::Auto,
            demand_self_link: true,
            connect: seconds(5),
            answer: seconds(30),
            idle: seconds(10),
            whole: seconds(120),
            in_flight: 64,
            queue: seconds(5),
            record_bytes: 16 << 20,
            answer_bytes: 64 << 20,
            looked_at: 20_000,
            hop_records: 5_000,
            consent_poll: seconds(5),
            consent_age: seconds(60),
        }
    }
}
