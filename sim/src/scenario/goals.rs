//! Drawing a user's goals, and what must be there for each.

use proto_core::wire::{Durability, ErrorCode, FilePath};
use proto_core::{Duration, Overwrite};

use super::{ClientPlan, Expect, Goal, GoalPlan, LOCKED, LOCKED_CODE, Planted, PlantedKind};
use crate::disk::{Content, WALL_CLOCK};
use crate::rng::Rng;

/// What may come of two transfers that touch one file.
const CONTESTED: &[ErrorCode] = &[
    ErrorCode::TargetChanged,
    ErrorCode::SourceChanged,
    ErrorCode::NotFound,
];

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
    let (goal, expect) = match rng.below(20) {
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
        cancel_after,
        goal,
        expect,
    });
}

/// A path of components that are valid: they are written in this file.
fn path(text: &str) -> FilePath {
    FilePath::parse(text.as_bytes()).unwrap_or_default()
}

fn file(rng: &mut Rng, path: FilePath) -> Planted {
    let len = super::draw_size(rng);
    let mtime = WALL_CLOCK - rng.below(1 << 50) as i64;
    let what = PlantedKind::File(Content::generated(rng.next_u64(), len), mtime);
    Planted { path, what }
}

fn directory(path: FilePath) -> Planted {
    let what = PlantedKind::Directory;
    Planted { path, what }
}

fn device(path: FilePath) -> Planted {
    let what = PlantedKind::Device;
    Planted { path, what }
}

fn durability(rng: &mut Rng) -> Durability {
    *rng.pick(&[Durability::None, Durability::File, Durability::Full])
}

/// Plants what the twist asks for at the source, and says what must come of it.
fn plant_source(rng: &mut Rng, twist: Twist, at: &FilePath, planted: &mut Vec<Planted>) -> Expect {
    match twist {
        Twist::SourceMissing => return Expect::Failure(&[ErrorCode::NotFound]),
        Twist::SourceIsDirectory => {
            planted.push(directory(at.clone()));
            return Expect::Failure(&[ErrorCode::IsDirectory]);
        }
        Twist::SourceIsDevice => {
            planted.push(device(at.clone()));
            return Expect::Failure(&[ErrorCode::NotRegular]);
        }
        _ => planted.push(file(rng, at.clone())),
    }
    Expect::Success
}

/// Plants what the twist asks for at the target, and says whether to overwrite and what must come of it.
fn plant_target(
    rng: &mut Rng,
    twist: Twist,
    source: Option<Planted>,
    at: &FilePath,
    planted: &mut Vec<Planted>,
) -> (Overwrite, Expect) {
    match twist {
        Twist::TargetExists => {
            planted.push(file(rng, at.clone()));
            let overwrite = *rng.pick(&[Overwrite::Replace, Overwrite::Compare]);
            (overwrite, Expect::Success)
        }
        Twist::TargetExistsNever => {
            planted.push(file(rng, at.clone()));
            (Overwrite::Never, Expect::Failure(&[ErrorCode::Exists]))
        }
        Twist::Unchanged => {
            planted.extend(source.map(|source| Planted {
                path: at.clone(),
                ..source
            }));
            (Overwrite::Compare, Expect::Success)
        }
        Twist::TargetIsDirectory => {
            planted.push(directory(at.clone()));
            let codes = &[ErrorCode::IsDirectory, ErrorCode::Exists];
            (Overwrite::Replace, Expect::Failure(codes))
        }
        Twist::DirectoryMissing => {
            let codes = &[ErrorCode::NotFound, ErrorCode::NotDirectory];
            (Overwrite::Replace, Expect::Failure(codes))
        }
        _ => {
            let any = [Overwrite::Replace, Overwrite::Compare, Overwrite::Never];
            (*rng.pick(&any), Expect::Success)
        }
    }
}

/// Where a target lies: in the root, or in a directory that may be missing.
fn target(rng: &mut Rng, twist: Twist, name: String, planted: &mut Vec<Planted>) -> FilePath {
    if twist == Twist::DirectoryMissing {
        path(&format!("missing/{name}"))
    } else if rng.one_in(3) {
        let directory_name = format!("dir{}", rng.below(100));
        if !planted.iter().any(|p| p.path == path(&directory_name)) {
            planted.push(directory(path(&directory_name)));
        }
        path(&format!("{directory_name}/{name}"))
    } else {
        path(&name)
    }
}

