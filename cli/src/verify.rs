//! `dhow verify REMOTE LOCAL`: whether both sides are the same, by hash; nothing is copied.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use serde_json::json;
use transport_std::{Cancel, Client, EntryKind, ErrorCode, FilePath};

use crate::args::Verify;
use crate::connection::Connection;
use crate::escape::{self, Escaped};
use crate::exit::{Error, Exit};
use crate::failure;
use crate::get::ends_with_slash;
use crate::interrupt;
use crate::json;
use crate::link::Link;
use crate::ls;
use crate::manifest::hash_of;
use crate::names;
use crate::remote::Operand;
use crate::session::App;
use crate::units;
use crate::walk::{self, Pair, Side};

/// Files that are hashed at once, and those that wait for it.
const AT_ONCE: usize = 8;
const WAITING_MAX: usize = 256;

/// What was found of one entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Finding {
    Same,
    Differs,
    /// Not on this machine.
    Missing,
    /// Not on the server.
    Extra,
}

impl Finding {
    fn name(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Differs => "differs",
            Self::Missing => "missing",
            Self::Extra => "extra",
        }
    }
}

/// A file that stands at both sides with the same size.
struct Both {
    path: FilePath,
    size: u64,
}

struct Check<'a> {
    app: &'a App,
    link: &'a Link<'a>,
    remote: FilePath,
    local: PathBuf,
    waiting: Vec<Both>,
    counts: [u64; 4],
    bytes: u64,
    links: u64,
    errors: Vec<Error>,
    cancel: Cancel,
}

/// Runs the command.
///
/// # Errors
/// A usage error, a server that cannot be used, a side that is not there or cannot be listed.
pub(crate) fn run(app: &App, args: &Verify) -> Result<u8, Error> {
    let remote = ls::read_remote(&args.remote, "verify")?;
    let Operand::Local(target) = Operand::parse(&args.local)? else {
        return Err(Error::usage(
            "verify compares a server's file or directory with a local one: its last operand must be local",
        ));
    };
    if remote.classic {
        return Err(Error::usage("the classic dialect has no hashes"));
    }
    let cancel = interrupt::cancel_at_signal()?;
    let link = Link::open(app, &remote)?;
    let source = Side::Remote(&link, remote.path.clone());
    let Some(there) = source.look(true)? else {
        return Err(failure::from_code(ErrorCode::NotFound).about(source.shown()));
    };
    let is_tree = there.kind == EntryKind::Directory;
    let local = match is_tree || !(target.is_dir() || ends_with_slash(target.as_os_str())) {
        true => target,
        false => target.join(names::from_wire(remote.path.name().unwrap_or_default())?),
    };
    let here = Side::Local(local.clone());
    let Some(found) = here.look(true)? else {
        return Err(
            Error::new(Exit::NotFound, "not-found", "no such file or directory")
                .about(escape::path(&local)),
        );
    };
    let _job = interrupt::Job::begin();
    let begun = Instant::now();
    let mut check = Check {
        app,
        link: &link,
        remote: remote.path.clone(),
        local,
        waiting: Vec::new(),
        counts: [0; 4],
        bytes: 0,
        links: 0,
        errors: Vec::new(),
        cancel,
    };
    let root = FilePath::root();
    check.visit(&Pair {
        path: &root,
        source: Some(&there),
        target: Some(&found),
    })?;
    if is_tree && found.kind == EntryKind::Directory {
        walk::compare(&source, Some(&here), &mut |pair| {
            check.visit(&pair).map(|()| false)
        })?;
    }
    check.flush()?;
    let code = check.end(begun);
    link.close();
    Ok(code)
}

