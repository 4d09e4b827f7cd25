//! Listing, uploading and downloading over real UDP, with real processes and files.

mod common;

use std::ffi::OsString;
use std::fs;

use common::{World, bytes};

const SIZES: [usize; 8] = [0, 1, 999, 1_000, 1_048_575, 1_048_576, 1_048_577, 5_000_000];

#[test]
fn sizes_go_up_and_come_back() {
    let world = World::new();
    let server = world.serve(&["--public=rw"]);
    let names: Vec<String> = SIZES.iter().map(|size| format!("file-{size}")).collect();
    for (name, size) in names.iter().zip(SIZES) {
        fs::write(world.local(name), bytes(size, 1)).unwrap();
    }
    let mut args = vec!["put".to_owned(), "--accept-new".to_owned()];
    args.extend(names.iter().cloned());
    args.push(server.at(""));
    world.run("anna", &args).expect_ok();
    for (name, size) in names.iter().zip(SIZES) {
        assert!(
            fs::read(world.shared(name)).unwrap() == bytes(size, 1),
            "{name}"
        );
    }
    fs::create_dir(world.local("back")).unwrap();
    let mut args = vec!["get".to_owned()];
    args.extend(names.iter().map(|name| server.at(name)));
    args.push("back/".to_owned());
    let ran = world.run("anna", &args);
    ran.expect(0, "8 of 8 files done");
    for (name, size) in names.iter().zip(SIZES) {
        assert!(
            fs::read(world.local("back").join(name)).unwrap() == bytes(size, 1),
            "{name}"
        );
    }
    // Nothing but the files is left on either side.
    assert_eq!(world.names("shared").len(), SIZES.len());
    assert_eq!(world.names("local/back").len(), SIZES.len());
}

#[test]
fn names_stay_as_they_are() {
    let world = World::new();
    let server = world.serve(&["--public=rw"]);
    let mut names: Vec<OsString> = [
        "with space",
        "größe 海図 🚢",
        "a:b",
        "-dash",
        "100%20",
        "back\\slash",
        "'quo\"tes",
        ".hidden",
    ]
    .map(OsString::from)
    .to_vec();
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::ffi::OsStringExt;
        names.push(OsString::from_vec(b"not \xff\xfe UTF-8".to_vec()));
    }
    for (name, seed) in names.iter().zip(0..) {
        fs::write(world.local(name), bytes(2_000, seed)).unwrap();
        let mut source = OsString::from("./");
        source.push(name);
        let args = [
            OsString::from("put"),
            "--accept-new".into(),
            source,
            server.at("").into(),
        ];
        world.run("anna", args).expect_ok();
        assert_eq!(
            fs::read(world.shared(name)).unwrap(),
            bytes(2_000, seed),
            "{name:?}"
        );
        fs::remove_file(world.local(name)).unwrap();
        let mut source = OsString::from(server.at(""));
        source.push(name);
        world
            .run("anna", [OsString::from("get"), source, ".".into()])
            .expect_ok();
        assert_eq!(
            fs::read(world.local(name)).unwrap(),
            bytes(2_000, seed),
            "{name:?}"
        );
    }
    let ran = world.run("anna", ["ls", "-1", &server.at("")]);
    ran.expect_ok();
    assert_eq!(ran.stdout.lines().count(), names.len());
    assert!(ran.stdout.contains("größe 海図 🚢\n") && ran.stdout.contains("back\\\\slash\n"));
    #[cfg(target_os = "linux")]
    assert!(
        ran.stdout.contains("not \\xff\\xfe UTF-8\n"),
        "{}",
        ran.stdout
    );
}

#[test]
fn c4_names_cannot_reach_the_terminal_raw() {
    let world = World::new();
    let server = world.serve(&["--public"]);
    fs::write(world.shared("evil\u{1b}[2J\r\nname\u{202e}"), "x").unwrap();
    for args in [
        vec!["ls"],
        vec!["ls", "-1"],
        vec!["ls", "--json"],
        vec!["-v", "ls"],
    ] {
        let mut args: Vec<String> = args.into_iter().map(str::to_owned).collect();
        args.extend(["--accept-new".to_owned(), server.at("")]);
        let ran = world.run("anna", &args);
        ran.expect_ok();
        let shown = format!("{}{}", ran.stdout, ran.stderr);
        assert!(!shown.contains(['\u{1b}', '\r', '\u{202e}']), "{shown:?}");
        assert_eq!(
            ran.stdout.lines().count(),
            if args.contains(&"--json".to_owned()) {
                2
            } else {
                1
            }
        );
    }
}

#[test]
fn ls_and_stat() {
    let world = World::new();
    let server = world.serve(&["--public"]);
    fs::create_dir(world.shared("sub")).unwrap();
    fs::write(world.shared("b"), "12345").unwrap();
    fs::write(world.shared("sub/c"), "").unwrap();
    let ran = world.run("anna", ["ls", "--accept-new", &server.at("")]);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(lines.len(), 2, "{ran:?}");
    assert!(lines[0].starts_with('-') && lines[0].contains("5 B") && lines[0].ends_with("  b"));
    assert!(lines[1].starts_with('d') && lines[1].ends_with("  sub/"));
    assert_eq!(
        world.run("anna", ["ls", "-1", &server.at("sub")]).stdout,
        "c\n"
    );
    assert_eq!(
        world.run("anna", ["ls", "-1", &server.at("sub/c")]).stdout,
        "c\n"
    );
    let ran = world.run("anna", ["stat", &server.at("b")]);
    assert!(
        ran.stdout.contains("path: b\nkind: file\nsize: 5 (5 B)\n"),
        "{ran:?}"
    );
    let ran = world.run("anna", ["stat", "--json", &server.at("sub")]);
    assert_eq!(ran.named("entry")[0]["kind"], "directory");
}