/// Both expectations must hold; a failure of the source comes first.
fn both(source: Expect, target: Expect) -> Expect {
    if source == Expect::Success {
        target
    } else {
        source
    }
}

fn put(rng: &mut Rng, number: u64, twist: Twist, plan: &mut ClientPlan) -> (Goal, Expect) {
    let local = path(&format!("source{number}"));
    let source = plant_source(rng, twist, &local, &mut plan.local);
    let twin = plan.local.last().cloned();
    let mut remote = target(rng, twist, format!("put{number}"), &mut plan.remote);
    let (mut overwrite, result) = plant_target(rng, twist, twin, &remote, &mut plan.remote);
    let mut expect = both(source, result);
    if twist == Twist::Locked {
        remote = path(&format!("{}/x", LOCKED.escape_ascii()));
        expect = Expect::Failure(&[LOCKED_CODE]);
    }
    if twist == Twist::SameTarget
        && let Some(earlier) = plan.goals.iter_mut().find_map(contested_put)
    {
        remote = earlier;
        overwrite = Overwrite::Replace;
        expect = Expect::Either(CONTESTED);
    }
    let goal = Goal::Put {
        local,
        remote,
        overwrite,
        durability: durability(rng),
    };
    (goal, expect)
}

/// The target of an earlier upload that another one is to contest.
fn contested_put(plan: &mut GoalPlan) -> Option<FilePath> {
    match &mut plan.goal {
        Goal::Put {
            remote, overwrite, ..
        } if plan.expect != Expect::Failure(&[LOCKED_CODE])
            && !matches!(plan.expect, Expect::Failure(_)) =>
        {
            *overwrite = Overwrite::Replace;
            plan.expect = Expect::Either(CONTESTED);
            Some(remote.clone())
        }
        _ => None,
    }
}

fn get(rng: &mut Rng, number: u64, twist: Twist, plan: &mut ClientPlan) -> (Goal, Expect) {
    let mut remote = path(&format!("get{number}"));
    let source = plant_source(rng, twist, &remote, &mut plan.remote);
    let twin = plan.remote.last().cloned();
    let local = target(rng, twist, format!("got{number}"), &mut plan.local);
    let (overwrite, result) = plant_target(rng, twist, twin, &local, &mut plan.local);
    let mut expect = both(source, result);
    if twist == Twist::Locked {
        remote = path(&format!("{}/x", LOCKED.escape_ascii()));
        expect = Expect::Failure(&[LOCKED_CODE]);
    }
    let goal = Goal::Get {
        remote,
        local,
        overwrite,
        durability: durability(rng),
        preserve: rng.one_in(2),
    };
    (goal, expect)
}

fn list(rng: &mut Rng, number: u64, twist: Twist, plan: &mut ClientPlan) -> (Goal, Expect) {
    let remote = path(&format!("list{number}"));
    let mut expect = Expect::Success;
    match twist {
        Twist::SourceMissing => expect = Expect::Failure(&[ErrorCode::NotFound]),
        Twist::SourceIsDirectory => {
            plan.remote.push(file(rng, remote.clone()));
            expect = Expect::Failure(&[ErrorCode::NotDirectory]);
        }
        _ if rng.one_in(4) => {
            return (
                Goal::List {
                    remote: FilePath::root(),
                },
                expect,
            );
        }
        _ => {
            plan.remote.push(directory(remote.clone()));
            for entry in 0..rng.log_uniform(2_000) {
                let tail = "x".repeat(rng.log_uniform(200) as usize);
                let name = path(&format!("list{number}/{entry}{tail}"));
                let what = PlantedKind::File(Content::default(), WALL_CLOCK + entry as i64);
                plan.remote.push(Planted { path: name, what });
            }
        }
    }
    (Goal::List { remote }, expect)
}

fn stat(rng: &mut Rng, number: u64, twist: Twist, plan: &mut ClientPlan) -> (Goal, Expect) {
    let remote = path(&format!("stat{number}"));
    let mut expect = Expect::Success;
    match twist {
        Twist::SourceMissing => expect = Expect::Failure(&[ErrorCode::NotFound]),
        Twist::SourceIsDirectory => plan.remote.push(directory(remote.clone())),
        Twist::SourceIsDevice => plan.remote.push(device(remote.clone())),
        _ => plan.remote.push(file(rng, remote.clone())),
    }
    (Goal::Stat { remote }, expect)
}
