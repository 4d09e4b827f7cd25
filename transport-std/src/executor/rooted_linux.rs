//! Paths beneath a directory, on Linux: the kernel's `openat2` resolves them, and nothing else ever sees more than one
//! component (F1, F2).
//!
//! Reading follows symbolic links that stay beneath the root; whatever writes takes none. Where `openat2` is missing
//! (Linux before 5.6) or forbidden (some sandboxes), the path is walked component by component and no link is followed.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::OnceLock;

use proto_core::wire::{EntryKind, FilePath};
use proto_core::{FileError, Meta};
use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Mode, OFlags, RenameFlags, ResolveFlags, SeekFrom, Stat,
    XattrFlags,
};
use rustix::io::Errno;

use super::error::file_error;
use super::listing::Found;
use super::meta::{Version, nanos};
use super::quota::{Owned, Owner};

type Result<T> = std::result::Result<T, FileError>;

/// Where the process's open files have names.
const OPEN_FILES: &str = "/proc/self/fd";

/// How often a resolution is tried that the kernel could not finish because of renames at the same time.
const RACES_MAX: u32 = 128;

/// File systems that heed no case: FAT, exFAT, both drivers of NTFS, SMB, HFS+.
const FOLDING: [u32; 8] = [
    0x4d44,
    0x2011_bab0,
    0x5346_544e,
    0x7366_746e,
    0x517b,
    0xff53_4d42,
    0xfe53_4d42,
    0x482b,
];

/// The extended attribute that tells for whom a file is counted.
const OWNER: &std::ffi::CStr = c"user.dhow.owner";

/// The flag of directories in which ext4, F2FS and others heed no case (`FS_CASEFOLD_FL`).
const CASEFOLD: u32 = 0x4000_0000;

/// A directory that is held open; paths are resolved beneath it.
#[derive(Debug)]
pub(super) struct Directory {
    fd: OwnedFd,
    by: By,
}

/// Who resolves paths.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum By {
    Kernel,
    Walk,
}

/// What becomes of symbolic links on the way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Links {
    Follow,
    Refuse,
}

/// The directory that holds a name.
enum Parent<'a> {
    Root(BorrowedFd<'a>),
    Below(OwnedFd),
}

impl AsFd for Parent<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Root(fd) => fd.as_fd(),
            Self::Below(fd) => fd.as_fd(),
        }
    }
}

fn refused(errno: Errno) -> FileError {
    file_error(&errno.into())
}

