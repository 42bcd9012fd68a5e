//! The program's subcommands, one file each. Output goes through a writer; nothing here decides about records.

mod audit;
mod break_glass;
mod certificates;
mod client;
mod demo;
mod desk;
mod doctor;
mod explain;
mod import;
mod incident;
mod init;
mod keys;
mod lab;
mod lab_desk;
mod people;
mod places;
mod screen;
pub mod selftest;
mod serve;
mod smart_desk;
pub mod synthetic;
#[cfg(test)]
mod tests;
mod token;
mod user;

use clap::{Parser, Subcommand};
use screen::Screen;
use std::ffi::OsString;
use std::io::Write;

/// Exchange FHIR R4 records: one decision on every path, nothing leaves unaudited.
#[derive(Debug, Parser)]
#[command(name = "amanat", version, disable_help_subcommand = true, help_template = ON_A_SCREEN, after_help = EXIT_CODES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

/// As usual, without lines between what it is, how it is used and the commands.
const ON_A_SCREEN: &str = "{about-with-newline}{usage-heading} {usage}\n{all-args}{after-help}";

const EXIT_CODES: &str = "Exit codes: 0 done, 1 failed, 2 bad usage or configuration, 3 a check found something.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Try everything with synthetic people, on this computer only.
    Demo(demo::Demo),
    /// Make a folder for a real gateway: configuration, certificates.
    Init(init::Init),
    /// Serve, until SIGTERM or Ctrl-C; SIGHUP reloads certificates.
    Serve(serve::Serve),
    /// Check configuration, certificates and store; each finding with its fix.
    Doctor(doctor::Doctor),
    /// Take in very many records at once, while nobody is served.
    Import(import::Import),
    /// Register, list and disable clients.
    Client(client::Client),
    /// Put new keys in the place of those that sign tokens.
    Keys(keys::Keys),
    /// Add, list and lock out people who sign in.
    User(user::User),
    /// Print a bearer token of the gateway's own issuer, for trying things.
    Token(token::Token),
    /// Verify the trail.
    Audit(audit::Audit),
    /// Why somebody sees a record, or does not; and who would gain or lose what under a draft policy.
    Explain(Box<explain::Explain>),
    /// Emergency access: the cases to review, and its end.
    BreakGlass(break_glass::BreakGlass),
    /// An incident: open it, see what was touched, contain it, report it, close it.
    Incident(incident::Incident),
    /// Results of laboratories: try a mapping, see what waits, fix it.
    Lab(lab::Lab),
    /// Try the gateway itself, against stores of its own.
    Selftest(selftest::Selftest),
}

/// Runs the program: the arguments with the program's name first, standard output and standard error. Gives the exit code.
pub fn run(arguments: impl IntoIterator<Item = OsString>, out: &mut dyn Write, err: &mut dyn Write) -> u8 {
    let mut screen = Screen { out, err };
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            let stream = if error.use_stderr() { &mut screen.err } else { &mut screen.out };
            drop(write!(stream, "{}", error.render()));
            return u8::try_from(error.exit_code()).unwrap_or(2);
        }
    };
    let result = match arguments.command {
        Command::Demo(demo) => demo.run(&mut screen),
        Command::Init(init) => init.run(&mut screen),
        Command::Serve(serve) => serve.run(),
        Command::Doctor(doctor) => doctor.run(&mut screen),
        Command::Import(import) => import.run(&mut screen),
        Command::Client(client) => client.run(&mut screen),
        Command::Keys(keys) => keys.run(&mut screen),
        Command::User(user) => user.run(&mut screen),
        Command::Token(token) => token.run(&mut screen),
        Command::Audit(audit) => audit.run(&mut screen),
        Command::Explain(explain) => explain.run(&mut screen),
        Command::BreakGlass(glass) => glass.run(&mut screen),
        Command::Incident(incident) => incident.run(&mut screen),
        Command::Lab(lab) => lab.run(&mut screen),
        Command::Selftest(selftest) => selftest.run(&mut screen),
    };
    result.map_or_else(|failure| screen.end(&failure), |()| 0)
}
