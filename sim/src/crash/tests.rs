use super::*;

#[test]
fn no_promise_is_broken() {
    let summary = explore(0, Amount::Runs(6), Lie::None);
    assert_eq!(summary.violations, []);
    let total = summary.total;
    assert_eq!(total.runs, 6);
    assert_eq!(total.points, total.moments * SUBSETS);
    assert!(total.points > 5_000 && total.restarts > 5, "{total:?}");
    assert!(total.found_new > 300 && total.found_old > 300, "{total:?}");
}

#[test]
fn changes_of_names_last_when_they_were_told_to() {
    let total = (0..60).map(|seed| names::run(seed, Lie::None).unwrap());
    let total = total.fold(Report::default(), |mut all, one| {
        all.add(&one);
        all
    });
    assert_eq!(total.changes, 60);
    assert!(total.points > 10_000, "{total:?}");
    let lies = (0..60).filter(|seed| names::run(*seed, Lie::SyncDir).is_err());
    assert!(
        lies.count() > 10,
        "a disk that does not sync directories is found"
    );
}

/// Seeds below `count` that break a promise.
fn broken(count: u64, lie: Lie) -> Vec<String> {
    let run = |seed| run_seed(seed, lie, &mut |_| {}).err();
    (0..count).filter_map(run).collect()
}

#[test]
fn a_disk_that_does_not_sync_files_is_found() {
    let broken = broken(6, Lie::Sync);
    assert!(broken.len() >= 2, "{broken:?}");
    assert!(
        broken
            .iter()
            .any(|what| what.contains("a part of a new file")),
        "{broken:?}"
    );
}

#[test]
fn a_disk_that_does_not_sync_directories_is_found() {
    let broken = broken(6, Lie::SyncDir);
    assert!(broken.len() >= 2, "{broken:?}");
    let lost = |what: &String| what.contains("told to be stored");
    assert!(broken.iter().all(lost), "{broken:?}");
}

#[test]
fn the_same_seed_does_the_same() {
    let run = |seed| {
        let mut lines = Vec::new();
        let report = run_seed(seed, Lie::None, &mut |line| lines.push(line.to_owned()));
        (report, lines)
    };
    for seed in 0..3 {
        assert_eq!(run(seed), run(seed));
    }
}
