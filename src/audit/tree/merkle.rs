//! The Merkle tree over the entries (RFC 6962 § 2.1): roots and proofs, from leaf hashes that come one after the other.

use aws_lc_rs::digest;

/// SHA-256.
pub type Hash = [u8; 32];

/// The hash of a node: SHA-256 of `0x01` and its two children.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(&[1]);
    context.update(left);
    context.update(right);
    finish(context)
}

fn finish(context: digest::Context) -> Hash {
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

/// The right edge of a tree: the roots of its complete subtrees, the largest first. All that is needed to go on adding leaves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    nodes: Vec<Hash>,
}

impl Frontier {
    /// Adds the hash of the next leaf.
    pub fn push(&mut self, leaf: Hash) {
        self.join(leaf, 0);
    }

    /// Adds a complete subtree of `2^level` leaves. The leaves so far must be a multiple of that many.
    fn join(&mut self, subtree: Hash, level: u32) {
        let mut node = subtree;
        let mut above = self.size >> level;
        while above & 1 == 1 {
            if let Some(left) = self.nodes.pop() {
                node = node_hash(&left, &node);
            }
            above >>= 1;
        }
        self.nodes.push(node);
        self.size += 1_u64 << level;
    }

    /// How many leaves there are.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root of the tree. That of the empty one is the hash of nothing.
    pub fn root(&self) -> Hash {
        let mut nodes = self.nodes.iter().rev();
        let Some(last) = nodes.next() else { return finish(digest::Context::new(&digest::SHA256)) };
        nodes.fold(*last, |right, left| node_hash(left, &right))
    }

    /// The subtrees with the number of their first leaf and their level, from left to right.
    fn subtrees(&self) -> impl Iterator<Item = (u64, u32, Hash)> {
        let levels = (0..u64::BITS).rev().filter(|level| self.size >> level & 1 == 1);
        levels.zip(&self.nodes).scan(0, |first, (level, node)| {
            let at = *first;
            *first += 1_u64 << level;
            Some((at, level, *node))
        })
    }

    /// As it is kept: the size in eight bytes, then the nodes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.size.to_be_bytes().to_vec();
        for node in &self.nodes {
            bytes.extend_from_slice(node);
        }
        bytes
    }

    /// Reads what [`Frontier::to_bytes`] wrote. `None` for anything else.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (size, rest) = bytes.split_first_chunk::<8>()?;
        let size = u64::from_be_bytes(*size);
        let (nodes, rest) = rest.as_chunks::<32>();
        let fits = rest.is_empty() && nodes.len() == usize::try_from(size.count_ones()).ok()?;
        fits.then(|| Self { size, nodes: nodes.to_vec() })
    }
}

/// Leaves from the first number up to the second, that one not included.
type Range = (u64, u64);

/// Leaves are split at the largest power of two below their number (RFC 6962 § 2.1).
fn split((low, high): Range) -> u64 {
    let count = high - low;
    low + (1_u64 << (count - 1).ilog2())
}

/// The subtrees of an audit path, from the leaf upward (RFC 6962 § 2.1.1).
fn path(leaf: u64, range: Range, out: &mut Vec<Range>) {
    if range.1 - range.0 <= 1 {
        return;
    }
    let middle = split(range);
    if leaf < middle {
        path(leaf, (range.0, middle), out);
        out.push((middle, range.1));
    } else {
        path(leaf, (middle, range.1), out);
        out.push((range.0, middle));
    }
}

/// The subtrees of a consistency proof (RFC 6962 § 2.1.2).
fn common(first: u64, range: Range, whole: bool, out: &mut Vec<Range>) {
    if first == range.1 {
        if !whole {
            out.push(range);
        }
        return;
    }
    let middle = split(range);
    if first <= middle {
        common(first, (range.0, middle), whole, out);
        out.push((middle, range.1));
    } else {
        common(first, (middle, range.1), false, out);
        out.push((range.0, middle));
    }
}

/// Collects a proof while the leaf hashes go by.
#[derive(Debug)]
pub struct Prover {
    /// In the order of the leaves, each with its place in the proof.
    parts: Vec<(Range, usize, Frontier)>,
    at: usize,
    next: u64,
    broken: bool,
}

impl Prover {
    /// That the leaf of this number (from 0) is in the tree of the first `size` leaves. `None` when it is not.
    pub fn inclusion(leaf: u64, size: u64) -> Option<Self> {
        let mut ranges = Vec::new();
        (leaf < size).then(|| path(leaf, (0, size), &mut ranges))?;
        Some(Self::of(ranges))
    }