impl Directory {
    /// Opens the directory that `path` names now.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = rustix::fs::open(path, flags, Mode::empty())?;
        let probe = rustix::fs::openat2(&fd, ".", flags, Mode::empty(), ResolveFlags::BENEATH);
        Ok(Self {
            fd,
            by: if probe.is_ok() { By::Kernel } else { By::Walk },
        })
    }

    /// Device and inode: what tells two directories apart while both are open.
    pub(super) fn identity(&self) -> Option<(u64, u64)> {
        rustix::fs::fstat(&self.fd)
            .ok()
            .map(|stat| (stat.st_dev, stat.st_ino))
    }

    /// As [`open`](Self::open), without `openat2`.
    #[cfg(test)]
    pub(super) fn open_walking(path: &Path) -> io::Result<Self> {
        Ok(Self {
            by: By::Walk,
            ..Self::open(path)?
        })
    }

    /// Opens what the path names.
    fn resolve(&self, path: &FilePath, flags: OFlags, links: Links) -> rustix::io::Result<OwnedFd> {
        let flags = flags | OFlags::CLOEXEC;
        if self.by == By::Walk {
            return self.walk(path, flags);
        }
        let name = if path.is_root() {
            b"."
        } else {
            path.as_bytes()
        };
        let mut rules = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        if links == Links::Refuse {
            rules |= ResolveFlags::NO_SYMLINKS;
        }
        for _ in 0..RACES_MAX {
            match rustix::fs::openat2(&self.fd, name, flags, Mode::empty(), rules) {
                Err(Errno::AGAIN | Errno::INTR) => {}
                other => return other,
            }
        }
        Err(Errno::AGAIN)
    }

    /// The same without `openat2`: one component after the other, no links.
    fn walk(&self, path: &FilePath, flags: OFlags) -> rustix::io::Result<OwnedFd> {
        let Some(last) = path.name() else {
            return rustix::fs::openat(&self.fd, ".", flags, Mode::empty());
        };
        let mut at: Option<OwnedFd> = None;
        let parent = path.parent();
        for name in parent.components() {
            let from = at.as_ref().unwrap_or(&self.fd).as_fd();
            at = Some(step(
                from,
                name,
                OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
            )?);
        }
        step(at.as_ref().unwrap_or(&self.fd).as_fd(), last, flags)
    }

    /// The directory that holds the path's last component, and that component.
    fn parent<'a>(&'a self, path: &'a FilePath) -> Result<(Parent<'a>, &'a [u8])> {
        let name = path.name().ok_or(FileError::IsDirectory)?;
        let parent = path.parent();
        if parent.is_root() {
            return Ok((Parent::Root(self.fd.as_fd()), name));
        }
        let flags = OFlags::PATH | OFlags::DIRECTORY;
        let fd = self
            .resolve(&parent, flags, Links::Refuse)
            .map_err(refused)?;
        Ok((Parent::Below(fd), name))
    }

    /// Opens a regular file for reading.
    pub(super) fn open_file(&self, path: &FilePath) -> Result<(File, Meta)> {
        // Not to wait for a FIFO's writer, nor to make a terminal ours, before it is known what this is (F4).
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
        regular(self.resolve(path, flags, Links::Follow).map_err(refused)?)
    }

    /// Creates a file that was not there, for reading and writing.
    pub(super) fn create_file(&self, path: &FilePath) -> Result<(File, Meta)> {
        let (parent, name) = self.parent(path)?;
        let flags =
            OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        regular(rustix::fs::openat(parent, name, flags, mode).map_err(bad_name)?)
    }

    /// Opens a regular file of this user's, that has no other name, for reading and writing; with `create`, one that is not
    /// there is made. Others could write into what is theirs, or have us write into what is elsewhere.
    pub(super) fn open_own(&self, path: &FilePath, create: bool) -> Result<(File, Meta)> {
        let (parent, name) = self.parent(path)?;
        let mut flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        flags.set(OFlags::CREATE, create);
        let mode = Mode::RUSR | Mode::WUSR;
        let fd = rustix::fs::openat(parent, name, flags, mode).map_err(bad_name)?;
        let stat = rustix::fs::fstat(&fd).map_err(refused)?;
        if stat.st_uid != rustix::process::geteuid().as_raw() || stat.st_nlink > 1 {
            return Err(FileError::Denied);
        }
        regular(fd)
    }

    /// Renames; only a regular file is ever replaced.
    pub(super) fn rename(&self, from: &FilePath, to: &FilePath, replace: bool) -> Result<()> {
        let (from_parent, from) = self.parent(from)?;
        let (to_parent, to) = self.parent(to)?;
        if replace {
            return match statat(to_parent.as_fd(), to) {
                Ok(stat) if kind(&stat) == EntryKind::Directory => Err(FileError::IsDirectory),
                Ok(stat) if kind(&stat) != EntryKind::File => Err(FileError::NotRegular),
                Ok(_) | Err(Errno::NOENT) => {
                    rustix::fs::renameat(from_parent, from, to_parent, to).map_err(bad_name)
                }
                Err(errno) => Err(refused(errno)),
            };
        }
        let flags = RenameFlags::NOREPLACE;
        match rustix::fs::renameat_with(&from_parent, from, &to_parent, to, flags) {
            // File systems that cannot: a second name fails in the same way when the first exists.
            Err(Errno::INVAL | Errno::NOSYS) => {
                rustix::fs::linkat(&from_parent, from, &to_parent, to, AtFlags::empty())
                    .map_err(bad_name)?;
                rustix::fs::unlinkat(&from_parent, from, AtFlags::empty()).map_err(refused)
            }
            other => other.map_err(refused),
        }
    }

    /// Gives a file without a name the name `to`; only a regular file is ever replaced, and for that the file stands under
    /// `from` for a moment, since nothing but a name can replace another.
    pub(super) fn give_name(
        &self,
        file: &File,
        (from, to): (&FilePath, &FilePath),
        replace: bool,
    ) -> Result<()> {
        let (parent, name) = self.parent(to)?;
        match give_name(file, parent.as_fd(), name) {
            Err(FileError::Exists) if replace => {
                let (parent, name) = self.parent(from)?;
                give_name(file, parent.as_fd(), name)?;
                self.rename(from, to, true).inspect_err(|_| {
                    let _ = self.remove(from);
                })
            }
            other => other,
        }
    }

    /// Unlinks a file.
    pub(super) fn remove(&self, path: &FilePath) -> Result<()> {
        let (parent, name) = self.parent(path)?;
        rustix::fs::unlinkat(parent, name, AtFlags::empty()).map_err(refused)
    }

    /// Makes the names in a directory durable.
    pub(super) fn sync_directory(&self, path: &FilePath) -> Result<()> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let fd = self.resolve(path, flags, Links::Refuse).map_err(refused)?;
        rustix::fs::fsync(fd).map_err(refused)
    }

    /// What a path is; links beneath the root are followed.
    pub(super) fn stat(&self, path: &FilePath) -> Result<Meta> {
        let fd = self
            .resolve(path, OFlags::PATH, Links::Follow)
            .map_err(refused)?;
        rustix::fs::fstat(fd)
            .map(|stat| meta(&stat))
            .map_err(refused)
    }

    /// The entries of a directory behind `position`; 0 is the beginning.
    pub(super) fn entries(&self, path: &FilePath, position: u64) -> Result<Entries> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let fd = match self.resolve(path, flags, Links::Follow) {
            // Is it the last component that is no directory, or one before?
            Err(Errno::NOTDIR) if self.stat(path).is_ok() => return Err(FileError::NotDirectory),
            other => other.map_err(refused)?,
        };
        if position != 0 {
            rustix::fs::seek(&fd, SeekFrom::Start(position)).map_err(refused)?;
        }
        Ok(Entries(Dir::new(fd).map_err(refused)?))
    }

    /// What is counted under a name, and for whom.
    pub(super) fn owned(&self, path: &FilePath) -> Option<Owned> {
        let (parent, name) = self.parent(path).ok()?;
        owned(parent.as_fd(), name)
    }

    /// Whether files in it can tell for whom they are counted.
    pub(super) fn check_keeps_owners(&self) -> io::Result<()> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(&self.fd, ".", flags, Mode::empty())?;
        let mut value: Owner = [0; 32];
        match rustix::fs::fgetxattr(&fd, OWNER, &mut value) {
            Err(Errno::NODATA | Errno::RANGE) | Ok(_) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Bytes that may still be written beneath the root, by this user.
    pub(super) fn free_space(&self) -> Result<u64> {
        let stat = rustix::fs::fstatvfs(&self.fd).map_err(refused)?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }
}

