use proto_core::block_value;

use super::*;

#[test]
fn a_file_is_made_as_the_core_makes_it() {
    let mut disk = disk(DiskPlan::default());
    create(&mut disk, ".dhow-1", 1).unwrap();
    let done = write(&mut disk, 1, BLOCK, b"tail").unwrap();
    let value = block_value(b"tail", BLOCK, HashAs::Subtree);
    assert_eq!(done, Outcome::Moved { len: 4, value });
    write(&mut disk, 1, 0, &[5; BLOCK_SIZE as usize]).unwrap();
    sync(&mut disk, 1).unwrap();
    let meta = Operation::SetMeta {
        file: FileId(1),
        mtime: Some(-5),
        mode: Some(0o4777),
    };
    run(&mut disk, meta).unwrap();
    assert_eq!(list(&mut disk, 1_000).len(), 0);
    rename(&mut disk, ".dhow-1", "a", false).unwrap();
    sync_dir(&mut disk).unwrap();
    close(&mut disk, 1).unwrap();
    assert_eq!(disk.open_files(), 0);
    assert_eq!(disk.take_appeared(), [(ROOT, path("a"))]);
    let meta = disk.meta(ROOT, &path("a")).unwrap();
    assert_eq!((meta.size, meta.mtime, meta.mode), (BLOCK + 4, -5, 0o755));
    assert_eq!(disk.free(), u64::MAX - BLOCK - 4);
    open(&mut disk, "a", 2).unwrap();
    assert_eq!(read(&mut disk, 2, BLOCK).unwrap(), b"tail");
    assert_eq!(read(&mut disk, 2, BLOCK * 2).unwrap(), b"");
}

#[test]
fn errors_are_posix_ones() {
    let mut disk = disk(DiskPlan::default());
    disk.plant_directory(ROOT, &path("d"));
    disk.plant_device(ROOT, &path("null"));
    disk.plant(ROOT, &path("f"), Content::from_bytes(b"x"), 0);
    disk.plant(ROOT, &path("g"), Content::from_bytes(b"y"), 0);
    assert_eq!(open(&mut disk, "none", 1), Err(FileError::NotFound));
    assert_eq!(open(&mut disk, "f/x", 1), Err(FileError::NotFound));
    assert_eq!(open(&mut disk, "d", 1), Err(FileError::IsDirectory));
    assert_eq!(open(&mut disk, "null", 1), Err(FileError::NotRegular));
    assert_eq!(create(&mut disk, "f", 1), Err(FileError::Exists));
    assert_eq!(create(&mut disk, "e/f", 1), Err(FileError::NotFound));
    assert_eq!(rename(&mut disk, "f", "g", false), Err(FileError::Exists));
    assert_eq!(
        rename(&mut disk, "f", "d", true),
        Err(FileError::IsDirectory)
    );
    assert_eq!(rename(&mut disk, "h", "i", true), Err(FileError::NotFound));
    assert_eq!(remove(&mut disk, "d"), Err(FileError::IsDirectory));
    assert_eq!(remove(&mut disk, "h"), Err(FileError::NotFound));
    assert_eq!(content(&disk, "f").unwrap(), b"x");
    assert_eq!(content(&disk, "g").unwrap(), b"y");
    rename(&mut disk, "f", "g", true).unwrap();
    assert_eq!(content(&disk, "g").unwrap(), b"x");
}

#[test]
fn the_capacity_is_never_exceeded_and_comes_back() {
    let mut disk = disk(DiskPlan {
        capacity: BLOCK + 10,
        ..DiskPlan::default()
    });
    create(&mut disk, "a", 1).unwrap();
    write(&mut disk, 1, 0, &[1; BLOCK_SIZE as usize]).unwrap();
    assert_eq!(
        write(&mut disk, 1, BLOCK, &[1; 11]),
        Err(FileError::NoSpace)
    );
    write(&mut disk, 1, BLOCK, &[1; 10]).unwrap();
    // What is there may be written again.
    write(&mut disk, 1, 0, &[2; BLOCK_SIZE as usize]).unwrap();
    assert_eq!(disk.free(), 0);
    remove(&mut disk, "a").unwrap();
    assert_eq!(disk.free(), 0);
    close(&mut disk, 1).unwrap();
    assert_eq!(disk.free(), BLOCK + 10);
}

