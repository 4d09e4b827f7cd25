//! `sync`, `cp` and `tree`, with the real program.

#![cfg(unix)]

mod common;

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use common::{Server, World, bytes, look, run};

fn make(root: &Path) {
    for n in 0..40_usize {
        let directory = root.join(format!("d{}/e{}", n % 4, n % 3));
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join(format!("f{n}")), bytes(n * 97, n as u8)).unwrap();
    }
    fs::write(root.join("large"), bytes(3_000_000, 1)).unwrap();
    fs::create_dir_all(root.join("empty/deep")).unwrap();
    symlink("d0/e0/f0", root.join("link")).unwrap();
}

/// Changes some files, or only their permission bits, removes some, adds some.
fn change(root: &Path) {
    fs::write(root.join("d1/e1/f1"), "changed").unwrap();
    fs::write(root.join("d1/e1/new"), "new").unwrap();
    for name in ["d0/e0/f0", "large"] {
        fs::set_permissions(root.join(name), Permissions::from_mode(0o640)).unwrap();
    }
    fs::remove_file(root.join("d2/e2/f2")).unwrap();
    fs::remove_dir_all(root.join("d3")).unwrap();
    fs::remove_dir_all(root.join("empty")).unwrap();
    fs::remove_file(root.join("link")).unwrap();
    symlink("large", root.join("other-link")).unwrap();
}

fn world_with_tree() -> (World, Server) {
    let world = World::new();
    make(&world.shared("tree"));
    let server = world.serve(&["--public=rw"]);
    (world, server)
}

#[test]
fn down_with_delete_the_target_becomes_the_source() {
    let (world, server) = world_with_tree();
    run(&world, &["sync", &server.at("tree/"), "copy"]).expect_ok();
    assert_eq!(look(&world.shared("tree")), look(&world.local("copy")));
    change(&world.shared("tree"));
    fs::create_dir_all(world.local("copy/mine/deep")).unwrap();
    fs::write(world.local("copy/mine/deep/x"), "x").unwrap();
    // Where links lead to is not the target's.
    fs::write(world.local("outside"), "stays").unwrap();
    symlink(world.local(""), world.local("copy/mine/up")).unwrap();
    symlink("..", world.local("copy/up")).unwrap();
    // Without --delete what is there stays.
    let ran = run(&world, &["sync", &server.at("tree/"), "copy"]);
    ran.expect_ok();
    assert!(ran.stderr.contains("2 files,"), "{ran:?}");
    assert!(world.local("copy/mine/deep/x").exists() && world.local("copy/empty/deep").exists());
    let ran = run(
        &world,
        &["sync", "--delete", "--json", &server.at("tree/"), "copy"],
    );
    ran.expect_ok();
    assert_eq!(look(&world.shared("tree")), look(&world.local("copy")));
    let mut removed: Vec<String> = (ran.named("removed").iter())
        .map(|event| event["path"].as_str().unwrap().to_owned())
        .collect();
    removed.sort();
    assert_eq!(removed, ["d2/e2/f2", "d3", "empty", "link", "mine", "up"]);
    assert_eq!(world.names("local"), ["copy", "outside"]);
    assert_eq!(ran.named("directory")[0]["files"], 0);
}

#[test]
fn the_top_has_the_sources_time_and_bits_though_it_was_there() {
    let (world, server) = world_with_tree();
    let remote = server.at("tree/");
    let other = server.at("there/");
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
    let set = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    for (place, bits) in [(world.local("copy"), 0o711), (world.shared("there"), 0o700)] {
        fs::create_dir(&place).unwrap();
        set(&place, bits);
    }
    for bits in [0o750, 0o705] {
        set(&world.shared("tree"), bits);
        run(&world, &["sync", &remote, "copy"]).expect_ok();
        assert_eq!(look(&world.shared("tree")), look(&world.local("copy")));
        run(&world, &["sync", "copy/", &other]).expect_ok();
        assert_eq!(look(&world.shared("tree")), look(&world.shared("there")));
    }
    // What a directory is put into is nobody's but the user's.
    for place in [world.local("into"), world.shared("into")] {
        fs::create_dir(&place).unwrap();
        set(&place, 0o711);
    }
    for bits in [0o750, 0o705] {
        set(&world.shared("tree"), bits);
        run(&world, &["get", &server.at("tree"), "into"]).expect_ok();
        run(&world, &["put", "into/tree", &server.at("into")]).expect_ok();
        let source = look(&world.shared("tree"));
        assert_eq!(source, look(&world.local("into/tree")));
        assert_eq!(source, look(&world.shared("into/tree")));
    }
    assert_eq!(mode(&world.local("into")), 0o711);
    assert_eq!(mode(&world.shared("into")), 0o711);
    // A whole share has no name: it goes into the directory itself (C2).
    run(&world, &["get", &server.at(""), "into"]).expect_ok();
    assert_eq!(mode(&world.local("into")), 0o711);
    assert!(world.local("into/there/large").exists());
    set(&world.local("into"), 0o700);
    for args in [&["sync"][..], &["sync", "--delete"]] {
        let share = server.at("");
        let args = [args, &[&share, "into"]].concat();
        run(&world, &args).expect_ok();
        assert_eq!(mode(&world.local("into")), 0o700);
    }
}

