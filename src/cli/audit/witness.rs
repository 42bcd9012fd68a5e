//! `amanat audit witness`: what a partner runs. A witness holds the last checkpoint that it has seen, and co-signs only one that goes on
//! from it.

use super::text_of;
use super::verify::read_key;
use crate::audit::tree::{Consistency, NoteSigner, Purpose};
use crate::cli::places::write_private;
use crate::cli::screen::{Failure, Screen};
use crate::clock::Clock;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::path::{Path, PathBuf};

pub(super) const EXAMPLES: &str = "Examples:\n  \
    amanat audit witness --init partner.example --secret witness.key > witness.pub\n  \
    amanat audit witness --secret witness.key --log trail.pub --state seen.note --note new.note --proof proof.json > cosigned.note";

/// The arguments.
#[derive(Debug, clap::Args)]
pub(super) struct Witness {
    /// The file with the witness's own key.
    #[arg(long, value_name = "FILE")]
    secret: PathBuf,
    /// Make that key, under this name, and print its public half.
    #[arg(long, value_name = "NAME")]
    init: Option<String>,
    /// The public key of the trail that is watched.
    #[arg(long, value_name = "FILE", required_unless_present = "init")]
    log: Option<PathBuf>,
    /// The checkpoint seen last; the first one makes the file.
    #[arg(long, value_name = "FILE", required_unless_present = "init")]
    state: Option<PathBuf>,
    /// The new checkpoint.
    #[arg(long, value_name = "FILE", required_unless_present = "init")]
    note: Option<PathBuf>,
    /// The proof that it goes on from the one seen last (`amanat audit consistency`).
    #[arg(long, value_name = "FILE")]
    proof: Option<PathBuf>,
    /// Answer with JSON.
    #[arg(long)]
    json: bool,
}

impl Witness {
    pub(super) fn run(self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        if let Some(name) = &self.init {
            return init(name, &self.secret, self.json, screen);
        }
        let (Some(log), Some(state), Some(note)) = (&self.log, &self.state, &self.note) else {
            return Err(Failure::Usage("--log, --state and --note are needed".to_owned()));
        };
        let signer = secret(&self.secret)?;
        let (log, new) = (read_key(log)?, text_of(note)?);
        let later = log.checkpoint(&new).map_err(|fault| Failure::file(note, fault))?;
        if state.exists() {
            let earlier = log.checkpoint(&text_of(state)?).map_err(|fault| Failure::file(state, fault))?;
            let proof = match &self.proof {
                Some(file) => serde_json::from_str(&text_of(file)?).map_err(|error| Failure::file(file, error))?,
                None => Consistency::new((earlier.size, earlier.root), (later.size, later.root), &[]),
            };
            if let Err(fault) = proof.check(&earlier, &later) {
                let told = format!(
                    "not co-signed: the checkpoint of {} entries does not go on from that of {}: {fault}",
                    later.size, earlier.size
                );
                if self.json {
                    screen.json(&serde_json::json!({ "cosigned": false, "broken": told }))?;
                } else {
                    screen.line(told)?;
                }
                return Err(Failure::Found);
            }
        }
        let second = u64::try_from(Clock::system().now().seconds()).unwrap_or(0);
        let cosigned = signer.cosign(&new, second).map_err(|fault| Failure::file(note, fault))?;
        // What was signed must be what is remembered, also after a crash.
        write_private(state, &new, false)?;
        if self.json {
            screen.json(&serde_json::json!({ "cosigned": true, "size": later.size, "note": cosigned }))?;
        } else {
            write!(screen.out, "{cosigned}")?;
        }
        Ok(())
    }
}

fn init(name: &str, file: &Path, json: bool, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let (signer, kept) = NoteSigner::generate(name, Purpose::Witness).map_err(|fault| Failure::Usage(fault.to_string()))?;
    write_private(file, &format!("{name}\n{}\n", STANDARD.encode(kept)), true)?;
    let key = signer.verifier().to_string();
    if json {
        screen.json(&serde_json::json!({ "key": key }))?;
    } else {
        screen.line(key)?;
    }
    Ok(())
}

fn secret(file: &Path) -> Result<NoteSigner, Failure> {
    let text = text_of(file)?;
    let (name, key) = text.trim().split_once('\n').ok_or_else(|| Failure::file(file, "it is not the key of a witness"))?;
    let kept = STANDARD.decode(key.trim()).map_err(|error| Failure::file(file, error))?;
    NoteSigner::from_pkcs8(name, Purpose::Witness, &kept).map_err(|fault| Failure::file(file, fault))
}
