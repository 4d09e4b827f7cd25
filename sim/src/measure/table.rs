//! Goodput over loss × delay × algorithm, as a share of the link.

use std::fmt::Write as _;

use proto_core::{CongestionControl, Duration};

use super::parallel::parallel_map;
use super::{
    Amount, End, FlowPlan, Measurement, Outcome, Way, algorithm_name, bits_per_second, measure,
};
use crate::lab::Violation;
use crate::link::{Link, LinkPlan, QueueLimit, RatePlan};
use crate::units;

/// Headers of IPv4 and UDP.
const HEADERS: u32 = 28;
/// UDP payload of full datagrams.
const DATAGRAM: u16 = 1_452;

/// A link to measure over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Point {
    /// Bits per second in each direction.
    pub rate: u64,
    /// Round trip, half of it in each direction.
    pub rtt: Duration,
    /// Random loss in each direction, parts per million; what is lost has taken its share of the wire.
    pub loss: u32,
    /// Datagrams that are held back for up to a tenth of the round trip, in each direction, parts per million.
    pub reorder: u32,
}

/// How much each flow hauls.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Load {
    /// A file of so many bytes; it has an hour.
    Size(u64),
    /// As much as goes in so long.
    Time(Duration),
}

/// The room of the bottleneck's queue.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Depth {
    /// Thousandths of rate × round trip; at least two full datagrams.
    Bdp(u32),
    /// The same for all points.
    Fixed(QueueLimit),
}

/// What is measured: every algorithm at every point, alone on the link.
#[derive(Clone, Debug)]
pub struct Table {
    /// The rows.
    pub points: Vec<Point>,
    /// The columns.
    pub algorithms: Vec<CongestionControl>,
    /// How much is hauled.
    pub load: Load,
    /// Room of the queue.
    pub queue: Depth,
    /// All randomness follows from it; the same for all cells.
    pub seed: u64,
}

/// One measured cell.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cell {
    /// Where.
    pub point: Point,
    /// Whose.
    pub algorithm: String,
    /// How the flow ended.
    pub end: End,
    /// File bits per second.
    pub goodput: u64,
    /// Goodput in thousandths of the link's rate.
    pub share: u32,
    /// The mean wait in the queue.
    pub queue_mean: Duration,
    /// The longest wait in the queue that was seen.
    pub queue_max: Duration,
    /// Bytes on the wire, in thousandths of the file's.
    pub wire: u32,
    /// Bytes on the way back, in thousandths of the file's.
    pub back: u32,
    /// Packets that the sender found lost, parts per million.
    pub lost: u32,
}

/// How a table is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// Aligned columns.
    Text,
    /// A table of Markdown.
    Markdown,
    /// Every figure of every cell.
    Csv,
}

impl Depth {
    /// Reads `1bdp`, `0.5bdp`, `64kB` or `25p`.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let Some(number) = text.trim().strip_suffix("bdp") else {
            return QueueLimit::parse(text).map(Self::Fixed);
        };
        let wrong = || format!("'{text}' is no queue such as 1bdp, 0.25bdp, 64kB or 25p");
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let digits = format!("{whole}{fraction:0<3}");
        let all_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || fraction.len() > 3 || !all_digits {
            return Err(wrong());
        }
        digits.parse().map(Self::Bdp).map_err(|_| wrong())
    }

    fn limit(self, point: Point) -> QueueLimit {
        match self {
            Self::Fixed(limit) => limit,
            Self::Bdp(thousandths) => {
                let bits = u128::from(point.rate) * point.rtt.as_nanos() / 1_000_000_000;
                let bytes = bits / 8 * u128::from(thousandths) / 1_000;
                let least = 2 * (u64::from(DATAGRAM) + u64::from(HEADERS));
                QueueLimit::Bytes(u64::try_from(bytes).unwrap_or(u64::MAX).max(least))
            }
        }
    }
}