/// One directory, held open for many operations on names in it. No name is ever followed.
#[derive(Debug)]
pub(super) struct Names(OwnedFd);

impl Directory {
    /// Holds a directory; with `links`, symbolic links beneath the root are followed on the way to it.
    pub(super) fn hold(&self, path: &FilePath, links: bool) -> Result<Names> {
        let links = if links { Links::Follow } else { Links::Refuse };
        let flags = OFlags::PATH | OFlags::DIRECTORY;
        self.resolve(path, flags, links).map(Names).map_err(refused)
    }

    /// Whether names that differ in case, or in Unicode's form, are one in this directory.
    pub(super) fn folds_names(&self, path: &FilePath) -> bool {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let Ok(fd) = self.resolve(path, flags, Links::Refuse) else {
            return false;
        };
        let kind = rustix::fs::fstatfs(&fd).map_or(0, |stat| stat.f_type as u32);
        let flags = || rustix::fs::ioctl_getflags(&fd).map_or(0, |flags| flags.bits());
        FOLDING.contains(&kind) || flags() & CASEFOLD != 0
    }

    /// Makes a directory, if it is not there; whether it was not. With `sync`, its name is durable.
    pub(super) fn make_directory(&self, path: &FilePath, mode: u16, sync: bool) -> Result<bool> {
        let (parent, name) = self.parent(path)?;
        let mode = Mode::RWXU | Mode::from_raw_mode(u32::from(mode & 0o777));
        let new = match rustix::fs::mkdirat(&parent, name, mode) {
            Ok(()) => true,
            Err(Errno::EXIST) => {
                let found = statat(parent.as_fd(), name).map_err(refused)?;
                if kind(&found) != EntryKind::Directory {
                    return Err(FileError::NotDirectory);
                }
                false
            }
            Err(errno) => return Err(bad_name(errno)),
        };
        if new && sync {
            sync_names(parent.as_fd())?;
        }
        Ok(new)
    }

