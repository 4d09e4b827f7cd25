use std::collections::VecDeque;

use proto_core::{Duration, Instant};

use super::{Datagram, Node};

/// Nanoseconds of a second.
const SECOND: u64 = 1_000_000_000;

/// A wire of a fixed rate behind a queue that drops what does not fit (tail drop).
///
/// A datagram leaves when its last bit is on the wire. Fractions of a nanosecond are carried on while the wire is busy,
/// so that a long run keeps the rate exactly.
#[derive(Debug)]
pub struct Rate {
    bits_per_second: u64,
    queue_bytes: u64,
    queued_bytes: u64,
    /// Departure and size of what has not left, the datagram on the wire included.
    queued: VecDeque<(Instant, u64)>,
    free_at: Instant,
    /// What the last division left over, in units of 1 / `bits_per_second` ns.
    remainder: u64,
    dropped: u64,
}

impl Rate {
    /// `bits_per_second` of UDP payload, at least 1; a queue of `queue_bytes`, the datagram on the wire included. An
    /// idle wire takes a datagram of any size.
    #[must_use]
    pub fn new(bits_per_second: u64, queue_bytes: u64) -> Self {
        Self {
            bits_per_second: bits_per_second.max(1),
            queue_bytes,
            queued_bytes: 0,
            queued: VecDeque::new(),
            free_at: Instant::ZERO,
            remainder: 0,
            dropped: 0,
        }
    }

    /// Datagrams that found the queue full.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}

impl Node for Rate {
    fn pass(&mut self, now: Instant, datagram: Datagram, out: &mut Vec<(Instant, Datagram)>) {
        while let Some(&(departure, size)) = self.queued.front() {
            if departure > now {
                break;
            }
            self.queued_bytes -= size;
            self.queued.pop_front();
        }
        let size = datagram.payload.len() as u64;
        if !self.queued.is_empty() && self.queued_bytes + size > self.queue_bytes {
            self.dropped += 1;
            return;
        }
        if self.free_at < now {
            self.free_at = now;
            self.remainder = 0;
        }
        let scaled = u128::from(size) * 8 * u128::from(SECOND) + u128::from(self.remainder);
        let rate = u128::from(self.bits_per_second);
        self.remainder = (scaled % rate) as u64;
        self.free_at += Duration::from_nanos((scaled / rate) as u64);
        self.queued_bytes += size;
        self.queued.push_back((self.free_at, size));
        out.push((self.free_at, datagram));
    }
}
