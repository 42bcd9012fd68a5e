//! The cookies of the pages: the session, the one that forms are bound to, the language. None says who somebody is to a script.

use crate::portal::Language;
use actix_web::HttpRequest;
use actix_web::http::header;

/// Seconds that the choice of a language is remembered.
const A_YEAR: u32 = 31_536_000;

const SESSION: &str = "amanat-session";
const FORM: &str = "amanat-form";
const LANGUAGE: &str = "amanat-language";

/// The cookies of a request.
pub(super) struct Jar<'r> {
    request: &'r HttpRequest,
    secure: bool,
}

impl<'r> Jar<'r> {
    /// Of this request. `secure` when the gateway is reached by https: then the names have the prefix that keeps other hosts and plain
    /// http from setting them.
    pub(super) fn of(request: &'r HttpRequest, secure: bool) -> Self {
        Self { request, secure }
    }

    pub(super) fn session(&self) -> Option<String> {
        self.get(SESSION)
    }

    pub(super) fn form(&self) -> Option<String> {
        self.get(FORM)
    }

    pub(super) fn language(&self) -> Option<Language> {
        self.get(LANGUAGE).as_deref().and_then(Language::of)
    }

    /// A cookie that stands there once, and is one of ours by its form.
    fn get(&self, name: &str) -> Option<String> {
        let name = named(name, self.secure);
        let lines = self.request.headers().get_all(header::COOKIE).filter_map(|line| line.to_str().ok());
        let mut found = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let (_, value) = found.find(|(known, _)| *known == name)?;
        let legal = value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        (legal && (2..=64).contains(&value.len())).then(|| value.to_owned())
    }
}

fn named(name: &str, secure: bool) -> String {
    if secure { format!("__Host-{name}") } else { name.to_owned() }
}

fn cookie(name: &str, value: &str, age: Option<u32>, secure: bool) -> String {
    let age = age.map(|seconds| format!("; Max-Age={seconds}")).unwrap_or_default();
    let secured = if secure { "; Secure" } else { "" };
    format!("{}={value}; Path=/{age}; HttpOnly; SameSite=Lax{secured}", named(name, secure))
}

/// The session, or its end. It ends with the browser as well.
pub(super) fn session(value: Option<&str>, secure: bool) -> String {
    cookie(SESSION, value.unwrap_or_default(), value.is_none().then_some(0), secure)
}

/// What forms are bound to.
pub(super) fn form(value: &str, secure: bool) -> String {
    cookie(FORM, value, None, secure)
}

/// The language.
pub(super) fn language(tag: &str, secure: bool) -> String {
    cookie(LANGUAGE, tag, Some(A_YEAR), secure)
}
