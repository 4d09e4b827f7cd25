//! Whether a directory has arrived as it had to: each entry as it is at the source, or failed for a reason.

use std::collections::BTreeMap;

use proto_core::wire::{Durability, EntryKind, ErrorCode, StoredAs};
use proto_core::{FileReport, Overwrite, TreeTotals};

use super::files::{Where, root_hash};
use super::user::GoalRun;
use super::{SERVER, World};
use crate::lab::Checked;
use crate::scenario::{Copy, Kind, Planted, below};

/// What may come of an entry.
#[derive(Debug, Default)]
struct May {
    /// It is written.
    write: bool,
    /// It is there already.
    stay: bool,
    /// It fails so.
    fail: Vec<ErrorCode>,
}

impl May {
    fn fail(codes: &[ErrorCode]) -> Self {
        Self {
            fail: codes.to_vec(),
            ..Self::default()
        }
    }

    fn allows(&self, result: Result<StoredAs, ErrorCode>) -> bool {
        match result {
            Ok(StoredAs::Written) => self.write,
            Ok(StoredAs::Unchanged) => self.stay,
            Err(code) => self.fail.contains(&code),
        }
    }
}

/// A directory that is copied, as the judge sees it.
struct Tree<'a> {
    copy: &'a Copy,
    from: &'a Where,
    to: &'a Where,
    /// A try that ended with its session may have brought entries, or still be at it.
    again: bool,
    /// A power loss may have taken what was not asked to be durable.
    remnant: bool,
    unruly: bool,
}

impl Tree<'_> {
    fn target(&self, rest: &[u8]) -> Option<Where> {
        let path = if rest.is_empty() {
            self.to.2.clone()
        } else {
            self.to.2.join(rest).ok()?
        };
        Some((self.to.0, self.to.1, path))
    }
}

impl World {
    /// Judges the reports of a directory; says what is there for good from now on.
    pub(super) fn judge_tree(
        &self,
        user: usize,
        (run, copy): (&GoalRun, &Copy),
        totals: TreeTotals,
        (from, to): (&Where, &Where),
    ) -> Checked<Vec<Where>> {
        let tree = Tree {
            copy,
            from,
            to,
            again: run.lost > 0,
            remnant: copy.durability != Durability::Full && self.crashed.contains(&to.0),
            unruly: self.unruly(user),
        };
        let mut reports = BTreeMap::new();
        for report in &run.reports {
            if reports.insert(&report.path[..], report).is_some() {
                let path = report.path.escape_ascii();
                return Err(format!("its entry {path} is told of twice"));
            }
        }
        let counted = count(&run.reports);
        if counted != totals {
            return Err(format!("{totals:?} are told, and {counted:?} were"));
        }
        self.judge_completeness(&tree, &reports)?;
        let mut promised = Vec::new();
        for report in &run.reports {
            let judged = self.judge_entry(&tree, report).map_err(|what| {
                let path = report.path.escape_ascii();
                format!("its entry {path}, {report:?}: {what}")
            })?;
            promised.extend(judged);
        }
        Ok(promised)
    }

    /// Each entry of the source was told of, unless a directory above it failed.
    fn judge_completeness(
        &self,
        tree: &Tree<'_>,
        reports: &BTreeMap<&[u8], &FileReport>,
    ) -> Checked<()> {
        let failed = |rest: &[u8]| reports.get(rest).is_some_and(|of| of.result.is_err());
        if reports.get(&b""[..]).is_none_or(|of| of.result.is_err()) {
            return Err("nothing is told of the directory itself".into());
        }
        for (place, _) in self.files.planted() {
            let rest = match below(&tree.from.2, &place.2) {
                Some(rest) if (place.0, place.1) == (tree.from.0, tree.from.1) => rest,
                _ => continue,
            };
            let above = ancestors(rest).any(failed);
            if !reports.contains_key(rest) && !above {
                return Err(format!("nothing is told of {:?}", place.2));
            }
        }
        Ok(())
    }

    fn judge_entry(&self, tree: &Tree<'_>, report: &FileReport) -> Checked<Option<Where>> {
        let source = |rest: &[u8]| {
            let path = match rest.is_empty() {
                true => Some(tree.from.2.clone()),
                false => tree.from.2.join(rest).ok(),
            };
            self.files.before(&(tree.from.0, tree.from.1, path?))
        };
        let planted = source(&report.path).ok_or("there is no such entry")?;
        let target = tree.target(&report.path).ok_or("no path for it")?;
        if report.kind != planted.kind.on_wire() {
            return Err("it is something else".into());
        }
        let may = self.may_come_of(tree, report, planted, &target);
        let excused = tree.unruly && report.result.is_err();
        if !may.allows(report.result) && !excused {
            return Err(format!("{may:?} was expected"));
        }
        match report.result {
            Err(_) => Ok(None),
            Ok(how) => self.judge_stored(tree, (report, how), planted, target),
        }
    }

