//! What each operation does, and how it fails.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::Command;

use proto_core::wire::EntryKind;
use proto_core::{FileError, FileId, HashAs, Operation, Outcome, SameFile, StatFile, block_value};

use super::{World, done, meta, path};
use crate::executor::Roots;

#[test]
fn a_file_is_created_written_synced_renamed_and_read() {
    let world = World::new();
    let meta = world.create(".dhow-1", 1).unwrap();
    assert_eq!(
        (meta.kind, meta.size, meta.mode),
        (EntryKind::File, 0, 0o600)
    );
    let bytes = vec![7; 65_536];
    let moved = world.write(1, 65_536, &bytes, HashAs::Subtree).unwrap();
    let value = block_value(&bytes, 65_536, HashAs::Subtree);
    assert_eq!(moved, Outcome::Moved { len: 65_536, value });
    world.write(1, 0, b"front", HashAs::Nothing).unwrap();
    world
        .run(Operation::Sync { file: FileId(1) })
        .map(done)
        .unwrap();
    world.rename(".dhow-1", "file", false).unwrap();
    world.sync_dir("").unwrap();
    world.close(1);

    assert_eq!(world.open("file", 2).unwrap().size, 131_072);
    let (front, value) = world.read(2, 0, HashAs::Subtree).unwrap();
    assert_eq!(&front[..6], b"front\0");
    assert_eq!(value, block_value(&front, 0, HashAs::Subtree));
    assert_eq!(
        world.read(2, 65_536, HashAs::Nothing).unwrap(),
        (bytes, [0; 32])
    );
    assert_eq!(world.read(2, 131_072, HashAs::Nothing).unwrap().0, b"");
    world.close(2);
    assert_eq!(
        world.read(2, 0, HashAs::Nothing),
        Err(FileError::Io),
        "closed"
    );
}

#[test]
fn a_read_ends_where_the_file_ends() {
    let world = World::new();
    fs::write(world.at("f"), b"0123456789").unwrap();
    world.open("f", 1).unwrap();
    let (bytes, value) = world.read(1, 0, HashAs::Root).unwrap();
    assert_eq!(bytes, b"0123456789");
    assert_eq!(value, block_value(b"0123456789", 0, HashAs::Root));
}

#[test]
fn truncate_shortens_and_extends() {
    let world = World::new();
    world.create("f", 1).unwrap();
    for size in [10, 3, 1 << 33] {
        world
            .run(Operation::Truncate {
                file: FileId(1),
                size,
            })
            .map(done)
            .unwrap();
        assert_eq!(
            meta(world.run(Operation::StatOpen { file: FileId(1) }))
                .unwrap()
                .size,
            size
        );
    }
    let huge = world.run(Operation::Truncate {
        file: FileId(1),
        size: i64::MAX as u64,
    });
    assert!(
        matches!(huge, Err(FileError::TooLarge)) || huge.is_ok(),
        "{huge:?}"
    );
}

#[test]
fn an_open_file_cannot_be_written_when_it_was_opened_for_reading() {
    let world = World::new();
    fs::write(world.at("f"), b"old").unwrap();
    world.open("f", 1).unwrap();
    assert!(world.write(1, 0, b"new", HashAs::Nothing).is_err());
    assert_eq!(fs::read(world.at("f")).unwrap(), b"old");
}

#[test]
fn create_takes_no_existing_name() {
    let world = World::new();
    fs::write(world.at("f"), b"old").unwrap();
    fs::create_dir(world.at("d")).unwrap();
    assert_eq!(world.create("f", 1), Err(FileError::Exists));
    assert_eq!(world.create("d", 1), Err(FileError::Exists));
    assert_eq!(world.create("missing/f", 1), Err(FileError::NotFound));
    assert_eq!(world.create("f/g", 1), Err(FileError::NotFound));
    assert_eq!(world.create("", 1), Err(FileError::IsDirectory));
    assert_eq!(fs::read(world.at("f")).unwrap(), b"old");
}

#[test]
fn names_may_have_255_bytes_of_any_kind() {
    let world = World::new();
    let long = "n".repeat(255);
    world.create(&long, 1).unwrap();
    assert_eq!(world.stat(&long).unwrap().kind, EntryKind::File);
    let odd = b"\xff\xfe \n\x01".as_slice();
    let (root, file) = (world.root, FileId(2));
    world
        .run(Operation::Create {
            root,
            path: path(odd),
            file,
            log: None,
            size: 0,
        })
        .unwrap();
    world
        .run(Operation::Stat {
            root,
            path: path(odd),
        })
        .unwrap();
    world
        .run(Operation::Open {
            root,
            path: path(odd),
            file: FileId(3),
        })
        .unwrap();
}

