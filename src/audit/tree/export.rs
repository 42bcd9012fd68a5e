//! A trail as a file that can be verified with nothing else but the public key: JSON lines, the first of which says what follows.

use super::super::canonical;
use super::super::examine::{Examined, Examiner};
use super::merkle::{Frontier, Hash};
use super::note::{NoteError, NoteVerifier};
use super::proof::hexed;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// The format, in the member `amanat`.
const FORMAT: &str = "trail/1";

/// Where an export begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportHead {
    /// Which log.
    pub origin: String,
    /// The number and hash of the entry before the first.
    pub before: (i64, Hash),
    /// The tree of the entries before the first.
    pub frontier: Frontier,
}

#[derive(Serialize, Deserialize)]
struct HeadLine {
    amanat: String,
    origin: String,
    after: i64,
    after_hash: String,
    frontier: String,
}

#[derive(Deserialize)]
struct NoteLine {
    checkpoint: String,
}

#[derive(Deserialize)]
struct RowLine {
    seq: i64,
    hash: String,
    leaf: String,
}

/// The first line.
pub fn export_head(head: &ExportHead) -> String {
    let mut frontier = String::new();
    canonical::hex(&head.frontier.to_bytes(), &mut frontier);
    let line = json!({
        "amanat": FORMAT, "origin": head.origin, "after": head.before.0, "after_hash": hexed(&head.before.1), "frontier": frontier,
    });
    line.to_string()
}

/// The line of a checkpoint. They come before the entries.
pub fn export_notes(note: &str) -> String {
    json!({ "checkpoint": note }).to_string()
}

/// The line of an entry.
pub fn export_row(seq: i64, leaf: &[u8], hash: &[u8]) -> String {
    let mut text = String::new();
    canonical::hex(hash, &mut text);
    json!({ "seq": seq, "hash": text, "leaf": String::from_utf8_lossy(leaf) }).to_string()
}

/// Why a file is no export.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExportError {
    /// A line is not what it must be there.
    #[error("line {0} is not a line of a trail export")]
    Line(usize),
    /// A checkpoint in it is not to be believed.
    #[error("line {0}: {1}")]
    Note(usize, NoteError),
    /// It holds nothing.
    #[error("the export is empty")]
    Empty,
}

/// What an export came to.
#[derive(Debug, Clone)]
pub struct Checked {
    /// What the entries came to.
    pub examined: Examined,
    /// Which log.
    pub origin: String,
}

/// Reads an export line by line and checks it as it goes.
#[derive(Debug)]
pub struct ExportReader<'k> {
    key: &'k NoteVerifier,
    line: usize,
    origin: String,
    examiner: Option<Examiner>,
    rows: bool,
}

impl<'k> ExportReader<'k> {
    /// With the public key of the log.
    pub fn new(key: &'k NoteVerifier) -> Self {
        Self { key, line: 0, origin: String::new(), examiner: None, rows: false }
    }

    /// Takes the next line. A wrong entry is a finding, told at the end, and no error.
    ///
    /// # Errors
    /// [`ExportError`]
    pub fn line(&mut self, text: &str) -> Result<(), ExportError> {
        self.line += 1;
        let at = self.line;
        let Some(examiner) = &mut self.examiner else {
            let (head, examiner) = opened(text).ok_or(ExportError::Line(at))?;
            self.origin = head;
            self.examiner = Some(examiner);
            return Ok(());
        };
        if !self.rows
            && let Ok(note) = serde_json::from_str::<NoteLine>(text)
        {
            let checkpoint = self.key.checkpoint(&note.checkpoint).map_err(|fault| ExportError::Note(at, fault))?;
            examiner.expect(&checkpoint);
            return Ok(());
        }
        self.rows = true;
        let row: RowLine = serde_json::from_str(text).map_err(|_| ExportError::Line(at))?;
        let hash = canonical::unhex(&row.hash).ok_or(ExportError::Line(at))?;
        // The first finding is kept; what follows it cannot be told right from wrong.
        let _found = examiner.check(row.seq, row.leaf.as_bytes(), &hash);
        Ok(())
    }

    /// Also demands what this checkpoint, kept elsewhere, says. To be called after the head line.
    pub fn expect(&mut self, checkpoint: &super::Checkpoint) {
        if let Some(examiner) = &mut self.examiner {
            examiner.expect(checkpoint);
        }
    }

    /// Ends.
    ///
    /// # Errors
    /// [`ExportError::Empty`]
    pub fn finish(self) -> Result<Checked, ExportError> {
        let examiner = self.examiner.ok_or(ExportError::Empty)?;
        Ok(Checked { examined: examiner.finish(), origin: self.origin })
    }
}

