//! `amanat demo`: everything with synthetic people, on this computer only, without a question.

mod cast;
mod folder;

use super::desk::Desk;
use super::places;
use super::screen::{Failure, Screen, wait};
use super::serve::{HangUp, until_stopped};
use super::synthetic::{APP_PATIENT, DENIED_PATIENT};
use crate::clock::Clock;
use crate::config::{Config, Sources};
use crate::startup::start;
use folder::Folder;
use serde_json::{Value, json};
use std::io::IsTerminal as _;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;

/// The arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: amanat demo --data /tmp/amanat-demo --reset")]
pub(super) struct Demo {
    /// The data folder; below the XDG data folder when absent.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The port of the FHIR API on 127.0.0.1; management is a thousand higher.
    #[arg(long, value_name = "N", default_value_t = 8443)]
    port: u16,
    /// Begin anew: forget what the folder holds.
    #[arg(long)]
    reset: bool,
    /// Greet with JSON only, as when the output is not a terminal.
    #[arg(long)]
    quiet: bool,
}

impl Demo {
    /// Prepares the folder, serves, greets, and waits to be stopped.
    pub(super) fn run(self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let (port, management, mllp) = (free(self.port)?, free(management_port(self.port))?, free(mllp_port(self.port))?);
        let usual = self.data.is_none();
        let folder = Folder::open(&self.data.unwrap_or_else(places::demo_folder), self.reset)?;
        folder.write_settings(port, management, mllp)?;
        let config = Config::load(Sources { file: Some(folder.settings()), ..Sources::default() })?;
        let base = config.server.base_url.as_str().to_owned();
        let settings = config.clone();
        wait(async {
            let running = start(config, Clock::system()).await?;
            let desk = Desk::of(&running.assembly, &settings);
            let story = match folder.story()? {
                Some(story) => story,
                None => begin(&desk).await?,
            };
            let document = json!({
                "base": base,
                "ca_file": folder.authority(),
                "management": format!("http://{}", running.management),
                "mllp": running.mllp.map(|address| address.to_string()),
                "clients": story.get("clients"),
                "users": story.get("users"),
                "tokens": tokens(&desk).await?,
            });
            folder.write_story(&document)?;
            if self.quiet || !std::io::stdout().is_terminal() {
                screen.json(&json!({ "base": base, "ca_file": folder.authority(), "management": document.get("management"), "demo_file": folder.mark() }))?;
            } else {
                greet(&folder, usual, &base, mllp, screen)?;
            }
            screen.out.flush()?;
            until_stopped(running, HangUp::Stops).await
        })
    }
}

const fn management_port(port: u16) -> u16 {
    match port {
        0 => 0,
        1..=64_535 => port + 1000,
        _ => port - 1000,
    }
}

/// 2575, which IANA names for HL7, beside the usual port; else two thousand higher than the other.
const fn mllp_port(port: u16) -> u16 {
    match port {
        0 => 0,
        8443 => 2575,
        1..=63_535 => port + 2000,
        _ => port - 2000,
    }
}

/// The port itself when it can be listened on; for 0, a free one, because links must name it before anybody listens.
fn free(port: u16) -> Result<u16, Failure> {
    let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).and_then(|listener| listener.local_addr());
    bound.map(|address| address.port()).map_err(|error| {
        Failure::Failed(format!("port {port} cannot be used: {error}. Is another demo running? Choose one with --port N"))
    })
}

/// Loads the people and registers the clients. Gives the parts of `demo.json` that stay.
async fn begin(desk: &Desk) -> Result<Value, Failure> {
    desk.load_demo(super::synthetic::bundles()).await?;
    let mut shown = serde_json::Map::new();
    for member in cast::clients()? {
        let client = member.client;
        if member.shown {
            let redirect = client.redirect_uris.first();
            let told = json!({ "client_id": client.id, "jwk": member.private, "redirect_uri": redirect, "scope": client.scopes });
            shown.insert(client.id.clone(), told);
        }
        desk.add_client(client).await?;
    }
    let mut users = serde_json::Map::new();
    for (name, account, password) in cast::users()? {
        desk.add_user(&account).await?;
        desk.set_password(&account.username, &password).await?;
        users.insert(name.to_owned(), json!({ "username": account.username, "password": password, "fhirUser": account.user }));
    }
    Ok(json!({ "clients": shown, "users": users }))
}

/// Tokens that can be used at once.
async fn tokens(desk: &Desk) -> Result<Value, Failure> {
    let mut tokens = serde_json::Map::new();
    for (name, wish) in cast::wishes() {
        tokens.insert(name.to_owned(), desk.issue(&wish).await?.into());
    }
    Ok(tokens.into())
}

fn greet(folder: &Folder, usual: bool, base: &str, mllp: u16, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let (program, version) = (places::program(), env!("CARGO_PKG_VERSION"));
    let path = |path: PathBuf| places::quoted(&path.display().to_string());
    let (ca, settings) = (path(folder.authority()), path(folder.settings()));
    let config = if usual { String::new() } else { format!(" --config {settings}") };
    let curl =
        |client: &str| format!("curl --cacert {ca} -H \"Authorization: Bearer $({program} token --client {client}{config})\"");
    let (refused, app_patient) = (DENIED_PATIENT, APP_PATIENT);
    let result = format!(
        r#"{{"resourceType":"Observation","status":"final","code":{{"text":"Haemoglobin"}},"subject":{{"reference":"Patient/{app_patient}"}},"valueQuantity":{{"value":13.20,"unit":"g/dL"}}}}"#
    );
    screen.line(format_args!("amanat {version}  DEMO: synthetic people only, this computer only"))?;
    screen.line(format_args!("  settings {settings}"))?;
    screen.line(format_args!("  data     {}   (elsewhere with --data DIR, fresh with --reset)", path(folder.path())))?;
    screen.line(format_args!("  FHIR     {base}"))?;
    screen.line(format_args!("  HL7 v2   MLLP in TLS at localhost:{mllp}, with the certificate lab-cert.pem"))?;
    screen.line(format_args!("  TLS      own authority: {ca}"))?;
    screen.line(format_args!("  scripts  keys, users and ready tokens: {}", path(folder.mark())))?;
    let origin = base.trim_end_matches("/fhir");
    screen
        .line(format_args!("  apps     {origin}/demo   (launch from an EHR, register an app; sign in with the users above)"))?;
    screen.line("\nTry:")?;
    screen.line(format_args!(" 1  {} \"{base}/Patient?_count=2\"", curl("hospital")))?;
    screen.line(format_args!(" 2  {} {base}/Patient/{refused}   # refused the hospital: as if absent", curl("hospital")))?;
    screen.line(format_args!(
        " 3  {} -H 'Content-Type: application/fhir+json' -d '{result}' {base}/Observation   # the lab reports",
        curl("lab")
    ))?;
    screen.line(format_args!("\nStop: Ctrl-C.   Something wrong?  {program} doctor --config {settings}"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{free, management_port};

    #[test]
    fn ports_are_found_before_links_name_them() {
        assert_eq!((management_port(8443), management_port(65_000), management_port(0)), (9443, 64_000, 0));
        let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        assert!(free(taken.local_addr().unwrap().port()).is_err());
        assert_ne!(free(0).unwrap(), 0);
    }
}
