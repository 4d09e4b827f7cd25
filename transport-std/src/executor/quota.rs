//! Quotas: what each user has beneath the roots (F11).
//!
//! A file or directory that a user with an account makes carries the account in an extended attribute. So what is there is
//! counted anew whenever a server starts, whatever has happened to it meanwhile, and nothing has to be written down. A file
//! counts with its size, however much of it is holes; one that is not complete counts with what it was announced to be, and
//! so does the one that it will replace until then. Symbolic links and journals are not counted.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use proto_core::FileError;
use proto_core::wire::{EntryKind, FilePath};

use super::rooted::{Directory, Entries, Names};

type Result<T> = std::result::Result<T, FileError>;

/// Levels below a root that are counted: as deep as a path may be.
const DEPTH_MAX: usize = FilePath::MAX_DEPTH;

/// Who something is counted for. Kept with each file: it must not change between two starts of a server.
pub type Owner = [u8; 32];

/// What a user may have beneath all roots together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Account {
    /// The user, or the users that share the account.
    pub owner: Owner,
    /// Bytes of their files; `u64::MAX` for no limit.
    pub bytes: u64,
    /// Files and directories; `u64::MAX` for no limit.
    pub files: u64,
}

/// What is counted for an owner.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Used {
    pub(super) bytes: u64,
    pub(super) files: u64,
}

/// Something that is counted, as it stands under a name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Owned {
    pub(super) owner: Owner,
    /// Bytes of a file; 0 for a directory.
    pub(super) bytes: u64,
}

/// What all owners have.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    /// Something is counted at all.
    on: AtomicBool,
    used: Mutex<HashMap<Owner, Used>>,
    /// Held from looking who owns a name until it is another's, or nobody's.
    names: Mutex<()>,
    /// Charges of unfinished files that a later transfer may go on with, by device and inode.
    unfinished: Mutex<HashMap<(u64, u64), Weak<Charge>>>,
}

impl Accounts {
    pub(super) fn is_on(&self) -> bool {
        self.on.load(Ordering::Relaxed)
    }

    fn used(&self) -> MutexGuard<'_, HashMap<Owner, Used>> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is counted for an owner.
    pub(super) fn of(&self, owner: &Owner) -> Used {
        self.used().get(owner).copied().unwrap_or_default()
    }

    /// Counts more for an account, if it has room for all of it.
    ///
    /// # Errors
    /// [`FileError::Quota`]: nothing was counted.
    pub(super) fn charge(&self, account: &Account, bytes: u64, files: u64) -> Result<()> {
        let mut all = self.used();
        let used = all.entry(account.owner).or_default();
        let more = Used {
            bytes: used.bytes.saturating_add(bytes),
            files: used.files.saturating_add(files),
        };
        // Who is above the quota already may still do what takes no more of it.
        let over = |more, before, most| more > before && more > most;
        if over(more.bytes, used.bytes, account.bytes)
            || over(more.files, used.files, account.files)
        {
            return Err(FileError::Quota);
        }
        *used = more;
        Ok(())
    }

    /// Counts less for an owner.
    pub(super) fn credit(&self, owner: &Owner, bytes: u64, files: u64) {
        if let Some(used) = self.used().get_mut(owner) {
            used.bytes = used.bytes.saturating_sub(bytes);
            used.files = used.files.saturating_sub(files);
        }
    }

