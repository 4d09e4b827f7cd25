//! `mkdir`, `rm` and `mv`, with the real program.

#![cfg(unix)]

mod common;

use std::fs;
use std::os::unix::fs::symlink;

use common::{World, run};

#[test]
fn directories_are_made() {
    let world = World::new();
    let server = world.serve(&["--public=rw"]);
    run(&world, &["mkdir", &server.at("a"), &server.at("b")]).expect_ok();
    run(&world, &["mkdir", &server.at("a")]).expect(6, "exists");
    run(&world, &["mkdir", &server.at("x/y/z")]).expect(5, "no such file");
    let ran = run(
        &world,
        &[
            "mkdir",
            "-p",
            "--json",
            &server.at("x/y/z"),
            &server.at("a"),
        ],
    );
    ran.expect_ok();
    let names: Vec<u64> = ran
        .named("made")
        .iter()
        .map(|event| event["names"].as_u64().unwrap())
        .collect();
    assert_eq!(names, [3, 0]);
    assert_eq!(world.names("shared"), ["a", "b", "x"]);
    assert!(world.shared("x/y/z").is_dir());
    // One fails, the rest is done.
    run(&world, &["mkdir", &server.at("a"), &server.at("c")]).expect(8, "exists");
    assert!(world.shared("c").is_dir());
    let reader = world.serve_as("reader", "127.0.0.1:0", &["--public"]);
    run(&world, &["mkdir", &reader.at("d")]).expect(6, "only read");
}

#[test]
fn files_and_trees_are_removed() {
    let world = World::new();
    let server = world.serve(&["--public=rw"]);
    fs::create_dir_all(world.shared("d/e")).unwrap();
    fs::create_dir(world.shared("empty")).unwrap();
    for name in ["a.old", "b.old", "c", "d/e/f"] {
        fs::write(world.shared(name), "x").unwrap();
    }
    symlink(world.local(""), world.shared("d/link")).unwrap();
    fs::write(world.local("kept"), "x").unwrap();
    run(&world, &["rm", &server.at("d")]).expect(6, "-r removes it");
    run(&world, &["rm", "-d", &server.at("d")]).expect(6, "not empty");
    run(&world, &["rm", "-d", &server.at("empty")]).expect_ok();
    run(&world, &["rm", &server.at("*.old")]).expect_ok();
    assert_eq!(world.names("shared"), ["c", "d"]);
    run(&world, &["rm", &server.at("missing")]).expect(5, "no such file");
    run(
        &world,
        &["rm", "-f", &server.at("missing"), &server.at("*.none")],
    )
    .expect_ok();
    run(&world, &["rm", "-r", &server.at("")]).expect(6, "not removed");
    let ran = run(&world, &["rm", "-r", "--json", &server.at("d")]);
    ran.expect_ok();
    assert_eq!(ran.named("removed")[0]["names"], 4);
    assert_eq!(
        (world.names("shared"), world.names("local")),
        (vec!["c".to_owned()], vec!["kept".to_owned()])
    );
}

#[test]
fn names_are_changed() {
    let world = World::new();
    let server = world.serve(&["--public=rw"]);
    fs::create_dir(world.shared("d")).unwrap();
    for name in ["a", "b", "c", "d/c"] {
        fs::write(world.shared(name), name).unwrap();
    }
    run(&world, &["mv", &server.at("a"), &server.at("new")]).expect_ok();
    assert_eq!(fs::read_to_string(world.shared("new")).unwrap(), "a");
    run(
        &world,
        &["mv", "--no-clobber", &server.at("c"), &server.at("d/")],
    )
    .expect(6, "exists");
    run(
        &world,
        &["mv", &server.at("b"), &server.at("c"), &server.at("d")],
    )
    .expect_ok();
    assert_eq!(
        (world.names("shared"), world.names("shared/d")),
        (
            vec!["d".to_owned(), "new".to_owned()],
            vec!["b".to_owned(), "c".to_owned()]
        )
    );
    assert_eq!(fs::read_to_string(world.shared("d/c")).unwrap(), "c");
    let ran = run(&world, &["mv", "--json", &server.at("d"), &server.at("e")]);
    ran.expect_ok();
    assert_eq!(
        (
            &ran.named("renamed")[0]["path"],
            &ran.named("renamed")[0]["to"]
        ),
        (&"d".into(), &"e".into())
    );
    run(
        &world,
        &[
            "mv",
            &server.at("new"),
            &server.at("e"),
            &server.at("nowhere"),
        ],
    )
    .expect(5, "is not a directory");
    run(&world, &["mv", &server.at("new"), "other:x"]).expect(2, "two servers");
    run(&world, &["mv", &server.at("missing"), &server.at("x")]).expect(5, "no such file");
}