    /// That the tree of the first `second` leaves goes on from that of the first `first`. `None` when it is the smaller one.
    pub fn consistency(first: u64, second: u64) -> Option<Self> {
        let mut ranges = Vec::new();
        if first > second {
            return None;
        }
        if first > 0 && first < second {
            common(first, (0, second), true, &mut ranges);
        }
        Some(Self::of(ranges))
    }

    fn of(ranges: Vec<Range>) -> Self {
        let mut parts: Vec<_> = ranges.into_iter().enumerate().map(|(at, range)| (range, at, Frontier::default())).collect();
        parts.sort_by_key(|(range, ..)| *range);
        Self { parts, at: 0, next: 0, broken: false }
    }

    /// Begins behind leaves that are not there any more: their subtrees stand for them. To be called before any leaf is added.
    #[must_use]
    pub fn behind(mut self, gone: &Frontier) -> Self {
        for (first, level, node) in gone.subtrees() {
            self.take(first, level, node);
        }
        self.next = gone.size();
        self
    }

    /// The next leaf hash.
    pub fn push(&mut self, leaf: Hash) {
        self.take(self.next, 0, leaf);
        self.next += 1;
    }

    fn take(&mut self, first: u64, level: u32, node: Hash) {
        let end = first + (1_u64 << level);
        while self.parts.get(self.at).is_some_and(|((_, high), ..)| *high <= first) {
            self.at += 1;
        }
        let Some(((low, high), _, inside)) = self.parts.get_mut(self.at) else { return };
        if *low <= first && end <= *high {
            inside.join(node, level);
        } else if *low < end {
            // A subtree that is gone reaches over what the proof must tell apart.
            self.broken = true;
        }
    }

    /// The hashes of the proof. `None` when leaves that it needs did not come.
    pub fn finish(self) -> Option<Vec<Hash>> {
        let full = |((low, high), _, inside): &(Range, usize, Frontier)| inside.size() == high - low;
        if self.broken || !self.parts.iter().all(full) {
            return None;
        }
        let mut hashes: Vec<_> = self.parts.iter().map(|(_, at, inside)| (*at, inside.root())).collect();
        hashes.sort_unstable();
        Some(hashes.into_iter().map(|(_, hash)| hash).collect())
    }
}

/// The root that a leaf and its proof lead to (RFC 9162 § 2.1.3.2). `None` when the proof has not the form that the sizes demand.
pub fn root_of_inclusion(leaf: u64, size: u64, hash: Hash, proof: &[Hash]) -> Option<Hash> {
    if leaf >= size {
        return None;
    }
    let (mut at, mut last, mut root) = (leaf, size - 1, hash);
    for sibling in proof {
        if last == 0 {
            return None;
        }
        if at & 1 == 1 || at == last {
            root = node_hash(sibling, &root);
            while at & 1 == 0 && at != 0 {
                (at, last) = (at >> 1, last >> 1);
            }
        } else {
            root = node_hash(&root, sibling);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    (last == 0).then_some(root)
}

/// Whether a proof shows that the second tree goes on from the first (RFC 9162 § 2.1.4.2).
pub fn is_consistent(first: (u64, Hash), second: (u64, Hash), proof: &[Hash]) -> bool {
    let ((small, old), (large, new)) = (first, second);
    if small > large || (small == large && old != new) {
        return false;
    }
    if small == large || small == 0 {
        return proof.is_empty() && (small != 0 || old == Frontier::default().root());
    }
    let mut hashes = proof.iter();
    let own = if small.is_power_of_two() { Some(&old) } else { hashes.next() };
    let Some(begin) = own else { return false };
    let (mut at, mut last) = (small - 1, large - 1);
    while at & 1 == 1 {
        (at, last) = (at >> 1, last >> 1);
    }
    let (mut to_old, mut to_new) = (*begin, *begin);
    for hash in hashes {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            to_old = node_hash(hash, &to_old);
            to_new = node_hash(hash, &to_new);
            while at & 1 == 0 && at != 0 {
                (at, last) = (at >> 1, last >> 1);
            }
        } else {
            to_new = node_hash(&to_new, hash);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    last == 0 && to_old == old && to_new == new
}

#[cfg(test)]
#[path = "merkle_tests.rs"]
mod tests;
