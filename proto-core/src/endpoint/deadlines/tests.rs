//! The heap against a map that is searched for its minimum.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// Sets the deadline of a peer, or removes it.
type Op = (u32, Option<(u64, Reason)>);

fn op() -> impl Strategy<Value = Op> {
    let reason = prop_oneof![
        Just(Reason::Idle),
        Just(Reason::AckDelay),
        Just(Reason::Pacing)
    ];
    // Few times, so that many are equal.
    (0..20_u32, prop::option::of((0..30_u64, reason)))
}

proptest! {
    #[test]
    fn first_is_always_the_earliest(ops in prop::collection::vec(op(), 0..300)) {
        let mut deadlines = Deadlines::default();
        let mut model = BTreeMap::new();
        for (index, deadline) in ops {
            let deadline = deadline.map(|(at, reason)| (Instant::from_nanos(at), reason));
            match deadline {
                Some(deadline) => model.insert(index, deadline),
                None => model.remove(&index),
            };
            deadlines.set(index, deadline);
            let earliest = model.iter().map(|(index, (at, _))| (*at, *index)).min();
            let earliest = earliest.map(|(at, index)| (at, index, model[&index].1));
            prop_assert_eq!(deadlines.first(), earliest);
            for (place, (_, index, _)) in deadlines.heap.iter().enumerate() {
                prop_assert_eq!(deadlines.places[*index as usize] as usize, place);
            }
            prop_assert_eq!(deadlines.heap.len(), model.len());
        }
        // What is left comes out in order, and nothing twice.
        let mut rest: Vec<_> = model.iter().map(|(index, (at, _))| (*at, *index)).collect();
        rest.sort_unstable();
        for expected in rest {
            let (at, index, _) = deadlines.first().expect("as many as in the map");
            prop_assert_eq!((at, index), expected);
            deadlines.set(index, None);
        }
        prop_assert_eq!(deadlines.first(), None);
    }
}
