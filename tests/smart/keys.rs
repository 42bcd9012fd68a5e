//! Where the keys of clients are: registered with them, or at an address of theirs.

use super::visitor::{ask, clinic, furnish, seconds};
use crate::support::{Reply, Server, Signer};
use amanat::smart::{ASSERTION_TYPE, Client, ClientKeys};
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

const TOKEN_URL: &str = "https://localhost:8443/token";

/// A host that answers with what it is told to, and remembers what it was asked.
#[derive(Clone)]
struct Host {
    url: String,
    answer: Arc<Mutex<String>>,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Host {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/jwks.json", listener.local_addr().unwrap());
        let host = Self { url, answer: Arc::default(), heard: Arc::default() };
        let own = host.clone();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut head = Vec::new();
                let mut chunk = [0; 2048];
                while !head.windows(4).any(|four| four == b"\r\n\r\n") {
                    let Ok(count @ 1..) = stream.read(&mut chunk) else { break };
                    head.extend_from_slice(&chunk[..count]);
                }
                own.heard.lock().unwrap().push(String::from_utf8_lossy(&head).into_owned());
                let answer = own.answer.lock().unwrap().clone();
                drop(stream.write_all(answer.as_bytes()));
            }
        });
        host
    }

    fn publishes(&self, key: &Signer, cache: &str) {
        self.says("200 OK", &format!("Cache-Control: {cache}\r\n"), &key.key_set().to_string());
    }

    fn says(&self, status: &str, headers: &str, body: &str) {
        let length = body.len();
        *self.answer.lock().unwrap() = format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        );
    }

    fn hits(&self) -> usize {
        self.heard.lock().unwrap().len()
    }
}

fn inside() -> Server {
    let server = Server::with("Policy-all-normal", "[smart]\nclient_keys_inside = true");
    furnish(&server);
    server
}

fn register(server: &Server, keys: ClientKeys) {
    server.register(Client::backend("lab", "Lab", keys, "system/Patient.rs"));
}

fn claims(server: &Server) -> Value {
    let jti = uuid::Uuid::new_v4().to_string();
    json!({"iss": "lab", "sub": "lab", "aud": TOKEN_URL, "exp": seconds(server) + 300, "jti": jti})
}

fn asked(server: &Server, assertion: &str) -> Reply {
    let fields = [
        ("grant_type", "client_credentials"),
        ("scope", "system/Patient.rs"),
        ("client_assertion_type", ASSERTION_TYPE),
        ("client_assertion", assertion),
    ];
    ask(server, &fields)
}

#[track_caller]
fn refused(server: &Server, reply: &Reply, reason: &str) {
    assert_eq!((reply.status, &reply.json()["error"]), (401, &json!("invalid_client")), "{}", reply.text());
    assert_eq!(server.trail_of(reply)[0]["reason"], reason);
}

#[test]
fn c3_keys_are_fetched_from_their_address_or_registered() {
    let (key, host) = (Signer::of_client("k1"), Host::start());
    host.publishes(&key, "max-age=60");
    let server = inside();
    register(&server, ClientKeys::JwksUri(host.url.clone()));
    asked(&server, &key.sign(&claims(&server))).expect(200);
    let head = host.heard.lock().unwrap()[0].to_ascii_lowercase();
    assert!(head.starts_with("get /jwks.json http/1.1") && head.contains("accept: application/json"), "{head}");
    assert!(!head.contains("authorization:") && !head.contains("cookie:"), "{head}");
    let inline = clinic();
    register(&inline, ClientKeys::Jwks(key.key_set()));
    asked(&inline, &key.sign(&claims(&inline))).expect(200);
}

