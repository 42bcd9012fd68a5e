//! Where the program writes, and how it ends.

use crate::config::ConfigError;
use crate::startup::StartError;
use std::fmt::Display;
use std::future::Future;
use std::io::{self, Write};
use std::path::Path;

/// Standard output and standard error.
pub(super) struct Screen<'a> {
    /// What was asked for.
    pub(super) out: &'a mut dyn Write,
    /// What went wrong.
    pub(super) err: &'a mut dyn Write,
}

/// Why a subcommand did not end well.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// Exit code 1.
    #[error("{0}")]
    Failed(String),
    /// Exit code 2.
    #[error("{0}")]
    Usage(String),
    /// Exit code 3: a check found something, and has said it.
    #[error("something was found")]
    Found,
}

impl Failure {
    /// Something failed: what was tried, and why.
    pub(super) fn of(tried: impl Display, why: impl Display) -> Self {
        Self::Failed(format!("{tried}: {why}"))
    }

    /// A file or folder could not be used.
    pub(super) fn file(path: &Path, why: impl Display) -> Self {
        Self::of(format_args!("`{}`", path.display()), why)
    }

    /// The exit code.
    pub(super) const fn code(&self) -> u8 {
        match self {
            Self::Failed(_) => 1,
            Self::Usage(_) => 2,
            Self::Found => 3,
        }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::Usage(error.to_string())
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

impl Screen<'_> {
    /// Writes a line.
    ///
    /// # Errors
    /// When the other side is gone.
    pub(super) fn line(&mut self, text: impl Display) -> io::Result<()> {
        writeln!(self.out, "{text}")
    }

    /// Writes a document for programs.
    ///
    /// # Errors
    /// When the other side is gone.
    pub(super) fn json(&mut self, document: &serde_json::Value) -> io::Result<()> {
        writeln!(self.out, "{document:#}")
    }

    /// Tells a failure and gives its exit code.
    pub(super) fn end(&mut self, failure: &Failure) -> u8 {
        if !matches!(failure, Failure::Found) {
            drop(writeln!(self.err, "amanat: {failure}"));
        }
        failure.code()
    }
}

/// Runs a future to its end on this thread.
///
/// # Errors
/// When the system gives no runtime, or the future fails.
pub(super) fn wait<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}