/// What `--delete` leaves to be set right costs no second copy, whatever `--force` says of the first.
#[test]
fn force_and_delete_copy_once() {
    let world = World::new();
    let server = world.serve(&["--public=rw"]);
    make(&world.local("tree"));
    fs::create_dir(world.shared("copy")).unwrap();
    fs::write(world.shared("copy/old"), "old").unwrap();
    let args = ["sync", "--force", "--delete", "tree/", &server.at("copy")];
    run(&world, &args).expect_ok();
    assert_eq!(look(&world.local("tree")), look(&world.shared("copy")));
    let (_, events, log) = server.stop();
    let transfers = events.iter().filter(|event| event["event"] == "file");
    let moved: u64 = transfers
        .map(|event| event["bytes"].as_u64().unwrap())
        .sum();
    let files = look(&world.local("tree"));
    let size: usize = files
        .iter()
        .filter(|(path, _)| {
            fs::symlink_metadata(world.local("tree").join(path))
                .unwrap()
                .is_file()
        })
        .map(|(_, (content, ..))| content.len())
        .sum();
    assert_eq!(moved, size as u64, "{log}");
}

#[test]
fn permission_bits_of_one_file_follow() {
    let world = World::new();
    let server = world.serve(&["--public=rw"]);
    fs::write(world.local("f"), "f").unwrap();
    let mode = |path: PathBuf| fs::metadata(path).unwrap().mode() & 0o777;
    for bits in [0o644, 0o600, 0o640] {
        fs::set_permissions(world.local("f"), Permissions::from_mode(bits)).unwrap();
        run(&world, &["put", "f", &server.at("")]).expect_ok();
        run(&world, &["get", &server.at("f"), "g"]).expect_ok();
        run(&world, &["sync", "g", &server.at("h")]).expect_ok();
        let files = [world.shared("f"), world.local("g"), world.shared("h")];
        assert_eq!(files.map(mode), [bits; 3]);
    }
}

#[test]
fn nothing_is_removed_when_something_failed() {
    let (world, server) = world_with_tree();
    run(&world, &["sync", &server.at("tree"), "into"]).expect_ok();
    assert_eq!(look(&world.shared("tree")), look(&world.local("into/tree")));
    fs::write(world.local("into/tree/old"), "old").unwrap();
    // A link that leads out is not made.
    symlink("/etc/passwd", world.shared("tree/bad")).unwrap();
    let ran = run(&world, &["sync", "--delete", &server.at("tree"), "into"]);
    ran.expect(8, "nothing is removed");
    assert!(world.local("into/tree/old").exists());
    let ran = run(
        &world,
        &[
            "sync",
            "--delete",
            "--ignore-errors",
            &server.at("tree"),
            "into",
        ],
    );
    ran.expect(8, "1 removed");
    assert!(!world.local("into/tree/old").exists());
    // A source that is not there removes nothing either.
    run(
        &world,
        &["sync", "--delete", &server.at("missing/"), "into/tree"],
    )
    .expect(5, "no such file");
    assert_eq!(
        world.names("local/into/tree").len(),
        look(&world.local("into/tree"))
            .keys()
            .filter(|p| p.components().count() == 1)
            .count()
    );
    assert!(world.local("into/tree/large").exists());
}

#[test]
fn up_with_and_without_a_slash() {
    let world = World::new();
    let server = world.serve(&["--public=rw"]);
    make(&world.local("tree"));
    run(&world, &["sync", "tree/", &server.at("a")]).expect_ok();
    run(&world, &["sync", "tree", &server.at("")]).expect_ok();
    change(&world.local("tree"));
    run(&world, &["sync", "tree", &server.at("")]).expect_ok();
    let theirs = look(&world.shared("tree"));
    assert!(theirs.contains_key(Path::new("")));
    for (path, what) in look(&world.local("tree")) {
        assert_eq!(theirs.get(&path), Some(&what), "{path:?}");
    }
    assert!(world.shared("tree/d3").exists() && world.shared("a/d3").exists());
    fs::write(world.local("one"), "1").unwrap();
    run(&world, &["sync", "one", &server.at("a/")]).expect_ok();
    run(&world, &["sync", "one", &server.at("a/two")]).expect_ok();
    assert!(world.shared("a/one").is_file() && world.shared("a/two").is_file());
}

