//! Verification: reads the rows of a trail in order and names the first that is wrong.

use super::chain::{GENESIS, leaf_hash};
use super::leaf::Place;
use std::fmt;

/// What a chain alone cannot show. To be said whenever no anchor was given.
pub const TAIL_CAVEAT: &str = "Entries cut off at the end, and a rewrite of everything from some entry to the end, \
     cannot be seen without a checkpoint that was kept elsewhere.";

/// What is wrong with a trail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The leaf does not have the hash that stands beside it: one of the two was edited.
    Edited,
    /// The leaf is not one.
    Unreadable,
    /// Entries are missing from here up to the one before this number.
    Missing {
        /// The first number that is there again.
        until: i64,
    },
    /// A number comes that was there before: rows were inserted or reordered.
    OutOfOrder,
    /// The leaf belongs to another place: it was moved, or rows were inserted or dropped and the rest renumbered.
    Moved {
        /// The place that the leaf names.
        from: i64,
    },
    /// The leaf before is not the one that this leaf was written behind: it was edited, inserted, or replaced by an old copy.
    Unlinked,
    /// The entry is not the one that the anchor was made of: everything up to here may be rewritten.
    NotAnchored,
    /// The trail ends before the anchor: its tail was cut off, or an old copy restored.
    CutOff,
    /// The chain is whole and yet is not what a checkpoint was made of: from here up to the checkpoint something was rewritten.
    Rewritten {
        /// The last entry that the checkpoint tells of.
        until: i64,
    },
}

/// The first thing that is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finding {
    /// The first number that is wrong.
    pub seq: i64,
    /// What is wrong there.
    pub fault: Fault,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seq = self.seq;
        match self.fault {
            Fault::Edited => write!(f, "entry {seq}: content and hash do not belong together; one of them was edited"),
            Fault::Unreadable => write!(f, "entry {seq}: the content is not an entry"),
            Fault::Missing { until } if until == seq + 1 => write!(f, "entry {seq} is missing"),
            Fault::Missing { until } => write!(f, "entries {seq} to {} are missing", until - 1),
            Fault::OutOfOrder => write!(f, "entry {seq}: the number occurs again; rows were inserted or reordered"),
            Fault::Moved { from } => {
                write!(f, "entry {seq}: the content is that of entry {from}; rows were moved, inserted or dropped")
            }
            Fault::Unlinked => write!(f, "entry {seq}: it was written behind another entry than the one before it"),
            Fault::NotAnchored => write!(f, "entry {seq}: it is not the one that the checkpoint was made of"),
            Fault::CutOff => write!(f, "entry {seq} and what followed are missing, up to the checkpoint at least"),
            Fault::Rewritten { until } => {
                write!(
                    f,
                    "entry {seq}: between here and entry {until} the trail is not what the checkpoint was made of; it was rewritten"
                )
            }
        }
    }
}

/// What a verification came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// How many entries were found to be right.
    pub entries: u64,
    /// The number and the hash of the last of them.
    pub last: (i64, [u8; 32]),
    /// The first thing that is wrong.
    pub finding: Option<Finding>,
    /// Whether an anchor was reached. Otherwise say [`TAIL_CAVEAT`].
    pub anchored: bool,
}

/// Takes rows in the order of their numbers, one at a time.
#[derive(Debug, Clone)]
pub struct Verifier {
    last: (i64, [u8; 32]),
    entries: u64,
    anchor: Option<(i64, [u8; 32])>,
    anchored: bool,
    finding: Option<Finding>,
}

impl Default for Verifier {
    fn default() -> Self {
        Self::behind(0, GENESIS)
    }
}

impl Verifier {
    /// Verifies from the first entry.
    pub fn new() -> Self {
        Self::default()
    }

    /// Verifies what follows an entry whose number and hash are trusted.
    pub fn behind(seq: i64, hash: [u8; 32]) -> Self {
        Self { last: (seq, hash), entries: 0, anchor: None, anchored: false, finding: None }
    }

    /// Demands that the trail reaches this number and has this hash there: knowledge that was kept elsewhere.
    #[must_use]
    pub fn anchored_at(mut self, seq: i64, hash: [u8; 32]) -> Self {
        self.anchored = self.last == (seq, hash);
        if self.last.0 == seq && !self.anchored {
            self.finding = Some(Finding { seq, fault: Fault::NotAnchored });
        }
        self.anchor = Some((seq, hash));
        self
    }

