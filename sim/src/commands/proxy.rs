use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use clap::Args;
use sim::link::{Link, LinkPlan, MtuPlan, QueueLimit, RatePlan};
use sim::proxy::{DirectionStats, Proxy, ProxyConfig, ProxyStats};
use sim::units;

/// What a rate's queue holds when nothing is said: as the ns-3 links of the QUIC interop runner.
const QUEUE: QueueLimit = QueueLimit::Packets(25);

/// Between real UDP sockets, do what a simulated link does. Timing is as good as the system's timer.
///
/// What is given besides --link replaces that property of the named link, in both directions. Ends at Ctrl-C.
#[derive(Args, Debug)]
pub(crate) struct ProxyArguments {
    /// Where clients send to, as 127.0.0.1:4000; port 0 is any free one.
    #[arg(long, value_name = "ADDRESS")]
    listen: String,
    /// The server.
    #[arg(long, value_name = "ADDRESS")]
    to: String,
    /// A link that `sim links` lists.
    #[arg(long, value_name = "NAME", value_parser = named)]
    link: Option<Link>,
    #[command(flatten)]
    plan: PlanArguments,
    /// Rebind every so often: clients get other ports at the server's side, as behind a forgetful NAT.
    #[arg(long, value_name = "TIME", value_parser = units::duration::parse)]
    rebind: Option<Duration>,
    /// What chance decides follows from this number.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Print counters every 5 s.
    #[arg(long)]
    stats: bool,
}

/// Properties of both directions.
#[derive(Args, Debug)]
struct PlanArguments {
    /// One-way delay, as 40ms.
    #[arg(long, value_name = "TIME", value_parser = units::duration::parse)]
    delay: Option<Duration>,
    /// Random delay on top, at most.
    #[arg(long, value_name = "TIME", value_parser = units::duration::parse)]
    jitter: Option<Duration>,
    /// Rate, as 10mbit.
    #[arg(long, value_name = "RATE", value_parser = units::rate::parse)]
    rate: Option<u64>,
    /// Queue before the rate, as 64kB or, in datagrams, 25p.
    #[arg(long, value_name = "SIZE", value_parser = QueueLimit::parse)]
    queue: Option<QueueLimit>,
    /// Largest UDP payload that passes, in bytes.
    #[arg(long, value_name = "BYTES")]
    mtu: Option<u32>,
    /// Lost, as 1.5%.
    #[arg(long, value_name = "SHARE", value_parser = units::share::parse)]
    loss: Option<u32>,
    /// Held back, so that later ones overtake.
    #[arg(long, value_name = "SHARE", value_parser = units::share::parse)]
    reorder: Option<u32>,
    /// Held back for how long at most; 10ms when only --reorder is given.
    #[arg(long, value_name = "TIME", value_parser = units::duration::parse)]
    reorder_extra: Option<Duration>,
    /// Doubled.
    #[arg(long, value_name = "SHARE", value_parser = units::share::parse)]
    duplicate: Option<u32>,
    /// Changed by 1 to 4 bits.
    #[arg(long, value_name = "SHARE", value_parser = units::share::parse)]
    corrupt: Option<u32>,
    /// Cut short.
    #[arg(long, value_name = "SHARE", value_parser = units::share::parse)]
    truncate: Option<u32>,
}

fn named(name: &str) -> Result<Link, String> {
    Link::named(name).ok_or_else(|| format!("known are {}", Link::NAMES.join(", ")))
}

impl PlanArguments {
    fn apply(&self, plan: &mut LinkPlan) -> Result<(), String> {
        let set = |value: &mut u32, given: Option<u32>| *value = given.unwrap_or(*value);
        set(&mut plan.loss, self.loss);
        set(&mut plan.reorder, self.reorder);
        set(&mut plan.duplicate, self.duplicate);
        set(&mut plan.corrupt, self.corrupt);
        set(&mut plan.truncate, self.truncate);
        plan.delay = self.delay.unwrap_or(plan.delay);
        plan.jitter = self.jitter.unwrap_or(plan.jitter);
        if self.loss.is_some() {
            plan.bursts = None;
        }
        if let Some(extra) = self.reorder_extra {
            plan.reorder_extra = extra;
        } else if self.reorder.is_some() && plan.reorder_extra.is_zero() {
            plan.reorder_extra = Duration::from_millis(10);
        }
        if let Some(payload) = self.mtu {
            plan.mtu = Some(MtuPlan::new(payload));
        }
        if let Some(rate) = self.rate {
            plan.rate = Some(RatePlan::new(rate, QUEUE));
        }
        match (self.queue, &mut plan.rate) {
            (None, _) => Ok(()),
            (Some(queue), Some(rate)) => {
                rate.queue = queue;
                Ok(())
            }
            (Some(_), None) => Err("--queue needs a rate".to_owned()),
        }
    }
}

