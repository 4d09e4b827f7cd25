//! One run: transfers from start to end, with a look at the sink's disk before and after each of its operations.

use proto_core::fault::Fault;
use proto_core::wire::FilePath;
use proto_core::{
    Event, Failure, FileReport, Finished, Overwrite, PIECE_SIZE, Place, Request, TransferId,
};

use super::again::again;
use super::case::{Case, Sent, TREE_SOURCE, TREE_TARGET, path};
use super::exchange::{CLIENT, Exchange, ROOT, SERVER, Setup, TIME_MAX};
use super::judge::{After, Found, Told, judge};
use super::{Lie, Report, SUBSETS};
use crate::disk::{Disk, DiskPlan};
use crate::rng::Rng;

/// Deaths of the process at each moment.
const PROCESS_CRASHES: u64 = 4;
/// At one moment in so many, one of the crashed disks is used again.
const RESTART_ONE_IN: u64 = 8;
/// At one moment in so many, the same transfers run again on one of the crashed disks.
const RESUME_ONE_IN: u64 = 6;

/// Where a run says what happens.
type Trace<'a> = &'a mut dyn FnMut(&str);

type Checked<T> = Result<T, String>;

/// Runs what `seed` draws. `trace` is told of every moment.
///
/// # Errors
/// The first broken promise: at which moment, after which crash, and what was found.
pub fn run_seed(seed: u64, lie: Lie, trace: &mut dyn FnMut(&str)) -> Result<Report, String> {
    run_case(seed, &Case::draw(seed, lie), trace)
}

/// Runs what `seed` draws, with a bug planted in both cores that strikes one time in so many; with `failing_syncs` a
/// third of all syncs fail.
///
/// # Errors
/// The first broken promise.
pub fn run_bug(seed: u64, bug: (Fault, u32), failing_syncs: bool) -> Result<Report, String> {
    let mut case = Case::draw(seed, Lie::None);
    case.bug = Some(bug);
    if failing_syncs {
        case.disk.sync_errors = 333_333;
    }
    run_case(seed, &case, &mut |_| {})
}

fn run_case(seed: u64, case: &Case, trace: Trace<'_>) -> Result<Report, String> {
    trace(&format!("{case:#?}"));
    let mut rng = Rng::new(seed, 0xc4a6);
    let exchange = build(case, &mut rng)?;
    let run = Run {
        sink: if case.download { CLIENT } else { SERVER },
        told: vec![None; case.files.len()],
        transfers: Vec::new(),
        report: Report {
            runs: 1,
            files: case.files.len() as u64,
            ..Report::default()
        },
        case,
        exchange,
        rng,
        trace,
    };
    run.run()
}

/// Both ends, with all files in place.
fn build(case: &Case, rng: &mut Rng) -> Checked<Exchange> {
    let mut source = Disk::new(DiskPlan::default(), rng.fork());
    let mut sink = Disk::new(case.disk, rng.fork());
    source.add_root(ROOT);
    sink.add_root(ROOT);
    if case.tree {
        source.plant_directory(ROOT, &path(TREE_SOURCE));
    }
    for file in &case.files {
        source.plant(ROOT, &file.source, file.content.clone(), file.mtime);
    }
    for target in &case.targets {
        let directory = target.path.parent();
        if !directory.is_root() && case.there && sink.meta(ROOT, &directory).is_none() {
            sink.plant_directory(ROOT, &directory);
        }
        if let Some((content, mtime)) = &target.old {
            sink.plant(ROOT, &target.path, content.clone(), *mtime);
        }
    }
    let setup = Setup {
        datagram_size: case.datagram_size,
        sink_blocks: case.sink_blocks,
        journal_min: case.journal_min,
        bug: case.bug,
    };
    let disks = if case.download {
        [sink, source]
    } else {
        [source, sink]
    };
    Exchange::new(setup, rng, disks)
}

fn request(case: &Case, sent: &Sent) -> Request {
    let (from, target) = match case.tree {
        true => (path(TREE_SOURCE), path(TREE_TARGET)),
        false => (sent.source.clone(), case.targets[sent.target].path.clone()),
    };
    let tree = case.tree;
    let here = |path: &FilePath| Place {
        root: ROOT,
        path: path.clone(),
    };
    if case.download {
        Request::Get {
            from,
            to: here(&target),
            overwrite: sent.overwrite,
            durability: sent.durability,
            preserve: true,
            keep_top_mode: false,
            tree,
        }
    } else {
        Request::Put {
            from: here(&from),
            to: target,
            overwrite: sent.overwrite,
            durability: sent.durability,
            tree,
        }
    }
}

