//! `amanat client add|list|disable`

use super::desk::Desk;
use super::places;
use super::screen::{Failure, Screen, wait};
use super::smart_desk::Approval;
use crate::smart;
use crate::smart::ClientKeys;
use crate::startup::fingerprint;
use clap::Subcommand;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// The arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: amanat client list --json")]
pub(super) struct Client {
    #[command(subcommand)]
    action: Action,
    /// The file of settings.
    #[arg(long, global = true, value_name = "FILE", env = "AMANAT_CONFIG")]
    config: Option<PathBuf>,
    /// Answer with JSON.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Register a client.
    #[command(after_help = "Example: amanat client add lab-a --scope \"system/Observation.c\" --jwks lab-a.json")]
    Add(Box<Add>),
    /// Every client.
    #[command(after_help = "Example: amanat client list --json")]
    List,
    /// Admit a client that registered itself: from now on it gets tokens.
    #[command(
        after_help = "Example: amanat client approve 4b1d8c7e-9d1e-4f0c-8d0a-2f6f6c8f5a11 --organization Organization/lab-a"
    )]
    Approve {
        /// `client_id`
        id: String,
        /// The organization it acts for, such as Organization/lab-a.
        #[arg(long, value_name = "REFERENCE")]
        organization: Option<String>,
        /// A purpose of use that it may act for, such as TREAT; may be repeated.
        #[arg(long, value_name = "CODE")]
        purpose: Vec<String>,
        /// Scopes it may ask for, when they are to be fewer than it asked for, space-separated.
        #[arg(long)]
        scope: Option<String>,
        /// You answer for the app: the consent page says so.
        #[arg(long)]
        vetted: bool,
    },
    /// Disable a client: it gets no token any more, and those it has are refused.
    #[command(after_help = "Example: amanat client disable lab-a")]
    Disable {
        /// `client_id`
        id: String,
    },
}

#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
struct Add {
    /// `client_id`
    id: String,
    /// What people read; the id when absent.
    #[arg(long)]
    name: Option<String>,
    /// Scopes it may ask for, space-separated.
    #[arg(long)]
    scope: String,
    /// Its public keys: a file with a JWKS or a JWK.
    #[arg(long, value_name = "FILE", conflicts_with = "jwks_uri")]
    jwks: Option<PathBuf>,
    /// Where its public keys are.
    #[arg(long, value_name = "URL")]
    jwks_uri: Option<String>,
    /// Where an app gets its answers; may be repeated. With keys it is an app with a server that has a key, without keys and without
    /// --secret a public app.
    #[arg(long, value_name = "URL")]
    redirect_uri: Vec<String>,
    /// Where an EHR opens the app; may be repeated.
    #[arg(long, value_name = "URL")]
    launch_uri: Vec<String>,
    /// An app with a server that keeps a secret. The secret is printed once.
    #[arg(long, conflicts_with_all = ["jwks", "jwks_uri"], requires = "redirect_uri")]
    secret: bool,
    /// You answer for the app: the consent page says so.
    #[arg(long)]
    vetted: bool,
    /// The organization it acts for, such as Organization/lab-a.
    #[arg(long, value_name = "REFERENCE")]
    organization: Option<String>,
    /// A purpose of use that it may act for, such as TREAT; may be repeated.
    #[arg(long, value_name = "CODE")]
    purpose: Vec<String>,
    /// The issuer of its tokens, when that is not this gateway: its keys and scopes are that issuer's matter.
    #[arg(long, value_name = "URL", conflicts_with_all = ["jwks", "jwks_uri", "redirect_uri"])]
    issuer: Option<String>,
    /// The client certificate that it must show, PEM.
    #[arg(long, value_name = "FILE")]
    certificate: Option<PathBuf>,
    /// Let it name new records itself, by PUT to an id that is free. For a system of record that loads what it has; whoever may do
    /// this can find out which ids are taken.
    #[arg(long)]
    may_choose_ids: bool,
    /// The security profile that it is held to: smart, udap or fapi2.
    #[arg(long, value_name = "PROFILE", default_value = "smart", value_parser = profile)]
    profile: smart::Profile,
    /// Bind its tokens to a key always: every request for one needs a proof (DPoP).
    #[arg(long)]
    proves_keys: bool,
    /// Bind its tokens to the certificate that it connects with.
    #[arg(long)]
    shows_certificate: bool,
    /// It authenticates with its certificate, which has this subject, such as "CN=lab-a, O=Hospital".
    #[arg(long, value_name = "NAME", conflicts_with_all = ["jwks", "jwks_uri", "secret"])]
    tls_subject: Option<String>,
    /// It authenticates with exactly this certificate, PEM.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["jwks", "jwks_uri", "secret", "tls_subject"])]
    tls_certificate: Option<PathBuf>,
}

