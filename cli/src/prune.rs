//! Removing local files and directories that a source does not have, never outside the target directory.

use std::io;
use std::path::Path;

use transport_std::FilePath;

/// Removes the entry `path` below `root`, a directory with all that is in it. No symbolic link is followed on the way:
/// one that stands where a directory was ends the removal with an error.
///
/// # Errors
/// What the system says.
#[cfg(unix)]
pub(crate) fn remove(root: &Path, path: &FilePath) -> io::Result<()> {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let Some(name) = path.name() else {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    };
    let mut directory = unix::open(rustix::fs::CWD, root.as_os_str(), false)?;
    for component in path.parent().components() {
        directory = unix::open(&directory, OsStr::from_bytes(component), true)?;
    }
    unix::remove(&directory, OsStr::from_bytes(name), 0)
}

#[cfg(unix)]
mod unix {
    use std::ffi::OsStr;
    use std::io;
    use std::os::fd::{AsFd, OwnedFd};
    use std::os::unix::ffi::OsStrExt;

    use rustix::fs::{AtFlags, Dir, Mode, OFlags, openat, unlinkat};
    use rustix::io::Errno;

    /// Directories within directories; each holds a file descriptor while it is emptied.
    const DEPTH_MAX: u32 = 256;

    /// Opens a directory. The target itself may be named by way of a link, what is in it may not.
    pub(super) fn open(at: impl AsFd, name: &OsStr, beneath: bool) -> io::Result<OwnedFd> {
        let mut flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        if beneath {
            flags |= OFlags::NOFOLLOW;
        }
        Ok(openat(at, name, flags, Mode::empty())?)
    }

    pub(super) fn remove(directory: &OwnedFd, name: &OsStr, depth: u32) -> io::Result<()> {
        match unlinkat(directory, name, AtFlags::empty()) {
            Ok(()) => return Ok(()),
            // POSIX says EPERM of a directory, Linux EISDIR.
            Err(Errno::ISDIR | Errno::PERM) if depth < DEPTH_MAX => {}
            Err(error) => return Err(error.into()),
        }
        let inner = open(directory, name, true)?;
        for entry in Dir::read_from(&inner)? {
            let entry = entry?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name != "." && name != ".." {
                remove(&inner, name, depth + 1)?;
            }
        }
        Ok(unlinkat(directory, name, AtFlags::REMOVEDIR)?)
    }
}

/// Removes the entry `path` below `root`, a directory with all that is in it.
///
/// # Errors
/// What the system says.
#[cfg(not(unix))]
pub(crate) fn remove(root: &Path, path: &FilePath) -> io::Result<()> {
    let whole = crate::walk::local(root, path).map_err(|error| io::Error::other(error.text))?;
    if std::fs::symlink_metadata(&whole)?.is_dir() {
        std::fs::remove_dir_all(whole)
    } else {
        std::fs::remove_file(whole)
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    fn path(text: &str) -> FilePath {
        FilePath::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn trees_go_and_what_links_lead_to_stays() {
        let world = tempfile::tempdir().unwrap();
        let (root, outside) = (world.path().join("root"), world.path().join("outside"));
        for directory in ["root/old/deep", "root/kept", "outside/dir"] {
            fs::create_dir_all(world.path().join(directory)).unwrap();
        }
        fs::write(outside.join("dir/file"), "x").unwrap();
        fs::write(root.join("old/deep/file"), "x").unwrap();
        symlink(&outside, root.join("old/deep/link")).unwrap();
        symlink(&outside, root.join("away")).unwrap();
        remove(&root, &path("old")).unwrap();
        remove(&root, &path("away")).unwrap();
        assert_eq!(fs::read_dir(&root).unwrap().count(), 1);
        // A link where a directory was a moment ago is not gone through.
        symlink(&outside, root.join("kept/swapped")).unwrap();
        assert!(remove(&root, &path("kept/swapped/dir")).is_err());
        assert!(remove(&root, &path("away/dir")).is_err());
        assert!(remove(&root, &FilePath::root()).is_err());
        assert!(outside.join("dir/file").is_file());
        // The target itself may be a link.
        symlink(&root, world.path().join("alias")).unwrap();
        remove(&world.path().join("alias"), &path("kept")).unwrap();
        assert_eq!(fs::read_dir(&root).unwrap().count(), 0);
    }
}
