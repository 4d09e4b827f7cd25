//! The command line.

mod changes;
mod copying;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Parser, Subcommand, ValueEnum};
use transport_std::CongestionControl;

pub(crate) use changes::{Mkdir, Mv, Rm};
pub(crate) use copying::{Copying, Cp, DurabilityArg, Get, Put, Sync, TreeArgs, Verify};

use crate::units::{parse_limit, parse_size, parse_timeout};

/// Haul files over UDP: encrypted, checked by hash, through loss.
#[derive(Parser, Debug)]
#[command(name = "dhow", version, about, long_about = None, max_term_width = 100, after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// Flags of every command.
    #[command(flatten)]
    pub(crate) global: Global,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

const AFTER_HELP: &str = "\
REMOTE is [user@]host:path or dhow://host[:port]/path; IPv6 addresses stand in brackets.
classic://host[:port]/name is a file of a classic server: no encryption, no identity (ls, get, put).
./a:b is a local file.

Exit codes: 0 done and verified, 1 other error, 2 usage, 3 server not reached, 4 not trusted or
login refused, 5 not found, 6 refused by policy, 7 integrity failure, 8 some files failed,
75 interrupted.

Start with:  dhow demo";

/// Flags that stand before or after the command.
#[derive(clap::Args, Debug, Clone)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct Global {
    /// Print the exchange with the other side on stderr
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
    /// Print errors only
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Print events as JSON on stdout, one object a line (docs/EVENTS.md)
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// How to show progress: auto is a bar on a terminal, otherwise nothing
    #[arg(
        long,
        global = true,
        value_name = "HOW",
        default_value = "auto",
        value_enum
    )]
    pub(crate) progress: ProgressMode,
    /// Silence of the other side after which a session is lost, and how long to try to get it back: 1s to 10m
    #[arg(long, global = true, value_name = "TIME", default_value = "30s", value_parser = parse_timeout)]
    pub(crate) timeout: Duration,
    /// How fast to send: bbr fills the path whatever it loses, cubic is shy, background takes what others leave,
    /// fixed:RATE (fixed:20M bytes or fixed:160mbit a second) is for networks that are yours alone
    #[arg(long, global = true, value_name = "NAME", default_value = "bbr")]
    pub(crate) cc: CongestionControl,
    /// How fast to send and to be sent to, in bytes a second (20M) or bits (160mbit); serve: each session
    #[arg(short, long, global = true, value_name = "RATE", value_parser = parse_limit)]
    pub(crate) limit: Option<u64>,
    /// The server's port, where REMOTE does not name one
    #[arg(short = 'P', long, global = true, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) port: Option<u16>,
    /// Your private key, an OpenSSH Ed25519 file [default: identity in dhow's directory, made at first use]
    #[arg(short, long, global = true, value_name = "FILE")]
    pub(crate) identity: Option<PathBuf>,
    /// Trust a server that is not known yet without asking; a changed key still stops
    #[arg(long, global = true)]
    pub(crate) accept_new: bool,
    /// Clients: the server's fingerprint, SHA256:…, to trust it alone. serve: the file of the server's private key
    #[arg(long, global = true, value_name = "KEY")]
    pub(crate) host_key: Option<OsString>,
    /// The largest UDP payload to send; what the path carries is found out up to there: 1200 to 65507
    #[arg(long, global = true, value_name = "BYTES", default_value_t = 65_507, value_parser = clap::value_parser!(u16).range(1_200..=65_507))]
    pub(crate) max_datagram: u16,
    /// Use IPv4 only
    #[arg(short = '4', long, global = true, conflicts_with = "ipv6")]
    pub(crate) ipv4: bool,
    /// Use IPv6 only
    #[arg(short = '6', long, global = true)]
    pub(crate) ipv6: bool,
}

/// `--progress`.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ProgressMode {
    /// A bar on a terminal, otherwise nothing.
    Auto,
    /// A bar.
    Bar,
    /// A line now and then.
    Plain,
    /// Nothing.
    None,
}