impl Check<'_> {
    fn visit(&mut self, pair: &Pair<'_>) -> Result<(), Error> {
        let path = pair.path;
        match (pair.source, pair.target) {
            (Some(_), None) => self.tell(path, Finding::Missing, 0, None),
            (None, _) => self.tell(path, Finding::Extra, 0, None),
            (Some(a), Some(b)) if a.kind != b.kind => self.tell(path, Finding::Differs, 0, None),
            (Some(a), Some(b)) => match a.kind {
                EntryKind::File if a.size != b.size => {
                    self.tell(path, Finding::Differs, a.size, None)
                }
                EntryKind::File => {
                    self.waiting.push(Both {
                        path: path.clone(),
                        size: a.size,
                    });
                    if self.waiting.len() >= WAITING_MAX {
                        self.flush()?;
                    }
                }
                // A listing does not tell where a link leads.
                EntryKind::Symlink => self.links += 1,
                EntryKind::Directory | EntryKind::Other => {}
            },
        }
        Ok(())
    }

    /// Compares what waits.
    fn flush(&mut self) -> Result<(), Error> {
        let mut waiting = std::mem::take(&mut self.waiting);
        while !waiting.is_empty() {
            let Connection::Modern(client) = self.link.connection() else {
                return Err(Error::usage("the classic dialect has no hashes"));
            };
            let results = self.compare(&client, &waiting)?;
            let mut lost = None;
            let mut left = Vec::new();
            for (both, result) in waiting.into_iter().zip(results) {
                match result {
                    Ok(hash) => {
                        let finding = if hash.is_some() {
                            Finding::Same
                        } else {
                            Finding::Differs
                        };
                        self.bytes += both.size;
                        self.tell(&both.path, finding, both.size, hash);
                    }
                    Err(error) if self.link.is_lost(&error) => {
                        left.push(both);
                        lost = Some(error);
                    }
                    Err(error) if error.exit == Exit::Interrupted => return Err(error),
                    Err(error) => {
                        self.app.report(&error, Some(both.path.as_bytes()));
                        self.errors.push(error);
                    }
                }
            }
            waiting = left;
            match lost {
                Some(error) => self.link.again(error)?,
                None => self.link.went_on(),
            }
        }
        Ok(())
    }

    /// The hash of each file that is the same on both sides; nothing for one that differs.
    fn compare(
        &self,
        client: &Client,
        files: &[Both],
    ) -> Result<Vec<Result<Option<[u8; 32]>, Error>>, Error> {
        let paths: Result<Vec<(FilePath, PathBuf)>, Error> = files
            .iter()
            .map(|both| {
                Ok((
                    walk::join(&self.remote, &both.path)?,
                    walk::local(&self.local, &both.path)?,
                ))
            })
            .collect();
        let paths = paths?;
        let (next, cancel) = (AtomicUsize::new(0), &self.cancel);
        let results: Vec<_> = paths.iter().map(|_| Mutex::new(None)).collect();
        std::thread::scope(|scope| {
            for _ in 0..AT_ONCE.min(paths.len()) {
                scope.spawn(|| {
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        let (Some((remote, local)), Some(slot)) =
                            (paths.get(number), results.get(number))
                        else {
                            return;
                        };
                        let result = hashes(client, remote, local, cancel);
                        if let Ok(mut slot) = slot.lock() {
                            *slot = Some(result);
                        }
                    }
                });
            }
        });
        let taken = results.into_iter().map(|slot| {
            let result = slot.into_inner().ok().flatten();
            result.unwrap_or_else(|| Err(Error::new(Exit::Other, "other", "was not compared")))
        });
        Ok(taken.collect())
    }

    fn tell(&mut self, path: &FilePath, finding: Finding, size: u64, hash: Option<[u8; 32]>) {
        if let Some(count) = self.counts.get_mut(finding as usize) {
            *count += 1;
        }
        let path = match path.is_root() {
            true => self.remote.clone(),
            false => path.clone(),
        };
        if self.app.global.json {
            let mut fields = json!({ "outcome": finding.name(), "size": size, "blake3": hash.map(|hash| json::hex(&hash)) });
            json::name(&mut fields, "path", path.as_bytes());
            json::emit("verified", fields);
        } else if finding != Finding::Same {
            // Nothing is left to report to when stdout is gone; the exit code still tells.
            let _ = std::io::Write::write_all(
                &mut std::io::stdout().lock(),
                format!("{:<8} {}\n", finding.name(), Escaped(path.as_bytes())).as_bytes(),
            );
        }
        self.app
            .log
            .line(&format!("{}: {}", finding.name(), Escaped(path.as_bytes())));
    }

    /// Says what came of it, and gives the exit code.
    fn end(&self, begun: Instant) -> u8 {
        let [same, differs, missing, extra] = self.counts;
        if self.app.global.json {
            let fields = json!({
                "files": same, "differs": differs, "missing": missing, "extra": extra, "links": self.links,
                "failed": self.errors.len(), "bytes": self.bytes, "seconds": json::seconds(begun.elapsed()),
            });
            json::emit("done", fields);
        } else {
            let mut text = format!("{same} files are the same, {}", units::size(self.bytes));
            for (count, what) in [
                (differs, "differ"),
                (missing, "missing here"),
                (extra, "not on the server"),
                (self.links, "links not compared"),
            ] {
                if count > 0 {
                    text.push_str(&format!(", {count} {what}"));
                }
            }
            self.app.note(&text);
        }
        match (differs + missing + extra, self.errors.first()) {
            (0, None) => 0,
            (0, Some(error)) => error.exit as u8,
            _ => Exit::Integrity as u8,
        }
    }
}

/// The hash, if it is the same on both sides.
fn hashes(
    client: &Client,
    remote: &FilePath,
    local: &Path,
    cancel: &Cancel,
) -> Result<Option<[u8; 32]>, Error> {
    let theirs = client
        .hash(remote.as_bytes(), Some(cancel))
        .map_err(|error| failure::from_client(&error))?;
    let ours = hash_of(local).map_err(|error| Error::io(escape::path(local), &error))?;
    Ok((theirs.hash == ours).then_some(ours))
}
