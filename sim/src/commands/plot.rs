//! `sim plot`: pictures of measurements and of an exchange.

use std::path::{Path, PathBuf};

use clap::Args;
use proto_core::{CongestionControl, Duration};
use sim::link::Link;
use sim::measure::{
    Amount, Depth, Exchange, FlowPlan, Lost, Measurement, Outcome, PlanFile, Point, Way,
    algorithm_name, chart, measure,
};
use sim::plot::{Side, Unit};
use sim::units;

use super::table::algorithm;

/// Draw a measurement over time, or an exchange packet by packet, as an SVG picture.
#[derive(Args, Debug)]
pub(crate) struct Plot {
    /// A link's name (dsl, cable, lte, 5g, wifi, geo, leo, transatlantic-10g, datacenter) or the file of a measurement
    /// (.toml); without it, --rate, --rtt, --loss and --queue say what the link is like.
    what: Option<String>,
    /// Where the picture goes; its name unless given.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Draw a handshake and a small download, datagram by datagram; --rate, --rtt, --size and --lose say which.
    #[arg(long, conflicts_with = "what")]
    sequence: bool,
    /// Rate of the link.
    #[arg(long, value_parser = units::rate::parse)]
    rate: Option<u64>,
    /// Round-trip time of the link.
    #[arg(long, default_value = "50ms", value_parser = units::duration::parse)]
    rtt: Duration,
    /// Random loss of the link.
    #[arg(long, default_value = "0", value_parser = units::share::parse)]
    loss: u32,
    /// Room of the link's queue: 1bdp, 0.25bdp, 64kB, 25p.
    #[arg(long, default_value = "1bdp", value_parser = Depth::parse)]
    queue: Depth,
    /// One flow for each congestion control in the list.
    #[arg(long, value_delimiter = ',', default_value = "cubic", value_parser = algorithm)]
    algorithms: Vec<CongestionControl>,
    /// From one flow's start to the next one's.
    #[arg(long, default_value = "0", value_parser = units::duration::parse)]
    stagger: Duration,
    /// Each flow hauls a file of this size.
    #[arg(long, value_parser = units::size::parse, conflicts_with = "seconds")]
    size: Option<u64>,
    /// All flows end after so many seconds.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Clients put files instead of getting them.
    #[arg(long)]
    put: bool,
    /// Of --sequence: the server's datagrams that are lost, the first being 1.
    #[arg(long, value_delimiter = ',')]
    lose: Option<Vec<u64>>,
    /// Seed of all randomness.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

pub(crate) fn run(args: &Plot) -> bool {
    match args.draw() {
        Ok(done) => super::table::say(&format!("{done}\n")),
        Err(error) => {
            eprintln!("{error}");
            false
        }
    }
}

impl Plot {
    fn draw(&self) -> Result<String, String> {
        if self.sequence {
            let diagram = self.exchange().record().map_err(|e| e.to_string())?;
            return self.write("sequence", &diagram.to_svg());
        }
        let (name, title, plan) = self.measurement()?;
        let outcome = measure(&plan).map_err(|violation| violation.to_string())?;
        let svg = chart(&title, &plan, &outcome).to_svg();
        let written = self.write(&name, &svg)?;
        Ok(format!("{}\n{written}", tell(&plan, &outcome)))
    }

    fn write(&self, name: &str, svg: &str) -> Result<String, String> {
        let named = || PathBuf::from(name).with_extension("svg");
        let path = self.out.clone().unwrap_or_else(named);
        std::fs::write(&path, svg).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(format!("{} written", path.display()))
    }

    fn exchange(&self) -> Exchange {
        let usual = Exchange::default();
        let lost = |numbers: &Vec<u64>| {
            let from = Side::Server;
            numbers
                .iter()
                .map(|&number| Lost { from, number })
                .collect()
        };
        Exchange {
            delay: self.rtt / 2,
            rate: self.rate.unwrap_or(usual.rate),
            size: self.size.unwrap_or(usual.size),
            lost: self.lose.as_ref().map_or(usual.lost, lost),
            seed: self.seed,
        }
    }

    /// The picture's name, its title, and what is measured.
    fn measurement(&self) -> Result<(String, String, Measurement), String> {
        if let Some(file) = self.what.as_deref().filter(|what| what.ends_with(".toml")) {
            let text = std::fs::read_to_string(file).map_err(|e| format!("{file}: {e}"))?;
            let plan = PlanFile::parse(&text).map_err(|e| format!("{file}: {e}"))?;
            let name = Path::new(file).file_stem().unwrap_or_default();
            let name = name.to_string_lossy().into_owned();
            return Ok((name, plan.title.clone(), plan.measurement()?));
        }
        let (name, link) = match &self.what {
            Some(name) => {
                let names = || format!("no link is called {name}: {}", Link::NAMES.join(", "));
                (name.as_str(), Link::named(name).ok_or_else(names)?)
            }
            None => ("plot", self.point().link(self.queue)),
        };
        let plan = self.plan(link);
        let title = title(&plan, self.what.as_deref().unwrap_or("a link"));
        Ok((name.into(), title, plan))
    }

    fn point(&self) -> Point {
        Point {
            rate: self.rate.unwrap_or(50_000_000),
            rtt: self.rtt,
            loss: self.loss,
            reorder: 0,
        }
    }

    fn plan(&self, link: Link) -> Measurement {
        let end = Duration::from_secs(self.seconds);
        let flow = |(index, congestion): (usize, &CongestionControl)| {
            let start = self.stagger * index as u32;
            FlowPlan {
                start,
                amount: match self.size {
                    Some(bytes) => Amount::Bytes(bytes),
                    None => Amount::Time(end.saturating_sub(start)),
                },
                way: if self.put { Way::Up } else { Way::Down },
                congestion: *congestion,
                extra_delay: Duration::ZERO,
            }
        };
        Measurement {
            datagram_size: Measurement::datagram_size_for(&link),
            link,
            flows: self.algorithms.iter().enumerate().map(flow).collect(),
            seed: self.seed,
            sample_every: Duration::from_millis(10),
            time_max: Duration::from_secs(3_600),
        }
    }
}

/// `cubic alone over dsl`, `cubic and bbr share dsl`.
fn title(plan: &Measurement, link: &str) -> String {
    let names = plan
        .flows
        .iter()
        .map(|flow| algorithm_name(flow.congestion));
    let mut names: Vec<String> = names.collect();
    match names.pop() {
        Some(last) if !names.is_empty() => format!("{} and {last} share {link}", names.join(", ")),
        Some(last) => format!("{last} alone over {link}"),
        None => link.into(),
    }
}

/// The figures of each flow in a line.
fn tell(plan: &Measurement, outcome: &Outcome) -> String {
    let flows = plan.flows.iter().zip(&outcome.flows);
    let mut lines: Vec<String> = flows
        .map(|(plan, flow)| {
            let name = algorithm_name(plan.congestion);
            let goodput = Unit::BitsPerSecond.show(flow.goodput() as f64);
            let queue = Unit::Bytes.show(flow.queue_mean() as f64);
            let (end, lost, sent) = (&flow.end, flow.lost, flow.datagrams);
            format!("{name}: {goodput}, {end:?}, {lost} of {sent} packets lost, mean queue {queue}")
        })
        .collect();
    if outcome.flows.len() > 1 {
        let fairness = Unit::Share.show(f64::from(outcome.fairness()) / 1e6);
        lines.push(format!("Jain's index: {fairness}"));
    }
    lines.join("\n")
}
