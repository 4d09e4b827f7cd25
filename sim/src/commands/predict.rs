//! `sim predict`: how long a transfer takes over a link, before it is made over a real one.

use clap::Args;
use proto_core::{CongestionControl, Duration};
use sim::measure::{
    Amount, Depth, End, FlowOutcome, FlowPlan, Measurement, Point, Way, algorithm_name, measure,
};
use sim::units;

use super::table::{algorithm, say};

/// Predict the goodput of one transfer over a link, in bits a second for each of several seeds, as one line of JSON.
///
/// The time is that which `dhow` prints: from the request to its end, without the handshake. What is sent to a disk is free.
#[derive(Args, Debug)]
pub(crate) struct Predict {
    /// Rate of the link in bits of IP packets.
    #[arg(long, value_parser = units::rate::parse)]
    rate: u64,
    /// Round-trip time of the link.
    #[arg(long, value_parser = units::duration::parse)]
    rtt: Duration,
    /// Random loss in each direction.
    #[arg(long, default_value = "0", value_parser = units::share::parse)]
    loss: u32,
    /// Room of the link's queue: 1bdp, 0.25bdp, 64kB, 25p.
    #[arg(long, default_value = "1bdp", value_parser = Depth::parse)]
    queue: Depth,
    /// Bytes of the file.
    #[arg(long, value_parser = units::size::parse)]
    size: u64,
    /// The client puts the file instead of getting it.
    #[arg(long)]
    put: bool,
    /// The sender's congestion control.
    #[arg(long, default_value = "cubic", value_parser = algorithm)]
    algorithm: CongestionControl,
    /// UDP payload of full datagrams.
    #[arg(long, default_value_t = 1_200)]
    datagram_size: u16,
    /// How many seeds.
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
}

pub(crate) fn run(args: &Predict) -> bool {
    match args.predict() {
        Ok(line) => say(&line),
        Err(error) => {
            eprintln!("{error}");
            false
        }
    }
}

impl Predict {
    fn predict(&self) -> Result<String, String> {
        let outcomes = (1..=self.seeds).map(|seed| self.outcome(seed));
        let outcomes: Vec<FlowOutcome> = outcomes.collect::<Result<_, String>>()?;
        let goodputs: Vec<u64> = (outcomes.iter()).map(|of| goodput(of, self.size)).collect();
        let lost: Vec<u64> = outcomes.iter().map(|of| of.lost).collect();
        let name = algorithm_name(self.algorithm);
        Ok(format!(
            "{{\"algorithm\":\"{name}\",\"goodputs\":{goodputs:?},\"lost\":{lost:?}}}\n"
        ))
    }

    fn outcome(&self, seed: u64) -> Result<FlowOutcome, String> {
        let point = Point {
            rate: self.rate,
            rtt: self.rtt,
            loss: self.loss,
            reorder: 0,
        };
        let flow = FlowPlan {
            start: Duration::ZERO,
            amount: Amount::Bytes(self.size),
            way: if self.put { Way::Up } else { Way::Down },
            congestion: self.algorithm,
            extra_delay: Duration::ZERO,
        };
        let plan = Measurement {
            link: point.link(self.queue),
            flows: vec![flow],
            seed,
            sample_every: Duration::from_secs(1),
            datagram_size: self.datagram_size,
            time_max: Duration::from_secs(3_600),
        };
        let outcome = measure(&plan).map_err(|violation| violation.to_string())?;
        let flow = outcome.flows.into_iter().next().ok_or("no flow ran")?;
        match flow.end {
            End::Completed(_) => Ok(flow),
            end => Err(format!("seed {seed}: the transfer ended with {end:?}")),
        }
    }
}

/// File bits a second from the request to the end.
fn goodput(flow: &FlowOutcome, size: u64) -> u64 {
    let asked = flow.deliveries.first().map(|(at, _)| *at);
    let time = flow.elapsed.saturating_sub(asked.unwrap_or_default());
    let bits = u128::from(size) * 8 * 1_000_000_000;
    let rate = bits.checked_div(time.as_nanos()).unwrap_or(0);
    u64::try_from(rate).unwrap_or(u64::MAX)
}
