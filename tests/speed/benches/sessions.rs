//! Many sessions on one server, opened by one process from one socket.
//!
//! `cargo bench --manifest-path tests/speed/Cargo.toml --bench sessions -- --help`
//!
//! `active`: all download at once: whether all complete, the sum's rate, the spread. `idle`: what a session that does nothing
//! costs in memory and CPU, and whether a download beside them costs more for it.

use std::collections::HashMap;
use std::fs;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant as Clock};

use clap::{Parser, Subcommand};
use proto_core::crypto::TlsProvider;
use proto_core::wire::{Durability, FilePath};
use proto_core::{
    Admission, Config, Endpoint, Event, Finished, Instant, Overwrite, PeerId, Place, Request,
    RootId,
};
use transport_std::driver::{Application, Driver, Handle, Parts, Socket};
use transport_std::executor::Roots;
use transport_std::{Identity, Rights, Server, Tuning};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Handshakes that are under way at once.
const OPENING: usize = 64;

#[derive(Parser)]
struct Args {
    /// Sessions.
    #[arg(long, default_value_t = 1_000)]
    sessions: usize,
    /// KiB that each downloads; 0 measures idle sessions.
    #[arg(long, default_value_t = 1_024)]
    kib: u64,
    /// Where the files are.
    #[arg(long, default_value = "/dev/shm")]
    dir: PathBuf,
    /// Given by cargo.
    #[arg(long, hide = true)]
    bench: bool,
    #[command(subcommand)]
    role: Option<Role>,
}

#[derive(Subcommand)]
enum Role {
    #[command(hide = true)]
    Serve { dir: PathBuf },
}

/// What the load's sessions do.
enum Order {
    /// Open so many.
    Open(usize),
    /// Each of them, or only the first so many, downloads the file of this name.
    Get(usize, &'static str),
    Stop,
}

/// What the load tells.
#[derive(Debug)]
enum Told {
    Opened,
    /// A download has ended, well or not, after so long.
    Ended(bool, Duration),
}

struct Load {
    server: SocketAddr,
    root: RootId,
    peers: Vec<PeerId>,
    wanted: usize,
    opening: usize,
    begin: Instant,
    count: u64,
    running: HashMap<proto_core::TransferId, ()>,
    tell: Sender<Told>,
    over: bool,
}

impl Load {
    fn open_more(&mut self, now: Instant, endpoint: &mut Endpoint) {
        while self.opening < OPENING && self.peers.len() + self.opening < self.wanted {
            endpoint.connect(now, self.server).expect("there is room");
            self.opening += 1;
        }
    }

    fn get(&mut self, now: Instant, endpoint: &mut Endpoint, peer: PeerId, name: &str) {
        self.count += 1;
        let target = format!("{name}-{}", self.count);
        let path = |name: &str| FilePath::parse(name.as_bytes()).expect("a path");
        let request = Request::Get {
            from: path(name),
            to: Place {
                root: self.root,
                path: path(&target),
            },
            overwrite: Overwrite::Replace,
            durability: Durability::None,
            preserve: false, keep_top_mode: false, tree: false, };
        let id = endpoint
            .start(now, peer, request)
            .expect("the session is open");
        self.running.insert(id, ());
    }
}

impl Application for Load {
    type Command = Order;

    fn command(&mut self, now: Instant, endpoint: &mut Endpoint, order: Order) {
        match order {
            Order::Open(count) => {
                self.wanted += count;
                self.open_more(now, endpoint);
            }
            Order::Get(count, name) => {
                self.begin = now;
                for peer in self.peers.clone().into_iter().take(count) {
                    self.get(now, endpoint, peer, name);
                }
            }
            Order::Stop => self.over = true,
        }
    }

    fn event(&mut self, now: Instant, endpoint: &mut Endpoint, event: Event) {
        match event {
            Event::PeerReady { peer, .. } => {
                endpoint
                    .admit(now, peer, Admission::Admit)
                    .expect("it is there");
                self.peers.push(peer);
                self.opening -= 1;
                self.open_more(now, endpoint);
                if self.peers.len() == self.wanted {
                    let _ = self.tell.send(Told::Opened);
                }
            }
            Event::Finished {
                transfer, result, ..
            } => {
                self.running.remove(&transfer);
                let well = matches!(result, Ok(Finished::Stored { .. }));
                let _ = self.tell.send(Told::Ended(well, now.since(self.begin)));
            }
            Event::PeerClosed { cause, .. } => {
                eprintln!("a session is lost: {cause:?}");
            }
            _ => {}
        }
    }

