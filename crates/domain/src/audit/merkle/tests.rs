use super::*;
use ct_merkle::mem_backed_tree::MemoryBackedTree;
use proptest::prelude::*;
use std::collections::BTreeMap;

const SIZES: u64 = 140;

fn entry(seq: u64) -> Digest {
    Digest::of_bytes(&seq.to_be_bytes())
}

fn hashes(proof: &[u8]) -> Vec<Digest> {
    let hash = |bytes: &[u8]| Digest::from_bytes(bytes.try_into().unwrap());
    proof.chunks(32).map(hash).collect()
}

/// A tree that grows, with all that is kept of it, beside the tree that it must be.
struct Grown {
    frontier: Frontier,
    heads: Vec<TreeHead>,
    nodes: BTreeMap<Node, Digest>,
    oracle: MemoryBackedTree<Sha256, [u8; 32]>,
}

fn grown(size: u64) -> Grown {
    let mut grown = Grown {
        frontier: Frontier::default(),
        heads: vec![Frontier::default().head()],
        nodes: BTreeMap::new(),
        oracle: MemoryBackedTree::new(),
    };
    for seq in 1..=size {
        grown.grow(entry(seq));
    }
    grown
}

impl Grown {
    fn grow(&mut self, entry: Digest) {
        let nodes = &mut self.nodes;
        self.frontier.push_with(entry, |node, hash| {
            assert_eq!(nodes.insert(node, hash), None, "a complete subtree never changes");
        });
        self.oracle.push(*entry.as_bytes());
        self.heads.push(self.frontier.head());
    }

    fn proof(&self, recipe: &Recipe) -> Vec<Digest> {
        recipe.assemble(|node| self.nodes.get(&node).copied()).unwrap()
    }

    fn head(&self) -> TreeHead {
        self.frontier.head()
    }
}

#[test]
fn the_roots_and_proofs_of_every_size_are_those_of_ct_merkle() {
    let mut grown = grown(0);
    for size in 1..=SIZES {
        grown.grow(entry(size));
        let head = grown.head();
        assert_eq!(head.size, size);
        assert_eq!(
            head.root.as_bytes(),
            <&[u8; 32]>::from(grown.oracle.root().as_bytes())
        );
        assert_eq!(root_of((1..=size).map(entry)), head.root);
        let kept = Frontier::new(size, grown.frontier.nodes().to_vec()).unwrap();
        assert_eq!(kept, grown.frontier);
        for seq in 1..=size {
            let number = i64::try_from(seq).unwrap();
            let recipe = Recipe::inclusion(number, size).unwrap();
            assert!(recipe.nodes().count() <= 2 * 9);
            let proof = grown.proof(&recipe);
            let expected = grown.oracle.prove_inclusion(usize::try_from(seq).unwrap() - 1);
            assert_eq!(proof, hashes(expected.as_bytes()));
            assert_eq!(head.verify_inclusion(number, entry(seq), &proof), Ok(()));
        }
        for earlier in 1..=size {
            let proof = grown.proof(&Recipe::consistency(earlier, size).unwrap());
            let added = usize::try_from(size - earlier).unwrap();
            let expected = grown.oracle.prove_consistency(added);
            assert_eq!(proof, hashes(expected.as_bytes()));
            let earlier = grown.heads[usize::try_from(earlier).unwrap()];
            assert_eq!(head.verify_consistency(earlier, &proof), Ok(()));
        }
    }
}

#[test]
fn a_complete_subtree_is_the_root_over_what_it_covers() {
    let grown = grown(70);
    for (node, hash) in &grown.nodes {
        let (first, last) = node.entries();
        assert_eq!(root_of((first..=last).map(entry)), *hash);
    }
    assert_eq!(grown.nodes.len(), 70 + 35 + 17 + 8 + 4 + 2 + 1);
}

#[test]
fn the_known_answers_of_certificate_transparency_hold() {
    // RFC 9162, 2.1.1: the root of nothing is the hash of nothing.
    let empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(Frontier::default().head().root.to_string(), empty);
    let one = Sha256::digest([&[0][..], entry(1).as_bytes()].concat());
    let two = Sha256::digest([&[0][..], entry(2).as_bytes()].concat());
    assert_eq!(root_of([entry(1)]).as_bytes()[..], one[..]);
    let both = Sha256::digest([&[1][..], &one, &two].concat());
    assert_eq!(root_of([entry(1), entry(2)]).as_bytes()[..], both[..]);
}

