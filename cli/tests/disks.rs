//! Disks that are full or read-only, and sources that change while they are sent: a clear word, the right exit code, nothing in
//! part, and a server that serves on. Files and directories, at both sides.

#![cfg(target_os = "linux")]

mod common;

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::{Ran, Server, World, bytes, run, wait_until};

const MIB: usize = 1 << 20;

/// A file system of its own in memory; gone when dropped.
struct Mount(PathBuf);

impl Mount {
    /// Of so many MiB at a directory that is there; nothing, and a word why, where that may not be done.
    fn small(at: PathBuf, mib: usize) -> Option<Self> {
        let options = format!("size={mib}M");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "tmpfs"])
            .arg(&at)
            .stderr(Stdio::null())
            .status();
        if mounted.is_ok_and(|status| status.success()) {
            return Some(Self(at));
        }
        println!("left out: only the superuser may mount a file system");
        None
    }

    fn make_read_only(&self) {
        let mut command = Command::new("mount");
        command.args(["-o", "remount,ro"]).arg(&self.0);
        assert!(command.status().unwrap().success());
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // A server may still hold it open: it goes when that ends.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// No file of dhow's own is left in a directory or below.
#[track_caller]
fn assert_nothing_left(directory: &Path) {
    let own = |directory: &Path| -> usize {
        let mut pending = vec![directory.to_owned()];
        let mut count = 0;
        while let Some(directory) = pending.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let entry = entry.unwrap();
                count += usize::from(entry.file_name().to_string_lossy().starts_with(".dhow-"));
                if entry.file_type().unwrap().is_dir() {
                    pending.push(entry.path());
                }
            }
        }
        count
    };
    wait_until("nothing is left over", || own(directory) == 0);
}

/// A server and a user's directory on disks of four MiB.
struct Small {
    world: World,
    server: Server,
    disks: [Mount; 2],
}

fn small() -> Option<Small> {
    let world = World::new();
    let disks = ["shared", "local"].map(|side| {
        let at = world.path(side).join("disk");
        fs::create_dir(&at).unwrap();
        Mount::small(at, 4)
    });
    let [Some(shared), Some(local)] = disks else {
        return None;
    };
    let server = world.serve(&["--public=rw"]);
    Some(Small {
        world,
        server,
        disks: [shared, local],
    })
}

impl Small {
    /// Copies `source` (a name at the source's side) to the small disk at the other side, as a user with a stopwatch.
    fn copy(&self, upload: bool, source: &str) -> Ran {
        let begun = Instant::now();
        let ran = match upload {
            true => run(
                &self.world,
                &["--json", "put", source, &self.server.at("disk/")],
            ),
            false => run(
                &self.world,
                &["--json", "get", &self.server.at(source), "disk"],
            ),
        };
        assert!(begun.elapsed() < Duration::from_secs(8));
        ran
    }

    fn source(&self, upload: bool, name: &str) -> PathBuf {
        match upload {
            true => self.world.local(name),
            false => self.world.shared(name),
        }
    }

    fn target(&self, upload: bool) -> &Path {
        &self.disks[usize::from(!upload)].0
    }
}

#[test]
fn f12_full_disks() {
    let Some(small) = small() else { return };
    for upload in [true, false] {
        let target = small.target(upload);
        // What cannot fit is known at once; the file that was there stays.
        fs::write(target.join("large"), b"old").unwrap();
        fs::write(small.source(upload, "large"), bytes(5 * MIB, 1)).unwrap();
        let ran = small.copy(upload, "large");
        assert_eq!(ran.code, 1, "{ran:?}");
        assert_eq!(ran.named("error")[0]["code"], "no-space");
        assert_eq!(fs::read(target.join("large")).unwrap(), b"old");
        // Of many, some fit: those stand there, each whole, and the rest is told of, small ones and larger ones.
        let tree = small.source(upload, "tree");
        fs::create_dir(&tree).unwrap();
        for number in 0..40_u8 {
            let size = if number % 8 == 0 { 600_000 } else { 60_000 };
            fs::write(tree.join(number.to_string()), bytes(size, number)).unwrap();
        }
        let ran = small.copy(upload, "tree");
        assert_eq!(ran.code, 8, "{ran:?}");
        let errors = ran.named("error");
        assert!(!errors.is_empty() && errors.iter().all(|error| error["code"] == "no-space"));
        let mut stored = 0;
        for entry in fs::read_dir(target.join("tree")).unwrap() {
            let entry = entry.unwrap();
            let source = tree.join(entry.file_name());
            assert!(fs::read(entry.path()).unwrap() == fs::read(source).unwrap());
            stored += 1;
        }
        assert_eq!((stored + errors.len(), stored > 10), (40, true));
        assert_nothing_left(target);
        // There is room again.
        fs::remove_dir_all(target.join("tree")).unwrap();
        fs::write(small.source(upload, "fits"), bytes(3 * MIB, 2)).unwrap();
        assert_eq!(small.copy(upload, "fits").code, 0);
        assert!(fs::read(target.join("fits")).unwrap() == bytes(3 * MIB, 2));
    }
}