#[test]
fn up_with_delete_the_target_becomes_the_source() {
    let world = World::new();
    let server = world.serve(&["--public=rw"]);
    make(&world.local("tree"));
    // rsync makes the target, and so does this.
    run(&world, &["sync", "tree", &server.at("backup")]).expect_ok();
    assert_eq!(
        look(&world.local("tree")),
        look(&world.shared("backup/tree"))
    );
    change(&world.local("tree"));
    fs::create_dir_all(world.shared("backup/tree/theirs/deep")).unwrap();
    for n in 0..100 {
        fs::write(world.shared(format!("backup/tree/d1/old{n}")), "old").unwrap();
    }
    fs::write(world.shared("outside"), "stays").unwrap();
    symlink("../..", world.shared("backup/tree/up")).unwrap();
    let dry = run(
        &world,
        &["sync", "-n", "--delete", "tree/", &server.at("backup/tree")],
    );
    assert!(dry.stdout.contains("106 to remove"), "{dry:?}");
    let ran = run(
        &world,
        &[
            "sync",
            "--delete",
            "--json",
            "tree/",
            &server.at("backup/tree"),
        ],
    );
    ran.expect_ok();
    assert_eq!(ran.named("removed").len(), 106);
    assert_eq!(
        look(&world.local("tree")),
        look(&world.shared("backup/tree"))
    );
    assert_eq!(world.names("shared"), ["backup", "outside"]);
    // Who may only read removes nothing.
    let reader = world.serve_as("reader", "127.0.0.1:0", &["--public"]);
    fs::write(world.shared("backup/tree/new"), "new").unwrap();
    let ran = run(
        &world,
        &["sync", "--delete", "tree/", &reader.at("backup/tree")],
    );
    ran.expect(6, "you may only read");
    assert!(world.shared("backup/tree/new").exists());
}

#[test]
fn what_differs_by_hash_leaves_its_directory_the_sources_time() {
    let (world, server) = world_with_tree();
    run(&world, &["sync", &server.at("tree/"), "copy"]).expect_ok();
    let file = world.local("copy/d1/e1/f1");
    let time = fs::metadata(&file).unwrap().modified().unwrap();
    fs::write(&file, bytes(97, 9)).unwrap();
    let open = fs::File::options().write(true).open(&file).unwrap();
    open.set_modified(time).unwrap();
    assert_ne!(look(&world.shared("tree")), look(&world.local("copy")));
    run(&world, &["sync", "--checksum", &server.at("tree/"), "copy"]).expect_ok();
    assert_eq!(look(&world.shared("tree")), look(&world.local("copy")));
}

#[test]
fn cp_goes_both_ways() {
    let world = World::new();
    let server = world.serve(&["--public=rw"]);
    fs::write(world.local("a"), "a").unwrap();
    fs::write(world.local("b"), "b").unwrap();
    run(&world, &["cp", "a", "b", &server.at("")]).expect_ok();
    assert_eq!(world.names("shared"), ["a", "b"]);
    run(&world, &["cp", &server.at("a"), "c"]).expect_ok();
    assert_eq!(fs::read_to_string(world.local("c")).unwrap(), "a");
    run(&world, &["cp", &server.at("a"), &server.at("d")]).expect(2, "one side must be local");
}

#[test]
fn trees_are_drawn() {
    let world = World::new();
    let server = world.serve(&["--public"]);
    for path in ["a/x/1", "a/x/2", "a/y", "b"] {
        let path = world.shared(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "1").unwrap();
    }
    symlink("a", world.shared("c")).unwrap();
    let ran = run(&world, &["tree", &server.at("")]);
    ran.expect_ok();
    let drawn: Vec<&str> = ran.stdout.lines().skip(1).collect();
    assert_eq!(
        drawn,
        [
            "├── a/",
            "│   ├── x/",
            "│   │   ├── 1",
            "│   │   └── 2",
            "│   └── y",
            "├── b",
            "└── c",
            "",
            "2 directories, 5 files"
        ]
    );
    let ran = run(&world, &["tree", "--json", &server.at("a")]);
    let paths: Vec<String> = (ran.named("entry").iter())
        .map(|event| event["path"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(paths, ["a/x", "a/x/1", "a/x/2", "a/y"]);
    run(&world, &["tree", &server.at("b")]).expect(5, "not a directory");
}
