//! Making an entry from what is known when an interaction ends.

use super::{Agent, Entry, Event};
use crate::access::Caller;
use crate::fhir::{Id, Instant, Outcome, Refusal, Touched, decode};

/// Parameters whose value is a credential or can be turned into one.
const SECRETS: &[&str] = &[
    "access_token",
    "refresh_token",
    "id_token",
    "id_token_hint",
    "token",
    "assertion",
    "client_assertion",
    "client_secret",
    "subject_token",
    "actor_token",
    "code",
    "code_verifier",
    "password",
];

/// What stands where a secret stood.
const HIDDEN: &str = "***";

impl Agent {
    /// The caller behind an accepted token. The token itself stays out; its `jti` names it.
    pub fn of(caller: &Caller, address: impl Into<String>) -> Self {
        Self {
            client: caller.client.clone(),
            issuer: caller.issuer.clone(),
            subject: caller.subject.clone(),
            user: caller.user.clone(),
            organization: caller.organization.clone(),
            purposes: caller.purposes.clone(),
            token_id: caller.token_id.clone(),
            address: address.into(),
        }
    }

    /// Somebody whose token was missing or not accepted: nothing that it claims is believed.
    pub fn unknown(address: impl Into<String>) -> Self {
        Self { address: address.into(), ..Self::default() }
    }
}

impl Entry {
    /// An event that went well.
    pub fn concluded(event: Event, agent: Agent, recorded: Instant, request_id: impl Into<String>) -> Self {
        Self {
            event,
            recorded,
            outcome: Outcome::Success,
            reason: String::new(),
            request_id: request_id.into(),
            agent,
            patients: Vec::new(),
            records: Vec::new(),
            query: None,
            decided: Vec::new(),
        }
    }

    /// An event that was refused, with the outcome and reason that the refusal has in the trail.
    pub fn refused(event: Event, agent: Agent, recorded: Instant, request_id: impl Into<String>, refusal: &Refusal) -> Self {
        let told = refusal.told();
        Self { outcome: told.outcome, reason: told.reason.into_owned(), ..Self::concluded(event, agent, recorded, request_id) }
    }

    /// Adds a reason that is finer than the refusal's own, such as `consent:implicit`: known to the trail, never to the caller.
    #[must_use]
    pub fn because(mut self, reason: impl Into<String>) -> Self {
        self.reason = reason.into();
        self
    }

    /// Names the patients whose records were touched, each once.
    #[must_use]
    pub fn concerning(mut self, patients: impl IntoIterator<Item = Id>) -> Self {
        self.patients = patients.into_iter().collect();
        self.patients.sort();
        self.patients.dedup();
        self
    }

    /// Names the records that were touched.
    #[must_use]
    pub fn touching(mut self, records: impl IntoIterator<Item = Touched>) -> Self {
        self.records = records.into_iter().collect();
        self
    }

    /// Keeps the raw request (`GET Patient?name=x`), without the secrets that a caller may have put into it.
    #[must_use]
    pub fn asking(mut self, request: &str) -> Self {
        self.query = Some(without_secrets(request));
        self
    }
}

/// The request with the values of credential parameters taken out. In the FHIR API `code` and `token` are no credentials but
/// search parameters, so a value goes only where the request is one of OAuth, or the name can mean nothing else.
fn without_secrets(request: &str) -> String {
    let oauth = ["grant_type=", "client_assertion", "response_type="].iter().any(|mark| request.contains(mark));
    let mut clean = String::with_capacity(request.len());
    for pair in request.split_inclusive(['?', '&', ' ', '\n', ';']) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if !value.is_empty() && (is_secret(name, oauth) || is_token(value)) {
            clean.extend([name, "=", HIDDEN]);
            clean.extend(value.chars().next_back().filter(|last| matches!(last, '?' | '&' | ' ' | '\n' | ';')));
        } else {
            clean.push_str(pair);
        }
    }
    clean
}

