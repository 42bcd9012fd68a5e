//! Which place of the server a path names, judged once, on the raw path.

use crate::config::BaseUrl;
use crate::fhir::{ResourceType, methods};
use crate::gateway::Gateway;

/// What the place of the apps' states says of itself.
const APP_STATE_METADATA: &str = "app-state/metadata";

/// A place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place<'a> {
    /// Below the FHIR base: the rest, without leading slash, still escaped.
    Fhir(&'a str),
    /// `[base]/.well-known/smart-configuration`
    SmartConfiguration,
    /// `/.well-known/jwks.json`
    Jwks,
    /// `/token`
    Token,
    /// `openid-configuration` below the issuer, or `oauth-authorization-server`
    OpenidConfiguration,
    /// `/introspect`
    Introspect,
    /// `/revoke`
    Revoke,
    /// `/par`
    Push,
    /// `/register`, or below it the client with this id.
    Register(Option<&'a str>),
    /// `[base]/.well-known/udap`
    Udap,
    /// `/.well-known/oauth-protected-resource`
    ProtectedResource,
    /// `/userinfo`
    Userinfo,
    /// The brand bundle.
    Brands,
    /// The colours of the pages, for apps that are opened from them.
    SmartStyle,
    /// Where apps keep states of their own: the path from the origin, without leading slash.
    AppState(&'a str),
    /// A page for people.
    Page(Page),
    /// `/lab/v2`
    Lab,
    /// Nothing is there.
    Nowhere,
}

/// The pages for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Page {
    /// Where an app sends its user.
    Authorize,
    /// The next step of what the app asks.
    Continue,
    /// A patient was chosen.
    Patient,
    /// Allowed or not.
    Answer,
    /// Username and password.
    SignIn,
    /// One-time code.
    Code,
    /// The end of the session.
    SignOut,
    /// The person's own page.
    Account,
    /// An app is cut off.
    Disconnect,
    /// A remembered consent is forgotten.
    AskAgain,
    /// The end of another session.
    EndSession,
    /// A phone as second factor.
    Phone,
    /// The link of an operator.
    SetUp,
    /// What developers of apps read.
    Developers,
    /// The developer's corner of the demo.
    Corner,
    /// Its EHR launches an app.
    CornerLaunch,
    /// It registers an app.
    CornerRegister,
    /// To a provider of the site.
    Leave,
    /// Back from there.
    Back,
    /// What a passkey is to sign.
    PasskeyChallenge,
    /// A passkey that was used.
    PasskeySignIn,
    /// A passkey is made.
    Passkey,
    /// A passkey is given up.
    PasskeyForget,
    /// The script of passkeys.
    Script,
    /// The style sheet.
    Style,
    /// The mark in the tab of the browser.
    Icon,
}

/// Path, page, methods.
const PAGES: [(&str, Page, &str); 26] = [
    ("/authorize", Page::Authorize, "GET, HEAD, POST, OPTIONS"),
    ("/authorize/continue", Page::Continue, "GET, HEAD, OPTIONS"),
    ("/authorize/patient", Page::Patient, "POST, OPTIONS"),
    ("/authorize/answer", Page::Answer, "POST, OPTIONS"),
    ("/sign-in", Page::SignIn, "GET, HEAD, POST, OPTIONS"),
    ("/sign-in/code", Page::Code, "POST, OPTIONS"),
    ("/sign-out", Page::SignOut, "POST, OPTIONS"),
    ("/account", Page::Account, "GET, HEAD, OPTIONS"),
    ("/account/disconnect", Page::Disconnect, "POST, OPTIONS"),
    ("/account/ask-again", Page::AskAgain, "POST, OPTIONS"),
    ("/account/sign-out", Page::EndSession, "POST, OPTIONS"),
    (crate::smart::DEVELOPERS_PATH, Page::Developers, "GET, HEAD, OPTIONS"),
    ("/account/phone", Page::Phone, "GET, HEAD, POST, OPTIONS"),
    ("/set-up", Page::SetUp, "GET, HEAD, POST, OPTIONS"),
    ("/demo", Page::Corner, "GET, HEAD, OPTIONS"),
    ("/demo/launch", Page::CornerLaunch, "POST, OPTIONS"),
    ("/demo/register", Page::CornerRegister, "POST, OPTIONS"),
    ("/sign-in/with", Page::Leave, "GET, HEAD, OPTIONS"),
    ("/sign-in/back", Page::Back, "GET, HEAD, OPTIONS"),
    ("/sign-in/passkey", Page::PasskeySignIn, "POST, OPTIONS"),
    ("/passkeys/challenge", Page::PasskeyChallenge, "POST, OPTIONS"),
    ("/account/passkey", Page::Passkey, "GET, HEAD, POST, OPTIONS"),
    ("/account/passkey/forget", Page::PasskeyForget, "POST, OPTIONS"),
    (crate::portal::SCRIPT_PATH, Page::Script, "GET, HEAD, OPTIONS"),
    (crate::portal::STYLE_PATH, Page::Style, "GET, HEAD, OPTIONS"),
    (crate::portal::ICON_PATH, Page::Icon, "GET, HEAD, OPTIONS"),
];

impl<'a> Place<'a> {
    /// The place of a raw path.
    pub(super) fn of(path: &'a str, base: &BaseUrl) -> Self {
        match path {
            "/token" => return Self::Token,
            "/lab/v2" => return Self::Lab,
            "/.well-known/jwks.json" => return Self::Jwks,
            crate::portal::SMART_STYLE_PATH => return Self::SmartStyle,
            "/user-access-brands.json" => return Self::Brands,
            "/introspect" => return Self::Introspect,
            "/revoke" => return Self::Revoke,
            "/userinfo" => return Self::Userinfo,
            "/par" => return Self::Push,
            "/register" => return Self::Register(None),
            "/.well-known/oauth-protected-resource" => return Self::ProtectedResource,
            "/.well-known/oauth-authorization-server" => return Self::OpenidConfiguration,
            _ => {}
        }
        if let Some((_, page, _)) = PAGES.iter().find(|(known, ..)| *known == path) {
            return Self::Page(*page);
        }
        if path.strip_prefix(crate::smart::APP_STATE_PATH).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) {
            return Self::AppState(path.trim_start_matches('/'));
        }
        if let Some(client) = path.strip_prefix("/register/").filter(|client| !client.is_empty() && !client.contains('/')) {
            return Self::Register(Some(client));
        }
        // RFC 9728 § 3.1 puts the well-known word where RFC 8414 does.
        if path.strip_prefix("/.well-known/oauth-protected-resource") == Some(base.path()) {
            return Self::ProtectedResource;
        }
        // RFC 8414 § 3.1 puts the well-known word between the host and the path of the issuer.
        if path.strip_prefix("/.well-known/oauth-authorization-server") == Some(base.path()) {
            return Self::OpenidConfiguration;
        }
        let Some(rest) = path.strip_prefix(base.path()) else { return Self::Nowhere };
        match rest.strip_prefix('/') {
            Some(".well-known/smart-configuration") => Self::SmartConfiguration,
            Some(".well-known/openid-configuration" | ".well-known/oauth-authorization-server") => Self::OpenidConfiguration,
            Some(".well-known/udap") => Self::Udap,
            Some(rest) => Self::Fhir(rest),
            None if rest.is_empty() => Self::Fhir(""),
            None => Self::Nowhere,
        }
    }

    /// Methods that exist here, for `Allow`.
    pub(super) fn methods(self) -> &'static str {
        match self {
            Self::Fhir(path) => methods(path),
            Self::AppState(path) => Gateway::app_state_methods(path),
            Self::SmartConfiguration
            | Self::OpenidConfiguration
            | Self::Jwks
            | Self::SmartStyle
            | Self::Brands
            | Self::Udap
            | Self::ProtectedResource
            | Self::Nowhere => "GET, HEAD, OPTIONS",
            Self::Register(Some(_)) => "GET, PUT, DELETE, OPTIONS",
            Self::Token | Self::Push | Self::Register(None) | Self::Lab | Self::Introspect | Self::Revoke => "POST, OPTIONS",
            Self::Userinfo => "GET, HEAD, POST, OPTIONS",
            Self::Page(page) => page.methods(),
        }
    }

    /// Whether every origin may read it without credentials.
    pub(super) fn is_open(self) -> bool {
        matches!(
            self,
            Self::SmartConfiguration
                | Self::OpenidConfiguration
                | Self::Jwks
                | Self::SmartStyle
                | Self::Brands
                | Self::Udap
                | Self::ProtectedResource
                | Self::Fhir("metadata")
                | Self::AppState(APP_STATE_METADATA)
        )
    }

    /// Whether what apps keep is asked for here, and not what the place says of itself.
    pub(super) fn is_kept_state(self) -> bool {
        matches!(self, Self::AppState(path) if path != APP_STATE_METADATA)
    }

    /// Whether the pages of registered apps may read what is answered. Pages for people are for nobody's script (RFC 9700 § 2.1).
    pub(super) fn is_for_apps(self) -> bool {
        !matches!(self, Self::Page(_) | Self::Nowhere)
    }

    /// The shape of the path: a bounded set of names, without ids.
    pub(super) fn template(self) -> &'static str {
        match self {
            Self::Fhir(path) => fhir_template(path),
            Self::SmartConfiguration => "/.well-known/smart-configuration",
            Self::Jwks => "/.well-known/jwks.json",
            Self::Token => "/token",
            Self::OpenidConfiguration => "/.well-known/openid-configuration",
            Self::Introspect => "/introspect",
            Self::Revoke => "/revoke",
            Self::Userinfo => "/userinfo",
            Self::Push => "/par",
            Self::Register(None) => "/register",
            Self::Register(Some(_)) => "/register/{client}",
            Self::Udap => "/.well-known/udap",
            Self::ProtectedResource => "/.well-known/oauth-protected-resource",
            Self::Brands => "/user-access-brands.json",
            Self::SmartStyle => crate::portal::SMART_STYLE_PATH,
            Self::AppState(APP_STATE_METADATA) => "/app-state/metadata",
            Self::AppState(_) => "/app-state",
            Self::Page(page) => page.path(),
            Self::Lab => "/lab/v2",
            Self::Nowhere => "nowhere",
        }
    }

    /// The type that a FHIR path begins with, when it looks like one.
    pub(super) fn resource_type(self) -> Option<&'static str> {
        let Self::Fhir(path) = self else { return None };
        path.split('/').next().and_then(ResourceType::parse).map(ResourceType::name)
    }
}

