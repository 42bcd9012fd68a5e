//! What a person allowed an app, kept for a while because they wished not to be asked for the same again.

use crate::access::Scopes;
use crate::fhir::{Id, Instant};
use crate::smart::client::{Client, ClientKind};
use crate::smart::secret;
use crate::smart::state::{Kind, Stored};
use serde::{Deserialize, Serialize};

/// A consent that is remembered: of one person, for one app at one address, on one patient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remembered {
    /// Who allowed it.
    pub username: String,
    /// Whom.
    pub client: String,
    /// What was asked.
    pub asked: String,
    /// What was left of it.
    pub granted: String,
    /// When, in milliseconds.
    pub given: i64,
    /// Until when nobody is asked, in milliseconds.
    pub ends: i64,
}

impl Stored for Remembered {
    const KIND: Kind = Kind::Remembered;

    fn owner(&self) -> &str {
        &self.username
    }

    fn expires(&self) -> Instant {
        Instant(self.ends)
    }
}

impl Remembered {
    /// Under which key it is kept.
    pub fn key(username: &str, client: &str, redirect_uri: &str, patient: Option<&Id>) -> String {
        let patient = patient.map(Id::as_str).unwrap_or_default();
        secret::kept(&[username, client, redirect_uri, patient].join("\n"))
    }

    /// What is granted to the same question, or to one for no more than was allowed. `None`: the person is asked. Both are scopes that were
    /// understood, and no others.
    pub fn grants<'a>(&'a self, asked: &'a str) -> Option<&'a str> {
        let [now, then, granted] = [asked, &self.asked, &self.granted].map(Scopes::parse);
        if now.is_within(&then) && then.is_within(&now) {
            return Some(&self.granted);
        }
        now.is_within(&granted).then_some(asked)
    }

    /// Whether a request of this app surely comes from it: it proves itself at the token endpoint, or its address is its own. Any other
    /// program on the same device can take the place of one that has neither (RFC 6749 § 10.2, RFC 8252 § 8.6).
    pub fn is_for(client: &Client, redirect_uri: &str) -> bool {
        client.kind != ClientKind::Public || redirect_uri.starts_with("https://")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remembered(asked: &str, granted: &str) -> Remembered {
        let (username, client) = ("amin".to_owned(), "app".to_owned());
        Remembered { username, client, asked: asked.to_owned(), granted: granted.to_owned(), given: 0, ends: 1 }
    }

    #[test]
    fn the_same_or_less_is_granted_and_more_is_asked() {
        let known = remembered("openid patient/Patient.rs patient/Observation.rs", "openid patient/Patient.rs");
        assert_eq!(
            known.grants("patient/Observation.rs openid patient/Patient.rs"),
            Some("openid patient/Patient.rs"),
            "the same, in any order"
        );
        assert_eq!(known.grants("patient/Patient.rs"), Some("patient/Patient.rs"));
        assert_eq!(known.grants("patient/Patient.r"), Some("patient/Patient.r"), "fewer letters are less");
        for more in [
            "patient/Observation.rs",
            "openid patient/Patient.rs patient/Condition.rs",
            "patient/Patient.cruds",
            "offline_access openid patient/Patient.rs",
        ] {
            assert_eq!(known.grants(more), None, "{more}");
        }
    }

    #[test]
    fn only_an_app_that_nobody_can_stand_in_for_is_remembered() {
        let at = |uri: &str| Client::app("a", "A", vec![uri.to_owned()], "openid");
        assert!(Remembered::is_for(&at("https://a.example/cb"), "https://a.example/cb"));
        for uri in ["http://127.0.0.1/cb", "com.example.app:/cb"] {
            assert!(!Remembered::is_for(&at(uri), uri), "{uri}");
        }
        let keyed = Client { kind: ClientKind::Asymmetric, ..at("http://127.0.0.1/cb") };
        assert!(Remembered::is_for(&keyed, "http://127.0.0.1/cb"));
        assert_ne!(Remembered::key("a", "b", "c", None), Remembered::key("a", "b", "c", Id::parse("p").as_ref()));
    }
}