#[test]
fn nothing_is_proved_of_what_is_not_there_and_no_size_is_too_much_to_answer() {
    let head = grown(5).head();
    assert_eq!(
        head.verify_inclusion(6, entry(6), &[]),
        Err(NotProved::NoEntry { seq: 6, size: 5 })
    );
    for seq in [0, -1, i64::MIN, i64::MAX] {
        assert_eq!(
            Recipe::inclusion(seq, 5),
            Err(NotProved::NoEntry { seq, size: 5 })
        );
    }
    let smaller = Err(NotProved::Smaller { earlier: 6, size: 5 });
    assert_eq!(Recipe::consistency(6, 5), smaller);
    assert_eq!(
        head.verify_consistency(TreeHead { size: 6, ..head }, &[])
            .unwrap_err()
            .to_string(),
        "the later tree has 5 entries and the earlier one 6: entries were cut off"
    );
    let huge = TreeHead {
        size: u64::MAX,
        ..head
    };
    assert_eq!(
        huge.verify_inclusion(1, entry(1), &[]),
        Err(NotProved::TooLarge(u64::MAX))
    );
    assert_eq!(
        huge.verify_consistency(head, &[]),
        Err(NotProved::TooLarge(u64::MAX))
    );
    let largest = TreeHead {
        size: MAX_SIZE,
        ..head
    };
    assert!(largest.verify_inclusion(i64::MAX, entry(1), &[]).is_err());
    assert!(Recipe::inclusion(i64::MAX, MAX_SIZE).unwrap().nodes().count() < 200);
    assert!(Recipe::consistency(1, MAX_SIZE).unwrap().nodes().count() < 200);
    assert_eq!(
        Frontier::new(3, vec![head.root]),
        Err(NoFrontier::Hashes { size: 3, found: 1 })
    );
    assert_eq!(
        Frontier::new(u64::MAX, vec![]),
        Err(NoFrontier::TooLarge(u64::MAX))
    );
}

#[test]
fn everything_follows_from_nothing_but_only_from_nothing() {
    let head = grown(5).head();
    let nothing = Frontier::default().head();
    assert_eq!(head.verify_consistency(nothing, &[]), Ok(()));
    assert_eq!(nothing.verify_consistency(nothing, &[]), Ok(()));
    let something = TreeHead {
        root: head.root,
        ..nothing
    };
    assert_eq!(head.verify_consistency(something, &[]), Err(NotProved::OtherRoot));
    assert_eq!(
        head.verify_consistency(nothing, &[head.root]),
        Err(NotProved::Length {
            expected: 0,
            found: 1
        })
    );
}

#[test]
fn a_node_that_is_missing_is_named() {
    let missing = Recipe::inclusion(1, 8).unwrap().assemble(|_| None).unwrap_err();
    assert_eq!(
        missing.to_string(),
        "the hash over the entries 2 to 2 is missing from the Merkle tree"
    );
}

proptest! {
    #[test]
    fn a_proof_that_is_changed_anywhere_proves_nothing(
        size in 2_u64..200, at in any::<prop::sample::Index>(), hash in any::<prop::sample::Index>(), byte in 0_usize..32, bit in 0_u8..8
    ) {
        let grown = grown(size);
        let index = at.index(usize::try_from(size - 1).unwrap());
        let seq = i64::try_from(index).unwrap() + 1;
        let flip = |proof: &mut Vec<Digest>, hash: usize| {
            let mut bytes = *proof[hash].as_bytes();
            bytes[byte] ^= 1 << bit;
            proof[hash] = Digest::from_bytes(bytes);
        };
        let good = grown.proof(&Recipe::inclusion(seq, size).unwrap());
        let mut bad = good.clone();
        flip(&mut bad, hash.index(good.len()));
        let own = entry(seq.unsigned_abs());
        prop_assert_eq!(grown.head().verify_inclusion(seq, own, &bad), Err(NotProved::OtherRoot));
        prop_assert_eq!(grown.head().verify_inclusion(seq, entry(0), &good), Err(NotProved::OtherRoot));
        bad = good[1..].to_vec();
        let length = NotProved::Length { expected: good.len(), found: bad.len() };
        prop_assert_eq!(grown.head().verify_inclusion(seq, own, &bad), Err(length));

        let earlier = grown.heads[index + 1];
        let good = grown.proof(&Recipe::consistency(earlier.size, size).unwrap());
        if !good.is_empty() {
            let mut bad = good.clone();
            flip(&mut bad, hash.index(good.len()));
            prop_assert_eq!(grown.head().verify_consistency(earlier, &bad), Err(NotProved::OtherRoot));
        }
        let other = TreeHead { root: entry(0), ..earlier };
        prop_assert_eq!(grown.head().verify_consistency(other, &good), Err(NotProved::OtherRoot));
    }
}