impl Page {
    fn methods(self) -> &'static str {
        PAGES.iter().find(|(_, page, _)| *page == self).map_or("OPTIONS", |(.., methods)| methods)
    }

    fn path(self) -> &'static str {
        PAGES.iter().find(|(_, page, _)| *page == self).map_or("page", |(path, ..)| path)
    }
}

fn fhir_template(path: &str) -> &'static str {
    let mut segments = path.trim_end_matches('/').split('/');
    match [segments.next(), segments.next(), segments.next(), segments.next(), segments.next()] {
        [Some(""), None, ..] => "{base}",
        [Some("metadata"), None, ..] => "metadata",
        [Some("_history"), None, ..] => "_history",
        [Some("_search"), None, ..] => "_search",
        [Some(_), None, ..] => "{type}",
        [Some(_), Some("_search"), None, ..] => "{type}/_search",
        [Some(_), Some("_history"), None, ..] => "{type}/_history",
        [Some(_), Some(_), None, ..] => "{type}/{id}",
        [Some(_), Some(_), Some("_history"), None, _] => "{type}/{id}/_history",
        [Some(_), Some(_), Some("_history"), Some(_), None] => "{type}/{id}/_history/{version}",
        [Some(_), Some(_), Some(_), None, _] => "{type}/{id}/{type}",
        [Some(_), Some(_), Some(_), Some("_search"), None] => "{type}/{id}/{type}/_search",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::Place;
    use crate::config::BaseUrl;

    #[test]
    fn a_path_is_one_place_and_only_its_raw_form_counts() {
        let base = BaseUrl::parse("https://fhir.example/r4/fhir").unwrap();
        for (path, place) in [
            ("/r4/fhir/Patient/p1", Place::Fhir("Patient/p1")),
            ("/r4/fhir", Place::Fhir("")),
            ("/r4/fhir/", Place::Fhir("")),
            ("/r4/fhir/metadata", Place::Fhir("metadata")),
            ("/r4/fhir/.well-known/smart-configuration", Place::SmartConfiguration),
            ("/.well-known/smart-configuration", Place::Nowhere),
            ("/r4/fhirx/Patient", Place::Nowhere),
            ("/r4/%66hir/Patient", Place::Nowhere),
            ("//r4/fhir/Patient", Place::Nowhere),
            ("/token", Place::Token),
            ("/token/", Place::Nowhere),
            ("/authorize", Place::Page(super::Page::Authorize)),
            ("/authorize/", Place::Nowhere),
            ("/r4/fhir/.well-known/openid-configuration", Place::OpenidConfiguration),
            ("/.well-known/oauth-authorization-server/r4/fhir", Place::OpenidConfiguration),
            ("/lab/v2", Place::Lab),
            ("/app-state/Basic/x", Place::AppState("app-state/Basic/x")),
            ("/app-states", Place::Nowhere),
        ] {
            assert_eq!(Place::of(path, &base), place, "{path}");
        }
    }

    #[test]
    fn a_template_never_holds_an_id() {
        for (path, template) in [
            ("Patient/p1", "{type}/{id}"),
            ("Patient/p1/_history/3", "{type}/{id}/_history/{version}"),
            ("Patient/p1/Observation", "{type}/{id}/{type}"),
            ("", "{base}"),
            ("a/b/c/d/e/f", "other"),
        ] {
            assert_eq!(Place::Fhir(path).template(), template);
        }
        assert_eq!(Place::Fhir("Patient/p1").resource_type(), Some("Patient"));
        assert_eq!(Place::Fhir("Ahmed/p1").resource_type(), None);
    }
}
