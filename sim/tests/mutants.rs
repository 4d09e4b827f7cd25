//! Every planted bug of the list is found within its stated number of seeds, counted from seed 0.

use std::collections::BTreeSet;

use proto_core::fault::Fault;
use sim::mutants::{MUTANTS, in_parallel};

#[test]
fn every_planted_bug_is_found() {
    let missed = in_parallel(MUTANTS, |mutant| {
        let found = mutant.find(0, mutant.seeds, true);
        found.is_none().then_some(mutant.bug)
    });
    let missed: Vec<_> = missed.into_iter().flatten().collect();
    assert!(missed.is_empty(), "not found: {missed:?}");
}

#[test]
fn the_list_has_every_planted_bug_once() {
    let listed: BTreeSet<Fault> = MUTANTS.iter().map(|mutant| mutant.bug).collect();
    let bugs = Fault::ALL.iter().copied().filter(|fault| !fault.is_legal());
    assert_eq!(listed, bugs.collect());
    assert_eq!(listed.len(), MUTANTS.len());
}