    /// Lets the owner of a directory read, write and search it. Somebody else's stays as it is, and what is to be made in it may
    /// fail.
    pub(super) fn open_up(&self, path: &FilePath) {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let _ = self.resolve(path, flags, Links::Refuse).and_then(|fd| {
            let mode = rustix::fs::fstat(&fd)?.st_mode & 0o7777;
            match mode & 0o700 {
                0o700 => Ok(()),
                _ => rustix::fs::fchmod(&fd, Mode::from_raw_mode(mode | 0o700)),
            }
        });
    }

    /// Notes for whom a directory is counted.
    pub(super) fn set_directory_owner(&self, path: &FilePath, owner: &Owner) -> Result<()> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        set_owner(
            self.resolve(path, flags, Links::Refuse).map_err(refused)?,
            owner,
        )
    }

    /// Sets a directory's permission bits and time, and makes it durable with its names.
    pub(super) fn set_directory(
        &self,
        path: &FilePath,
        mtime: Option<i64>,
        mode: Option<u16>,
        sync: bool,
    ) -> Result<()> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let fd = self.resolve(path, flags, Links::Refuse).map_err(refused)?;
        let mut set = Ok(());
        if let Some(mode) = mode {
            // Who may remove whose files, and which group new ones have, is nobody's who sends files (F13).
            set = rustix::fs::fstat(&fd).and_then(|stat| {
                let own = stat.st_mode & 0o7000;
                rustix::fs::fchmod(&fd, Mode::from_raw_mode(own | u32::from(mode)))
            });
        }
        if let Some(mtime) = mtime {
            set = set.and(rustix::fs::futimens(&fd, &modified(mtime)));
        }
        // Names are made durable in somebody else's directory, too.
        if sync {
            rustix::fs::fsync(&fd).map_err(refused)?;
        }
        set.map_err(refused)
    }
}

impl Names {
    /// What is counted under a name, and for whom.
    pub(super) fn owned(&self, name: &[u8]) -> Option<Owned> {
        owned(self.0.as_fd(), name)
    }

    /// Device and inode.
    pub(super) fn identity(&self) -> Option<(u64, u64)> {
        let stat = rustix::fs::fstat(&self.0).ok()?;
        Some((stat.st_dev, stat.st_ino))
    }

    /// What a name is.
    pub(super) fn stat(&self, name: &[u8]) -> Result<Meta> {
        statat(self.0.as_fd(), name)
            .map(|stat| meta(&stat))
            .map_err(refused)
    }

    /// Opens a regular file for reading.
    pub(super) fn open_file(&self, name: &[u8]) -> Result<(File, Meta)> {
        let flags =
            OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        regular(rustix::fs::openat(&self.0, name, flags, Mode::empty()).map_err(refused)?)
    }

