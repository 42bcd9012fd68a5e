//! A client proves who it is with a signed assertion (RFC 7523; SMART App Launch 2.2, "Client Authentication: Asymmetric").

use crate::fhir::Instant;
use crate::identity::{Algorithm, Claims, Header, Jws, PeerCertificate};
use crate::smart::client::{Client, ClientKeys, ClientKind};
use crate::smart::profile::Profile;
use crate::smart::registry::Registry;
use crate::smart::store::ClientStoreError;

/// The one `client_assertion_type`.
pub const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The longest life of an assertion, in seconds.
pub const LONGEST_ASSERTION: i64 = 300;

/// The longest `jti` that is remembered, in bytes.
const LONGEST_ID: usize = 256;

/// How an assertion is judged.
#[derive(Debug, Clone)]
pub struct AssertionRules {
    /// The URL of the token endpoint, which `aud` must name.
    pub token_url: String,
    /// The gateway as an issuer, which `aud` of a FAPI client is.
    pub issuer: String,
    /// What it may be signed with: RS384 and ES384 at least.
    pub algorithms: Vec<Algorithm>,
    /// On `exp`, `nbf` and `iat`, in seconds.
    pub leeway: u32,
}

/// A client that has proved who it is.
#[derive(Debug)]
pub(super) struct Proven {
    pub(super) client: Client,
    /// `jti` of the assertion.
    pub(super) assertion: String,
}

/// Why there is no proof.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unproven {
    /// For the trail, one word. The caller learns only that it failed.
    Refused(&'static str),
    /// The store failed.
    Store(ClientStoreError),
}

impl From<&'static str> for Unproven {
    fn from(why: &'static str) -> Self {
        Self::Refused(why)
    }
}

impl From<ClientStoreError> for Unproven {
    fn from(fault: ClientStoreError) -> Self {
        Self::Store(fault)
    }
}

/// The client that an assertion says it is from. Nothing is verified: for the trail of a refusal.
pub(super) fn claimed_client(assertion: &str) -> Option<String> {
    let jws = Jws::parse(assertion).ok()?;
    let claims = Claims::parse(&jws.payload).ok()?;
    claims.required("iss", "").ok().map(std::borrow::Cow::into_owned).filter(|client| client.len() <= LONGEST_ID)
}

/// Verifies an assertion, and uses it up.
pub(super) async fn prove(
    assertion: &str,
    (peer, at): (Option<&PeerCertificate>, &str),
    registry: &Registry,
    rules: &AssertionRules,
    now: Instant,
) -> Result<Proven, Unproven> {
    let jws = Jws::parse(assertion)?;
    let claims = Claims::parse(&jws.payload)?;
    let id = claims.required("iss", "issuer")?;
    let client = registry.client(&id).await?;
    let profile = client.as_ref().map_or(Profile::Smart, |client| client.profile);
    if !profile.admits(jws.header.algorithm, &rules.algorithms) {
        return Err("algorithm".into());
    }
    let certified = client.as_ref().is_some_and(|client| client.certified().is_some());
    if !certified && (jws.header.media_type.as_deref() != Some("jwt") || jws.header.key_id.is_none()) {
        return Err("header".into());
    }
    if claims.required("sub", "subject")? != id {
        return Err("subject".into());
    }
    let client = client.ok_or("client")?;
    if let Some((community, uri)) = client.certified() {
        registry.communities().signed(assertion, community, uri, now)?;
    } else {
        points_home(&client, &jws.header)?;
        let keys = registry.keys(&client).await.map_err(|_| "keys")?;
        keys.knowing(&jws.header, now).await.map_err(|_| "keys")?.verify(&jws)?;
    }
    is_for(&claims, &client, rules, at)?;
    let expires = claims.in_force(now, rules.leeway)?;
    if expires > now.plus_seconds(LONGEST_ASSERTION + i64::from(rules.leeway)) {
        return Err("lifetime".into());
    }
    admitted(&client, peer)?;
    let jti = claims.required("jti", "jti")?;
    if jti.len() > LONGEST_ID {
        return Err("jti".into());
    }
    let until = expires.plus_seconds(i64::from(rules.leeway));
    if !registry.store().remember_jti(&client.id, &jti, until, now).await? {
        return Err("replayed".into());
    }
    Ok(Proven { assertion: jti.into_owned(), client })
}

/// The issuer and nothing else, or one of the URLs where it is shown (RFC 7523 § 3): each profile has its own.
fn is_for(claims: &Claims, client: &Client, rules: &AssertionRules, at: &str) -> Result<(), &'static str> {
    if client.profile.names_the_issuer() {
        return if claims.required("aud", "audience")? == rules.issuer { Ok(()) } else { Err("audience") };
    }
    let here = if at.is_empty() { &rules.token_url } else { at };
    claims.is_for(&[rules.token_url.as_str(), here])
}

/// `jku` may repeat the registered address; any other is refused, and none is followed.
fn points_home(client: &Client, header: &Header) -> Result<(), &'static str> {
    match (&header.key_url, &client.keys) {
        (None, _) => Ok(()),
        (Some(told), ClientKeys::JwksUri(url)) if told == url => Ok(()),
        _ => Err("header"),
    }
}

fn admitted(client: &Client, peer: Option<&PeerCertificate>) -> Result<(), &'static str> {
    if let Some(why) = client.is_out() {
        return Err(why);
    }
    if client.tls.is_some() || !matches!(client.kind, ClientKind::Backend | ClientKind::Asymmetric) {
        return Err("client-kind");
    }
    match (&client.certificate, peer) {
        (None, _) => Ok(()),
        (Some(bound), Some(peer)) if *bound == peer.thumbprint => Ok(()),
        _ => Err("certificate"),
    }
}
