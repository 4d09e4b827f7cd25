//! Links in words.

use crate::link::{Link, LinkPlan, QueueLimit};
use crate::plot::Unit;

/// Headers of IPv4 and UDP.
const HEADERS: u64 = 28;

/// The room of a queue in bytes, for full datagrams of `datagram` bytes of UDP payload.
pub(super) fn queue_bytes(limit: QueueLimit, datagram: u16) -> u64 {
    match limit {
        QueueLimit::Bytes(bytes) => bytes,
        QueueLimit::Packets(packets) => packets.saturating_mul(u64::from(datagram) + HEADERS),
    }
}

/// A share of a plan, parts per million.
type Share = fn(&LinkPlan) -> u32;

/// `50 Mbit/s down, 10 Mbit/s up, 18 ms round trip, 1 % loss`.
pub(super) fn describe(link: &Link) -> String {
    let mut parts = rates(link);
    let way = (link.up.delay + link.down.delay).as_secs_f64();
    parts.push(format!("{} round trip", Unit::Seconds.show(way)));
    let jitter = (link.up.jitter + link.down.jitter).as_secs_f64();
    if jitter > 0.0 {
        parts.push(format!("{} jitter", Unit::Seconds.show(jitter)));
    }
    let faults: [(&str, Share); 4] = [
        ("loss", |plan| plan.loss),
        ("reordered", |plan| plan.reorder),
        ("doubled", |plan| plan.duplicate),
        ("damaged", |plan| plan.corrupt.saturating_add(plan.truncate)),
    ];
    for (name, share) in faults {
        let (up, down) = (share(&link.up), share(&link.down));
        let show = |share: u32| Unit::Share.show(f64::from(share) / 1e6);
        if up == down && up > 0 {
            parts.push(format!("{} {name}", show(up)));
        } else if up != down {
            parts.push(format!("{} {name} down, {} up", show(down), show(up)));
        }
    }
    let has = |test: fn(&LinkPlan) -> bool| test(&link.up) || test(&link.down);
    if has(|plan| plan.bursts.is_some()) {
        parts.push("bursts of loss".into());
    }
    if has(|plan| !plan.outages.is_empty()) {
        parts.push("outages".into());
    }
    parts.join(", ")
}

fn rates(link: &Link) -> Vec<String> {
    let rate = |plan: &LinkPlan| {
        let wire = plan.rate.as_ref()?;
        let shown = Unit::BitsPerSecond.show(wire.bandwidth as f64);
        Some(if wire.changes.is_empty() {
            shown
        } else {
            "changing rate".into()
        })
    };
    match (rate(&link.down), rate(&link.up)) {
        (None, None) => Vec::new(),
        (Some(down), Some(up)) if down == up => vec![down],
        (down, up) => {
            let down = down.map(|rate| format!("{rate} down"));
            let up = up.map(|rate| format!("{rate} up"));
            down.into_iter().chain(up).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::RatePlan;
    use proto_core::Duration;

    #[test]
    fn a_link_is_told_in_words() {
        let queue = QueueLimit::Packets(10);
        let plan = |bandwidth, loss| LinkPlan {
            delay: Duration::from_millis(50),
            loss,
            rate: Some(RatePlan::new(bandwidth, queue)),
            ..LinkPlan::default()
        };
        let link = Link::symmetric(plan(50_000_000, 10_000));
        assert_eq!(describe(&link), "50 Mbit/s, 100 ms round trip, 1 % loss");
        let link = Link {
            up: plan(1_500_000, 0),
            down: plan(50_000_000, 500),
        };
        assert_eq!(
            describe(&link),
            "50 Mbit/s down, 1.50 Mbit/s up, 100 ms round trip, 0.05 % loss down, 0 % up"
        );
        assert_eq!(queue_bytes(queue, 1_452), 14_800);
    }
}
