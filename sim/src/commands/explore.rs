use std::path::PathBuf;
use std::time::Instant;

use sim::classic;
use sim::explore::{Failed, Plan, Summary, explore, explore_with, guarded, run_guarded};
use sim::lab::Trace;
use sim::scenario::Scenario;
use sim::shrink::shrink;

/// Run many seeds on all cores; ends with 0 if no invariant was broken.
#[derive(clap::Args, Debug)]
pub(crate) struct Explore {
    /// How many seeds.
    #[arg(long, default_value_t = 1_000)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    start: u64,
    /// Real cryptography in every run, not in one of 100.
    #[arg(long)]
    tls: bool,
    /// Worlds of the classic dialect.
    #[arg(long, conflicts_with = "tls")]
    classic: bool,
    /// Stop after so many failures.
    #[arg(long, default_value_t = 5)]
    failures: usize,
    /// Runs that may be spent on making a failing scenario smaller; 0 to leave it as it is.
    #[arg(long, default_value_t = 400)]
    shrink: u32,
    /// Where scenarios go that were made smaller.
    #[arg(long, default_value = ".")]
    out: PathBuf,
}

pub(crate) fn run(args: &Explore) -> bool {
    // A panic is a failure that is told of like any other.
    std::panic::set_hook(Box::new(|_| {}));
    let began = Instant::now();
    let plan = Plan {
        start: args.start,
        count: args.seeds,
        tls: args.tls,
        failures_max: args.failures.max(1),
    };
    let summary = if args.classic {
        let run = |seed| guarded(|| classic::run(seed, Trace::default()));
        explore_with(plan, run, tell_classic)
    } else {
        explore(plan, |_| {}, |failed| tell(args, failed))
    };
    print(&summary, began.elapsed().as_secs_f64());
    summary.failed.is_empty()
}

fn tell_classic(failed: &Failed) {
    let Failed { seed, what } = failed;
    println!(
        "seed {seed}: {what}\n  replay: cargo run --release -p sim -- replay {seed} --trace --classic"
    );
}

fn tell(args: &Explore, failed: &Failed) {
    let option = if args.tls { " --tls" } else { "" };
    let seed = failed.seed;
    println!(
        "seed {seed}: {}\n  replay: cargo run --release -p sim -- replay {seed} --trace{option}",
        failed.what
    );
    if args.shrink == 0 {
        return;
    }
    let small = shrink(&Scenario::draw(seed, args.tls), args.shrink, |of| {
        run_guarded(of, Trace::default()).is_err()
    });
    let what = run_guarded(&small, Trace::default()).err();
    let file = args.out.join(format!("seed-{seed}.toml"));
    let written = small
        .to_toml()
        .map_err(|error| error.to_string())
        .and_then(|text| std::fs::write(&file, text).map_err(|error| error.to_string()));
    match written {
        Ok(()) => println!(
            "  smaller: {}\n  cargo run --release -p sim -- run {} --trace",
            what.unwrap_or_default(),
            file.display()
        ),
        Err(error) => println!("  {}: {error}", file.display()),
    }
}

fn print(summary: &Summary, wall: f64) {
    let total = &summary.total;
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    println!(
        "{} seeds, {} with a violation",
        summary.seeds,
        summary.failed.len()
    );
    println!(
        "{} transfers, {} connections; goals: {} met, {} refused, failed or cancelled as they had to",
        total.transfers, total.connections, total.met, total.failed
    );
    println!(
        "{} crashes, {} sessions lost and tried again",
        total.crashes, total.sessions_lost
    );
    println!(
        "file bytes: {:.1} MiB, {:.1} MiB of them again; wire: {:.1} MiB in {} datagrams",
        mib(total.bytes),
        mib(total.resent),
        mib(total.wire_bytes),
        total.datagrams
    );
    println!(
        "virtual time {:.0} s, wall time {wall:.2} s, {:.2} ms of one core a seed, {} steps",
        total.elapsed.as_secs_f64(),
        summary.core_time.as_secs_f64() * 1e3 / summary.seeds.max(1) as f64,
        total.steps
    );
    println!("digest {:016x}", total.digest);
}
