//! What is counted for whom (F11).

use proto_core::wire::Durability;
use proto_core::{HashAs, StoreFile, block_value};

use super::super::quota::Account;
use super::*;

const OWNER: [u8; 32] = [3; 32];
const OTHER: [u8; 32] = [4; 32];

/// A world whose root belongs to a user who may have so much.
struct Counted {
    world: World,
    roots: Roots,
    plain: RootId,
}

fn world(bytes: u64, files: u64) -> Counted {
    let mut world = World::new();
    let roots = Roots::new();
    let plain = roots.add_dir(&world.at("")).unwrap();
    roots.count_owners().unwrap();
    let account = Account {
        owner: OWNER,
        bytes,
        files,
    };
    world.root = roots.add_for(plain, account).unwrap();
    world.disk = Disk::new(roots.clone());
    Counted {
        world,
        roots,
        plain,
    }
}

impl Counted {
    fn counted(&self) -> (u64, u64) {
        self.roots.counted(&OWNER)
    }

    fn create(&self, name: &str, file: u64, size: u64) -> Result<Meta> {
        let (root, path, file) = (self.world.root, path(name), FileId(file));
        meta(self.world.run(Operation::Create {
            root,
            path,
            file,
            log: None,
            size,
        }))
    }

    fn write(&self, file: u64, offset: u64, len: usize) -> Result<Outcome> {
        self.world
            .write(file, offset, &vec![7; len], HashAs::Nothing)
    }

    /// As the user of another root of the same directory.
    fn as_other<T>(&mut self, root: RootId, what: impl FnOnce(&Self) -> T) -> T {
        let own = std::mem::replace(&mut self.world.root, root);
        let result = what(self);
        self.world.root = own;
        result
    }

    fn store(&self, files: &[(&str, usize)]) -> Vec<Result<()>> {
        let file = |(name, len): &(&str, usize)| {
            let bytes = vec![1; *len];
            StoreFile {
                name: name.as_bytes().to_vec(),
                temp: format!(".dhow-{name}").into_bytes(),
                link: false,
                value: block_value(&bytes, 0, HashAs::Root),
                bytes,
                mtime: None,
                mode: None,
                replace: true,
            }
        };
        let stored = self.world.run(Operation::StoreFiles {
            root: self.world.root,
            path: FilePath::root(),
            files: files.iter().map(file).collect(),
            durability: Durability::None,
        });
        match stored {
            Ok(Outcome::Stored { files, .. }) => {
                files.into_iter().map(|how| how.map(drop)).collect()
            }
            other => panic!("not an answer: {other:?}"),
        }
    }

    /// What a server that starts now would count.
    fn anew(&self, owner: &[u8; 32]) -> (u64, u64) {
        let roots = Roots::new();
        roots.add_dir(&self.world.at("")).unwrap();
        roots.count_owners().unwrap();
        roots.counted(owner)
    }
}

#[test]
fn f11_a_file_counts_from_its_announcement_to_its_removal() {
    let it = world(100, 2);
    it.create("a", 1, 90).unwrap();
    assert_eq!(it.counted(), (90, 1));
    assert_eq!(it.create("b", 2, 11), Err(FileError::Quota));
    it.create("b", 2, 10).unwrap();
    assert_eq!(it.create("c", 3, 0), Err(FileError::Quota));
    // More than was announced is charged as it comes; what fails has written nothing.
    it.write(1, 0, 90).unwrap();
    assert_eq!(it.write(2, 0, 11), Err(FileError::Quota));
    assert_eq!(it.world.stat("b").unwrap().size, 0);
    it.write(2, 0, 4).unwrap();
    // Less than was announced is given back.
    it.world.close(2);
    assert_eq!(it.counted(), (94, 2));
    it.world.close(1);
    assert_eq!(it.anew(&OWNER), it.counted());
    it.world.rename("a", "b", true).unwrap();
    assert_eq!(it.counted(), (90, 1));
    it.world.remove("b").unwrap();
    assert_eq!((it.counted(), it.anew(&OWNER)), ((0, 0), (0, 0)));
    // What could not be made is not counted.
    assert_eq!(it.create("no/where", 4, 5), Err(FileError::NotFound));
    fs::write(it.world.at("there"), "x").unwrap();
    assert_eq!(it.create("there", 4, 5), Err(FileError::Exists));
    assert_eq!(it.counted(), (0, 0));
}

#[test]
fn f11_small_files_and_directories_count() {
    let it = world(100, 4);
    let stored = it.store(&[("a", 60), ("b", 50), ("c", 40)]);
    assert_eq!(stored, [Ok(()), Err(FileError::Quota), Ok(())]);
    assert_eq!(it.counted(), (100, 2));
    // Replaced: both are there for a moment.
    assert_eq!(it.store(&[("a", 1)]), [Err(FileError::Quota)]);
    it.world.remove("c").unwrap();
    assert_eq!(it.store(&[("a", 40)]), [Ok(())]);
    assert_eq!(it.counted(), (40, 1));
    let make = |name: &str| {
        it.world.run(Operation::MakeDir {
            root: it.world.root,
            path: path(name),
            mode: 0,
            open: false,
            sync: false,
        })
    };
    for _ in 0..2 {
        make("d").unwrap();
        make("d/e").unwrap();
        assert_eq!(it.counted(), (40, 3));
    }
    assert_eq!(it.store(&[("x", 0)]), [Ok(())]);
    assert_eq!(make("f"), Err(FileError::Quota));
    assert!(make("d").is_ok(), "what is there costs nothing");
    assert_eq!((it.counted(), it.anew(&OWNER)), ((40, 4), (40, 4)));
    let removed = it.world.run(Operation::RemoveTree {
        root: it.world.root,
        path: path("d"),
        recursive: true,
        max: 100,
    });
    assert!(matches!(removed, Ok(Outcome::Removed { count: 2, .. })));
    assert_eq!((it.counted(), it.anew(&OWNER)), ((40, 2), (40, 2)));
}

