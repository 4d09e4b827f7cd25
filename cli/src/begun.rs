//! Directories that a command has begun to make.
//!
//! `put dir host:t` makes `t`. Once that is there, the same command would put `dir` into it, as `cp -r` does; but a job that was
//! killed goes on when the same command runs again. So what was begun is noted before anything is asked for, and the note goes
//! when all is copied: a file of one line in `$XDG_STATE_HOME/dhow/begun`, named by the hash of that line. After 7 days it
//! counts no more, as little as the journals of files do.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use transport_std::{EntryKind, FilePath, Progress as Moved};

use crate::copy::Way;
use crate::escape::{self, Escaped};
use crate::home::{self, Home};

/// How long a note counts.
const LIFETIME: Duration = Duration::from_secs(7 * 24 * 3_600);

/// A directory to be made, of this server, in this way, from here to there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Begun {
    note: PathBuf,
    line: String,
    way: Way,
    local: PathBuf,
    /// It was noted before this command, or there is something of it by now.
    real: bool,
}

impl Begun {
    /// The directory `remote` of a server and the directory `local`, an absolute path.
    pub(crate) fn new(
        home: &Home,
        way: Way,
        server: &str,
        remote: &FilePath,
        local: &Path,
    ) -> Self {
        let (remote, here) = (Escaped(remote.as_bytes()), escape::path(local));
        let line = match way {
            Way::Download => format!("{server} {remote} to {here}\n"),
            Way::Upload => format!("{here} to {server} {remote}\n"),
        };
        let name = blake3::hash(line.as_bytes()).to_hex();
        let note = home.begun().join(name.as_str());
        Self {
            real: is_fresh(&note),
            note,
            line,
            way,
            local: local.to_owned(),
        }
    }

    /// Whether an earlier command has begun it and no command has ended it.
    pub(crate) fn is_unfinished(&self) -> bool {
        self.real
    }

    /// Notes it. That it cannot be written down is no reason to stop: the same command will copy into the directory then.
    pub(crate) fn note(&self) {
        let Some(directory) = self.note.parent() else {
            return;
        };
        for old in fs::read_dir(directory).into_iter().flatten().flatten() {
            if !is_fresh(&old.path()) {
                let _ = fs::remove_file(old.path());
            }
        }
        let _ = home::make_parent(&self.note)
            .ok()
            .and_then(|()| File::create(&self.note).ok())
            .map(|mut file| file.write_all(self.line.as_bytes()));
    }

    /// Heeds how the job goes on: once there is something of the directory, the note survives a power loss, too.
    pub(crate) fn heed(&mut self, step: &Moved) {
        let begins = match (self.way, step) {
            (Way::Download, Moved::Started(file)) => file.kind == EntryKind::Directory,
            (Way::Upload, Moved::Moved { bytes, .. }) => *bytes > 0,
            _ => false,
        };
        if !begins || self.real {
            return;
        }
        self.real = true;
        for path in [Some(self.note.as_path()), self.note.parent()] {
            let opened = path.and_then(|path| File::open(path).ok());
            let _ = opened.map(|file| file.sync_all());
        }
    }

    /// The command ends with this exit code: unless all is copied, the note stays for the next one, if there is anything to
    /// go on with. A note too few costs a copy in a wrong place; one too many, files of a directory that others have made since.
    pub(crate) fn end(self, code: u8) {
        let some = match self.way {
            Way::Download => self.real && self.local.is_dir(),
            Way::Upload => self.real,
        };
        if code == 0 || !some {
            let _ = fs::remove_file(&self.note);
        }
    }
}

fn is_fresh(note: &Path) -> bool {
    let modified = fs::metadata(note).and_then(|meta| meta.modified());
    let age = modified.map(|time| SystemTime::now().duration_since(time).unwrap_or_default());
    age.is_ok_and(|age| age < LIFETIME)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begun(home: &Home, local: &str) -> Begun {
        let remote = FilePath::parse(b"t").unwrap();
        Begun::new(home, Way::Upload, "h:1", &remote, Path::new(local))
    }

    #[test]
    fn a_note_lasts_until_all_is_copied() {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::in_directory(directory.path());
        let mut first = begun(&home, "/a");
        assert!(!first.is_unfinished());
        first.note();
        first.heed(&Moved::Accepted);
        assert!(!first.real);
        // Killed: nothing more is said.
        assert!(begun(&home, "/a").is_unfinished() && !begun(&home, "/b").is_unfinished());
        begun(&home, "/a").end(1);
        assert!(begun(&home, "/a").is_unfinished());
        begun(&home, "/a").end(0);
        assert!(!begun(&home, "/a").is_unfinished());
        // Refused: there is nothing to go on with.
        first = begun(&home, "/a");
        first.note();
        first.end(1);
        assert!(!begun(&home, "/a").is_unfinished());
    }

    #[test]
    fn old_notes_do_not_count_and_go() {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::in_directory(directory.path());
        begun(&home, "/a").note();
        let old = SystemTime::now() - LIFETIME;
        let note = begun(&home, "/a").note;
        File::options()
            .write(true)
            .open(&note)
            .and_then(|file| file.set_modified(old))
            .unwrap();
        assert!(!begun(&home, "/a").is_unfinished());
        begun(&home, "/b").note();
        assert!(!note.exists() && begun(&home, "/b").is_unfinished());
    }
}