#[test]
fn c3_j2_of_keys_with_bare_numbers_the_one_that_is_named_counts() {
    let (one, other) = (Signer::of_client("one"), Signer::of_client("other"));
    let bare = |key: &Signer| {
        let mut jwk = key.key_set()["keys"][0].clone();
        for name in ["alg", "use"] {
            jwk.as_object_mut().unwrap().remove(name);
        }
        jwk
    };
    let server = clinic();
    register(&server, ClientKeys::Jwks(json!({"keys": [bare(&one), bare(&other)]})));
    for key in [&one, &other] {
        asked(&server, &key.sign(&claims(&server))).expect(200);
    }
    let twice = clinic();
    register(&twice, ClientKeys::Jwks(json!({"keys": [bare(&one), bare(&Signer::of_client("one"))]})));
    assert_eq!(asked(&twice, &one.sign(&claims(&twice))).status, 401, "J-2: two keys of one name");
}

#[test]
fn c4_a_key_set_is_kept_as_long_as_its_answer_allows_and_no_longer() {
    let (old, new, host) = (Signer::of_client("k1"), Signer::of_client("k1"), Host::start());
    host.publishes(&old, "max-age=2");
    let server = inside();
    register(&server, ClientKeys::JwksUri(host.url.clone()));
    asked(&server, &old.sign(&claims(&server))).expect(200);
    asked(&server, &old.sign(&claims(&server))).expect(200);
    assert_eq!(host.hits(), 1, "kept");
    host.publishes(&new, "max-age=2");
    server.wait(3);
    refused(&server, &asked(&server, &old.sign(&claims(&server))), "assertion:signature");
    asked(&server, &new.sign(&claims(&server))).expect(200);
    assert_eq!(host.hits(), 2);
}

#[test]
fn j4_a_jku_counts_only_where_it_repeats_the_registered_address() {
    let (key, host, other) = (Signer::of_client("k1"), Host::start(), Host::start());
    host.publishes(&key, "max-age=60");
    other.publishes(&key, "max-age=60");
    let server = inside();
    register(&server, ClientKeys::JwksUri(host.url.clone()));
    let with = |jku: &str| {
        let header = json!({"alg": "ES384", "kid": "k1", "typ": "JWT", "jku": jku});
        key.sign_raw(&header.to_string(), &claims(&server).to_string())
    };
    asked(&server, &with(&host.url)).expect(200);
    refused(&server, &asked(&server, &with(&other.url)), "assertion:header");
    assert_eq!(other.hits(), 0, "no request is made to it");
    asked(&server, &key.sign(&claims(&server))).expect(200);
    let inline = clinic();
    register(&inline, ClientKeys::Jwks(key.key_set()));
    let header = json!({"alg": "ES384", "kid": "k1", "typ": "JWT", "jku": host.url});
    let reply = asked(&inline, &key.sign_raw(&header.to_string(), &claims(&inline).to_string()));
    refused(&inline, &reply, "assertion:header");
}

#[test]
fn j10_a_host_that_fails_is_asked_once_in_a_while() {
    let (key, host) = (Signer::of_client("k1"), Host::start());
    host.says("500 Oops", "", "");
    let server = inside();
    register(&server, ClientKeys::JwksUri(host.url.clone()));
    for _ in 0..3 {
        refused(&server, &asked(&server, &key.sign(&claims(&server))), "assertion:keys");
    }
    assert_eq!(host.hits(), 1, "the failure is remembered for a moment");
    host.publishes(&key, "max-age=3600");
    server.wait(11);
    asked(&server, &key.sign(&claims(&server))).expect(200);
    assert_eq!(host.hits(), 2);
    let unknown = Signer::of_client("k2");
    for _ in 0..3 {
        assert_eq!(asked(&server, &unknown.sign(&claims(&server))).status, 401);
    }
    assert_eq!(host.hits(), 2, "an unknown key leads to no fetch so soon after the last");
    server.wait(11);
    for _ in 0..3 {
        assert_eq!(asked(&server, &unknown.sign(&claims(&server))).status, 401);
    }
    assert_eq!(host.hits(), 3, "and to one after an interval");
}