#[test]
fn f11_what_another_replaces_or_takes_over_is_no_longer_counted() {
    let mut it = world(100, 9);
    let account = Account {
        owner: OTHER,
        bytes: 1_000,
        files: 9,
    };
    let other = it.roots.add_for(it.plain, account).unwrap();
    assert_eq!(it.store(&[("a", 50), ("b", 50)]), [Ok(()), Ok(())]);
    it.as_other(other, |it| {
        assert_eq!(it.store(&[("a", 70)]), [Ok(())]);
        it.world.remove("b").unwrap();
    });
    assert_eq!((it.counted(), it.roots.counted(&OTHER)), ((0, 0), (70, 1)));
    assert_eq!((it.anew(&OWNER), it.anew(&OTHER)), ((0, 0), (70, 1)));
    // By one for whom nothing is counted.
    it.as_other(it.plain, |it| {
        assert_eq!(it.store(&[("a", 500)]), [Ok(())]);
    });
    assert_eq!(it.roots.counted(&OTHER), (0, 0));
    // An unfinished file that another user goes on with.
    it.create("unfinished", 1, 60).unwrap();
    it.write(1, 0, 40).unwrap();
    it.world.close(1);
    let open = |it: &Counted, file: u64| {
        let log = FileId(file + 100);
        let opened = it.world.run(Operation::OpenLog {
            root: it.world.root,
            path: path(".dhow-0123456789abcdef.journal"),
            file: log,
            take: None,
        });
        assert!(matches!(opened, Ok(Outcome::Log { .. })));
        let part = it.world.run(Operation::OpenPart {
            root: it.world.root,
            path: path("unfinished"),
            file: FileId(file),
            log,
        });
        it.world.close(file);
        let closed = it.world.run(Operation::CloseLog {
            file: log,
            remove: true,
        });
        assert_eq!(closed, Ok(Outcome::Done));
        meta(part).unwrap().size
    };
    assert_eq!((open(&it, 2), it.counted()), (40, (40, 1)));
    it.as_other(other, |it| assert_eq!(open(it, 3), 40));
    assert_eq!((it.counted(), it.roots.counted(&OTHER)), ((0, 0), (40, 1)));
    assert_eq!((it.anew(&OWNER), it.anew(&OTHER)), ((0, 0), (40, 1)));
}

/// A later transfer goes on with a file that an earlier one, which reserved all of it, still has open.
#[test]
fn f11_what_is_taken_over_counts_once() {
    const BEGIN: [u8; 32] = [7; 32];
    let it = world(1_000, 9);
    let root = it.world.root;
    let open_log = |log: u64| {
        it.world.run(Operation::OpenLog {
            root,
            path: path(".dhow-0123456789abcdef.journal"),
            file: FileId(log),
            take: Some(BEGIN),
        })
    };
    open_log(100).unwrap();
    it.world
        .run(Operation::WriteLog {
            file: FileId(100),
            offset: 0,
            bytes: BEGIN.to_vec(),
        })
        .unwrap();
    let part = path(".dhow-00000000000000aa.part");
    it.world
        .run(Operation::Create {
            root,
            path: part.clone(),
            file: FileId(1),
            log: Some(FileId(100)),
            size: 300,
        })
        .unwrap();
    it.write(1, 0, 100).unwrap();
    assert_eq!(it.counted(), (300, 1));
    open_log(101).unwrap();
    it.world
        .run(Operation::OpenPart {
            root,
            path: part,
            file: FileId(2),
            log: FileId(101),
        })
        .unwrap();
    assert_eq!(it.counted(), (100, 1));
    assert_eq!(it.write(1, 100, 100), Err(FileError::TakenOver));
    it.write(2, 100, 100).unwrap();
    it.world.close(1);
    it.write(2, 200, 100).unwrap();
    it.world.close(2);
    assert_eq!((it.counted(), it.anew(&OWNER)), ((300, 1), (300, 1)));
}

/// Threads that store, replace and remove at random: never above the quota, and at the end what is there.
#[test]
fn f11_no_race_gets_past_it() {
    const THREADS: u64 = 4;
    let it = world(5_000, 12);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let it = &it;
            scope.spawn(move || {
                let mut state = thread + 1;
                let mut draw = |end: u64| {
                    state = state
                        .wrapping_mul(6_364_136_223_846_793_005)
                        .wrapping_add(1);
                    (state >> 33) % end
                };
                for round in 0..400 {
                    let name = format!("f{}", draw(8));
                    match draw(4) {
                        0 => drop(it.world.remove(&name)),
                        1 => {
                            let (file, temp) = (thread * 1_000 + round, format!("t{thread}"));
                            let size = draw(1_500);
                            if it.create(&temp, file, size / 2).is_ok() {
                                let _ = it.write(file, 0, size as usize);
                                it.world.close(file);
                                if it.world.rename(&temp, &name, true).is_err() {
                                    it.world.remove(&temp).unwrap();
                                }
                            }
                        }
                        _ => drop(it.store(&[(&name, draw(1_500) as usize)])),
                    }
                    let (bytes, files) = it.counted();
                    assert!(bytes <= 5_000 && files <= 12);
                }
            });
        }
    });
    assert_eq!(it.counted(), it.anew(&OWNER));
    assert!(it.counted().0 > 0);
}
