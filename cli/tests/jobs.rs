//! Patterns, dry runs, stdin and stdout, manifests, with the real program.

#![cfg(unix)]

mod common;

use std::fs;
use std::io::Write;
use std::process::Stdio;

use common::{Ran, World, bytes, run};

fn make(world: &World, paths: &[&str]) {
    for path in paths {
        let whole = world.shared(path);
        fs::create_dir_all(whole.parent().unwrap()).unwrap();
        fs::write(whole, path.as_bytes()).unwrap();
    }
}

#[test]
fn patterns_are_expanded_and_literal_names_win() {
    let world = World::new();
    make(
        &world,
        &[
            "a1.txt",
            "a2.txt",
            "b.txt",
            ".hidden.txt",
            "d/x.rs",
            "d/e/y.rs",
            "d/e/z.txt",
            "star*",
            "starred",
            "dots/[ab]",
            "dots/a",
        ],
    );
    let server = world.serve(&["--public"]);
    for (number, (pattern, expected)) in [
        ("*.txt", &["a1.txt", "a2.txt", "b.txt"][..]),
        ("?.txt", &["b.txt"]),
        (".h*", &[".hidden.txt"]),
        ("**/*.rs", &["x.rs", "y.rs"]),
        ("d/**/*.txt", &["z.txt"]),
        ("[a-c]2.txt", &["a2.txt"]),
        ("star*", &["star*"]),
        ("star[*]", &["star*"]),
        ("dots/[ab]", &["[ab]"]),
        ("d*/[e]", &["e"]),
    ]
    .into_iter()
    .enumerate()
    {
        let into = format!("{number}");
        fs::create_dir(world.local(&into)).unwrap();
        run(&world, &["get", &server.at(pattern), &into]).expect_ok();
        assert_eq!(world.names(&format!("local/{into}")), expected, "{pattern}");
    }
    run(&world, &["get", &server.at("*.pdf"), "."])
        .expect(5, "nothing on the server has such a name");
    // Several need a directory.
    run(&world, &["get", &server.at("a?.txt"), "one"]).expect(5, "not a directory");
}

#[test]
fn a_dry_run_changes_nothing_and_tells_what_would_be() {
    let world = World::new();
    let server = world.serve(&["--public=rw"]);
    for n in 0..20_u8 {
        make(&world, &[&format!("tree/d{}/f{n}", n % 3)]);
        fs::write(
            world.shared(format!("tree/d{}/f{n}", n % 3)),
            bytes(100_000, n),
        )
        .unwrap();
    }
    let source = server.at("tree/");
    let dry = run(&world, &["get", "-n", "--json", &source, "copy"]);
    dry.expect_ok();
    let forecast = &dry.named("forecast")[0];
    assert_eq!(
        ["files", "bytes", "directories", "unchanged", "removed"]
            .map(|key| forecast[key].as_u64().unwrap()),
        [20, 2_000_000, 4, 0, 0]
    );
    assert!(forecast["seconds"].is_null() && !world.local("copy").exists());
    run(&world, &["sync", &source, "copy"]).expect_ok();
    fs::write(world.shared("tree/d0/f0"), "new").unwrap();
    fs::write(world.local("copy/extra"), "x").unwrap();
    fs::create_dir(world.local("copy/d2/more")).unwrap();
    let dry = run(
        &world,
        &["sync", "--delete", "-n", "--json", &source, "copy"],
    );
    dry.expect_ok();
    let mut would: Vec<String> = (dry.named("would").iter())
        .map(|event| {
            format!(
                "{} {}",
                event["action"].as_str().unwrap(),
                event["path"].as_str().unwrap()
            )
        })
        .collect();
    would.sort();
    assert_eq!(
        would,
        [
            "copy copy/d0/f0",
            "remove copy/d2/more",
            "remove copy/extra"
        ]
    );
    let forecast = &dry.named("forecast")[0];
    assert_eq!(
        (
            &forecast["bytes"],
            &forecast["unchanged"],
            &forecast["rate_from"]
        ),
        (&3.into(), &19.into(), &"measured".into())
    );
    assert!(world.local("copy/extra").exists());
    let ran = run(&world, &["sync", "--delete", "--json", &source, "copy"]);
    assert_eq!(ran.named("removed").len(), 2);
    assert_eq!(ran.named("directory")[0]["files"], 1);
    // The same upwards, in words, at a stated rate.
    let dry = run(
        &world,
        &["put", "-n", "--cc", "fixed:1M", "copy", &server.at("")],
    );
    dry.expect_ok();
    assert!(dry.stdout.contains("would copy 20 files"), "{dry:?}");
    assert!(
        dry.stdout.contains("about 1.90 s at 977 KiB/s, as stated"),
        "{dry:?}"
    );
    assert_eq!(world.names("shared"), ["tree"]);
    let dry = run(
        &world,
        &["put", "-n", "--no-clobber", "copy/d1", &server.at("tree/")],
    );
    assert!(dry.stdout.contains("refused"), "{dry:?}");
    run(&world, &["get", "-n", &server.at("missing"), "x"]).expect(5, "no such file");
}

