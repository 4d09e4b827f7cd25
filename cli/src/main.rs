//! `dhow`: hauls files over UDP.

mod args;
mod connection;
mod copy;
mod demo;
mod escape;
mod exchange;
mod exit;
mod failure;
mod get;
mod home;
mod interrupt;
mod json;
mod key;
mod keys;
mod known_hosts;
mod log;
mod ls;
mod names;
mod outputs;
mod progress;
mod put;
mod remote;
mod serve;
mod server_log;
mod session;
mod strict;
mod trust;
mod units;
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
        Command::Get(get) => get::run(&app()?, &get),
        Command::Put(put) => put::run(&app()?, &put),
        Command::Key(key) => key::run(&app()?, &key),
        Command::Hosts(hosts) => key::hosts(&app()?, &hosts),
        Command::Demo(demo) => demo::run(&demo),
    }
}
