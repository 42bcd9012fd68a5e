//! `amanat init`: a folder for a real gateway. It never replaces a file.

use super::certificates;
use super::places::{self, SETTINGS};
use super::screen::{Failure, Screen};
use crate::clock::Clock;
use crate::config::{BaseUrl, Config, Sources};
use crate::fhir::Id;
use serde::Deserialize;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// The arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: amanat init --folder /var/lib/amanat --host fhir.clinic.example")]
pub(super) struct Init {
    /// Where to put everything.
    #[arg(long, value_name = "DIR", default_value = ".")]
    folder: PathBuf,
    /// Answers in a TOML file (host, listen, certificate, key, store, `implicit_policy`); flags win over it.
    #[arg(long, value_name = "FILE")]
    answers: Option<PathBuf>,
    #[command(flatten)]
    flags: Answers,
}

/// What there is to decide. Each has a default.
#[derive(Debug, Default, Clone, Deserialize, clap::Args)]
#[serde(deny_unknown_fields)]
struct Answers {
    /// The name that partners use [default: localhost].
    #[arg(long, value_name = "NAME")]
    host: Option<String>,
    /// Where to listen [default: port 8443, on every address unless the host is localhost].
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// An existing certificate chain, PEM [default: an own authority makes one].
    #[arg(long, value_name = "FILE", requires = "key")]
    certificate: Option<PathBuf>,
    /// Its private key, PEM.
    #[arg(long, value_name = "FILE", requires = "certificate")]
    key: Option<PathBuf>,
    /// The record store [default: sqlite:amanat.db].
    #[arg(long, value_name = "URL")]
    store: Option<String>,
    /// What holds without a consent: Policy-deny, Policy-break-glass-only, Policy-basic-normal, Policy-all-normal [default: Policy-deny].
    #[arg(long, value_name = "POLICY")]
    implicit_policy: Option<String>,
}

impl Answers {
    fn or(self, other: Self) -> Self {
        Self {
            host: self.host.or(other.host),
            listen: self.listen.or(other.listen),
            certificate: self.certificate.or(other.certificate),
            key: self.key.or(other.key),
            store: self.store.or(other.store),
            implicit_policy: self.implicit_policy.or(other.implicit_policy),
        }
    }
}

impl Init {
    /// Writes the folder and says what is next.
    pub(super) fn run(self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let answers = match &self.answers {
            Some(file) => self.flags.or(read_answers(file)?),
            None => self.flags,
        };
        let host = answers.host.clone().unwrap_or_else(|| "localhost".to_owned());
        let local = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        let default_listen = if local { "127.0.0.1:8443" } else { "0.0.0.0:8443" };
        let listen = answers.listen.clone().unwrap_or_else(|| default_listen.to_owned());
        let base_url = base_url(&host, &listen)?;
        let own_files = answers.certificate.as_deref().zip(answers.key.as_deref());
        if answers.certificate.is_some() != answers.key.is_some() {
            return Err(Failure::Usage("certificate and key go together".to_owned()));
        }
        let pair = own_files.map_or((Path::new("cert.pem"), Path::new("key.pem")), |own| own);
        let pair = (absolute_unless_ours(pair.0, own_files.is_some())?, absolute_unless_ours(pair.1, own_files.is_some())?);
        let text = settings_text(&base_url, &listen, &pair, &answers);
        places::make_folder(&self.folder)?;
        let mut files = vec![(SETTINGS, text)];
        if own_files.is_none() {
            let names = if local { vec![host, "127.0.0.1".to_owned(), "::1".to_owned()] } else { vec![host] };
            let issued = certificates::issue("Amanat certificate authority", &names, &[], Clock::system().now())?;
            files.extend([("ca.pem", issued.authority), ("cert.pem", issued.certificate), ("key.pem", issued.key)]);
        }
        if let Some((taken, _)) = files.iter().find(|(name, _)| self.folder.join(name).exists()) {
            return Err(Failure::Usage(format!("`{}` exists; nothing is replaced", self.folder.join(taken).display())));
        }
        for (name, text) in &files {
            places::write_private(&self.folder.join(name), text, true)?;
        }
        let file = self.folder.join(SETTINGS);
        Config::load(Sources { file: Some(file.clone()), ..Sources::default() })?;
        next_steps(&file, own_files.is_none(), screen)
    }
}

