//! Paths beneath a directory, on systems without `openat2`: cap-std resolves them and never leaves the directory.
//!
//! As on Linux, reading follows symbolic links that stay beneath the root and whatever writes takes none. Here the
//! second is checked just before use: who swaps a directory for a link in that moment gets a write to another place
//! beneath the same root, never one outside.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, DirBuilder, Metadata, OpenOptions, ReadDir};
use proto_core::wire::{EntryKind, FilePath};
use proto_core::{FileError, Meta};

use super::error::file_error;
use super::listing::Found;
use super::meta::{Version, nanos};
use super::quota::{Owned, Owner};

type Result<T> = std::result::Result<T, FileError>;

/// A directory that is held open; paths are resolved beneath it.
#[derive(Debug)]
pub(super) struct Directory(Dir);

/// cap-std's own refusals come as permission errors that no system call made.
fn refused(error: io::Error) -> FileError {
    if error.kind() == io::ErrorKind::PermissionDenied && error.raw_os_error().is_none() {
        FileError::OutsideRoot
    } else {
        file_error(&error)
    }
}

impl Directory {
    /// Opens the directory that `path` names now.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Dir::open_ambient_dir(path, ambient_authority()).map(Self)
    }

    /// As [`open`](Self::open): there is one way of resolving paths only.
    #[cfg(test)]
    pub(super) fn open_walking(path: &Path) -> io::Result<Self> {
        Self::open(path)
    }

    /// Device and inode: what tells two directories apart while both are open.
    pub(super) fn identity(&self) -> Option<(u64, u64)> {
        #[cfg(unix)]
        {
            use cap_std::fs::MetadataExt;
            self.0
                .dir_metadata()
                .ok()
                .map(|meta| (meta.dev(), meta.ino()))
        }
        #[cfg(not(unix))]
        None
    }

    /// The directory that holds the path's last component, and that component.
    fn parent(&self, path: &FilePath) -> Result<(Dir, PathBuf)> {
        let name = local(path.name().ok_or(FileError::IsDirectory)?)?;
        Ok((self.without_links(&path.parent())?, name))
    }

    /// Opens a directory with no symbolic link on the way.
    fn without_links(&self, path: &FilePath) -> Result<Dir> {
        let mut at = self.0.try_clone().map_err(refused)?;
        for name in path.components() {
            let name = local(name)?;
            if at.symlink_metadata(&name).map_err(refused)?.is_symlink() {
                return Err(FileError::OutsideRoot);
            }
            at = at.open_dir(&name).map_err(refused)?;
        }
        Ok(at)
    }

    /// Opens a regular file for reading.
    pub(super) fn open_file(&self, path: &FilePath) -> Result<(File, Meta)> {
        let path = local(path.as_bytes())?;
        // Before it is opened, because opening is an effect on devices already, and after, because names move (F4).
        let found = self.0.metadata(if path.as_os_str().is_empty() {
            Path::new(".")
        } else {
            &path
        });
        must_be_file(&found.map_err(refused)?)?;
        let mut options = OpenOptions::new();
        options.read(true);
        #[cfg(unix)]
        {
            use cap_std::fs::OpenOptionsExt;
            use rustix::fs::OFlags;
            options.custom_flags((OFlags::NONBLOCK | OFlags::NOCTTY).bits() as i32);
        }
        let file = self.0.open_with(&path, &options).map_err(refused)?;
        let meta = must_be_file(&file.metadata().map_err(refused)?)?;
        Ok((file.into_std(), meta))
    }

    /// Creates a file that was not there, for reading and writing.
    pub(super) fn create_file(&self, path: &FilePath) -> Result<(File, Meta)> {
        let (parent, name) = self.parent(path)?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        #[cfg(unix)]
        cap_std::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = parent.open_with(&name, &options).map_err(refused)?;
        let meta = must_be_file(&file.metadata().map_err(refused)?)?;
        Ok((file.into_std(), meta))
    }

    /// Opens a regular file for reading and writing, of this user's where there are users; with `create`, one that is not
    /// there is made. Others could write into what is theirs, or have us write into what is elsewhere.
    pub(super) fn open_own(&self, path: &FilePath, create: bool) -> Result<(File, Meta)> {
        let (parent, name) = self.parent(path)?;
        if parent
            .symlink_metadata(&name)
            .is_ok_and(|found| found.is_symlink())
        {
            return Err(FileError::OutsideRoot);
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(create);
        #[cfg(unix)]
        {
            use cap_std::fs::OpenOptionsExt;
            use rustix::fs::OFlags;
            options.mode(0o600);
            options.custom_flags((OFlags::NONBLOCK | OFlags::NOFOLLOW).bits() as i32);
        }
        let file = parent.open_with(&name, &options).map_err(refused)?;
        let found = file.metadata().map_err(refused)?;
        #[cfg(unix)]
        {
            use cap_std::fs::MetadataExt;
            if found.uid() != rustix::process::geteuid().as_raw() || found.nlink() > 1 {
                return Err(FileError::Denied);
            }
        }
        let meta = must_be_file(&found)?;
        Ok((file.into_std(), meta))
    }

    /// Renames; only a regular file is ever replaced.
    pub(super) fn rename(&self, from: &FilePath, to: &FilePath, replace: bool) -> Result<()> {
        let (from_parent, from) = self.parent(from)?;
        let (to_parent, to) = self.parent(to)?;
        let moved = from_parent.symlink_metadata(&from).map_err(refused)?;
        if moved.is_dir() {
            // It has no second name, and replaces an empty directory at most; that is looked for before.
            return match to_parent.symlink_metadata(&to) {
                Ok(_) if !replace => Err(FileError::Exists),
                Ok(found) if found.is_dir() => Err(FileError::IsDirectory),
                Ok(_) => Err(FileError::NotDirectory),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    from_parent.rename(&from, &to_parent, &to).map_err(refused)
                }
                Err(error) => Err(refused(error)),
            };
        }
        if !replace {
            // A second name fails when the first exists, and a rename would not.
            from_parent
                .hard_link(&from, &to_parent, &to)
                .map_err(refused)?;
            return from_parent.remove_file(&from).map_err(refused);
        }
        match to_parent.symlink_metadata(&to) {
            Ok(found) => {
                must_be_file(&found)?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(refused(error)),
        }
        from_parent.rename(&from, &to_parent, &to).map_err(refused)
    }

    /// Gives a file without a name one: there is none.
    #[expect(clippy::unused_self, reason = "Linux needs the directory")]
    pub(super) fn give_name(
        &self,
        _file: &File,
        _names: (&FilePath, &FilePath),
        _replace: bool,
    ) -> Result<()> {
        Err(FileError::Io)
    }

    /// Unlinks a file.
    pub(super) fn remove(&self, path: &FilePath) -> Result<()> {
        let (parent, name) = self.parent(path)?;
        if parent.symlink_metadata(&name).map_err(refused)?.is_dir() {
            return Err(FileError::IsDirectory);
        }
        parent.remove_file(&name).map_err(refused)
    }

    /// Makes the names in a directory durable.
    pub(super) fn sync_directory(&self, path: &FilePath) -> Result<()> {
        let directory = self.without_links(path)?;
        // Windows writes its names through a journal and has no call to flush a directory.
        if cfg!(windows) {
            return Ok(());
        }
        directory
            .open(".")
            .and_then(|directory| directory.sync_all())
            .map_err(refused)
    }

    /// What a path is; links beneath the root are followed.
    pub(super) fn stat(&self, path: &FilePath) -> Result<Meta> {
        if path.is_root() {
            return self
                .0
                .dir_metadata()
                .map(|found| meta(&found))
                .map_err(refused);
        }
        self.0
            .metadata(local(path.as_bytes())?)
            .map(|found| meta(&found))
            .map_err(refused)
    }

    /// The entries of a directory behind `position`, which counts entries; 0 is the beginning.
    pub(super) fn entries(&self, path: &FilePath, position: u64) -> Result<Entries> {
        let stream = if path.is_root() {
            self.0.entries()
        } else {
            self.0.read_dir(local(path.as_bytes())?)
        };
        let stream = match stream {
            Err(error)
                if error.kind() == io::ErrorKind::NotADirectory && self.stat(path).is_ok() =>
            {
                return Err(FileError::NotDirectory);
            }
            other => other.map_err(refused)?,
        };
        let mut entries = Entries {
            stream,
            position: 0,
        };
        while entries.position < position && entries.stream.next().is_some() {
            entries.position += 1;
        }
        Ok(entries)
    }

    /// Bytes that may still be written beneath the root, by this user; on Windows nobody knows before writing.
    #[cfg_attr(
        windows,
        expect(clippy::unnecessary_wraps, reason = "elsewhere it can fail")
    )]
    pub(super) fn free_space(&self) -> Result<u64> {
        #[cfg(unix)]
        {
            let stat = rustix::fs::fstatvfs(&self.0).map_err(|errno| refused(errno.into()))?;
            Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
        }
        #[cfg(not(unix))]
        Ok(u64::MAX)
    }
}

