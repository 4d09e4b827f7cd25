//! The directories that operations may reach.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use proto_core::wire::FilePath;
use proto_core::{FileError, RootId};

use super::lease::Leases;
use super::quota::{Account, Accounts, Charge, Owner};
use super::rooted::Directory;
use super::sweep::Sweeps;

/// The directories that operations may reach, by number. Clones are the same table; roots may come and go while
/// executors run.
#[derive(Clone, Debug, Default)]
pub struct Roots(Arc<RwLock<Table>>, Arc<Leases>, Arc<Sweeps>, Arc<Accounts>);

#[derive(Debug, Default)]
struct Table {
    roots: HashMap<RootId, Root>,
    /// Device and inode of the directories: while they are held open, no others get these numbers.
    known: HashMap<(u64, u64), RootId>,
    /// Roots of users for whom what they make is counted.
    accounts: HashMap<RootId, Account>,
    last: u32,
}

/// Where a path can begin.
#[derive(Clone, Debug)]
pub(super) enum Root {
    /// A directory of the file system, held open.
    Directory(Arc<Directory>),
    /// A directory that exists here only: the names of shares.
    Shares(Arc<BTreeMap<Vec<u8>, RootId>>),
}

impl Table {
    fn add(&mut self, root: Root) -> RootId {
        loop {
            self.last = self.last.wrapping_add(1);
            let id = RootId(self.last);
            if let std::collections::hash_map::Entry::Vacant(free) = self.roots.entry(id) {
                free.insert(root);
                return id;
            }
        }
    }
}

impl Roots {
    /// A table without roots.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens the directory `path` as a root. It stays that directory, whatever later happens to its name. A directory
    /// that is a root already keeps its number.
    ///
    /// # Errors
    /// It cannot be opened, or is no directory.
    pub fn add_dir(&self, path: &Path) -> io::Result<RootId> {
        let directory = Directory::open(path)?;
        let identity = directory.identity();
        let mut table = self.write();
        let known = identity.and_then(|identity| table.known.get(&identity).copied());
        if let Some(root) = known {
            return Ok(root);
        }
        let root = table.add(Root::Directory(Arc::new(directory)));
        if let Some(identity) = identity {
            table.known.insert(identity, root);
        }
        Ok(root)
    }

    /// A root that exists here only: it can be listed and looked at, and shows each name as a directory. Everything
    /// else beneath it is refused.
    pub fn add_shares(&self, shares: impl IntoIterator<Item = (Vec<u8>, RootId)>) -> RootId {
        self.add(Root::Shares(Arc::new(shares.into_iter().collect())))
    }

    /// Counts what is beneath all directories that are roots by now for whom it is counted, which takes as long as looking
    /// at every name in them, and from now on all that is made, grows and goes there.
    ///
    /// # Errors
    /// A directory cannot be read, or its file system has no extended attributes (`user.*`) to keep owners in.
    pub fn count_owners(&self) -> io::Result<()> {
        let directories: Vec<_> = self
            .read()
            .roots
            .values()
            .filter_map(|root| match root {
                Root::Directory(directory) => Some(Arc::clone(directory)),
                Root::Shares(_) => None,
            })
            .collect();
        self.3.begin(directories.iter())
    }

    /// A number of its own for the directory `root`: what is made beneath it by this number is counted for the account. Only
    /// after [`count_owners`](Self::count_owners).
    ///
    /// # Errors
    /// There is no such root, or it is no directory of a file system.
    pub fn add_for(&self, root: RootId, account: Account) -> Result<RootId, FileError> {
        let directory = self.directory(root)?;
        let mut table = self.write();
        let own = table.add(Root::Directory(directory));
        table.accounts.insert(own, account);
        Ok(own)
    }

    /// What the user of a root that was [added for them](Self::add_for) may have from now on. What is under way was judged by what
    /// held when it began.
    pub fn set_account(&self, root: RootId, account: Account) {
        if self
            .read()
            .accounts
            .get(&root)
            .is_some_and(|it| *it != account)
        {
            self.write().accounts.insert(root, account);
        }
    }

    /// Bytes, and files and directories, that are counted for an owner now.
    #[must_use]
    pub fn counted(&self, owner: &Owner) -> (u64, u64) {
        let used = self.3.of(owner);
        (used.bytes, used.files)
    }

    /// What is counted for whom.
    pub(super) fn accounts(&self) -> &Accounts {
        &self.3
    }

    /// Charges the user of a root with a file of `size`; `None` when nothing is counted for the root.
    ///
    /// # Errors
    /// [`FileError::Quota`].
    pub(super) fn charge(&self, root: RootId, size: u64) -> Result<Option<Charge>, FileError> {
        let account = self.read().accounts.get(&root).copied();
        account
            .map(|account| Charge::file(&self.3, account, size))
            .transpose()
    }

    /// The charge of a file that is counted for the user of a root already.
    pub(super) fn adopt(&self, root: RootId, owner: Option<&Owner>, size: u64) -> Option<Charge> {
        let account = self.read().accounts.get(&root).copied()?;
        (owner == Some(&account.owner)).then(|| Charge::adopt(&self.3, account, size))
    }

    /// Forgets a root. Operations that are on their way are not disturbed.
    pub fn remove(&self, root: RootId) {
        let mut table = self.write();
        table.roots.remove(&root);
        table.accounts.remove(&root);
        // Its numbers are free for other directories once it is closed.
        table.known.retain(|_, known| *known != root);
    }

    pub(super) fn add(&self, root: Root) -> RootId {
        self.write().add(root)
    }

    /// Removes what unfinished transfers left in a directory at least 7 days ago, if it was not swept within the last hour.
    pub(crate) fn sweep(&self, root: RootId, path: &FilePath) {
        if let Ok(directory) = self.directory(root) {
            self.2.sweep(&directory, root, path, &self.3);
        }
    }

    /// The leases of all executors with this table.
    pub(super) fn leases(&self) -> &Leases {
        &self.1
    }

    fn read(&self) -> RwLockReadGuard<'_, Table> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Table> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn get(&self, root: RootId) -> Result<Root, FileError> {
        self.read()
            .roots
            .get(&root)
            .cloned()
            .ok_or(FileError::NotFound)
    }

    /// The root, which must be a real directory.
    pub(super) fn directory(&self, root: RootId) -> Result<Arc<Directory>, FileError> {
        match self.get(root)? {
            Root::Directory(directory) => Ok(directory),
            Root::Shares(_) => Err(FileError::Denied),
        }
    }
}