impl Point {
    /// The link: both directions are the same.
    #[must_use]
    pub fn link(&self, queue: Depth) -> Link {
        let wire = RatePlan {
            overhead: HEADERS,
            ..RatePlan::new(self.rate, queue.limit(*self))
        };
        Link::symmetric(LinkPlan {
            delay: self.rtt / 2,
            loss: self.loss,
            loss_after_rate: true,
            reorder: self.reorder,
            reorder_extra: self.rtt / 10,
            rate: Some(wire),
            ..LinkPlan::default()
        })
    }

    /// The eight points at which dhow is compared with other systems.
    #[must_use]
    pub fn usual() -> Vec<Self> {
        let point = |mbit: u64, ms, loss, reorder| Self {
            rate: mbit * 1_000_000,
            rtt: Duration::from_millis(ms),
            loss,
            reorder,
        };
        vec![
            point(200, 20, 0, 0),
            point(200, 100, 0, 0),
            point(200, 100, 1_000, 0),
            point(200, 100, 10_000, 0),
            point(200, 100, 50_000, 0),
            point(500, 100, 10_000, 0),
            point(50, 300, 20_000, 0),
            point(100, 50, 10_000, 20_000),
        ]
    }

    fn shows(&self) -> [String; 4] {
        [
            units::rate::format(self.rate),
            units::duration::format(self.rtt),
            percent(self.loss),
            percent(self.reorder),
        ]
    }
}

impl Table {
    /// Measures all cells, on all cores: the rows one after the other. The same table gives the same cells on every run.
    ///
    /// # Errors
    /// Something that must not happen in one of them.
    pub fn run(&self) -> Result<Vec<Cell>, Violation> {
        let columns = self.algorithms.len().max(1);
        let count = self.points.len() * self.algorithms.len();
        let cells = parallel_map(count, |index| {
            self.cell(
                self.points[index / columns],
                self.algorithms[index % columns],
            )
        });
        cells.into_iter().collect()
    }

    fn cell(&self, point: Point, congestion: CongestionControl) -> Result<Cell, Violation> {
        let (amount, time_max) = match self.load {
            Load::Size(bytes) => (Amount::Bytes(bytes), Duration::from_secs(3_600)),
            Load::Time(time) => (Amount::Time(time), time + Duration::from_secs(1)),
        };
        let outcome = measure(&Measurement {
            link: point.link(self.queue),
            flows: vec![FlowPlan {
                start: Duration::ZERO,
                amount,
                way: Way::Down,
                congestion,
                extra_delay: Duration::ZERO,
            }],
            seed: self.seed,
            sample_every: Duration::from_millis(5),
            datagram_size: DATAGRAM,
            time_max,
        })?;
        Ok(Cell::new(point, algorithm_name(congestion), &outcome))
    }

    /// The text of `cells`, which [`run`](Self::run) gave.
    #[must_use]
    pub fn write(&self, cells: &[Cell], format: Format) -> String {
        match format {
            Format::Csv => csv(cells),
            Format::Text => aligned(&self.grid(cells)),
            Format::Markdown => markdown(&self.grid(cells)),
        }
    }

    /// The head and a row a point: share and mean wait in the queue of each algorithm.
    fn grid(&self, cells: &[Cell]) -> Vec<Vec<String>> {
        let mut head: Vec<String> = ["rate", "RTT", "loss", "reorder"].map(Into::into).into();
        for algorithm in &self.algorithms {
            let name = algorithm_name(*algorithm);
            head.extend([name.clone(), format!("{name} queue")]);
        }
        let mut grid = vec![head];
        for row in cells.chunks(self.algorithms.len().max(1)) {
            let mut line: Vec<String> = row.first().map_or(Vec::new(), |c| c.point.shows().into());
            for cell in row {
                line.extend([cell.share_text(), millis(cell.queue_mean) + " ms"]);
            }
            grid.push(line);
        }
        grid
    }
}

