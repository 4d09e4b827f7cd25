use std::collections::BTreeMap;

use proto_core::wire::{Entry, EntryKind, FilePath};
use proto_core::{
    BLOCK_SIZE, Block, FileError, FileId, HashAs, Operation, Outcome, RootId, block_value,
};

use super::*;

const ROOT: RootId = RootId(7);
const BLOCK: u64 = BLOCK_SIZE as u64;

fn path(text: &str) -> FilePath {
    FilePath::parse(text.as_bytes()).unwrap()
}

fn disk(plan: DiskPlan) -> Disk {
    let mut disk = Disk::new(plan, Rng::new(1, 0));
    disk.add_root(ROOT);
    disk
}

/// Carries `what` out at once.
fn run(disk: &mut Disk, what: Operation) -> Result<Outcome, FileError> {
    let result = disk.execute(what).1;
    assert_eq!(disk.take_breaches(), [""; 0]);
    result
}

fn create(disk: &mut Disk, name: &str, file: u64) -> Result<Outcome, FileError> {
    let what = Operation::Create {
        root: ROOT,
        path: path(name),
        file: FileId(file),
    };
    run(disk, what)
}

fn open(disk: &mut Disk, name: &str, file: u64) -> Result<Outcome, FileError> {
    let what = Operation::Open {
        root: ROOT,
        path: path(name),
        file: FileId(file),
    };
    run(disk, what)
}

fn write(disk: &mut Disk, file: u64, offset: u64, bytes: &[u8]) -> Result<Outcome, FileError> {
    let mut block = Block::new();
    block.bytes_mut()[..bytes.len()].copy_from_slice(bytes);
    let what = Operation::Write {
        file: FileId(file),
        offset,
        len: bytes.len() as u32,
        block,
        hash: HashAs::Subtree,
    };
    run(disk, what)
}

fn read(disk: &mut Disk, file: u64, offset: u64) -> Result<Vec<u8>, FileError> {
    let (block, result) = disk.execute(Operation::Read {
        file: FileId(file),
        offset,
        len: BLOCK_SIZE,
        block: Block::new(),
        hash: HashAs::Nothing,
    });
    match result? {
        Outcome::Moved { len, .. } => Ok(block.unwrap().bytes()[..len as usize].to_vec()),
        other => panic!("{other:?}"),
    }
}

fn sync(disk: &mut Disk, file: u64) -> Result<Outcome, FileError> {
    run(disk, Operation::Sync { file: FileId(file) })
}

fn sync_dir(disk: &mut Disk) -> Result<Outcome, FileError> {
    let what = Operation::SyncDir {
        root: ROOT,
        path: FilePath::root(),
    };
    run(disk, what)
}

fn close(disk: &mut Disk, file: u64) -> Result<Outcome, FileError> {
    run(disk, Operation::Close { file: FileId(file) })
}

fn rename(disk: &mut Disk, from: &str, to: &str, replace: bool) -> Result<Outcome, FileError> {
    let what = Operation::Rename {
        root: ROOT,
        from: path(from),
        to: path(to),
        replace,
    };
    run(disk, what)
}

fn remove(disk: &mut Disk, name: &str) -> Result<Outcome, FileError> {
    let what = Operation::Remove {
        root: ROOT,
        path: path(name),
    };
    run(disk, what)
}

fn content(disk: &Disk, name: &str) -> Option<Vec<u8>> {
    let content = disk.content(ROOT, &path(name))?;
    let mut bytes = vec![0; content.len() as usize];
    content.read(0, &mut bytes);
    Some(bytes)
}

