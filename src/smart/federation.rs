//! Sign-in at an OpenID provider of the site (OpenID Connect Core, authorization code flow with PKCE), and who somebody from there is
//! here.

use super::state::{Kind, Stored};
use crate::fhir::{Id, Instant, Key, ResourceType};
use crate::identity::{Claims, Fetch, FetchFault, Jws, Reach};
use openidconnect::core::{CoreAuthenticationFlow, CoreClient, CoreIdToken, CoreJwsSigningAlgorithm, CoreProviderMetadata};
use openidconnect::{
    AuthorizationCode, ClaimsVerificationError, ClientId, ClientSecret, CsrfToken, HttpRequest, HttpResponse, IssuerUrl, Nonce,
    PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope, TokenResponse as _,
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// Seconds that somebody has at their provider.
const AWAY: i64 = 600;

/// Seconds for which it is taken for true what a provider said of itself, its keys among it.
const KNOWN_FOR: i64 = 600;

/// An unknown key leads to one more look at the provider in this many seconds.
const LOOK_INTERVAL: i64 = 10;

/// What is configured of a provider.
#[derive(Debug, Clone)]
pub struct ProviderSettings {
    /// Its name in addresses.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Its issuer.
    pub issuer: String,
    /// `client_id` of the gateway there.
    pub client_id: String,
    /// The secret of the gateway there.
    pub client_secret: Option<SecretString>,
    /// What is asked for beside `openid`.
    pub scopes: Vec<String>,
    /// The claim that says who somebody is here.
    pub user_claim: String,
    /// The type of the user when the claim holds an id alone.
    pub user_type: Option<ResourceType>,
    /// The claim with the ids of the patients that somebody acts for.
    pub patients_claim: Option<String>,
    /// The claim with the organization that somebody acts for.
    pub organization_claim: Option<String>,
    /// The organization of everybody who comes from there, when no claim says it.
    pub organization: Option<String>,
    /// The claim with role words.
    pub roles_claim: Option<String>,
    /// Which `acr` of the provider count as a strong sign-in.
    pub strong_acr: Vec<String>,
    /// Whether somebody unknown is taken on.
    pub takes_on: bool,
    /// Authorities of its certificate, PEM.
    pub authorities: Option<PathBuf>,
}

/// The providers.
#[derive(Debug, Clone, Default)]
pub struct Federation {
    /// All of them.
    pub providers: Vec<ProviderSettings>,
    /// Where they send people back to.
    pub back: String,
    /// The FHIR base, below which a `fhirUser` may lie.
    pub base: String,
    /// What the providers said of themselves, by their issuer, and when.
    known: Arc<Mutex<HashMap<String, (Instant, CoreProviderMetadata)>>>,
}

/// Why nobody came of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FederationFault {
    /// The provider cannot be reached, or does not answer as one does.
    #[error("the provider cannot be used: {0}")]
    Provider(String),
    /// Its answer does not verify.
    #[error("the provider's answer is not acceptable: {0}")]
    Answer(String),
    /// The claims do not say who somebody is here.
    #[error("the claim `{0}` does not say who this is here")]
    Nobody(String),
}

/// Somebody on their way to a provider, by the digest of `state`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outbound {
    /// Which provider.
    pub provider: String,
    /// `nonce`
    pub nonce: String,
    /// `code_verifier`
    pub verifier: String,
    /// The handle of the request under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// The digest of what only this browser has.
    pub browser: String,
    /// When, in milliseconds.
    pub came: i64,
}

impl Stored for Outbound {
    const KIND: Kind = Kind::Outbound;

    fn owner(&self) -> &str {
        &self.provider
    }

    fn expires(&self) -> Instant {
        Instant(self.came).plus_seconds(AWAY)
    }
}

/// Somebody, as the provider tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stranger {
    /// `issuer subject`: never changes.
    pub known_as: String,
    /// The provider's name in addresses.
    pub provider: String,
    /// What people call them.
    pub name: String,
    /// Who they are here.
    pub user: Key,
    /// The patients that they act for.
    pub patients: Vec<String>,
    /// The organization that they act for.
    pub organization: Option<String>,
    /// Role words.
    pub roles: Vec<String>,
    /// Whether the provider says that the sign-in was strong.
    pub strong: bool,
}

impl Federation {
    /// These providers; they send people back to `back`.
    pub fn new(providers: Vec<ProviderSettings>, back: String, base: String) -> Self {
        Self { providers, back, base, known: Arc::default() }
    }

