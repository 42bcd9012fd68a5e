//! Access tokens of the gateway itself (RFC 9068).

use super::keys::{KeyFault, SigningKey};
use crate::fhir::{Id, Instant, Key};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// What a token is to say.
#[derive(Debug, Clone, Default)]
pub struct Grant {
    /// `iss`: this gateway.
    pub issuer: String,
    /// `aud`: the FHIR base, and nothing else.
    pub audience: String,
    /// `client_id`
    pub client: String,
    /// `sub`; the client itself when nobody else is.
    pub subject: Option<String>,
    /// What is granted.
    pub scope: String,
    /// How long it lives, in seconds.
    pub lifetime: u32,
    /// `fhirUser`
    pub user: Option<Key>,
    /// The patient in context.
    pub patient: Option<Id>,
    /// The encounter in context.
    pub encounter: Option<Id>,
    /// The organization acted for.
    pub organization: Option<String>,
    /// The purposes acted for.
    pub purposes: Vec<String>,
    /// The certificate that the token is bound to: SHA-256, base64url.
    pub certificate: Option<String>,
    /// The key that the token is bound to: its thumbprint (RFC 7638).
    pub key: Option<String>,
    /// What the person allowed the app, by its name: what ends it ends the token.
    pub authorization: Option<String>,
    /// When and how the user signed in.
    pub sign_in: Option<SignedIn>,
    /// Role words of the user.
    pub roles: Vec<String>,
    /// The grant of emergency access that it belongs to, and the issuer at which its client is registered.
    pub emergency: Option<(String, String)>,
}

/// When and how a user signed in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedIn {
    /// `auth_time`, in milliseconds.
    pub at: i64,
    /// `acr`
    pub acr: String,
    /// `amr` (RFC 8176)
    pub amr: Vec<String>,
}

/// A token that was made.
#[derive(Clone)]
pub struct Issued {
    /// The token.
    pub token: String,
    /// Its `jti`.
    pub id: String,
    /// When it ends.
    pub expires: Instant,
}

/// Signs a token for a grant. Every token has an id of its own, random.
///
/// # Errors
/// [`KeyFault::Sign`]
pub fn issue(key: &SigningKey, grant: &Grant, now: Instant) -> Result<Issued, KeyFault> {
    let id = uuid::Uuid::new_v4().to_string();
    let expires = Instant(now.seconds() * 1000).plus_seconds(i64::from(grant.lifetime));
    let token = key.sign("at+jwt", &claims(grant, &id, now, expires))?;
    Ok(Issued { token, id, expires })
}

fn claims(grant: &Grant, id: &str, now: Instant, expires: Instant) -> Value {
    let mut claims = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            claims.insert(name.to_owned(), value);
        }
    };
    put("iss", Some(json!(grant.issuer)));
    put("aud", Some(json!(grant.audience)));
    put("sub", Some(json!(grant.subject.as_ref().unwrap_or(&grant.client))));
    put("client_id", Some(json!(grant.client)));
    put("scope", Some(json!(grant.scope)));
    put("jti", Some(json!(id)));
    put("iat", Some(json!(now.seconds())));
    put("exp", Some(json!(expires.seconds())));
    put("fhirUser", grant.user.as_ref().map(|user| json!(user.to_string())));
    put("patient", grant.patient.as_ref().map(|patient| json!(patient.as_str())));
    put("encounter", grant.encounter.as_ref().map(|encounter| json!(encounter.as_str())));
    put("auth_time", grant.sign_in.as_ref().map(|sign_in| json!(sign_in.at.div_euclid(1000))));
    put("acr", grant.sign_in.as_ref().map(|sign_in| json!(sign_in.acr)));
    put("amr", grant.sign_in.as_ref().map(|sign_in| json!(sign_in.amr)));
    put("roles", (!grant.roles.is_empty()).then(|| json!(grant.roles)));
    put("extensions", extensions(grant));
    put("cnf", confirmation(grant));
    Value::Object(claims)
}

/// What the token is bound to (RFC 8705 § 3.1, RFC 9449 § 6.1).
fn confirmation(grant: &Grant) -> Option<Value> {
    let bound = [("x5t#S256", &grant.certificate), ("jkt", &grant.key)];
    let bound: Map<String, Value> =
        bound.into_iter().filter_map(|(name, to)| Some((name.to_owned(), json!(to.as_ref()?)))).collect();
    (!bound.is_empty()).then_some(Value::Object(bound))
}

/// Organization and purposes in the form of HL7 B2B (UDAP security guide § 5.2.1.1), and a grant in a form of our own.
fn extensions(grant: &Grant) -> Option<Value> {
    let mut b2b = Map::new();
    if let Some(organization) = &grant.organization {
        b2b.insert("organization_id".to_owned(), json!(organization));
    }
    if !grant.purposes.is_empty() {
        b2b.insert("purpose_of_use".to_owned(), json!(grant.purposes));
    }
    let mut extensions = Map::new();
    if !b2b.is_empty() {
        extensions.insert("hl7-b2b".to_owned(), Value::Object(b2b));
    }
    let mut own = Map::new();
    if let Some((grant, issuer)) = &grant.emergency {
        own.insert("break_glass".to_owned(), json!(grant));
        own.insert("client_issuer".to_owned(), json!(issuer));
    }
    if let Some(authorization) = &grant.authorization {
        own.insert("authorization".to_owned(), json!(authorization));
    }
    if !own.is_empty() {
        extensions.insert("amanat".to_owned(), Value::Object(own));
    }
    (!extensions.is_empty()).then_some(Value::Object(extensions))
}