    /// A symbolic link's target.
    pub(super) fn read_link(&self, name: &[u8]) -> Result<Vec<u8>> {
        rustix::fs::readlinkat(&self.0, name, Vec::new())
            .map(std::ffi::CString::into_bytes)
            .map_err(|errno| {
                if errno == Errno::INVAL {
                    FileError::Changed
                } else {
                    refused(errno)
                }
            })
    }

    /// Creates a file that was not there, for writing.
    pub(super) fn create_file(&self, name: &[u8]) -> Result<File> {
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        rustix::fs::openat(&self.0, name, flags, mode)
            .map(File::from)
            .map_err(bad_name)
    }

    /// Creates a file without a name, for reading and writing, where the system can: of one that is killed, nothing stays.
    pub(super) fn create_unnamed(&self) -> Option<File> {
        static NAMED: OnceLock<bool> = OnceLock::new();
        // The way from an open file to a name.
        if !NAMED.get_or_init(|| Path::new(OPEN_FILES).is_dir()) {
            return None;
        }
        let flags = OFlags::RDWR | OFlags::TMPFILE | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        rustix::fs::openat(&self.0, c".", flags, mode)
            .ok()
            .map(File::from)
    }

    /// Gives a file without a name one that was not there.
    pub(super) fn give_name(&self, file: &File, name: &[u8]) -> Result<()> {
        give_name(file, self.0.as_fd(), name)
    }

    /// Makes a symbolic link that was not there.
    pub(super) fn make_link(&self, target: &[u8], name: &[u8], mtime: Option<i64>) -> Result<()> {
        rustix::fs::symlinkat(target, &self.0, name).map_err(bad_name)?;
        match mtime {
            Some(mtime) => self.set_link_time(name, mtime),
            None => Ok(()),
        }
    }

    /// Sets a symbolic link's own time, if it is another.
    pub(super) fn set_link_time(&self, name: &[u8], mtime: i64) -> Result<()> {
        if self.stat(name)?.mtime == mtime {
            return Ok(());
        }
        rustix::fs::utimensat(&self.0, name, &modified(mtime), AtFlags::SYMLINK_NOFOLLOW)
            .map_err(refused)
    }

    /// Renames; only a regular file or a link is ever replaced.
    pub(super) fn rename(&self, from: &[u8], to: &[u8], replace: bool) -> Result<()> {
        if !replace {
            let flags = RenameFlags::NOREPLACE;
            return match rustix::fs::renameat_with(&self.0, from, &self.0, to, flags) {
                Err(Errno::INVAL | Errno::NOSYS) => {
                    rustix::fs::linkat(&self.0, from, &self.0, to, AtFlags::empty())
                        .map_err(bad_name)?;
                    rustix::fs::unlinkat(&self.0, from, AtFlags::empty()).map_err(refused)
                }
                other => other.map_err(bad_name),
            };
        }
        match statat(self.0.as_fd(), to) {
            Ok(stat) => match kind(&stat) {
                EntryKind::File | EntryKind::Symlink => {}
                EntryKind::Directory => return Err(FileError::IsDirectory),
                EntryKind::Other => return Err(FileError::NotRegular),
            },
            Err(Errno::NOENT) => {}
            Err(errno) => return Err(bad_name(errno)),
        }
        rustix::fs::renameat(&self.0, from, &self.0, to).map_err(bad_name)
    }

    /// Unlinks what is no directory.
    pub(super) fn remove(&self, name: &[u8]) -> Result<()> {
        rustix::fs::unlinkat(&self.0, name, AtFlags::empty()).map_err(refused)
    }

    /// Removes an empty directory.
    pub(super) fn remove_directory(&self, name: &[u8]) -> Result<()> {
        match rustix::fs::unlinkat(&self.0, name, AtFlags::REMOVEDIR) {
            // POSIX lets a system say either.
            Err(Errno::EXIST | Errno::NOTEMPTY) => Err(FileError::NotEmpty),
            // It is no directory any more.
            Err(Errno::NOTDIR) => Err(FileError::Changed),
            other => other.map_err(refused),
        }
    }

