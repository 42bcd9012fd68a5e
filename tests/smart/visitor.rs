//! A browser, as far as the pages need one: cookies, forms, redirects that it does not follow by itself.

use crate::support::{BASE, Call, Reply, Server};
use amanat::fhir::{Instant, Key};
use amanat::smart::{Account, Client};
use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde_json::Value;
use std::collections::BTreeMap;

pub(super) const PASSWORD: &str = "mango tariq lantern 7";
pub(super) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(super) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
pub(super) const HOME: &str = "https://app.example/callback";
pub(super) const ALL: &str = "launch/patient openid fhirUser profile offline_access online_access patient/*.cruds user/*.cruds";

/// What is kept of [`PASSWORD`], at the least cost that argon2id has: tests sign in often.
fn kept() -> String {
    let mut hash = [0; 32];
    let params = Params::new(8, 1, 1, Some(32)).unwrap();
    let salt = *b"a salt for tests";
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params).hash_password_into(PASSWORD.as_bytes(), &salt, &mut hash).unwrap();
    format!("$argon2id$v=19$m=8,t=1,p=1${}${}", STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(hash))
}

pub(super) fn account(username: &str, user: &str) -> Account {
    let account = Account::new(username, &format!("Person {username}"), &Key::parse(user).unwrap()).unwrap();
    Account { password: Some(kept()), ..account }
}

/// A ward with people who sign in and an app.
pub(super) fn clinic() -> Server {
    let server = crate::interactions::ward();
    furnish(&server);
    server
}

pub(crate) fn furnish(server: &Server) {
    for (username, user) in [("amin", "Patient/p1"), ("bano", "Patient/p2"), ("khan", "Practitioner/d1")] {
        server.add_account(&account(username, user));
    }
    server.register(app("app"));
}

pub(super) fn app(id: &str) -> Client {
    Client::app(id, "My Records", vec![HOME.to_owned(), "http://127.0.0.1:8765/callback".to_owned()], ALL)
}

/// Names and values, encoded.
pub(super) fn encoded(pairs: &[(&str, &str)]) -> String {
    let pair = |(name, value): &(&str, &str)| format!("{name}={}", percent(value));
    pairs.iter().map(pair).collect::<Vec<_>>().join("&")
}

