//! Registration with a signed software statement (HL7 UDAP Security § 3; UDAP Dynamic Client Registration, STU 1).

use super::metadata::{list, text};
use super::{Done, Registrar, Unfit, checked, metadata};
use crate::access::{Level, Scopes};
use crate::fhir::Instant;
use crate::identity::{Certified, thumbprint};
use crate::smart::client::{Client, ClientKeys};
use crate::smart::communities::{Community, LONGEST_STATEMENT};
use crate::smart::enrolment::Enrolled;
use crate::smart::profile::Profile;
use serde_json::{Map, Value, json};

/// Seconds of leeway on the times of a statement.
const LEEWAY: u32 = 30;

/// Claims of the token itself, which are not client metadata.
const OF_THE_TOKEN: [&str; 6] = ["iss", "sub", "aud", "exp", "iat", "jti"];

impl Registrar {
    /// Registers a member of a community, anew, again, or no more.
    pub(super) async fn member(&self, body: &Map<String, Value>, now: Instant) -> Result<Done, Unfit> {
        if body.get("udap").is_some_and(|version| version.as_str() != Some("1")) {
            return Err(Unfit::metadata("udap", "`udap` must be \"1\"."));
        }
        let statement = text(body, "software_statement")?;
        let statement = statement.ok_or_else(|| Unfit::statement("statement", "`software_statement` is missing."))?;
        let (community, certified) = self.communities.vouched(&statement, now).map_err(|why| match why {
            "chain" | "community" | "certificate-expired" | "certificate-revoked" => Unfit::unapproved(why),
            why => Unfit::statement(why, "The software statement is not a token that is signed with the key of its `x5c`."),
        })?;
        let uri = self.sound(&certified, now)?;
        let claims: Map<String, Value> = payload(&statement)?;
        let jti = text(&claims, "jti")?.ok_or_else(|| Unfit::statement("jti", "The claim `jti` is missing."))?;
        let until = now.plus_seconds(LONGEST_STATEMENT + i64::from(LEEWAY));
        if !self.registry.store().remember_jti(&format!("udap {uri}"), &jti, until, now).await? {
            return Err(Unfit::statement("replayed", "The software statement was used before."));
        }
        let id = client_id(&community.settings.uri, &uri);
        let grants = list(&claims, "grant_types")?;
        let grants = grants.ok_or_else(|| Unfit::metadata("grant_types", "The claim `grant_types` is missing."))?;
        if grants.is_empty() {
            return self.cancelled(&id, &statement).await;
        }
        let client = member(&claims, &id, community, &uri, &statement, now)?;
        self.kept(checked(client)?, &claims, &statement, now).await
    }

    /// The claims of the statement itself (U-7): who, for whom, when.
    fn sound(&self, certified: &Certified, now: Instant) -> Result<String, Unfit> {
        let wrong = |why: &'static str| Unfit::statement(why, format!("The claims of the software statement are wrong: {why}."));
        let claims = &certified.claims;
        if !Profile::Udap.admits(certified.algorithm, &[]) {
            return Err(wrong("algorithm"));
        }
        let issuer = claims.required("iss", "issuer").map_err(wrong)?.into_owned();
        if claims.required("sub", "subject").map_err(wrong)? != issuer {
            return Err(wrong("subject"));
        }
        if !certified.uris.contains(&issuer) {
            return Err(wrong("issuer"));
        }
        claims.is_for(&[&self.url]).map_err(wrong)?;
        let expires = claims.in_force(now, LEEWAY).map_err(wrong)?;
        let begins = claims.moment("iat", "issued-at").map_err(wrong)?.ok_or_else(|| wrong("issued-at"))?;
        if expires > begins.plus_seconds(LONGEST_STATEMENT) {
            return Err(wrong("lifetime"));
        }
        Ok(issuer)
    }

    /// An empty list of grants takes the registration back.
    async fn cancelled(&self, id: &str, statement: &str) -> Result<Done, Unfit> {
        if !self.registry.store().remove(id).await? {
            return Err(Unfit::metadata("unknown", "There is no registration to take back."));
        }
        self.registry.refresh().await?;
        let mut told = Map::new();
        told.insert("client_id".to_owned(), json!(id));
        told.insert("grant_types".to_owned(), json!([]));
        told.insert("software_statement".to_owned(), json!(statement));
        Ok(Done { status: 200, client: id.to_owned(), scope: None, reason: "client-removed", body: Some(told) })
    }

