//! Directories made, things removed, renamed and hashed at a server, over real sockets and real disks.

mod world;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use transport_std::{
    Changed, Durability, ErrorCode, Finished, MakeDirOptions, RemoveOptions, RenameOptions,
    RequestKind, Rights, ServerBuilder, ServerEvent,
};
use world::{World, refusal};

const DONE: fn(u64) -> Changed = |count| Changed {
    count,
    durability: Durability::Full,
};

#[test]
fn directories_are_made_things_renamed_and_removed() {
    let world = World::new();
    let client = world.client();
    let make = |path: &str, parents, exclusive| {
        let options = MakeDirOptions {
            parents,
            exclusive,
            ..MakeDirOptions::default()
        };
        client.make_dir(path, &options)
    };
    assert_eq!(make("a", false, true).unwrap(), DONE(1));
    assert_eq!(make("a/b/c/d", true, true).unwrap(), DONE(3));
    assert_eq!(make("a/b", false, false).unwrap(), DONE(0));
    assert_eq!(refusal(make("a/b", false, true)), ErrorCode::Exists);
    assert_eq!(refusal(make("x/y", false, false)), ErrorCode::NotFound);
    let mode = fs::metadata(world.shared("a/b"))
        .unwrap()
        .permissions()
        .mode();
    let plain = tempfile::tempdir().unwrap();
    fs::create_dir(plain.path().join("d")).unwrap();
    let usual = fs::metadata(plain.path().join("d"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode, usual, "as mkdir makes them");

    World::make(&world.shared("f"), 100_000, 1);
    World::make(&world.shared("g"), 10, 2);
    let rename = |from: &str, to: &str, replace| {
        let options = RenameOptions {
            replace,
            ..RenameOptions::default()
        };
        client.rename(from, to, &options)
    };
    assert_eq!(refusal(rename("f", "g", false)), ErrorCode::Exists);
    assert_eq!(rename("f", "g", true).unwrap(), DONE(1));
    assert_eq!(rename("g", "a/b/h", false).unwrap(), DONE(1));
    assert_eq!(rename("a/b", "z", false).unwrap(), DONE(1));
    assert_eq!(fs::metadata(world.shared("z/h")).unwrap().len(), 100_000);
    assert_eq!(refusal(rename("z", "a", true)), ErrorCode::IsDirectory);
    assert_eq!(refusal(rename("z", "z/c/y", true)), ErrorCode::NameRefused);
    assert_eq!(refusal(rename("g", "q", true)), ErrorCode::NotFound);

    let outside = world.local("outside");
    World::make(&outside, 5, 3);
    symlink(world.local.path(), world.shared("z/link")).unwrap();
    let remove = |path: &str, recursive| {
        let options = RemoveOptions {
            recursive,
            ..RemoveOptions::default()
        };
        client.remove(path, &options)
    };
    assert_eq!(refusal(remove("z", false)), ErrorCode::NotEmpty);
    assert_eq!(
        refusal(remove("z/link/outside", true)),
        ErrorCode::NotRegular
    );
    assert_eq!(remove("z/h", false).unwrap(), DONE(1));
    assert_eq!(remove("z", true).unwrap(), DONE(4), "z, c, d and the link");
    assert_eq!(refusal(remove("z", true)), ErrorCode::NotFound);
    assert_eq!(refusal(remove("", true)), ErrorCode::Denied);
    assert!(outside.exists());
    client.close();
    let events = world.events.lock().unwrap();
    let told = events.iter().filter(|event| {
        matches!(event, ServerEvent::Finished { job, result: Ok(Finished::Changed { .. }), .. }
            if job.kind != RequestKind::Rename || !job.to.is_root())
    });
    assert_eq!(told.count(), 8);
}

#[test]
fn who_may_only_read_changes_nothing() {
    let world = World::with(|server: ServerBuilder| server.admission(|_, _| Some(Rights::Read)));
    let client = world.client();
    World::make(&world.shared("f"), 10, 1);
    let refused = [
        refusal(client.make_dir("d", &MakeDirOptions::default())),
        refusal(client.remove("f", &RemoveOptions::default())),
        refusal(client.remove("not there", &RemoveOptions::default())),
        refusal(client.rename("f", "g", &RenameOptions::default())),
    ];
    assert_eq!(refused, [ErrorCode::ReadOnly; 4]);
    assert!(world.shared("f").exists());
}

#[test]
fn a_large_directory_is_removed() {
    let world = World::new();
    for d in 0..20 {
        let directory = world.shared(&format!("d/{d}"));
        fs::create_dir_all(&directory).unwrap();
        for f in 0..200 {
            fs::write(directory.join(f.to_string()), b"").unwrap();
        }
    }
    let options = RemoveOptions {
        recursive: true,
        durability: Durability::None,
        ..RemoveOptions::default()
    };
    let removed = world.client().remove("d", &options).unwrap();
    assert_eq!(removed.count, 4_021);
    assert!(!world.shared("d").exists());
}

#[test]
fn the_server_hashes_a_file() {
    let world = World::new();
    let client = world.client();
    let (b, p) = (65_536, 1 << 20);
    for size in [0, 1, b, b + 1, p, p + 1, 4 * p, 9 * p + 3] {
        let bytes = World::make(&world.shared("f"), size, size as u64);
        let hashed = client.hash("f", None).unwrap();
        assert_eq!(hashed.size, size as u64);
        assert_eq!(hashed.hash, *blake3::hash(&bytes).as_bytes());
    }
    fs::create_dir(world.shared("d")).unwrap();
    assert_eq!(refusal(client.hash("d", None)), ErrorCode::IsDirectory);
    assert_eq!(refusal(client.hash("none", None)), ErrorCode::NotFound);
}
