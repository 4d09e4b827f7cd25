//! Every planted bug of the list is found within its stated number of seeds, counted from seed 0.

use std::collections::BTreeSet;

use proto_core::fault::Fault;
use sim::explore::run_guarded;
use sim::lab::Trace;
use sim::mutants::{Finder, MUTANTS, in_parallel};
use sim::scenario::Scenario;

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

/// What finds a bug must not find one where there is none.
#[test]
fn harder_worlds_break_nothing() {
    let jobs: Vec<_> = (MUTANTS.iter())
        .filter_map(|mutant| match mutant.finder {
            Finder::Harder(profile) => Some((profile, mutant.bug)),
            Finder::Drawn | Finder::Crash | Finder::CrashWithFailingSyncs => None,
        })
        .collect();
    in_parallel(&jobs, |(profile, bug)| {
        for seed in 0..40 {
            let mut scenario = Scenario::draw(seed, false);
            profile.apply(&mut scenario);
            let run = run_guarded(&scenario, Trace::default());
            assert!(run.is_ok(), "{profile:?} for {bug}, seed {seed}: {run:?}");
        }
    });
}
