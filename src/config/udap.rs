//! `[[udap.communities]]`: in which trust communities the gateway stands, and whose members may register themselves.

use super::settings::Settings;
use std::path::PathBuf;

/// A community.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Community {
    /// Its name, a URI.
    pub uri: String,
    /// Its authorities, PEM.
    pub anchors: PathBuf,
    /// Its revocation lists, PEM.
    pub revocations: Option<PathBuf>,
    /// The gateway's own certificate in it, with the chain; PEM.
    pub certificate: PathBuf,
    /// The key of that certificate, PEM, RSA.
    pub key: PathBuf,
    /// What its members may be granted.
    pub scopes: String,
    /// Whether an operator admits each member.
    pub operator_admits: bool,
}

/// What a member may be granted where nothing else is said.
const SCOPES: &str = "launch launch/patient openid fhirUser offline_access patient/*.rs user/*.rs system/*.rs";

/// Reads the communities.
pub(super) fn read(settings: &mut Settings) -> Option<Vec<Community>> {
    (0..settings.elements("udap.communities")).map(|at| community(settings, at)).collect()
}

fn community(settings: &mut Settings, at: usize) -> Option<Community> {
    let key = |name: &str| format!("udap.communities[{at}].{name}");
    let uri = settings.required::<String>(&key("uri"));
    let mut file = |name: &str| {
        let found = settings.path(&key(name));
        if found.is_none() {
            settings.fault(&key(name), "is missing: a file in PEM");
        }
        found
    };
    let (anchors, certificate, private) = (file("anchors"), file("certificate"), file("key"));
    let revocations = settings.path(&key("revocations"));
    let scopes = settings.or(&key("scopes"), SCOPES.to_owned());
    let operator_admits = settings.or(&key("operator_admits"), false);
    Some(Community {
        uri: uri?,
        anchors: anchors?,
        revocations,
        certificate: certificate?,
        key: private?,
        scopes,
        operator_admits,
    })
}
