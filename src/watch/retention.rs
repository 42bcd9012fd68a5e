//! Retention: entries older than the site keeps them are exported under seal, month by month, and then dropped. Chain and tree go on from
//! what is gone, so that every later proof still holds.

use super::keeper::{Keeper, KeeperError};
use crate::audit::tree::{ExportHead, Frontier, export_head, export_notes, export_row};
use crate::audit::{Agent, Entry, Event, GENESIS};
use crate::clock::Clock;
use crate::config;
use crate::fhir::Instant;
use crate::store::evidence::{EvidenceStore, Sealed};
use aws_lc_rs::digest;
use std::fmt::Write as _;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Rows written at once.
const BATCH: u32 = 5_000;

/// Seals what is expired.
pub(super) struct Retention {
    pub(super) evidence: Arc<dyn EvidenceStore>,
    pub(super) keeper: Arc<Keeper>,
    pub(super) settings: config::Retention,
    pub(super) clock: Clock,
}

impl Retention {
    /// Seals and drops the months that are expired. Gives the entry that tells of it, when there were any.
    pub(super) async fn tend(&self) -> Result<Option<Entry>, KeeperError> {
        let Some(folder) = self.settings.folder.clone().filter(|_| !self.settings.hold) else { return Ok(None) };
        let now = self.clock.now();
        let upto = self.evidence.before(expiry(now, self.settings.years)).await?;
        let begin = self.evidence.sealed().await?;
        let first = begin.as_ref().map_or(0, |sealed| sealed.upto);
        let last = self.evidence.last_row().await?.map_or(0, |row| row.seq);
        if upto <= first || upto >= last {
            return Ok(None);
        }
        self.keeper.checkpoint().await?;
        let sealed = self.export(&folder, begin, upto, now).await?;
        let told = format!("entries={}-{} file={} sha256={}", first + 1, upto, sealed.file, sealed.digest);
        self.evidence.drop_sealed(sealed).await?;
        let agent = Agent { client: "amanat".to_owned(), ..Agent::default() };
        Ok(Some(Entry::concluded(Event::Data("expired"), agent, now, uuid::Uuid::now_v7().to_string()).asking(&told)))
    }

    async fn export(&self, folder: &Path, begin: Option<Sealed>, upto: i64, now: Instant) -> Result<Sealed, KeeperError> {
        let damaged = KeeperError::Damaged;
        let (mut at, mut hash, mut tree) = match begin {
            Some(one) => {
                let tree = Frontier::from_bytes(&one.frontier).ok_or(damaged("the seal of dropped entries is damaged"))?;
                (one.upto, one.hash, tree)
            }
            None => (0, GENESIS.to_vec(), Frontier::default()),
        };
        let file = folder.join(format!("trail-{}-{upto}.jsonl", at + 1));
        let mut out = Sheet::open(&file)?;
        let before = (at, hash.clone().try_into().map_err(|_| damaged("a hash of the trail is damaged"))?);
        out.line(&export_head(&ExportHead { origin: self.keeper.origin().to_owned(), before, frontier: tree.clone() }))?;
        let mut after = at;
        while let Some(kept) = self.evidence.checkpoints(after, 1).await?.into_iter().next() {
            after = kept.size;
            if kept.size > upto {
                break;
            }
            out.line(&export_notes(&kept.note))?;
        }
        while at < upto {
            let wanted = u32::try_from(upto - at).unwrap_or(BATCH).min(BATCH);
            let rows = self.evidence.rows(at, wanted).await?;
            at = rows.last().ok_or(damaged("entries are missing"))?.seq;
            for row in rows {
                out.line(&export_row(row.seq, &row.leaf, &row.hash))?;
                tree.push(row.hash.clone().try_into().map_err(|_| damaged("a hash of the trail is damaged"))?);
                hash = row.hash;
            }
        }
        let (file, digest) = out.close()?;
        Ok(Sealed { upto, hash, frontier: tree.to_bytes(), file: file.display().to_string(), digest, made: now })
    }
}

/// A file that is hashed as it is written.
struct Sheet {
    path: PathBuf,
    out: std::io::BufWriter<std::fs::File>,
    hash: digest::Context,
}

impl Sheet {
    /// An interrupted attempt is written over; a sealed file was dropped from the trail and is never opened again.
    fn open(path: &Path) -> Result<Self, KeeperError> {
        let opened = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
        let file = opened.map_err(|error| KeeperError::File(path.display().to_string(), error.to_string()))?;
        Ok(Self { path: path.to_owned(), out: std::io::BufWriter::new(file), hash: digest::Context::new(&digest::SHA256) })
    }

    fn line(&mut self, text: &str) -> Result<(), KeeperError> {
        self.hash.update(text.as_bytes());
        self.hash.update(b"\n");
        writeln!(self.out, "{text}").map_err(|error| KeeperError::File(self.path.display().to_string(), error.to_string()))
    }

    fn close(self) -> Result<(PathBuf, String), KeeperError> {
        let failed = |error: std::io::Error| KeeperError::File(self.path.display().to_string(), error.to_string());
        let file = self.out.into_inner().map_err(|error| failed(error.into_error()))?;
        file.sync_all().map_err(failed)?;
        let mut text = String::new();
        for byte in self.hash.finish().as_ref() {
            let _written = write!(text, "{byte:02x}");
        }
        Ok((self.path, text))
    }
}

/// The first moment of the month, so many years ago: what was recorded before it is expired.
fn expiry(now: Instant, years: u32) -> Instant {
    let text = now.to_string();
    let year = text.get(..4).and_then(|year| year.parse::<u32>().ok()).unwrap_or(0).saturating_sub(years);
    let month = text.get(5..7).unwrap_or("01");
    Instant::parse(&format!("{year:04}-{month}-01T00:00:00Z")).unwrap_or(Instant(i64::MIN))
}

#[cfg(test)]
mod tests {
    use super::expiry;
    use crate::fhir::Instant;

    #[test]
    fn whole_months_expire() {
        let now = Instant::parse("2026-11-26T10:00:00Z").unwrap();
        assert_eq!(expiry(now, 6).to_string(), "2020-11-01T00:00:00.000Z");
    }
}
