//! `sim crash`: power losses before and after every file operation.

use std::time::Instant;

use sim::crash::{Amount, Lie, Summary, explore, run_seed};

/// Lose power before and after every file operation of uploads and downloads, and look at what is left; ends with 0 if
/// no promise of durability was broken.
#[derive(clap::Args, Debug)]
pub(crate) struct Crash {
    /// Power losses to judge, at least.
    #[arg(long, default_value_t = 200_000)]
    points: u64,
    /// Exactly so many runs instead.
    #[arg(long, conflicts_with = "points")]
    runs: Option<u64>,
    /// The first run's seed.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// What the disk lies about, to see that it is noticed.
    #[arg(long, value_enum, default_value_t = Lies::None)]
    lie: Lies,
    /// Print what happens in the first run.
    #[arg(long)]
    trace: bool,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug)]
enum Lies {
    None,
    Sync,
    SyncDir,
}

impl Lies {
    fn lie(self) -> Lie {
        match self {
            Self::None => Lie::None,
            Self::Sync => Lie::Sync,
            Self::SyncDir => Lie::SyncDir,
        }
    }

    fn option(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Sync => " --lie sync",
            Self::SyncDir => " --lie sync-dir",
        }
    }
}

/// Runs the command; true when no promise was broken.
pub(crate) fn run(args: &Crash) -> bool {
    let lie = args.lie.lie();
    if args.trace {
        let result = run_seed(args.seed, lie, &mut |line| println!("{line}"));
        println!("{result:#?}");
        let one = explore(args.seed, Amount::Runs(1), lie);
        println!("with changes of names: {one:#?}");
        return one.violations.is_empty();
    }
    let amount = args.runs.map_or(Amount::Points(args.points), Amount::Runs);
    let began = Instant::now();
    let summary = explore(args.seed, amount, lie);
    for violation in &summary.violations {
        println!("seed {}: {}", violation.seed, violation.what);
        println!(
            "  replay: cargo run --release -p sim -- crash --seed {} --trace{}",
            violation.seed,
            args.lie.option()
        );
    }
    print_summary(&summary, began.elapsed().as_secs_f64());
    summary.violations.is_empty()
}

fn print_summary(summary: &Summary, wall: f64) {
    let total = &summary.total;
    println!(
        "{} power losses at {} moments, before and after each of {} file operations of {} files and {} changes of names in {} runs",
        total.points, total.moments, total.operations, total.files, total.changes, total.runs
    );
    println!(
        "found then: the file from before {} times, the new one {}, a remnant that durability none allows {}",
        total.found_old, total.found_new, total.found_remnant
    );
    println!(
        "{} ends of the process alone, {} restarts with another upload, {} with the same again",
        total.process_crashes, total.restarts, total.resumes
    );
    println!("{} violations, {wall:.1} s", summary.violations.len());
}
