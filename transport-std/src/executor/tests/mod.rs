//! The executor over real directories.

mod escapes;
mod filters;
mod joined;
mod listings;
mod logs;
mod operations;
#[cfg(target_os = "linux")]
mod quotas;
mod races;
mod removal;

use std::fs;
use std::path::PathBuf;

use proto_core::wire::FilePath;
use proto_core::{BLOCK_SIZE, Block, FileError, FileId, HashAs, Meta, Operation, Outcome, RootId};
use tempfile::TempDir;

use super::roots::Roots;
use super::run::Disk;

/// A disk with one root in a temporary directory, and something secret beside the root.
struct World {
    disk: Disk,
    root: RootId,
    temp: TempDir,
}

type Result<T> = std::result::Result<T, FileError>;

fn path(text: impl AsRef<[u8]>) -> FilePath {
    FilePath::parse(text.as_ref()).expect("a test's path is well formed")
}

impl World {
    /// `share/` is the root; `secret` lies beside it.
    fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        fs::create_dir(temp.path().join("share")).unwrap();
        fs::write(temp.path().join("secret"), b"secret").unwrap();
        let roots = Roots::new();
        let root = roots.add_dir(&temp.path().join("share")).unwrap();
        Self {
            disk: Disk::new(roots),
            root,
            temp,
        }
    }

    /// The same, resolving paths without `openat2` where that is a choice.
    fn walking() -> Self {
        let mut world = Self::new();
        let directory = super::rooted::Directory::open_walking(&world.at("")).unwrap();
        let roots = Roots::new();
        world.root = roots.add(super::roots::Root::Directory(directory.into()));
        world.disk = Disk::new(roots);
        world
    }

    fn at(&self, name: &str) -> PathBuf {
        self.temp.path().join("share").join(name)
    }

    fn run(&self, what: Operation) -> Result<Outcome> {
        self.disk.perform(what, 0).1
    }

    fn open(&self, name: &str, file: u64) -> Result<Meta> {
        let (root, path, file) = (self.root, path(name), FileId(file));
        meta(self.run(Operation::Open { root, path, file }))
    }

    fn create(&self, name: &str, file: u64) -> Result<Meta> {
        let (root, path, file) = (self.root, path(name), FileId(file));
        meta(self.run(Operation::Create {
            root,
            path,
            file,
            log: None,
            size: 0,
        }))
    }

    fn stat(&self, name: &str) -> Result<Meta> {
        meta(self.run(Operation::Stat {
            root: self.root,
            path: path(name),
        }))
    }

    fn rename(&self, from: &str, to: &str, replace: bool) -> Result<()> {
        let (from, to) = (path(from), path(to));
        self.run(Operation::Rename {
            root: self.root,
            from,
            to,
            replace,
            log: None,
        })
        .map(done)
    }

    fn remove(&self, name: &str) -> Result<()> {
        self.run(Operation::Remove {
            root: self.root,
            path: path(name),
            log: None,
        })
        .map(done)
    }

    fn sync_dir(&self, name: &str) -> Result<()> {
        self.run(Operation::SyncDir {
            root: self.root,
            path: path(name),
        })
        .map(done)
    }

    fn close(&self, file: u64) {
        self.run(Operation::Close { file: FileId(file) })
            .map(done)
            .unwrap();
    }

    /// Writes `bytes` as one block.
    fn write(&self, file: u64, offset: u64, bytes: &[u8], hash: HashAs) -> Result<Outcome> {
        let mut block = Block::new();
        block.bytes_mut()[..bytes.len()].copy_from_slice(bytes);
        let (file, len) = (FileId(file), bytes.len() as u32);
        let (block, result) = self.disk.perform(
            Operation::Write {
                file,
                offset,
                len,
                block,
                hash,
            },
            0,
        );
        assert!(block.is_some(), "the block comes home");
        result
    }

    /// Reads one block.
    fn read(&self, file: u64, offset: u64, hash: HashAs) -> Result<(Vec<u8>, [u8; 32])> {
        let (file, len, block) = (FileId(file), BLOCK_SIZE, Block::new());
        let (block, result) = self.disk.perform(
            Operation::Read {
                file,
                offset,
                len,
                block,
                hash,
            },
            0,
        );
        let block = block.expect("the block comes home");
        match result? {
            Outcome::Moved { len, value } => Ok((block.bytes()[..len as usize].to_vec(), value)),
            other => panic!("not an answer to Read: {other:?}"),
        }
    }
}

fn meta(outcome: Result<Outcome>) -> Result<Meta> {
    match outcome? {
        Outcome::Meta(meta) => Ok(meta),
        other => panic!("metadata expected: {other:?}"),
    }
}

fn done(outcome: Outcome) {
    assert_eq!(outcome, Outcome::Done);
}
