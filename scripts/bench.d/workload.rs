//! Prints the bench's transaction Bundles, one a line: `workload PATIENTS`. With `demo` for PATIENTS, the demo's.

use std::io::{BufWriter, Write as _};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let wanted = std::env::args().nth(1).ok_or("usage: workload PATIENTS|demo")?;
    let mut out = BufWriter::new(std::io::stdout().lock());
    if wanted == "demo" {
        for bundle in amanat::cli::synthetic::bundles() {
            writeln!(out, "{bundle}")?;
        }
    } else {
        for bundle in amanat::cli::synthetic::workload(wanted.parse()?) {
            writeln!(out, "{bundle}")?;
        }
    }
    Ok(out.flush()?)
}
