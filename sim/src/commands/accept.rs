//! `sim accept`: what recovery and congestion control must reach.

use std::time::Instant;

use clap::Args;
use proto_core::CongestionControl;
use sim::accept::{self, Case, Line, Spread};
use sim::measure::{ALGORITHMS, algorithm_name};

use super::table::{algorithm, say};

/// What must be measured for the acceptance to be whole.
const DEMANDED: [&str; 3] = ["bbr", "cubic", "background"];

/// Measure everything that recovery and congestion control must reach, beside what is demanded. Ends with 0 only if all of
/// it holds.
///
/// The same arguments give the same figures on every run and machine.
#[derive(Args, Debug)]
pub(crate) struct Accept {
    /// Congestion controls; all that there are unless given.
    #[arg(long, value_delimiter = ',', value_parser = algorithm)]
    algorithms: Vec<CongestionControl>,
    /// Only cases whose point or controller contains this text.
    #[arg(long)]
    only: Option<String>,
    /// Seed of the losses.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Show what figures come to over so many seeds, from that one on: least, mean and greatest, and how many of them meet the
    /// demand.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    seeds: Option<u64>,
}

pub(crate) fn run(args: &Accept) -> bool {
    let all = args.algorithms.is_empty();
    let controls = if all { ALGORITHMS } else { &args.algorithms };
    let mut cases = accept::cases(controls);
    if let Some(text) = &args.only {
        cases.retain(|case: &Case| case.point.contains(text) || case.who.contains(text));
    }
    let began = Instant::now();
    let (table, met) = match args.measure(&cases) {
        Ok(measured) => measured,
        Err(error) => {
            eprintln!("{error}");
            return false;
        }
    };
    let missed = met.iter().filter(|met| !**met).count();
    let took = began.elapsed().as_secs_f64();
    let known = |name: &&str| ALGORITHMS.iter().any(|of| algorithm_name(*of) == *name);
    let absent: Vec<&str> = DEMANDED.into_iter().filter(|name| !known(name)).collect();
    let said = say(&table);
    eprintln!(
        "{} figures, {missed} not as demanded; {took:.0} s",
        met.len()
    );
    if all && !absent.is_empty() {
        eprintln!("not measured, since there is none: {}", absent.join(", "));
    }
    let whole = !all || absent.is_empty();
    said && missed == 0 && whole && !met.is_empty()
}

impl Accept {
    /// The table, and whether each of its rows is as demanded.
    fn measure(&self, cases: &[Case]) -> Result<(String, Vec<bool>), String> {
        if let Some(seeds) = self.seeds {
            let spreads = accept::run_seeds(cases, self.seed, seeds)?;
            let met = spreads.iter().map(Spread::is_met).collect();
            return Ok((accept::write_spreads(&spreads), met));
        }
        let lines = accept::run(cases, self.seed)?;
        let met = lines.iter().map(Line::is_met).collect();
        Ok((accept::write(&lines), met))
    }
}
