//! No path leaves its root, and nothing but regular files is opened (F1 to F4).

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

use proto_core::wire::{EntryKind, FilePath};
use proto_core::{FileError, FileId, Operation};
use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::{World, path};

fn worlds() -> [World; 2] {
    [World::new(), World::walking()]
}

#[test]
fn f5_dots_and_absolute_paths_are_no_paths() {
    for text in [
        "..",
        "../secret",
        "a/../../secret",
        "/etc/passwd",
        ".",
        "a//b",
        "a/",
    ] {
        assert!(FilePath::parse(text.as_bytes()).is_err(), "{text}");
    }
}

/// Every operation with a path, on `name`.
fn attempts(world: &World, name: &str) -> Vec<Option<FileError>> {
    let list = Operation::List {
        root: world.root,
        path: path(name),
        cursor: 0,
        max: 65_536,
        versions: false,
        filter: None,
    };
    vec![
        world.open(name, 1).err(),
        world.stat(name).err(),
        world.run(list).err(),
    ]
}

#[test]
fn f2_a_link_out_of_the_root_is_refused_wherever_it_stands() {
    for world in worlds() {
        symlink("/etc", world.at("etc")).unwrap();
        symlink("/etc/passwd", world.at("passwd")).unwrap();
        symlink("..", world.at("up")).unwrap();
        symlink("../secret", world.at("beside")).unwrap();
        fs::create_dir(world.at("d")).unwrap();
        symlink("../../secret", world.at("d/beside")).unwrap();
        let outside = Some(FileError::OutsideRoot);
        for name in [
            "etc",
            "passwd",
            "up",
            "beside",
            "d/beside",
            "etc/passwd",
            "up/secret",
        ] {
            assert_eq!(
                attempts(&world, name),
                [outside, outside, outside],
                "{name}"
            );
        }
        assert_eq!(
            world.create("etc/dhow-test", 1),
            Err(FileError::OutsideRoot)
        );
        assert_eq!(world.create("up/dhow-test", 1), Err(FileError::OutsideRoot));
        assert_eq!(world.create("beside", 1), Err(FileError::Exists));
        assert_eq!(world.remove("up/secret"), Err(FileError::OutsideRoot));
        assert_eq!(world.sync_dir("up"), Err(FileError::OutsideRoot));
        fs::write(world.at("f"), b"").unwrap();
        assert_eq!(world.rename("f", "up/f", true), Err(FileError::OutsideRoot));
        assert_eq!(
            world.rename("up/secret", "f", true),
            Err(FileError::OutsideRoot)
        );
        // The link itself goes, not what it points to.
        world.remove("beside").unwrap();
        assert_eq!(
            fs::read(world.temp.path().join("secret")).unwrap(),
            b"secret"
        );
    }
}

#[test]
fn f2_links_within_the_root_serve_readers_only() {
    let world = World::new();
    fs::create_dir(world.at("real")).unwrap();
    fs::write(world.at("real/file"), b"x").unwrap();
    symlink("real", world.at("link")).unwrap();
    symlink("missing", world.at("dangling")).unwrap();
    symlink("loop", world.at("loop")).unwrap();
    assert_eq!(world.open("link/file", 1).unwrap().size, 1);
    assert_eq!(world.stat("link").unwrap().kind, EntryKind::Directory);
    assert_eq!(
        super::listings::all(&world.disk, world.root, "link", 65_536),
        ["file"]
    );
    assert_eq!(world.stat("dangling"), Err(FileError::NotFound));
    assert_eq!(world.stat("loop"), Err(FileError::OutsideRoot));
    assert_eq!(world.create("link/new", 2), Err(FileError::OutsideRoot));
    assert_eq!(world.remove("link/file"), Err(FileError::OutsideRoot));
    assert_eq!(
        world.rename("link/file", "link/other", true),
        Err(FileError::OutsideRoot)
    );

    if cfg!(target_os = "linux") {
        let world = World::walking();
        fs::create_dir(world.at("real")).unwrap();
        symlink("real", world.at("link")).unwrap();
        assert_eq!(
            world.stat("link"),
            Err(FileError::OutsideRoot),
            "the walk follows no links"
        );
    }
}

