//! Drawing a user's goals, and what must be there for each.

use proto_core::wire::{Durability, FilePath};
use proto_core::{Duration, Overwrite};

use super::{ClientPlan, Copy, Goal, GoalPlan, Kind, LOCKED, Planted};
use crate::disk::WALL_CLOCK;
use crate::rng::Rng;

/// The unusual that a goal may meet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Twist {
    None,
    TargetExists,
    TargetExistsNever,
    Unchanged,
    SourceMissing,
    SourceIsDirectory,
    SourceIsDevice,
    DirectoryMissing,
    TargetIsDirectory,
    Locked,
    SameTarget,
}

const TWISTS: [Twist; 10] = [
    Twist::TargetExists,
    Twist::TargetExistsNever,
    Twist::Unchanged,
    Twist::SourceMissing,
    Twist::SourceIsDirectory,
    Twist::SourceIsDevice,
    Twist::DirectoryMissing,
    Twist::TargetIsDirectory,
    Twist::Locked,
    Twist::SameTarget,
];

/// Draws the goal `number` into `plan`.
pub(super) fn draw(rng: &mut Rng, number: u64, plan: &mut ClientPlan) {
    let starts = if rng.one_in(2) {
        Duration::ZERO
    } else {
        Duration::from_nanos(rng.log_uniform(5_000_000_000))
    };
    let twist = if rng.one_in(3) {
        *rng.pick(&TWISTS)
    } else {
        Twist::None
    };
    let goal = match rng.below(20) {
        0..9 => put(rng, number, twist, plan),
        9..18 => get(rng, number, twist, plan),
        18 => list(rng, number, twist, plan),
        _ => stat(rng, number, twist, plan),
    };
    let cancel_after = rng
        .one_in(20)
        .then(|| Duration::from_nanos(rng.log_uniform(3_000_000_000)));
    plan.goals.push(GoalPlan {
        starts,
        in_turn: number > 0 && rng.one_in(6),
        cancel_after,
        goal,
    });
}

/// A path of components that are valid: they are written in this file.
pub(super) fn path(text: &str) -> FilePath {
    FilePath::parse(text.as_bytes()).unwrap_or_default()
}

fn file(rng: &mut Rng, path: FilePath) -> Planted {
    let size = super::draw_size(rng);
    let mtime = WALL_CLOCK - rng.below(1 << 50) as i64;
    Planted::file(path, rng.next_u64() >> 1, size, mtime)
}

pub(super) fn durability(rng: &mut Rng) -> Durability {
    *rng.pick(&[Durability::None, Durability::File, Durability::Full])
}

/// Plants what the twist asks for at the source.
fn plant_source(rng: &mut Rng, twist: Twist, at: &FilePath, planted: &mut Vec<Planted>) {
    planted.extend(match twist {
        Twist::SourceMissing => None,
        Twist::SourceIsDirectory => Some(Planted::other(at.clone(), Kind::Directory)),
        Twist::SourceIsDevice => Some(Planted::other(at.clone(), Kind::Device)),
        _ => Some(file(rng, at.clone())),
    });
}

/// Plants what the twist asks for at the target, and says whether to overwrite.
fn plant_target(
    rng: &mut Rng,
    twist: Twist,
    source: Option<Planted>,
    at: &FilePath,
    planted: &mut Vec<Planted>,
) -> Overwrite {
    match twist {
        Twist::TargetExists => {
            planted.push(file(rng, at.clone()));
            *rng.pick(&[Overwrite::Replace, Overwrite::Compare])
        }
        Twist::TargetExistsNever => {
            planted.push(file(rng, at.clone()));
            Overwrite::Never
        }
        Twist::Unchanged => {
            planted.extend(source.map(|source| Planted {
                path: at.clone(),
                ..source
            }));
            Overwrite::Compare
        }
        Twist::TargetIsDirectory => {
            planted.push(Planted::other(at.clone(), Kind::Directory));
            Overwrite::Replace
        }
        Twist::DirectoryMissing => Overwrite::Replace,
        _ => *rng.pick(&[Overwrite::Replace, Overwrite::Compare, Overwrite::Never]),
    }
}

