use std::collections::BTreeMap;

use proto_core::Duration;

use super::*;

#[test]
fn a_failed_sync_loses_what_it_should_keep() {
    let mut disk = disk(DiskPlan {
        sync_errors: 1_000_000,
        ..DiskPlan::default()
    });
    create(&mut disk, "a", 1).unwrap();
    write(&mut disk, 1, 0, b"data").unwrap();
    assert_eq!(sync(&mut disk, 1), Err(FileError::Io));
    assert_eq!(read(&mut disk, 1, 0).unwrap(), b"data");
    disk.set_plan(DiskPlan::default());
    // A second try says well, and the data is gone all the same (D4).
    sync(&mut disk, 1).unwrap();
    sync_dir(&mut disk).unwrap();
    disk.power_loss();
    assert_eq!(content(&disk, "a").unwrap(), b"");
}

#[test]
fn injected_errors_come_as_often_as_planned() {
    let mut disk = disk(DiskPlan {
        io_errors: 100_000,
        space_errors: 100_000,
        ..DiskPlan::default()
    });
    create(&mut disk, "a", 1).unwrap();
    let mut counts = BTreeMap::new();
    for _ in 0..10_000 {
        let error = write(&mut disk, 1, 0, b"x")
            .err()
            .map(|error| error.to_string());
        *counts.entry(error).or_insert(0_u32) += 1;
    }
    let count = |error: FileError| counts[&Some(error.to_string())];
    assert!(count(FileError::Io).abs_diff(1_000) < 120, "{counts:?}");
    assert!(count(FileError::NoSpace).abs_diff(900) < 120, "{counts:?}");
    assert_eq!(disk.stats().injected, 10_000 - u64::from(counts[&None]));
}

/// A disk with one file that is open for writing as 1.
fn faulty(plan: DiskPlan) -> Disk {
    let mut disk = disk(DiskPlan::default());
    create(&mut disk, "a", 1).unwrap();
    disk.set_plan(plan);
    disk
}

#[test]
fn a_failed_close_closes_and_loses() {
    let mut disk = faulty(DiskPlan {
        close_errors: 1_000_000,
        ..DiskPlan::default()
    });
    write(&mut disk, 1, 0, b"data").unwrap();
    sync_dir(&mut disk).unwrap();
    assert_eq!(close(&mut disk, 1), Err(FileError::Io));
    assert_eq!(disk.open_files(), 0);
    assert_eq!(content(&disk, "a").unwrap(), b"data");
    disk.power_loss();
    assert_eq!(content(&disk, "a").unwrap(), b"");
}

#[test]
fn a_failed_rename_has_happened_or_not() {
    let mut happened = 0;
    for seed in 0..100 {
        let mut disk = faulty(DiskPlan {
            rename_errors: 1_000_000,
            ..DiskPlan::default()
        });
        disk.set_rng(Rng::new(seed, 0));
        assert_eq!(rename(&mut disk, "a", "b", false), Err(FileError::Io));
        let (old, new) = (content(&disk, "a"), content(&disk, "b"));
        assert!(old.is_some() != new.is_some());
        assert_eq!(disk.take_appeared().len(), usize::from(new.is_some()));
        happened += u32::from(new.is_some());
    }
    assert!((30..70).contains(&happened), "{happened}");
}

#[test]
fn short_reads_and_writes_say_how_much_was_moved() {
    let mut disk = faulty(DiskPlan {
        short_writes: 500_000,
        short_reads: 500_000,
        ..DiskPlan::default()
    });
    let (mut short_writes, mut short_reads) = (0, 0);
    for _ in 0..200 {
        disk.tree.truncate(disk.open[&FileId(1)].ino, 0, 0).unwrap();
        let Outcome::Moved { len, .. } = write(&mut disk, 1, 0, &[7; 100]).unwrap() else {
            panic!("no bytes moved");
        };
        assert_eq!(content(&disk, "a").unwrap(), vec![7; len as usize]);
        let got = read(&mut disk, 1, 0).unwrap();
        assert!(got.len() <= len as usize && got.iter().all(|&byte| byte == 7));
        short_writes += u32::from(len < 100);
        short_reads += u32::from(got.len() < len as usize);
    }
    assert!((70..130).contains(&short_writes), "{short_writes}");
    assert!((60..130).contains(&short_reads), "{short_reads}");
}

#[test]
fn files_that_may_be_open_are_counted() {
    let mut disk = disk(DiskPlan {
        open_files_max: 2,
        ..DiskPlan::default()
    });
    create(&mut disk, "a", 1).unwrap();
    open(&mut disk, "a", 2).unwrap();
    assert_eq!(open(&mut disk, "a", 3), Err(FileError::Exhausted));
    assert_eq!(create(&mut disk, "b", 3), Err(FileError::Exhausted));
    close(&mut disk, 1).unwrap();
    open(&mut disk, "a", 3).unwrap();
}

#[test]
fn a_mended_disk_has_no_faults() {
    let mut disk = faulty(DiskPlan {
        capacity: 3,
        open_files_max: 1,
        io_errors: 1_000_000,
        sync_errors: 1_000_000,
        faults_until: Duration::from_secs(5),
        ..DiskPlan::default()
    });
    assert_eq!(write(&mut disk, 1, 0, b"data"), Err(FileError::Io));
    disk.now = Instant::ZERO + Duration::from_secs(5);
    write(&mut disk, 1, 0, b"data").unwrap();
    sync(&mut disk, 1).unwrap();
    open(&mut disk, "a", 2).unwrap();
}

#[test]
fn a_file_changes_under_its_reader() {
    let mut disk = disk(DiskPlan::default());
    let name = path("a");
    disk.plant(ROOT, &name, Content::from_bytes(b"0123456789"), 5);
    open(&mut disk, "a", 1).unwrap();
    let now = Instant::ZERO;
    let stat = |disk: &mut Disk| match run(disk, Operation::StatOpen { file: FileId(1) }) {
        Ok(Outcome::Meta(meta)) => meta,
        other => panic!("{other:?}"),
    };
    let mut seen = vec![stat(&mut disk).version];
    for (change, there) in [
        (Change::Write(4, b"xy".into()), Some("0123xy6789")),
        (Change::SetLen(5), Some("0123x")),
        (Change::SetLen(7), Some("0123x\0\0")),
        // The same bytes and length again: another version all the same.
        (Change::SetLen(7), Some("0123x\0\0")),
    ] {
        assert!(disk.change(now, ROOT, &name, change));
        assert_eq!(content(&disk, "a").as_deref(), there.map(str::as_bytes));
        assert_eq!(read(&mut disk, 1, 0).ok(), content(&disk, "a"));
        let version = stat(&mut disk).version;
        assert!(!seen.contains(&version));
        seen.push(version);
    }
    let other = Change::Replace(Content::from_bytes(b"another"));
    assert!(disk.change(now, ROOT, &name, other));
    assert_eq!(content(&disk, "a").unwrap(), b"another");
    assert_eq!(read(&mut disk, 1, 0).unwrap(), b"0123x\0\0");
    assert_eq!(Some(stat(&mut disk).version), seen.last().copied());
    assert!(disk.change(now, ROOT, &name, Change::Remove));
    assert!(!disk.change(now, ROOT, &name, Change::Remove));
    close(&mut disk, 1).unwrap();
    assert_eq!(disk.tree.used(), 0);
}
