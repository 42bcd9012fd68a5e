//! From verified claims and a registration to the caller.

use super::claims::Claims;
use super::issuer::Issuer;
use super::purpose;
use super::registration::Registration;
use crate::access::{Caller, Level, Scopes, SignIn};
use crate::fhir::json::{Element, Kind};
use crate::fhir::{Instant, Key, ResourceType};

/// The types that a `fhirUser` may have (SMART App Launch 2.2, "Scopes for requesting identity data").
const USERS: [ResourceType; 5] = [
    ResourceType::Practitioner,
    ResourceType::PractitionerRole,
    ResourceType::Patient,
    ResourceType::RelatedPerson,
    ResourceType::Person,
];

/// The word for a purpose that nobody knows.
pub(super) const UNKNOWN_PURPOSE: &str = "purpose";

/// The word for a purpose that the client is not registered for.
pub(super) const NOT_REGISTERED: &str = "purpose-not-registered";

/// Who the claims say is calling. They have been verified; `expires` is what that gave.
///
/// # Errors
/// One word for the claim that is of the wrong type or not acceptable.
pub(super) fn caller(
    claims: &Claims,
    issuer: &Issuer,
    registration: Option<&Registration>,
    expires: Instant,
    (certificate, key): (Option<String>, Option<String>),
) -> Result<Caller, &'static str> {
    let mut scopes = Scopes::parse(&claims.text("scope", "scope")?.unwrap_or_default());
    let user = user(claims, issuer)?;
    if issuer.own
        && let Some(user) = &user
    {
        scopes.open_own(user);
    }
    let patient = claims.id("patient", "patient")?;
    let told = organization(claims)?;
    let launched = patient.is_some() && scopes.grants.iter().all(|grant| grant.level != Level::System);
    Ok(Caller {
        issuer: issuer.settings.issuer.clone(),
        subject: claims.required("sub", "subject")?.into_owned(),
        client: client(claims)?,
        user,
        organization: told.or_else(|| registration?.organization.clone()),
        patient,
        encounter: claims.id("encounter", "encounter")?,
        purposes: purposes(claims, issuer, registration, launched)?,
        acr: claims.text("acr", "acr")?.map(std::borrow::Cow::into_owned),
        token_id: claims.text("jti", "jti")?.map(std::borrow::Cow::into_owned),
        scopes,
        expires,
        sign_in: SignIn {
            at: claims.moment("auth_time", "auth-time")?,
            methods: texts(claims, "amr")?,
            roles: roles(claims)?,
            certificate,
            key,
            grant: grant(claims, issuer)?,
            residual: extension(claims, "ihe_pcf")?.and_then(|pcf| pcf.get("residual")).map(|rules| rules.raw().to_owned()),
            registered_purposes: registration.map(|registration| registration.purposes.clone()).unwrap_or_default(),
        },
    })
}

/// The grant of emergency access that a token of this gateway itself belongs to, and the issuer at which its client is registered.
/// Nobody else's claim of one means anything.
///
/// # Errors
/// `grant`
pub(super) fn emergency(claims: &Claims, issuer: &Issuer) -> Result<Option<(String, String)>, &'static str> {
    if !issuer.own {
        return Ok(None);
    }
    let Some(told) = extension(claims, "amanat")?.filter(|told| told.get("break_glass").is_some()) else { return Ok(None) };
    let text = |name: &str| told.text_at(name).filter(|text| !text.is_empty()).map(std::borrow::Cow::into_owned).ok_or("grant");
    Ok(Some((text("break_glass")?, text("client_issuer")?)))
}

/// What a person allowed, by its name, as a token of this gateway itself tells it.
///
/// # Errors
/// `authorization`
pub(super) fn authorization(claims: &Claims, issuer: &Issuer) -> Result<Option<String>, &'static str> {
    let told = if issuer.own { extension(claims, "amanat")?.and_then(|told| told.get("authorization")) } else { None };
    told.map(|told| told.as_str().map(std::borrow::Cow::into_owned).ok_or("authorization")).transpose()
}

fn grant(claims: &Claims, issuer: &Issuer) -> Result<Option<String>, &'static str> {
    Ok(emergency(claims, issuer)?.map(|(grant, _)| grant))
}

