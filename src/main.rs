//! The program: hand over the arguments, give back the exit code.

use std::process::ExitCode;

#[global_allocator]
static GLOBAL: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    ExitCode::from(amanat::cli::run(std::env::args_os(), &mut std::io::stdout(), &mut std::io::stderr()))
}
