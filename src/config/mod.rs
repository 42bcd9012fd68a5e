//! Settings, parsed once into types. Precedence: flags, then `AMANAT_SECTION__KEY`, then the file, then defaults.

mod alarms;
mod audit;
mod base_url;
mod consents;
mod emergency;
mod lab;
mod labels;
mod mail;
mod providers;
mod sections;
mod settings;
mod smart;
mod store;
#[cfg(test)]
mod tests;
mod udap;
mod upstream;

pub use alarms::Alarms;
pub use audit::{Audit, Checkpoints, Feed, FeedFormat, Retention, Spool, Target};
pub use base_url::BaseUrl;
pub use emergency::Emergency;
pub use lab::{Feed as LabFeed, Lab, Subscriber, read_tables};
pub use mail::{Mail, MailTls};
pub use sections::{Exposure, Issuer, JwksSource, Limits, Server, Tls};
pub use settings::Effective;
pub use smart::{Registration, Smart, StepUp};
pub use store::{Space, Store};
pub use udap::Community;
pub use upstream::{Compartments, ConsentsAt, OtherUpstream, Upstream, UpstreamAuth, UpstreamBounds};

use crate::consent::{ConsentSettings, Labelling};
use settings::Settings;
use std::fmt;
use std::path::{Path, PathBuf};

/// Everything that the operator decides.
#[derive(Debug, Clone)]
pub struct Config {
    /// `[server]`
    pub server: Server,
    /// `[tls]`; absent only on loopback.
    pub tls: Option<Tls>,
    /// `[store]`
    pub store: Store,
    /// `[[issuers]]`
    pub issuers: Vec<Issuer>,
    /// `[consent]`
    pub consent: ConsentSettings,
    /// `[consent.break_glass]`, as far as it says who may have it, and why.
    pub emergency: Emergency,
    /// `consent.purpose_required`: a token without any purpose of use is refused.
    pub purpose_required: bool,
    /// What records are labelled by: `consent.label_rules`, `consent.local_sensitivities`, `consent.time_zone`.
    pub labelling: Labelling,
    /// `[lab]`
    pub lab: Lab,
    /// `[audit]`
    pub audit: Audit,
    /// `[alarms]`
    pub alarms: Alarms,
    /// `[limits]`
    pub limits: Limits,
    /// `[smart]`
    pub smart: Smart,
    /// `[[udap.communities]]`
    pub communities: Vec<Community>,
    /// Every value in effect and where it came from.
    pub effective: Vec<Effective>,
}

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nobody said anything.
    Default,
    /// A line of a file.
    File {
        /// The file, as it was named.
        file: PathBuf,
        /// From 1.
        line: usize,
    },
    /// A variable of the environment.
    Environment(String),
    /// A flag of the command line.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { file, line } => write!(f, "{}:{line}", file.display()),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Flag(flag) => write!(f, "flag {flag}"),
        }
    }
}

/// One thing that is wrong with the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Dotted key.
    pub key: String,
    /// Who said it.
    pub origin: Origin,
    /// What is wrong, to be read after the key.
    pub text: String,
    /// The key that was probably meant.
    pub suggestion: Option<String>,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}", self.key, self.text)?;
        if self.origin != Origin::Default {
            write!(f, " ({})", self.origin)?;
        }
        self.suggestion.iter().try_for_each(|meant| write!(f, "; did you mean `{meant}`?"))
    }
}

/// Why there is no configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read, or is not TOML.
    #[error("`{}` cannot be used: {text}", file.display())]
    File {
        /// Which.
        file: PathBuf,
        /// Why, with the place.
        text: String,
    },
    /// Wrong or unknown settings, all of them.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Faults(Vec<Fault>),
}

/// Where settings are looked for.
#[derive(Debug, Default)]
pub struct Sources {
    /// The file, when there is one.
    pub file: Option<PathBuf>,
    /// Variables, of which those named `AMANAT_SECTION__KEY` count.
    pub environment: Vec<(String, String)>,
    /// Key, flag and value of what the command line says.
    pub flags: Vec<(&'static str, &'static str, String)>,
}

impl Sources {
    /// This file and the environment of the process.
    pub fn file_and_environment(file: &Path) -> Self {
        Self { file: Some(file.to_owned()), environment: std::env::vars().collect(), flags: Vec::new() }
    }
}

impl Config {
    /// The name of the log in the checkpoints of the trail.
    pub fn trail_origin(&self) -> String {
        let base = self.server.base_url.as_str();
        self.audit.origin.clone().unwrap_or_else(|| base.split_once("://").map_or(base, |(_, place)| place).to_owned())
    }

    /// Reads and checks the settings.
    ///
    /// # Errors
    /// [`ConfigError`] with everything that is wrong.
    pub fn load(sources: Sources) -> Result<Self, ConfigError> {
        let mut settings = Settings::default();
        if let Some(file) = &sources.file {
            settings.read_file(file)?;
        }
        settings.read_environment(sources.environment);
        for (key, flag, text) in sources.flags {
            settings.read_flag(key, flag, text);
        }
        let config = sections::read(&mut settings);
        let effective = settings.finish()?;
        // Every section that could not be read has left a fault, so there is a configuration when there is none.
        config.map(|config| Self { effective, ..config }).ok_or_else(|| ConfigError::Faults(Vec::new()))
    }
}
