//! Who works on an unfinished file: a lock on its journal against other processes, and a table against other transfers of
//! this one.
//!
//! Every operation on a journal, and on a file that was opened with it, runs under the journal's lease. A later transfer of
//! the same file may take the lease over: it waits for the operations that run, and the others fail from then on.

use std::collections::HashMap;
use std::fs::{File, TryLockError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};

use proto_core::wire::FilePath;
use proto_core::{FileError, RootId};

use super::error::file_error;
use super::io::read_full_at;
use super::rooted::{self, Directory};

type Result<T> = std::result::Result<T, FileError>;

/// How often a journal is opened that was removed in the moment before it was locked.
const RACES_MAX: u32 = 8;

/// The right to work on a journal and on the file that it knows.
#[derive(Debug)]
pub(super) struct Lease {
    /// The journal. Its lock lasts as long as it is open.
    pub(super) log: Arc<File>,
    pub(super) root: RootId,
    pub(super) path: FilePath,
    over: RwLock<bool>,
}

impl Lease {
    fn new(log: Arc<File>, root: RootId, path: &FilePath) -> Arc<Self> {
        Arc::new(Self {
            log,
            root,
            path: path.clone(),
            over: RwLock::new(false),
        })
    }

    /// Does something while nobody can take the lease over.
    ///
    /// # Errors
    /// It was taken over; those of `what`.
    pub(super) fn under<T>(&self, what: impl FnOnce() -> Result<T>) -> Result<T> {
        let over = self.over.read().unwrap_or_else(PoisonError::into_inner);
        if *over {
            return Err(FileError::TakenOver);
        }
        what()
    }

    fn end(&self) {
        *self.over.write().unwrap_or_else(PoisonError::into_inner) = true;
    }
}

/// All leases of a process, by the device and inode of the journal.
#[derive(Debug, Default)]
pub(super) struct Leases(Mutex<HashMap<(u64, u64), Weak<Lease>>>);

impl Leases {
    fn table(&self) -> MutexGuard<'_, HashMap<(u64, u64), Weak<Lease>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens and locks a journal, or takes it over from another transfer when it begins with `take`.
    ///
    /// # Errors
    /// [`FileError::InUse`]; it cannot be opened, or is not ours.
    pub(super) fn open(
        &self,
        directory: &Directory,
        root: RootId,
        path: &FilePath,
        take: Option<[u8; 32]>,
    ) -> Result<Arc<Lease>> {
        for _ in 0..RACES_MAX {
            let (log, _) = directory.open_own(path, true)?;
            let identity = rooted::identity(&log).unwrap_or_default();
            match log.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return self.take(identity, root, path, take),
                Err(TryLockError::Error(error)) => return Err(file_error(&error)),
            }
            // Who had the lock may have removed the file: the name is another one's then, or nobody's.
            let named = directory.open_own(path, false).ok();
            if named
                .and_then(|(file, _)| rooted::identity(&file))
                .unwrap_or_default()
                != identity
            {
                continue;
            }
            let lease = Lease::new(Arc::new(log), root, path);
            let mut table = self.table();
            table.retain(|_, lease| lease.strong_count() > 0);
            table.insert(identity, Arc::downgrade(&lease));
            return Ok(lease);
        }
        Err(FileError::InUse)
    }

    fn take(
        &self,
        identity: (u64, u64),
        root: RootId,
        path: &FilePath,
        take: Option<[u8; 32]>,
    ) -> Result<Arc<Lease>> {
        let held = self.table().get(&identity).and_then(Weak::upgrade);
        let (Some(held), Some(expected)) = (held, take) else {
            return Err(FileError::InUse);
        };
        let mut begin = [0; 32];
        let read = read_full_at(&held.log, &mut begin, 0).map_err(|error| file_error(&error))?;
        if read < begin.len() || begin != expected {
            return Err(FileError::InUse);
        }
        let mut table = self.table();
        let still = table.get(&identity).and_then(Weak::upgrade);
        if !still.is_some_and(|still| Arc::ptr_eq(&still, &held)) {
            return Err(FileError::InUse);
        }
        // The lock goes with the open file, which both share.
        let lease = Lease::new(held.log.clone(), root, path);
        table.insert(identity, Arc::downgrade(&lease));
        drop(table);
        held.end();
        Ok(lease)
    }
}
