use std::collections::VecDeque;

use proto_core::{Duration, Ecn, Instant};

use super::{Fate, Node, QueueStats, Schedule};

/// Nanoseconds of a second.
const SECOND: u128 = 1_000_000_000;

/// How much a queue holds. The datagram on the wire does not count, as in ns-3's `DropTailQueue` before a device.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum QueueLimit {
    /// Bytes, with the overhead of each datagram.
    Bytes(u64),
    /// Datagrams.
    Packets(u64),
}

/// A wire of a given rate behind a queue that drops what does not fit (tail drop).
///
/// A datagram leaves when its last bit is on the wire. Fractions of a nanosecond are carried on while the wire is busy,
/// so that a long run keeps the rate exactly, over changes of the rate too.
#[derive(Debug)]
pub struct Rate {
    rates: Schedule<u64>,
    limit: QueueLimit,
    overhead: u64,
    /// Departure and size of what has not left. The first is on the wire.
    queued: VecDeque<(Instant, u64)>,
    /// Sizes of `queued`, added up.
    queued_bytes: u64,
    /// When the wire is free but for `rest`.
    free_at: Instant,
    /// What is left to do at `free_at`, less than a nanosecond's work: in bits × `SECOND`.
    rest: u64,
    bytes_max: u64,
    packets_max: u64,
    /// Bytes that wait beyond which datagrams that can be marked are.
    marks_above: u64,
    /// The last datagram found so many waiting.
    marks: bool,
}

impl Rate {
    /// A wire of `bits_per_second`, at least 1.
    #[must_use]
    pub fn new(bits_per_second: u64, limit: QueueLimit) -> Self {
        Self::varying(Schedule::constant(bits_per_second.max(1)), limit)
    }

    /// A wire whose rate, in bits per second, changes over time. At a rate of 0 it stands still; what is on it at the end
    /// of a schedule that ends so is lost.
    #[must_use]
    pub fn varying(bits_per_second: Schedule<u64>, limit: QueueLimit) -> Self {
        let dead = bits_per_second.values().all(|rate| rate == 0);
        Self {
            rates: if dead {
                Schedule::constant(0)
            } else {
                bits_per_second
            },
            limit,
            overhead: 0,
            queued: VecDeque::new(),
            queued_bytes: 0,
            free_at: Instant::ZERO,
            rest: 0,
            bytes_max: 0,
            packets_max: 0,
            marks_above: u64::MAX,
            marks: false,
        }
    }

    /// Adds `bytes` to each datagram on the wire and in the queue: 28 are the headers of IPv4 and UDP, 48 those of IPv6.
    #[must_use]
    pub fn with_overhead(self, bytes: u32) -> Self {
        let overhead = u64::from(bytes);
        Self { overhead, ..self }
    }

    /// Marks datagrams of ECN-capable senders that find more than `bytes` waiting, themselves included (RFC 3168 §5). What
    /// does not fit is still dropped.
    #[must_use]
    pub fn with_marks_above(self, bytes: u64) -> Self {
        Self {
            marks_above: bytes,
            ..self
        }
    }

    /// Bytes and datagrams that wait behind the one on the wire.
    fn waiting(&self, gone: usize, gone_bytes: u64) -> (u64, u64) {
        match self.queued.get(gone) {
            None => (0, 0),
            Some(&(_, on_wire)) => (
                self.queued_bytes - gone_bytes - on_wire,
                (self.queued.len() - gone - 1) as u64,
            ),
        }
    }

    fn forget_departed(&mut self, now: Instant) {
        while let Some(&(departure, size)) = self.queued.front() {
            if departure > now {
                break;
            }
            self.queued_bytes -= size;
            self.queued.pop_front();
        }
    }

    fn fits(&self, size: u64) -> bool {
        let (bytes, packets) = self.waiting(0, 0);
        self.queued.is_empty()
            || match self.limit {
                QueueLimit::Bytes(max) => bytes.saturating_add(size) <= max,
                QueueLimit::Packets(max) => packets < max,
            }
    }

    /// Puts `size` bytes on the wire after all before. `None` when they never leave it.
    fn transmit(&mut self, now: Instant, size: u64) -> Option<Instant> {
        let (mut at, rest) = if self.free_at < now {
            (now, 0)
        } else {
            (self.free_at, self.rest)
        };
        let mut work = u128::from(size) * 8 * SECOND + u128::from(rest);
        loop {
            if work == 0 {
                (self.free_at, self.rest) = (at, 0);
                return Some(at);
            }
            let (rate, until) = self.rates.at(at);
            let rate = u128::from(rate);
            let span = until.map(|until| until.since(at).as_nanos());
            if let Some(span) = span.filter(|&span| work > rate.saturating_mul(span)) {
                if span == 0 {
                    return None;
                }
                work -= rate * span;
                at += Duration::from_nanos(span as u64);
                continue;
            }
            at += Duration::from_nanos(u64::try_from(work.checked_div(rate)?).ok()?);
            (self.free_at, self.rest) = (at, (work % rate) as u64);
            return Some(at);
        }
    }
}

impl Node for Rate {
    fn pass(&mut self, now: Instant, payload: &mut Vec<u8>) -> Fate {
        self.forget_departed(now);
        let size = payload.len() as u64 + self.overhead;
        if !self.fits(size) {
            return Fate::Lost;
        }
        let Some(departure) = self.transmit(now, size) else {
            return Fate::Lost;
        };
        self.queued_bytes += size;
        self.queued.push_back((departure, size));
        let (bytes, packets) = self.waiting(0, 0);
        self.bytes_max = self.bytes_max.max(bytes);
        self.packets_max = self.packets_max.max(packets);
        self.marks = bytes > self.marks_above;
        Fate::At(departure)
    }

    fn remark(&mut self, ecn: Ecn) -> Ecn {
        match ecn {
            Ecn::NotEct => Ecn::NotEct,
            _ if self.marks => Ecn::Ce,
            other => other,
        }
    }

    fn queue(&self, now: Instant) -> QueueStats {
        let departed = self.queued.iter().take_while(|&&(at, _)| at <= now);
        let (gone, gone_bytes) =
            departed.fold((0, 0), |(n, bytes), &(_, size)| (n + 1, bytes + size));
        let (bytes, packets) = self.waiting(gone, gone_bytes);
        QueueStats {
            bytes,
            packets,
            bytes_max: self.bytes_max,
            packets_max: self.packets_max,
        }
    }
}

#[cfg(test)]
mod tests;
