//! Directories, with the real program.

mod common;

use std::fs;
use std::os::unix::fs::symlink;

use common::World;

#[test]
fn directories_go_both_ways() {
    let world = World::new();
    let server = world.serve(&["--public=rw"]);
    fs::create_dir_all(world.local("photos/2024/empty")).unwrap();
    for n in 0..50 {
        fs::write(
            world.local(format!("photos/2024/{n}.jpg")),
            format!("picture {n}"),
        )
        .unwrap();
    }
    fs::write(world.local("photos/large"), vec![7; 300_000]).unwrap();
    symlink("2024/1.jpg", world.local("photos/best")).unwrap();
    let run = |args: &[&str]| {
        let mut all = vec!["--accept-new"];
        all.extend(args);
        world.run("anna", &all)
    };
    let up = run(&["put", "-r", "photos", &server.at("")]);
    assert_eq!(up.code, 0, "{up:?}");
    assert!(
        up.stdout.contains("51 files") || up.stderr.contains("51 files"),
        "{up:?}"
    );
    assert_eq!(
        fs::read_to_string(world.shared("photos/2024/7.jpg")).unwrap(),
        "picture 7"
    );
    // Into a directory that is there, under its name; then as a new one.
    fs::create_dir(world.local("into")).unwrap();
    assert_eq!(run(&["get", &server.at("photos"), "into"]).code, 0);
    assert_eq!(run(&["get", &server.at("photos/"), "copy"]).code, 0);
    for copy in ["into/photos", "copy"] {
        assert_eq!(
            fs::read(world.local(format!("{copy}/large"))).unwrap(),
            vec![7; 300_000]
        );
        assert!(world.local(format!("{copy}/2024/empty")).is_dir());
        assert!(world.local(format!("{copy}/best")).is_symlink());
    }
    let again = run(&["--json", "get", &server.at("photos"), "into"]);
    assert_eq!(again.code, 0, "{again:?}");
    // Files of the same size and time, and a link to the same: nothing travels but the link's few bytes.
    assert!(again.stdout.contains("\"unchanged\":52"), "{again:?}");
    assert!(again.stdout.contains("\"moved_bytes\":0,"), "{again:?}");
}

#[test]
fn single_files_fail_and_the_rest_arrives() {
    let world = World::new();
    let server = world.serve(&["--public=rw"]);
    fs::create_dir(world.local("dir")).unwrap();
    fs::write(world.local("dir/good"), "good").unwrap();
    symlink("/etc/passwd", world.local("dir/bad")).unwrap();
    let up = world.run("anna", ["--accept-new", "put", "dir", &server.at("")]);
    up.expect(8, "dir/bad: a symbolic link that may lead out");
    assert_eq!(
        fs::read_to_string(world.shared("dir/good")).unwrap(),
        "good"
    );
}