#[test]
fn breaches_of_the_contract_are_noticed() {
    let mut disk = disk(DiskPlan::default());
    create(&mut disk, "a", 1).unwrap();
    let read = |offset| Operation::Read {
        file: FileId(1),
        offset,
        len: 10,
        block: Block::new(),
        hash: HashAs::Nothing,
    };
    let write = |offset| Operation::Write {
        file: FileId(1),
        offset,
        len: 10,
        block: Block::new(),
        hash: HashAs::Nothing,
    };
    let sync = || Operation::Sync { file: FileId(1) };
    let close = || Operation::Close { file: FileId(1) };
    let pairs = [
        (read(0), read(0), false),
        (read(0), write(0), true),
        (read(0), write(BLOCK), false),
        (write(0), write(0), true),
        (write(0), write(BLOCK), false),
        (write(0), sync(), true),
        (read(0), sync(), false),
        (sync(), close(), true),
        (close(), read(0), true),
        (close(), Operation::FreeSpace { root: ROOT }, false),
    ];
    for (first, second, breach) in pairs {
        disk.mark_busy(&first);
        disk.mark_busy(&second);
        let found = disk.take_breaches();
        assert_eq!(found.len(), usize::from(breach), "{first:?} {second:?}");
        disk.mark_done(&second);
        disk.mark_done(&first);
        assert!(disk.busy.is_empty());
    }
    for what in [
        Operation::Close { file: FileId(9) },
        Operation::FreeSpace { root: RootId(1) },
        write(1),
    ] {
        assert!(execute(&mut disk, what).1.is_err());
        assert_eq!(disk.take_breaches().len(), 1);
    }
}

#[test]
fn listing_in_pages_misses_nothing_that_stays() {
    let mut disk = disk(DiskPlan::default());
    let names: Vec<String> = (0..100).map(|n| format!("file{n:03}")).collect();
    for name in &names {
        disk.plant(ROOT, &path(name), Content::default(), 0);
    }
    disk.plant(ROOT, &path(".dhow-x"), Content::default(), 0);
    let all: Vec<_> = names.iter().map(|name| name.clone().into_bytes()).collect();
    for max in [30, 100, 65_536] {
        assert_eq!(list(&mut disk, max), all);
    }
}

fn remove_tree(
    disk: &mut Disk,
    name: &str,
    recursive: bool,
    max: u32,
) -> Result<(u64, bool), FileError> {
    let what = Operation::RemoveTree {
        root: ROOT,
        path: path(name),
        recursive,
        max,
    };
    match run(disk, what)? {
        Outcome::Removed { count, more } => Ok((count, more)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_directory_is_removed_piece_by_piece() {
    let mut disk = disk(DiskPlan::default());
    for name in ["d", "d/a"] {
        disk.plant_directory(ROOT, &path(name));
    }
    for name in ["d/a/1", "d/a/2", "d/3"] {
        disk.plant(ROOT, &path(name), Content::default(), 0);
    }
    assert_eq!(
        remove_tree(&mut disk, "d", false, 9),
        Err(FileError::NotEmpty)
    );
    assert_eq!(remove_tree(&mut disk, "d", true, 2), Ok((2, true)));
    assert_eq!(remove_tree(&mut disk, "d", true, 9), Ok((3, false)));
    assert_eq!(
        remove_tree(&mut disk, "d", true, 9),
        Err(FileError::NotFound)
    );
}

#[test]
fn a_file_moves_into_another_directory() {
    let mut disk = disk(DiskPlan::default());
    for name in ["a", "b"] {
        disk.plant_directory(ROOT, &path(name));
    }
    disk.plant(ROOT, &path("a/f"), Content::default(), 0);
    disk.plant(ROOT, &path("b/g"), Content::default(), 0);
    assert_eq!(
        rename(&mut disk, "a/f", "b/g", false),
        Err(FileError::Exists)
    );
    assert_eq!(
        rename(&mut disk, "a", "b", true),
        Err(FileError::IsDirectory)
    );
    assert_eq!(rename(&mut disk, "a", "a/x", true), Err(FileError::BadName));
    assert_eq!(rename(&mut disk, "a/f", "b/h", false), Ok(Outcome::Done));
    assert_eq!(rename(&mut disk, "b", "a/b", false), Ok(Outcome::Done));
    assert!(disk.content(ROOT, &path("a/b/h")).is_some());
    assert!(disk.content(ROOT, &path("a/f")).is_none());
}