/// One directory, held open for many operations on names in it. No name is ever followed.
#[derive(Debug)]
pub(super) struct Names(Dir);

impl Directory {
    /// Holds a directory; with `links`, symbolic links beneath the root are followed on the way to it.
    pub(super) fn hold(&self, path: &FilePath, links: bool) -> Result<Names> {
        if links && !path.is_root() {
            return self
                .0
                .open_dir(local(path.as_bytes())?)
                .map(Names)
                .map_err(refused);
        }
        self.without_links(path).map(Names)
    }

    /// Whether names that differ in case, or in Unicode's form, are one in this directory: on these systems they are as a rule, and
    /// no call common to them tells.
    #[expect(
        clippy::unused_self,
        reason = "as on Linux, where it depends on the directory"
    )]
    pub(super) fn folds_names(&self, _path: &FilePath) -> bool {
        cfg!(any(windows, target_vendor = "apple"))
    }

    /// Makes a directory, if it is not there; whether it was not. With `sync`, its name is durable.
    pub(super) fn make_directory(&self, path: &FilePath, mode: u16, sync: bool) -> Result<bool> {
        let (parent, name) = self.parent(path)?;
        match parent.create_dir_with(&name, &with_mode(mode)) {
            Ok(()) if sync => self.sync_directory(&path.parent()).map(|()| true),
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let found = parent.symlink_metadata(&name).map_err(refused)?;
                if found.is_dir() {
                    Ok(false)
                } else {
                    Err(FileError::NotDirectory)
                }
            }
            Err(error) => Err(refused(error)),
        }
    }

    /// Nothing is counted here: no portable way is known to keep for whom.
    #[expect(clippy::unused_self, reason = "Linux needs the directory")]
    pub(super) fn owned(&self, _path: &FilePath) -> Option<Owned> {
        None
    }

    /// Whether files in it can tell for whom they are counted: not here.
    #[expect(clippy::unused_self, reason = "Linux needs the directory")]
    pub(super) fn check_keeps_owners(&self) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Lets the owner of a directory read, write and search it. Somebody else's stays as it is, and what is to be made in it may
    /// fail.
    pub(super) fn open_up(&self, path: &FilePath) {
        #[cfg(unix)]
        if let Ok(directory) = self.without_links(path)
            && let Ok(file) = directory.open(".").map(cap_std::fs::File::into_std)
            && let Ok(meta) = file.metadata()
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = meta.permissions().mode() & 0o7777;
            if mode & 0o700 != 0o700 {
                let _ = file.set_permissions(std::fs::Permissions::from_mode(mode | 0o700));
            }
        }
        #[cfg(not(unix))]
        let _ = path;
    }

    /// Notes for whom a directory is counted: not here.
    #[expect(clippy::unused_self, reason = "Linux needs the directory")]
    pub(super) fn set_directory_owner(&self, _path: &FilePath, _owner: &Owner) -> Result<()> {
        Err(FileError::Io)
    }

    /// Sets a directory's permission bits and time, and makes it durable with its names. Windows keeps its own of both.
    pub(super) fn set_directory(
        &self,
        path: &FilePath,
        mtime: Option<i64>,
        mode: Option<u16>,
        sync: bool,
    ) -> Result<()> {
        let directory = self.without_links(path)?;
        #[cfg(unix)]
        {
            let file = directory.open(".").map_err(refused)?.into_std();
            if let Some(mode) = mode {
                use std::os::unix::fs::PermissionsExt;
                // Who may remove whose files, and which group new ones have, is nobody's who sends files (F13).
                let own = file.metadata().map_err(refused)?.permissions().mode() & 0o7000;
                let mode = std::fs::Permissions::from_mode(own | u32::from(mode));
                file.set_permissions(mode).map_err(refused)?;
            }
            if let Some(mtime) = mtime {
                set_modified(&file, mtime).map_err(refused)?;
            }
        }
        #[cfg(not(unix))]
        let _ = (directory, mtime, mode);
        if sync {
            self.sync_directory(path)
        } else {
            Ok(())
        }
    }
}

