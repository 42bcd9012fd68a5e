//! Who asks, as far as a token, a registration and a certificate say it.

use super::Scopes;
use crate::fhir::{Id, Instant, Key};

/// A caller whose token was verified. Made by `identity` from a token that passed every check, and by nobody else.
#[derive(Debug, Clone)]
pub struct Caller {
    /// `iss`
    pub issuer: String,
    /// `sub`
    pub subject: String,
    /// `client_id` or `azp`
    pub client: String,
    /// `fhirUser`, when a person acts: Practitioner, `PractitionerRole`, Patient, `RelatedPerson` or Person.
    pub user: Option<Key>,
    /// The organization acted for: a reference (`Organization/x`), an absolute URL, or an identifier (`system|value`), as the token or the registration has it.
    pub organization: Option<String>,
    /// What was granted.
    pub scopes: Scopes,
    /// The patient of the launch context.
    pub patient: Option<Id>,
    /// The encounter of the launch context.
    pub encounter: Option<Id>,
    /// Purposes of use, from the token or the client's registration, normalised to codes of v3-ActReason or `system|code`. Never from a header.
    pub purposes: Vec<String>,
    /// `acr`
    pub acr: Option<String>,
    /// `jti`
    pub token_id: Option<String>,
    /// When the token ends.
    pub expires: Instant,
    /// How the user signed in, and what the token is bound to.
    pub sign_in: SignIn,
}

/// How a user signed in, what the token is bound to, and what the client is registered for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SignIn {
    /// `auth_time`: when.
    pub at: Option<Instant>,
    /// `amr`: how.
    pub methods: Vec<String>,
    /// Role words of the user, as the issuer tells them: `roles`, or `subject_role` of HL7 B2B or IHE IUA. A coding stands as `system|code`.
    pub roles: Vec<String>,
    /// SHA-256 of the certificate that must come with the token, base64url (`cnf`, or the registration).
    pub certificate: Option<String>,
    /// The thumbprint of the key whose proof must come with the token (`cnf.jkt`, RFC 9449 § 6).
    pub key: Option<String>,
    /// The grant of emergency access that the token belongs to. Only the gateway's own tokens have one.
    pub grant: Option<String>,
    /// `extensions.ihe_pcf.residual`, as JSON: a restriction beyond what patients say.
    pub residual: Option<String>,
    /// The purposes that the client is registered for; empty when it is not registered, or for none.
    pub registered_purposes: Vec<String>,
}

impl Caller {
    /// The patient that the caller *is*: `fhirUser` is a Patient.
    pub fn own_patient(&self) -> Option<&Id> {
        self.user.as_ref().filter(|user| user.resource_type == crate::fhir::ResourceType::Patient).map(|user| &user.id)
    }

    /// Was the user signed in at this moment or later, in one of these ways (`acr`)?
    pub fn signed_in_since(&self, moment: Instant, ways: &[String]) -> bool {
        self.sign_in.at.is_some_and(|at| at >= moment) && self.acr.as_ref().is_some_and(|acr| ways.contains(acr))
    }

    /// What a sealed link is bound to: equal for two requests exactly when the same person acts through the same client in the same context.
    pub fn binding(&self) -> String {
        let user = self.user.as_ref().map(ToString::to_string).unwrap_or_default();
        let patient = self.patient.as_ref().map(Id::as_str).unwrap_or_default();
        let grant = self.sign_in.grant.as_deref().unwrap_or_default();
        [self.issuer.as_str(), &self.subject, &self.client, &user, patient, grant].join("\u{1f}")
    }
}
