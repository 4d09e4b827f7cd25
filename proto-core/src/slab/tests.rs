//! Against a list of every key that was ever issued.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Op {
    Insert(u16),
    /// Takes out what some key names: one of all keys that were ever issued, stale ones too.
    Remove(usize),
    /// Changes what some key names.
    Change(usize, u16),
    /// Lets an empty slot have lived through all generations but so many.
    Age(usize, u32),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => any::<u16>().prop_map(Op::Insert),
        4 => (0..64_usize).prop_map(Op::Remove),
        1 => (0..64_usize, any::<u16>()).prop_map(|(key, value)| Op::Change(key, value)),
        1 => (0..8_usize, 0..3_u32).prop_map(|(slot, left)| Op::Age(slot, left)),
    ]
}

#[derive(Default)]
struct Model {
    /// Every key that was ever issued, with its entry until that was taken out.
    issued: Vec<(Key, Option<u16>)>,
}

impl Model {
    fn entry(&mut self, nth: usize) -> Option<&mut (Key, Option<u16>)> {
        let len = self.issued.len();
        self.issued.get_mut(nth % len.max(1))
    }

    fn apply(&mut self, slab: &mut Slab<u16>, op: &Op) {
        match *op {
            Op::Insert(value) => {
                let promised = slab.next_key();
                let key = slab.insert(value);
                assert_eq!(key, promised);
                assert!(
                    self.issued.iter().all(|(other, _)| *other != key),
                    "{key:?} was issued twice"
                );
                self.issued.push((key, Some(value)));
            }
            Op::Remove(nth) => {
                if let Some((key, value)) = self.entry(nth) {
                    assert_eq!(slab.remove(*key), value.take());
                }
            }
            Op::Change(nth, to) => {
                if let Some((key, value)) = self.entry(nth) {
                    let found = slab.get_mut(*key);
                    assert_eq!(found.as_deref().copied(), *value);
                    if let (Some(found), Some(value)) = (found, value) {
                        (*found, *value) = (to, to);
                    }
                }
            }
            Op::Age(nth, left) => {
                if let Some(index) = slab.free.get(nth % slab.free.len().max(1)) {
                    let slot = &mut slab.slots[*index as usize];
                    slot.generation = slot.generation.max(u32::MAX - left);
                }
            }
        }
    }

    fn check(&self, slab: &Slab<u16>) {
        let mut live: Vec<(Key, u16)> = (self.issued.iter())
            .filter_map(|(key, value)| Some((*key, (*value)?)))
            .collect();
        live.sort_unstable();
        assert_eq!(slab.len(), live.len());
        assert_eq!(slab.is_empty(), live.is_empty());
        let iterated: Vec<(Key, u16)> = slab.iter().map(|(key, value)| (key, *value)).collect();
        assert_eq!(iterated, live);
        for (key, value) in &self.issued {
            assert_eq!(slab.get(*key), value.as_ref());
        }
        let slots: BTreeSet<u32> = self.issued.iter().map(|(key, _)| key.index).collect();
        for index in slots.into_iter().chain([1_000, u32::MAX]) {
            let there = live.iter().find(|(key, _)| key.index == index);
            assert_eq!(slab.key_at(index), there.map(|(key, _)| *key));
        }
    }
}

/// Found by the model: such a slot counted as an entry for ever.
#[test]
fn a_slot_without_generations_left_stays_empty() {
    let mut slab = Slab::default();
    let first = slab.insert('a');
    slab.slots[0].generation = u32::MAX;
    let last = Key {
        generation: u32::MAX,
        ..first
    };
    assert_eq!(slab.get(first), None);
    assert_eq!(slab.remove(last), Some('a'));
    assert_eq!((slab.len(), slab.is_empty()), (0, true));
    assert_eq!(slab.insert('b').index, 1);
    assert_eq!(slab.get(last), None);
}

proptest! {
    /// A key finds its own entry until that is taken out, and nothing after, however often its slot is used again.
    #[test]
    fn behaves_like_a_list_of_all_keys(ops in prop::collection::vec(op(), 0..120)) {
        let (mut slab, mut model) = (Slab::default(), Model::default());
        for op in &ops {
            model.apply(&mut slab, op);
            model.check(&slab);
        }
    }
}