/// What to do.
#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Share directories with many users at once
    Serve(Serve),
    /// List a directory of a server
    Ls(Ls),
    /// Show size, time and permissions of a file on a server
    Stat(Stat),
    /// List a directory of a server with all that is in it
    Tree(TreeArgs),
    /// Download files and directories
    Get(Get),
    /// Upload files and directories
    Put(Put),
    /// Download or upload, whichever fits
    Cp(Cp),
    /// Copy what has changed
    Sync(Sync),
    /// Compare a file or directory with that of a server, by hash
    Verify(Verify),
    /// Make directories on a server
    Mkdir(Mkdir),
    /// Remove files and directories on a server
    Rm(Rm),
    /// Rename files and directories on a server
    Mv(Mv),
    /// Make and show keys
    #[command(subcommand)]
    Key(Key),
    /// The servers whose keys are trusted
    #[command(subcommand)]
    Hosts(Hosts),
    /// Watch a server and two users on this machine haul files through a lossy network
    Demo(Demo),
}

/// `dhow serve`
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Users come in by key: list theirs (dhow key show) in authorized_keys, one a line, with
'read-only' before a key that shall not write, 'limit=20M' before one that shall not take more than that a second,
'quota=10G' and 'files=5000' before one that shall not have more than that here; commas between options. --public lets in
everyone.

SIGHUP reads authorized_keys anew: users, read-only, limit=, quota= and files= count at once, in open sessions,
too; who is not listed any more is disconnected. A file that cannot be used changes nothing, and the log says
why. Directories, flags, the server's key, and the first quota of all need a restart.

Examples:
  dhow serve ~/pub                         users in authorized_keys may read and write
  dhow serve --public docs=/srv/doc music=/srv/music
  dhow serve --public=rw --listen 127.0.0.1:4917 /tmp/drop
  dhow serve --classic --public /srv/pub   programs of the original protocol, too (docs/CLASSIC.md)
Ctrl-C ends it.")]
pub(crate) struct Serve {
    /// Directories to share; with NAME= each stands under its name [default: .]
    #[arg(value_name = "[NAME=]DIR")]
    pub(crate) shares: Vec<OsString>,
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDR:PORT", default_value = "[::]:4917")]
    pub(crate) listen: SocketAddr,
    /// Let everyone read; with =rw, write, too
    #[arg(long, value_name = "RIGHTS", num_args = 0..=1, require_equals = true, default_missing_value = "r", value_enum)]
    pub(crate) public: Option<Public>,
    /// The keys of users that may come in [default: authorized_keys in dhow's directory]
    #[arg(long, value_name = "FILE")]
    pub(crate) authorized_keys: Option<PathBuf>,
    /// Nobody may write
    #[arg(long)]
    pub(crate) read_only: bool,
    /// Bytes that each user may have here, unless the line of the key says another quota=; all without a line count as one (Linux)
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub(crate) quota: Option<u64>,
    /// Threads that serve the network, each with users of its own: more than one pays only with more than two cores
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub(crate) threads: u8,
    /// Serve programs of the original protocol, too: without encryption or identity, with the rights of --public
    #[arg(long)]
    pub(crate) classic: bool,
    /// Append the log to this file, too
    #[arg(long, value_name = "FILE")]
    pub(crate) log_file: Option<PathBuf>,
}

/// `--public`.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Public {
    /// Read.
    R,
    /// Read and write.
    Rw,
}

/// `dhow ls`
#[derive(clap::Args, Debug)]
pub(crate) struct Ls {
    /// A directory or file of a server
    pub(crate) remote: OsString,
    /// Names only
    #[arg(short = '1', long)]
    pub(crate) names: bool,
    /// In the server's order, each entry as it comes: needs no memory for large directories
    #[arg(short = 'U', long)]
    pub(crate) unsorted: bool,
}

/// `dhow stat`
#[derive(clap::Args, Debug)]
pub(crate) struct Stat {
    /// Files or directories of a server
    #[arg(required = true, value_name = "REMOTE")]
    pub(crate) remotes: Vec<OsString>,
}

