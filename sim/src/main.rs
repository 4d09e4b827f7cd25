//! Explores the simulator's worlds, replays single ones, measures and draws.

mod commands;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use commands::{accept, crash, explore, links, mutants, plot, predict, proxy, replay, run, table};

/// Run dhow's protocol core in a simulated world: network, disks, users and clock from one seed.
#[derive(Parser, Debug)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    Explore(explore::Explore),
    Replay(replay::Replay),
    Run(run::Run),
    Crash(crash::Crash),
    Mutants(mutants::Mutants),
    Links(links::Links),
    Plot(plot::Plot),
    Predict(predict::Predict),
    Table(table::Table),
    Accept(accept::Accept),
    Proxy(Box<proxy::ProxyArguments>),
}

fn main() -> ExitCode {
    let good = match &Arguments::parse().command {
        Command::Explore(args) => explore::run(args),
        Command::Replay(args) => replay::run(args),
        Command::Run(args) => run::run(args),
        Command::Crash(args) => crash::run(args),
        Command::Mutants(args) => mutants::run(args),
        Command::Plot(args) => plot::run(args),
        Command::Predict(args) => predict::run(args),
        Command::Table(args) => table::run(args),
        Command::Accept(args) => accept::run(args),
        Command::Links(args) => links::run(args),
        Command::Proxy(args) => proxy::run(args),
    };
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