/// The disk has room when a file begins, and none before it ends.
#[test]
fn f12_a_disk_that_fills_up() {
    let Some(small) = small() else { return };
    for upload in [true, false] {
        let target = small.target(upload);
        fs::write(small.source(upload, "slow"), bytes(3 * MIB, 1)).unwrap();
        let mut command = small.world.command("anna");
        command.args(["--accept-new", "--json", "--limit", "1M"]);
        match upload {
            true => command.args(["put", "slow", &small.server.at("disk/")]),
            false => command.args(["get", &small.server.at("slow"), "disk"]),
        };
        let child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        wait_until("some of it is written", || {
            let free = rustix::fs::statvfs(target).unwrap();
            free.f_bfree * free.f_frsize < (4 * MIB - 400_000) as u64
        });
        let free = rustix::fs::statvfs(target).unwrap();
        fs::write(
            target.join("other"),
            vec![1; (free.f_bavail * free.f_frsize) as usize],
        )
        .unwrap();
        let ran = Ran::from(child.wait_with_output().unwrap());
        assert_eq!(ran.code, 1, "{ran:?}");
        assert_eq!(ran.named("error")[0]["code"], "no-space");
        assert!(!target.join("slow").exists());
        assert_nothing_left(target);
        fs::remove_file(target.join("other")).unwrap();
        assert_eq!(small.copy(upload, "slow").code, 0);
    }
}

#[test]
fn read_only_file_systems() {
    let Some(small) = small() else { return };
    for upload in [true, false] {
        let tree = small.source(upload, "tree");
        fs::create_dir(&tree).unwrap();
        fs::write(tree.join("file"), "x").unwrap();
        fs::write(small.source(upload, "file"), bytes(MIB, 1)).unwrap();
        fs::create_dir(small.target(upload).join("tree")).unwrap();
        small.disks[usize::from(!upload)].make_read_only();
        // The directory was there, and is as it was: some failed, not all.
        for (name, code) in [("file", 6), ("tree", 8)] {
            let ran = small.copy(upload, name);
            assert_eq!(ran.code, code, "{name} {ran:?}");
            let errors = ran.named("error");
            assert_eq!(errors[0]["code"], "read-only", "{errors:?}");
        }
        assert!(!small.target(upload).join("file").exists());
    }
    // The server serves on.
    run(&small.world, &["get", &small.server.at("tree"), "again"]).expect_ok();
}

/// What happens to a file while it is sent.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Grows,
    Shrinks,
    Disappears,
    IsReplaced,
}

fn befall(fate: Fate, path: &Path) {
    match fate {
        Fate::Grows => {
            let mut file = File::options().append(true).open(path).unwrap();
            std::io::Write::write_all(&mut file, b"more").unwrap();
        }
        Fate::Shrinks => File::options()
            .write(true)
            .open(path)
            .unwrap()
            .set_len(1_000)
            .unwrap(),
        Fate::Disappears => fs::remove_file(path).unwrap(),
        Fate::IsReplaced => {
            let other = path.with_extension("new");
            fs::write(&other, bytes(8 * MIB, 9)).unwrap();
            fs::rename(other, path).unwrap();
        }
    }
}