    /// Keeps the charge of an unfinished file in mind. One that another transfer had for it, whose work it goes on with, is settled
    /// with the file's present size: that transfer can change the file no more.
    pub(super) fn go_on(&self, identity: (u64, u64), size: u64, charge: Option<&Arc<Charge>>) {
        let mut all = self
            .unfinished
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, charge| charge.strong_count() > 0);
        if let Some(before) = all.remove(&identity).and_then(|it| it.upgrade()) {
            before.settle(size);
        }
        if let Some(charge) = charge {
            all.insert(identity, Arc::downgrade(charge));
        }
    }

    /// Does something by which what `look` finds under a name is gone.
    ///
    /// # Errors
    /// Those of `what`.
    pub(super) fn displacing<T>(
        &self,
        look: impl FnOnce() -> Option<Owned>,
        what: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        if !self.is_on() {
            return what();
        }
        let _names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let before = look();
        let done = what()?;
        if let Some(before) = before {
            self.credit(&before.owner, before.bytes, 1);
        }
        Ok(done)
    }

    /// Counts what is beneath directories that are all roots, and everything that happens there from now on.
    ///
    /// # Errors
    /// One of them cannot keep who owns what, or cannot be read.
    pub(super) fn begin<'a>(
        &self,
        directories: impl Iterator<Item = &'a Arc<Directory>>,
    ) -> io::Result<()> {
        let directories: Vec<_> = directories.collect();
        let roots: Vec<_> = directories.iter().filter_map(|it| it.identity()).collect();
        for directory in directories {
            directory.check_keeps_owners()?;
            let unreadable = |error: FileError| io::Error::other(error.to_string());
            let top = directory.hold(&FilePath::root(), false);
            self.count(top.map_err(unreadable)?, &roots)
                .map_err(unreadable)?;
        }
        self.on.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Counts what is below a directory, but not below another root, which is counted by itself.
    fn count(&self, top: Names, roots: &[(u64, u64)]) -> Result<()> {
        let mut levels: Vec<(Names, Entries)> = Vec::new();
        let entries = top.entries()?;
        levels.push((top, entries));
        while let Some((names, entries)) = levels.last_mut() {
            let Some(found) = entries.next()? else {
                levels.pop();
                continue;
            };
            if found.name == b"." || found.name == b".." {
                continue;
            }
            if let Some(owned) = names.owned(&found.name) {
                let mut all = self.used();
                let used = all.entry(owned.owner).or_default();
                used.bytes = used.bytes.saturating_add(owned.bytes);
                used.files += 1;
            }
            if found.meta.kind == EntryKind::Directory && levels.len() < DEPTH_MAX {
                let Some((names, _)) = levels.last() else {
                    continue;
                };
                // One that went away meanwhile, or that nobody may read, holds nothing that could be counted.
                let next = names.descend(&found.name);
                let next = next.and_then(|next| Ok((next.entries()?, next)));
                if let Ok((entries, next)) = next
                    && !next.identity().is_some_and(|it| roots.contains(&it))
                {
                    levels.push((next, entries));
                }
            }
        }
        Ok(())
    }
}

/// What an open file is charged with.
#[derive(Debug)]
pub(super) struct Charge {
    accounts: Arc<Accounts>,
    account: Account,
    bytes: Mutex<u64>,
}

impl Charge {
    /// A charge for one file of `bytes`.
    ///
    /// # Errors
    /// [`FileError::Quota`].
    pub(super) fn file(accounts: &Arc<Accounts>, account: Account, bytes: u64) -> Result<Self> {
        accounts.charge(&account, bytes, 1)?;
        Ok(Self::adopt(accounts, account, bytes))
    }

    /// A charge for a file of `bytes` that is counted for the account already.
    pub(super) fn adopt(accounts: &Arc<Accounts>, account: Account, bytes: u64) -> Self {
        Self {
            accounts: Arc::clone(accounts),
            account,
            bytes: Mutex::new(bytes),
        }
    }

    pub(super) fn owner(&self) -> &Owner {
        &self.account.owner
    }

    fn bytes(&self) -> MutexGuard<'_, u64> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The file shall reach up to `end`.
    ///
    /// # Errors
    /// [`FileError::Quota`].
    pub(super) fn grow(&self, end: u64) -> Result<()> {
        let mut bytes = self.bytes();
        if end > *bytes {
            self.accounts.charge(&self.account, end - *bytes, 0)?;
            *bytes = end;
        }
        Ok(())
    }

    /// The file is as large as it stays: what was charged beyond is given back.
    pub(super) fn settle(&self, size: u64) {
        let mut bytes = self.bytes();
        let excess = bytes.saturating_sub(size);
        self.accounts.credit(&self.account.owner, excess, 0);
        *bytes -= excess;
    }

    /// There is no file.
    pub(super) fn undo(&self) {
        let bytes = std::mem::take(&mut *self.bytes());
        self.accounts.credit(&self.account.owner, bytes, 1);
    }
}
