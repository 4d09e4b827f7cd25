//! Rounds: every contestant in turn, each with a server and a client of its own.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::signal::{Signal, kill};
use nix::sys::time::TimeValLike as _;
use nix::unistd::Pid;

use super::external::{self, External};
use super::table::{self, Figures};
use super::{Args, Result};

const OWN: [&str; 5] = ["dhow-get", "dhow-put", "quinn", "s2n-quic", "tcp"];

/// All that can run here and are wanted.
fn contestants(args: &Args) -> Vec<&'static str> {
    let wanted =
        |name: &&'static str| args.only.is_empty() || args.only.iter().any(|only| only == name);
    let mut all: Vec<&str> = OWN.to_vec();
    if !cfg!(feature = "s2n") {
        all.retain(|name| *name != "s2n-quic");
    }
    if external::find("scp").and(external::find("sshd")).is_some() {
        all.push("scp");
    }
    if external::find("rsync").is_some() {
        all.push("rsync");
    }
    if args.tool.is_some() {
        all.push("tool");
    }
    all.retain(wanted);
    all
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let names = contestants(args);
    let dir = tempfile::Builder::new()
        .prefix("dhow-speed-")
        .tempdir_in(&args.dir)?;
    make_source(&dir.path().join("source"), args.size << 20)?;
    let mut figures = vec![Vec::new(); names.len()];
    for round in 0..args.rounds {
        for (name, figures) in names.iter().zip(&mut figures) {
            let one =
                contest(args, name, dir.path()).map_err(|error| format!("{name}: {error}"))?;
            eprintln!(
                "round {} {name:9} {:.2} s, CPU {:.2} + {:.2} s",
                round + 1,
                one.wall,
                one.server,
                one.client
            );
            figures.push(one);
        }
    }
    table::print(args, &names, &figures);
    Ok(())
}

/// Bytes that nothing can compress.
fn make_source(path: &Path, size: u64) -> Result<()> {
    let mut bytes = blake3::Hasher::new().finalize_xof();
    let mut file = File::create(path)?;
    let mut buffer = vec![0; 1 << 20];
    for _ in 0..size >> 20 {
        bytes.fill(&mut buffer);
        file.write_all(&buffer)?;
    }
    Ok(())
}

/// CPU seconds of all children that were waited for, and of theirs.
fn cpu() -> Result<f64> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    Ok((usage.user_time() + usage.system_time()).num_microseconds() as f64 / 1e6)
}

fn contest(args: &Args, name: &str, dir: &Path) -> Result<Figures> {
    let work = tempfile::Builder::new().prefix(name).tempdir_in(dir)?;
    fs::hard_link(dir.join("source"), work.path().join("source"))?;
    let target = work.path().join("target");
    let External { mut server, client } = match name {
        "scp" => external::scp(work.path())?,
        "rsync" => external::rsync(work.path())?,
        "tool" => external::tool(args.tool.as_ref().ok_or("no tool")?, work.path())?,
        own => start(args, own, work.path())?,
    };
    let before = cpu()?;
    let begin = Instant::now();
    let status = client(&target).status()?;
    let wall = begin.elapsed().as_secs_f64();
    let client = cpu()? - before;
    end(&mut server)?;
    let server = cpu()? - before - client;
    if !status.success() {
        return Err(format!("the client ended with {status}").into());
    }
    if !same(&dir.join("source"), &target)? {
        return Err("the copy differs".into());
    }
    Ok(Figures {
        wall,
        server,
        client,
    })
}

/// This program once more, as a server.
fn start(args: &Args, name: &str, dir: &Path) -> Result<External> {
    let this = std::env::current_exe()?;
    let mut settings = vec![format!("--driver={}", args.driver)];
    settings.extend(args.datagram.map(|size| format!("--datagram={size}")));
    let mut server = Command::new(&this)
        .args(&settings)
        .args(["serve", name])
        .arg(dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut line = String::new();
    BufReader::new(server.stdout.as_mut().ok_or("no output")?).read_line(&mut line)?;
    let told: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    if told.len() != 2 {
        return Err(format!("the server said {line:?}").into());
    }
    let name = name.to_owned();
    let client = move |target: &Path| {
        let mut command = Command::new(&this);
        command
            .args(&settings)
            .args(["fetch", &name])
            .args(&told)
            .arg(target);
        command
    };
    Ok(External {
        server,
        client: Box::new(client),
    })
}

/// Ends a server: our own by the end of its input, others by a signal.
fn end(server: &mut Child) -> Result<()> {
    if server.stdin.take().is_none() {
        kill(Pid::from_raw(server.id() as i32), Signal::SIGTERM)?;
    }
    server.wait()?;
    Ok(())
}

fn same(one: &Path, two: &Path) -> Result<bool> {
    let (mut one, mut two) = (File::open(one)?, File::open(two)?);
    let (mut left, mut right) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    if one.metadata()?.len() != two.metadata()?.len() {
        return Ok(false);
    }
    loop {
        let count = one.read(&mut left)?;
        two.read_exact(&mut right[..count])?;
        if left[..count] != right[..count] {
            return Ok(false);
        }
        if count == 0 {
            return Ok(true);
        }
    }
}