fn is_secret(name: &str, oauth: bool) -> bool {
    let name = decode(name).unwrap_or_default().to_ascii_lowercase();
    SECRETS.contains(&name.as_str()) && (oauth || !matches!(name.as_str(), "code" | "token"))
}

/// A JSON Web Token under whatever name.
fn is_token(value: &str) -> bool {
    value.starts_with("eyJ") && value.bytes().filter(|&b| b == b'.').count() >= 2
}

#[cfg(test)]
mod tests {
    use super::super::{Chain, samples};
    use super::{Agent, Entry, Event, without_secrets};
    use crate::access::{Caller, Scopes, SignIn};
    use crate::fhir::{Id, Instant, Key, Outcome, Refusal};

    fn caller() -> Caller {
        Caller {
            issuer: "https://idp.example".into(),
            subject: "s-1".into(),
            client: "app".into(),
            user: Key::parse("Practitioner/d1"),
            organization: Some("Organization/h1".into()),
            scopes: Scopes { text: "user/*.rs".into(), ..Scopes::default() },
            patient: None,
            encounter: None,
            purposes: vec!["TREAT".into()],
            acr: None,
            token_id: Some("jti-1".into()),
            expires: Instant(0),
            sign_in: SignIn::default(),
        }
    }

    #[test]
    fn the_agent_of_a_caller_is_the_person_and_the_client() {
        let agent = Agent::of(&caller(), "192.0.2.7");
        assert_eq!(agent, Agent { organization: Some("Organization/h1".into()), ..samples::person() });
    }

    #[test]
    fn a_refusal_gives_outcome_and_reason() {
        let entry = |refusal: &Refusal| {
            let entry = Entry::refused(Event::Rest("read"), Agent::unknown("::1"), Instant(0), "r", refusal);
            (entry.outcome, entry.reason)
        };
        assert_eq!(entry(&Refusal::TokenInvalid("expired")), (Outcome::Serious, "token:expired".into()));
        assert_eq!(entry(&Refusal::NotFound), (Outcome::Minor, "not-found".into()));
        assert_eq!(entry(&Refusal::StoreUnavailable), (Outcome::Major, "store".into()));
    }

    #[test]
    fn patients_are_named_once() {
        let ids = ["b", "a", "b"].map(|id| Id::parse(id).unwrap());
        let entry = Entry::concluded(Event::Rest("search-type"), Agent::unknown(""), Instant(0), "r").concerning(ids);
        assert_eq!(entry.patients.iter().map(Id::as_str).collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn no_secret_of_a_request_reaches_the_leaf() {
        for request in [
            "GET Patient?name=x&access_token=SECRET",
            "GET Patient?Access_Token=SECRET&name=x",
            "GET Patient?access%5Ftoken=SECRET",
            "POST token\ngrant_type=authorization_code&code=SECRET&code_verifier=SECRET&client_secret=SECRET",
            "POST token grant_type=client_credentials&client_assertion=SECRET",
            "POST introspect client_assertion_type=x&token=SECRET",
            "POST token refresh_token=SECRET;x",
            "GET Patient?name=eyJhbGciOiJub25lIn0.SECRET.c&_count=1",
        ] {
            let entry = Entry::concluded(Event::Token, Agent::of(&caller(), ""), Instant(0), "r").asking(request);
            let leaf = String::from_utf8(Chain::resume(0, super::super::GENESIS).link(&entry).leaf).unwrap();
            assert!(!leaf.contains("SECRET"), "{leaf}");
            assert!(leaf.contains("***"), "{leaf}");
        }
    }

    #[test]
    fn a_search_keeps_its_own_words() {
        for request in ["GET Observation?code=http://loinc.org|1-1&token=a", "GET Patient", "POST Patient/_search\nname=a&code=b"]
        {
            assert_eq!(without_secrets(request), request);
        }
    }
}
