//! Drawing directories that users copy, and what stands at their targets before.

use proto_core::wire::FilePath;
use proto_core::{Duration, Overwrite};

use super::goals::{durability, path};
use super::{ClientPlan, Copy, Goal, GoalPlan, HostPlan, Kind, Planted, Scenario, below};
use crate::disk::WALL_CLOCK;
use crate::rng::Rng;

/// Entries of a directory that is drawn, those in its directories included.
const ENTRIES_MAX: u64 = 60;
/// Levels below the directory that is copied.
const DEPTH_MAX: usize = 4;
/// Small files are the most.
const SMALL: u64 = 3_000;
/// The least memory that a directory needs, at its sink and at its source, in blocks.
const BLOCKS_MIN: u32 = 8;
/// In worlds of more users nobody copies directories: these worlds are large enough.
const USERS_MAX: usize = 20;

/// Links that lead to a place in the directory that is copied, and some that do not (C1).
const LINKS: [&str; 8] = [
    "f1",
    "./f2",
    "d3/../f1",
    "..",
    "../../f1",
    "/etc/passwd",
    "../../../../../../x",
    "nowhere/at/all",
];

const KINDS: [Kind; 4] = [Kind::File, Kind::Directory, Kind::Link, Kind::Device];

impl Scenario {
    /// In one run of six, users copy directories besides.
    pub(super) fn draw_trees(&mut self, rng: &mut Rng) {
        if !rng.one_in(6) || self.clients.len() > USERS_MAX {
            return;
        }
        for client in &mut self.clients {
            if !rng.one_in(2) {
                continue;
            }
            for _ in 0..rng.between(1, 2) {
                draw(rng, client);
            }
            give_memory(&mut client.host);
            give_memory(&mut self.server);
        }
    }
}

fn give_memory(host: &mut HostPlan) {
    let limits = &mut host.limits;
    for blocks in [&mut limits.sink_blocks, &mut limits.source_blocks] {
        *blocks = blocks.map(|blocks| blocks.max(BLOCKS_MIN));
    }
}

fn draw(rng: &mut Rng, plan: &mut ClientPlan) {
    let number = plan.goals.len();
    let source = path(&format!("tree{number}"));
    let mut target = path(&format!("copy{number}"));
    if rng.one_in(16) {
        target = path(&format!("missing/copy{number}"));
    }
    let up = rng.one_in(2);
    let (from, to) = match up {
        true => (&mut plan.local, &mut plan.remote),
        false => (&mut plan.remote, &mut plan.local),
    };
    let first = from.len();
    if !rng.one_in(16) {
        plant_source(rng, &source, from);
    }
    if rng.one_in(2) && target.parent().is_root() {
        plant_target(rng, (&source, &from[first..]), &target, to);
    }
    let (local, remote) = match up {
        true => (source, target),
        false => (target, source),
    };
    let copy = Copy {
        local,
        remote,
        overwrite: *rng.pick(&[Overwrite::Replace, Overwrite::Compare, Overwrite::Never]),
        durability: durability(rng),
        preserve: !up && rng.one_in(2),
        tree: true,
    };
    plan.goals.push(GoalPlan {
        starts: Duration::from_nanos(rng.log_uniform(3_000_000_000)),
        in_turn: number > 0 && rng.one_in(6),
        cancel_after: (rng.one_in(16))
            .then(|| Duration::from_nanos(rng.log_uniform(3_000_000_000))),
        goal: if up { Goal::Put(copy) } else { Goal::Get(copy) },
    });
}

/// A directory with files, directories, links and devices.
fn plant_source(rng: &mut Rng, source: &FilePath, planted: &mut Vec<Planted>) {
    planted.push(Planted::other(source.clone(), Kind::Directory));
    let mut directories = vec![source.clone()];
    for number in 0..rng.log_uniform(ENTRIES_MAX) {
        let parent = rng.pick(&directories).clone();
        let is_deep = parent.components().count() > DEPTH_MAX;
        let (letter, kind) = match rng.below(16) {
            0..3 if !is_deep => ("d", Kind::Directory),
            3..5 => ("l", Kind::Link),
            5 => ("x", Kind::Device),
            _ => ("f", Kind::File),
        };
        let Ok(at) = parent.join(format!("{letter}{number}").as_bytes()) else {
            continue;
        };
        if kind == Kind::Directory {
            directories.push(at.clone());
        }
        planted.push(entry(rng, at, kind));
    }
}

fn entry(rng: &mut Rng, at: FilePath, kind: Kind) -> Planted {
    let mtime = WALL_CLOCK - rng.below(1 << 50) as i64;
    match kind {
        Kind::File => {
            let size = match rng.below(6) {
                0 => super::draw_size(rng),
                _ => rng.log_uniform(SMALL),
            };
            Planted::file(at, rng.next_u64() >> 1, size, mtime)
        }
        Kind::Link => Planted::link(at, rng.pick::<&str>(&LINKS), mtime),
        Kind::Directory | Kind::Device => Planted::other(at, kind),
    }
}

/// The target is there: with some of the source's entries, as they are or otherwise, or something that is no directory.
fn plant_target(
    rng: &mut Rng,
    (source, entries): (&FilePath, &[Planted]),
    target: &FilePath,
    planted: &mut Vec<Planted>,
) {
    if rng.one_in(12) {
        let kind = *rng.pick(&[Kind::File, Kind::Device, Kind::Link]);
        planted.push(entry(rng, target.clone(), kind));
        return;
    }
    planted.push(Planted::other(target.clone(), Kind::Directory));
    for of in entries {
        let rest = below(source, &of.path);
        let Some(at) = rest.and_then(|rest| target.join(rest).ok()) else {
            continue;
        };
        let parent = at.parent();
        let parent = planted.iter().find(|planted| planted.path == parent);
        if parent.is_none_or(|parent| parent.kind != Kind::Directory) || rng.one_in(2) {
            continue;
        }
        let same = Planted {
            path: at.clone(),
            ..of.clone()
        };
        planted.push(match rng.below(8) {
            0..4 => same,
            4 => {
                let kind = *rng.pick(&KINDS);
                entry(rng, at, kind)
            }
            _ => entry(rng, at, of.kind),
        });
    }
}
