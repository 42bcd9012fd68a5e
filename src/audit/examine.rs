//! Examining a trail: its chain and its tree at once, against as many checkpoints as there are.

use super::tree::{Checkpoint, Frontier, Hash};
use super::verify::{Fault, Finding, Verdict, Verifier};

/// What an examination came to.
#[derive(Debug, Clone)]
pub struct Examined {
    /// What the chain came to, with the first finding of either.
    pub verdict: Verdict,
    /// The tree of all entries up to the last right one.
    pub tree: Frontier,
    /// The size of the largest checkpoint that fits.
    pub confirmed: Option<u64>,
}

/// Takes rows in the order of their numbers.
#[derive(Debug, Clone)]
pub struct Examiner {
    verifier: Verifier,
    tree: Frontier,
    /// Ascending by size.
    expected: Vec<(u64, Hash)>,
    confirmed: Option<u64>,
    finding: Option<Finding>,
    last: i64,
}

impl Examiner {
    /// From behind an entry whose number and hash are trusted, with the tree up to there. From the beginning: `(0, GENESIS)` and an
    /// empty tree.
    pub fn behind(seq: i64, hash: Hash, tree: Frontier) -> Self {
        let verifier = Verifier::behind(seq, hash);
        Self { verifier, tree, expected: Vec::new(), confirmed: None, finding: None, last: seq }
    }

    /// Demands what a checkpoint says. One that lies before the beginning says nothing here.
    pub fn expect(&mut self, checkpoint: &Checkpoint) {
        if checkpoint.size < self.tree.size() {
            return;
        }
        self.expected.push((checkpoint.size, checkpoint.root));
        self.expected.sort_unstable();
        self.compare();
    }

    /// Looks at the next row. After the first finding nothing more is looked at.
    ///
    /// # Errors
    /// The first finding.
    pub fn check(&mut self, seq: i64, leaf: &[u8], hash: &[u8]) -> Result<(), Finding> {
        if let Some(finding) = self.finding {
            return Err(finding);
        }
        if let Err(finding) = self.verifier.check(seq, leaf, hash) {
            self.finding = Some(finding);
            return Err(finding);
        }
        self.last = seq;
        if let Ok(hash) = hash.try_into() {
            self.tree.push(hash);
        }
        self.compare();
        self.finding.map_or(Ok(()), Err)
    }

    fn compare(&mut self) {
        let size = self.tree.size();
        for (_, root) in self.expected.iter().filter(|(at, _)| *at == size) {
            if *root == self.tree.root() {
                self.confirmed = self.confirmed.max(Some(size));
            } else if self.finding.is_none() {
                let seq = self.confirmed.and_then(|size| i64::try_from(size).ok()).unwrap_or(0) + 1;
                self.finding = Some(Finding { seq, fault: Fault::Rewritten { until: self.last } });
            }
        }
    }

    /// Ends the examination: what a checkpoint tells of must have come.
    pub fn finish(self) -> Examined {
        let beyond = self.expected.iter().any(|(size, _)| *size > self.tree.size());
        let cut = Finding { seq: self.last + 1, fault: Fault::CutOff };
        let mut verdict = self.verifier.finish();
        verdict.finding = self.finding.or(verdict.finding).or_else(|| beyond.then_some(cut));
        verdict.anchored |= self.confirmed.is_some();
        Examined { verdict, tree: self.tree, confirmed: self.confirmed }
    }
}