impl Names {
    /// Nothing is counted here.
    #[expect(clippy::unused_self, reason = "Linux needs the directory")]
    pub(super) fn owned(&self, _name: &[u8]) -> Option<Owned> {
        None
    }

    /// What would tell two directories apart: nothing asks here.
    #[expect(clippy::unused_self, reason = "Linux needs the directory")]
    pub(super) fn identity(&self) -> Option<(u64, u64)> {
        None
    }

    /// What a name is.
    pub(super) fn stat(&self, name: &[u8]) -> Result<Meta> {
        self.0
            .symlink_metadata(local(name)?)
            .map(|found| meta(&found))
            .map_err(refused)
    }

    /// Opens a regular file for reading.
    pub(super) fn open_file(&self, name: &[u8]) -> Result<(File, Meta)> {
        let name = local(name)?;
        must_be_file(&self.0.symlink_metadata(&name).map_err(refused)?)?;
        let file = self.0.open(&name).map_err(refused)?;
        let meta = must_be_file(&file.metadata().map_err(refused)?)?;
        Ok((file.into_std(), meta))
    }

    /// A symbolic link's target.
    pub(super) fn read_link(&self, name: &[u8]) -> Result<Vec<u8>> {
        let target = self.0.read_link_contents(local(name)?).map_err(refused)?;
        bytes(target.as_os_str())
            .map(<[u8]>::to_vec)
            .ok_or(FileError::BadName)
    }

