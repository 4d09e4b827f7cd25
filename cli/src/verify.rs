//! `dhow verify REMOTE LOCAL`: whether both sides are the same, by hash; nothing is copied.

use std::path::PathBuf;
use std::time::Instant;

use serde_json::json;
use transport_std::{Cancel, EntryKind, ErrorCode, FilePath};

use crate::args::Verify;
use crate::escape::{self, Escaped};
use crate::exit::{Error, Exit};
use crate::failure;
use crate::get::ends_with_slash;
use crate::hashing;
use crate::interrupt;
use crate::json;
use crate::link::Link;
use crate::ls;
use crate::names;
use crate::remote::Operand;
use crate::session::App;
use crate::units;
use crate::walk::{self, Pair, Side};

/// Files that wait to be hashed.
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

/// A file that stands at both sides with the same size, or a link.
struct Both {
    path: FilePath,
    size: u64,
    link: bool,
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
            check.visit(&pair).map(|()| pair.target.is_some())
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
                EntryKind::File | EntryKind::Symlink => {
                    self.waiting.push(Both {
                        path: path.clone(),
                        size: a.size,
                        link: a.kind == EntryKind::Symlink,
                    });
                    if self.waiting.len() >= WAITING_MAX {
                        self.flush()?;
                    }
                }
                EntryKind::Directory | EntryKind::Other => {}
            },
        }
        Ok(())
    }

    /// Compares what waits.
    fn flush(&mut self) -> Result<(), Error> {
        let waiting = std::mem::take(&mut self.waiting);
        let each = waiting
            .iter()
            .map(|both| hashing::Pair::below(&self.remote, &self.local, &both.path, both.link));
        let pairs: Result<Vec<hashing::Pair>, Error> = each.collect();
        let results = hashing::compare(self.link, &pairs?, &self.cancel)?;
        for (both, result) in waiting.into_iter().zip(results) {
            match result {
                Ok(hash) => {
                    let is_same = hash.is_some();
                    let finding = if is_same {
                        Finding::Same
                    } else {
                        Finding::Differs
                    };
                    self.bytes += both.size;
                    if both.link && is_same {
                        self.links += 1;
                        continue;
                    }
                    self.tell(&both.path, finding, both.size, hash);
                }
                Err(error) => {
                    self.app.report(&error, Some(both.path.as_bytes()));
                    self.errors.push(error);
                }
            }
        }
        Ok(())
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
                (self.links, "links are the same, too"),
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