/// `dhow key`
#[derive(Subcommand, Debug)]
pub(crate) enum Key {
    /// Make a new key: FILE and FILE.pub
    Gen {
        /// Where [default: -i, or your identity]
        file: Option<PathBuf>,
        /// What to call the key (default: user@host)
        #[arg(short = 'C', long)]
        comment: Option<String>,
    },
    /// Print the public key, the line for a server's authorized_keys
    Show {
        /// A private or public key file [default: -i, or your identity]
        file: Option<PathBuf>,
    },
    /// Print the key's fingerprint, as servers and users compare it
    Fingerprint {
        /// A private or public key file [default: -i, or your identity]
        file: Option<PathBuf>,
    },
}

/// `dhow hosts`
#[derive(Subcommand, Debug)]
pub(crate) enum Hosts {
    /// Print the servers and their fingerprints
    List,
    /// Forget a server's key
    Remove {
        /// host or host:port
        host: String,
    },
}

/// `dhow demo`
#[derive(clap::Args, Debug)]
pub(crate) struct Demo {
    /// Which packets are lost or late follows from this number
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Packets lost, in percent of each direction
    #[arg(long, value_name = "PERCENT", default_value_t = 5, value_parser = clap::value_parser!(u8).range(0..=30))]
    pub(crate) loss: u8,
    /// Leave the files of the demo where they are, and say where
    #[arg(long, action = ArgAction::SetTrue)]
    pub(crate) keep: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn parse(line: &str) -> Result<Args, clap::Error> {
        Args::try_parse_from(line.split_whitespace())
    }

    #[test]
    fn the_definition_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn global_flags_before_and_after() {
        for line in [
            "dhow -v --json -P 5 --timeout 2s ls h:",
            "dhow ls -v --json -P 5 --timeout 2s h:",
            "dhow ls h: -v -P 5 --json --timeout 2",
        ] {
            let args = parse(line).unwrap();
            let global = args.global;
            assert!(global.verbose && global.json, "{line}");
            assert_eq!(
                (global.port, global.timeout.as_secs()),
                (Some(5), 2),
                "{line}"
            );
            assert!(matches!(args.command, Command::Ls(_)));
        }
        assert!(matches!(
            parse("dhow key -q show").unwrap(),
            Args {
                global: Global { quiet: true, .. },
                ..
            }
        ));
    }

    #[test]
    fn public_takes_its_value_with_an_equals_sign() {
        let public = |line| match parse(line).unwrap().command {
            Command::Serve(serve) => (serve.public, serve.shares.len()),
            other => panic!("{other:?}"),
        };
        assert_eq!(public("dhow serve"), (None, 0));
        assert_eq!(public("dhow serve --public dir"), (Some(Public::R), 1));
        assert_eq!(public("dhow serve --public=rw dir"), (Some(Public::Rw), 1));
        assert!(parse("dhow serve --public=x").is_err());
    }

    #[test]
    fn usage_errors() {
        for line in [
            "dhow",
            "dhow get a:b",
            "dhow put a",
            "dhow ls",
            "dhow -q -v demo",
            "dhow -P 0 ls h:",
            "dhow --timeout 0 ls h:",
            "dhow --max-datagram 1199 ls h:",
            "dhow --max-datagram 65508 ls h:",
            "dhow --cc reno ls h:",
            "dhow --cc fixed ls h:",
            "dhow get --force --no-clobber h:a b",
            "dhow sync a",
            "dhow sync a b c",
            "dhow sync --ignore-errors a h:",
            "dhow cp a",
            "dhow mv h:a",
            "dhow rm",
            "dhow -4 -6 ls h:",
            "dhow serve --listen x",
            "dhow demo --loss 31",
        ] {
            let error = parse(line).expect_err(line);
            assert_eq!(error.exit_code(), 2, "{line}");
        }
    }

    #[test]
    fn what_is_not_built_is_absent() {
        let names: Vec<String> = Args::command()
            .get_subcommands()
            .map(|c| c.get_name().to_owned())
            .collect();
        assert_eq!(
            names,
            [
                "serve", "ls", "stat", "tree", "get", "put", "cp", "sync", "verify", "mkdir", "rm",
                "mv", "key", "hosts", "demo"
            ]
        );
    }
}
