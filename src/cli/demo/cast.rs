//! Who plays in the demo: clients, their keys, people who will sign in, and tokens for each.

use crate::cli::desk::{NewClient, Wish};
use crate::cli::keys;
use crate::cli::screen::Failure;
use crate::cli::synthetic::{APP_PATIENT, CLINICIAN, HOSPITAL, LABORATORY};
use serde_json::{Value, json};

/// A client with its private key.
pub(super) struct Member {
    /// As it is registered.
    pub(super) client: NewClient,
    /// Its private key, where it has one.
    pub(super) private: Option<Value>,
    /// Whether `demo.json` names it among the clients.
    pub(super) shown: bool,
}

/// Hospital, laboratory and auditor with keys of their own, and an app without.
///
/// # Errors
/// When no key can be made.
pub(super) fn clients() -> Result<Vec<Member>, Failure> {
    let lab =
        "system/Patient.rs system/ServiceRequest.rs system/Observation.cruds system/DiagnosticReport.cruds system/Specimen.cruds";
    Ok(vec![
        backend("hospital", "City Hospital", "system/*.cruds", HOSPITAL, true)?,
        backend("lab", "Laboratory", lab, LABORATORY, true)?,
        backend("auditor", "Auditor", "system/AuditEvent.rs", HOSPITAL, false)?,
        Member { client: app(), private: None, shown: true },
    ])
}

fn backend(id: &str, name: &str, scope: &str, organization: &str, shown: bool) -> Result<Member, Failure> {
    let (private, public) = keys::es384(&format!("{id}-1"))?;
    let client = NewClient {
        id: id.to_owned(),
        name: name.to_owned(),
        scope: scope.to_owned(),
        jwks: Some(json!({ "keys": [public] })),
        jwks_uri: None,
        redirect_uris: Vec::new(),
        organization: Some(format!("Organization/{organization}")),
        purposes: vec!["TREAT".to_owned()],
        certificate: None,
    };
    Ok(Member { client, private: Some(private), shown })
}

fn app() -> NewClient {
    NewClient {
        id: "app".to_owned(),
        name: "My Records".to_owned(),
        scope: "launch/patient openid fhirUser offline_access patient/*.rs".to_owned(),
        jwks: None,
        jwks_uri: None,
        redirect_uris: vec!["http://127.0.0.1:8765/callback".to_owned()],
        organization: None,
        purposes: vec!["PATRQT".to_owned()],
        certificate: None,
    }
}

/// People who can sign in, with fresh passwords.
pub(super) fn users() -> Value {
    let user = |username: &str, fhir_user: &str| {
        let password = uuid::Uuid::new_v4().simple().to_string();
        json!({ "username": username, "password": password, "fhirUser": fhir_user })
    };
    json!({
        "patient": user("patient", &format!("Patient/{APP_PATIENT}")),
        "clinician": user("clinician", &format!("Practitioner/{CLINICIAN}")),
        "administrator": user("administrator", "Person/administrator"),
    })
}

/// The tokens of `demo.json`.
pub(super) fn wishes() -> [(&'static str, Wish); 4] {
    let of = |client: &str| Wish { client: client.to_owned(), ..Wish::default() };
    let app = Wish {
        scope: Some("launch/patient patient/*.rs".to_owned()),
        patient: Some(APP_PATIENT.to_owned()),
        user: Some(format!("Patient/{APP_PATIENT}")),
        ..of("app")
    };
    [("hospital", of("hospital")), ("lab", of("lab")), ("app", app), ("auditor", of("auditor"))]
}