#[test]
fn open_wants_a_file_that_is_there() {
    let world = World::new();
    fs::create_dir(world.at("d")).unwrap();
    fs::write(world.at("f"), b"").unwrap();
    assert_eq!(world.open("missing", 1), Err(FileError::NotFound));
    assert_eq!(world.open("d", 1), Err(FileError::IsDirectory));
    assert_eq!(world.open("", 1), Err(FileError::IsDirectory));
    assert_eq!(world.open("f/g", 1), Err(FileError::NotFound));
    assert_eq!(world.open(&"n".repeat(255), 1), Err(FileError::NotFound));
}

#[test]
fn rename_replaces_files_only_and_only_when_told() {
    let world = World::new();
    let put = |name: &str| fs::write(world.at(name), name).unwrap();
    put("new");
    put("old");
    fs::create_dir(world.at("d")).unwrap();
    std::os::unix::fs::symlink("old", world.at("link")).unwrap();
    assert_eq!(world.rename("new", "old", false), Err(FileError::Exists));
    assert_eq!(world.rename("new", "d", false), Err(FileError::Exists));
    assert_eq!(world.rename("new", "link", false), Err(FileError::Exists));
    assert_eq!(world.rename("new", "d", true), Err(FileError::IsDirectory));
    assert_eq!(
        world.rename("new", "link", true),
        Err(FileError::NotRegular)
    );
    assert_eq!(
        world.rename("missing", "old", true),
        Err(FileError::NotFound)
    );
    assert_eq!(fs::read(world.at("old")).unwrap(), b"old");
    world.rename("new", "old", true).unwrap();
    assert_eq!(fs::read(world.at("old")).unwrap(), b"new");
    assert_eq!(world.open("new", 1), Err(FileError::NotFound));
    world.rename("old", "fresh", true).unwrap();
}

#[test]
fn remove_unlinks_files_and_no_directories() {
    let world = World::new();
    fs::write(world.at("f"), b"").unwrap();
    fs::create_dir(world.at("d")).unwrap();
    world.remove("f").unwrap();
    assert_eq!(world.remove("f"), Err(FileError::NotFound));
    assert_eq!(world.remove("d"), Err(FileError::IsDirectory));
    assert_eq!(world.remove(""), Err(FileError::IsDirectory));
}

/// A directory that is there may be written while it is in work, and is as it shall be afterwards; what more it has stays (F13).
#[test]
fn directories_are_opened_up_and_set() {
    let world = World::new();
    fs::create_dir(world.at("d")).unwrap();
    let is = || fs::metadata(world.at("d")).unwrap();
    let bits = || is().permissions().mode() & 0o7777;
    fs::set_permissions(world.at("d"), fs::Permissions::from_mode(0o2551)).unwrap();
    let make = |open| {
        let made = world.run(Operation::MakeDir {
            root: world.root,
            path: path("d"),
            mode: 0,
            open,
            sync: false,
        });
        assert!(matches!(made, Ok(Outcome::Made { new: false, .. })));
    };
    make(false);
    assert_eq!(bits(), 0o2551);
    make(true);
    assert_eq!(bits(), 0o2751);
    let set = |mtime, mode| {
        let set = world.run(Operation::SetDirMeta {
            root: world.root,
            path: path("d"),
            mtime,
            mode,
            sync: true,
        });
        done(set.unwrap());
    };
    set(Some(1_234_567_890_123_456_789), Some(0o4550));
    assert_eq!(bits(), 0o2550);
    set(Some(1_500_000_000), None);
    assert_eq!(
        (bits(), is().mtime(), is().mtime_nsec()),
        (0o2550, 1, 500_000_000)
    );
}