    async fn kept(&self, mut client: Client, claims: &Map<String, Value>, statement: &str, now: Instant) -> Result<Done, Unfit> {
        let old = self.registry.client(&client.id).await?;
        let known = old.is_some();
        if let Some(old) = old {
            if old.disabled {
                return Err(Unfit::unapproved("client-disabled"));
            }
            // What the operator added holds on.
            client.organization = old.organization;
            client.purposes = old.purposes;
            client.certificate = old.certificate;
            if let Some(enrolled) = &mut client.enrolled {
                enrolled.approved = enrolled.approved.or(old.enrolled.and_then(|enrolled| enrolled.approved));
            }
            self.registry.store().replace(client.clone(), now).await?;
        } else {
            self.registry.store().add(client.clone(), now).await?;
        }
        self.registry.refresh().await?;
        // What is registered may be less than what was asked for: the client is told what it is.
        let mut told: Map<String, Value> = claims
            .iter()
            .filter(|(name, value)| !OF_THE_TOKEN.contains(&name.as_str()) && !value.is_null())
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let asked = ["redirect_uris", "response_types"].map(|name| (name, told.remove(name)));
        for (name, value) in metadata::told(&client) {
            if matches!(name.as_str(), "client_id" | "client_name" | "scope" | "token_endpoint_auth_method") {
                told.insert(name, value);
            }
        }
        for (name, value) in asked {
            if let Some(value) = value.filter(|_| !client.redirect_uris.is_empty()) {
                told.insert(name.to_owned(), value);
            }
        }
        told.insert("software_statement".to_owned(), json!(statement));
        let (status, reason) = if known { (200, "client-changed") } else { (201, "client-added") };
        Ok(Done { status, client: client.id, scope: Some(client.scopes), reason, body: Some(told) })
    }
}

/// The payload of a statement that has been verified.
fn payload(statement: &str) -> Result<Map<String, Value>, Unfit> {
    let unread = || Unfit::statement("malformed", "The software statement cannot be read.");
    let (jws, _) = crate::identity::Jws::carrying_certificates(statement).map_err(|_| unread())?;
    serde_json::from_slice(&jws.payload).map_err(|_| unread())
}

/// The same for the same member of the same community, and for nobody else.
fn client_id(community: &str, uri: &str) -> String {
    let name = thumbprint(format!("{community}\n{uri}").as_bytes());
    format!("udap-{name}")
}

/// The client that a statement describes (U-7).
fn member(
    claims: &Map<String, Value>,
    id: &str,
    community: &Community,
    uri: &str,
    statement: &str,
    now: Instant,
) -> Result<Client, Unfit> {
    let missing = |name: &str| Unfit::metadata(name, format!("The claim `{name}` is missing, or is not what UDAP wants."));
    let name = text(claims, "client_name")?.ok_or_else(|| missing("client_name"))?;
    let contacts = list(claims, "contacts")?.unwrap_or_default();
    if !contacts.iter().any(|contact| contact.starts_with("mailto:")) {
        return Err(missing("contacts"));
    }
    if text(claims, "token_endpoint_auth_method")?.as_deref() != Some("private_key_jwt") {
        return Err(missing("token_endpoint_auth_method"));
    }
    let grants = list(claims, "grant_types")?.unwrap_or_default();
    let has = |name: &str| grants.iter().any(|grant| grant == name);
    let (code, credentials) = (has("authorization_code"), has("client_credentials"));
    if code == credentials || !grants.iter().all(|one| has_name(one)) || (credentials && grants.len() > 1) {
        return Err(missing("grant_types"));
    }
    let redirects = list(claims, "redirect_uris")?.unwrap_or_default();
    if code == redirects.is_empty() || redirects.iter().any(|uri| !uri.starts_with("https://")) {
        return Err(Unfit::redirect("`redirect_uris` must be https URLs, with `authorization_code` and only then."));
    }
    let responses = list(claims, "response_types")?.unwrap_or_default();
    if (code && responses != ["code"]) || (!code && !responses.is_empty()) {
        return Err(missing("response_types"));
    }
    let logo = text(claims, "logo_uri")?;
    let picture = |uri: &String| {
        uri.starts_with("https://") && [".png", ".jpg", ".jpeg", ".gif"].iter().any(|end| uri.to_ascii_lowercase().ends_with(end))
    };
    if code && !logo.as_ref().is_none_or(picture) {
        return Err(missing("logo_uri"));
    }
    let scopes = scopes(claims, &community.settings.scopes, code)?;
    let approved = (!community.settings.operator_admits).then_some(now.0);
    let enrolled = Enrolled {
        at: now.0,
        approved,
        contacts,
        client_uri: text(claims, "client_uri")?,
        logo_uri: logo,
        community: Some((community.settings.uri.clone(), uri.to_owned())),
        statement: Some(statement.to_owned()),
        ..Enrolled::default()
    };
    let name: String = name.chars().take(100).collect();
    let base = if code {
        Client::asymmetric(id, &name, ClientKeys::None, redirects, &scopes)
    } else {
        Client::backend(id, &name, ClientKeys::None, &scopes)
    };
    Ok(Client { profile: Profile::Udap, enrolled: Some(enrolled), ..base })
}

fn has_name(grant: &str) -> bool {
    matches!(grant, "authorization_code" | "refresh_token" | "client_credentials")
}

/// What is asked for, of the kind that goes with the grant, and allowed to members.
fn scopes(claims: &Map<String, Value>, allowed: &str, code: bool) -> Result<String, Unfit> {
    let asked = text(claims, "scope")?.ok_or_else(|| Unfit::metadata("scope", "The claim `scope` is missing."))?;
    let mut both = Scopes::parse(&asked).intersect(&Scopes::parse(allowed));
    both.grants.retain(|grant| (grant.level == Level::System) != code);
    if !code {
        both.contexts.clear();
    }
    if both.is_empty() {
        return Err(Unfit::metadata("scope", "None of the scopes is allowed to members of this community."));
    }
    Ok(both.to_text())
}
