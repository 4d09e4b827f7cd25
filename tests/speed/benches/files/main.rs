//! A file from disk to disk over loopback: dhow beside quinn, s2n-quic, plain TCP, scp and rsync, in one run.
//!
//! `cargo bench --manifest-path tests/speed/Cargo.toml --bench files -- --help`
//!
//! Each contestant is a server process and a client process. A round runs every contestant once, in turn, so that what
//! else the machine does falls on all alike; the table has medians over rounds. The time is that of the whole client
//! process, from its start to its end; the file is then compared with the original.

mod dhow;
mod external;
mod quic;
mod round;
#[cfg(feature = "s2n")]
mod s2n;
mod table;
mod tcp;

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, Subcommand};

pub(crate) type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Compares what a file takes over loopback.
#[derive(Parser, Clone, Debug)]
pub(crate) struct Args {
    /// MiB of the file.
    #[arg(long, default_value_t = 1024)]
    pub(crate) size: u64,
    /// Rounds; the table has medians.
    #[arg(long, default_value_t = 7)]
    pub(crate) rounds: usize,
    /// UDP payload of full datagrams of all that speak UDP; otherwise each has its best: dhow what it finds by itself,
    /// s2n-quic 8,900, quinn 6,500.
    #[arg(long)]
    pub(crate) datagram: Option<u16>,
    /// Contestants, by name; all that can run here by default.
    #[arg(long, value_delimiter = ',')]
    pub(crate) only: Vec<String>,
    /// Where the files are.
    #[arg(long, default_value = "/dev/shm")]
    pub(crate) dir: PathBuf,
    /// dhow's own binary as a further contestant.
    #[arg(long)]
    pub(crate) tool: Option<PathBuf>,
    /// Which driver dhow's server uses: std or mio.
    #[arg(long, default_value = "std")]
    pub(crate) driver: String,
    /// Given by cargo.
    #[arg(long, hide = true)]
    bench: bool,
    #[command(subcommand)]
    role: Option<Role>,
}

/// What a child process is.
#[derive(Subcommand, Clone, Debug)]
enum Role {
    #[command(hide = true)]
    Serve { peer: String, dir: PathBuf },
    #[command(hide = true)]
    Fetch {
        peer: String,
        server: SocketAddr,
        secret: String,
        file: PathBuf,
    },
}

/// Tells the parent where this server listens and what its clients must know, then waits until it shall end.
pub(crate) fn serving(address: SocketAddr, secret: &str) -> io::Result<()> {
    println!("{address} {}", if secret.is_empty() { "-" } else { secret });
    io::stdout().flush()?;
    io::stdin().read_line(&mut String::new()).map(drop)
}

fn serve(args: &Args, peer: &str, dir: PathBuf) -> Result<()> {
    match peer {
        "dhow-get" | "dhow-put" => dhow::serve(args, &dir),
        "quinn" => quic::serve(args, &dir),
        #[cfg(feature = "s2n")]
        "s2n-quic" => s2n::serve(args, &dir),
        "tcp" => tcp::serve(&dir),
        other => Err(format!("there is no server for {other}").into()),
    }
}

fn fetch(args: &Args, peer: &str, server: SocketAddr, secret: &str, file: PathBuf) -> Result<()> {
    match peer {
        "dhow-get" => dhow::get(args, server, secret, &file),
        "dhow-put" => dhow::put(args, server, secret, &file),
        "quinn" => quic::get(args, server, secret, &file),
        #[cfg(feature = "s2n")]
        "s2n-quic" => s2n::get(args, server, secret, &file),
        "tcp" => tcp::get(server, &file),
        other => Err(format!("there is no client for {other}").into()),
    }
}

fn main() -> Result<()> {
    let args = Args::parse();
    match args.role.clone() {
        Some(Role::Serve { peer, dir }) => serve(&args, &peer, dir),
        Some(Role::Fetch {
            peer,
            server,
            secret,
            file,
        }) => fetch(&args, &peer, server, &secret, file),
        None => round::run(&args),
    }
}