#[test]
fn set_meta_takes_time_and_nine_bits() {
    let world = World::new();
    world.create("f", 1).unwrap();
    let set = |mtime, mode| {
        world
            .run(Operation::SetMeta {
                file: FileId(1),
                mtime,
                mode,
            })
            .map(done)
            .unwrap();
        fs::metadata(world.at("f")).unwrap()
    };
    let umask = u32::from(crate::executor::rooted::umask());
    let found = set(Some(1_234_567_890_123_456_789), Some(0o7755));
    assert_eq!(
        (found.mtime(), found.mtime_nsec()),
        (1_234_567_890, 123_456_789)
    );
    assert_eq!(
        found.permissions().mode() & 0o7777,
        0o755 & !umask,
        "no set-user-id bits (F13)"
    );
    let found = set(Some(-1_500_000_000), None);
    assert_eq!((found.mtime(), found.mtime_nsec()), (-2, 500_000_000));
    assert_eq!(found.permissions().mode() & 0o7777, 0o666 & !umask);
    assert_eq!(set(None, None).mtime(), -2);
    assert_eq!(world.stat("f").unwrap().mtime, -1_500_000_000);
}

#[test]
fn the_version_changes_with_content_and_with_the_file() {
    let world = World::new();
    fs::write(world.at("f"), b"one").unwrap();
    let first = world.stat("f").unwrap();
    assert_eq!(world.stat("f").unwrap(), first);
    assert_eq!(world.open("f", 1).unwrap(), first);
    fs::write(world.at("g"), b"two").unwrap();
    let times =
        fs::FileTimes::new().set_modified(fs::metadata(world.at("f")).unwrap().modified().unwrap());
    fs::File::options()
        .write(true)
        .open(world.at("g"))
        .unwrap()
        .set_times(times)
        .unwrap();
    let other = world.stat("g").unwrap();
    assert_eq!((other.size, other.mtime), (first.size, first.mtime));
    assert_ne!(other.version, first.version, "another inode");
}

#[test]
fn a_virtual_root_shows_its_shares_and_nothing_else() {
    let world = World::new();
    let roots = Roots::new();
    let real = roots.add_dir(&world.at("")).unwrap();
    let top = roots.add_shares([(b"b".to_vec(), real), (b"a".to_vec(), real)]);
    let disk = crate::executor::run::Disk::new(roots.clone());
    let run = |what| disk.perform(what, 0).1;
    assert_eq!(super::listings::all(&disk, top, "", 1 << 16), ["a", "b"]);
    assert_eq!(
        super::listings::all(&disk, top, "", 20),
        ["a", "b"],
        "one a page"
    );
    for name in ["", "a"] {
        let found = meta(run(Operation::Stat {
            root: top,
            path: path(name),
        }))
        .unwrap();
        assert_eq!(found.kind, EntryKind::Directory);
    }
    let file = FileId(1);
    assert_eq!(
        run(Operation::Stat {
            root: top,
            path: path("c")
        }),
        Err(FileError::NotFound)
    );
    assert_eq!(
        run(Operation::Create {
            root: top,
            path: path("f"),
            file,
            log: None,
            size: 0,
        }),
        Err(FileError::Denied)
    );
    assert_eq!(
        run(Operation::Open {
            root: top,
            path: path("a"),
            file
        }),
        Err(FileError::Denied)
    );
    assert_eq!(
        run(Operation::FreeSpace { root: top }),
        Err(FileError::Denied)
    );
    roots.remove(top);
    assert_eq!(
        run(Operation::Stat {
            root: top,
            path: path("")
        }),
        Err(FileError::NotFound)
    );
}

/// A small file system in memory, where mounting is allowed.
struct Tmpfs(World);

impl Tmpfs {
    fn mount(options: &str) -> Option<Self> {
        let world = World::new();
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", options, "dhow-test"])
            .arg(world.at(""));
        if !mount.output().is_ok_and(|output| output.status.success()) {
            eprintln!("skipped: this needs the right to mount a tmpfs");
            return None;
        }
        let mut mounted = Self(world);
        let roots = Roots::new();
        mounted.0.root = roots.add_dir(&mounted.0.at("")).unwrap();
        mounted.0.disk = crate::executor::run::Disk::new(roots);
        Some(mounted)
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.at("")).status();
    }
}

#[test]
fn f12_a_full_disk_is_told_as_such() {
    let Some(Tmpfs(world)) = &Tmpfs::mount("size=256k") else {
        return;
    };
    let free = |world: &World| match world
        .run(Operation::FreeSpace { root: world.root })
        .unwrap()
    {
        Outcome::Free(bytes) => bytes,
        other => panic!("{other:?}"),
    };
    assert_eq!(free(world), 256 << 10);
    world.create("f", 1).unwrap();
    let results: Vec<_> = (0..5)
        .map(|n| world.write(1, n << 16, &[1; 65_536], HashAs::Nothing).err())
        .collect();
    assert_eq!(results, [None, None, None, None, Some(FileError::NoSpace)]);
    assert_eq!(free(world), 0);
}