    /// What may come of an entry on machines without faults.
    fn may_come_of(
        &self,
        tree: &Tree<'_>,
        report: &FileReport,
        planted: &Planted,
        target: &Where,
    ) -> May {
        let overwrite = tree.copy.overwrite;
        let there = self.files.before(target);
        let kind = there.map(|there| there.kind);
        let mut may = match (planted.kind, kind) {
            (Kind::Device, _) => May::fail(&[ErrorCode::NotRegular]),
            (Kind::Link, _) if !stays_within(&report.path, planted.to.as_bytes()) => {
                May::fail(&[ErrorCode::LinkRefused])
            }
            (Kind::Directory, Some(Kind::Directory)) => May {
                stay: true,
                ..May::default()
            },
            (Kind::Directory, Some(_)) => May::fail(&[
                ErrorCode::NotDirectory,
                ErrorCode::Exists,
                ErrorCode::NotRegular,
            ]),
            (_, None) => May {
                write: true,
                ..May::default()
            },
            (_, Some(Kind::Directory)) => May::fail(&[ErrorCode::IsDirectory, ErrorCode::Exists]),
            (_, Some(Kind::Device)) => May::fail(&[ErrorCode::NotRegular, ErrorCode::Exists]),
            (Kind::File, Some(Kind::Link)) if overwrite == Overwrite::Never => {
                May::fail(&[ErrorCode::Exists, ErrorCode::NotRegular])
            }
            (_, Some(_)) if overwrite == Overwrite::Never => May::fail(&[ErrorCode::Exists]),
            (Kind::File, Some(Kind::Link)) => May {
                write: true,
                // A file that goes alone, since it is large, replaces files only.
                fail: vec![ErrorCode::NotRegular],
                ..May::default()
            },
            (_, Some(_)) => {
                let same = there.is_some_and(|there| {
                    (there.kind, there.size, there.mtime)
                        == (Kind::File, planted.size, planted.mtime)
                });
                let compares = overwrite == Overwrite::Compare && planted.kind == Kind::File;
                May {
                    write: !(same && compares),
                    stay: same && compares,
                    ..May::default()
                }
            }
        };
        if ancestors(&report.path).any(|rest| self.is_no_directory(tree, rest)) {
            may = May::fail(&[ErrorCode::NotFound, ErrorCode::NotDirectory]);
        }
        if tree.again {
            // What it brought is there, or comes while this one looks.
            may.stay |= may.write;
            may.write |= may.stay;
            may.fail
                .extend([ErrorCode::Exists, ErrorCode::TargetChanged]);
        }
        may
    }

    fn is_no_directory(&self, tree: &Tree<'_>, rest: &[u8]) -> bool {
        let target = tree.target(rest);
        let there = target.and_then(|target| self.files.before(&target));
        there.is_some_and(|there| there.kind != Kind::Directory)
    }

    /// Whether an entry that is said to be stored is there, and as it is at the source.
    fn judge_stored(
        &self,
        tree: &Tree<'_>,
        (report, how): (&FileReport, StoredAs),
        planted: &Planted,
        target: Where,
    ) -> Checked<Option<Where>> {
        let disk = self.lab.host(target.0).disk();
        let Some(meta) = disk.meta(target.1, &target.2) else {
            return if tree.remnant {
                Ok(None)
            } else {
                Err("there is nothing at the target".into())
            };
        };
        if meta.kind != report.kind {
            return Err(format!("the target is {meta:?}"));
        }
        let synced = report.durability >= tree.copy.durability || tree.unruly;
        if how == StoredAs::Written && !synced {
            return Err("it is less durable than asked".into());
        }
        match planted.kind {
            Kind::Link if disk.link(target.1, &target.2) != Some(planted.to.as_bytes()) => {
                return Err("the link leads elsewhere".into());
            }
            Kind::File => {
                let content = disk.content(target.1, &target.2);
                let source = planted.bytes();
                let same = content == source.as_ref();
                let whole = content.is_some_and(|content| self.files.may_hold(&target, content));
                let good = same || (tree.remnant && whole);
                if !good {
                    return Err("the target's bytes are not the source's".into());
                }
                let wrong = |root| {
                    source
                        .as_ref()
                        .and_then(root_hash)
                        .is_some_and(|of| of != root)
                };
                if report.size != planted.size || report.root.is_some_and(wrong) {
                    return Err("this is not its size, or not its hash".into());
                }
            }
            Kind::Link | Kind::Directory | Kind::Device => {}
        }
        // A time that was lost with the power, or is nobody's to set (C2).
        let timed = planted.kind == Kind::File && !tree.remnant;
        let kept = tree.copy.preserve || target.0 == SERVER || how == StoredAs::Unchanged;
        if timed && kept && meta.mtime != planted.mtime {
            return Err(format!("its time is {}, not {}", meta.mtime, planted.mtime));
        }
        let lasting = how == StoredAs::Written && report.durability == Durability::Full;
        Ok((lasting && planted.kind == Kind::File).then_some(target))
    }
}

/// The directories above `rest`, but for the one that is copied.
fn ancestors(rest: &[u8]) -> impl Iterator<Item = &[u8]> {
    let slashes = rest.iter().enumerate().filter(|(_, byte)| **byte == b'/');
    slashes.map(|(at, _)| &rest[..at])
}

/// Whether a link at `rest` to `to` names a place within the directory that is copied, and goes up at its beginning only.
fn stays_within(rest: &[u8], to: &[u8]) -> bool {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let depth = ancestors(rest).count();
    let parts = text(to);
    let parts: Vec<&str> = parts
        .split('/')
        .filter(|part| !matches!(*part, "" | "."))
        .collect();
    let ups = parts.iter().take_while(|part| **part == "..").count();
    let later = parts[ups..].contains(&"..");
    !to.is_empty() && !to.starts_with(b"/") && ups <= depth && !later
}

/// What the reports come to.
fn count(reports: &[FileReport]) -> TreeTotals {
    let mut totals = TreeTotals::default();
    for report in reports {
        let field = match (report.result, report.kind) {
            (Err(_), _) => &mut totals.failed,
            (Ok(_), EntryKind::Directory) => &mut totals.directories,
            (Ok(StoredAs::Unchanged), _) => &mut totals.unchanged,
            (Ok(StoredAs::Written), EntryKind::Symlink) => &mut totals.links,
            (Ok(StoredAs::Written), _) => {
                totals.bytes += report.size;
                &mut totals.files
            }
        };
        *field += 1;
    }
    totals
}
