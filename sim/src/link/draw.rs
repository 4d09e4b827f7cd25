use proto_core::Duration;

use super::{Bursts, Link, LinkPlan, MtuChange, MtuPlan, QueueLimit, RatePlan, Window};
use crate::rng::Rng;

/// The worst loss that is drawn, of 1,000,000 datagrams.
const LOSS_MAX: u32 = 300_000;

/// UDP payloads of links, from the least that dhow needs to jumbo frames over IPv6.
const PAYLOADS: [u32; 6] = [1_200, 1_252, 1_372, 1_452, 1_472, 8_952];

impl Link {
    /// Two directions of one delay, each with faults of its own ([`LinkPlan::draw`]), and what concerns both: the worst
    /// loss in both at once, a partition, and sizes of datagrams that change while the link is used, never below
    /// `payload_min`, which is at least 1,200.
    pub fn draw(rng: &mut Rng, payload_min: u32) -> Self {
        let delay = LinkPlan::draw_delay(rng);
        let mut link = Self {
            up: LinkPlan::draw(&mut rng.fork(), delay),
            down: LinkPlan::draw(&mut rng.fork(), delay),
        };
        if rng.one_in(20) {
            (link.up.loss, link.down.loss) = (LOSS_MAX, LOSS_MAX);
        }
        if rng.one_in(30) {
            let windows = draw_outages(rng);
            link.up.outages.clone_from(&windows);
            link.down.outages = windows;
        }
        for plan in [&mut link.up, &mut link.down] {
            if rng.one_in(6) {
                plan.mtu = Some(draw_mtu(rng, payload_min));
            }
        }
        link
    }
}

impl LinkPlan {
    /// A one-way delay of 0 to 200 ms.
    pub fn draw_delay(rng: &mut Rng) -> Duration {
        if rng.one_in(20) {
            Duration::ZERO
        } else {
            let magnitude = rng.between(1, 14);
            let delay = rng.between(10_000, 10_000 << magnitude);
            Duration::from_nanos(delay).min(Duration::from_millis(200))
        }
    }

    /// A direction of this delay with any combination of faults: loss up to 30 %, alone or in bursts, duplication
    /// and reordering up to 20 %, the latter by 1 s at most, corruption up to 10 %, truncation up to 2 %, jitter up to half the delay, cuts of up to
    /// 8 s, a slow wire.
    pub fn draw(rng: &mut Rng, delay: Duration) -> Self {
        let mut fault = |max| {
            if rng.one_in(2) {
                rng.log_uniform(max) as u32
            } else {
                0
            }
        };
        let (loss, reorder, duplicate) = (fault(LOSS_MAX.into()), fault(200_000), fault(200_000));
        let (corrupt, truncate) = (fault(100_000), fault(20_000));
        let jitter = if rng.one_in(2) {
            rng.below(delay.as_nanos() as u64 / 2 + 1)
        } else {
            0
        };
        let bursts = rng.one_in(5).then(|| draw_bursts(rng));
        // The worst cases come up often enough to be met in a few hundred seeds.
        let loss = if rng.one_in(12) { LOSS_MAX } else { loss };
        let reorder_extra = if rng.one_in(20) {
            rng.between(200_000_000, 1_000_000_000)
        } else {
            rng.log_uniform(200_000_000).max(1_000)
        };
        Self {
            delay,
            jitter: Duration::from_nanos(jitter),
            jitter_reorders: rng.one_in(4),
            // Bursts come on top: together they stay near the worst loss.
            loss: if bursts.is_some() {
                loss.min(LOSS_MAX / 4)
            } else {
                loss
            },
            bursts,
            outages: if rng.one_in(15) {
                draw_outages(rng)
            } else {
                Vec::new()
            },
            reorder,
            reorder_extra: Duration::from_nanos(reorder_extra),
            duplicate,
            corrupt,
            truncate,
            rate: rng.one_in(3).then(|| draw_rate(rng)),
            ..Self::default()
        }
    }
}

/// Bursts of 2 to 50 datagrams on average that meet at most every fourth datagram.
fn draw_bursts(rng: &mut Rng) -> Bursts {
    let to_good = rng.between(20_000, 500_000);
    let to_bad = rng.log_uniform(to_good / 3).max(100);
    Bursts {
        to_bad: to_bad as u32,
        to_good: to_good as u32,
        loss_good: 0,
        loss_bad: rng.between(300_000, 1_000_000) as u32,
    }
}

/// One to three windows of up to 8 s in the first minute; most are short and early.
fn draw_outages(rng: &mut Rng) -> Vec<Window> {
    (0..rng.between(1, 3))
        .map(|_| {
            let from = rng.log_uniform(60_000_000_000);
            let length = rng.log_uniform(8_000_000_000).max(1_000);
            Window {
                from: Duration::from_nanos(from),
                until: Duration::from_nanos(from + length),
            }
        })
        .collect()
}

fn draw_rate(rng: &mut Rng) -> RatePlan {
    let bandwidth = 500_000 << rng.between(0, 8);
    let queue = if rng.one_in(4) {
        QueueLimit::Packets(rng.between(8, 200))
    } else {
        QueueLimit::Bytes(rng.between(12_000, 400_000))
    };
    RatePlan::new(bandwidth, queue)
}

/// A size and up to two other ones later.
fn draw_mtu(rng: &mut Rng, payload_min: u32) -> MtuPlan {
    let mut payload = || (*rng.pick(&PAYLOADS)).max(payload_min);
    let (first, others) = (payload(), [payload(), payload()]);
    let changes = rng.below(3) as usize;
    MtuPlan {
        payload: first,
        changes: (others.into_iter().take(changes))
            .map(|payload| MtuChange {
                at: Duration::from_nanos(rng.log_uniform(20_000_000_000)),
                payload,
            })
            .collect(),
        period: None,
    }
}
