//! Known answers of RFC 6962's own test vectors, and the laws of proofs.

use super::super::super::canonical;
use super::super::super::leaf_hash;
use super::{Frontier, Hash, Prover, is_consistent, root_of_inclusion};
use proptest::prelude::*;

const LEAVES: [&[u8]; 8] = [
    b"",
    &[0x00],
    &[0x10],
    &[0x20, 0x21],
    &[0x30, 0x31],
    &[0x40, 0x41, 0x42, 0x43],
    &[0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57],
    &[0x60, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x6f],
];

const ROOTS: [&str; 9] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

fn hex(hashes: &[Hash]) -> Vec<String> {
    let text = |hash: &Hash| {
        let mut out = String::new();
        canonical::hex(hash, &mut out);
        out
    };
    hashes.iter().map(text).collect()
}

fn tree(leaves: &[Hash]) -> Frontier {
    let mut tree = Frontier::default();
    for leaf in leaves {
        tree.push(*leaf);
    }
    tree
}

fn hashes() -> Vec<Hash> {
    LEAVES.iter().map(|leaf| leaf_hash(leaf)).collect()
}

fn proof(mut prover: Prover, leaves: &[Hash]) -> Vec<Hash> {
    for leaf in leaves {
        prover.push(*leaf);
    }
    prover.finish().unwrap()
}

#[test]
fn roots_are_the_known_ones() {
    for (size, root) in ROOTS.iter().enumerate() {
        assert_eq!(hex(&[tree(&hashes()[..size]).root()]), [*root], "{size}");
    }
}

#[test]
fn proofs_are_the_known_ones() {
    let inclusion = proof(Prover::inclusion(5, 8).unwrap(), &hashes());
    assert_eq!(
        hex(&inclusion),
        [
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"
        ]
    );
    let consistency = proof(Prover::consistency(6, 8).unwrap(), &hashes());
    assert_eq!(
        hex(&consistency),
        [
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"
        ]
    );
}

fn leaves() -> impl Strategy<Value = Vec<Hash>> {
    prop::collection::vec(any::<Hash>(), 1..70)
}

fn long(count: usize) -> u64 {
    count as u64
}

proptest! {
    #[test]
    fn every_leaf_can_be_proved_and_no_other(leaves in leaves(), at: prop::sample::Index, flip: prop::sample::Index) {
        let at = at.index(leaves.len());
        let size = long(leaves.len());
        let root = tree(&leaves).root();
        let path = proof(Prover::inclusion(long(at), size).unwrap(), &leaves);
        prop_assert_eq!(root_of_inclusion(long(at), size, leaves[at], &path), Some(root));
        prop_assert_ne!(root_of_inclusion(long(at), size, [0; 32], &path), Some(root));
        if !path.is_empty() {
            let mut wrong = path.clone();
            let flip = flip.index(path.len());
            wrong[flip][0] ^= 1;
            prop_assert_ne!(root_of_inclusion(long(at), size, leaves[at], &wrong), Some(root));
            prop_assert_eq!(root_of_inclusion(long(at), size, leaves[at], &path[1..]).filter(|found| *found == root), None);
        }
    }

    #[test]
    fn a_tree_that_goes_on_is_consistent_and_one_that_was_rewritten_is_not(leaves in leaves(), cut: prop::sample::Index, edit: prop::sample::Index) {
        let first = cut.index(leaves.len()) + 1;
        let (old, new) = (tree(&leaves[..first]), tree(&leaves));
        let path = proof(Prover::consistency(old.size(), new.size()).unwrap(), &leaves);
        prop_assert!(is_consistent((old.size(), old.root()), (new.size(), new.root()), &path));
        let mut rewritten = leaves.clone();
        rewritten[edit.index(first)][0] ^= 1;
        let forged = proof(Prover::consistency(old.size(), new.size()).unwrap(), &rewritten);
        prop_assert!(!is_consistent((old.size(), old.root()), (new.size(), tree(&rewritten).root()), &forged));
    }

    #[test]
    fn what_is_gone_can_be_stood_for_by_its_subtrees(leaves in leaves(), cut: prop::sample::Index, at: prop::sample::Index) {
        let cut = cut.index(leaves.len());
        let gone = tree(&leaves[..cut]);
        let mut rest = gone.clone();
        for leaf in &leaves[cut..] {
            rest.push(*leaf);
        }
        prop_assert_eq!(rest.root(), tree(&leaves).root());
        prop_assert_eq!(Frontier::from_bytes(&gone.to_bytes()), Some(gone.clone()));
        let at = cut + at.index(leaves.len() - cut);
        let prover = Prover::inclusion(long(at), long(leaves.len())).unwrap().behind(&gone);
        prop_assert_eq!(proof(prover, &leaves[cut..]), proof(Prover::inclusion(long(at), long(leaves.len())).unwrap(), &leaves));
    }
}

#[test]
fn what_cannot_be_proved_is_not() {
    assert!(Prover::inclusion(8, 8).is_none() && Prover::consistency(9, 8).is_none());
    assert_eq!(Prover::inclusion(1, 8).unwrap().behind(&tree(&hashes()[..4])).finish(), None, "the leaf itself is gone");
    assert_eq!(Prover::inclusion(1, 8).unwrap().finish(), None, "no leaf came");
    assert!(Frontier::from_bytes(&[0; 9]).is_none());
    let (one, other) = (tree(&hashes()[..3]), tree(&hashes()[1..4]));
    assert!(!is_consistent((3, one.root()), (3, other.root()), &[]));
    assert!(is_consistent((0, Frontier::default().root()), (3, one.root()), &[]));
}
