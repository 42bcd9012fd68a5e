//! An authorization request, held to the letter (RFC 6749 § 4.1.1, RFC 7636, RFC 9207, OpenID Connect Core § 3.1.2, SMART App Launch 2.2).

use crate::access::{Level, Scopes};
use crate::fhir::encode;
use crate::smart::client::{Client, ClientKind};
use serde::{Deserialize, Serialize};

/// The longest `state`, in bytes.
const LONGEST_STATE: usize = 8 << 10;

/// What an app asks, checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// `client_id`
    pub client: String,
    /// Where the answer goes.
    pub redirect_uri: String,
    /// `state`, given back to the byte.
    pub state: Option<String>,
    /// What of `scope` is understood and registered.
    pub scope: String,
    /// `code_challenge`
    pub challenge: String,
    /// `nonce`
    pub nonce: Option<String>,
    /// The handle of a launch from an EHR.
    pub launch: Option<String>,
    /// `prompt`, its words.
    pub prompt: Vec<String>,
    /// `max_age`, in seconds.
    pub max_age: Option<i64>,
    /// `acr_values`
    pub acr_values: Vec<String>,
    /// `login_hint`
    pub login_hint: Option<String>,
    /// `id_token_hint`
    pub id_token_hint: Option<String>,
    /// `ui_locales`, its first.
    pub language: Option<String>,
    /// `dpop_jkt`
    pub dpop_jkt: Option<String>,
}

/// What is wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wrong {
    /// Nobody can be sent anywhere: shown to whoever reads it, most likely the developer of the app.
    Shown {
        /// For the trail, one word.
        reason: &'static str,
        /// What is wrong and what to do.
        text: String,
    },
    /// The app is told, at its own address.
    SentBack {
        /// For the trail, one word.
        reason: &'static str,
        /// The app's own address.
        redirect_uri: String,
        /// Its `state`.
        state: Option<String>,
        /// `error`
        error: &'static str,
        /// `error_description`
        text: String,
    },
}

/// The one value of each parameter.
struct Parameters<'p>(&'p [(String, String)]);

impl<'p> Parameters<'p> {
    /// A parameter without value counts as left out (RFC 6749 § 3.1).
    fn get(&self, name: &str) -> Option<&'p str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    fn words(&self, name: &str) -> Vec<String> {
        self.get(name).unwrap_or_default().split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect()
    }

    /// A known parameter that stands twice.
    fn repeated(&self) -> Option<&'p str> {
        let mut names: Vec<&str> = self.0.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        names.windows(2).find_map(|two| matches!(two, [one, other] if one == other).then(|| two.first().copied()).flatten())
    }
}

/// Judges a request of this client, as it is registered. `client` is `None` when nobody of that name is.
///
/// # Errors
/// [`Wrong`]; who is sent back, is sent to a registered address only.
pub fn asked(parameters: &[(String, String)], client: Option<&Client>, base: &str) -> Result<Asked, Wrong> {
    let parameters = Parameters(parameters);
    let (client, redirect_uri) = addressed(&parameters, client)?;
    let state = parameters.get("state").map(str::to_owned);
    let back = |reason, error, text: &str| {
        let (redirect_uri, state) = (redirect_uri.to_owned(), state.clone());
        Wrong::SentBack { reason, redirect_uri, state, error, text: text.to_owned() }
    };
    form(&parameters, base).map_err(|(reason, error, text)| back(reason, error, text))?;
    let scope = granted(&parameters, client).map_err(|(reason, error, text)| back(reason, error, text))?;
    let max_age = parameters.get("max_age").map(str::parse).transpose();
    let max_age = max_age.ok().filter(|age| age.is_none_or(|age: i64| age >= 0));
    let max_age = max_age.ok_or_else(|| back("max-age", "invalid_request", "`max_age` must be a number of seconds."))?;
    Ok(Asked {
        client: client.id.clone(),
        redirect_uri: redirect_uri.to_owned(),
        scope,
        challenge: parameters.get("code_challenge").unwrap_or_default().to_owned(),
        nonce: parameters.get("nonce").map(str::to_owned),
        launch: parameters.get("launch").map(str::to_owned),
        prompt: parameters.words("prompt"),
        max_age,
        acr_values: parameters.words("acr_values"),
        login_hint: parameters.get("login_hint").map(str::to_owned),
        id_token_hint: parameters.get("id_token_hint").map(str::to_owned),
        language: parameters.words("ui_locales").into_iter().next(),
        dpop_jkt: parameters.get("dpop_jkt").map(str::to_owned),
        state,
    })
}