#[test]
fn c8_nobody_leads_the_gateway_where_it_should_not_go() {
    let (key, host) = (Signer::of_client("k1"), Host::start());
    host.publishes(&key, "max-age=60");
    // By default no private address, whatever its name; then no plain HTTP either.
    let server = clinic();
    for url in [
        host.url.clone(),
        host.url.replace("http://", "https://"),
        host.url.replace("http://127.0.0.1", "https://localhost"),
        host.url.replace("http://127.0.0.1", "https://[::ffff:127.0.0.1]"),
        "https://169.254.169.254/latest".to_owned(),
    ] {
        let id = uuid::Uuid::new_v4().to_string();
        server.register(Client::backend(&id, "Lab", ClientKeys::JwksUri(url.clone()), "system/Patient.rs"));
        let mut claims = claims(&server);
        (claims["iss"], claims["sub"]) = (json!(id), json!(id));
        refused(&server, &asked(&server, &key.sign(&claims)), "assertion:keys");
    }
    assert_eq!(host.hits(), 0);
    // Where the operator allows it, still no other host, and nothing without end.
    let (server, other) = (inside(), Host::start());
    other.publishes(&key, "max-age=60");
    register(&server, ClientKeys::JwksUri(host.url.clone()));
    host.says("302 Found", &format!("Location: {}\r\n", other.url), "");
    refused(&server, &asked(&server, &key.sign(&claims(&server))), "assertion:keys");
    assert_eq!((host.hits(), other.hits()), (1, 0), "a redirect is not followed");
    host.says("200 OK", "", &format!("{{\"keys\":[]{}}}", " ".repeat(300 << 10)));
    server.wait(11);
    refused(&server, &asked(&server, &key.sign(&claims(&server))), "assertion:keys");
    // What registers itself is never let inside.
    let body = json!({
        "client_name": "Lab", "token_endpoint_auth_method": "private_key_jwt", "grant_types": ["client_credentials"],
        "scope": "system/Patient.rs", "jwks_uri": host.url,
    });
    let reply = server.call("POST", "/register").body("application/json", body.to_string()).send().expect(400);
    assert_eq!(reply.json()["error"], "invalid_client_metadata");
}

