//! Changes of names: directories made, things renamed and removed, by a server that loses power, or dies, before and after every
//! step of its disk.
//!
//! | asked for | before the client is told | once it was told DONE with durability `full`, or only the process died |
//! |---|---|---|
//! | MKDIR | some of the directories, from the top on | all of them |
//! | RENAME | the old name or the new one, never both and never neither; what is replaced is there until then | the new one |
//! | REMOVE | some of the names, each whole | none of them |
//!
//! What was not named stays as it was.

use proto_core::wire::{Durability, FilePath};
use proto_core::{Finished, Request};

use super::case::{draw_disk, path};
use super::exchange::{CLIENT, Exchange, ROOT, SERVER, Setup};
use super::judge::After;
use super::{Lie, Report, SUBSETS};
use crate::disk::{Content, Disk, DiskPlan};
use crate::rng::Rng;

/// Deaths of the process at each moment.
const PROCESS_CRASHES: u64 = 2;

/// What is asked for.
#[derive(Debug)]
enum Change {
    /// All components of the path, of which the first `there` stand there already.
    Make { path: FilePath, there: usize },
    /// One thing gets the other's name; the latter may be there.
    Rename { from: FilePath, to: FilePath },
    /// These names, the one that is asked for first.
    Remove(Vec<FilePath>),
}

/// One run.
#[derive(Debug)]
struct Case {
    change: Change,
    durability: Durability,
    /// What stands there before: files with their bytes, directories without any. A directory before what is in it.
    planted: Vec<(FilePath, Option<Content>)>,
    disk: DiskPlan,
}

impl Case {
    fn draw(rng: &mut Rng, lie: Lie) -> Self {
        let content = |rng: &mut Rng| Some(Content::generated(rng.next_u64(), rng.below(2_000)));
        let mut planted = vec![
            (path("d"), None),
            (path("d/bystander"), content(rng)),
            (path("e"), None),
        ];
        let change = match rng.below(4) {
            0 => {
                let parts = ["d", "x", "y", "z"];
                let depth = 2 + rng.below(3) as usize;
                let path = path(&parts[..depth].join("/"));
                Change::Make { path, there: 1 }
            }
            1 | 2 => {
                let directory = rng.one_in(3);
                let from = path("d/from");
                planted.push((from.clone(), (!directory).then(|| content(rng)).flatten()));
                if directory {
                    planted.push((path("d/from/in"), content(rng)));
                }
                let to = *rng.pick(&["d/to", "e/to"]);
                let to = path(to);
                if !directory && rng.one_in(2) {
                    planted.push((to.clone(), content(rng)));
                }
                Change::Rename { from, to }
            }
            _ => {
                let mut names = vec![path("d/gone")];
                if rng.one_in(3) {
                    planted.push((path("d/gone"), content(rng)));
                } else {
                    planted.push((path("d/gone"), None));
                    let count = rng.below(6);
                    for number in 0..count {
                        let name = path(&format!("d/gone/{number}"));
                        planted.push((name.clone(), content(rng)));
                        names.push(name);
                    }
                }
                Change::Remove(names)
            }
        };
        Self {
            change,
            durability: *rng.pick(&[Durability::Full, Durability::Full, Durability::None]),
            planted,
            disk: draw_disk(rng, lie),
        }
    }

    fn request(&self) -> Request {
        let durability = self.durability;
        match &self.change {
            Change::Make { path, .. } => Request::MakeDir {
                path: path.clone(),
                parents: true,
                exclusive: false,
                durability,
            },
            Change::Rename { from, to } => Request::Rename {
                from: from.clone(),
                to: to.clone(),
                replace: true,
                durability,
            },
            Change::Remove(names) => Request::Remove {
                path: names.first().cloned().unwrap_or_else(FilePath::root),
                recursive: true,
                durability,
            },
        }
    }

    /// What stood under a name before.
    fn before(&self, path: &FilePath) -> Option<&Option<Content>> {
        let is_it = |(planted, _): &&(FilePath, Option<Content>)| planted == path;
        self.planted.iter().find(is_it).map(|(_, content)| content)
    }

    /// Whether what stands under `now` is what stood under `then` before.
    fn is_as(&self, disk: &Disk, now: &FilePath, then: &FilePath) -> bool {
        match self.before(then) {
            Some(Some(content)) => disk.content(ROOT, now) == Some(content),
            Some(None) => disk.content(ROOT, now).is_none() && disk.meta(ROOT, now).is_some(),
            None => disk.meta(ROOT, now).is_none(),
        }
    }