    /// Creates a file that was not there, for writing.
    pub(super) fn create_file(&self, name: &[u8]) -> Result<File> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        cap_std::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = self.0.open_with(local(name)?, &options).map_err(refused)?;
        Ok(file.into_std())
    }

    /// Creates a file without a name, for writing: no system but Linux is asked for it.
    #[expect(clippy::unused_self, reason = "Linux needs the directory")]
    pub(super) fn create_unnamed(&self) -> Option<File> {
        None
    }

    /// Gives a file without a name one: there is none.
    #[expect(clippy::unused_self, reason = "Linux needs the directory")]
    pub(super) fn give_name(&self, _file: &File, _name: &[u8]) -> Result<()> {
        Err(FileError::Io)
    }

    /// Sets a symbolic link's own time: it keeps none here.
    #[expect(
        clippy::unused_self,
        clippy::unnecessary_wraps,
        reason = "Linux needs the directory"
    )]
    pub(super) fn set_link_time(&self, _name: &[u8], _mtime: i64) -> Result<()> {
        Ok(())
    }

    /// Makes a symbolic link that was not there; it keeps no time here.
    pub(super) fn make_link(&self, target: &[u8], name: &[u8], _mtime: Option<i64>) -> Result<()> {
        #[cfg(unix)]
        return self
            .0
            .symlink_contents(local(target)?, local(name)?)
            .map_err(refused);
        #[cfg(not(unix))]
        {
            let _ = (target, name);
            Err(FileError::NotRegular)
        }
    }

    /// Renames; only a regular file or a link is ever replaced.
    pub(super) fn rename(&self, from: &[u8], to: &[u8], replace: bool) -> Result<()> {
        let (from, to) = (local(from)?, local(to)?);
        if !replace {
            self.0.hard_link(&from, &self.0, &to).map_err(refused)?;
            return self.0.remove_file(&from).map_err(refused);
        }
        match self.0.symlink_metadata(&to) {
            Ok(found) if found.is_symlink() => {}
            Ok(found) => {
                must_be_file(&found)?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(refused(error)),
        }
        self.0.rename(&from, &self.0, &to).map_err(refused)
    }

    /// Unlinks what is no directory.
    pub(super) fn remove(&self, name: &[u8]) -> Result<()> {
        self.0.remove_file(local(name)?).map_err(refused)
    }

    /// Removes an empty directory.
    pub(super) fn remove_directory(&self, name: &[u8]) -> Result<()> {
        match self.0.remove_dir(local(name)?) {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {
                Err(FileError::NotEmpty)
            }
            // It is no directory any more.
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => Err(FileError::Changed),
            other => other.map_err(refused),
        }
    }

    /// Holds a directory in this one.
    pub(super) fn descend(&self, name: &[u8]) -> Result<Self> {
        let name = local(name)?;
        if !self.0.symlink_metadata(&name).map_err(refused)?.is_dir() {
            return Err(FileError::Changed);
        }
        self.0.open_dir(&name).map(Self).map_err(refused)
    }

    /// What is in it.
    pub(super) fn entries(&self) -> Result<Entries> {
        let stream = self.0.entries().map_err(refused)?;
        Ok(Entries {
            stream,
            position: 0,
        })
    }

    /// Makes the names durable.
    pub(super) fn sync(&self) -> Result<()> {
        // Windows writes its names through a journal and has no call to flush a directory.
        if cfg!(windows) {
            return Ok(());
        }
        let directory = self.0.open(".").map_err(refused)?;
        directory.sync_all().map_err(refused)
    }
}

