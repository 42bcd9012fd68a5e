//! Who plays in the demo: clients, their keys, people who will sign in, and tokens for each.

use crate::cli::desk::Wish;
use crate::cli::screen::Failure;
use crate::cli::synthetic::{APP_PATIENT, CLINICIAN, HOSPITAL, LABORATORY};
use crate::fhir::Key;
use crate::identity::Algorithm;
use crate::smart::{Account, Client, ClientKeys, generate_client_key};
use serde_json::{Value, json};

/// A client with its private key.
pub(super) struct Member {
    /// As it is registered.
    pub(super) client: Client,
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
    let lab = "system/Patient.rs system/ServiceRequest.rs system/Observation.cruds system/DiagnosticReport.cruds system/Specimen.cruds system/DocumentReference.cu system/MessageHeader.c";
    Ok(vec![
        backend("hospital", "City Hospital", "system/*.cruds", HOSPITAL, true)?,
        backend("lab", "Laboratory", lab, LABORATORY, true)?,
        backend("auditor", "Auditor", "system/AuditEvent.rs", HOSPITAL, false)?,
        Member { client: app(), private: None, shown: true },
    ])
}

fn backend(id: &str, name: &str, scope: &str, organization: &str, shown: bool) -> Result<Member, Failure> {
    let made = generate_client_key(Algorithm::ES384).map_err(|error| Failure::of("no key could be made", error))?;
    let (private, public) = made;
    let client = Client::backend(id, name, ClientKeys::Jwks(json!({ "keys": [public] })), scope);
    let organization = Some(format!("Organization/{organization}"));
    // The walk-through loads records under ids that everybody knows.
    let client = Client { organization, purposes: vec!["TREAT".to_owned()], may_choose_ids: shown, ..client };
    Ok(Member { client, private: Some(private), shown })
}

fn app() -> Client {
    let redirects = vec!["http://127.0.0.1:8765/callback".to_owned()];
    let scopes = "launch launch/patient openid fhirUser profile offline_access online_access patient/*.cruds user/*.rs";
    let client = Client::app("app", "My Records", redirects, scopes);
    Client { launch_uris: vec!["http://127.0.0.1:8765/launch".to_owned()], ..client }
}

/// People who can sign in, with fresh passwords: the account, the password, and what `demo.json` tells of them.
///
/// # Errors
/// When a name of the cast is wrong.
pub(super) fn users() -> Result<Vec<(&'static str, Account, String)>, Failure> {
    let people = [
        ("patient", "Demo Patient", format!("Patient/{APP_PATIENT}")),
        ("clinician", "Demo Clinician", format!("Practitioner/{CLINICIAN}")),
        ("administrator", "Demo Administrator", "Person/administrator".to_owned()),
    ];
    let mut users = Vec::new();
    for (username, name, user) in people {
        let key = Key::parse(&user).ok_or_else(|| Failure::Failed(format!("`{user}` is no record")))?;
        let roles = if username == "administrator" { vec![crate::access::ADMINISTRATOR.to_owned()] } else { Vec::new() };
        let account = Account::new(username, name, &key).ok_or_else(|| Failure::Failed(format!("`{username}` is no user")))?;
        users.push((username, Account { roles, ..account }, uuid::Uuid::new_v4().simple().to_string()));
    }
    Ok(users)
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
