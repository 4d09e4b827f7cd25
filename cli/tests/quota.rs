//! Quotas (F11) with real processes: what a user may have on a server, to the byte.

#![cfg(target_os = "linux")]

mod common;

use std::fs;

use common::{Server, World, bytes};

/// Where the second user's key is.
fn keys(world: &World, lines: &[String]) -> String {
    let path = world.path("keys");
    fs::write(&path, lines.join("\n")).unwrap();
    path.to_str().unwrap().to_owned()
}

fn put(world: &World, server: &Server, user: &str, args: &[&str]) -> common::Ran {
    world.run(
        user,
        [&["put", "--accept-new"], args, &[&server.at("")]].concat(),
    )
}

#[test]
fn f11_a_quota_holds_to_the_byte() {
    let world = World::new();
    let [anna, bob] = ["anna", "bob"].map(|user| world.key_line(user));
    let keys = keys(&world, &[format!("quota=200000,files=6 {anna}"), bob]);
    let args = ["--authorized-keys", keys.as_str()];
    let server = world.serve(&args);
    for (name, size) in [("a", 150_000), ("b", 50_000), ("c", 1), ("d", 100_000)] {
        fs::write(world.local(name), bytes(size, 1)).unwrap();
    }
    put(&world, &server, "anna", &["a"]).expect_ok();
    put(&world, &server, "anna", &["b"]).expect_ok();
    // One byte more: by itself, as a small file, and as a file that says what it will be.
    put(&world, &server, "anna", &["c"]).expect(6, "your quota is used up");
    put(&world, &server, "anna", &["d"]).expect(6, "your quota is used up");
    assert_eq!(world.names("shared"), ["a", "b"]);
    // Others are not bound by it.
    put(&world, &server, "bob", &["c", "d"]).expect_ok();
    // Both the old and the new file need room while it is replaced.
    fs::write(world.local("a"), bytes(100_000, 2)).unwrap();
    put(&world, &server, "anna", &["a"]).expect(6, "quota");
    assert_eq!(fs::read(world.shared("a")).unwrap(), bytes(150_000, 1));
    // Bob takes a place over that was Anna's: her 150,000 are free again.
    put(&world, &server, "bob", &["a"]).expect_ok();
    fs::write(world.local("e"), bytes(150_000, 3)).unwrap();
    put(&world, &server, "anna", &["e"]).expect_ok();
    fs::write(world.local("c"), "12").unwrap();
    put(&world, &server, "anna", &["c"]).expect(6, "quota");
    // It is counted anew after a restart, whatever happened meanwhile.
    server.stop();
    fs::remove_file(world.shared("b")).unwrap();
    let server = world.serve(&args);
    fs::write(world.local("f"), bytes(50_001, 4)).unwrap();
    put(&world, &server, "anna", &["f"]).expect(6, "quota");
    fs::write(world.local("f"), bytes(50_000, 4)).unwrap();
    put(&world, &server, "anna", &["f"]).expect_ok();
    world
        .run("anna", ["rm", &server.at("e"), &server.at("f")])
        .expect_ok();
    // Names count, too: directories and files.
    for number in 0..6 {
        fs::create_dir_all(world.local("tree")).unwrap();
        fs::write(world.local(format!("tree/{number}")), "x").unwrap();
    }
    put(&world, &server, "anna", &["tree"]).expect(8, "quota");
    assert_eq!(world.names("shared/tree").len(), 5);
    world
        .run("anna", ["rm", "-r", &server.at("tree")])
        .expect_ok();
    world
        .run("anna", ["mkdir", &server.at("m"), &server.at("n")])
        .expect_ok();
    fs::remove_file(world.local("tree/5")).unwrap();
    fs::remove_file(world.local("tree/4")).unwrap();
    fs::remove_file(world.local("tree/3")).unwrap();
    put(&world, &server, "anna", &["tree"]).expect_ok();
    world
        .run("anna", ["mkdir", &server.at("o")])
        .expect(6, "quota");
    assert!(!world.shared("o").exists());
}

/// Another quota holds as soon as the list of users is read anew.
#[test]
fn f11_a_quota_can_be_changed() {
    let world = World::new();
    let anna = world.key_line("anna");
    let list = |quota: &str| keys(&world, &[format!("quota={quota} {anna}")]);
    let path = list("1000");
    let mut server = world.serve(&["--authorized-keys", &path]);
    fs::write(world.local("a"), bytes(1_500, 1)).unwrap();
    fs::write(world.local("b"), bytes(10, 1)).unwrap();
    put(&world, &server, "anna", &["b"]).expect_ok();
    put(&world, &server, "anna", &["a"]).expect(6, "quota");
    for (quota, fits) in [("2000", true), ("1600", false)] {
        list(quota);
        server.signal(rustix::process::Signal::HUP);
        server.next_named("users");
        let ran = put(&world, &server, "anna", &["-f", "a"]);
        assert_eq!(ran.code == 0, fits, "{quota}: {ran:?}");
    }
}

#[test]
fn f11_everyone_without_a_line_counts_as_one() {
    let world = World::new();
    let server = world.serve(&["--public=rw", "--quota", "10M"]);
    fs::write(world.local("a"), bytes(6_000_000, 1)).unwrap();
    fs::write(world.local("b"), bytes(6_000_000, 2)).unwrap();
    put(&world, &server, "anna", &["a"]).expect_ok();
    put(&world, &server, "bob", &["b"]).expect(6, "your quota is used up");
    world.run("bob", ["rm", &server.at("a")]).expect_ok();
    put(&world, &server, "bob", &["b"]).expect_ok();
    assert_eq!(world.names("shared"), ["b"]);
}

/// What was not finished counts as far as it is there, also after a restart, and a later command goes on with it.
#[test]
fn f11_an_unfinished_file_counts() {
    let world = World::new();
    let args = ["--public=rw", "--quota", "40M"];
    let mut server = world.serve(&args);
    fs::write(world.local("big"), bytes(30_000_000, 1)).unwrap();
    let slow = ["--timeout", "2s", "--cc", "fixed:10M", "big"];
    let mut child = world
        .command("anna")
        .args(["put", "--accept-new"])
        .args(slow)
        .arg(server.at(""))
        .spawn()
        .unwrap();
    common::wait_until("something is there", || {
        world.names("shared").iter().any(|name| {
            let size = fs::metadata(world.shared(name)).map_or(0, |it| it.len());
            name.ends_with(".part") && size > 15_000_000
        })
    });
    // While it comes, all of it counts.
    fs::write(world.local("more"), bytes(11_000_000, 2)).unwrap();
    put(&world, &server, "bob", &["more"]).expect(6, "quota");
    server.kill();
    child.kill().unwrap();
    child.wait().unwrap();
    let server = world.serve(&args);
    fs::write(world.local("much"), bytes(25_000_001, 2)).unwrap();
    put(&world, &server, "bob", &["much"]).expect(6, "quota");
    put(&world, &server, "anna", &["big"]).expect_ok();
    put(&world, &server, "bob", &["more"]).expect(6, "quota");
    assert_eq!(world.names("shared"), ["big"]);
    fs::write(world.local("rest"), bytes(10_000_000, 2)).unwrap();
    put(&world, &server, "bob", &["rest"]).expect_ok();
}
