mod crashes;
mod faults;
mod model;
mod operations;
mod times;
mod transfers;

use proto_core::wire::{Entry, FilePath};
use proto_core::{BLOCK_SIZE, Block, FileError, FileId, HashAs, Operation, Outcome, RootId};

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

/// Carries `what` out at once, whether or not it keeps the contract.
fn execute(disk: &mut Disk, what: Operation) -> (Option<Block>, Result<Outcome, FileError>) {
    let bytes = loan::bytes_of(&what);
    disk.execute(what, bytes)
}

/// Carries `what` out at once.
fn run(disk: &mut Disk, what: Operation) -> Result<Outcome, FileError> {
    let result = execute(disk, what).1;
    assert_eq!(disk.take_breaches(), [""; 0]);
    result
}

fn create(disk: &mut Disk, name: &str, file: u64) -> Result<Outcome, FileError> {
    let what = Operation::Create {
        root: ROOT,
        path: path(name),
        file: FileId(file),
        log: None,
        size: 0,
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
    let what = Operation::Read {
        file: FileId(file),
        offset,
        len: BLOCK_SIZE,
        block: Block::new(),
        hash: HashAs::Nothing,
    };
    let (block, result) = execute(disk, what);
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
        log: None,
    };
    run(disk, what)
}

fn remove(disk: &mut Disk, name: &str) -> Result<Outcome, FileError> {
    let what = Operation::Remove {
        root: ROOT,
        path: path(name),
        log: None,
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
            versions: false,
            filter: None,
        };
        let Ok(Outcome::Page { entries, next, .. }) = run(disk, what) else {
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
