//! Files and listings over real sockets and real directories.

mod world;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::thread;

use transport_std::{
    Cancel, ClientError, ClientOptions, EntryKind, ErrorCode, Failure, Faults, Finished,
    GetOptions, Overwrite, Progress, PutOptions, ServerEvent, StoredAs, Tuning,
};
use world::{World, failure, refusal};

#[test]
fn files_of_all_sizes_go_both_ways() {
    let world = World::new();
    let client = world.client();
    let sizes = [
        0,
        1,
        999,
        1_000,
        65_535,
        65_536,
        65_537,
        (1 << 20) - 1,
        1 << 20,
        (1 << 20) + 1,
        5_000_000,
    ];
    for size in sizes {
        let name = format!("file of {size}");
        let bytes = World::make(&world.local(&name), size, size as u64);
        let up = client
            .put(world.local(&name), &name, &PutOptions::default(), |_| {})
            .unwrap();
        assert_eq!((up.size, up.how), (size as u64, StoredAs::Written));
        assert_eq!(fs::read(world.shared(&name)).unwrap(), bytes, "{name} up");
        let copy = world.local(&format!("copy of {size}"));
        let down = client
            .get(&name, &copy, &GetOptions::default(), |_| {})
            .unwrap();
        assert_eq!((down.size, down.hash), (size as u64, up.hash));
        assert_eq!(fs::read(&copy).unwrap(), bytes, "{name} down");
        assert_eq!(
            fs::metadata(&copy).unwrap().modified().unwrap(),
            fs::metadata(world.shared(&name))
                .unwrap()
                .modified()
                .unwrap()
        );
    }
    let mut listed = client.list("").unwrap();
    listed.sort_by_key(|entry| entry.size);
    assert_eq!(
        listed
            .iter()
            .map(|entry| entry.size as usize)
            .collect::<Vec<_>>(),
        sizes
    );
    client.close();
    world.assert_clean();
}

#[test]
fn loss_reordering_and_duplication_change_no_byte() {
    let faults = |seed| Tuning {
        faults: Some(Faults {
            reorder: 0.05,
            duplicate: 0.02,
            ..Faults::loss(seed, 0.05)
        }),
        ..Tuning::default()
    };
    let world = World::with(|server| server.tuning(faults(1)));
    let client = world.client_with(ClientOptions {
        tuning: faults(2),
        ..world.options()
    });
    let bytes = World::make(&world.local("f"), 20 << 20, 3);
    let mut seen = Vec::new();
    client
        .put(world.local("f"), "f", &PutOptions::default(), |progress| {
            seen.push(progress)
        })
        .unwrap();
    assert!(
        matches!(
            seen.as_slice(),
            [
                Progress::Accepted,
                Progress::Started(_),
                Progress::Moved { .. },
                ..
            ] | [Progress::Started(_), Progress::Accepted, ..]
        ),
        "{seen:?}"
    );
    assert!(
        matches!(seen.last(), Some(Progress::Moved { resent: 1.., .. })),
        "{:?}",
        seen.last()
    );
    client
        .get("f", world.local("g"), &GetOptions::default(), |_| {})
        .unwrap();
    assert!(
        fs::read(world.shared("f")).unwrap() == bytes,
        "the upload differs"
    );
    assert!(
        fs::read(world.local("g")).unwrap() == bytes,
        "the download differs"
    );
    assert!(client.stats().unwrap().packets_lost > 0);
}

