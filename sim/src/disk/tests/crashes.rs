use std::collections::BTreeSet;

use super::*;

#[test]
fn what_was_synced_survives_and_the_rest_is_any_part() {
    let (mut lost, mut kept, mut mixed) = (0, 0, 0);
    for seed in 0..400 {
        let mut disk = disk(DiskPlan::default());
        disk.set_rng(Rng::new(seed, 0));
        disk.plant(ROOT, &path("old"), Content::from_bytes(b"old"), 0);
        create(&mut disk, "new", 1).unwrap();
        write(&mut disk, 1, 0, &[1; BLOCK_SIZE as usize]).unwrap();
        sync(&mut disk, 1).unwrap();
        sync_dir(&mut disk).unwrap();
        write(&mut disk, 1, BLOCK, &[2; 100]).unwrap();
        write(&mut disk, 1, BLOCK * 2, &[3; 100]).unwrap();
        rename(&mut disk, "new", "old", true).unwrap();
        disk.power_loss();
        assert_eq!(disk.open_files(), 0);
        let new = match (content(&disk, "new"), content(&disk, "old").unwrap()) {
            (Some(new), old) => {
                assert_eq!(old, b"old");
                lost += 1;
                new
            }
            (None, new) => {
                kept += 1;
                new
            }
        };
        assert!(new[..BLOCK as usize].iter().all(|&b| b == 1));
        let second = new.get(BLOCK as usize) == Some(&2);
        let third = new.get(BLOCK as usize * 2) == Some(&3);
        mixed += u32::from(third && !second);
        assert_eq!(disk.free(), u64::MAX - disk.tree.used());
    }
    assert!(
        lost > 100 && kept > 100 && mixed > 15,
        "{lost} {kept} {mixed}"
    );
}

/// What `file` is after each of many power losses at the same moment.
fn fates(disk: &Disk, name: &str) -> BTreeSet<Option<Vec<u8>>> {
    let lost = |seed| {
        let mut copy = disk.clone();
        copy.set_rng(Rng::new(seed, 0));
        copy.power_loss();
        content(&copy, name)
    };
    (0..2_000).map(lost).collect()
}

#[test]
fn a_write_is_torn_at_sectors() {
    let mut disk = disk(DiskPlan::default());
    disk.plant(ROOT, &path("a"), Content::from_bytes(&[1; 1_500]), 0);
    let ino = disk.find(ROOT, &path("a")).unwrap();
    disk.tree
        .write(ino, 0, content::Extent::new(0, &[2; 1_500]), 0)
        .unwrap();
    let fates = fates(&disk, "a");
    // Each of three sectors is old or new.
    assert_eq!(fates.len(), 8);
    for fate in fates.into_iter().flatten() {
        assert_eq!(fate.len(), 1_500);
        for sector in fate.chunks(512) {
            assert!(sector.iter().all(|byte| *byte == sector[0]));
        }
    }
}

#[test]
fn a_length_goes_its_own_way() {
    let mut disk = disk(DiskPlan::default());
    create(&mut disk, "a", 1).unwrap();
    sync_dir(&mut disk).unwrap();
    write(&mut disk, 1, 0, &[1; 100]).unwrap();
    write(&mut disk, 1, BLOCK, &[2; 100]).unwrap();
    let fates = fates(&disk, "a");
    let lengths: BTreeSet<usize> = fates.iter().flatten().map(Vec::len).collect();
    assert_eq!(lengths, BTreeSet::from([0, 100, BLOCK as usize + 100]));
    let whole = |fate: &&Vec<u8>| fate.len() == BLOCK as usize + 100;
    let firsts: BTreeSet<(u8, u8)> = (fates.iter().flatten().filter(whole))
        .map(|fate| (fate[0], fate[BLOCK as usize]))
        .collect();
    assert_eq!(firsts, BTreeSet::from([(0, 0), (0, 2), (1, 0), (1, 2)]));
    assert!(!fates.contains(&None));
}

#[test]
fn names_survive_in_any_subset_and_a_rename_is_whole() {
    let mut disk = disk(DiskPlan::default());
    disk.plant(ROOT, &path("old"), Content::from_bytes(b"old"), 0);
    for (name, file) in [("a", 1), ("b", 2)] {
        create(&mut disk, name, file).unwrap();
        sync(&mut disk, file).unwrap();
    }
    rename(&mut disk, "a", "old", true).unwrap();
    let mut seen = BTreeSet::new();
    for seed in 0..2_000 {
        let mut copy = disk.clone();
        copy.set_rng(Rng::new(seed, 0));
        copy.power_loss();
        let [a, b, old] = ["a", "b", "old"].map(|name| content(&copy, name));
        let renamed = match old.as_deref() {
            Some(b"old") => false,
            Some(b"") => true,
            other => panic!("{other:?}"),
        };
        assert!(!(renamed && a.is_some()), "a rename left the old name");
        seen.insert((a.is_some(), b.is_some(), renamed));
    }
    // The names of both files, and the rename, each on its own; a renamed file has no old name.
    assert_eq!(seen.len(), 6);
}

#[test]
fn metadata_survive_a_sync_or_in_half_of_the_cases() {
    let mut disk = disk(DiskPlan::default());
    create(&mut disk, "a", 1).unwrap();
    sync_dir(&mut disk).unwrap();
    let set = |mtime| Operation::SetMeta {
        file: FileId(1),
        mtime: Some(mtime),
        mode: Some(0o640),
    };
    run(&mut disk, set(1)).unwrap();
    sync(&mut disk, 1).unwrap();
    run(&mut disk, set(2)).unwrap();
    let mut seen = BTreeSet::new();
    for seed in 0..100 {
        let mut copy = disk.clone();
        copy.set_rng(Rng::new(seed, 0));
        copy.power_loss();
        let meta = copy.meta(ROOT, &path("a")).unwrap();
        assert_eq!(meta.mode, 0o640);
        seen.insert(meta.mtime);
    }
    assert_eq!(seen, BTreeSet::from([1, 2]));
}

#[test]
fn a_process_that_dies_loses_nothing_that_was_written() {
    let mut disk = disk(DiskPlan::default());
    create(&mut disk, "a", 1).unwrap();
    write(&mut disk, 1, 0, b"data").unwrap();
    create(&mut disk, "gone", 2).unwrap();
    write(&mut disk, 2, 0, b"data").unwrap();
    remove(&mut disk, "gone").unwrap();
    assert_eq!(disk.tree.used(), 8);
    disk.process_crash();
    assert_eq!((disk.open_files(), disk.tree.used()), (0, 4));
    // The numbers of files are free again, and what was not synced still is not.
    open(&mut disk, "a", 1).unwrap();
    assert_eq!(read(&mut disk, 1, 0).unwrap(), b"data");
    create(&mut disk, "b", 2).unwrap();
    sync_dir(&mut disk).unwrap();
    assert!(fates(&disk, "a").len() > 2);
}

#[test]
fn a_disk_that_lies_loses_what_it_said_is_safe() {
    for lies in [false, true] {
        let mut disk = disk(DiskPlan {
            ignore_sync: lies,
            ignore_sync_dir: lies,
            ..DiskPlan::default()
        });
        create(&mut disk, "a", 1).unwrap();
        write(&mut disk, 1, 0, b"data").unwrap();
        sync(&mut disk, 1).unwrap();
        sync_dir(&mut disk).unwrap();
        let fates = fates(&disk, "a");
        assert_eq!(fates.contains(&None), lies);
        assert_eq!(fates.len() > 1, lies);
    }
}