    /// The provider of this name.
    pub fn named(&self, id: &str) -> Option<&ProviderSettings> {
        self.providers.iter().find(|provider| provider.id == id)
    }

    /// The address to which somebody is sent, and what has to be kept under `state` until they come back.
    ///
    /// # Errors
    /// [`FederationFault::Provider`]
    pub async fn leave(
        &self,
        provider: &ProviderSettings,
        state: &str,
        again: bool,
        (request, browser): (Option<&str>, &str),
        now: Instant,
    ) -> Result<(String, Outbound), FederationFault> {
        let client = self.client(provider, self.discovered(provider, now, KNOWN_FOR).await?)?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let (nonce, told) = (Nonce::new_random(), CsrfToken::new(state.to_owned()));
        let kept = nonce.clone();
        let mut asked = client
            .authorize_url(CoreAuthenticationFlow::AuthorizationCode, move || told, move || nonce)
            .set_pkce_challenge(challenge);
        for scope in provider.scopes.iter().filter(|scope| *scope != "openid") {
            asked = asked.add_scope(Scope::new(scope.clone()));
        }
        if again {
            asked = asked.add_prompt(openidconnect::core::CoreAuthPrompt::Login);
        }
        let (url, _, _) = asked.url();
        let outbound = Outbound {
            provider: provider.id.clone(),
            nonce: kept.secret().clone(),
            verifier: verifier.secret().clone(),
            request: request.map(str::to_owned),
            browser: browser.to_owned(),
            came: now.0,
        };
        Ok((url.to_string(), outbound))
    }

    /// Who came back with this code.
    ///
    /// # Errors
    /// [`FederationFault`]
    pub async fn arrive(
        &self,
        outbound: &Outbound,
        code: &str,
        issuer: Option<&str>,
        now: Instant,
    ) -> Result<Stranger, FederationFault> {
        let provider = self.named(&outbound.provider).ok_or_else(|| FederationFault::Provider("it is gone".to_owned()))?;
        if issuer.is_some_and(|issuer| issuer != provider.issuer) {
            return Err(FederationFault::Answer("it comes from another issuer".to_owned()));
        }
        let client = self.client(provider, self.discovered(provider, now, KNOWN_FOR).await?)?;
        let http = |request| sent(request, provider.authorities.clone());
        let exchange = client.exchange_code(AuthorizationCode::new(code.to_owned()));
        let exchange = exchange.map_err(|fault| FederationFault::Provider(fault.to_string()))?;
        let verifier = PkceCodeVerifier::new(outbound.verifier.clone());
        let tokens = exchange.set_pkce_verifier(verifier).request_async(&http).await;
        let tokens = tokens.map_err(|fault| FederationFault::Answer(fault.to_string()))?;
        let token = tokens.id_token().ok_or_else(|| FederationFault::Answer("there is no id_token".to_owned()))?;
        let nonce = Nonce::new(outbound.nonce.clone());
        let mut subject = verified(&client, token, &nonce);
        if matches!(subject, Err(ClaimsVerificationError::SignatureVerification(_))) {
            // It may sign with a key that is newer than what is known of it.
            let client = self.client(provider, self.discovered(provider, now, LOOK_INTERVAL).await?)?;
            subject = verified(&client, token, &nonce);
        }
        let subject = subject.map_err(|fault| FederationFault::Answer(fault.to_string()))?;
        self.read(provider, &subject, &token.to_string())
    }

