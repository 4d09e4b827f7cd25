//! Local files as the core sees them: a directory held open, and a name.

use std::ffi::OsStr;
use std::fs;
use std::io::{Error, ErrorKind};
use std::path::Path;

use proto_core::wire::FilePath;
use proto_core::{Overwrite, Place};

use crate::ClientError;
use crate::executor::Roots;

fn local(path: &Path, source: Error) -> ClientError {
    ClientError::Local {
        path: path.into(),
        source,
    }
}

/// Where a download shall stand. Its directory must exist.
pub(super) fn target(roots: &Roots, path: &Path) -> Result<Place, ClientError> {
    if path.is_dir() {
        let text = "is a directory: name the file to make in it";
        return Err(local(path, Error::new(ErrorKind::IsADirectory, text)));
    }
    place(roots, path)
}

/// Where a directory or file shall stand. A directory that is there is filled.
pub(super) fn tree_target(roots: &Roots, path: &Path) -> Result<Place, ClientError> {
    if path.is_dir() {
        directory(roots, path)
    } else {
        place(roots, path)
    }
}

/// What is asked for: where nothing stands there is nothing to compare with, and comparing would cost a round trip.
pub(super) fn overwrite(wanted: Overwrite, path: &Path) -> Overwrite {
    let absent =
        || fs::symlink_metadata(path).is_err_and(|error| error.kind() == ErrorKind::NotFound);
    match wanted {
        Overwrite::Compare if absent() => Overwrite::Replace,
        _ => wanted,
    }
}

/// The directory or file to upload; the path's symbolic links are followed.
pub(super) fn tree_source(roots: &Roots, path: &Path) -> Result<Place, ClientError> {
    if path.is_dir() {
        directory(roots, path)
    } else {
        source(roots, path)
    }
}

/// A directory that is there.
fn directory(roots: &Roots, path: &Path) -> Result<Place, ClientError> {
    let root = roots.add_dir(path).map_err(|error| local(path, error))?;
    Ok(Place {
        root,
        path: FilePath::root(),
    })
}

/// The file to upload; symbolic links are followed.
pub(super) fn source(roots: &Roots, path: &Path) -> Result<Place, ClientError> {
    let real = fs::canonicalize(path).map_err(|error| local(path, error))?;
    let kind = fs::metadata(&real)
        .map_err(|error| local(path, error))?
        .file_type();
    if kind.is_dir() {
        return Err(local(
            path,
            Error::new(ErrorKind::IsADirectory, "is a directory"),
        ));
    }
    if !kind.is_file() {
        return Err(local(
            path,
            Error::new(ErrorKind::InvalidInput, "is not a regular file"),
        ));
    }
    place(roots, &real)
}

fn place(roots: &Roots, path: &Path) -> Result<Place, ClientError> {
    let nameless = || {
        local(
            path,
            Error::new(ErrorKind::InvalidInput, "is not the name of a file"),
        )
    };
    let name = path.file_name().and_then(bytes).ok_or_else(nameless)?;
    let name = FilePath::parse(name).map_err(|error| {
        local(
            path,
            Error::new(ErrorKind::InvalidFilename, error.to_string()),
        )
    })?;
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let root = roots
        .add_dir(directory)
        .map_err(|error| local(directory, error))?;
    Ok(Place { root, path: name })
}

#[cfg(unix)]
#[expect(
    clippy::unnecessary_wraps,
    reason = "elsewhere a name may not be representable"
)]
fn bytes(name: &OsStr) -> Option<&[u8]> {
    Some(std::os::unix::ffi::OsStrExt::as_bytes(name))
}

#[cfg(not(unix))]
fn bytes(name: &OsStr) -> Option<&[u8]> {
    name.to_str().map(str::as_bytes)
}
