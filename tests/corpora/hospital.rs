//! A gateway in this process, and the hospital that talks to it over HTTP with tokens from the token endpoint.

use super::tree::Tree;
use crate::support::{BASE, Served};
use amanat::clock::Clock;
use amanat::identity::Algorithm;
use amanat::smart::{Client, ClientKeys, generate_client_key};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use std::sync::Mutex;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Where the token endpoint is, as assertions name it. The listener's port is another.
const ORIGIN: &str = "https://localhost:8443";

/// Tokens live 300 seconds; a fresh one is asked for before.
const FRESH: Duration = Duration::from_secs(200);

/// An answer, read whole.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) location: String,
    pub(super) etag: String,
    pub(super) text: String,
}

impl Reply {
    pub(super) fn tree(&self) -> Tree {
        Tree::read(&self.text)
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error} in {}", self.text))
    }

    /// What a failed answer says.
    pub(super) fn diagnosis(&self) -> String {
        let found: Option<Value> = serde_json::from_str(&self.text).ok();
        let issue = found.filter(|it| it["resourceType"] == "OperationOutcome").map(|it| it["issue"].to_string());
        format!("{} {}", self.status, issue.unwrap_or_else(|| self.text.chars().take(300).collect()))
    }
}

/// Gateway and client.
pub(super) struct Hospital {
    // Before the folder, so that it stops before the folder goes.
    served: Served,
    http: reqwest::blocking::Client,
    key: Value,
    scope: String,
    token: Mutex<Option<(Instant, String)>>,
    _folder: TempDir,
}

impl Hospital {
    /// Starts a gateway whose patients permit everything unless they consented otherwise, and registers the client.
    pub(super) fn open(scope: &str) -> Self {
        // Only the client of this test needs it: it speaks plain HTTP, but cannot be built without.
        drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
        let folder = tempfile::tempdir().unwrap();
        let (key, public) = generate_client_key(Algorithm::ES384).unwrap();
        let client = Client::backend("hospital", "City Hospital", ClientKeys::Jwks(json!({ "keys": [public] })), scope);
        let organization = Some("Organization/city".to_owned());
        let client = Client { organization, purposes: vec!["TREAT".to_owned()], may_choose_ids: true, ..client };
        let settings = "[consent]\nimplicit_policy = \"Policy-all-normal\"\nimplicit_max_conf = \"V\"";
        let served = Served::new(folder.path(), settings.to_owned(), &Clock::system());
        served.register(client);
        served.look_at_registry();
        let http = reqwest::blocking::Client::builder().timeout(Duration::from_mins(5)).build().unwrap();
        Self { served, http, key, scope: scope.to_owned(), token: Mutex::new(None), _folder: folder }
    }

    /// A token from the token endpoint, for an assertion signed with the client's key.
    fn token(&self) -> String {
        let mut kept = self.token.lock().unwrap();
        if let Some((_, token)) = kept.as_ref().filter(|(since, _)| since.elapsed() < FRESH) {
            return token.clone();
        }
        let form = [
            ("grant_type", "client_credentials"),
            ("scope", &self.scope),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", &self.assertion()),
        ];
        let form = form.map(|(name, value)| format!("{name}={}", amanat::fhir::encode(value))).join("&");
        let request = self.http.post(format!("http://{}/token", self.served.address)).body(form);
        let answer = request.header("Content-Type", "application/x-www-form-urlencoded").send().unwrap();
        let status = answer.status().as_u16();
        let answer: Value = serde_json::from_str(&answer.text().unwrap()).unwrap();
        assert_eq!(status, 200, "{answer}");
        assert_eq!(answer["token_type"].as_str().map(str::to_lowercase).as_deref(), Some("bearer"));
        let token = answer["access_token"].as_str().unwrap().to_owned();
        *kept = Some((Instant::now(), token.clone()));
        token
    }

    fn assertion(&self) -> String {
        let now = Clock::system().now().0 / 1000;
        let header = json!({ "alg": "ES384", "typ": "JWT", "kid": self.key["kid"] });
        let claims = json!({
            "iss": "hospital", "sub": "hospital", "aud": format!("{ORIGIN}/token"),
            "exp": now + 240, "jti": uuid::Uuid::new_v4().to_string(),
        });
        let signed = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string())).join(".");
        let bytes = |name: &str| URL_SAFE_NO_PAD.decode(self.key[name].as_str().unwrap()).unwrap();
        let point = [vec![4], bytes("x"), bytes("y")].concat();
        let pair = EcdsaKeyPair::from_private_key_and_public_key(&ECDSA_P384_SHA384_FIXED_SIGNING, &bytes("d"), &point).unwrap();
        let signature = pair.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// A request to a path below the base, or to a link that the gateway gave.
    pub(super) fn send(&self, method: &str, place: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Reply {
        let place = place.strip_prefix(BASE).unwrap_or(place).trim_start_matches('/');
        let url = format!("http://{}/fhir/{place}", self.served.address);
        let mut request = self.http.request(method.parse().unwrap(), url).bearer_auth(self.token());
        if !headers.iter().any(|(name, _)| *name == "Content-Type") && !body.is_empty() {
            request = request.header("Content-Type", "application/fhir+json");
        }
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let answer = request.body(body).send().unwrap();
        let header = |name: &str| answer.headers().get(name).map(|it| it.to_str().unwrap().to_owned()).unwrap_or_default();
        let (status, location, etag) = (answer.status().as_u16(), header("location"), header("etag"));
        Reply { status, location, etag, text: answer.text().unwrap() }
    }

    pub(super) fn get(&self, place: &str) -> Reply {
        self.send("GET", place, &[], Vec::new())
    }

    pub(super) fn put(&self, key: &str, content: &str) -> Reply {
        self.send("PUT", key, &[], content.into())
    }

    pub(super) fn post(&self, place: &str, content: &str) -> Reply {
        self.send("POST", place, &[], content.into())
    }

    /// Sends a transaction that must succeed; gives `Type/id` of each entry.
    pub(super) fn transact(&self, bundle: &str, what: &str) -> Vec<String> {
        let reply = self.post("", bundle);
        assert_eq!(reply.status, 200, "{what}: {}", reply.diagnosis());
        let answer = reply.tree();
        let entries = answer.items("entry").iter().map(|entry| {
            let location = entry.member("response").unwrap().word("location").unwrap();
            let location = location.strip_prefix(BASE).unwrap_or(location).trim_start_matches('/');
            location.split("/_history").next().unwrap().to_owned()
        });
        entries.collect()
    }

    /// Puts every record under its own id, many to a transaction.
    pub(super) fn put_all(&self, records: &[String]) {
        for some in records.chunks(500) {
            let entry = |record: &String| {
                format!(r#"{{"resource":{record},"request":{{"method":"PUT","url":"{}"}}}}"#, Tree::read(record).key())
            };
            let entries: Vec<_> = some.iter().map(entry).collect();
            let bundle = format!(r#"{{"resourceType":"Bundle","type":"transaction","entry":[{}]}}"#, entries.join(","));
            assert_eq!(self.transact(&bundle, "PUTs").len(), some.len());
        }
    }

    pub(super) fn count(&self, resource_type: &str) -> u64 {
        let reply = self.get(&format!("{resource_type}?_summary=count"));
        assert_eq!(reply.status, 200, "{}", reply.diagnosis());
        reply.json()["total"].as_u64().unwrap()
    }
}
