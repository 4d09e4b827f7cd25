//! Changes of names at the server.

use proto_core::wire::{ErrorCode, FilePath};
use proto_core::{Failure, Finished, Request};

use super::{Cancel, Changed, Client, MakeDirOptions, RemoveOptions, RenameOptions, remote};
use crate::ClientError;

/// When a session is lost before the server's answer, nobody knows whether a change was made; asked again,
/// [`make_dir`](Client::make_dir) that is not `exclusive` succeeds either way, and `NotFound` from the others may mean that
/// it was.
impl Client {
    /// Makes the directory `path` at the server, with the permission bits of a new one there.
    ///
    /// # Errors
    /// As [`list`](Self::list). Codes of their own: `Exists`, `NotDirectory` (something else has the name), `NotFound` (the
    /// directory above is missing), `ReadOnly`, `NameRefused`.
    pub fn make_dir(
        &self,
        path: impl AsRef<[u8]>,
        options: &MakeDirOptions,
    ) -> Result<Changed, ClientError> {
        let path = remote(path.as_ref())?;
        let request = Request::MakeDir {
            path: path.clone(),
            parents: options.parents,
            exclusive: options.exclusive,
            durability: options.durability,
        };
        self.change(request, &path, options.cancel.as_ref())
    }

    /// Removes the file, symbolic link or directory `path` at the server. Links are not followed. The removal of a directory with
    /// all that is in it ends with the first name that cannot be removed; asked again, it goes on.
    ///
    /// # Errors
    /// As [`list`](Self::list). Codes of their own: `NotFound`, `NotEmpty`, `Denied`, `ReadOnly`.
    pub fn remove(
        &self,
        path: impl AsRef<[u8]>,
        options: &RemoveOptions,
    ) -> Result<Changed, ClientError> {
        let path = remote(path.as_ref())?;
        let request = Request::Remove {
            path: path.clone(),
            recursive: options.recursive,
            durability: options.durability,
        };
        self.change(request, &path, options.cancel.as_ref())
    }

    /// Renames `from` to `to` at the server, in one step; both are in one shared directory, and have together at most 1,024
    /// bytes. A directory is never replaced.
    ///
    /// # Errors
    /// As [`list`](Self::list). Codes of their own: `NotFound`, `Exists`, `IsDirectory`, `NotRegular` (what has the new name is
    /// not replaced), `Unsupported` (another shared directory or file system), `ReadOnly`, `NameRefused`.
    pub fn rename(
        &self,
        from: impl AsRef<[u8]>,
        to: impl AsRef<[u8]>,
        options: &RenameOptions,
    ) -> Result<Changed, ClientError> {
        let (from, to) = (remote(from.as_ref())?, remote(to.as_ref())?);
        let request = Request::Rename {
            from: from.clone(),
            to,
            replace: options.replace,
            durability: options.durability,
        };
        self.change(request, &from, options.cancel.as_ref())
    }

    fn change(
        &self,
        request: Request,
        path: &FilePath,
        cancel: Option<&Cancel>,
    ) -> Result<Changed, ClientError> {
        match self.0.run(request, cancel, |_| {}).0 {
            Ok(Finished::Changed { count, durability }) => Ok(Changed { count, durability }),
            // The core does not end such a job in another way.
            Ok(_) => Err(self.0.failed(path, None, Failure::Here(ErrorCode::Io))),
            Err(failure) => Err(self.0.failed(path, None, failure)),
        }
    }
}