#[test]
fn eight_clients_at_once() {
    let world = World::new();
    thread::scope(|scope| {
        for number in 0..8_u64 {
            let world = &world;
            scope.spawn(move || {
                let client = world.client();
                let name = format!("file-{number}");
                let bytes = World::make(&world.local(&name), 700_000 + number as usize, number);
                thread::scope(|jobs| {
                    for copy in 0..3 {
                        let (client, name) = (client.clone(), format!("{name}-{copy}"));
                        let source = world.local(&format!("file-{number}"));
                        jobs.spawn(move || {
                            client
                                .put(source, name, &PutOptions::default(), |_| {})
                                .unwrap()
                        });
                    }
                });
                for copy in 0..3 {
                    let target = world.local(&format!("copy-{number}-{copy}"));
                    client
                        .get(
                            format!("{name}-{copy}"),
                            &target,
                            &GetOptions::default(),
                            |_| {},
                        )
                        .unwrap();
                    assert!(fs::read(target).unwrap() == bytes);
                }
            });
        }
    });
    world.assert_clean();
    let events = world.events.clone();
    world.server.stop().unwrap();
    let events = events.lock().unwrap();
    let stored = events
        .iter()
        .filter(|event| {
            matches!(
                event,
                ServerEvent::Finished {
                    result: Ok(Finished::Stored { .. }),
                    ..
                }
            )
        })
        .count();
    assert_eq!(stored, 48);
    let closed = events
        .iter()
        .filter(|event| matches!(event, ServerEvent::Closed { .. }))
        .count();
    assert_eq!(closed, 8);
}

#[test]
fn more_jobs_than_a_session_takes_wait_their_turn() {
    let world = World::new();
    fs::write(world.shared("f"), b"x").unwrap();
    let client = world.client();
    thread::scope(|scope| {
        for _ in 0..100 {
            scope.spawn(|| assert_eq!(client.stat("f").unwrap().size, 1));
        }
    });
}

#[test]
fn names_are_bytes() {
    let world = World::new();
    let client = world.client();
    for name in [
        b"with space".as_slice(),
        "Gr\u{fc}\u{df}e \u{6f22}".as_bytes(),
        b"\xff\xfe\x80",
        &[b'n'; 255],
    ] {
        let local = world.local.path().join(OsStr::from_bytes(name));
        fs::write(&local, name).unwrap();
        client
            .put(&local, name, &PutOptions::default(), |_| {})
            .unwrap();
        fs::remove_file(&local).unwrap();
        client
            .get(name, &local, &GetOptions::default(), |_| {})
            .unwrap();
        assert_eq!(fs::read(&local).unwrap(), name);
        assert!(
            client
                .list("")
                .unwrap()
                .iter()
                .any(|entry| entry.name == name)
        );
    }
}

#[test]
fn directories_are_listed_and_looked_at() {
    let world = World::new();
    fs::create_dir_all(world.shared("a/b")).unwrap();
    for number in 0..5_000 {
        fs::write(world.shared(&format!("a/b/{number}")), b"").unwrap();
    }
    let client = world.client();
    assert_eq!(client.stat("").unwrap().kind, EntryKind::Directory);
    assert_eq!(client.stat("a/b/17").unwrap().kind, EntryKind::File);
    let mut names: Vec<u32> = Vec::new();
    client
        .list_each("a/b", |entry| {
            names.push(String::from_utf8(entry.name).unwrap().parse().unwrap())
        })
        .unwrap();
    names.sort_unstable();
    assert!(names.iter().copied().eq(0..5_000), "{} names", names.len());
    assert_eq!(client.list("a").unwrap().len(), 1);
    fs::create_dir(world.shared("empty")).unwrap();
    assert_eq!(client.list("empty").unwrap(), []);
}

