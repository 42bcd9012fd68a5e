//! The callers of the vectors, as tokens.

use crate::interactions::operations::parameters;
use crate::support::{ISSUER, Server};
use amanat::smart::Client;
use serde_json::{Value, json};

/// Who has emergency access, and how.
pub(super) const EMERGENCY: &str = "roles = [\"emergency-physician\"]\nacr = [\"urn:strong\"]\nreasons = [\"unconscious\"]\n";

const SCOPES: &str = "user/*.rs";

/// A token, and whose compartment it is confined to.
pub(super) struct Asker {
    pub(super) token: String,
    confined: bool,
}

/// What of a vector no request can ask.
pub(super) fn beyond(vector: &Value) -> Option<&'static str> {
    let request = &vector["request"];
    if request["action"] != json!(["access"]) {
        return Some("no interaction that this server has needs this action");
    }
    let grants = request["caller"]["break_glass"].as_array().map_or(0, Vec::len);
    (grants > 1).then_some("a token opens one patient in an emergency")
}

impl Asker {
    pub(super) fn of(server: &Server, vector: &Value) -> Self {
        let (caller, purposes) = (&vector["request"]["caller"], &vector["request"]["purposes"]);
        let first = caller["references"][0].as_str().unwrap();
        let claims = match first.split('/').next().unwrap() {
            "Organization" => {
                json!({"scope": "system/*.rs", "extensions": {"hl7-b2b": {"organization_id": first, "purpose_of_use": purposes}}})
            }
            "Patient" => {
                json!({"scope": "patient/*.rs", "fhirUser": first, "patient": first.split('/').nth(1), "purpose_of_use": purposes})
            }
            "RelatedPerson" => {
                let patient = caller["proxy_for"][0].as_str().unwrap().split('/').nth(1);
                json!({"scope": "patient/*.rs", "fhirUser": first, "patient": patient, "purpose_of_use": purposes})
            }
            _ => json!({"scope": SCOPES, "fhirUser": first, "purpose_of_use": purposes}),
        };
        let confined = claims.get("patient").is_some();
        match caller["break_glass"][0].as_str() {
            Some(patient) => Self { token: broken(server, first, patient), confined: true },
            None => Self { token: server.token(claims), confined },
        }
    }

    /// Whether a record lies where the token reaches at all; of what consents decide nothing is left out.
    pub(super) fn reaches(&self, key: &str) -> bool {
        !self.confined || !matches!(key, "Patient/p2" | "Observation/p2bp")
    }
}

/// The token of emergency access to a patient.
fn broken(server: &Server, user: &str, patient: &str) -> String {
    let purposes = ["TREAT", "BTG"].map(str::to_owned).to_vec();
    server.register(Client { issuer: Some(ISSUER.to_owned()), purposes, ..Client::app("ward", "Ward", Vec::new(), SCOPES) });
    let token = server.token(json!({
        "scope": SCOPES, "fhirUser": user, "client_id": "ward", "purpose_of_use": "TREAT", "roles": ["emergency-physician"],
        "acr": "urn:strong", "auth_time": server.clock.now().seconds() - 60,
    }));
    let given =
        [json!({"name": "reason", "valueCode": "unconscious"}), json!({"name": "text", "valueString": "found unresponsive"})];
    // Whoever may not see the patient may still break the glass.
    let reply = server.post(&format!("{patient}/$break-glass"), &token, &parameters(&given)).expect(200).json();
    let found = reply["parameter"].as_array().unwrap().iter().find(|one| one["name"] == "access_token").unwrap();
    found["valueString"].as_str().unwrap().to_owned()
}