    /// What the provider says of itself, with its keys; not older than so many seconds.
    async fn discovered(
        &self,
        provider: &ProviderSettings,
        now: Instant,
        oldest: i64,
    ) -> Result<CoreProviderMetadata, FederationFault> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&provider.issuer).cloned();
        if let Some((at, metadata)) = known
            && at <= now
            && now < at.plus_seconds(oldest)
        {
            return Ok(metadata);
        }
        let metadata = asked(provider).await?;
        let kept = (now, metadata.clone());
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(provider.issuer.clone(), kept);
        Ok(metadata)
    }

    fn client(&self, provider: &ProviderSettings, metadata: CoreProviderMetadata) -> Result<Relying, FederationFault> {
        let back = RedirectUrl::new(self.back.clone()).map_err(|fault| FederationFault::Provider(fault.to_string()))?;
        let secret = provider.client_secret.as_ref().map(|secret| ClientSecret::new(secret.expose_secret().to_owned()));
        let client = CoreClient::from_provider_metadata(metadata, ClientId::new(provider.client_id.clone()), secret);
        Ok(client.set_redirect_uri(back))
    }

    /// Who the claims of a verified `id_token` say that somebody is.
    fn read(&self, provider: &ProviderSettings, subject: &str, token: &str) -> Result<Stranger, FederationFault> {
        let wrong = |what: &str| FederationFault::Answer(what.to_owned());
        let jws = Jws::parse(token).map_err(wrong)?;
        let claims = Claims::parse(&jws.payload).map_err(wrong)?;
        let text = |name: &str| claims.text(name, "claim").ok().flatten().map(std::borrow::Cow::into_owned);
        let texts = |name: &Option<String>| -> Vec<String> {
            let found = name.as_ref().and_then(|name| claims.get(name));
            found.map(|found| found.flattened().filter_map(|one| Some(one.as_str()?.into_owned())).collect()).unwrap_or_default()
        };
        let nobody = || FederationFault::Nobody(provider.user_claim.clone());
        let user = self.user(provider, &text(&provider.user_claim).ok_or_else(nobody)?).ok_or_else(nobody)?;
        let patient = |told: &String| {
            let id = told.strip_prefix(&format!("{}/", self.base)).unwrap_or(told);
            Id::parse(id.strip_prefix("Patient/").unwrap_or(id)).map(|id| id.to_string())
        };
        Ok(Stranger {
            known_as: format!("{} {subject}", provider.issuer),
            provider: provider.id.clone(),
            name: text("name").or_else(|| text("preferred_username")).unwrap_or_else(|| user.to_string()),
            patients: texts(&provider.patients_claim).iter().filter_map(patient).collect(),
            organization: texts(&provider.organization_claim).into_iter().next().or_else(|| provider.organization.clone()),
            roles: texts(&provider.roles_claim),
            strong: text("acr").is_some_and(|acr| provider.strong_acr.contains(&acr)),
            user,
        })
    }

    /// `Practitioner/d1`, the same below the FHIR base, or an id of the configured type.
    fn user(&self, provider: &ProviderSettings, told: &str) -> Option<Key> {
        let told = told.strip_prefix(&format!("{}/", self.base)).unwrap_or(told);
        match (Key::parse(told), provider.user_type) {
            (Some(key), _) => Some(key),
            (None, Some(of)) => Id::parse(told).map(|id| Key::new(of, id)),
            (None, None) => None,
        }
    }
}

/// `sub` of an `id_token` that verifies.
fn verified(client: &Relying, token: &CoreIdToken, nonce: &Nonce) -> Result<String, ClaimsVerificationError> {
    let checks = client.id_token_verifier().set_allowed_algs(ALGORITHMS);
    Ok(token.claims(&checks, nonce)?.subject().to_string())
}

/// Asks the provider what it is, and for its keys.
async fn asked(provider: &ProviderSettings) -> Result<CoreProviderMetadata, FederationFault> {
    let issuer = IssuerUrl::new(provider.issuer.clone()).map_err(|fault| FederationFault::Provider(fault.to_string()))?;
    let http = |request| sent(request, provider.authorities.clone());
    let found = CoreProviderMetadata::discover_async(issuer, &http).await;
    found.map_err(|fault| FederationFault::Provider(chain(&fault)))
}

type Relying = CoreClient<
    openidconnect::EndpointSet,
    openidconnect::EndpointNotSet,
    openidconnect::EndpointNotSet,
    openidconnect::EndpointNotSet,
    openidconnect::EndpointMaybeSet,
    openidconnect::EndpointMaybeSet,
>;

/// What an `id_token` may be signed with: no shared secret.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 5] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
];

/// The request of the library by the gateway's own way out: bounded, without redirects.
async fn sent(request: HttpRequest, authorities: Option<PathBuf>) -> Result<HttpResponse, FetchFault> {
    let (head, body) = request.into_parts();
    let fetch = Fetch::new(&head.uri.to_string(), Reach::Inside)?.trusting(authorities);
    let text = |value: &openidconnect::http::HeaderValue| value.to_str().unwrap_or_default().to_owned();
    let headers: Vec<(String, String)> = head.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
    let answer = fetch.exchange(head.method.as_str(), &headers, body).await?;
    let mut response = openidconnect::http::Response::builder().status(answer.status);
    if let Some(kind) = answer.content_type {
        response = response.header("content-type", kind);
    }
    response.body(answer.body).map_err(|_| FetchFault::Body)
}

/// An error with its causes.
fn chain(fault: &dyn std::error::Error) -> String {
    let mut text = fault.to_string();
    let mut source = fault.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
