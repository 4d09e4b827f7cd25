//! Who else may write a file that decides about trust (L5, OpenSSH's StrictModes).

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::escape;
use crate::exit::{Error, Exit};

/// What others must not be able to do with a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Secrecy {
    /// Only its owner may read and write it: private keys.
    Private,
    /// Only its owner may write it: lists of keys.
    Public,
}

/// Files of keys are small; anything larger is a mistake.
const MAX_BYTES: u64 = 16 << 20;

/// Reads a text file after checking its permissions, through the same open file.
///
/// # Errors
/// What the system says; `Refused` when others may do what they must not.
pub(crate) fn read(path: &Path, secrecy: Secrecy) -> Result<zeroize::Zeroizing<String>, Error> {
    let failed = |error: std::io::Error| Error::io(escape::path(path), &error);
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(Error::new(
            Exit::Other,
            "key-file",
            format!("{} is not a file", escape::path(path)),
        ));
    }
    check(path, &metadata, secrecy)?;
    if metadata.len() > MAX_BYTES {
        // A part of it would be worse than nothing: the rest of a list would be gone when it is written again.
        let text = format!("{} is too large for a file of keys", escape::path(path));
        return Err(Error::new(Exit::Other, "key-file", text));
    }
    // Room at once, so that no half-grown copy of a secret is left in freed memory.
    let mut text = zeroize::Zeroizing::new(String::with_capacity(
        metadata.len().min(MAX_BYTES) as usize + 1,
    ));
    file.take(MAX_BYTES)
        .read_to_string(&mut text)
        .map_err(failed)?;
    Ok(text)
}

#[cfg(unix)]
fn check(path: &Path, metadata: &std::fs::Metadata, secrecy: Secrecy) -> Result<(), Error> {
    use std::os::unix::fs::MetadataExt;
    let refuse = |text: String, hint: String| {
        Err(Error::new(Exit::Untrusted, "permissions", text).hint(hint))
    };
    let shown = escape::path(path);
    let me = rustix::process::geteuid().as_raw();
    if metadata.uid() != me && metadata.uid() != 0 {
        return refuse(
            format!("{shown} belongs to someone else"),
            format!("chown it to yourself: {shown}"),
        );
    }
    let (forbidden, may, wanted) = match secrecy {
        Secrecy::Private => (0o077, "read or write", "600"),
        Secrecy::Public => (0o022, "write", "go-w"),
    };
    if metadata.mode() & forbidden != 0 {
        return refuse(
            format!(
                "{shown} is not used: others may {may} it (mode {:03o})",
                metadata.mode() & 0o777
            ),
            format!("chmod {wanted} {shown}"),
        );
    }
    // Who may write the directory can put another file in its place; with the sticky bit only owners can.
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    let of_parent = parent
        .metadata()
        .map_err(|error| Error::io(escape::path(parent), &error))?;
    if of_parent.mode() & 0o022 != 0 && of_parent.mode() & 0o1000 == 0 {
        let parent = escape::path(parent);
        return refuse(
            format!("{shown} is not used: others may write its directory {parent}"),
            format!("chmod go-w {parent}"),
        );
    }
    Ok(())
}

/// Other systems keep users' files apart by access lists that a profile directory inherits.
#[cfg(not(unix))]
fn check(_: &Path, _: &std::fs::Metadata, _: Secrecy) -> Result<(), Error> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn l5_modes() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        fs::write(&path, "text").unwrap();
        let read_with = |mode, secrecy| {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            read(&path, secrecy).is_ok()
        };
        for mode in [0o600, 0o400, 0o644, 0o640] {
            assert!(read_with(mode, Secrecy::Public), "{mode:o}");
        }
        for mode in [0o620, 0o602, 0o666, 0o777] {
            assert!(!read_with(mode, Secrecy::Public), "{mode:o}");
            assert!(!read_with(mode, Secrecy::Private), "{mode:o}");
        }
        assert!(read_with(0o600, Secrecy::Private));
        assert!(!read_with(0o640, Secrecy::Private));
        assert!(!read_with(0o604, Secrecy::Private));
    }

    #[test]
    fn l5_directory() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        fs::write(&path, "text").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        for (mode, fine) in [
            (0o755, true),
            (0o775, false),
            (0o777, false),
            (0o1777, true),
        ] {
            fs::set_permissions(directory.path(), Permissions::from_mode(mode)).unwrap();
            let result = read(&path, Secrecy::Private);
            assert_eq!(result.is_ok(), fine, "{mode:o}");
            if let Err(error) = result {
                assert_eq!(error.exit, Exit::Untrusted);
                assert!(error.hint.unwrap().contains("chmod"));
            }
        }
    }

    #[test]
    fn nothing_is_read_of_a_file_that_is_too_large() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        fs::File::create(&path)
            .unwrap()
            .set_len(MAX_BYTES + 1)
            .unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        assert_eq!(read(&path, Secrecy::Public).unwrap_err().code, "key-file");
    }

    #[test]
    fn only_files() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(
            read(directory.path(), Secrecy::Public).unwrap_err().code,
            "key-file"
        );
        let missing = read(&directory.path().join("x"), Secrecy::Public).unwrap_err();
        assert_eq!(missing.exit, Exit::NotFound);
    }
}
