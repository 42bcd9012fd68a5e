//! Which client asks, and how it proves it: each in the one way that it is registered for.

use super::assertion::{ASSERTION_TYPE, Proven, Unproven, claimed_client, prove};
use super::denied::Denied;
use super::form::Form;
use super::{TokenEndpoint, TokenRequest};
use crate::fhir::Instant;
use crate::identity::PeerCertificate;
use crate::smart::client::{Client, ClientKind};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A client that may go on.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) client: Client,
    /// `jti` of the assertion, when there was one.
    pub(super) assertion: Option<String>,
}

impl TokenEndpoint {
    /// The client of a request. `named` is the client that something else in the request names (a refresh token), for public apps that
    /// do not name themselves.
    pub(super) async fn client(
        &self,
        request: &TokenRequest<'_>,
        form: &Form,
        named: Option<&str>,
        now: Instant,
    ) -> Result<Known, Denied> {
        let asserted = form.get("client_assertion").is_some() || form.get("client_assertion_type").is_some();
        match request.authorization {
            Some(_) if asserted || form.get("client_secret").is_some() => Err(Denied { basic: true, ..Denied::client("method") }),
            Some(header) => self.by_secret(header, form, request.peer).await,
            None if form.get("client_secret").is_some() => Err(Denied::client("method")),
            None if asserted => self.by_assertion(request, form, now).await.map(Known::proven),
            None => self.named(form.get("client_id").or(named), request.peer).await,
        }
    }

    /// Only an assertion proves a client with keys; secrets and passwords are refused beside it as well (one method a client).
    pub(super) async fn by_assertion(&self, request: &TokenRequest<'_>, form: &Form, now: Instant) -> Result<Proven, Denied> {
        if request.authorization.is_some() {
            return Err(Denied { basic: true, ..Denied::client("method") });
        }
        if form.get("client_secret").is_some() {
            return Err(Denied::client("method"));
        }
        if form.get("client_assertion_type") != Some(ASSERTION_TYPE) {
            return Err(Denied::client("type"));
        }
        let assertion = form.get("client_assertion").ok_or_else(|| Denied::client("missing"))?;
        if form.get("client_id").is_some_and(|told| claimed_client(assertion).as_deref() != Some(told)) {
            return Err(Denied::client("client-id"));
        }
        prove(assertion, (request.peer, request.at), &self.registry, &self.rules, now).await.map_err(|unproven| match unproven {
            Unproven::Refused(why) => Denied::client(why),
            Unproven::Store(fault) => Denied::from(fault),
        })
    }

    /// `client_secret_basic`: both parts are form-encoded before they are joined (RFC 6749 § 2.3.1).
    async fn by_secret(&self, header: &str, form: &Form, peer: Option<&PeerCertificate>) -> Result<Known, Denied> {
        let denied = |why| Denied { basic: true, ..Denied::unknown_client(why) };
        let (id, secret) = basic(header).ok_or_else(|| denied("header"))?;
        if form.get("client_id").is_some_and(|told| told != id) {
            return Err(denied("client-id"));
        }
        let client = self.registry.client(&id).await?.ok_or_else(|| denied("unknown"))?;
        if client.kind != ClientKind::Symmetric {
            return Err(denied("method"));
        }
        if !client.has_secret(&secret) {
            return Err(denied("secret"));
        }
        admitted(client, peer).map_err(denied)
    }

    /// A public app, or a client that its certificate proves (RFC 8705 § 2).
    async fn named(&self, id: Option<&str>, peer: Option<&PeerCertificate>) -> Result<Known, Denied> {
        let id = id.ok_or_else(|| Denied::unknown_client("missing"))?;
        let client = self.registry.client(id).await?.ok_or_else(|| Denied::unknown_client("unknown"))?;
        match &client.tls {
            Some(name) if !peer.is_some_and(|peer| name.is_of(peer)) => return Err(Denied::unknown_client("certificate")),
            None if client.kind != ClientKind::Public => return Err(Denied::unknown_client("method")),
            _ => {}
        }
        admitted(client, peer).map_err(Denied::unknown_client)
    }
}

impl Known {
    pub(super) fn proven(proven: Proven) -> Self {
        Self { client: proven.client, assertion: Some(proven.assertion) }
    }
}

fn admitted(client: Client, peer: Option<&PeerCertificate>) -> Result<Known, &'static str> {
    if let Some(why) = client.is_out() {
        return Err(why);
    }
    match (&client.certificate, peer) {
        (Some(bound), peer) if peer.is_none_or(|peer| peer.thumbprint != *bound) => Err("certificate"),
        _ => Ok(Known { client, assertion: None }),
    }
}

/// `client_id` and secret of an `Authorization: Basic` header.
fn basic(header: &str) -> Option<(String, String)> {
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    Some((crate::fhir::decode(id)?.into_owned(), crate::fhir::decode(secret)?.into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_halves_of_the_basic_header_are_form_encoded() {
        let header = format!("bAsIc {}", STANDARD.encode("my%3Aapp:s+%25"));
        assert_eq!(basic(&header), Some(("my:app".to_owned(), "s %".to_owned())));
        for wrong in ["Basic", "Basic !", "Bearer YTpi", "Basic YQ=="] {
            assert_eq!(basic(wrong), None, "{wrong}");
        }
    }
}
