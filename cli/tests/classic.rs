//! The classic dialect on the command line.

mod common;

use common::World;

#[test]
fn both_dialects_on_one_port() {
    let world = World::new();
    std::fs::write(world.shared("down.bin"), vec![7; 12_345]).unwrap();
    std::fs::write(world.local("up.bin"), vec![9; 70_000]).unwrap();
    let server = world.serve(&["--classic", "--public=rw"]);
    let (classic, modern) = (
        format!("classic://{}/", server.address),
        format!("dhow://{}/", server.address),
    );
    let ran = world.run("anna", ["ls", &classic]);
    assert_eq!(
        (ran.code, ran.stdout.as_str()),
        (0, "down.bin\n"),
        "{}",
        ran.stderr
    );
    let ran = world.run("anna", ["-v", "get", &format!("{classic}down.bin"), "."]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("no encryption, no identity"),
        "{}",
        ran.stderr
    );
    assert!(
        ran.stderr.contains("done: download down.bin"),
        "{}",
        ran.stderr
    );
    assert_eq!(std::fs::read(world.local("down.bin")).unwrap(), [7; 12_345]);
    let ran = world.run("anna", ["put", "up.bin", &classic]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let ran = world.run(
        "anna",
        [
            "--accept-new",
            "get",
            &format!("{modern}up.bin"),
            "back.bin",
        ],
    );
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(std::fs::read(world.local("back.bin")).unwrap(), [9; 70_000]);
    let ran = world.run("anna", ["--json", "ls", &classic]);
    let events: Vec<serde_json::Value> = ran
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(events.len(), 2);
    assert_eq!(
        (&events[0]["event"], &events[0]["path"]),
        (&"entry".into(), &"down.bin".into())
    );
    assert_eq!(world.names("shared"), ["down.bin", "up.bin"]);
}

#[test]
fn a_server_that_may_not_or_is_not_there_is_no_answer() {
    let world = World::new();
    std::fs::write(world.local("up.bin"), "x").unwrap();
    let server = world.serve(&["--classic", "--public"]);
    let classic = format!("classic://{}/", server.address);
    // 20 s of silence: at the same time.
    std::thread::scope(|scope| {
        for args in [
            vec!["put".into(), "up.bin".into(), classic.clone()],
            vec!["get".into(), format!("{classic}missing"), "x".into()],
        ] {
            let world = &world;
            scope.spawn(move || {
                let ran = world.run("anna", &args);
                assert_eq!(ran.code, 3, "{args:?}: {}", ran.stderr);
                assert!(
                    ran.stderr.contains("no answer to ten tries"),
                    "{}",
                    ran.stderr
                );
            });
        }
    });
    let closed = format!("classic://127.0.0.1:{}/x", unused_port());
    let ran = world.run("anna", ["get", &closed, "x"]);
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    assert!(world.names("shared").is_empty());
    assert_eq!(world.names("local"), ["up.bin"]);
}

fn unused_port() -> u16 {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.local_addr().unwrap().port()
}

#[test]
fn what_makes_no_sense_is_a_usage_error() {
    let world = World::new();
    std::fs::write(world.local("a"), "x").unwrap();
    for args in [
        vec!["serve", "--classic"],
        vec!["serve", "--classic", "--public", "x=."],
        vec!["ls", "classic://127.0.0.1:1/a"],
        vec!["stat", "classic://127.0.0.1:1/a"],
        vec!["get", "classic://127.0.0.1:1/a/b", "."],
        vec!["put", "--no-clobber", "a", "classic://127.0.0.1:1/a"],
    ] {
        let ran = world.run("anna", &args);
        assert_eq!(ran.code, 2, "{args:?}: {}", ran.stderr);
    }
}
