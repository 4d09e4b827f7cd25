//! `dhow`: hauls files over UDP.

mod again;
mod args;
mod begun;
mod changes;
mod checksum;
mod connection;
mod copy;
mod cp;
mod demo;
mod dry;
mod escape;
mod exchange;
mod exit;
mod failure;
mod filter;
mod get;
mod glob;
mod hashing;
mod home;
mod interrupt;
mod json;
mod key;
mod keys;
mod known_hosts;
mod link;
mod log;
mod ls;
mod manifest;
mod names;
mod outputs;
mod progress;
mod prune;
mod put;
mod rates;
mod remote;
mod removal;
mod serve;
mod server_log;
mod servers;
mod session;
mod stdio;
mod strict;
mod sync;
mod tally;
mod telling;
mod tree;
mod trust;
mod units;
mod users;
mod verify;
mod walk;
mod writer;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Args, Command};
use crate::exit::Error;
use crate::home::Home;
use crate::log::Log;
use crate::session::App;

fn main() -> ExitCode {
    let args = Args::parse();
    let json = args.global.json;
    match run(args) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            session::report(json, &error, None);
            ExitCode::from(error.exit as u8)
        }
    }
}

fn run(args: Args) -> Result<u8, Error> {
    let global = args.global;
    let app = || {
        Ok::<_, Error>(App {
            log: Log::new(global.verbose),
            home: Home::from_environment()?,
            global,
        })
    };
    match args.command {
        Command::Serve(serve) => serve::run(app()?, &serve),
        Command::Ls(ls) => ls::list(&app()?, &ls),
        Command::Stat(stat) => ls::stat(&app()?, &stat),
        Command::Get(get) => get::run(&app()?, &get.operands, &get.copying),
        Command::Put(put) => put::run(&app()?, &put.operands, &put.copying),
        Command::Cp(cp) => cp::run(&app()?, &cp),
        Command::Sync(sync) => sync::run(&app()?, &sync),
        Command::Tree(tree) => tree::run(&app()?, &tree),
        Command::Verify(verify) => verify::run(&app()?, &verify),
        Command::Mkdir(mkdir) => changes::mkdir(&app()?, &mkdir),
        Command::Rm(rm) => changes::rm(&app()?, &rm),
        Command::Mv(mv) => changes::mv(&app()?, &mv),
        Command::Key(key) => key::run(&app()?, &key),
        Command::Hosts(hosts) => key::hosts(&app()?, &hosts),
        Command::Demo(demo) => demo::run(&demo),
    }
}
