//! `amanat token`

use super::desk::{Desk, Wish};
use super::places;
use super::screen::{Failure, Screen, wait};
use std::path::PathBuf;

/// The arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: amanat token --client app --patient p01 --scope \"patient/*.rs\"")]
pub(super) struct Token {
    /// `client_id` of a registered client.
    #[arg(long)]
    client: String,
    /// Scopes, space-separated; all of the client when absent.
    #[arg(long)]
    scope: Option<String>,
    /// The patient of the launch: a logical id.
    #[arg(long, value_name = "ID")]
    patient: Option<String>,
    /// The person that acts, such as Practitioner/doctor.
    #[arg(long, value_name = "REFERENCE")]
    user: Option<String>,
    /// Purpose of use, such as TREAT.
    #[arg(long, value_name = "CODE")]
    purpose: Option<String>,
    /// The file of settings; the demo's when there is no other.
    #[arg(long, value_name = "FILE", env = "AMANAT_CONFIG")]
    config: Option<PathBuf>,
}

impl Token {
    /// Prints the token.
    pub(super) fn run(self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let config = places::settings(self.config.as_deref())?;
        let wish = Wish { client: self.client, scope: self.scope, patient: self.patient, user: self.user, purpose: self.purpose };
        let token = wait(async {
            let desk = Desk::open(&config).await?;
            let token = desk.issue(&wish).await;
            desk.close().await;
            token
        })?;
        Ok(screen.line(token)?)
    }
}
