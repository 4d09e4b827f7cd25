//! Realistic links by name. The numbers are typical for a good subscriber in the 2020s, not the best or the worst; where
//! one is not plain physics, the text says what it follows.

use proto_core::Duration;

use super::{Bursts, Link, LinkPlan, MtuPlan, QueueLimit, RateChange, RatePlan, Window};

/// Headers of IPv4 and UDP.
const OVERHEAD: u32 = 28;

/// A link with a name.
struct Named {
    name: &'static str,
    about: &'static str,
    make: fn() -> Link,
}

const LINKS: [Named; 9] = [
    Named {
        name: "dsl",
        about: "VDSL2, 50 down and 10 up, PPPoE; a router that queues 200 ms up",
        make: dsl,
    },
    Named {
        name: "cable",
        about: "DOCSIS 3.1, 200 down and 20 up; upstream grants come every 2 to 6 ms",
        make: cable,
    },
    Named {
        name: "lte",
        about: "a phone that moves: 8 to 45 Mbit/s, half a second of buffer in the base station",
        make: lte,
    },
    Named {
        name: "5g",
        about: "mid-band 5G: 120 to 450 Mbit/s, a handover of 60 ms every 30 s",
        make: five_g,
    },
    Named {
        name: "wifi",
        about: "802.11ac two rooms away: waits for the medium, bursts of loss, 60 to 150 Mbit/s",
        make: wifi,
    },
    Named {
        name: "geo",
        about: "geostationary satellite, 50 down and 5 up, RTT 600 ms",
        make: geo,
    },
    Named {
        name: "leo",
        about: "low-orbit satellites, 80 to 220 Mbit/s, another path every 15 s",
        make: leo,
    },
    Named {
        name: "transatlantic-10g",
        about: "research network London to New York, 10 Gbit/s, RTT 72 ms",
        make: transatlantic,
    },
    Named {
        name: "datacenter",
        about: "two racks, 10 Gbit/s, RTT 100 us, jumbo frames, shallow buffers",
        make: datacenter,
    },
];

impl Link {
    /// The names that [`Link::named`] knows.
    pub const NAMES: [&'static str; LINKS.len()] = {
        let mut names = [""; LINKS.len()];
        let mut at = 0;
        while at < LINKS.len() {
            names[at] = LINKS[at].name;
            at += 1;
        }
        names
    };

    /// A realistic link; `up` is from the client to the server.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let named = LINKS.iter().find(|link| link.name == name)?;
        Some((named.make)())
    }

    /// What a named link is like, in one line.
    #[must_use]
    pub fn about(name: &str) -> Option<&'static str> {
        let named = LINKS.iter().find(|link| link.name == name)?;
        Some(named.about)
    }
}

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

const fn us(n: u64) -> Duration {
    Duration::from_micros(n)
}

const fn mbit(n: u64) -> u64 {
    n * 1_000_000
}

/// A wire that queues for so many milliseconds.
fn wire(bandwidth: u64, queue_ms: u64) -> Option<RatePlan> {
    let queue = QueueLimit::Bytes(bandwidth / 8 * queue_ms / 1_000);
    let overhead = OVERHEAD;
    Some(RatePlan {
        overhead,
        ..RatePlan::new(bandwidth, queue)
    })
}

/// A wire whose rate takes `rates` in turn, `step` each, with the queue of the first.
fn varying(rates: &[u64], step: Duration, queue_ms: u64) -> Option<RatePlan> {
    let plan = wire(rates[0], queue_ms)?;
    let at = |turn: usize| step * turn as u32;
    let changes = rates.iter().enumerate().skip(1);
    Some(RatePlan {
        changes: changes
            .map(|(turn, &bandwidth)| RateChange {
                at: at(turn),
                bandwidth,
            })
            .collect(),
        period: Some(at(rates.len())),
        ..plan
    })
}

/// The payload of a packet over IPv4.
fn packet(mtu: u32) -> Option<MtuPlan> {
    Some(MtuPlan::new(mtu - OVERHEAD))
}

/// VDSL2 with impulse noise protection: about 8 ms a way. PPPoE leaves 1,492 bytes of a packet. Home routers without queue
/// management hold some hundred milliseconds of upstream ("bufferbloat", Gettys and Nichols 2011).
fn dsl() -> Link {
    let plan = |rate| LinkPlan {
        delay: ms(9),
        jitter: us(500),
        loss: 20,
        mtu: packet(1_492),
        rate,
        ..LinkPlan::default()
    };
    Link {
        up: plan(wire(mbit(10), 200)),
        down: plan(wire(mbit(50), 80)),
    }
}

/// DOCSIS: a modem requests each upstream grant, which takes one or two of the 2 ms map intervals (White and others, "Low
/// Latency DOCSIS", 2019); downstream is shared with neighbours.
fn cable() -> Link {
    let plan = |jitter, rate| LinkPlan {
        delay: ms(6),
        jitter,
        loss: 10,
        mtu: packet(1_500),
        rate,
        ..LinkPlan::default()
    };
    Link {
        up: plan(ms(4), wire(mbit(20), 120)),
        down: plan(ms(1), wire(mbit(200), 60)),
    }
}

