//! `-`: one file from stdin, or to stdout. It rests on the disk in between: a transfer needs to know the size before it
//! begins, and nothing is told to a pipe before the hash of the whole is right.

use std::fs::{self, File};
use std::io::{self, Read, Write};
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

    /// Writes it to stdout. A reader that has enough is no error.
    ///
    /// # Errors
    /// The file cannot be read, stdout not be written.
    pub(crate) fn pour(self) -> Result<(), Error> {
        let mut file = File::open(&self.path).map_err(|error| self.failed(&error))?;
        // Where an open file may be removed, nothing is left behind however this ends.
        let _ = fs::remove_file(&self.path);
        let mut out = io::stdout().lock();
        Error::of_stdout(io::copy(&mut file, &mut out).and_then(|_| out.flush()))
    }

    fn failed(&self, error: &io::Error) -> Error {
        Error::io(escape::path(&self.path), error)
    }
}

/// Whether an operand means stdin or stdout.
pub(crate) fn is_dash(operand: &Path) -> bool {
    operand.as_os_str() == "-"
}