#[test]
fn targets_follow_cp() {
    let world = World::new();
    let server = world.serve(&["--public=rw"]);
    fs::write(world.local("a"), "first").unwrap();
    fs::create_dir(world.shared("dir")).unwrap();
    let put = |target: &str| world.run("anna", ["put", "--accept-new", "a", &server.at(target)]);
    put("new").expect_ok();
    put("dir").expect_ok();
    put("dir/").expect_ok();
    put("dir/b").expect_ok();
    assert_eq!(world.names("shared/dir"), ["a", "b"]);
    let get = |target: &str| world.run("anna", ["get", &server.at("dir/b"), target]);
    get("c").expect_ok();
    get(".").expect_ok();
    get("./").expect_ok();
    assert_eq!(world.names("local"), ["a", "b", "c"]);
    get("missing/").expect(5, "is not a directory");
    get("missing/x").expect(5, "missing");
}

#[test]
fn replacing() {
    let world = World::new();
    let server = world.serve(&["--public=rw"]);
    fs::write(world.local("a"), "one").unwrap();
    let put = |flag: &str| {
        world.run(
            "anna",
            ["put", "--accept-new", "--json", flag, "a", &server.at("")],
        )
    };
    assert_eq!(put("-p").named("file")[0]["outcome"], "written");
    assert_eq!(put("-p").named("file")[0]["outcome"], "unchanged");
    assert_eq!(put("--force").named("file")[0]["outcome"], "written");
    fs::write(world.local("a"), "other").unwrap();
    put("--no-clobber").expect(6, "exists already");
    assert_eq!(fs::read(world.shared("a")).unwrap(), b"one");
    assert_eq!(put("-p").named("file")[0]["outcome"], "written");
    assert_eq!(fs::read(world.shared("a")).unwrap(), b"other");
    fs::write(world.local("a"), "mine").unwrap();
    let ran = world.run("anna", ["get", "--no-clobber", &server.at("a"), "."]);
    ran.expect(6, "exists already");
    assert_eq!(fs::read(world.local("a")).unwrap(), b"mine");
}

#[cfg(unix)]
#[test]
fn time_and_mode_are_kept() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::time::{Duration, SystemTime};
    let world = World::new();
    let server = world.serve(&["--public=rw"]);
    let file = fs::File::create(world.shared("a")).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::new(951_782_400, 123_456_789))
        .unwrap();
    file.set_permissions(fs::Permissions::from_mode(0o640))
        .unwrap();
    world
        .run("anna", ["get", "--accept-new", &server.at("a"), "."])
        .expect_ok();
    let metadata = fs::metadata(world.local("a")).unwrap();
    assert_eq!(
        (metadata.mtime(), metadata.mtime_nsec()),
        (951_782_400, 123_456_789)
    );
    assert_eq!(metadata.mode() & 0o777, 0o640);
}

#[test]
fn two_users_at_once_get_the_same_file() {
    let world = World::new();
    let mut server = world.serve(&["--public=rw"]);
    fs::write(world.shared("big"), bytes(8 << 20, 3)).unwrap();
    let children: Vec<_> = ["anna", "ben"]
        .map(|user| {
            world
                .command(user)
                .args(["get", "-q", "--accept-new", &server.at("big"), user])
                .spawn()
                .unwrap()
        })
        .into_iter()
        .collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    for user in ["anna", "ben"] {
        assert!(fs::read(world.local(user)).unwrap() == bytes(8 << 20, 3));
    }
    let first = server.next_named("file");
    let second = server.next_named("file");
    assert_ne!(first["peer_key"], second["peer_key"]);
    assert_eq!(first["blake3"], second["blake3"]);
    assert_eq!(
        first["blake3"],
        blake3::hash(&bytes(8 << 20, 3)).to_string()
    );
}

#[test]
fn listings_in_the_servers_order() {
    let world = World::new();
    let server = world.serve(&["--public"]);
    for n in 0..500 {
        std::fs::write(world.shared(format!("{n}")), "x").unwrap();
    }
    let names = |args: &[&str]| {
        let mut all = vec!["ls", "--accept-new", "-1"];
        all.extend(args);
        let ran = world.run("anna", all);
        ran.expect_ok();
        let mut names: Vec<String> = ran.stdout.lines().map(str::to_owned).collect();
        if args.contains(&"-U") {
            names.sort();
        }
        names
    };
    let sorted = names(&[&server.at("")]);
    assert_eq!(sorted.len(), 500);
    assert_eq!(names(&["-U", &server.at("")]), sorted);
    world
        .run("anna", ["ls", "-U", &server.at("missing")])
        .expect(5, "no such file");
}
