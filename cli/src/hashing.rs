//! Files of both sides, compared by hash.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use transport_std::{Cancel, Client, FilePath};

use crate::connection::Connection;
use crate::escape;
use crate::exit::{Error, Exit};
use crate::failure;
use crate::link::Link;
use crate::manifest::hash_of;
use crate::names;
use crate::walk;

/// Files that are hashed at once: while the server reads some, others are read here.
const AT_ONCE: usize = 8;

/// A file of the server and one of this machine, or two symbolic links.
pub(crate) struct Pair {
    /// The server's path.
    pub(crate) remote: FilePath,
    /// This machine's path.
    pub(crate) local: PathBuf,
    /// Links are compared by what they say, not by where that leads.
    pub(crate) link: bool,
}

impl Pair {
    /// What stands as `below` in two directories.
    ///
    /// # Errors
    /// The path is too long or too deep, or this system cannot hold a name of it.
    pub(crate) fn below(
        remote: &FilePath,
        local: &Path,
        below: &FilePath,
        link: bool,
    ) -> Result<Self, Error> {
        Ok(Self {
            remote: walk::join(remote, below)?,
            local: walk::local(local, below)?,
            link,
        })
    }
}

/// The hash of a file that is the same on both sides; nothing for one that differs.
pub(crate) type Same = Result<Option<[u8; 32]>, Error>;

/// Compares files, in as many sessions as it takes.
///
/// # Errors
/// Ctrl-C; a server that is lost for good. What is wrong with single files comes in their places.
pub(crate) fn compare(
    link: &Link<'_>,
    pairs: &[Pair],
    cancel: &Cancel,
) -> Result<Vec<Same>, Error> {
    let mut found: Vec<Option<Same>> = pairs.iter().map(|_| None).collect();
    loop {
        let Connection::Modern(client) = link.connection() else {
            return Err(Error::usage("the classic dialect has no hashes"));
        };
        let mut lost = None;
        for (number, result) in try_all(&client, pairs, &found, cancel) {
            match result {
                Err(error) if error.exit == Exit::Interrupted && !link.is_lost(&error) => {
                    return Err(error);
                }
                Err(error) if link.is_lost(&error) => lost = Some(error),
                result => {
                    if let Some(slot) = found.get_mut(number) {
                        *slot = Some(result);
                    }
                }
            }
        }
        match lost {
            Some(error) => link.again(error)?,
            None => break,
        }
    }
    link.went_on();
    let unknown = || Err(Error::new(Exit::Other, "other", "was not compared"));
    Ok(found
        .into_iter()
        .map(|same| same.unwrap_or_else(unknown))
        .collect())
}

/// One try at those that are not known.
fn try_all(
    client: &Client,
    pairs: &[Pair],
    found: &[Option<Same>],
    cancel: &Cancel,
) -> Vec<(usize, Same)> {
    let open: Vec<(usize, &Pair)> = (pairs.iter().enumerate())
        .filter(|(number, _)| found.get(*number).is_some_and(Option::is_none))
        .collect();
    let (next, results) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(open.len()) {
            scope.spawn(|| {
                while let Some((number, pair)) = open.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let result = one(client, pair, cancel);
                    if let Ok(mut results) = results.lock() {
                        results.push((*number, result));
                    }
                }
            });
        }
    });
    results.into_inner().unwrap_or_default()
}

fn one(client: &Client, pair: &Pair, cancel: &Cancel) -> Same {
    let (remote, local) = (pair.remote.as_bytes(), &pair.local);
    let theirs = match pair.link {
        true => client.hash_link(remote, Some(cancel)),
        false => client.hash(remote, Some(cancel)),
    };
    let theirs = theirs.map_err(|error| failure::from_client(&error))?;
    let failed = |error| Error::io(escape::path(local), &error);
    let ours = match pair.link {
        true => {
            let target = std::fs::read_link(local).map_err(failed)?;
            *blake3::hash(&names::to_wire(target.as_os_str())?).as_bytes()
        }
        false => hash_of(local).map_err(failed)?,
    };
    Ok((theirs.hash == ours).then_some(ours))
}