/// Where a target lies: in the root, or in a directory that may be missing.
fn target(rng: &mut Rng, twist: Twist, name: String, planted: &mut Vec<Planted>) -> FilePath {
    if twist == Twist::DirectoryMissing {
        path(&format!("missing/{name}"))
    } else if rng.one_in(3) {
        let directory_name = format!("dir{}", rng.below(100));
        if !planted.iter().any(|p| p.path == path(&directory_name)) {
            planted.push(Planted::other(path(&directory_name), Kind::Directory));
        }
        path(&format!("{directory_name}/{name}"))
    } else {
        path(&name)
    }
}

/// A path in the directory about which every request is refused.
fn locked() -> FilePath {
    path(&format!("{}/x", LOCKED.escape_ascii()))
}

fn put(rng: &mut Rng, number: u64, twist: Twist, plan: &mut ClientPlan) -> Goal {
    let local = path(&format!("source{number}"));
    plant_source(rng, twist, &local, &mut plan.local);
    let twin = plan.local.last().cloned();
    let mut remote = target(rng, twist, format!("put{number}"), &mut plan.remote);
    let mut overwrite = plant_target(rng, twist, twin, &remote, &mut plan.remote);
    match twist {
        Twist::Locked => remote = locked(),
        Twist::SameTarget => {
            if let Some(earlier) = plan.goals.iter_mut().find_map(contested_put) {
                remote = earlier;
                overwrite = Overwrite::Replace;
            }
        }
        _ => {}
    }
    Goal::Put(Copy {
        local,
        remote,
        overwrite,
        durability: durability(rng),
        preserve: false,
        tree: false,
    })
}

/// The target of an earlier upload that another one is to contest.
fn contested_put(plan: &mut GoalPlan) -> Option<FilePath> {
    match &mut plan.goal {
        Goal::Put(copy) if copy.remote.components().next() != Some(LOCKED) => {
            copy.overwrite = Overwrite::Replace;
            Some(copy.remote.clone())
        }
        _ => None,
    }
}

fn get(rng: &mut Rng, number: u64, twist: Twist, plan: &mut ClientPlan) -> Goal {
    let mut remote = path(&format!("get{number}"));
    plant_source(rng, twist, &remote, &mut plan.remote);
    let twin = plan.remote.last().cloned();
    let local = target(rng, twist, format!("got{number}"), &mut plan.local);
    let overwrite = plant_target(rng, twist, twin, &local, &mut plan.local);
    if twist == Twist::Locked {
        remote = locked();
    }
    // Sometimes what was uploaded before comes back.
    if twist == Twist::SameTarget
        && let Some(earlier) = plan.goals.iter_mut().find_map(contested_put)
    {
        remote = earlier;
    }
    Goal::Get(Copy {
        local,
        remote,
        overwrite,
        durability: durability(rng),
        preserve: rng.one_in(2),
        tree: false,
    })
}

fn list(rng: &mut Rng, number: u64, twist: Twist, plan: &mut ClientPlan) -> Goal {
    let remote = path(&format!("list{number}"));
    match twist {
        Twist::SourceMissing => {}
        Twist::SourceIsDirectory => plan.remote.push(file(rng, remote.clone())),
        _ if rng.one_in(4) => return Goal::List(FilePath::root()),
        _ => {
            plan.remote
                .push(Planted::other(remote.clone(), Kind::Directory));
            for entry in 0..rng.log_uniform(2_000) {
                let tail = "x".repeat(rng.log_uniform(200) as usize);
                let name = path(&format!("list{number}/{entry}{tail}"));
                let mtime = WALL_CLOCK + entry as i64;
                plan.remote.push(Planted::file(name, 0, 0, mtime));
            }
        }
    }
    Goal::List(remote)
}

fn stat(rng: &mut Rng, number: u64, twist: Twist, plan: &mut ClientPlan) -> Goal {
    let remote = path(&format!("stat{number}"));
    match twist {
        Twist::SourceMissing => {}
        Twist::SourceIsDirectory => {
            plan.remote
                .push(Planted::other(remote.clone(), Kind::Directory));
        }
        Twist::SourceIsDevice => plan
            .remote
            .push(Planted::other(remote.clone(), Kind::Device)),
        _ => plan.remote.push(file(rng, remote.clone())),
    }
    Goal::Stat(remote)
}
