//! What may stand under the targets' names.

use proto_core::wire::{Durability, StoredAs};
use proto_core::{Failure, Finished, Overwrite};

use super::case::{Case, Sent, Target};
use super::exchange::ROOT;
use crate::disk::Disk;

/// What the disk has been through.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum After {
    /// A power loss: what was not synced may be lost.
    PowerLoss,
    /// Nothing, or the end of a process: all that was written is there.
    Nothing,
}

/// What the client was told of each file.
pub(super) type Told = Vec<Option<Result<Finished, Failure>>>;

/// What stands under a target's name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Found {
    Old,
    New,
    Remnant,
}

/// Whether the client was told that a written file survives in this case.
fn is_promised(told: Option<&Result<Finished, Failure>>, after: After) -> bool {
    match told {
        Some(Ok(Finished::Stored {
            how: StoredAs::Written,
            durability,
            ..
        })) => after == After::Nothing || *durability == Durability::Full,
        _ => false,
    }
}

/// Whether `sent` has to leave its target as it was.
fn must_not_touch(target: &Target, sent: &Sent) -> bool {
    match (&target.old, sent.overwrite) {
        (None, _) | (Some(_), Overwrite::Replace) => false,
        (Some(_), Overwrite::Never) => true,
        (Some((content, mtime)), Overwrite::Compare) => {
            content.len() == sent.content.len() && *mtime == sent.mtime
        }
    }
}

/// Looks at each target of `case`, and for names that nobody asked for.
pub(super) fn judge(
    case: &Case,
    told: &Told,
    disk: &Disk,
    after: After,
) -> Result<Vec<Found>, String> {
    for path in disk.walk(ROOT) {
        let known = case
            .targets
            .iter()
            .any(|target| target.path == path || (!path.is_root() && target.path.parent() == path));
        if !known && !path.is_reserved() {
            return Err(format!("{path:?} appeared, and nobody asked for it"));
        }
    }
    (0..case.targets.len())
        .map(|target| judge_target(case, told, disk, after, target))
        .collect()
}

fn judge_target(
    case: &Case,
    told: &Told,
    disk: &Disk,
    after: After,
    number: usize,
) -> Result<Found, String> {
    let target = &case.targets[number];
    let to_target = |(_, sent): &(usize, &Sent)| sent.target == number;
    let sent: Vec<(usize, &Sent)> = case.files.iter().enumerate().filter(to_target).collect();
    // A file that another transfer has put there in the meantime is compared, too.
    let alone = sent.len() == 1;
    let may_write = |sent: &Sent| !must_not_touch(target, sent) || !alone;
    let found = disk.content(ROOT, &target.path);
    let promised = sent
        .iter()
        .find(|(file, _)| is_promised(told[*file].as_ref(), after));
    let old = target.old.as_ref().map(|(content, _)| content);
    if found == old && promised.is_none_or(|(_, sent)| old == Some(&sent.content)) {
        return Ok(Found::Old);
    }
    let Some(found) = found else {
        return Err(match promised {
            Some(_) => format!("{:?} is gone, and was told to be stored", target.path),
            None => format!("{:?} is gone", target.path),
        });
    };
    for (_, sent) in sent.iter().filter(|(_, sent)| may_write(sent)) {
        if *found == sent.content {
            let kept = sent.durability != Durability::None || after == After::Nothing;
            let mtime = disk.meta(ROOT, &target.path).map(|meta| meta.mtime);
            if kept && alone && mtime != Some(sent.mtime) {
                return Err(format!("{:?} is new, with another time", target.path));
            }
            return Ok(Found::New);
        }
    }
    let remnant = |sent: &Sent| {
        after == After::PowerLoss
            && sent.durability == Durability::None
            && may_write(sent)
            && found.is_remnant_of(&sent.content)
    };
    if sent.iter().any(|(_, sent)| remnant(sent)) {
        return Ok(Found::Remnant);
    }
    Err(describe(target, &sent, disk, promised.is_some()))
}

fn describe(target: &Target, sent: &[(usize, &Sent)], disk: &Disk, promised: bool) -> String {
    let found = disk.content(ROOT, &target.path);
    let size = found.map_or(0, |content| content.len());
    let old = target.old.as_ref();
    let what = match old {
        Some((old, _)) if found == Some(old) => {
            if promised {
                "the old file, although the new one was told to be stored".into()
            } else {
                "the old file".into()
            }
        }
        _ => {
            let partly = sent
                .iter()
                .any(|(_, sent)| found.is_some_and(|f| f.is_remnant_of(&sent.content)));
            let kind = if partly {
                "a part of a new file"
            } else {
                "neither the old file nor a new one"
            };
            format!("{kind}: {size} bytes")
        }
    };
    let sizes: Vec<String> = (sent.iter())
        .map(|(_, sent)| {
            format!(
                "{} bytes, {:?}, {:?}",
                sent.content.len(),
                sent.overwrite,
                sent.durability
            )
        })
        .collect();
    format!(
        "{:?} holds {what}; before: {:?} bytes; sent: {}",
        target.path,
        old.map(|(content, _)| content.len()),
        sizes.join("; ")
    )
}