    /// Looks at the next row. After the first finding nothing more is looked at.
    ///
    /// # Errors
    /// The first finding.
    pub fn check(&mut self, seq: i64, leaf: &[u8], hash: &[u8]) -> Result<(), Finding> {
        if let Some(finding) = self.finding {
            return Err(finding);
        }
        match self.judge(seq, leaf, hash) {
            Ok(hash) => {
                self.last = (seq, hash);
                self.entries += 1;
                Ok(())
            }
            Err(finding) => {
                self.finding = Some(finding);
                Err(finding)
            }
        }
    }

    fn judge(&mut self, seq: i64, leaf: &[u8], stored: &[u8]) -> Result<[u8; 32], Finding> {
        let expected = self.last.0 + 1;
        let wrong = |fault| Err(Finding { seq, fault });
        if seq > expected {
            return Err(Finding { seq: expected, fault: Fault::Missing { until: seq } });
        }
        if seq < expected {
            return wrong(Fault::OutOfOrder);
        }
        let hash = leaf_hash(leaf);
        if hash != stored {
            return wrong(Fault::Edited);
        }
        let Some(place) = Place::of(leaf) else { return wrong(Fault::Unreadable) };
        if place.seq != seq {
            return wrong(Fault::Moved { from: place.seq });
        }
        if place.previous != self.last.1 {
            return wrong(Fault::Unlinked);
        }
        match self.anchor {
            Some((at, anchor)) if at == seq && anchor != hash => return wrong(Fault::NotAnchored),
            Some((at, _)) if at == seq => self.anchored = true,
            _ => {}
        }
        Ok(hash)
    }