/// Role words: `roles` at the top, or `subject_role` of HL7 B2B or IHE IUA; a text, a coding, or several.
fn roles(claims: &Claims) -> Result<Vec<String>, &'static str> {
    let places = [
        claims.get("roles"),
        extension(claims, "hl7-b2b")?.and_then(|b2b| b2b.get("subject_role")),
        extension(claims, "ihe_iua")?.and_then(|iua| iua.get("subject_role")),
    ];
    let mut found = Vec::new();
    for value in places.into_iter().flatten().flat_map(Element::flattened) {
        let role = match value.kind() {
            Kind::Object => value.text_at("code").map(|code| match value.text_at("system") {
                Some(system) => format!("{system}|{code}"),
                None => code.into_owned(),
            }),
            _ => value.as_str().map(std::borrow::Cow::into_owned),
        };
        found.push(role.filter(|role| !role.is_empty()).ok_or("roles")?);
    }
    Ok(found)
}

/// `client_id` (RFC 9068 § 2.2) or `azp`; when both are there they name the same client.
///
/// # Errors
/// `client`
pub(super) fn client(claims: &Claims) -> Result<String, &'static str> {
    let party = claims.text("azp", "client")?;
    let client = claims.text("client_id", "client")?;
    if let (Some(party), Some(client)) = (&party, &client)
        && party != client
    {
        return Err("client");
    }
    client.or(party).filter(|client| !client.is_empty()).map(std::borrow::Cow::into_owned).ok_or("client")
}

/// A relative reference, or an absolute one under a base that is this gateway's: a user of another server is nobody here.
fn user(claims: &Claims, issuer: &Issuer) -> Result<Option<Key>, &'static str> {
    let Some(text) = claims.text("fhirUser", "user")? else { return Ok(None) };
    let bases = issuer.settings.audience.iter().chain(&issuer.settings.user_bases);
    let under = |base: &String| text.strip_prefix(base.trim_end_matches('/')).and_then(|rest| rest.strip_prefix('/'));
    let relative = bases.into_iter().find_map(under).unwrap_or(&text);
    let key = Key::parse(relative).filter(|key| USERS.contains(&key.resource_type));
    key.map(Some).ok_or("user")
}

/// A member of the extensions object that must be an object where it is present.
fn extension<'c>(claims: &'c Claims, name: &str) -> Result<Option<Element<'c>>, &'static str> {
    let object = |value: Element<'c>| if value.kind() == Kind::Object { Ok(value) } else { Err("extensions") };
    let Some(extensions) = claims.get("extensions").map(object).transpose()? else { return Ok(None) };
    extensions.get(name).map(object).transpose()
}

fn organization(claims: &Claims) -> Result<Option<String>, &'static str> {
    let Some(value) = extension(claims, "hl7-b2b")?.and_then(|b2b| b2b.get("organization_id")) else { return Ok(None) };
    let text = value.as_str().filter(|text| !text.is_empty()).ok_or("organization")?;
    Ok(Some(text.into_owned()))
}

/// A claim that is an array of texts where it is present.
fn texts(claims: &Claims, name: &'static str) -> Result<Vec<String>, &'static str> {
    let Some(found) = claims.get(name) else { return Ok(Vec::new()) };
    let texts =
        (found.kind() == Kind::Array).then(|| found.items().map(|one| one.as_str().map(std::borrow::Cow::into_owned)).collect());
    texts.flatten().ok_or(name)
}

/// The first place that states purposes wins; then the registration, the issuer's default, and for an app launched with a
/// patient the patient's own request. A client with registered purposes may state no other.
fn purposes(
    claims: &Claims,
    issuer: &Issuer,
    registration: Option<&Registration>,
    launched: bool,
) -> Result<Vec<String>, &'static str> {
    let registered = registration.map(|registration| registration.purposes.as_slice()).unwrap_or_default();
    let places = [
        extension(claims, "hl7-b2b")?.and_then(|b2b| b2b.get("purpose_of_use")),
        extension(claims, "ihe_iua")?.and_then(|iua| iua.get("purpose_of_use")),
        claims.get("purpose_of_use"),
        claims.get("urn:oasis:names:tc:xspa:1.0:subject:purposeofuse"),
    ];
    for place in places.into_iter().flatten() {
        let stated = purpose::stated(place)?;
        if !registered.is_empty() && stated.iter().any(|purpose| !registered.contains(purpose)) {
            return Err(NOT_REGISTERED);
        }
        if !stated.is_empty() {
            return Ok(stated);
        }
    }
    Ok(match (registered, issuer.settings.default_purposes.as_slice()) {
        ([], []) if launched => vec!["PATRQT".to_owned()],
        ([], default) => default.to_vec(),
        (registered, _) => registered.to_vec(),
    })
}