/// Lists all pages of `max` bytes.
fn list(disk: &mut Disk, max: u32) -> Vec<Vec<u8>> {
    let mut names = Vec::new();
    let mut cursor = Some(0);
    while let Some(from) = cursor {
        let what = Operation::List {
            root: ROOT,
            path: FilePath::root(),
            cursor: from,
            max,
        };
        let Ok(Outcome::Page { entries, next }) = run(disk, what) else {
            panic!("no page");
        };
        assert!(entries.len() <= max as usize);
        let mut rest = &entries[..];
        while !rest.is_empty() {
            names.push(Entry::decode(&mut rest).unwrap().name.to_vec());
        }
        cursor = next;
    }
    names.sort();
    names
}

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
        Operation::Rename {
            root: ROOT,
            from: path("a"),
            to: path("d/a"),
            replace: true,
        },
    ] {
        assert!(disk.execute(what).1.is_err());
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

#[test]
fn what_was_synced_survives_and_the_rest_is_any_part() {
    let (mut lost, mut kept, mut mixed) = (0, 0, 0);
    for seed in 0..200 {
        let mut disk = Disk::new(DiskPlan::default(), Rng::new(seed, 0));
        disk.add_root(ROOT);
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
        lost > 50 && kept > 50 && mixed > 20,
        "{lost} {kept} {mixed}"
    );
}

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

/// The naive model: names to bytes and kinds.
#[derive(Default)]
struct Model {
    files: BTreeMap<String, Vec<u8>>,
    handles: BTreeMap<u64, String>,
}

#[test]
fn any_operations_give_what_a_map_gives() {
    let mut rng = Rng::new(11, 0);
    for _ in 0..100 {
        let mut disk = disk(DiskPlan::default());
        let mut model = Model::default();
        for file in 0..60 {
            step(&mut disk, &mut model, &mut rng, file);
            let names: Vec<_> = model.files.keys().map(|n| n.clone().into_bytes()).collect();
            assert_eq!(list(&mut disk, 200), names);
            for (name, bytes) in &model.files {
                assert_eq!(content(&disk, name).as_ref(), Some(bytes));
                let meta = disk.meta(ROOT, &path(name)).unwrap();
                assert_eq!(
                    (meta.kind, meta.size),
                    (EntryKind::File, bytes.len() as u64)
                );
            }
            if rng.one_in(10) {
                for (file, _) in std::mem::take(&mut model.handles) {
                    close(&mut disk, file).unwrap();
                }
            }
        }
        let used: usize = model.files.values().map(Vec::len).sum();
        for (file, _) in std::mem::take(&mut model.handles) {
            close(&mut disk, file).unwrap();
        }
        assert_eq!(disk.tree.used(), used as u64);
    }
}

/// One random operation on both.
fn step(disk: &mut Disk, model: &mut Model, rng: &mut Rng, file: u64) {
    let names = ["a", "b", "c", "d"];
    let (name, other) = (*rng.pick(&names), *rng.pick(&names));
    match rng.below(5) {
        0 => {
            let result = create(disk, name, file);
            assert_eq!(result.is_ok(), !model.files.contains_key(name));
            if result.is_ok() {
                model.files.insert(name.into(), Vec::new());
                model.handles.insert(file, name.into());
            }
        }
        1 => {
            let Some((&file, name)) = model.handles.iter().next() else {
                return;
            };
            let bytes = vec![rng.next_u64() as u8; rng.below(100) as usize];
            write(disk, file, 0, &bytes).unwrap();
            let model = model.files.get_mut(name).unwrap();
            model.resize(model.len().max(bytes.len()), 0);
            model[..bytes.len()].copy_from_slice(&bytes);
        }
        2 if name != other => {
            let replace = rng.one_in(2);
            let result = rename(disk, name, other, replace);
            let there = model.files.contains_key(other);
            let may = model.files.contains_key(name) && (replace || !there);
            assert_eq!(result.is_ok(), may);
            if may {
                let bytes = model.files.remove(name).unwrap();
                model.files.insert(other.into(), bytes);
                forget(disk, model, other);
                for handle in model.handles.values_mut().filter(|h| *h == name) {
                    *handle = other.into();
                }
            }
        }
        3 => {
            assert_eq!(
                remove(disk, name).is_ok(),
                model.files.remove(name).is_some()
            );
            forget(disk, model, name);
        }
        _ => {
            let result = open(disk, name, file);
            assert_eq!(result.is_ok(), model.files.contains_key(name));
            if result.is_ok() {
                let bytes = read(disk, file, 0).unwrap();
                assert_eq!(Some(&bytes), model.files.get(name));
                close(disk, file).unwrap();
            }
        }
    }
}

/// Closes the handles of a file that has no name any more.
fn forget(disk: &mut Disk, model: &mut Model, name: &str) {
    let gone: Vec<u64> = (model.handles.iter())
        .filter(|(_, handle)| *handle == name)
        .map(|(file, _)| *file)
        .collect();
    for file in gone {
        model.handles.remove(&file);
        close(disk, file).unwrap();
    }
}
