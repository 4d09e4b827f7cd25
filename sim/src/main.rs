//! Explores seeds of the simulator, and replays single ones.

mod commands;

use std::process::ExitCode;
use std::time::Instant;

use clap::{Parser, Subcommand};
use sim::explore::{Summary, explore, run_guarded};
use sim::scenario::Scenario;
use sim::world::Trace;

use commands::links::Links;
use commands::proxy::ProxyArguments;

/// Run dhow's protocol core in a simulated world: network, disks, users and clock from one seed.
#[derive(Parser, Debug)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Run many seeds on all cores; ends with 0 if no invariant was broken.
    Explore {
        /// How many seeds.
        #[arg(long, default_value_t = 1_000)]
        seeds: u64,
        /// The first seed.
        #[arg(long, default_value_t = 0)]
        start: u64,
        /// Real cryptography in every run, not in one of 100.
        #[arg(long)]
        tls: bool,
        /// Stop after so many failures.
        #[arg(long, default_value_t = 20)]
        failures: usize,
    },
    /// Run one seed twice and compare; ends with 0 if no invariant was broken and both runs were the same.
    Replay {
        /// The seed.
        seed: u64,
        /// Print what happens.
        #[arg(long)]
        trace: bool,
        /// Real cryptography.
        #[arg(long)]
        tls: bool,
    },
    Links(Links),
    Proxy(Box<ProxyArguments>),
}

fn main() -> ExitCode {
    let good = match Arguments::parse().command {
        Command::Explore {
            seeds,
            start,
            tls,
            failures,
        } => run_explore(start, seeds, tls, failures),
        Command::Replay { seed, trace, tls } => run_replay(seed, trace, tls),
        Command::Links(links) => commands::links::run(&links),
        Command::Proxy(arguments) => commands::proxy::run(&arguments),
    };
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn run_explore(start: u64, seeds: u64, tls: bool, failures: usize) -> bool {
    let began = Instant::now();
    let option = if tls { " --tls" } else { "" };
    let summary = explore(start, seeds, tls, failures, |failed| {
        println!("seed {}: {}", failed.seed, failed.what);
        println!(
            "  replay: cargo run --release -p sim -- replay {} --trace{option}",
            failed.seed
        );
    });
    print_summary(&summary, began.elapsed().as_secs_f64());
    summary.failed.is_empty()
}

fn print_summary(summary: &Summary, wall: f64) {
    let total = &summary.total;
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    println!(
        "{} seeds, {} with a violation",
        summary.seeds,
        summary.failed.len()
    );
    println!(
        "goals: {} met, {} refused, failed or cancelled as they had to; {} sessions lost and tried again",
        total.met, total.failed, total.sessions_lost
    );
    println!(
        "file bytes: {:.1} MiB, {:.1} MiB of them again; wire: {:.1} MiB in {} datagrams",
        mib(total.bytes),
        mib(total.resent),
        mib(total.wire_bytes),
        total.datagrams
    );
    println!(
        "virtual time {:.0} s, wall time {wall:.2} s, {:.2} ms a seed, {} steps",
        total.elapsed.as_secs_f64(),
        wall * 1e3 / summary.seeds.max(1) as f64,
        total.steps
    );
    println!("digest {:016x}", total.digest);
}

fn run_replay(seed: u64, trace: bool, tls: bool) -> bool {
    let sink = if trace {
        println!("{:#?}", Scenario::draw(seed, tls));
        Trace::new(|line| println!("{line}"))
    } else {
        Trace::default()
    };
    let first = run_guarded(seed, tls, sink);
    let second = run_guarded(seed, tls, Trace::default());
    match &first {
        Ok(report) => println!("{report:#?}"),
        Err(what) => println!("seed {seed}: {what}"),
    }
    if first != second {
        println!("the second run was another: {second:#?}");
    }
    first.is_ok() && first == second
}