    /// Whether the disk is as it may be; `promised` says that the change must be there.
    fn judge(&self, disk: &Disk, promised: bool) -> Result<(), String> {
        let there = |path: &FilePath| disk.meta(ROOT, path).is_some();
        let lost = |path: &FilePath| Err(format!("{path:?} is not as it was told to be"));
        let named: Vec<&FilePath> = match &self.change {
            Change::Make { .. } => Vec::new(),
            Change::Rename { from, to } => vec![from, to],
            Change::Remove(names) => names.iter().collect(),
        };
        for (path, _) in &self.planted {
            let below = |named: &&FilePath| {
                let rest = path.as_bytes().strip_prefix(named.as_bytes());
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
            };
            if !named.iter().any(below) && !self.is_as(disk, path, path) {
                return Err(format!("{path:?} was not named, and is not what it was"));
            }
        }
        match &self.change {
            Change::Make {
                path,
                there: before,
            } => {
                let depth = path.components().count();
                let made = (1..=depth).take_while(|n| there(&path.first(*n))).count();
                if made < *before || (promised && made < depth) {
                    return lost(path);
                }
            }
            Change::Rename { from, to } => {
                let old = self.is_as(disk, from, from) && self.is_as(disk, to, to);
                let new = !there(from) && self.is_as(disk, to, from);
                if !new && (promised || !old) {
                    return lost(to);
                }
            }
            Change::Remove(names) => {
                for name in names.iter().filter(|name| there(name)) {
                    if promised || !self.is_as(disk, name, name) {
                        return lost(name);
                    }
                }
            }
        }
        Ok(())
    }
}

/// Runs what `seed` draws.
///
/// # Errors
/// The first broken promise.
pub(super) fn run(seed: u64, lie: Lie) -> Result<Report, String> {
    let mut rng = Rng::new(seed, 0x9a3e);
    let case = Case::draw(&mut rng, lie);
    let mut server = Disk::new(case.disk, rng.fork());
    server.add_root(ROOT);
    for (path, content) in &case.planted {
        match content {
            Some(content) => server.plant(ROOT, path, content.clone(), 1),
            None => server.plant_directory(ROOT, path),
        };
    }
    let mut client = Disk::new(DiskPlan::default(), rng.fork());
    client.add_root(ROOT);
    let setup = Setup {
        datagram_size: 1_452,
        sink_blocks: 8,
        journal_min: u64::MAX,
        bug: None,
    };
    let mut exchange = Exchange::new(setup, &mut rng, [client, server])?;
    let mut report = Report {
        changes: 1,
        ..Report::default()
    };
    let mut broken = Ok(());
    let mut look = |exchange: &mut Exchange, told: Option<Durability>| {
        let disk = &exchange.sides[SERVER].disk;
        if broken.is_ok() {
            broken = moment(&case, disk, told, &mut rng, &mut report);
        }
    };
    let result = exchange.finish(case.request(), |exchange| look(exchange, None))?;
    let told = match result {
        Ok(Finished::Changed { durability, .. }) => Some(durability),
        Ok(other) => return Err(format!("{other:?} is no answer to {:?}", case.change)),
        // A disk that fails may fail; what is half done then is told by nobody.
        Err(_) => None,
    };
    look(&mut exchange, told);
    report.operations = exchange.sides[SERVER].disk.stats().operations;
    debug_assert_eq!(exchange.sides[CLIENT].disk.stats().operations, 0);
    let case = format!("{:?}, durability {:?}", case.change, case.durability);
    broken
        .map_err(|what| format!("{case}: {what}"))
        .map(|()| report)
}

/// Looks at the disk as it is and as crashes may leave it.
fn moment(
    case: &Case,
    disk: &Disk,
    told: Option<Durability>,
    rng: &mut Rng,
    report: &mut Report,
) -> Result<(), String> {
    report.moments += 1;
    let crashes = (0..PROCESS_CRASHES).map(|_| After::Nothing);
    for after in crashes.chain((0..SUBSETS).map(|_| After::PowerLoss)) {
        let mut disk = disk.clone();
        disk.set_rng(rng.fork());
        match after {
            After::Nothing => {
                report.process_crashes += 1;
                disk.process_crash();
            }
            After::PowerLoss => {
                report.points += 1;
                disk.power_loss();
            }
        }
        let promised = match told {
            Some(durability) => after == After::Nothing || durability == Durability::Full,
            None => false,
        };
        case.judge(&disk, promised)
            .map_err(|what| format!("after {after:?}: {what}"))?;
    }
    Ok(())
}