    /// Holds a directory in this one.
    pub(super) fn descend(&self, name: &[u8]) -> Result<Self> {
        step(
            self.0.as_fd(),
            name,
            OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
        )
        .map(Self)
        .map_err(refused)
    }

    /// What is in it.
    pub(super) fn entries(&self) -> Result<Entries> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(&self.0, ".", flags, Mode::empty()).map_err(refused)?;
        Dir::new(fd).map(Entries).map_err(refused)
    }

    /// Makes the names durable.
    pub(super) fn sync(&self) -> Result<()> {
        sync_names(self.0.as_fd())
    }
}

fn give_name(file: &File, directory: BorrowedFd<'_>, name: &[u8]) -> Result<()> {
    let open = format!("{OPEN_FILES}/{}", file.as_raw_fd());
    rustix::fs::linkat(CWD, open, directory, name, AtFlags::SYMLINK_FOLLOW).map_err(bad_name)
}

fn sync_names(directory: BorrowedFd<'_>) -> Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let fd = rustix::fs::openat(directory, ".", flags, Mode::empty()).map_err(refused)?;
    rustix::fs::fsync(fd).map_err(refused)
}

/// A modification time, in nanoseconds since 1970, and no other.
fn modified(mtime: i64) -> rustix::fs::Timestamps {
    let time = |seconds, nanoseconds| rustix::fs::Timespec {
        tv_sec: seconds,
        tv_nsec: nanoseconds,
    };
    rustix::fs::Timestamps {
        last_access: time(0, rustix::fs::UTIME_OMIT),
        last_modification: time(
            mtime.div_euclid(1_000_000_000),
            mtime.rem_euclid(1_000_000_000),
        ),
    }
}

/// Sets a file's modification time.
pub(super) fn set_modified(file: &File, mtime: i64) -> io::Result<()> {
    Ok(rustix::fs::futimens(file, &modified(mtime))?)
}

/// Opens one component and never a symbolic link.
fn step(from: BorrowedFd<'_>, name: &[u8], flags: OFlags) -> rustix::io::Result<OwnedFd> {
    let is_link = |stat: Stat| FileType::from_raw_mode(stat.st_mode) == FileType::Symlink;
    match rustix::fs::openat(from, name, flags | OFlags::NOFOLLOW, Mode::empty()) {
        // A link is no directory either; say what it really is.
        Err(Errno::NOTDIR) if statat(from, name).is_ok_and(is_link) => Err(Errno::LOOP),
        // With PATH, a link is opened itself.
        Ok(fd) if flags.contains(OFlags::PATH) && is_link(rustix::fs::fstat(&fd)?) => {
            Err(Errno::LOOP)
        }
        other => other,
    }
}

fn statat(from: BorrowedFd<'_>, name: &[u8]) -> rustix::io::Result<Stat> {
    rustix::fs::statat(from, name, AtFlags::SYMLINK_NOFOLLOW)
}

/// Of a call that makes a name: INVAL means that the file system cannot hold it.
fn bad_name(errno: Errno) -> FileError {
    if errno == Errno::INVAL {
        FileError::BadName
    } else {
        refused(errno)
    }
}

/// The file, if it is a regular one.
fn regular(fd: OwnedFd) -> Result<(File, Meta)> {
    let meta = meta(&rustix::fs::fstat(&fd).map_err(refused)?);
    match meta.kind {
        EntryKind::File => Ok((fd.into(), meta)),
        EntryKind::Directory => Err(FileError::IsDirectory),
        EntryKind::Symlink | EntryKind::Other => Err(FileError::NotRegular),
    }
}

fn kind(stat: &Stat) -> EntryKind {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => EntryKind::File,
        FileType::Directory => EntryKind::Directory,
        FileType::Symlink => EntryKind::Symlink,
        _ => EntryKind::Other,
    }
}

