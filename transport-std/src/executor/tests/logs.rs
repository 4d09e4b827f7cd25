//! Journals: locked, taken over, and swept away.

use std::fs::{self, File};
use std::time::{Duration, SystemTime};

use super::*;

const JOURNAL: &str = ".dhow-0123456789abcdef.journal";
const PART: &str = ".dhow-00000000000000aa.part";
const BEGIN: [u8; 32] = [7; 32];

impl World {
    fn open_log(&self, file: u64, take: Option<[u8; 32]>) -> Result<Outcome> {
        self.run(Operation::OpenLog {
            root: self.root,
            path: path(JOURNAL),
            file: FileId(file),
            take,
        })
    }

    fn close_log(&self, file: u64, remove: bool) {
        let file = FileId(file);
        self.run(Operation::CloseLog { file, remove })
            .map(done)
            .unwrap();
    }

    fn write_log(&self, file: u64, bytes: &[u8]) -> Result<Outcome> {
        self.run(Operation::WriteLog {
            file: FileId(file),
            offset: 0,
            bytes: bytes.to_vec(),
        })
    }

    fn part(&self, file: u64, log: u64, create: bool) -> Result<Meta> {
        let (root, path, file, log) = (self.root, path(PART), FileId(file), FileId(log));
        meta(self.run(match create {
            true => Operation::Create {
                root,
                path,
                file,
                log: Some(log),
                size: 0,
            },
            false => Operation::OpenPart {
                root,
                path,
                file,
                log,
            },
        }))
    }
}

#[test]
fn a_journal_is_locked_until_it_is_closed() {
    for world in [World::new(), World::walking()] {
        let Ok(Outcome::Log { boot }) = world.open_log(1, None) else {
            panic!("it cannot be opened")
        };
        assert!(cfg!(not(target_os = "linux")) || boot != [0; 16]);
        assert_eq!(world.open_log(2, None), Err(FileError::InUse));
        // Another process.
        let file = File::options().write(true).open(world.at(JOURNAL)).unwrap();
        assert!(file.try_lock().is_err());
        world.write_log(1, &BEGIN).unwrap();
        world.close_log(1, false);
        assert!(file.try_lock().is_ok());
        assert_eq!(world.open_log(2, Some(BEGIN)), Err(FileError::InUse));
        drop(file);
        assert!(world.open_log(3, None).is_ok());
        let read = world.run(Operation::ReadLog {
            file: FileId(3),
            offset: 30,
            max: 100,
        });
        assert_eq!(read, Ok(Outcome::Bytes(vec![7; 2])));
        world.close_log(3, true);
        assert!(!world.at(JOURNAL).exists());
    }
}

#[test]
fn who_was_taken_over_can_do_no_harm() {
    let world = World::new();
    world.open_log(1, None).unwrap();
    world.part(2, 1, true).unwrap();
    world.write(2, 0, b"first", HashAs::Nothing).unwrap();
    world.write_log(1, &BEGIN).unwrap();
    assert_eq!(world.open_log(3, Some([8; 32])), Err(FileError::InUse));
    assert!(world.open_log(3, Some(BEGIN)).is_ok());
    world.part(4, 3, false).unwrap();
    let over = FileError::TakenOver;
    assert_eq!(world.write(2, 0, b"other", HashAs::Nothing), Err(over));
    assert_eq!(world.write_log(1, b"x"), Err(over));
    let (root, from, to) = (world.root, path(PART), path("f"));
    let (log, replace) = (Some(FileId(1)), true);
    let renamed = world.run(Operation::Rename {
        root,
        from: from.clone(),
        to,
        replace,
        log,
    });
    assert_eq!(renamed, Err(over));
    let removed = world.run(Operation::Remove {
        root,
        path: from,
        log,
    });
    assert_eq!(removed, Err(over));
    world.close(2);
    world.close_log(1, true);
    assert!(world.at(JOURNAL).exists() && !world.at("f").exists());
    // The lock is the new one's.
    assert_eq!(world.open_log(5, None), Err(FileError::InUse));
    assert_eq!(fs::read(world.at(PART)).unwrap(), b"first");
    world.write(4, 0, b"again", HashAs::Nothing).unwrap();
    world.close_log(3, true);
    assert!(!world.at(JOURNAL).exists());
}

#[cfg(unix)]
#[test]
fn what_is_not_ours_alone_is_no_journal() {
    for world in [World::new(), World::walking()] {
        let secret = world.temp.path().join("secret");
        std::os::unix::fs::symlink(&secret, world.at(JOURNAL)).unwrap();
        assert_eq!(world.open_log(1, None), Err(FileError::OutsideRoot));
        fs::remove_file(world.at(JOURNAL)).unwrap();
        fs::hard_link(&secret, world.at(JOURNAL)).unwrap();
        assert_eq!(world.open_log(1, None), Err(FileError::Denied));
        fs::remove_file(world.at(JOURNAL)).unwrap();
        fs::create_dir(world.at(JOURNAL)).unwrap();
        assert!(world.open_log(1, None).is_err());
    }
}

#[test]
fn d6_what_lies_about_for_seven_days_is_swept_away() {
    let world = World::new();
    let day = Duration::from_secs(24 * 3_600);
    let plant = |name: &str, days: u32| {
        let file = File::create(world.at(name)).unwrap();
        file.set_modified(SystemTime::now() - day * days).unwrap();
        file
    };
    let locked = plant(".dhow-00000000000000b1.journal", 9);
    locked.try_lock().unwrap();
    plant(".dhow-00000000000000b2.part", 8);
    plant(".dhow-00000000000000b3.journal", 8);
    plant(".dhow-00000000000000b4.part", 6);
    plant(".dhow-notes", 90);
    plant("dhow-00000000000000b5.part", 90);
    world.open_log(1, None).unwrap();
    world.close_log(1, true);
    let mut names: Vec<_> = fs::read_dir(world.at(""))
        .unwrap()
        .map(|it| it.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            ".dhow-00000000000000b1.journal",
            ".dhow-00000000000000b4.part",
            ".dhow-notes",
            "dhow-00000000000000b5.part"
        ]
    );
}
