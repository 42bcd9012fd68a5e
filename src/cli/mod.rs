//! The program's subcommands.

pub mod synthetic;