/// The example of SMART App Launch 2.2, "Client Authentication: Asymmetric": its keys, and what it signed with them.
const EXAMPLE_KEYS: &str = r#"{"keys": [
{"kty": "RSA", "alg": "RS384", "key_ops": ["verify"], "ext": true, "kid": "eee9f17a3b598fd86417a980b591fbe6", "e": "AQAB",
 "n": "wJq2RHIA-7RT6q4go7wjcbHdW7ck7Kz22A8wf-kN7Wi5CWvhFG2_Y7nQp1lDpb2IKMQr-Q4n_vgJ6d5rWPspJpSPY7iffUK4ipQCEbzID5DJ6fQMBZOfCTXyxkuMh3jYGKEF3Ziw2oxbM1H9j-eJAPtrj5stUG6kVoXowegdox-bSjWP0iI5PnkwUNzcekLMug4M3LRluEQgGR9O_BAML6-w3igZ_rZA_gunyrLAMbfmCVaceW5ohLp679kyM7U6W2gDK_NbkDKcINUakVmPeoG5h8RzgGzvGrySR0k0VDFiZv60Ua07DqHTeDGH9e4NV07AECae-oykIj5NDCs3pw"},
{"kty": "EC", "crv": "P-384", "alg": "ES384", "key_ops": ["verify"], "ext": true, "kid": "cd520211e5661dbba2256f67f6d53f97",
 "x": "pyqburM9y8HPcFhNosDW6ngoVEJitqXi_HJgI5hYqX21PoFDwCbYirGy_o0oapIU",
 "y": "95bxkCnMKoHvgbcPAIAcgzzu8scd81mXfM_IzuJFNfkUNkGYBFGvuEU1KPi5j1ob"}
]}"#;
const EXAMPLES: [&str; 2] = [
    "eyJhbGciOiJSUzM4NCIsImtpZCI6ImVlZTlmMTdhM2I1OThmZDg2NDE3YTk4MGI1OTFmYmU2IiwidHlwIjoiSldUIn0.eyJpc3MiOiJodHRwczovL2JpbGktbW9uaXRvci5leGFtcGxlLmNvbSIsInN1YiI6Imh0dHBzOi8vYmlsaS1tb25pdG9yLmV4YW1wbGUuY29tIiwiYXVkIjoiaHR0cHM6Ly9hdXRob3JpemUuc21hcnRoZWFsdGhpdC5vcmcvdG9rZW4iLCJleHAiOjE0MjI1Njg4NjAsImp0aSI6InJhbmRvbS1ub24tcmV1c2FibGUtand0LWlkLTEyMyJ9.D5kAqNJwaftCqsRdVVQDq6dMBxuGFOF5svQJuXbcYp-oEyg5qOwK9ZE5cGLTHxqwfpUPNzRKgVdIGuhawAA-8g0s1nKQae8CuKs33hhKh4J34xSEwW3MYs1gwI4GHTtR_g3kYSX6QCi14Ed3GIAvYFgqRqt-gD7sewMUXL4SB8I8cXcDbCqVizm7uPVhjw6QaeKZygJJ_AVLhM4Xs9LTy4HAhdCHpN0FrNmCerUIYJvHDpcod7A0jDmxdoeW1KIBYlhdhQNwjtsTvT1ce4qacN_3KIv_fIzCKLIgDv9eWxkjAtxOmIm8aW5gX9xX7X0nbd0QglIyiic_bZVNNEh0kg",
    "eyJhbGciOiJFUzM4NCIsImtpZCI6ImNkNTIwMjExZTU2NjFkYmJhMjI1NmY2N2Y2ZDUzZjk3IiwidHlwIjoiSldUIn0.eyJpc3MiOiJodHRwczovL2JpbGktbW9uaXRvci5leGFtcGxlLmNvbSIsInN1YiI6Imh0dHBzOi8vYmlsaS1tb25pdG9yLmV4YW1wbGUuY29tIiwiYXVkIjoiaHR0cHM6Ly9hdXRob3JpemUuc21hcnRoZWFsdGhpdC5vcmcvdG9rZW4iLCJleHAiOjE0MjI1Njg4NjAsImp0aSI6InJhbmRvbS1ub24tcmV1c2FibGUtand0LWlkLTEyMyJ9.ddl5N8dt5PYI_7syKg_dm1wj1LR3dYVztFlTODs6pU1vKH1Zv3d9NctbnAsZ4aZ1K7HE83_fA_hIAL0JsU1GoB7roLmrpj8zfygG9Q1ZBAmKNoR60pyONPZsGTihoR29",
];

#[test]
fn j11_the_example_of_the_guide_verifies_and_is_refused_for_what_it_says() {
    use amanat::clock::Clock;
    let keys = ClientKeys::Jwks(serde_json::from_str(EXAMPLE_KEYS).unwrap());
    let of_the_guide = Client::backend("https://bili-monitor.example.com", "Bilirubin", keys, "system/Patient.rs");
    let server = clinic();
    server.register(of_the_guide.clone());
    for example in EXAMPLES {
        // What is signed is looked at only once the signature has been.
        refused(&server, &asked(&server, example), "assertion:audience");
        let spoilt = if example.ends_with('9') { "A" } else { "w" };
        refused(&server, &asked(&server, &format!("{}{spoilt}A", &example[..example.len() - 2])), "assertion:signature");
    }
    // Where it is for this server, it has expired long ago, and not while it was 2015.
    let there = Server::at("https://authorize.smarthealthit.org/fhir");
    there.register(of_the_guide);
    for example in EXAMPLES {
        refused(&there, &asked(&there, example), "assertion:expired");
    }
    let long_ago = there.clock.now().seconds() - 1_422_568_800;
    there.wait(-long_ago);
    assert_ne!(Clock::system().now(), there.clock.now());
    asked(&there, EXAMPLES[0]).expect(200);
    assert_eq!(asked(&there, EXAMPLES[1]).status, 401, "J-6: the same `jti`");
}