    fn is_over(&self) -> bool {
        self.over
    }
}

fn tuning() -> Tuning {
    Tuning {
        idle_timeout: Duration::from_secs(600),
        ..Tuning::default()
    }
}

fn serve(dir: &Path) -> Result<()> {
    let server = Server::builder(Identity::generate())
        .share_root(dir, Rights::ReadWrite)
        .tuning(tuning())
        .bind("127.0.0.1:0")?
        .spawn()?;
    println!("{}", server.local_addr());
    io::stdout().flush()?;
    io::stdin().read_line(&mut String::new())?;
    Ok(server.stop()?)
}

/// The load's driver, what it tells, and the thread that it runs on.
type Running = (
    Handle<Order>,
    Receiver<Told>,
    thread::JoinHandle<io::Result<()>>,
);

/// The load's driver on a thread of its own, and what it tells.
fn load(server: SocketAddr, dir: &Path) -> Result<Running> {
    let roots = Roots::new();
    let root = roots.add_dir(dir)?;
    let (tell, told) = channel();
    let provider = TlsProvider::new(Identity::generate().seed())?;
    let parts = Parts {
        socket: Socket::bind("127.0.0.1:0".parse()?)?,
        config: Config {
            idle_timeout: tuning().idle_timeout,
            ..Config::new(Arc::new(provider))
        },
        roots,
        disk_threads: 2,
        faults: None,
    };
    let application = Load {
        server,
        root,
        peers: Vec::new(),
        wanted: 0,
        opening: 0,
        begin: Instant::ZERO,
        count: 0,
        running: HashMap::new(),
        tell,
        over: false,
    };
    let (driver, handle) = Driver::new(parts, application)?;
    Ok((handle, told, thread::spawn(|| driver.run())))
}

/// Resident KiB of a process, and CPU seconds that it has used.
fn usage(server: &Child) -> Result<(u64, f64)> {
    let read = |what: &str| fs::read_to_string(format!("/proc/{}/{what}", server.id()));
    let status = read("status")?;
    let resident = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .ok_or("no VmRSS")?;
    let kib = resident.trim().trim_end_matches(" kB").parse()?;
    let stat = read("stat")?;
    let fields: Vec<&str> = stat
        .rsplit(") ")
        .next()
        .ok_or("no stat")?
        .split(' ')
        .collect();
    let ticks: f64 = fields[11].parse::<f64>()? + fields[12].parse::<f64>()?;
    Ok((kib, ticks / 100.0))
}

fn ended(told: &Receiver<Told>, count: usize) -> Result<Vec<f64>> {
    let mut times = Vec::new();
    while times.len() < count {
        match told.recv_timeout(Duration::from_secs(120))? {
            Told::Ended(true, time) => times.push(time.as_secs_f64()),
            Told::Ended(false, _) => return Err("a download failed".into()),
            Told::Opened => {}
        }
    }
    times.sort_by(f64::total_cmp);
    Ok(times)
}

fn run(args: &Args) -> Result<()> {
    let dir = tempfile::Builder::new()
        .prefix("dhow-sessions-")
        .tempdir_in(&args.dir)?;
    let (shared, local) = (dir.path().join("shared"), dir.path().join("local"));
    fs::create_dir(&shared)?;
    fs::create_dir(&local)?;
    let (big, all) = (256 << 20, args.sessions as u64 * (args.kib << 10));
    fs::write(shared.join("small"), vec![7; (args.kib << 10) as usize])?;
    fs::write(shared.join("big"), vec![7; big])?;
    let mut server = Command::new(std::env::current_exe()?)
        .arg("serve")
        .arg(&shared)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut line = String::new();
    BufReader::new(server.stdout.as_mut().ok_or("no output")?).read_line(&mut line)?;
    let (handle, told, thread) = load(line.trim().parse()?, &local)?;

    let open = |count: usize| -> Result<f64> {
        let begin = Clock::now();
        handle.send(Order::Open(count));
        match told.recv_timeout(Duration::from_secs(120))? {
            Told::Opened => Ok(begin.elapsed().as_secs_f64()),
            other => Err(format!("{other:?}").into()),
        }
    };
    let single = |server: &Child| -> Result<(f64, f64)> {
        let before = usage(server)?.1;
        handle.send(Order::Get(1, "big"));
        let times = ended(&told, 1)?;
        Ok((times[0], usage(server)?.1 - before))
    };
    open(1)?;
    single(&server)?;
    let (alone, alone_cpu) = single(&server)?;
    let before = usage(&server)?.0;
    let opening = open(args.sessions - 1)?;
    let after = usage(&server)?.0;
    println!("{} sessions opened in {opening:.2} s", args.sessions);
    println!(
        "server: {} B of resident memory more a session",
        (after.saturating_sub(before) << 10) / args.sessions as u64
    );
    if args.kib == 0 {
        let cpu = usage(&server)?.1;
        thread::sleep(Duration::from_secs(20));
        println!(
            "server: {:.2} s CPU in 20 s with {} idle sessions",
            usage(&server)?.1 - cpu,
            args.sessions
        );
        let (beside, beside_cpu) = single(&server)?;
        println!(
            "256 MiB alone: {alone:.2} s, server {alone_cpu:.2} s CPU; beside the idle sessions: {beside:.2} s, {beside_cpu:.2} s CPU"
        );
    } else {
        handle.send(Order::Get(usize::MAX, "small"));
        let times = ended(&told, args.sessions)?;
        let (median, last) = (times[times.len() / 2], times[times.len() - 1]);
        let rate = |bytes: f64, time: f64| bytes / time / f64::from(1 << 20);
        let (one, sum) = (rate(big as f64, alone), rate(all as f64, last));
        println!("all {} downloads of {} KiB complete", times.len(), args.kib);
        println!(
            "first {:.3} s, median {median:.3} s, last {last:.3} s: {:.2} x the median",
            times[0],
            last / median
        );
        println!(
            "sum {sum:.0} MiB/s; one session alone with 256 MiB {one:.0} MiB/s: {:.2}",
            sum / one
        );
    }
    handle.send(Order::Stop);
    thread.join().map_err(|_| "the load panicked")??;
    drop(server.stdin.take());
    server.wait()?;
    Ok(())
}

fn main() -> Result<()> {
    let args = Args::parse();
    match &args.role {
        Some(Role::Serve { dir }) => serve(dir),
        None => run(&args),
    }
}