fn start(world: &World, server: &Server, upload: bool, name: &str) -> Child {
    let mut command = world.command("anna");
    command.args(["--accept-new", "--json", "--limit", "4M", "--timeout", "5s"]);
    match upload {
        true => command.args(["put", name, &server.at("")]),
        false => command.args(["get", &server.at(name), "."]),
    };
    command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn sources_that_change_while_they_are_sent() {
    for upload in [true, false] {
        let world = World::new();
        let server = world.serve(&["--public=rw", "--limit", "4M"]);
        let (source, target) = match upload {
            true => (world.local(""), world.shared("")),
            false => (world.shared(""), world.local("")),
        };
        for fate in [
            Fate::Grows,
            Fate::Shrinks,
            Fate::Disappears,
            Fate::IsReplaced,
        ] {
            for tree in [false, true] {
                let name = format!("{fate:?}{tree}");
                let file = match tree {
                    true => {
                        fs::create_dir(source.join(&name)).unwrap();
                        fs::write(source.join(&name).join("other"), "other").unwrap();
                        source.join(&name).join("file")
                    }
                    false => source.join(&name),
                };
                fs::write(&file, bytes(8 * MIB, 1)).unwrap();
                let child = start(&world, &server, upload, &name);
                let directory = if tree {
                    target.join(&name)
                } else {
                    target.clone()
                };
                wait_until("it is under way", || {
                    let Ok(entries) = fs::read_dir(&directory) else {
                        return false;
                    };
                    entries.flatten().any(|entry| {
                        let own = entry.file_name().to_string_lossy().ends_with(".part");
                        own && entry.metadata().is_ok_and(|it| it.len() > MIB as u64)
                    })
                });
                befall(fate, &file);
                let ran = Ran::from(child.wait_with_output().unwrap());
                // An open file that nobody changes is what it was, wherever its name has gone.
                let errors = ran.named("error");
                let code = if tree { 8 } else { 1 };
                assert_eq!(ran.code, code, "{upload} {name} {ran:?}");
                assert_eq!(
                    errors[0]["code"], "source-changed",
                    "{upload} {name} {errors:?}"
                );
                if tree {
                    assert_eq!(
                        fs::read(target.join(&name).join("other")).unwrap(),
                        b"other"
                    );
                    assert!(!target.join(&name).join("file").exists());
                } else {
                    assert!(!target.join(&name).exists());
                }
            }
        }
        assert_nothing_left(&target);
    }
}

#[test]
fn links_that_go_round_in_circles() {
    let world = World::new();
    let server = world.serve(&["--public=rw"]);
    for side in [world.local("up"), world.shared("down")] {
        fs::create_dir_all(side.join("a/b")).unwrap();
        fs::write(side.join("a/b/file"), "x").unwrap();
        symlink(".", side.join("here")).unwrap();
        symlink("..", side.join("a/b/above")).unwrap();
        symlink("two", side.join("one")).unwrap();
        symlink("one", side.join("two")).unwrap();
    }
    // As links, in a directory: each as it is, and none is followed.
    run(&world, &["put", "up", &server.at("")]).expect_ok();
    run(&world, &["get", &server.at("down"), "."]).expect_ok();
    run(&world, &["ls", &server.at("down")]).expect_ok();
    run(&world, &["tree", &server.at("down")]).expect_ok();
    run(&world, &["sync", "up/", &server.at("up/")]).expect_ok();
    run(&world, &["verify", &server.at("up"), "up"]).expect_ok();
    for target in [world.shared("up"), world.local("down")] {
        for (link, to) in [
            ("here", "."),
            ("a/b/above", ".."),
            ("one", "two"),
            ("two", "one"),
        ] {
            assert_eq!(fs::read_link(target.join(link)).unwrap(), Path::new(to));
        }
        assert_eq!(fs::read(target.join("a/b/file")).unwrap(), b"x");
    }
    // By itself, such a link leads to nothing.
    let ran = run(&world, &["get", &server.at("down/one"), "x"]);
    assert!(matches!(ran.code, 5 | 6), "{ran:?}");
    let ran = run(&world, &["put", "up/one", &server.at("x")]);
    assert!(matches!(ran.code, 1 | 5 | 6), "{ran:?}");
    assert!(!world.local("x").exists() && !world.shared("x").exists());
}