/// Makes directories with these permission bits and the owner's, where there are any.
fn with_mode(mode: u16) -> DirBuilder {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    cap_std::fs::DirBuilderExt::mode(&mut builder, u32::from(0o700 | (mode & 0o777)));
    #[cfg(not(unix))]
    let _ = (&mut builder, mode);
    builder
}

/// Sets a file's modification time, in nanoseconds since 1970; nothing, when the system cannot count it.
pub(super) fn set_modified(file: &File, mtime: i64) -> io::Result<()> {
    let distance = std::time::Duration::from_nanos(mtime.unsigned_abs());
    let time = match mtime < 0 {
        true => std::time::UNIX_EPOCH.checked_sub(distance),
        false => std::time::UNIX_EPOCH.checked_add(distance),
    };
    match time {
        Some(time) => file.set_times(std::fs::FileTimes::new().set_modified(time)),
        None => Ok(()),
    }
}

/// The name as this system spells it, if it can be spelled at all (F6, F9).
fn local(name: &[u8]) -> Result<PathBuf> {
    #[cfg(unix)]
    {
        Ok(PathBuf::from(
            <OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(name),
        ))
    }
    #[cfg(not(unix))]
    {
        let text = std::str::from_utf8(name).map_err(|_| FileError::BadName)?;
        if text.contains(['<', '>', ':', '"', '|', '?', '*', '\\'])
            || text.split('/').any(is_device)
        {
            return Err(FileError::BadName);
        }
        Ok(PathBuf::from(OsStr::new(text)))
    }
}

/// Names that Windows reserves, with any extension, and those that it would change (F9).
#[cfg(not(unix))]
fn is_device(name: &str) -> bool {
    let stem = name
        .split('.')
        .next()
        .unwrap_or(name)
        .trim_end()
        .to_uppercase();
    let numbered = ["COM", "LPT"].iter().any(|device| {
        stem.strip_prefix(device).is_some_and(|number| {
            let mut digits = number.chars();
            matches!(digits.next(), Some('1'..='9' | '¹' | '²' | '³')) && digits.next().is_none()
        })
    });
    numbered || ["CON", "PRN", "AUX", "NUL"].contains(&stem.as_str()) || name.ends_with(['.', ' '])
}

fn must_be_file(found: &Metadata) -> Result<Meta> {
    let meta = meta(found);
    match meta.kind {
        EntryKind::File => Ok(meta),
        EntryKind::Directory => Err(FileError::IsDirectory),
        EntryKind::Symlink | EntryKind::Other => Err(FileError::NotRegular),
    }
}

