//! Who may talk to whom, and what is said when they may not.

mod common;

use std::fs;

use common::World;

#[test]
fn an_unknown_server_stops_without_a_terminal() {
    let world = World::new();
    let server = world.serve(&["--public"]);
    let ran = world.run("anna", ["ls", &server.at("")]);
    ran.expect(4, "is not known yet");
    ran.expect(4, &format!("--host-key {}", server.host_key));
    world.run("anna", ["hosts", "list"]).expect_ok();
    assert_eq!(world.run("anna", ["hosts", "list"]).stdout, "");
    world
        .run("anna", ["ls", "--accept-new", &server.at("")])
        .expect_ok();
    world.run("anna", ["ls", &server.at("")]).expect_ok();
    let listed = world.run("anna", ["hosts", "list"]);
    assert_eq!(
        listed.stdout,
        format!("{}  {}\n", server.address, server.host_key)
    );
    world
        .run("anna", ["hosts", "remove", &server.address])
        .expect_ok();
    world
        .run("anna", ["hosts", "remove", &server.address])
        .expect(5, "not among the known");
    world
        .run("anna", ["ls", &server.at("")])
        .expect(4, "is not known yet");
}

#[test]
fn a_fingerprint_may_be_given() {
    let world = World::new();
    let server = world.serve(&["--public"]);
    let wrong = format!("SHA256:{}", "A".repeat(43));
    world
        .run("anna", ["ls", "--host-key", &wrong, &server.at("")])
        .expect(4, "not SHA256:AAAA");
    world
        .run("anna", ["ls", "--host-key", "nonsense", &server.at("")])
        .expect(2, "--host-key");
    world
        .run(
            "anna",
            ["--host-key", &server.host_key, "ls", &server.at("")],
        )
        .expect_ok();
    world.run("anna", ["ls", &server.at("")]).expect_ok();
}

#[test]
fn h15_a_changed_key_stops() {
    let world = World::new();
    let mut server = world.serve(&["--public"]);
    world
        .run("anna", ["ls", "--accept-new", &server.at("")])
        .expect_ok();
    server.kill();
    let other = world.serve_as("other", &server.address, &["--public"]);
    assert_ne!(server.host_key, other.host_key);
    for args in [
        vec!["ls"],
        vec!["ls", "--accept-new"],
        vec!["ls", "--host-key", &other.host_key],
    ] {
        let mut args = args;
        let operand = other.at("");
        args.push(&operand);
        let ran = world.run("anna", &args);
        ran.expect(4, "has changed");
        ran.expect(4, "dhow hosts remove");
        assert_eq!(ran.stdout, "");
    }
}

#[test]
fn users_come_in_by_key() {
    let world = World::new();
    let keys = world.path("keys");
    let lines = format!(
        "{}\nread-only {}\n",
        world.key_line("anna"),
        world.key_line("ben")
    );
    fs::write(&keys, lines).unwrap();
    let mut server = world.serve(&["--authorized-keys", keys.to_str().unwrap()]);
    fs::write(world.local("a"), "x").unwrap();
    fs::write(world.shared("secret"), "x").unwrap();
    let put = |user: &str| world.run(user, ["put", "--accept-new", "a", &server.at(user)]);
    put("anna").expect_ok();
    put("ben").expect(6, "only read");
    world
        .run("ben", ["get", &server.at("secret"), "copy"])
        .expect_ok();
    let ran = world.run("mallory", ["ls", "--accept-new", "--json", &server.at("")]);
    ran.expect(4, "does not let your key");
    ran.expect(4, "dhow key show");
    assert_eq!(ran.named("error")[0]["exit"], 4);
    assert!(!ran.stdout.contains("secret"));
    let refused = server.next_named("login-refused");
    let fingerprint = world.run("mallory", ["key", "fingerprint"]).stdout;
    assert!(fingerprint.starts_with(refused["peer_key"].as_str().unwrap()));
}

#[test]
fn a_server_that_nobody_could_enter_does_not_start() {
    let world = World::new();
    let ran = world.run("server", ["serve", "--listen", "127.0.0.1:0"]);
    ran.expect(2, "nobody could come in");
    ran.expect(2, "--public");
}

#[test]
fn public_is_read_only_unless_said_otherwise() {
    let world = World::new();
    fs::write(world.local("a"), "x").unwrap();
    for (flags, code) in [
        (&["--public"][..], 6),
        (&["--public=r"], 6),
        (&["--public=rw", "--read-only"], 6),
        (&["--public=rw"], 0),
    ] {
        let server = world.serve(flags);
        let ran = world.run(
            "anna",
            ["put", "--host-key", &server.host_key, "a", &server.at("")],
        );
        assert_eq!(ran.code, code, "{flags:?} {ran:?}");
        assert_eq!(world.names("shared").is_empty(), code != 0);
    }
}

#[test]
fn keys_are_made_shown_and_guarded() {
    let world = World::new();
    let made = world.run("anna", ["key", "gen", "-C", "anna@harbour", "k"]);
    made.expect_ok();
    assert!(
        made.stdout.ends_with(" anna@harbour (ED25519)\n"),
        "{made:?}"
    );
    world
        .run("anna", ["key", "gen", "k"])
        .expect(6, "exists already");
    assert_eq!(
        world.run("anna", ["key", "fingerprint", "k"]).stdout,
        made.stdout
    );
    assert_eq!(
        world.run("anna", ["key", "fingerprint", "k.pub"]).stdout,
        made.stdout
    );
    let shown = world.run("anna", ["key", "show", "-i", "k"]).stdout;
    assert_eq!(shown, fs::read_to_string(world.local("k.pub")).unwrap());
    world
        .run("anna", ["key", "show", "missing"])
        .expect(5, "missing");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let server = world.serve(&["--public"]);
        fs::set_permissions(world.local("k"), fs::Permissions::from_mode(0o644)).unwrap();
        let ran = world.run("anna", ["ls", "-i", "k", "--accept-new", &server.at("")]);
        ran.expect(4, "others may read or write");
        ran.expect(4, "chmod 600 k");
    }
}

#[test]
fn a_new_key_replaces_no_public_key() {
    let world = World::new();
    let public = world.local("key.pub");
    fs::write(&public, "all that is known here of a key kept elsewhere").unwrap();
    world
        .run("anna", ["key", "gen", "key"])
        .expect(6, "key.pub exists already");
    assert!(fs::read_to_string(&public).unwrap().starts_with("all"));
    assert_eq!(world.names("local"), ["key.pub"]);
}