pub(super) fn percent(text: &str) -> String {
    text.bytes()
        .map(|b| if b.is_ascii_alphanumeric() || b"-._~".contains(&b) { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect()
}

/// The parameters of a good request for this scope, with changes: an empty value leaves a parameter out.
pub(super) fn request(scope: &str, changes: &[(&str, &str)]) -> String {
    let mut all: BTreeMap<&str, &str> = [
        ("response_type", "code"),
        ("client_id", "app"),
        ("redirect_uri", HOME),
        ("scope", scope),
        ("state", "s 1&=#é"),
        ("aud", BASE),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ]
    .into();
    for (name, value) in changes {
        if value.is_empty() {
            all.remove(name);
        } else {
            all.insert(name, value);
        }
    }
    encoded(&all.into_iter().collect::<Vec<_>>())
}

/// The parameters of the query of a redirect.
pub(super) fn query(reply: &Reply) -> BTreeMap<String, String> {
    let location = reply.header("location").unwrap_or_else(|| panic!("no redirect: {}", reply.text()));
    let query = location.split_once('?').map(|(_, query)| query).unwrap_or_default();
    amanat::fhir::pairs(query).unwrap().into_iter().collect()
}

pub(super) struct Visitor<'s> {
    pub(super) server: &'s Server,
    cookies: BTreeMap<String, String>,
}

impl<'s> Visitor<'s> {
    pub(super) fn new(server: &'s Server) -> Self {
        Self { server, cookies: BTreeMap::new() }
    }

    /// Somebody signed in.
    pub(super) fn signed_in(server: &'s Server, username: &str) -> Self {
        let mut visitor = Self::new(server);
        let page = visitor.get("/sign-in").expect(200);
        let reply = visitor.submit(&page, "/sign-in", &[("username", username), ("password", PASSWORD)]);
        assert_eq!((reply.status, reply.header("location")), (303, Some("/account")), "{}", reply.text());
        visitor
    }

    fn dressed<'c>(&self, call: Call<'c>) -> Call<'c> {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if cookies.is_empty() { call } else { call.header("Cookie", &cookies.join("; ")) }
    }

    fn keep(&mut self, reply: Reply) -> Reply {
        for (name, line) in &reply.headers {
            if name == "set-cookie" {
                assert!(line.contains("HttpOnly") && line.contains("Secure") && line.contains("SameSite=Lax"), "A-11 {line}");
                let (name, value) = line.split(';').next().unwrap().split_once('=').unwrap();
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        self.cookies.retain(|_, value| !value.is_empty());
        reply
    }

    pub(super) fn get(&mut self, path: &str) -> Reply {
        let reply = self.dressed(self.server.call("GET", path)).send();
        self.keep(reply)
    }

    pub(super) fn post(&mut self, path: &str, form: &str) -> Reply {
        let reply = self.dressed(self.server.call("POST", path)).form(form).send();
        self.keep(reply)
    }

    pub(super) fn cookie(&self, name: &str) -> Option<&String> {
        self.cookies.get(name)
    }

    /// Fills in a form of a page and sends it, with its hidden fields.
    pub(super) fn submit(&mut self, page: &Reply, action: &str, fields: &[(&str, &str)]) -> Reply {
        let form = form(page.text(), action);
        let hidden = hidden(&form);
        // What a script or a person fills in takes the place of what stood there.
        let kept = hidden.iter().filter(|(name, _)| fields.iter().all(|(filled, _)| filled != name));
        let all: Vec<(&str, &str)> =
            kept.map(|(name, value)| (name.as_str(), value.as_str())).chain(fields.iter().copied()).collect();
        self.post(action, &encoded(&all))
    }

    /// Follows redirects inside the gateway.
    pub(super) fn follow(&mut self, mut reply: Reply) -> Reply {
        while let Some(next) =
            reply.header("location").filter(|next| reply.status == 303 && next.starts_with('/')).map(str::to_owned)
        {
            reply = self.get(&next);
        }
        reply
    }

    /// Opens an authorization request; the first page.
    pub(super) fn open(&mut self, request: &str) -> Reply {
        let reply = self.get(&format!("/authorize?{request}"));
        self.follow(reply)
    }

    /// The whole way to the consent page: opens, signs in where asked.
    pub(super) fn reach_consent(&mut self, request: &str, username: &str) -> Reply {
        let page = self.open(request);
        if !page.text().contains("id=\"password\"") {
            return page;
        }
        let reply = self.submit(&page, "/sign-in", &[("username", username), ("password", PASSWORD)]);
        self.follow(reply)
    }

    /// Allows everything that a consent page has ticked, but for these fields.
    pub(super) fn allow_but(&mut self, page: &Reply, off: &[&str]) -> Reply {
        let form = form(page.text(), "/authorize/answer");
        let ticked: Vec<String> = ticks(&form).into_iter().filter(|tick| !off.contains(&tick.as_str())).collect();
        let mut fields: Vec<(&str, &str)> = ticked.iter().map(|tick| ("allow", tick.as_str())).collect();
        fields.push(("answer", "allow"));
        self.submit(page, "/authorize/answer", &fields)
    }

    pub(super) fn allow(&mut self, page: &Reply) -> Reply {
        self.allow_but(page, &[])
    }

    /// Everything up to the code.
    pub(super) fn code(&mut self, request: &str, username: &str) -> String {
        let page = self.reach_consent(request, username);
        let reply = self.allow(&page);
        query(&reply).get("code").unwrap_or_else(|| panic!("{:?}", reply.headers)).clone()
    }
}

/// The form with this action.
pub(super) fn form(page: &str, action: &str) -> String {
    let mark = format!("action=\"{action}\"");
    let at = page.find(&mark).unwrap_or_else(|| panic!("no form for {action} in {page}"));
    page[at..].split("</form>").next().unwrap().to_owned()
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let mark = format!(" {name}=\"");
    let rest = &tag[tag.find(&mark)? + mark.len()..];
    Some(rest.split('"').next()?.replace("&#38;", "&").replace("&amp;", "&"))
}

fn hidden(form: &str) -> Vec<(String, String)> {
    let tags = form.split('<').filter(|tag| tag.starts_with("input type=\"hidden\""));
    tags.filter_map(|tag| Some((attribute(tag, "name")?, attribute(tag, "value")?))).collect()
}

pub(super) fn ticks(form: &str) -> Vec<String> {
    let tags = form.split('<').filter(|tag| tag.starts_with("input type=\"checkbox\""));
    tags.filter_map(|tag| attribute(tag, "value")).collect()
}

/// Asks at the token endpoint.
pub(super) fn ask(server: &Server, fields: &[(&str, &str)]) -> Reply {
    server.call("POST", "/token").form(&encoded(fields)).send()
}

/// Exchanges a code, as the public app.
pub(super) fn exchange(server: &Server, code: &str) -> Reply {
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", HOME),
        ("client_id", "app"),
        ("code_verifier", VERIFIER),
    ];
    ask(server, &fields)
}

/// Tokens of the public app for this user and scope.
pub(crate) fn tokens(server: &Server, username: &str, scope: &str) -> Value {
    let code = Visitor::new(server).code(&request(scope, &[]), username);
    exchange(server, &code).expect(200).json()
}

pub(super) fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_else(|| panic!("{name} in {value}"))
}

/// The claims of a token. Nothing is verified.
pub(super) fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

pub(super) fn seconds(server: &Server) -> i64 {
    let Instant(now) = server.clock.now();
    now / 1000
}

/// Modulus and exponent of an `RSAPublicKey` in DER.
pub(super) fn rsa_numbers(der: &[u8]) -> (Vec<u8>, Vec<u8>) {
    fn take(bytes: &[u8]) -> (&[u8], &[u8]) {
        let long = usize::from(bytes[1] & 127);
        let (length, at) = if bytes[1] < 128 {
            (long, 2)
        } else {
            (bytes[2..2 + long].iter().fold(0, |all, &byte| (all << 8) | usize::from(byte)), 2 + long)
        };
        (&bytes[at..at + length], &bytes[at + length..])
    }
    let (modulus, rest) = take(take(der).0);
    let plain = |bytes: &[u8]| bytes.iter().copied().skip_while(|byte| *byte == 0).collect();
    (plain(modulus), plain(take(rest).0))
}