#[test]
fn a_read_only_file_system_is_told_as_such() {
    let Some(Tmpfs(world)) = &Tmpfs::mount("ro") else {
        return;
    };
    assert_eq!(world.create("f", 1), Err(FileError::ReadOnly));
}

#[test]
fn a_root_that_was_removed_can_be_added_again() {
    let temp = tempfile::tempdir().unwrap();
    let roots = Roots::new();
    let first = roots.add_dir(temp.path()).unwrap();
    assert_eq!(roots.add_dir(temp.path()).unwrap(), first);
    roots.remove(first);
    assert!(roots.directory(first).is_err());
    let again = roots.add_dir(temp.path()).unwrap();
    assert!(roots.directory(again).is_ok());
}

/// What no journal knows has no name before it is renamed: of a process that is killed, nothing stays.
#[cfg(target_os = "linux")]
#[test]
fn temporary_files_have_no_name() {
    const TEMP: &str = ".dhow-00000000000000ff.part";
    let world = World::new();
    let names = || {
        let entries = fs::read_dir(world.at("")).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let make = |file: u64, bytes: &[u8]| {
        world.create(TEMP, file).unwrap();
        world.write(file, 0, bytes, HashAs::Nothing).unwrap();
        assert_eq!(world.read(file, 0, HashAs::Nothing).unwrap().0, bytes);
        world.close(file);
    };
    make(1, b"one");
    assert!(names().is_empty(), "{:?}", names());
    world.rename(TEMP, "f", false).unwrap();
    assert_eq!(names(), ["f"]);
    make(2, b"two");
    assert_eq!(world.rename(TEMP, "f", false), Err(FileError::Exists));
    world.rename(TEMP, "f", true).unwrap();
    assert_eq!(names(), ["f"]);
    assert_eq!(fs::read(world.at("f")).unwrap(), b"two");
    fs::create_dir(world.at("d")).unwrap();
    make(3, b"three");
    assert_eq!(world.rename(TEMP, "d", true), Err(FileError::IsDirectory));
    assert_eq!(world.rename(TEMP, "d", false), Err(FileError::Exists));
    world.remove(TEMP).unwrap();
    assert_eq!(world.remove(TEMP), Err(FileError::NotFound));
    assert_eq!(names(), ["d", "f"]);
    // The name is free again, and is respected where something has it.
    make(4, b"four");
    world.remove(TEMP).unwrap();
    fs::write(world.at(TEMP), b"another's").unwrap();
    assert_eq!(world.create(TEMP, 5), Err(FileError::Exists));
}

/// A file whose size and time are the source's gets its permission bits; nothing else does, and no link is followed.
#[test]
fn permission_bits_of_the_same_file_follow() {
    let world = World::new();
    let bits = |name: &str, mode| {
        let path = world.at(name);
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    };
    for name in ["same", "larger", "aimed-at"] {
        fs::write(world.at(name), name).unwrap();
        bits(name, 0o600);
    }
    std::os::unix::fs::symlink("aimed-at", world.at("link")).unwrap();
    let like = |name: &str, longer| {
        let meta = world.stat(name).unwrap();
        StatFile {
            name: name.into(),
            same: Some(SameFile {
                size: meta.size + longer,
                mtime: meta.mtime,
                mode: 0o4_640,
            }),
        }
    };
    let mut files = vec![like("same", 0), like("larger", 1), like("link", 0)];
    files.push(StatFile {
        name: "same".into(),
        same: None,
    });
    let (root, directory) = (world.root, path(""));
    let stat = Operation::StatFiles {
        root,
        path: directory,
        files,
    };
    let Ok(Outcome::Metas(metas)) = world.run(stat) else {
        panic!("no metadata");
    };
    let modes: Vec<_> = metas
        .iter()
        .map(|meta| meta.as_ref().unwrap().mode)
        .collect();
    assert_eq!((modes[0], modes[1], modes[3]), (0o640, 0o600, 0o640));
    let mode = |name: &str| fs::metadata(world.at(name)).unwrap().mode() & 0o7_777;
    assert_eq!(
        (mode("same"), mode("larger"), mode("aimed-at")),
        (0o640, 0o600, 0o600)
    );
}