fn profile(text: &str) -> Result<smart::Profile, String> {
    smart::Profile::parse(text).ok_or_else(|| "write smart, udap or fapi2".to_owned())
}

impl Client {
    /// Changes or tells the registry.
    pub(super) fn run(self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let config = places::settings(self.config.as_deref())?;
        let json = self.json;
        wait(async {
            let desk = Desk::open(&config).await?;
            let result = match self.action {
                Action::Add(add) => {
                    let (client, secret) = add.client()?;
                    added(&desk, client, secret, json, screen).await
                }
                Action::List => list(&desk, json, screen).await,
                Action::Approve { id, organization, purpose, scope, vetted } => {
                    let grant = Approval { organization, purposes: purpose, scope, vetted };
                    approved(&desk, &id, grant, json, screen).await
                }
                Action::Disable { id } => disabled(&desk, &id, json, screen).await,
            };
            desk.close().await;
            result
        })
    }
}

impl Add {
    fn client(self) -> Result<(smart::Client, Option<String>), Failure> {
        let name = self.name.unwrap_or_else(|| self.id.clone());
        let keys = match (self.jwks, self.jwks_uri) {
            (Some(file), _) => ClientKeys::Jwks(key_set(&file)?),
            (None, Some(uri)) => ClientKeys::JwksUri(uri),
            (None, None) => ClientKeys::None,
        };
        let tls = match (self.tls_subject, self.tls_certificate) {
            (Some(name), _) => Some(smart::TlsName::SubjectDn(name)),
            (None, Some(file)) => Some(smart::TlsName::Itself(certificate_digest(&file)?)),
            (None, None) => None,
        };
        let (id, redirects) = (&self.id, self.redirect_uri);
        let mut secret = None;
        let client = match keys {
            ClientKeys::None if self.issuer.is_some() => smart::Client::app(id, &name, Vec::new(), &self.scope),
            ClientKeys::None if tls.is_some() && redirects.is_empty() => {
                smart::Client::backend(id, &name, ClientKeys::None, &self.scope)
            }
            ClientKeys::None if tls.is_some() => smart::Client::asymmetric(id, &name, ClientKeys::None, redirects, &self.scope),
            ClientKeys::None if redirects.is_empty() => {
                let text = "a client needs keys (--jwks, --jwks-uri) or, as an app, --redirect-uri";
                return Err(Failure::Usage(text.to_owned()));
            }
            ClientKeys::None if self.secret => {
                let made = smart::Client::symmetric(id, &name, redirects, &self.scope);
                let (client, shown) = made.map_err(|fault| Failure::Failed(fault.to_string()))?;
                secret = Some(shown);
                client
            }
            ClientKeys::None => smart::Client::app(id, &name, redirects, &self.scope),
            keys if redirects.is_empty() => smart::Client::backend(id, &name, keys, &self.scope),
            keys => smart::Client::asymmetric(id, &name, keys, redirects, &self.scope),
        };
        let certificate = self.certificate.as_deref().map(certificate_digest).transpose()?;
        let client = smart::Client {
            issuer: self.issuer,
            organization: self.organization,
            purposes: self.purpose,
            certificate,
            may_choose_ids: self.may_choose_ids,
            launch_uris: self.launch_uri,
            vetted: self.vetted,
            profile: self.profile,
            tls,
            proves_keys: self.proves_keys,
            shows_certificate: self.shows_certificate,
            ..client
        };
        Ok((client, secret))
    }
}

