//! `sim table`: goodput over loss × delay × algorithm.

use std::io::Write as _;

use clap::{Args, ValueEnum};
use proto_core::{CongestionControl, Duration};
use sim::measure::{self, ALGORITHMS, Depth, Format, Load, Point, algorithm_name, algorithm_named};
use sim::units;

/// What lists that are not given hold, once one of them is.
const RATE: u64 = 100_000_000;
const RTT: Duration = Duration::from_millis(50);

/// Measure goodput as a share of the link, for every algorithm at every point: alone, with random loss in both directions.
///
/// Without lists of rates, round trips, losses or reordering, the points are those at which dhow is compared with other
/// systems. The same arguments give the same figures on every run and machine.
#[derive(Args, Debug)]
pub(crate) struct Table {
    /// Rates of the link, such as 50mbit,1gbit.
    #[arg(long, value_delimiter = ',', value_parser = units::rate::parse)]
    rates: Vec<u64>,
    /// Round-trip times of the link, such as 20ms,100ms.
    #[arg(long, alias = "delays", value_delimiter = ',', value_parser = units::duration::parse)]
    rtts: Vec<Duration>,
    /// Random loss, such as 0,0.1%,1%.
    #[arg(long, value_delimiter = ',', value_parser = units::share::parse)]
    loss: Vec<u32>,
    /// Datagrams held back for up to a tenth of the round trip, such as 0,2%.
    #[arg(long, value_delimiter = ',', value_parser = units::share::parse)]
    reorder: Vec<u32>,
    /// Congestion controls; all that there are unless given.
    #[arg(long, value_delimiter = ',', value_parser = algorithm)]
    algorithms: Vec<CongestionControl>,
    /// Haul a file of this size, however long it takes.
    #[arg(long, value_parser = units::size::parse, conflicts_with = "seconds")]
    size: Option<u64>,
    /// Haul for so many seconds.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Room of the queue: 1bdp, 0.25bdp, 64kB, 25p.
    #[arg(long, default_value = "1bdp", value_parser = Depth::parse)]
    queue: Depth,
    /// Seed of the losses.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How to write it.
    #[arg(long, value_enum, default_value_t = FormatName::Text)]
    format: FormatName,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum FormatName {
    /// Aligned columns.
    Text,
    /// A table of Markdown.
    Markdown,
    /// Every figure of every cell.
    Csv,
}

/// The congestion control of that name.
pub(super) fn algorithm(name: &str) -> Result<CongestionControl, String> {
    algorithm_named(name).ok_or_else(|| {
        let names: Vec<String> = ALGORITHMS.iter().map(|a| algorithm_name(*a)).collect();
        format!("there are {}", names.join(", "))
    })
}

/// Writes to standard output; false when nobody reads it to the end.
pub(super) fn say(text: &str) -> bool {
    std::io::stdout().write_all(text.as_bytes()).is_ok()
}

pub(crate) fn run(args: &Table) -> bool {
    let table = args.table();
    match table.run() {
        Ok(cells) => {
            let format = match args.format {
                FormatName::Text => Format::Text,
                FormatName::Markdown => Format::Markdown,
                FormatName::Csv => Format::Csv,
            };
            say(&table.write(&cells, format))
        }
        Err(violation) => {
            eprintln!("{violation}");
            false
        }
    }
}

impl Table {
    fn table(&self) -> measure::Table {
        let algorithms = if self.algorithms.is_empty() {
            ALGORITHMS.to_vec()
        } else {
            self.algorithms.clone()
        };
        measure::Table {
            points: self.points(),
            algorithms,
            load: self
                .size
                .map_or(Load::Time(Duration::from_secs(self.seconds)), Load::Size),
            queue: self.queue,
            seed: self.seed,
        }
    }

    fn points(&self) -> Vec<Point> {
        let lists = [
            self.rates.len(),
            self.rtts.len(),
            self.loss.len(),
            self.reorder.len(),
        ];
        if lists == [0; 4] {
            return Point::usual();
        }
        let mut points = Vec::new();
        for rate in or(&self.rates, RATE) {
            for rtt in or(&self.rtts, RTT) {
                for loss in or(&self.loss, 0) {
                    for reorder in or(&self.reorder, 0) {
                        points.push(Point {
                            rate,
                            rtt,
                            loss,
                            reorder,
                        });
                    }
                }
            }
        }
        points
    }
}

fn or<T: Copy>(list: &[T], otherwise: T) -> Vec<T> {
    if list.is_empty() {
        vec![otherwise]
    } else {
        list.to_vec()
    }
}
