//! Reading the frames of a spool, each held to the chain before it.

use super::{CHANGED, HEADER, Held, LEAD, Spool, TORN, Taken};
use crate::audit::{Entry, Leaf, leaf_hash};
use aws_lc_rs::aead::{Aad, NONCE_LEN, Nonce};
use std::io;
use std::os::unix::fs::FileExt as _;

impl Spool {
    /// Everything that waits, up to where it cannot be believed.
    pub(super) fn read(&self) -> io::Result<Held> {
        let length = self.file.metadata()?.len();
        let mut held = Held { entries: Vec::new(), mark: self.from, fault: None, end: HEADER };
        loop {
            match self.frame(held.end, held.mark, length)? {
                Frame::End => return Ok(held),
                Frame::Broken(next) => {
                    // Whatever was written after a frame was written when that one was on the disk.
                    let later = self.lead(next, length)?.is_some_and(|(size, number)| size > 0 && number > held.mark.0 + 1);
                    held.fault = Some(if later { CHANGED } else { TORN });
                    return Ok(held);
                }
                Frame::Read(entries, mark, next) => {
                    held.entries.extend(entries);
                    (held.mark, held.end) = (mark, next);
                }
            }
        }
    }

    /// The length and the first number of the frame here.
    fn lead(&self, at: u64, length: u64) -> io::Result<Option<(usize, i64)>> {
        let mut lead = [0; 12];
        if at + lead.len() as u64 > length {
            return Ok(None);
        }
        self.file.read_exact_at(&mut lead, at)?;
        let size = lead.first_chunk::<4>().map_or(0, |bytes| u32::from_be_bytes(*bytes));
        let number = lead.last_chunk::<8>().map_or(0, |bytes| i64::from_be_bytes(*bytes));
        Ok(Some((usize::try_from(size).unwrap_or(usize::MAX), number)))
    }

    fn frame(&self, at: u64, before: Taken, length: u64) -> io::Result<Frame> {
        let Some((size, number)) = self.lead(at, length)? else { return Ok(Frame::End) };
        if size == 0 || number != before.0 + 1 {
            return Ok(Frame::End);
        }
        let next = at.saturating_add(LEAD as u64).saturating_add(size as u64);
        if next > length {
            return Ok(Frame::Broken(next));
        }
        let (mut nonce, mut sealed) = ([0; NONCE_LEN], vec![0; size]);
        self.file.read_exact_at(&mut nonce, at + 12)?;
        self.file.read_exact_at(&mut sealed, at + LEAD as u64)?;
        let aad = Aad::from(self.bound_to(before));
        let opened = self.key.open_in_place(Nonce::assume_unique_for_key(nonce), aad, &mut sealed);
        let leaves = opened.ok().and_then(|leaves| read_leaves(leaves, before));
        Ok(leaves.map_or(Frame::Broken(next), |(entries, mark)| Frame::Read(entries, mark, next)))
    }
}

/// What stands at a place of the file.
enum Frame {
    /// Nothing more.
    End,
    /// Something that does not open, and where it ends.
    Broken(u64),
    /// Entries, the end of the chain behind them, and where the next frame begins.
    Read(Vec<Entry>, Taken, u64),
}

/// The leaves of a frame, which must go on from the chain before it.
fn read_leaves(mut rest: &[u8], (mut seq, mut head): Taken) -> Option<(Vec<Entry>, Taken)> {
    let mut entries = Vec::new();
    while let Some((length, behind)) = rest.split_first_chunk::<4>() {
        let (text, behind) = behind.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
        let leaf = Leaf::decode(text).ok()?;
        if leaf.seq != seq + 1 || leaf.previous != head {
            return None;
        }
        (seq, head) = (leaf.seq, leaf_hash(text));
        entries.push(leaf.entry);
        rest = behind;
    }
    rest.is_empty().then_some((entries, (seq, head)))
}