/// Reads a JWKS; a single JWK becomes a set of one. A private key is refused: it should never have left its owner.
fn key_set(file: &Path) -> Result<Value, Failure> {
    let wrong = |why: &str| Failure::Usage(format!("`{}`: {why}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| wrong(&error.to_string()))?;
    let found: Value = serde_json::from_str(&text).map_err(|error| wrong(&error.to_string()))?;
    let set = if found.get("keys").is_some() { found } else { json!({ "keys": [found] }) };
    let keys = set.get("keys").and_then(Value::as_array).filter(|keys| !keys.is_empty()).ok_or_else(|| wrong("holds no keys"))?;
    if keys.iter().any(|key| key.get("kty").is_none()) {
        return Err(wrong("is neither a JWKS nor a JWK"));
    }
    if keys.iter().any(|key| key.get("d").is_some() || key.get("k").is_some()) {
        return Err(wrong("holds a private or symmetric key; register the public one, and change this one, which was shown"));
    }
    Ok(set)
}

fn certificate_digest(file: &Path) -> Result<String, Failure> {
    fingerprint(file).map_err(|error| Failure::Usage(error.to_string()))
}

async fn added(
    desk: &Desk,
    client: smart::Client,
    secret: Option<String>,
    json: bool,
    screen: &mut Screen<'_>,
) -> Result<(), Failure> {
    desk.add_client(client.clone()).await?;
    if json {
        let secret = secret.map_or_else(|| json!({}), |secret| json!({ "client_secret": secret }));
        let mut told = json!({ "added": smart::Client { secret: None, ..client } });
        if let (Some(told), Some(secret)) = (told.as_object_mut(), secret.as_object()) {
            told.extend(secret.clone());
        }
        screen.json(&told)?;
    } else {
        screen.line(format_args!("added `{}`: {}", client.id, client.scopes))?;
        if let Some(secret) = secret {
            screen.line(format_args!("its secret, shown this once: {secret}"))?;
        }
    }
    Ok(())
}

async fn list(desk: &Desk, json: bool, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let clients = desk.list_clients().await?;
    if json {
        let clients: Vec<_> = clients.into_iter().map(|client| smart::Client { secret: None, ..client }).collect();
        screen.json(&json!({ "clients": clients }))?;
        return Ok(());
    }
    let width = clients.iter().map(|client| client.id.len()).max().unwrap_or(0).max(9);
    screen.line(format_args!("{:width$}  {:8}  SCOPE", "CLIENT_ID", "STATE"))?;
    for client in clients {
        let state = if client.disabled {
            "disabled"
        } else if client.waits() {
            "pending"
        } else {
            "enabled"
        };
        screen.line(format_args!("{:width$}  {state:8}  {}", client.id, client.scopes))?;
        if let Some(days) = client.old_keys(desk.now()) {
            let whom = client.enrolled.as_ref().map(|one| one.contacts.join(", ")).filter(|whom| !whom.is_empty());
            let whom = whom.unwrap_or_else(|| "its owner".to_owned());
            screen.line(format_args!("{:width$}  its keys have been the same for {days} days: ask {whom} for new ones", ""))?;
        }
    }
    Ok(())
}

async fn approved(desk: &Desk, id: &str, grant: Approval, json: bool, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let client = desk.approve_client(id, grant).await?;
    if json {
        screen.json(&json!({ "approved": smart::Client { secret: None, ..client } }))?;
    } else {
        screen.line(format_args!("approved `{id}`: {}", client.scopes))?;
    }
    Ok(())
}

async fn disabled(desk: &Desk, id: &str, json: bool, screen: &mut Screen<'_>) -> Result<(), Failure> {
    if !desk.disable_client(id).await? {
        return Err(Failure::Failed(format!("there is no client `{id}`")));
    }
    if json {
        screen.json(&json!({ "disabled": id }))?;
    } else {
        screen.line(format_args!("disabled `{id}`"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::key_set;

    #[test]
    fn a_private_key_is_never_registered() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key.json");
        std::fs::write(&file, r#"{"kty":"EC","crv":"P-384","x":"a","y":"b"}"#).unwrap();
        assert_eq!(key_set(&file).unwrap()["keys"].as_array().unwrap().len(), 1);
        for text in [r#"{"keys":[{"kty":"EC","d":"secret"}]}"#, r#"{"keys":[]}"#, "{}", "no"] {
            std::fs::write(&file, text).unwrap();
            assert_eq!(key_set(&file).unwrap_err().code(), 2, "{text}");
        }
    }
}