fn read_answers(file: &Path) -> Result<Answers, Failure> {
    let wrong = |why: &dyn std::fmt::Display| Failure::Usage(format!("`{}`: {why}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| wrong(&error))?;
    toml::from_str(&text).map_err(|error| wrong(&error))
}

/// The FHIR base: 443 is not written.
fn base_url(host: &str, listen: &str) -> Result<BaseUrl, Failure> {
    let port = listen.rsplit_once(':').map_or("8443", |(_, port)| port);
    let host = if host.parse::<std::net::Ipv6Addr>().is_ok() { format!("[{host}]") } else { host.to_owned() };
    let port = if port == "443" { String::new() } else { format!(":{port}") };
    let text = format!("https://{host}{port}/fhir");
    BaseUrl::parse(&text).map_err(|why| Failure::Usage(format!("`{text}` {why}")))
}

/// Paths that were named start at the current folder, not at the new one.
fn absolute_unless_ours(path: &Path, named: bool) -> Result<PathBuf, Failure> {
    if named { std::path::absolute(path).map_err(|error| Failure::file(path, error)) } else { Ok(path.to_owned()) }
}

fn settings_text(base_url: &BaseUrl, listen: &str, pair: &(PathBuf, PathBuf), answers: &Answers) -> String {
    let text = |value: &str| toml::Value::String(value.to_owned()).to_string();
    let path = |path: &Path| text(&path.display().to_string());
    format!(
        r#"# Settings of this gateway. Each can also be set by a variable such as AMANAT_SERVER__LISTEN.
# Relative paths start at the folder of this file. Check it with: amanat doctor --config <this file>

[server]
# Where the gateway listens.
listen = {listen}
# The address that partners and apps use; every link in an answer begins with it.
base_url = {base_url}
# Health and metrics, for this computer only.
management_listen = "127.0.0.1:9443"
# Browser apps that may read answers: cors_origins = ["https://app.example"]

[tls]
# Replaced files are taken up within a second, without a restart.
certificate = {certificate}
key = {key}
# Partners with certificates of these authorities: client_ca = "partners.pem"

[store]
url = {store}

# Another server whose access tokens are accepted. May be repeated.
# [[issuers]]
# issuer = "https://idp.example"
# audience = [{base_url}]
# jwks_uri = "https://idp.example/jwks"      # or jwks_file = "jwks.json"
# algorithms = ["RS384", "ES384"]
# update_as_create = true                    # its clients may PUT new records under ids of their own

[consent]
# What holds for a patient who has said nothing:
# Policy-deny, Policy-break-glass-only, Policy-basic-normal, Policy-all-normal
implicit_policy = {policy}
# Rules that label records by their codes; fhir-profiles/labels/default.toml is one to begin with.
# label_rules = "labels.toml"
# The zone in which a date without time is a day.
# time_zone = "UTC"

[audit]
# The name of this gateway in the trail.
node = {node}

# [limits]
# body_bytes = 10485760
# bundle_bytes = 67108864
# page_default = 20
# page_max = 1000
# requests_per_second = 0                    # of one client; 0 is no bound

# [smart]
# token_lifetime_seconds = 300
"#,
        listen = text(listen),
        base_url = text(base_url.as_str()),
        certificate = path(&pair.0),
        key = path(&pair.1),
        store = text(answers.store.as_deref().unwrap_or("sqlite:amanat.db")),
        policy = text(answers.implicit_policy.as_deref().unwrap_or("Policy-deny")),
        node = text(node(base_url.host())),
    )
}

/// A name for the trail: the host, or its first label where that is too long, or where the host is a bare IPv6 address.
fn node(host: &str) -> &str {
    let fits = |name: &&str| name.len() <= 20 && Id::parse(name).is_some();
    let label = host.split('.').next().filter(fits);
    Some(host).filter(fits).or(label).unwrap_or("amanat")
}

fn next_steps(file: &Path, own_authority: bool, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let (program, file) = (places::program(), places::quoted(&file.display().to_string()));
    screen.line(format_args!("written: {file}"))?;
    if own_authority {
        screen.line("Clients must trust ca.pem. Its private key was not kept: nothing else can be signed with it.")?;
    }
    screen.line("Next:")?;
    screen.line(format_args!(" 1  {program} doctor --config {file}"))?;
    screen.line(format_args!(" 2  {program} serve --config {file}"))?;
    screen.line(format_args!(" 3  {program} client add --help"))?;
    Ok(())
}
