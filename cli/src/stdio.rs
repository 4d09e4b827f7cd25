//! `-`: one file from stdin, or to stdout. It rests on the disk in between, so that memory stays bounded however slow the
//! other end of the pipe is. Of stdin, a transfer needs to know the size before it begins. To stdout goes what agrees with the
//! source's hashes, in order, piece by piece; a file that is too small to be gone on with later goes when all of it is here.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use crate::escape;
use crate::exit::{Error, Exit};
use crate::interrupt;

/// Pieces of stdin, and how many wait to be written.
const PIECE: usize = 1 << 18;
const WAITING_MAX: usize = 4;

/// A private directory for one file; both go when it is dropped.
#[derive(Debug)]
pub(crate) struct Spool {
    _directory: tempfile::TempDir,
    /// Where the file is, or shall be.
    pub(crate) path: PathBuf,
}

impl Spool {
    /// An empty one, in the system's directory for temporary files.
    ///
    /// # Errors
    /// It cannot be made.
    pub(crate) fn new(name: &str) -> Result<Self, Error> {
        let directory = tempfile::Builder::new().prefix("dhow-").tempdir();
        let directory =
            directory.map_err(|error| Error::io("making a temporary directory", &error))?;
        let path = directory.path().join(name);
        Ok(Self {
            _directory: directory,
            path,
        })
    }

    /// Fills it from stdin, to its end or to Ctrl-C.
    ///
    /// # Errors
    /// stdin cannot be read, the file not be written; Ctrl-C.
    pub(crate) fn fill(&self) -> Result<u64, Error> {
        let _job = interrupt::Job::begin();
        let mut file = File::create(&self.path).map_err(|error| self.failed(&error))?;
        // A read cannot be interrupted: a thread of its own makes it, which ends with the process at the latest.
        let (send, receive) = mpsc::sync_channel(WAITING_MAX);
        std::thread::spawn(move || {
            let mut stdin = io::stdin().lock();
            loop {
                let mut piece = vec![0; PIECE];
                let read = stdin.read(&mut piece).map(|length| {
                    piece.truncate(length);
                    piece
                });
                let is_last = !matches!(&read, Ok(piece) if !piece.is_empty());
                if send.send(read).is_err() || is_last {
                    return;
                }
            }
        });
        let mut size = 0;
        loop {
            match receive.recv_timeout(Duration::from_millis(50)) {
                _ if interrupt::is_pressed() => {
                    return Err(Error::new(
                        Exit::Interrupted,
                        "interrupted",
                        "interrupted while reading stdin",
                    ));
                }
                Ok(Ok(piece)) if piece.is_empty() => return Ok(size),
                Ok(Ok(piece)) => {
                    file.write_all(&piece)
                        .map_err(|error| self.failed(&error))?;
                    size += piece.len() as u64;
                }
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(Err(error)) => return Err(Error::io("reading stdin", &error)),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(size),
            }
        }
    }

    fn failed(&self, error: &io::Error) -> Error {
        Error::io(escape::path(&self.path), error)
    }
}

/// stdout, as a download reaches it.
#[derive(Debug)]
pub(crate) struct Pipe {
    spool: Spool,
    /// The temporary name of the file that bytes were taken from: each download that begins anew has another.
    from: Option<OsString>,
    /// What was written, and its hash so far.
    poured: u64,
    hash: blake3::Hasher,
    /// It goes into another file now: the source has changed.
    astray: bool,
    /// stdout could not be written.
    failed: Option<io::Error>,
}

impl Pipe {
    /// One that takes what is downloaded to the spool's path.
    pub(crate) fn new(spool: Spool) -> Self {
        Self {
            spool,
            from: None,
            poured: 0,
            hash: blake3::Hasher::new(),
            astray: false,
            failed: None,
        }
    }

    /// Whether nobody reads any more, or stdout cannot be written.
    pub(crate) fn is_closed(&self) -> bool {
        self.failed.is_some()
    }

    /// Writes what is there of the file that is under way, of which the first `whole` bytes are what they shall be. Waits as
    /// long as the reader does.
    pub(crate) fn pour(&mut self, whole: u64) {
        if whole <= self.poured || self.is_closed() || self.astray {
            return;
        }
        // A file that cannot be found or read now is poured at the end.
        let Some((mut file, name)) = self.unfinished() else {
            return;
        };
        if self.from.get_or_insert_with(|| name.clone()) != &name {
            self.astray = true;
            return;
        }
        if file.seek(SeekFrom::Start(self.poured)).is_ok() {
            let rest = file.take(whole - self.poured);
            self.write(rest);
        }
    }

    /// Writes what is left of the file that is all there.
    ///
    /// # Errors
    /// The file cannot be read, stdout not be written (a reader that has enough is no error), or what was written before is of
    /// another version of the source.
    pub(crate) fn finish(mut self) -> Result<(), Error> {
        if !self.is_closed() {
            let unreadable = |error: &io::Error| Error::io(escape::path(&self.spool.path), error);
            let mut file = File::open(&self.spool.path).map_err(|error| unreadable(&error))?;
            let mut begin = blake3::Hasher::new();
            io::copy(&mut (&mut file).take(self.poured), &mut begin)
                .map_err(|error| unreadable(&error))?;
            if begin.finalize() != self.hash.finalize() {
                let text = "the file changed while it was sent: what went to stdout is in part of the one, in part of the other";
                return Err(Error::new(Exit::Other, "source-changed", text)
                    .hint("throw the output away, and try again when the file is at rest"));
            }
            file.seek(SeekFrom::Start(self.poured))
                .map_err(|error| unreadable(&error))?;
            self.write(file);
        }
        let written = self.failed.map_or(Ok(()), Err);
        Error::of_stdout(written.and_then(|()| io::stdout().flush()))
    }

    fn write(&mut self, mut from: impl Read) {
        let mut out = io::stdout().lock();
        let mut piece = vec![0; PIECE];
        loop {
            let length = match from.read(&mut piece) {
                Ok(0) => break,
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    self.failed = Some(error);
                    return;
                }
            };
            if let Err(error) = out.write_all(&piece[..length]) {
                self.failed = Some(error);
                return;
            }
            self.hash.update(&piece[..length]);
            self.poured += length as u64;
        }
        self.failed = out.flush().err();
    }

    /// The temporary file of the download, if it has a name.
    fn unfinished(&self) -> Option<(File, OsString)> {
        let entries = fs::read_dir(self.spool.path.parent()?).ok()?;
        let names = entries.filter_map(|entry| Some(entry.ok()?.file_name()));
        let name = names.into_iter().find(|name| {
            let bytes = name.as_encoded_bytes();
            bytes.starts_with(b".dhow-") && bytes.ends_with(b".part")
        })?;
        let file = File::open(self.spool.path.with_file_name(&name)).ok()?;
        Some((file, name))
    }
}

/// Whether an operand means stdin or stdout.
pub(crate) fn is_dash(operand: &Path) -> bool {
    operand.as_os_str() == "-"
}