struct Run<'a> {
    case: &'a Case,
    exchange: Exchange,
    /// The side of the sink.
    sink: usize,
    told: Told,
    transfers: Vec<TransferId>,
    report: Report,
    rng: Rng,
    trace: Trace<'a>,
}

impl Run<'_> {
    fn run(mut self) -> Checked<Report> {
        let end = self.exchange.now + TIME_MAX;
        self.moment("before all")?;
        loop {
            self.react()?;
            let over = self.told.iter().all(Option::is_some);
            let at_rest = self
                .exchange
                .sides
                .iter()
                .all(|side| side.disk.on_loan() == 0);
            if over && at_rest {
                break;
            }
            let next = self.exchange.next_time().filter(|at| *at <= end);
            let next = next.ok_or_else(|| format!("the transfers do not end: {:?}", self.told))?;
            self.exchange.now = self.exchange.now.max(next);
            self.exchange.deliver();
            self.react()?;
            self.work()?;
            self.exchange.tick();
        }
        self.moment("after all")?;
        self.report.operations = self.exchange.sides[self.sink].disk.stats().operations;
        Ok(self.report)
    }

    /// Answers events until there are none.
    fn react(&mut self) -> Checked<()> {
        loop {
            let events = self.exchange.flush();
            if events.is_empty() {
                return Ok(());
            }
            for (side, event) in events {
                self.on_event(side, event)?;
            }
        }
    }

    fn on_event(&mut self, side: usize, event: Event) -> Checked<()> {
        self.exchange.answer(side, &event)?;
        match event {
            Event::PeerReady { .. } if side == CLIENT => {
                let transfers = if self.case.tree { 1 } else { usize::MAX };
                for sent in self.case.files.iter().take(transfers) {
                    let request = request(self.case, sent);
                    self.transfers.push(self.exchange.start(request)?);
                }
            }
            Event::Files { files, .. } if side == CLIENT => {
                for report in files {
                    self.told_of(&report)?;
                }
            }
            Event::Finished { result, .. } if side == CLIENT && self.case.tree => {
                for told in self.told.iter_mut().filter(|told| told.is_none()) {
                    let failure = result.err().ok_or("a file of the tree was not told of")?;
                    *told = Some(Err(failure));
                }
                self.moment("after the client was told of the tree")?;
            }
            Event::Finished {
                transfer, result, ..
            } if side == CLIENT => {
                let file = self.transfers.iter().position(|id| *id == transfer);
                let file = file.ok_or_else(|| format!("{transfer:?} was never started"))?;
                (self.trace)(&format!("the client is told of file {file}: {result:?}"));
                self.told[file] = Some(result);
                self.moment("after the client was told")?;
            }
            _ => {}
        }
        Ok(())
    }

    /// The client was told what became of a file of the tree.
    fn told_of(&mut self, report: &FileReport) -> Checked<()> {
        let is_it = |target: &super::case::Target| target.path.name() == Some(&report.path[..]);
        let Some(file) = self.case.targets.iter().position(is_it) else {
            return Ok(());
        };
        (self.trace)(&format!("the client is told of file {file}: {report:?}"));
        let told = match report.result {
            Ok(how) => Ok(Finished::Stored {
                root: report.root,
                size: report.size,
                how,
                durability: report.durability,
            }),
            Err(code) => Err(Failure::Here(code)),
        };
        if self.told[file].replace(told).is_some() {
            return Err(format!("file {file} was told of twice"));
        }
        self.moment("after the client was told of a file")
    }

    /// Carries out what the disks have to do by now.
    fn work(&mut self) -> Checked<()> {
        for number in [CLIENT, SERVER] {
            loop {
                let now = self.exchange.now;
                let disk = &self.exchange.sides[number].disk;
                if disk.next_time().is_none_or(|at| at > now) {
                    break;
                }
                let watched = number == self.sink;
                if watched {
                    self.moment("before an operation")?;
                }
                let side = &mut self.exchange.sides[number];
                let Some(done) = side.disk.complete(now) else {
                    // One step of several.
                    if watched {
                        self.moment("after a step of an operation")?;
                    }
                    continue;
                };
                if let Some(breach) = side.disk.take_breaches().pop() {
                    return Err(format!("file operations: {breach}"));
                }
                if watched {
                    (self.trace)(&format!("{now:?}: {:?} brought {:?}", done.id, done.result));
                    self.moment("after an operation")?;
                }
                let side = &mut self.exchange.sides[number];
                side.endpoint.handle_file_done(now, done);
                self.react()?;
            }
        }
        Ok(())
    }

    /// Looks at the sink's disk as it is and as crashes may leave it.
    fn moment(&mut self, when: &str) -> Checked<()> {
        let moment = self.report.moments;
        self.report.moments += 1;
        let disk = self.exchange.sides[self.sink].disk.clone();
        let at = |what: String| format!("moment {moment} ({when}): {what}");
        judge(self.case, &self.told, &disk, After::Nothing).map_err(at)?;
        for number in 0..PROCESS_CRASHES {
            let mut disk = disk.clone();
            disk.set_rng(self.rng.fork());
            disk.process_crash();
            self.report.process_crashes += 1;
            let at = |what: String| at(format!("end {number} of the process: {what}"));
            judge(self.case, &self.told, &disk, After::Nothing).map_err(at)?;
            if number == 0 && self.rng.one_in(RESUME_ONE_IN) {
                self.resume(disk, true).map_err(at)?;
            }
        }
        let restart = self
            .rng
            .one_in(RESTART_ONE_IN)
            .then(|| self.rng.below(SUBSETS));
        for subset in 0..SUBSETS {
            let mut disk = disk.clone();
            disk.set_rng(self.rng.fork());
            disk.power_loss();
            self.report.points += 1;
            let at = |what: String| at(format!("power loss {subset}: {what}"));
            let found = judge(self.case, &self.told, &disk, After::PowerLoss).map_err(at)?;
            self.report.count(&found);
            // The directory of a tree may be gone with the power.
            if restart == Some(subset) && !self.case.tree {
                self.report.restarts += 1;
                again(&self.case.targets[0].path, disk, self.rng.fork()).map_err(at)?;
            } else if subset == 0 && self.rng.one_in(RESUME_ONE_IN) {
                self.resume(disk, false).map_err(at)?;
            }
        }
        Ok(())
    }
}