#[test]
fn the_walk_does_what_the_kernel_does() {
    for world in worlds() {
        fs::create_dir_all(world.at("a/b")).unwrap();
        fs::write(world.at("a/b/f"), b"x").unwrap();
        assert_eq!(world.open("a/b/f", 1).unwrap().size, 1);
        assert_eq!(world.stat("").unwrap().kind, EntryKind::Directory);
        assert_eq!(world.stat("a/b").unwrap().kind, EntryKind::Directory);
        assert_eq!(world.stat("a/b/f/g"), Err(FileError::NotFound));
        assert_eq!(world.stat("a/c/f"), Err(FileError::NotFound));
        world.create("a/b/g", 2).unwrap();
        world.rename("a/b/g", "a/b/h", false).unwrap();
        world.sync_dir("a/b").unwrap();
        world.sync_dir("").unwrap();
        world.remove("a/b/h").unwrap();
        assert_eq!(
            super::listings::all(&world.disk, world.root, "a/b", 65_536),
            ["f"]
        );
        let list = |name| Operation::List {
            root: world.root,
            path: path(name),
            cursor: 0,
            max: 9,
            versions: false,
            filter: None,
        };
        assert_eq!(world.run(list("a/b/f")), Err(FileError::NotDirectory));
        assert_eq!(world.run(list("a/b/f/g")), Err(FileError::NotFound));
        assert_eq!(world.run(list("missing")), Err(FileError::NotFound));
    }
}

#[test]
fn f4_only_regular_files_are_opened() {
    for world in worlds() {
        let mode = Mode::RUSR | Mode::WUSR;
        mknodat(CWD, world.at("fifo"), FileType::Fifo, mode, 0).unwrap();
        let _socket = UnixListener::bind(world.at("socket")).unwrap();
        assert_eq!(
            world.open("fifo", 1),
            Err(FileError::NotRegular),
            "and does not wait"
        );
        assert_eq!(world.open("socket", 1), Err(FileError::NotRegular));
        assert_eq!(world.stat("fifo").unwrap().kind, EntryKind::Other);
        fs::write(world.at("f"), b"").unwrap();
        assert_eq!(world.rename("f", "fifo", true), Err(FileError::NotRegular));
        let null = rustix::fs::makedev(1, 3);
        if mknodat(CWD, world.at("null"), FileType::CharacterDevice, mode, null).is_ok() {
            assert_eq!(world.open("null", 1), Err(FileError::NotRegular));
        }
    }
}

#[test]
fn f4_magic_links_are_refused() {
    let mut world = World::new();
    let secret = fs::File::open(world.temp.path().join("secret")).unwrap();
    let number = std::os::fd::AsRawFd::as_raw_fd(&secret);
    let roots = crate::executor::Roots::new();
    world.root = roots
        .add_dir(format!("/proc/{}", std::process::id()).as_ref())
        .unwrap();
    world.disk = crate::executor::run::Disk::new(roots);
    let names = [
        format!("fd/{number}"),
        "root/etc/passwd".into(),
        "cwd".into(),
        "exe".into(),
    ];
    for name in names {
        assert_eq!(world.open(&name, 1), Err(FileError::OutsideRoot), "{name}");
    }
}

#[test]
fn a_root_stays_the_directory_that_it_was() {
    let world = World::new();
    fs::write(world.at("f"), b"mine").unwrap();
    fs::rename(world.at(""), world.temp.path().join("moved")).unwrap();
    symlink("/etc", world.temp.path().join("share")).unwrap();
    assert_eq!(world.open("passwd", 1), Err(FileError::NotFound));
    assert_eq!(world.open("f", 1).unwrap().size, 4);
    assert_eq!(
        world.run(Operation::StatOpen { file: FileId(9) }),
        Err(FileError::Io)
    );
}