impl Cell {
    fn new(point: Point, algorithm: String, outcome: &Outcome) -> Self {
        let flow = &outcome.flows[0];
        let of_file = |bytes: u64| parts(bytes, flow.delivered, 1_000);
        let wait = |bytes: u64| {
            let nanos = u128::from(bytes) * 8 * 1_000_000_000 / u128::from(point.rate.max(1));
            Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
        };
        let goodput = bits_per_second(flow.delivered, flow.elapsed);
        Self {
            point,
            algorithm,
            end: flow.end.clone(),
            goodput,
            share: parts(goodput, point.rate, 1_000),
            queue_mean: wait(flow.queue_mean()),
            queue_max: wait(flow.queue_max()),
            wire: of_file(flow.wire_bytes),
            back: of_file(flow.return_bytes),
            lost: parts(flow.lost, flow.datagrams, 1_000_000),
        }
    }

    /// `0.944`, or how it ended otherwise.
    fn share_text(&self) -> String {
        match self.end {
            End::Completed(_) | End::Stopped => thousandths(self.share),
            End::OutOfTime => format!("{} (cut)", thousandths(self.share)),
            End::Failed(_) => "failed".into(),
        }
    }
}

/// `part` of `whole` in `of`-ths, rounded to the nearest; 0 of nothing.
fn parts(part: u64, whole: u64, of: u32) -> u32 {
    let (part, whole) = (u128::from(part), u128::from(whole));
    let scaled = (part * u128::from(of) + whole / 2).checked_div(whole);
    u32::try_from(scaled.unwrap_or(0)).unwrap_or(u32::MAX)
}

/// Parts per million as percent, without zeros at the end.
fn percent(share: u32) -> String {
    let text = format!("{}.{:04}", share / 10_000, share % 10_000);
    format!("{}%", text.trim_end_matches('0').trim_end_matches('.'))
}

fn thousandths(value: u32) -> String {
    format!("{}.{:03}", value / 1_000, value % 1_000)
}

/// Milliseconds with one decimal, rounded to the nearest.
fn millis(time: Duration) -> String {
    let tenths = (time.as_nanos() + 50_000) / 100_000;
    format!("{}.{}", tenths / 10, tenths % 10)
}

fn aligned(grid: &[Vec<String>]) -> String {
    let columns = grid.first().map_or(0, Vec::len);
    let width = |column: usize| {
        let cells = grid.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = String::new();
    for row in grid {
        let cells = row.iter().zip(&widths);
        let cells: Vec<String> = cells
            .map(|(cell, width)| format!("{cell:>width$}"))
            .collect();
        out.push_str(&cells.join("  "));
        out.push('\n');
    }
    out
}

fn markdown(grid: &[Vec<String>]) -> String {
    let mut out = String::new();
    for (index, row) in grid.iter().enumerate() {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "| {} |", row.join(" | "));
        if index == 0 {
            let _ = writeln!(out, "|{}", "---:|".repeat(row.len()));
        }
    }
    out
}

fn csv(cells: &[Cell]) -> String {
    let mut out = String::from(
        "rate,rtt_ns,loss_ppm,reorder_ppm,algorithm,end,goodput,share,queue_mean_ns,queue_max_ns,\
         wire,back,lost_ppm\n",
    );
    for cell in cells {
        let end = match cell.end {
            End::Completed(_) => "completed",
            End::Stopped => "stopped",
            End::OutOfTime => "out of time",
            End::Failed(_) => "failed",
        };
        let Point {
            rate,
            rtt,
            loss,
            reorder,
        } = cell.point;
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "{rate},{},{loss},{reorder},{},{end},{},{},{},{},{},{},{}",
            rtt.as_nanos(),
            cell.algorithm,
            cell.goodput,
            thousandths(cell.share),
            cell.queue_mean.as_nanos(),
            cell.queue_max.as_nanos(),
            thousandths(cell.wire),
            thousandths(cell.back),
            cell.lost,
        );
    }
    out
}