/// The client and its address. Before both are known, nobody is sent anywhere.
fn addressed<'p>(parameters: &Parameters<'p>, client: Option<&'p Client>) -> Result<(&'p Client, &'p str), Wrong> {
    let shown = |reason, text: String| Err(Wrong::Shown { reason, text });
    if let Some(name @ ("client_id" | "redirect_uri" | "state")) = parameters.repeated() {
        return shown("repeated", format!("The parameter `{name}` stands in the request more than once. Send it once."));
    }
    let Some(id) = parameters.get("client_id") else {
        return shown("client-missing", "The parameter `client_id` is missing.".to_owned());
    };
    let Some(client) = client.filter(|client| client.id == id) else {
        return shown(
            "client-unknown",
            format!("There is no app with the `client_id` “{id}” here. Register it, or correct the id."),
        );
    };
    if client.waits() {
        let text = format!("The app “{id}” waits for the operator of this server to admit it.");
        return shown("client-pending", text);
    }
    if client.disabled {
        return shown("client-disabled", format!("The app “{id}” has been locked out by the operator of this server."));
    }
    if client.kind == ClientKind::Backend {
        let text =
            "This client is registered as a backend service, which has no users. It gets its tokens by `client_credentials`.";
        return shown("client-kind", text.to_owned());
    }
    let Some(redirect_uri) = parameters.get("redirect_uri") else {
        return shown("redirect-missing", "The parameter `redirect_uri` is missing.".to_owned());
    };
    if !client.redirects_to(redirect_uri) {
        let text = format!(
            "The `redirect_uri` “{redirect_uri}” is not registered for the app “{id}”. It must be equal to a registered one to the letter: \
             scheme, host, path, query and trailing slash."
        );
        return shown("redirect-unknown", text);
    }
    if parameters.get("state").is_some_and(|state| state.len() > LONGEST_STATE) {
        return shown("state-long", format!("`state` is longer than {LONGEST_STATE} bytes."));
    }
    Ok((client, redirect_uri))
}

