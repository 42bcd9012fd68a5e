//! The trust communities of the site (HL7 UDAP Security § 2): whose members may register themselves, and as whom the gateway stands in
//! each.

use super::secret;
use crate::fhir::Instant;
use crate::identity::{Anchors, Certified, uris_of};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use std::path::PathBuf;

/// The longest life of a statement or an assertion with a certificate, in seconds.
pub const LONGEST_STATEMENT: i64 = 300;

/// Seconds that signed metadata hold.
const METADATA_LIFE: i64 = 24 * 3600;

/// What is configured of a community.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommunitySettings {
    /// Its name, a URI.
    pub uri: String,
    /// Its authorities, PEM.
    pub anchors: PathBuf,
    /// Its revocation lists, PEM.
    pub revocations: Option<PathBuf>,
    /// The gateway's own certificate in it, and the chain; PEM.
    pub certificate: PathBuf,
    /// The key of that certificate, PEM, RSA.
    pub key: PathBuf,
    /// What its members may be granted, separated by spaces.
    pub scopes: String,
    /// Whether an operator admits each member, or being one is enough.
    pub operator_admits: bool,
}

/// A community.
#[derive(Debug)]
pub struct Community {
    /// What is configured.
    pub settings: CommunitySettings,
    anchors: Anchors,
    chain: Vec<String>,
    key: KeyPair,
}

/// All of them; the first is the one of who names none.
#[derive(Debug, Default)]
pub struct Communities(Vec<Community>);

impl Communities {
    /// Reads their files. `base` is the FHIR base, which the gateway's certificates must name.
    ///
    /// # Errors
    /// What is wrong, for the operator.
    pub fn load(settings: &[CommunitySettings], base: &str) -> Result<Self, String> {
        settings.iter().map(|settings| Community::load(settings, base)).collect::<Result<_, _>>().map(Self)
    }

    /// Is there none?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The one of this name; without a name the first.
    pub fn named(&self, uri: Option<&str>) -> Option<&Community> {
        match uri {
            Some(uri) => self.0.iter().find(|one| one.settings.uri == uri),
            None => self.0.first(),
        }
    }

    /// The community whose authorities vouch for the signer of a token, and what the token says.
    ///
    /// # Errors
    /// One word on what is wrong, of the community that came nearest.
    pub fn vouched(&self, token: &str, now: Instant) -> Result<(&Community, Certified), &'static str> {
        let mut why = "community";
        for community in &self.0 {
            match community.anchors.certified(token, now) {
                Ok(certified) => return Ok((community, certified)),
                Err("chain") => why = "chain",
                Err(other) => return Err(other),
            }
        }
        Err(why)
    }

    /// Is this assertion signed by the member of a community that has this URI?
    ///
    /// # Errors
    /// One word on what is wrong.
    pub fn signed(&self, token: &str, community: &str, uri: &str, now: Instant) -> Result<(), &'static str> {
        let community = self.named(Some(community)).ok_or("community")?;
        let certified = community.anchors.certified(token, now)?;
        if certified.uris.iter().any(|own| own == uri) { Ok(()) } else { Err("certificate-name") }
    }
}

impl Community {
    fn load(settings: &CommunitySettings, base: &str) -> Result<Self, String> {
        let anchors = Anchors::load(&settings.anchors, settings.revocations.as_deref())?;
        let wrong = |why: &str| format!("`{}`: {why}", settings.certificate.display());
        let certificates = CertificateDer::pem_file_iter(&settings.certificate).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let certificates = certificates.map_err(|fault| wrong(&fault.to_string()))?;
        let leaf = certificates.first().ok_or_else(|| wrong("no certificate in it"))?;
        if !uris_of(leaf).iter().any(|uri| uri == base) {
            return Err(wrong(&format!("the certificate must name the FHIR base `{base}` as a URI (SAN)")));
        }
        let unusable = |why: &str| format!("`{}`: {why}", settings.key.display());
        let key = match PrivateKeyDer::from_pem_file(&settings.key).map_err(|fault| unusable(&fault.to_string()))? {
            PrivateKeyDer::Pkcs8(der) => KeyPair::from_pkcs8(der.secret_pkcs8_der()),
            PrivateKeyDer::Pkcs1(der) => KeyPair::from_der(der.secret_pkcs1_der()),
            _ => return Err(unusable("the key must be RSA")),
        };
        let key = key.map_err(|_| unusable("the key must be RSA of 2048 bits or more"))?;
        let chain = certificates.iter().map(|der| STANDARD.encode(der)).collect();
        Ok(Self { settings: settings.clone(), anchors, chain, key })
    }

    /// What the gateway says of itself under its own name in the community (`signed_metadata`, UDAP Server Metadata § 2): RS256, the chain
    /// in `x5c`. `None` when it cannot be signed.
    pub fn metadata(&self, base: &str, endpoints: &[(&str, &str)], now: Instant) -> Option<String> {
        let mut claims = json!({
            "iss": base, "sub": base, "iat": now.seconds(), "exp": now.seconds() + METADATA_LIFE, "jti": secret::random().ok()?,
        });
        for (name, url) in endpoints {
            claims.as_object_mut()?.insert((*name).to_owned(), json!(url));
        }
        self.sign(&claims)
    }

    fn sign(&self, claims: &Value) -> Option<String> {
        let header = json!({"alg": "RS256", "x5c": self.chain});
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(claims));
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).ok()?;
        Some(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}