#[test]
fn pipes_at_both_ends() {
    let world = World::new();
    let server = world.serve(&["--public=rw"]);
    let content = bytes(3_000_000, 5);
    let put = |target: &str| {
        let mut child = world
            .command("anna")
            .args(["--accept-new", "put", "-", target])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // A command that stops early closes the pipe.
        let _ = stdin.write_all(&content);
        drop(stdin);
        Ran::from(child.wait_with_output().unwrap())
    };
    put(&server.at("piped")).expect_ok();
    assert!(fs::read(world.shared("piped")).unwrap() == content);
    put(&server.at("")).expect(2, "is a directory");
    let output = world
        .command("anna")
        .args(["get", &server.at("piped"), "-"])
        .output()
        .unwrap();
    assert!(output.status.success() && output.stdout == content);
    run(&world, &["get", &server.at("missing"), "-"]).expect(5, "no such file");
    run(&world, &["get", &server.at(""), "-"]).expect(6, "directory");
    run(&world, &["get", "--json", &server.at("piped"), "-"]).expect(2, "stdout");
    // A reader that has enough.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let status = world
        .command("anna")
        .args(["get", "-q", &server.at("piped"), "-"])
        .stdout(writer)
        .status()
        .unwrap();
    assert!(status.success());
    assert!(world.names("local").is_empty());
}

#[test]
fn manifests_are_b3sums() {
    let world = World::new();
    let server = world.serve(&["--public=rw"]);
    fs::create_dir(world.local("tree")).unwrap();
    for name in ["a", "b c", "back\\slash", "ü"] {
        fs::write(world.local("tree").join(name), name).unwrap();
    }
    let check = |file: &str, count: usize| {
        let text = fs::read_to_string(world.local(file)).unwrap();
        for line in text.lines() {
            let (line, escaped) = line
                .strip_prefix('\\')
                .map_or((line, false), |line| (line, true));
            let (hash, name) = line.split_once("  ").unwrap();
            let name = if escaped {
                name.replace("\\\\", "\\")
            } else {
                name.to_owned()
            };
            let content = fs::read(world.local(name)).unwrap();
            assert_eq!(blake3::hash(&content).to_hex().as_str(), hash);
        }
        assert_eq!(text.lines().count(), count, "{text}");
    };
    run(&world, &["put", "--manifest", "up", "tree", &server.at("")]).expect_ok();
    check("up", 4);
    run(
        &world,
        &["get", "--manifest", "down", &server.at("tree"), "copy"],
    )
    .expect_ok();
    check("down", 4);
    // What was there already is in it, too.
    run(
        &world,
        &[
            "get",
            "--manifest",
            "again",
            &server.at("tree/a"),
            &server.at("tree/b c"),
            "copy",
        ],
    )
    .expect_ok();
    check("again", 2);
    run(
        &world,
        &["get", "--manifest", "no/such", &server.at("tree"), "copy"],
    )
    .expect(5, "no/such");
}