    /// Ends the verification.
    pub fn finish(self) -> Verdict {
        let cut = self.anchor.filter(|(at, _)| !self.anchored && *at > self.last.0);
        let finding = self.finding.or_else(|| cut.map(|_| Finding { seq: self.last.0 + 1, fault: Fault::CutOff }));
        Verdict { entries: self.entries, last: self.last, finding, anchored: self.anchored }
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{entries, read};
    use super::super::{Chain, Entry};
    use super::{Fault, Finding, GENESIS, Verdict, Verifier, leaf_hash};
    use proptest::prelude::*;

    fn number(count: usize) -> i64 {
        i64::try_from(count).unwrap()
    }

    type Row = (i64, Vec<u8>, Vec<u8>);

    fn rows(entries: &[Entry]) -> Vec<Row> {
        let mut chain = Chain::resume(0, GENESIS);
        let row = |link: super::super::Link| (link.seq, link.leaf, link.hash.to_vec());
        entries.iter().map(|entry| row(chain.link(entry))).collect()
    }

    fn verdict(mut verifier: Verifier, rows: &[Row]) -> Verdict {
        for (seq, leaf, hash) in rows {
            let _ = verifier.check(*seq, leaf, hash);
        }
        verifier.finish()
    }

    fn finding(rows: &[Row]) -> Option<Finding> {
        verdict(Verifier::new(), rows).finding
    }

    #[expect(clippy::unnecessary_wraps, reason = "compared with what a verification gives")]
    fn found(seq: i64, fault: Fault) -> Option<Finding> {
        Some(Finding { seq, fault })
    }

    fn trail(length: usize) -> impl Strategy<Value = Vec<Row>> {
        prop::collection::vec(entries(), 2..length).prop_map(|entries| rows(&entries))
    }

    proptest! {
        #[test]
        fn an_untouched_trail_is_right(rows in trail(12)) {
            let verdict = verdict(Verifier::new(), &rows);
            prop_assert_eq!((verdict.finding, verdict.entries, verdict.last.0), (None, rows.len() as u64, number(rows.len())));
        }

        #[test]
        fn any_changed_byte_is_found_at_its_entry(mut rows in trail(8), at: prop::sample::Index, byte: prop::sample::Index, bit in 0..8_u32, in_hash: bool) {
            let at = at.index(rows.len());
            let text = if in_hash { &mut rows[at].2 } else { &mut rows[at].1 };
            let byte = byte.index(text.len());
            text[byte] ^= 1_u8 << bit;
            prop_assert_eq!(finding(&rows), found(number(at) + 1, Fault::Edited));
        }

        #[test]
        fn an_edit_that_recomputes_its_hash_breaks_the_link_behind_it(mut rows in trail(8), at: prop::sample::Index, other in entries()) {
            let at = at.index(rows.len() - 1);
            let mut chain = Chain::resume(number(at), if at == 0 { GENESIS } else { rows[at - 1].2.clone().try_into().unwrap() });
            let link = chain.link(&Entry { request_id: "forged".into(), ..other });
            rows[at] = (link.seq, link.leaf, link.hash.to_vec());
            prop_assert_eq!(finding(&rows), found(number(at) + 2, Fault::Unlinked));
        }

        #[test]
        fn a_dropped_row_is_found_also_when_the_rest_is_renumbered(mut rows in trail(8), at: prop::sample::Index, renumber: bool) {
            let at = at.index(rows.len() - 1);
            rows.remove(at);
            let seq = number(at) + 1;
            if renumber {
                rows.iter_mut().skip(at).for_each(|row| row.0 -= 1);
                prop_assert_eq!(finding(&rows), found(seq, Fault::Moved { from: seq + 1 }));
            } else {
                prop_assert_eq!(finding(&rows), found(seq, Fault::Missing { until: seq + 1 }));
            }
        }

        #[test]
        fn two_swapped_rows_are_found(mut rows in trail(8), one: prop::sample::Index, other: prop::sample::Index, keep_numbers: bool) {
            let (one, other) = (one.index(rows.len()), other.index(rows.len()));
            prop_assume!(one != other);
            rows.swap(one, other);
            if keep_numbers {
                rows.iter_mut().enumerate().for_each(|(at, row)| row.0 = number(at) + 1);
            }
            prop_assert_eq!(finding(&rows).map(|found| found.seq), Some(number(one.min(other)) + 1));
        }

        #[test]
        fn an_inserted_row_is_found(mut rows in trail(8), at: prop::sample::Index, renumber: bool) {
            let at = at.index(rows.len());
            let copy = rows[at].clone();
            rows.insert(at + 1, copy);
            if renumber {
                rows.iter_mut().skip(at + 1).for_each(|row| row.0 += 1);
                prop_assert_eq!(finding(&rows), found(number(at) + 2, Fault::Moved { from: number(at) + 1 }));
            } else {
                prop_assert_eq!(finding(&rows), found(number(at) + 1, Fault::OutOfOrder));
            }
        }
    }

    #[test]
    fn a_cut_tail_is_seen_only_against_an_anchor() {
        let rows = rows(&[read("p1"), read("p2"), read("p3")]);
        let anchor: [u8; 32] = rows[2].2.clone().try_into().unwrap();
        let short = &rows[..2];
        let unanchored = verdict(Verifier::new(), short);
        assert_eq!((unanchored.finding, unanchored.anchored), (None, false));
        assert_eq!(verdict(Verifier::new().anchored_at(3, anchor), short).finding, found(3, Fault::CutOff));
        assert!(verdict(Verifier::new().anchored_at(3, anchor), &rows).anchored);
        assert_eq!(verdict(Verifier::new().anchored_at(3, [1; 32]), &rows).finding, found(3, Fault::NotAnchored));
    }

    #[test]
    fn verification_can_begin_behind_a_trusted_entry() {
        let rows = rows(&[read("p1"), read("p2"), read("p3")]);
        let first: [u8; 32] = rows[0].2.clone().try_into().unwrap();
        assert_eq!(verdict(Verifier::behind(1, first), &rows[1..]).finding, None);
        assert_eq!(verdict(Verifier::behind(1, [0; 32]), &rows[1..]).finding, found(2, Fault::Unlinked));
        assert_eq!(verdict(Verifier::behind(1, first).anchored_at(1, [0; 32]), &rows[1..]).finding, found(1, Fault::NotAnchored));
    }

    #[test]
    fn a_leaf_that_is_no_entry_is_found() {
        let leaf = b"{}".to_vec();
        let hash = leaf_hash(&leaf).to_vec();
        assert_eq!(finding(&[(1, leaf, hash)]), found(1, Fault::Unreadable));
    }

    #[test]
    fn the_finding_reads_as_a_sentence() {
        let missing = Finding { seq: 3, fault: Fault::Missing { until: 6 } };
        assert_eq!(missing.to_string(), "entries 3 to 5 are missing");
    }
}