fn meta(stat: &Stat) -> Meta {
    let kind = kind(stat);
    let size = if kind == EntryKind::File {
        stat.st_size as u64
    } else {
        0
    };
    let mtime = nanos(stat.st_mtime, stat.st_mtime_nsec as i64);
    let ctime = nanos(stat.st_ctime, stat.st_ctime_nsec as i64);
    let version = Version {
        size,
        mtime,
        ctime,
        inode: stat.st_ino,
        device: stat.st_dev,
    };
    Meta {
        kind,
        size,
        mtime,
        mode: (stat.st_mode & 0o777) as u16,
        version: version.mix(),
    }
}

/// What is counted under a name, and for whom. What cannot be opened tells nobody.
fn owned(from: BorrowedFd<'_>, name: &[u8]) -> Option<Owned> {
    let looked = kind(&statat(from, name).ok()?);
    if !matches!(looked, EntryKind::File | EntryKind::Directory) {
        return None;
    }
    let flags =
        OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let fd = rustix::fs::openat(from, name, flags, Mode::empty()).ok()?;
    let mut owner: Owner = [0; 32];
    let told = rustix::fs::fgetxattr(&fd, OWNER, &mut owner).ok()?;
    let bytes = meta(&rustix::fs::fstat(&fd).ok()?).size;
    (told == owner.len()).then_some(Owned { owner, bytes })
}

/// For whom an open file is counted.
pub(super) fn owner(file: &File) -> Option<Owner> {
    let mut owner: Owner = [0; 32];
    let told = rustix::fs::fgetxattr(file, OWNER, &mut owner).ok()?;
    (told == owner.len()).then_some(owner)
}

/// Notes for whom an open file or directory is counted.
pub(super) fn set_owner(file: impl AsFd, owner: &Owner) -> Result<()> {
    rustix::fs::fsetxattr(file, OWNER, owner, XattrFlags::empty()).map_err(refused)
}

/// What an open file is.
pub(super) fn file_meta(file: &File) -> Result<Meta> {
    rustix::fs::fstat(file)
        .map(|stat| meta(&stat))
        .map_err(refused)
}

/// Device and inode of an open file.
pub(super) fn identity(file: &File) -> Option<(u64, u64)> {
    let stat = rustix::fs::fstat(file).ok()?;
    Some((stat.st_dev, stat.st_ino))
}

/// What differs each time that the machine has started; zeros when the kernel does not tell.
pub(super) fn boot_id() -> [u8; 16] {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let digits = text.trim().replace('-', "");
    u128::from_str_radix(&digits, 16).map_or([0; 16], u128::to_be_bytes)
}

/// Sets permission bits; nothing above `0o777`.
pub(super) fn set_mode(file: &File, mode: u16) -> io::Result<()> {
    Ok(rustix::fs::fchmod(
        file,
        Mode::from_raw_mode(u32::from(mode & 0o777)),
    )?)
}

/// The process's file creation mask. It is read without being changed where the kernel shows it (Linux 4.7), because
/// it belongs to all threads at once.
pub(super) fn umask() -> u16 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let shown = status.lines().find_map(|line| line.strip_prefix("Umask:"));
    if let Some(mask) = shown.and_then(|text| u16::from_str_radix(text.trim(), 8).ok()) {
        return mask & 0o777;
    }
    let mask = rustix::process::umask(Mode::RWXG | Mode::RWXO);
    rustix::process::umask(mask);
    (mask.as_raw_mode() & 0o777) as u16
}

/// A directory that is being read.
#[derive(Debug)]
pub(super) struct Entries(Dir);

impl Entries {
    /// The next entry, as it is itself: links are not followed.
    pub(super) fn next(&mut self) -> Result<Option<Found>> {
        while let Some(entry) = self.0.read() {
            let entry = entry.map_err(refused)?;
            let name = entry.file_name().to_bytes();
            match statat(self.0.fd().map_err(refused)?, name) {
                Ok(stat) => {
                    let position = entry.offset() as u64;
                    return Ok(Some(Found {
                        name: name.to_vec(),
                        meta: meta(&stat),
                        position,
                    }));
                }
                // It went away since.
                Err(Errno::NOENT) => {}
                Err(errno) => return Err(refused(errno)),
            }
        }
        Ok(None)
    }
}