/// LTE: the radio layer repeats what is lost (HARQ and RLC), so that loss becomes jitter; base stations keep deep queues
/// for each user (Jiang and others, "Tackling Bufferbloat in 3G/4G Networks", 2012); the rate follows the signal.
fn lte() -> Link {
    let plan = |jitter, rate| LinkPlan {
        delay: ms(20),
        jitter,
        loss: 50,
        mtu: packet(1_428),
        rate,
        ..LinkPlan::default()
    };
    let down = [30, 45, 38, 22, 8, 16, 35, 28].map(mbit);
    let up = [10, 12, 8, 5, 3, 6, 11, 9].map(mbit);
    Link {
        up: plan(ms(10), varying(&up, ms(1_500), 500)),
        down: plan(ms(8), varying(&down, ms(1_500), 500)),
    }
}

/// 5G in mid-band, not stand-alone: RTT 25 to 35 ms as field studies report it (Narayanan and others, 2020 and 2021);
/// shorter slots than LTE, rates that change quicker, and a cut at each handover.
fn five_g() -> Link {
    let handover = Window {
        from: ms(29_940),
        until: ms(30_000),
    };
    let plan = |jitter, rate| LinkPlan {
        delay: ms(12),
        jitter,
        loss: 50,
        outages: vec![handover],
        outage_period: Some(ms(30_000)),
        mtu: packet(1_428),
        rate,
        ..LinkPlan::default()
    };
    let down = [300, 450, 380, 120, 240, 410].map(mbit);
    let up = [50, 70, 60, 25, 40, 65].map(mbit);
    Link {
        up: plan(ms(5), varying(&up, ms(700), 150)),
        down: plan(ms(4), varying(&down, ms(700), 150)),
    }
}

/// Wi-Fi: a sender waits for the medium up to some milliseconds and aggregates frames; what seven repeats do not bring
/// through is lost, mostly several in a row. The rate adapts to the signal.
fn wifi() -> Link {
    let bursts = Bursts {
        to_bad: 300,
        to_good: 200_000,
        loss_good: 0,
        loss_bad: 500_000,
    };
    let plan = |rate| LinkPlan {
        delay: ms(1),
        jitter: ms(5),
        bursts: Some(bursts),
        mtu: packet(1_500),
        rate,
        ..LinkPlan::default()
    };
    let rates = [120, 150, 90, 60, 110].map(mbit);
    Link {
        up: plan(varying(&rates, ms(900), 60)),
        down: plan(varying(&rates, ms(1_100), 60)),
    }
}

/// A geostationary orbit is 35,786 km high: ground to ground takes at least 239 ms a way, with slant ranges, framing and
/// access about 300 ms. Upstream capacity is assigned on demand; coding leaves little loss.
fn geo() -> Link {
    let plan = |jitter, rate| LinkPlan {
        delay: ms(298),
        jitter,
        loss: 500,
        mtu: packet(1_500),
        rate,
        ..LinkPlan::default()
    };
    Link {
        up: plan(ms(20), wire(mbit(5), 600)),
        down: plan(ms(4), wire(mbit(50), 300)),
    }
}

/// Low orbit, 550 km: terminals are given another satellite every 15 s, with a short cut and another rate (measurements of
/// Starlink: Michel and others 2022, Mohan and others 2024). Loss comes in bursts with it and alone.
fn leo() -> Link {
    let reassignment = Window {
        from: ms(14_920),
        until: ms(15_000),
    };
    let bursts = Bursts {
        to_bad: 200,
        to_good: 150_000,
        loss_good: 300,
        loss_bad: 600_000,
    };
    let plan = |rate| LinkPlan {
        delay: ms(18),
        jitter: ms(7),
        bursts: Some(bursts),
        outages: vec![reassignment],
        outage_period: Some(ms(15_000)),
        mtu: packet(1_500),
        rate,
        ..LinkPlan::default()
    };
    let down = [150, 220, 80, 180].map(mbit);
    let up = [15, 20, 9, 17].map(mbit);
    Link {
        up: plan(varying(&up, ms(15_000), 150)),
        down: plan(varying(&down, ms(15_000), 100)),
    }
}

/// 5,570 km as the crow flies and about 6,900 km of fibre at 5 us/km. Routers of such networks hold 20 ms and more at
/// 10 Gbit/s; optical paths lose almost nothing.
fn transatlantic() -> Link {
    Link::symmetric(LinkPlan {
        delay: ms(36),
        jitter: us(20),
        loss: 1,
        mtu: packet(9_000),
        rate: wire(mbit(10_000), 20),
        ..LinkPlan::default()
    })
}

/// A few switches of a microsecond each, hosts that take tens; a switch of 12 MB for 48 ports gives one port some hundred
/// kilobytes: 0.4 ms at 10 Gbit/s.
fn datacenter() -> Link {
    Link::symmetric(LinkPlan {
        delay: us(45),
        jitter: us(10),
        mtu: packet(9_000),
        rate: wire(mbit(10_000), 1).map(|rate| RatePlan {
            queue: QueueLimit::Bytes(500_000),
            ..rate
        }),
        ..LinkPlan::default()
    })
}