type Fault = (&'static str, &'static str, &'static str);

/// What does not depend on the client.
fn form(parameters: &Parameters<'_>, base: &str) -> Result<(), Fault> {
    let invalid = |reason, text| Err((reason, "invalid_request", text));
    if parameters.repeated().is_some() {
        return invalid("repeated", "A parameter stands in the request more than once.");
    }
    if parameters.get("request").is_some() {
        return Err(("request-object", "request_not_supported", "Send the parameters themselves, not `request`."));
    }
    if parameters.get("request_uri").is_some() {
        return Err(("request-uri", "request_uri_not_supported", "Send the parameters themselves, not `request_uri`."));
    }
    match parameters.get("response_type") {
        Some("code") => {}
        None => return invalid("response-type", "`response_type` is missing; it must be `code`."),
        Some(_) => return Err(("response-type", "unsupported_response_type", "`response_type` must be `code`.")),
    }
    if parameters.get("response_mode").is_some_and(|mode| mode != "query") {
        return invalid("response-mode", "`response_mode` can only be `query`.");
    }
    let audience = parameters.get("aud").or_else(|| parameters.get("resource"));
    if audience.map(|told| told.trim_end_matches('/')) != Some(base) {
        return invalid("audience", "`aud` must be the FHIR base URL of this server.");
    }
    if parameters.get("code_challenge_method") != Some("S256") {
        return invalid("challenge-method", "`code_challenge_method` must be `S256` (RFC 7636); `plain` is not supported.");
    }
    let legal =
        |challenge: &str| challenge.len() == 43 && challenge.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    if !parameters.get("code_challenge").is_some_and(legal) {
        return invalid("challenge", "`code_challenge` must be the SHA-256 of the `code_verifier` in base64url, 43 characters.");
    }
    let prompts = parameters.words("prompt");
    let known = |word: &String| ["none", "login", "consent", "select_account"].contains(&word.as_str());
    if !prompts.iter().all(known) || (prompts.len() > 1 && prompts.iter().any(|word| word == "none")) {
        return invalid("prompt", "`prompt` can be `none`, `login` and `consent`.");
    }
    Ok(())
}

/// What of `scope` the grammar has and the client is registered for. `patient/` scopes bring `launch/patient` with them, an
/// `offline_access` makes an `online_access` superfluous, and `system/` scopes are for programs without a user.
fn granted(parameters: &Parameters<'_>, client: &Client) -> Result<String, Fault> {
    let asked = Scopes::parse(parameters.get("scope").unwrap_or_default());
    let mut both = asked.intersect(&Scopes::parse(&client.scopes));
    both.grants.retain(|grant| grant.level != Level::System);
    // An EHR launch needs its scope, and the scope a launch. `launch` belongs to every app that an EHR can open.
    let launched = parameters.get("launch").is_some();
    let wants = |name: &str| asked.contexts.iter().any(|context| context == name);
    if launched && !wants("launch") {
        return Err(("launch-scope", "invalid_scope", "A request with `launch` needs the scope `launch`."));
    }
    both.contexts.retain(|context| context != "launch" && context != "launch/encounter");
    if launched {
        both.contexts.insert(0, "launch".to_owned());
    }
    let offline = both.contexts.iter().any(|context| context == "offline_access");
    both.contexts.retain(|context| !(offline && context == "online_access"));
    if both.grants.is_empty()
        && !both.contexts.iter().any(|context| matches!(context.as_str(), "openid" | "launch/patient" | "launch"))
    {
        return Err(("scope", "invalid_scope", "None of the scopes is known and registered for this app."));
    }
    Ok(both.to_text())
}

/// The address with the answer in its query, which it keeps (RFC 6749 § 4.1.2, RFC 9207).
pub fn sent_back(redirect_uri: &str, members: &[(&str, &str)], state: Option<&str>, issuer: &str) -> String {
    let mut uri = redirect_uri.to_owned();
    let mut mark = if uri.contains('?') { '&' } else { '?' };
    if uri.ends_with(['?', '&']) {
        uri.pop();
    }
    let all = members.iter().copied().chain(state.map(|state| ("state", state))).chain([("iss", issuer)]);
    for (name, value) in all {
        uri.push(mark);
        uri.push_str(name);
        uri.push('=');
        uri.push_str(&encode(value));
        mark = '&';
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "https://gateway.example/fhir";
    const HOME: &str = "https://app.example/callback?tenant=1";

    fn app() -> Client {
        Client::app(
            "app",
            "App",
            vec![HOME.to_owned()],
            "launch launch/patient openid fhirUser offline_access online_access patient/*.rs user/*.rs",
        )
    }

    fn good() -> Vec<(String, String)> {
        [
            ("response_type", "code"),
            ("client_id", "app"),
            ("redirect_uri", HOME),
            ("scope", "patient/Patient.rs openid"),
            ("state", "é 1&=?#"),
            ("aud", BASE),
            ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
            ("code_challenge_method", "S256"),
            ("unknown", "ignored"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
    }

    fn with(name: &str, value: Option<&str>) -> Result<Asked, Wrong> {
        let mut parameters = good();
        parameters.retain(|(known, _)| known != name);
        parameters.extend(value.map(|value| (name.to_owned(), value.to_owned())));
        asked(&parameters, Some(&app()), BASE)
    }

    #[test]
    fn a2_a_whole_request_is_taken_and_unknown_parameters_are_not_looked_at() {
        let taken = asked(&good(), Some(&app()), BASE).unwrap();
        assert_eq!((taken.scope.as_str(), taken.state.as_deref()), ("openid patient/Patient.rs", Some("é 1&=?#")));
        assert_eq!(with("aud", Some(&format!("{BASE}/"))).map(|asked| asked.client), Ok("app".to_owned()), "A-5");
    }

    #[test]
    fn a6_nobody_is_sent_to_an_address_that_is_not_registered() {
        for (name, value) in [
            ("client_id", None),
            ("client_id", Some("other")),
            ("redirect_uri", None),
            ("redirect_uri", Some("https://evil.example/")),
        ] {
            assert!(matches!(with(name, value), Err(Wrong::Shown { .. })), "{name} {value:?}");
        }
        let twice: Vec<_> = good().into_iter().chain([("redirect_uri".to_owned(), "https://evil.example/".to_owned())]).collect();
        assert!(matches!(asked(&twice, Some(&app()), BASE), Err(Wrong::Shown { .. })));
        let locked = Client { disabled: true, ..app() };
        assert!(matches!(asked(&good(), Some(&locked), BASE), Err(Wrong::Shown { .. })));
    }

    #[test]
    fn a4_a5_a7_a13_every_other_fault_is_told_the_app() {
        for (name, value, expected) in [
            ("response_type", Some("token"), "unsupported_response_type"),
            ("response_type", Some("code token"), "unsupported_response_type"),
            ("response_type", None, "invalid_request"),
            ("aud", None, "invalid_request"),
            ("aud", Some("https://other.example/fhir"), "invalid_request"),
            ("code_challenge", None, "invalid_request"),
            ("code_challenge", Some("short"), "invalid_request"),
            ("code_challenge_method", None, "invalid_request"),
            ("code_challenge_method", Some("plain"), "invalid_request"),
            ("scope", None, "invalid_scope"),
            ("scope", Some("system/*.rs patient/*.sr nonsense"), "invalid_scope"),
            ("launch", Some("handle"), "invalid_scope"),
            ("request", Some("x"), "request_not_supported"),
            ("request_uri", Some("x"), "request_uri_not_supported"),
            ("response_mode", Some("fragment"), "invalid_request"),
            ("prompt", Some("none login"), "invalid_request"),
            ("max_age", Some("-1"), "invalid_request"),
        ] {
            match with(name, value) {
                Err(Wrong::SentBack { error, state, redirect_uri, .. }) => {
                    assert_eq!(
                        (error, state.as_deref(), redirect_uri.as_str()),
                        (expected, Some("é 1&=?#"), HOME),
                        "{name}={value:?}"
                    );
                }
                other => panic!("{name}={value:?}: {other:?}"),
            }
        }
    }

    #[test]
    fn a3_the_query_of_the_address_and_the_state_come_back_whole() {
        let uri = sent_back(HOME, &[("code", "c")], Some("é 1&=?#+"), BASE);
        assert_eq!(uri, format!("{HOME}&code=c&state=%C3%A9%201%26%3D%3F%23%2B&iss=https://gateway.example/fhir"));
        assert_eq!(sent_back("com.example:/cb", &[("error", "e")], None, "i"), "com.example:/cb?error=e&iss=i");
    }
}
