//! Prints the bench's transaction Bundles, one a line: `workload PATIENTS`. With `demo` for PATIENTS, the demo's. `workload PATIENTS open`
//! leaves the consents out, and `workload FIRST-LAST open` prints those of some patients alone.

use std::io::{BufWriter, Write as _};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let wanted = std::env::args().nth(1).ok_or("usage: workload PATIENTS|demo")?;
    let mut out = BufWriter::new(std::io::stdout().lock());
    if wanted == "demo" {
        for bundle in amanat::cli::synthetic::bundles() {
            writeln!(out, "{bundle}")?;
        }
    } else {
        let open = std::env::args().nth(2).is_some_and(|word| word == "open");
        let (first, last) = match wanted.split_once('-') {
            Some((first, last)) => (first.parse()?, last.parse()?),
            None => (1, wanted.parse()?),
        };
        for bundle in amanat::cli::synthetic::workload(first..=last, open) {
            writeln!(out, "{bundle}")?;
        }
    }
    Ok(out.flush()?)
}