#[test]
fn what_cannot_be_done_is_said() {
    let world = World::new();
    let client = world.client();
    fs::create_dir(world.shared("d")).unwrap();
    fs::write(world.shared("f"), b"old").unwrap();
    fs::write(world.local("f"), b"newer").unwrap();
    std::os::unix::fs::symlink("/etc/passwd", world.shared("link")).unwrap();
    let get =
        |name: &str| refusal(client.get(name, world.local("x"), &GetOptions::default(), |_| {}));
    assert_eq!(get("missing"), ErrorCode::NotFound);
    assert_eq!(get("d"), ErrorCode::IsDirectory);
    assert_eq!(get("link"), ErrorCode::NotRegular);
    assert_eq!(get(".dhow-x"), ErrorCode::NameRefused);
    assert_eq!(refusal(client.list("f")), ErrorCode::NotDirectory);
    assert_eq!(refusal(client.list("missing")), ErrorCode::NotFound);
    assert_eq!(refusal(client.stat("missing")), ErrorCode::NotFound);
    let put =
        |name: &str| refusal(client.put(world.local("f"), name, &PutOptions::default(), |_| {}));
    assert_eq!(put("missing/f"), ErrorCode::NotFound);
    assert_eq!(put("d"), ErrorCode::IsDirectory);
    assert_eq!(put("a\nb"), ErrorCode::NameRefused);
    let never = PutOptions {
        overwrite: Overwrite::Never,
        ..PutOptions::default()
    };
    assert_eq!(
        refusal(client.put(world.local("f"), "f", &never, |_| {})),
        ErrorCode::Exists
    );
    assert_eq!(fs::read(world.shared("f")).unwrap(), b"old");
    assert!(matches!(
        client.stat("../etc"),
        Err(ClientError::Name { .. })
    ));
    let to_nowhere = client.get(
        "f",
        world.local("missing/f"),
        &GetOptions::default(),
        |_| {},
    );
    assert!(
        matches!(to_nowhere, Err(ClientError::Local { .. })),
        "{to_nowhere:?}"
    );
    let of_nothing = client.put(world.local("missing"), "g", &PutOptions::default(), |_| {});
    assert!(
        matches!(of_nothing, Err(ClientError::Local { .. })),
        "{of_nothing:?}"
    );
    assert_eq!(client.stat("f").unwrap().size, 3, "and the session goes on");
    world.assert_clean();
}

#[test]
fn unchanged_files_do_not_travel() {
    let world = World::new();
    let client = world.client();
    World::make(&world.local("f"), 100_000, 1);
    let put = || {
        client
            .put(world.local("f"), "f", &PutOptions::default(), |_| {})
            .unwrap()
    };
    assert_eq!(put().how, StoredAs::Written);
    assert_eq!((put().how, put().stats.bytes), (StoredAs::Unchanged, 0));
    let get = || {
        client
            .get("f", world.local("g"), &GetOptions::default(), |_| {})
            .unwrap()
    };
    assert_eq!(get().how, StoredAs::Written);
    assert_eq!((get().how, get().hash), (StoredAs::Unchanged, None));
    // Permission bits alone follow.
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let new = fs::Permissions::from_mode(0o600);
    fs::set_permissions(world.local("f"), new).unwrap();
    assert_eq!((put().how, put().stats.bytes), (StoredAs::Unchanged, 0));
    assert_eq!(mode(&world.shared("f")), 0o600);
    assert_eq!(get().how, StoredAs::Unchanged);
    assert_eq!(mode(&world.local("g")), 0o600);
}

#[test]
fn a_cancelled_job_ends_and_leaves_nothing() {
    // A lossy path is slow enough to be interrupted.
    let tuning = Tuning {
        faults: Some(Faults::loss(1, 0.3)),
        ..Tuning::default()
    };
    let world = World::with(|server| server.tuning(tuning));
    World::make(&world.shared("f"), 30 << 20, 1);
    let client = world.client();
    let cancel = Cancel::new();
    let options = GetOptions {
        cancel: Some(cancel.clone()),
        ..GetOptions::default()
    };
    let result = client.get("f", world.local("f"), &options, |progress| {
        if matches!(progress, Progress::Moved { .. }) {
            cancel.cancel();
        }
    });
    assert_eq!(failure(result), Failure::Here(ErrorCode::Cancelled));
    assert!(!world.local("f").exists());
    assert_eq!(
        client.stat("f").unwrap().size,
        30 << 20,
        "the session goes on"
    );
    client.close();
    world.assert_clean();
}