fn opened(text: &str) -> Option<(String, Examiner)> {
    let head: HeadLine = serde_json::from_str(text).ok()?;
    let bytes = canonical::unhex_all(&head.frontier)?;
    let frontier = Frontier::from_bytes(&bytes)?;
    let hash = canonical::unhex(&head.after_hash)?;
    let examiner = Examiner::behind(head.after, hash, frontier);
    (head.amanat == FORMAT).then_some((head.origin, examiner))
}

#[cfg(test)]
mod tests {
    use super::super::super::samples::read;
    use super::super::super::{Chain, Fault, GENESIS, Link};
    use super::super::{Checkpoint, NoteSigner, Purpose};
    use super::*;
    use proptest::prelude::*;

    fn links(count: usize) -> Vec<Link> {
        let mut chain = Chain::resume(0, GENESIS);
        (0..count).map(|at| chain.link(&read(&format!("p{at}")))).collect()
    }

    fn export(links: &[Link], from: usize, signer: &NoteSigner, sizes: &[u64]) -> Vec<String> {
        let mut frontier = Frontier::default();
        for link in &links[..from] {
            frontier.push(link.hash);
        }
        let before = links[..from].last().map_or((0, GENESIS), |link| (link.seq, link.hash));
        let mut sheet = vec![export_head(&ExportHead { origin: "o".into(), before, frontier })];
        let mut tree = Frontier::default();
        for link in links {
            tree.push(link.hash);
            if sizes.contains(&tree.size()) {
                let text = Checkpoint { origin: "o".into(), size: tree.size(), root: tree.root() }.text();
                sheet.push(export_notes(&signer.sign(&text)));
            }
        }
        sheet.extend(links[from..].iter().map(|link| export_row(link.seq, &link.leaf, &link.hash)));
        sheet
    }

    fn checked(lines: &[String], key: &NoteVerifier) -> Examined {
        let mut reader = ExportReader::new(key);
        for line in lines {
            reader.line(line).unwrap();
        }
        reader.finish().unwrap().examined
    }

    proptest! {
        #[test]
        fn an_export_is_right_as_it_is_and_wrong_with_any_line_gone(count in 3..20_usize, from: prop::sample::Index, gone: prop::sample::Index) {
            let (signer, links) = (NoteSigner::generate("o", Purpose::Log).unwrap().0, links(count));
            let (key, from) = (signer.verifier(), from.index(count - 1));
            let lines = export(&links, from, &signer, &[count as u64]);
            let examined = checked(&lines, &key);
            prop_assert_eq!((examined.verdict.finding, examined.confirmed), (None, Some(count as u64)));
            let (mut less, gone) = (lines.clone(), gone.index(count - from));
            less.remove(2 + gone);
            let finding = checked(&less, &key).verdict.finding.unwrap();
            prop_assert_eq!(finding.seq, i64::try_from(from + gone).unwrap() + 1);
        }
    }

    #[test]
    fn a_rewritten_rest_is_found_between_two_checkpoints() {
        let signer = NoteSigner::generate("o", Purpose::Log).unwrap().0;
        let (key, whole) = (signer.verifier(), links(9));
        let notes = export(&whole, 0, &signer, &[3, 6, 9]);
        let mut chain = Chain::resume(4, whole[3].hash);
        let mut forged = whole[..4].to_vec();
        forged.extend((4..9).map(|_| chain.link(&read("other"))));
        let mut lines = notes[..4].to_vec();
        lines.extend(forged.iter().map(|link| export_row(link.seq, &link.leaf, &link.hash)));
        let finding = checked(&lines, &key).verdict.finding.unwrap();
        assert_eq!((finding.seq, finding.fault), (4, Fault::Rewritten { until: 6 }));
    }

    #[test]
    fn what_is_no_export_is_refused_with_its_line() {
        let key = NoteSigner::generate("o", Purpose::Log).unwrap().0.verifier();
        assert_eq!(ExportReader::new(&key).line("{}"), Err(ExportError::Line(1)));
        assert_eq!(ExportReader::new(&key).finish().map(drop), Err(ExportError::Empty));
        let other = NoteSigner::generate("o", Purpose::Log).unwrap().0;
        let lines = export(&links(2), 0, &other, &[2]);
        let mut reader = ExportReader::new(&key);
        reader.line(&lines[0]).unwrap();
        assert_eq!(reader.line(&lines[1]), Err(ExportError::Note(2, NoteError::Unsigned)));
        assert_eq!(reader.line("nonsense"), Err(ExportError::Line(3)));
    }
}
