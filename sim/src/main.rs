//! Explores the simulator's worlds, replays single ones, measures and draws.

mod commands;

#[path = "commands/crash.rs"]
mod crash;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use commands::{crash, explore, replay, run};

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
    /// Power losses before and after every file operation.
    Crash(crash::Crash),
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
        Command::Crash(args) => crash::run(&args),
    };
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
