//! What the gateway shows of itself to the server behind.

use super::super::fault::Fault;
use super::super::settings::Credentials;
use super::hands::{Hands, Head};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use hyper::{Request, StatusCode};
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// A token that has less than this left is not used any more.
const MARGIN: Duration = Duration::from_secs(30);
/// Bytes of the token endpoint's answer.
const LARGEST: usize = 64 << 10;

/// Keeps the token that is in use.
pub(super) struct Badge {
    credentials: Credentials,
    token: Mutex<Option<(String, Instant)>>,
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    #[serde(default)]
    expires_in: Option<u64>,
}

impl Badge {
    pub(super) fn new(credentials: Credentials) -> Self {
        Self { credentials, token: Mutex::new(None) }
    }

    /// The `Authorization` header of the next request.
    pub(super) async fn header(&self, hands: &Hands) -> Result<Option<HeaderValue>, Fault> {
        let text = match &self.credentials {
            Credentials::None => return Ok(None),
            Credentials::Basic(user, password) => {
                format!("Basic {}", STANDARD.encode(format!("{user}:{}", password.expose_secret())))
            }
            Credentials::BearerFile(file) => {
                let unreadable = |fault| Fault::Unreachable(format!("the token file `{}`: {fault}", file.display()));
                format!("Bearer {}", std::fs::read_to_string(file).map_err(unreadable)?.trim())
            }
            Credentials::Backend { .. } => format!("Bearer {}", self.granted(hands).await?),
        };
        let mut value =
            HeaderValue::try_from(text).map_err(|_| Fault::Unreachable("the credentials are no header".to_owned()))?;
        value.set_sensitive(true);
        Ok(Some(value))
    }

    /// The server did not accept it: the next request gets a new one.
    pub(super) async fn refused(&self) {
        *self.token.lock().await = None;
    }

    async fn granted(&self, hands: &Hands) -> Result<String, Fault> {
        let mut kept = self.token.lock().await;
        if let Some((token, until)) = &*kept
            && Instant::now() + MARGIN < *until
        {
            return Ok(token.clone());
        }
        let granted = self.ask(hands).await?;
        let life = Duration::from_secs(granted.expires_in.unwrap_or(60).min(3600));
        *kept = Some((granted.access_token.clone(), Instant::now() + life));
        Ok(granted.access_token)
    }

    async fn ask(&self, hands: &Hands) -> Result<Granted, Fault> {
        let Credentials::Backend { token_url, scope, assertion } = &self.credentials else {
            return Err(Fault::Unreachable("no token endpoint".to_owned()));
        };
        let assertion = assertion(token_url).map_err(Fault::Unreachable)?;
        let form = [
            ("grant_type", "client_credentials"),
            ("scope", scope),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", &assertion),
        ];
        let form: Vec<String> = form.iter().map(|(name, value)| format!("{name}={}", crate::fhir::encode(value))).collect();
        let request = Request::post(token_url)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(ACCEPT, "application/json")
            .body(Full::new(Bytes::from(form.join("&"))))
            .map_err(|fault| Fault::Unreachable(fault.to_string()))?;
        let Head { status, mut body, .. } = hands.send(request).await?;
        if status != StatusCode::OK.as_u16() {
            return Err(Fault::Unreachable(format!("the token endpoint answered with status {status}")));
        }
        let mut bytes = Vec::new();
        while let Some(piece) = body.next().await {
            bytes.extend_from_slice(&piece?);
            if bytes.len() > LARGEST {
                return Err(Fault::wrong("the token endpoint's answer is too large"));
            }
        }
        serde_json::from_slice(&bytes).map_err(|_| Fault::wrong("the token endpoint's answer is no token"))
    }
}