impl Run<'_> {
    /// After a restart with `disk` at the sink, the same transfers again must all succeed and last, whatever is left of the
    /// first ones. `all` says that all that was written is there.
    fn resume(&mut self, mut disk: Disk, all: bool) -> Checked<()> {
        let case = self.case;
        // A file of one piece has no journal.
        let least = case.journal_min.max(PIECE_SIZE + 1);
        let large = |sent: &Sent| case.tree || sent.content.len() >= least;
        if !case.files.iter().any(large) {
            return Ok(());
        }
        let mut source = self.exchange.sides[1 - self.sink].disk.clone();
        disk.set_plan(DiskPlan::default());
        // All files of a directory go in one transfer.
        let transfers = if case.tree { 1 } else { usize::MAX };
        for sent in case.files.iter().filter(|sent| large(sent)).take(transfers) {
            for disk in [&mut source, &mut disk] {
                disk.process_crash();
            }
            let mut request = request(case, sent);
            let (Request::Get { overwrite, .. } | Request::Put { overwrite, .. }) = &mut request
            else {
                continue;
            };
            if *overwrite == Overwrite::Never {
                *overwrite = Overwrite::Replace;
            }
            let replaces = *overwrite == Overwrite::Replace;
            let setup = Setup {
                datagram_size: case.datagram_size,
                sink_blocks: case.sink_blocks,
                journal_min: case.journal_min,
                bug: None,
            };
            let disks = [disk, source];
            let disks = if self.sink == CLIENT {
                disks
            } else {
                let [a, b] = disks;
                [b, a]
            };
            let mut exchange = Exchange::new(setup, &mut self.rng, disks)?;
            let result = exchange.finish(request, |_| {})?;
            let [client, server] = exchange.sides.map(|side| side.disk);
            (disk, source) = if self.sink == CLIENT {
                (client, server)
            } else {
                (server, client)
            };
            if result.is_err() {
                return Err(format!("the same again ended with {result:?}"));
            }
            let all = case.files.iter().filter(|_| case.tree);
            for sent in all.chain([sent]) {
                let target = &case.targets[sent.target];
                let is = disk.content(ROOT, &target.path);
                let old = target.old.as_ref().map(|(content, _)| content);
                // What is there may pass for the same file.
                if is != Some(&sent.content) && (replaces || is != old) {
                    return Err(format!(
                        "the same again left another file under {:?}",
                        target.path
                    ));
                }
            }
        }
        let left = disk
            .walk(ROOT)
            .into_iter()
            .filter(FilePath::is_reserved)
            .count();
        // Small files of a directory leave temporary files with names on this disk, which a week sweeps away.
        if all && left > 0 && case.files.len() == 1 && !case.tree {
            return Err(format!("{left} temporary files and journals are left"));
        }
        self.report.resumes += 1;
        Ok(())
    }
}

impl Report {
    fn count(&mut self, found: &[Found]) {
        for found in found {
            match found {
                Found::Old => self.found_old += 1,
                Found::New => self.found_new += 1,
                Found::Remnant => self.found_remnant += 1,
            }
        }
    }
}
