//! `verify`, with the real program.

#![cfg(unix)]

mod common;

use std::fs;
use std::os::unix::fs::symlink;

use common::{World, bytes, run};

#[test]
fn what_differs_is_found_though_size_and_time_are_the_same() {
    let world = World::new();
    let server = world.serve(&["--public"]);
    fs::create_dir_all(world.shared("tree/d")).unwrap();
    for n in 0..300_u32 {
        fs::write(world.shared(format!("tree/d/{n}")), n.to_string()).unwrap();
    }
    fs::write(world.shared("tree/large"), bytes(3_000_000, 1)).unwrap();
    symlink("large", world.shared("tree/link")).unwrap();
    run(&world, &["get", &server.at("tree/"), "copy"]).expect_ok();
    run(&world, &["verify", &server.at("tree"), "copy"]).expect(0, "301 files are the same");
    run(&world, &["verify", &server.at("tree"), "copy"]).expect(0, "1 links are the same");
    run(&world, &["verify", &server.at("tree/large"), "copy"])
        .expect(0, "1 files are the same, 2.86 MiB");
    // One bit, with the time put back.
    let large = world.local("copy/large");
    let time = fs::metadata(&large).unwrap().modified().unwrap();
    let mut content = fs::read(&large).unwrap();
    content[1_234_567] ^= 1;
    fs::write(&large, content).unwrap();
    fs::File::options()
        .write(true)
        .open(&large)
        .unwrap()
        .set_modified(time)
        .unwrap();
    run(&world, &["sync", &server.at("tree/"), "copy"]).expect(0, "302 unchanged");
    fs::write(world.local("copy/d/7"), "eight").unwrap();
    fs::remove_file(world.local("copy/d/8")).unwrap();
    fs::create_dir(world.local("copy/more")).unwrap();
    let ran = run(&world, &["verify", "--json", &server.at("tree"), "copy"]);
    assert_eq!(ran.code, 7, "{ran:?}");
    let mut found: Vec<String> = (ran.named("verified").iter())
        .filter(|event| event["outcome"] != "same")
        .map(|event| {
            format!(
                "{} {}",
                event["outcome"].as_str().unwrap(),
                event["path"].as_str().unwrap()
            )
        })
        .collect();
    found.sort();
    assert_eq!(
        found,
        ["differs d/7", "differs large", "extra more", "missing d/8"]
    );
    let same = ran
        .named("verified")
        .into_iter()
        .find(|event| event["path"] == "d/9")
        .unwrap();
    assert_eq!(same["blake3"], blake3::hash(b"9").to_string());
    let dry = |flags: &[&str]| {
        let tree = server.at("tree/");
        let args = [&["sync", "-n", "--json"], flags, &[&tree, "copy"]].concat();
        let ran = run(&world, &args);
        ran.expect_ok();
        let would: Vec<String> = (ran.named("would").iter())
            .map(|event| event["path"].as_str().unwrap().to_owned())
            .collect();
        (would, ran.named("forecast")[0]["unchanged"].clone())
    };
    let seen = |names: &[&str]| {
        names
            .iter()
            .map(|name| (*name).to_owned())
            .collect::<Vec<_>>()
    };
    let plainly = seen(&["copy/d/7", "copy/d/8"]);
    assert_eq!(dry(&[]), (plainly, 300.into()));
    let (mut would, unchanged) = dry(&["--checksum"]);
    would.sort();
    let by_hash = seen(&["copy/d/7", "copy/d/8", "copy/large"]);
    assert_eq!((would, unchanged), (by_hash, 299.into()));
    let fixed = run(
        &world,
        &["sync", "--checksum", "--json", &server.at("tree/"), "copy"],
    );
    fixed.expect_ok();
    let mut written: Vec<String> = (fixed.named("file").iter())
        .filter(|event| event["outcome"] == "written" && event["kind"].is_null())
        .map(|event| event["path"].as_str().unwrap().to_owned())
        .collect();
    written.sort();
    // By size, for it is not there, and by hash.
    assert_eq!(written, ["tree/d/7", "tree/d/8", "tree/large"]);
    run(&world, &["verify", &server.at("tree"), "copy"]).expect(7, "1 not on the server");
    // Again, with other bytes of the same length and time.
    for (path, text) in [("copy/d/7", "8"), ("copy/large", "short")] {
        let path = world.local(path);
        let time = fs::metadata(&path).unwrap().modified().unwrap();
        fs::write(&path, text).unwrap();
        fs::File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_modified(time)
            .unwrap();
    }
    fs::remove_file(world.local("copy/d/8")).unwrap();
    let words = run(&world, &["verify", &server.at("tree"), "copy"]);
    words.expect(7, "2 differ, 1 missing here, 1 not on the server");
    assert!(words.stdout.contains("differs  large\n"), "{words:?}");
    run(&world, &["verify", &server.at("tree"), "nowhere"]).expect(5, "nowhere");
    run(&world, &["verify", &server.at("nowhere"), "copy"]).expect(5, "no such file");
    run(&world, &["verify", &server.at("tree"), &server.at("tree")]).expect(2, "must be local");
}

/// Links are compared by what they say, and one that says the same is not made anew.
#[cfg(target_os = "linux")]
#[test]
fn links_are_compared_by_their_targets() {
    use std::os::unix::fs::MetadataExt;
    let world = World::new();
    let server = world.serve(&["--public=rw"]);
    fs::create_dir(world.local("tree")).unwrap();
    for (name, target) in [("same", "a"), ("other", "a"), ("dangling", "no/where")] {
        symlink(target, world.local("tree").join(name)).unwrap();
    }
    let remote = server.at("tree/");
    run(&world, &["sync", "tree/", &remote]).expect_ok();
    run(&world, &["verify", &server.at("tree"), "tree"]).expect(0, "3 links are the same");
    let inode = |name: &str| {
        let found = fs::symlink_metadata(world.shared("tree").join(name)).unwrap();
        (found.ino(), found.mtime(), found.mtime_nsec())
    };
    let before = ["same", "dangling"].map(inode);
    // Of the same length, so that no listing could tell it.
    fs::remove_file(world.local("tree/other")).unwrap();
    symlink("b", world.local("tree/other")).unwrap();
    let ran = run(&world, &["verify", "--json", &server.at("tree"), "tree"]);
    assert_eq!(ran.code, 7, "{ran:?}");
    let found = ran.named("verified");
    assert_eq!((found.len(), &found[0]["path"]), (1, &"other".into()));
    assert_eq!(found[0]["outcome"], "differs");
    let dry = run(&world, &["sync", "-n", "--json", "tree/", &remote]);
    let would = dry.named("would");
    assert_eq!((would.len(), &would[0]["action"]), (1, &"link".into()));
    assert_eq!(dry.named("forecast")[0]["unchanged"], 2);
    let ran = run(&world, &["sync", "--json", "tree/", &remote]);
    ran.expect_ok();
    let directory = &ran.named("directory")[0];
    assert_eq!(
        (&directory["links"], &directory["unchanged"]),
        (&1.into(), &2.into())
    );
    assert_eq!(["same", "dangling"].map(inode), before);
    let target = fs::read_link(world.shared("tree/other")).unwrap();
    assert_eq!(target, std::path::Path::new("b"));
}
