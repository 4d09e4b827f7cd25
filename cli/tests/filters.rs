//! `--exclude`, `--include` and `--gitignore`, with the real program.

#![cfg(unix)]

mod common;

use std::fs;
use std::path::Path;

use common::{World, run};

fn make(root: &Path, paths: &[&str]) {
    for path in paths {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "x").unwrap();
    }
}

/// The files below a directory.
fn files(root: &Path) -> Vec<String> {
    let (mut found, mut todo) = (Vec::new(), vec![root.to_owned()]);
    while let Some(path) = todo.pop() {
        for entry in fs::read_dir(path).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => todo.push(path),
                false => found.push(
                    path.strip_prefix(root)
                        .unwrap()
                        .to_str()
                        .unwrap()
                        .to_owned(),
                ),
            }
        }
    }
    found.sort();
    found
}

#[test]
fn what_is_left_out_neither_travels_nor_goes() {
    let world = World::new();
    let server = world.serve(&["--public=rw"]);
    let tree = [
        "a.c",
        "a.o",
        "keep.o",
        "d/b.c",
        "d/b.o",
        "target/x",
        "d/target/y",
    ];
    make(&world.local("tree"), &tree);
    let flags = [
        "--exclude",
        "*.o",
        "--exclude",
        "target/",
        "--include",
        "keep.o",
    ];
    let with = |args: &[&str]| {
        let mut all = args.to_vec();
        all.extend(flags);
        run(&world, &all)
    };
    let dry = with(&["sync", "-n", "tree/", &server.at("copy")]);
    assert!(dry.stdout.contains("would copy 3 files"), "{dry:?}");
    with(&["sync", "tree/", &server.at("copy")]).expect_ok();
    assert_eq!(files(&world.shared("copy")), ["a.c", "d/b.c", "keep.o"]);
    // --delete lets stand what is left out, also in directories that the source does not have.
    make(
        &world.shared("copy"),
        &[
            "old",
            "their.o",
            "gone/x",
            "mixed/deep/y.c",
            "mixed/deep/y.o",
            "target/z",
        ],
    );
    fs::remove_file(world.local("tree/keep.o")).unwrap();
    let dry = with(&["sync", "-n", "--delete", "tree/", &server.at("copy")]);
    assert!(dry.stdout.contains("to remove"), "{dry:?}");
    with(&["sync", "--delete", "tree/", &server.at("copy")]).expect_ok();
    assert_eq!(
        files(&world.shared("copy")),
        ["a.c", "d/b.c", "mixed/deep/y.o", "target/z", "their.o"]
    );
    // The same downwards.
    make(
        &world.local("back"),
        &["old", "mine.o", "gone/x", "mixed/y.o", "mixed/z.c"],
    );
    with(&["sync", "--delete", &server.at("copy/"), "back"]).expect_ok();
    assert_eq!(
        files(&world.local("back")),
        ["a.c", "d/b.c", "mine.o", "mixed/y.o"]
    );
    run(
        &world,
        &["sync", "--exclude", "a\nb", "tree/", &server.at("copy")],
    )
    .expect(2, "one line");
}

#[test]
fn gitignore_files_of_the_source_count() {
    let world = World::new();
    let server = world.serve(&["--public=rw"]);
    make(
        &world.local("tree"),
        &[
            "a.c",
            "a.log",
            "build/x",
            ".git/config",
            "d/b.log",
            "d/kept.log",
        ],
    );
    fs::write(world.local("tree/.gitignore"), "*.log\n/build/\n").unwrap();
    fs::write(world.local("tree/d/.gitignore"), "!kept.log\n").unwrap();
    let expected = [".gitignore", "a.c", "d/.gitignore", "d/kept.log"];
    run(
        &world,
        &["sync", "--gitignore", "tree/", &server.at("copy")],
    )
    .expect_ok();
    assert_eq!(files(&world.shared("copy")), expected);
    make(&world.shared("copy"), &["their.log", "old", ".git/config"]);
    run(
        &world,
        &[
            "sync",
            "--gitignore",
            "--delete",
            "tree/",
            &server.at("copy"),
        ],
    )
    .expect_ok();
    assert_eq!(
        files(&world.shared("copy")),
        [
            ".git/config",
            ".gitignore",
            "a.c",
            "d/.gitignore",
            "d/kept.log",
            "their.log"
        ]
    );
    // Downwards the server reads them.
    run(&world, &["get", "--gitignore", &server.at("copy"), "back"]).expect_ok();
    assert_eq!(files(&world.local("back")), expected);
    make(&world.local("back"), &["mine.log", "old"]);
    run(
        &world,
        &[
            "sync",
            "--gitignore",
            "--delete",
            &server.at("copy/"),
            "back",
        ],
    )
    .expect_ok();
    assert_eq!(
        files(&world.local("back")),
        [
            ".gitignore",
            "a.c",
            "d/.gitignore",
            "d/kept.log",
            "mine.log"
        ]
    );
    run(
        &world,
        &["get", "-n", "--gitignore", &server.at("copy"), "x"],
    )
    .expect(2, "--dry-run cannot");
}