fn meta(found: &Metadata) -> Meta {
    let kind = match found {
        _ if found.is_file() => EntryKind::File,
        _ if found.is_dir() => EntryKind::Directory,
        _ if found.is_symlink() => EntryKind::Symlink,
        _ => EntryKind::Other,
    };
    let size = if kind == EntryKind::File {
        found.len()
    } else {
        0
    };
    #[cfg(unix)]
    let (mode, mtime, version) = {
        use cap_std::fs::MetadataExt;
        let mtime = nanos(found.mtime(), found.mtime_nsec());
        let ctime = nanos(found.ctime(), found.ctime_nsec());
        let version = Version {
            size,
            mtime,
            ctime,
            inode: found.ino(),
            device: found.dev(),
        };
        ((found.mode() & 0o777) as u16, mtime, version)
    };
    #[cfg(not(unix))]
    let (mode, mtime, version) = {
        let since_1970 = |time: io::Result<cap_std::time::SystemTime>| {
            let time = time
                .ok()?
                .into_std()
                .duration_since(std::time::UNIX_EPOCH)
                .ok()?;
            Some(nanos(
                i64::try_from(time.as_secs()).ok()?,
                i64::from(time.subsec_nanos()),
            ))
        };
        let mtime = since_1970(found.modified()).unwrap_or(0);
        let ctime = since_1970(found.created()).unwrap_or(0);
        let version = Version {
            size,
            mtime,
            ctime,
            inode: 0,
            device: 0,
        };
        (
            if found.permissions().readonly() {
                0o444
            } else {
                0o644
            },
            mtime,
            version,
        )
    };
    Meta {
        kind,
        size,
        mtime,
        mode,
        version: version.mix(),
    }
}

/// For whom an open file is counted: nobody.
pub(super) fn owner(_file: &File) -> Option<Owner> {
    None
}

/// Notes for whom an open file is counted: not here.
pub(super) fn set_owner(_file: &File, _owner: &Owner) -> Result<()> {
    Err(FileError::Io)
}

/// What an open file is.
pub(super) fn file_meta(file: &File) -> Result<Meta> {
    let file = file.try_clone().map_err(refused)?;
    cap_std::fs::File::from_std(file)
        .metadata()
        .map(|found| meta(&found))
        .map_err(refused)
}

/// Device and inode of an open file, where there are any.
pub(super) fn identity(file: &File) -> Option<(u64, u64)> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let meta = file.metadata().ok()?;
        Some((meta.dev(), meta.ino()))
    }
    #[cfg(not(unix))]
    {
        let _ = file;
        None
    }
}

/// What differs each time that the machine has started: not known here.
pub(super) fn boot_id() -> [u8; 16] {
    [0; 16]
}

/// Sets permission bits; nothing above `0o777`. Windows knows only whether a file may be written.
pub(super) fn set_mode(file: &File, mode: u16) -> io::Result<()> {
    #[cfg(unix)]
    let permissions = {
        use std::os::unix::fs::PermissionsExt;
        std::fs::Permissions::from_mode(u32::from(mode & 0o777))
    };
    #[cfg(not(unix))]
    let permissions = {
        let mut permissions = file.metadata()?.permissions();
        permissions.set_readonly(mode & 0o200 == 0);
        permissions
    };
    file.set_permissions(permissions)
}

/// The process's file creation mask; it can only be read by changing it for a moment.
pub(super) fn umask() -> u16 {
    #[cfg(unix)]
    {
        use rustix::fs::Mode;
        let mask = rustix::process::umask(Mode::RWXG | Mode::RWXO);
        rustix::process::umask(mask);
        (mask.bits() & 0o777) as u16
    }
    #[cfg(not(unix))]
    0
}

/// A directory that is being read.
pub(super) struct Entries {
    stream: ReadDir,
    position: u64,
}

impl std::fmt::Debug for Entries {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Entries({})", self.position)
    }
}

impl Entries {
    /// The next entry, as it is itself: links are not followed. A name that cannot travel is left out.
    pub(super) fn next(&mut self) -> Result<Option<Found>> {
        while let Some(entry) = self.stream.next() {
            let entry = entry.map_err(refused)?;
            self.position += 1;
            let name = entry.file_name();
            let Some(name) = bytes(&name) else {
                continue;
            };
            match entry.metadata() {
                Ok(found) => {
                    return Ok(Some(Found {
                        name: name.to_vec(),
                        meta: meta(&found),
                        position: self.position,
                    }));
                }
                // It went away since.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(refused(error)),
            }
        }
        Ok(None)
    }
}

/// The name as it travels.
#[cfg(unix)]
fn bytes(name: &OsStr) -> Option<&[u8]> {
    Some(std::os::unix::ffi::OsStrExt::as_bytes(name))
}

/// The name as it travels.
#[cfg(not(unix))]
fn bytes(name: &OsStr) -> Option<&[u8]> {
    name.to_str().map(str::as_bytes)
}