pub(crate) fn run(arguments: &ProxyArguments) -> bool {
    match serve(arguments) {
        Ok(()) => true,
        Err(error) => {
            eprintln!("sim proxy: {error}");
            false
        }
    }
}

fn serve(arguments: &ProxyArguments) -> Result<(), String> {
    let mut link = arguments.link.clone().unwrap_or_default();
    arguments.plan.apply(&mut link.up)?;
    arguments.plan.apply(&mut link.down)?;
    let config = ProxyConfig {
        link,
        seed: arguments.seed,
        ..ProxyConfig::new(resolve(&arguments.listen)?, resolve(&arguments.to)?)
    };
    let to = config.to;
    let listen = config.listen;
    let proxy = Proxy::start(config).map_err(|error| format!("{listen}: {error}"))?;
    println!("{} -> {to}", proxy.local_addr());
    let stop = Arc::new(AtomicBool::new(false));
    let (wake, woken) = mpsc::channel();
    let seen = Arc::clone(&stop);
    ctrlc::set_handler(move || {
        seen.store(true, Ordering::SeqCst);
        // Nobody listens any more when the command is ending already.
        let _ = wake.send(());
    })
    .map_err(|error| format!("signals cannot be handled: {error}"))?;
    watch(arguments, &proxy, &stop, &woken);
    print_stats(&proxy.stats());
    if stop.load(Ordering::SeqCst) {
        Ok(())
    } else {
        Err("the system does not tell of sockets any more".to_owned())
    }
}

/// Prints and rebinds until the proxy ends or is to end.
fn watch(arguments: &ProxyArguments, proxy: &Proxy, stop: &AtomicBool, woken: &mpsc::Receiver<()>) {
    let began = std::time::Instant::now();
    let (print_every, rebind_every) = (Duration::from_secs(5), arguments.rebind);
    let (mut print_at, mut rebind_at) = (print_every, rebind_every);
    while proxy.is_running() && !stop.load(Ordering::SeqCst) {
        let next = rebind_at.map_or(print_at, |at| at.min(print_at));
        if woken
            .recv_timeout(next.saturating_sub(began.elapsed()))
            .is_ok()
        {
            return;
        }
        let now = began.elapsed();
        if now >= print_at {
            print_at = now + print_every;
            if arguments.stats {
                print_stats(&proxy.stats());
            }
        }
        if rebind_at.is_some_and(|at| now >= at) {
            rebind_at = rebind_every.map(|every| now + every.max(Duration::from_millis(1)));
            proxy.rebind();
        }
    }
}

fn resolve(text: &str) -> Result<SocketAddr, String> {
    let mut addresses = text
        .to_socket_addrs()
        .map_err(|error| format!("{text}: {error}"))?;
    addresses
        .next()
        .ok_or_else(|| format!("{text}: no address"))
}

fn print_stats(stats: &ProxyStats) {
    println!(
        "{} clients, {} ever, {} datagrams refused, rebound {} times",
        stats.clients, stats.clients_seen, stats.refused, stats.rebinds
    );
    for (name, direction) in [("up", &stats.up), ("down", &stats.down)] {
        let DirectionStats {
            received,
            received_bytes,
            sent,
            sent_bytes,
            lost,
            copied,
            unsent,
        } = direction;
        println!(
            "  {name:4} in {received} ({received_bytes} B), out {sent} ({sent_bytes} B), \
             lost {lost}, copied {copied}, unsent {unsent}"
        );
    }
}
