use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use proto_core::Instant;

use super::*;
use crate::net::{Datagram, Network};
use crate::rng::Rng;

const A: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 1);
const B: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 2);

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Sends `count` datagrams of 1,200 bytes, `gap` apart; when those that come arrive, in ns.
fn arrivals(plan: &LinkPlan, count: u64, gap: Duration) -> Vec<u64> {
    let mut network = Network::default();
    let nodes = plan.build(&mut network, &mut Rng::new(1, 0));
    network.connect(A, B, nodes);
    let mut times = Vec::new();
    for number in 0..=count {
        let now = if number < count {
            Instant::ZERO + gap * number as u32
        } else {
            Instant::from_nanos(u64::MAX)
        };
        while let Some(time) = network.next_time().filter(|&time| time < now) {
            while let Some(datagram) = network.deliver(time) {
                times.push(time.as_nanos());
                network.recycle(datagram.payload);
            }
        }
        if number < count {
            let mut payload = network.buffer();
            payload.resize(1_200, 0);
            network.send(
                now,
                Datagram {
                    source: A,
                    destination: B,
                    ecn: proto_core::Ecn::NotEct,
                    payload,
                },
            );
        }
    }
    times
}

const EVERYTHING: &str = r#"
[up]
delay = "40ms"
jitter = "1.5ms"
jitter_reorders = true
loss = "0.5%"
loss_run = 3
drop = [1, 7]
outage_period = "7s"
reorder = "1%"
reorder_extra = "1s"
duplicate = "2%"
corrupt = "0.0003%"
corrupt_run = 2
corrupt_within = 50
truncate = "0.1%"
faults_until = "60s"

[up.bursts]
to_bad = "1%"
to_good = "25%"
loss_good = "0%"
loss_bad = "90%"

[[up.outages]]
from = "5s"
until = "7s"

[up.mtu]
payload = 1472

[[up.mtu.changes]]
at = "3s"
payload = 1200

[up.rate]
bandwidth = "10mbit"
queue = "64kB"
overhead = 28
period = "10s"

[[up.rate.changes]]
at = "5s"
bandwidth = "2.5mbit"

[down.rate]
bandwidth = "10mbit"
queue = "25p"
"#;

#[test]
fn a_link_is_text_both_ways() {
    let link: Link = toml::from_str(EVERYTHING).unwrap();
    assert_eq!(link.check(), Ok(()));
    assert_eq!(toml::to_string(&link).unwrap().trim(), EVERYTHING.trim());
    assert_eq!(link.up.outages[0].until, Duration::from_secs(7));
    assert_eq!(link.up.bursts.unwrap().loss_bad, 900_000);
    let down = link.down.rate.as_ref().unwrap();
    assert_eq!(down, &RatePlan::new(10_000_000, QueueLimit::Packets(25)));
}

#[test]
fn drawn_links_survive_being_text() {
    for seed in 0..300 {
        let link = Link::draw(&mut Rng::new(seed, 5), 1_200);
        assert_eq!(link.check(), Ok(()), "{seed}");
        let text = toml::to_string(&link).unwrap();
        assert_eq!(toml::from_str::<Link>(&text).unwrap(), link, "{text}");
    }
}

#[test]
fn what_is_not_known_is_refused() {
    for text in [
        "[up]\nlos = \"1%\"",
        "[up]\nloss = 0.01",
        "[upp]",
        "[up.mtu]\nsize = 1",
        "[up.rate]\nbandwidth = \"1mbit\"",
        "[up.bursts]\nbad = \"1%\"",
    ] {
        assert!(toml::from_str::<Link>(text).is_err(), "{text}");
    }
}

#[test]
fn plans_that_make_no_link_are_refused() {
    let refused = |text: &str| {
        let link: Link = toml::from_str(text).unwrap();
        link.check().unwrap_err()
    };
    let text = "[up]\nreorder = \"1%\"";
    assert_eq!(refused(text), "up: reorder needs a reorder_extra above 0");
    let text = "[down]\noutages = [{ from = \"2s\", until = \"2s\" }]";
    assert_eq!(refused(text), "down: an outage ends before it begins");
    assert!(refused("[up]\noutage_period = \"999us\"").contains("below 1ms"));
    assert!(refused("[up]\ndrop = [0]").contains("is 1"));
    assert!(refused("[up]\nloss_run = 0").contains("at least 1"));
    let rate = "[up.rate]\nqueue = \"1kB\"\nbandwidth = ";
    assert!(refused(&format!("{rate}\"999bit\"")).contains("1kbit"));
    assert!(refused(&format!("{rate}\"1kbit\"\nperiod = \"1us\"")).contains("rate.period"));
}

#[test]
fn a_link_may_be_a_name() {
    #[derive(Deserialize, PartialEq, Debug)]
    struct Host {
        link: Link,
    }
    let host: Host = toml::from_str("link = 'geo'").unwrap();
    assert_eq!(Some(host.link), Link::named("geo"));
    let error = toml::from_str::<Host>("link = 'carrier pigeon'").unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("carrier pigeon") && text.contains("geo, leo"),
        "{text}"
    );
    let error = toml::from_str::<Host>("link = 7").unwrap_err();
    assert!(error.to_string().contains("name of a link"), "{error}");
}

#[test]
fn runs_are_cut() {
    let plan = LinkPlan {
        loss: 1_000_000,
        loss_run: Some(3),
        ..LinkPlan::default()
    };
    assert_eq!(arrivals(&plan, 8, Duration::from_nanos(1)), [3, 7]);
}

#[test]
fn an_empty_plan_does_nothing() {
    let times = arrivals(&LinkPlan::default(), 3, Duration::from_nanos(5));
    assert_eq!(times, [0, 5, 10]);
}

#[test]
fn delay_follows_rate() {
    let plan = LinkPlan {
        rate: Some(RatePlan::new(9_600_000, QueueLimit::Packets(1))),
        ..LinkPlan::with_delay(ms(10))
    };
    // One is on the wire, one waits, the third is lost.
    assert_eq!(arrivals(&plan, 3, Duration::ZERO), [11_000_000, 12_000_000]);
}

#[test]
fn faults_heal_and_the_link_stays() {
    let always = 1_000_000;
    let faults = [
        LinkPlan {
            loss: always,
            ..LinkPlan::default()
        },
        LinkPlan {
            bursts: Some(Bursts {
                loss_good: always,
                loss_bad: always,
                ..Bursts::default()
            }),
            ..LinkPlan::default()
        },
        LinkPlan {
            outages: vec![Window {
                from: Duration::ZERO,
                until: ms(1_000_000),
            }],
            ..LinkPlan::default()
        },
        LinkPlan {
            drop: (1..1_000).collect(),
            ..LinkPlan::default()
        },
    ];
    for faulty in faults {
        let plan = LinkPlan {
            delay: ms(3),
            faults_until: Some(ms(10)),
            ..faulty
        };
        let expected: Vec<_> = (10..20).map(|n| (n + 3) * 1_000_000).collect();
        assert_eq!(arrivals(&plan, 20, ms(1)), expected, "{plan:?}");
    }
    let doubled = LinkPlan {
        duplicate: always,
        reorder: always,
        reorder_extra: ms(1),
        faults_until: Some(ms(10)),
        ..LinkPlan::default()
    };
    let times = arrivals(&doubled, 20, ms(1));
    assert_eq!(times.len(), 30);
    assert_eq!(
        times[20..],
        (10..20).map(|n| n * 1_000_000).collect::<Vec<_>>()
    );
    let small = LinkPlan {
        mtu: Some(MtuPlan::new(1_199)),
        faults_until: Some(Duration::ZERO),
        ..LinkPlan::default()
    };
    assert_eq!(arrivals(&small, 20, ms(1)), [0_u64; 0]);
}

#[test]
fn every_kind_of_fault_is_drawn() {
    let mut counts = std::collections::BTreeMap::new();
    for seed in 0..2_000 {
        let link = Link::draw(&mut Rng::new(seed, 1), 1_200);
        let (up, down) = (&link.up, &link.down);
        let reorders_far = up.reorder > 0 && up.reorder_extra > ms(500);
        let mtu_changes = up.mtu.as_ref().is_some_and(|mtu| !mtu.changes.is_empty());
        let packets = |rate: &RatePlan| matches!(rate.queue, QueueLimit::Packets(_));
        for (name, met) in [
            ("bursts", up.bursts.is_some()),
            (
                "worst both ways",
                up.loss == 300_000 && down.loss == 300_000,
            ),
            (
                "partition",
                !up.outages.is_empty() && up.outages == down.outages,
            ),
            (
                "one-way cut",
                up.outages.is_empty() != down.outages.is_empty(),
            ),
            ("far reordering", reorders_far),
            ("mtu change", mtu_changes),
            ("rate", up.rate.is_some()),
            ("queue of packets", up.rate.as_ref().is_some_and(packets)),
            (
                "no fault",
                up.loss + up.reorder + up.duplicate + up.corrupt + up.truncate == 0,
            ),
        ] {
            *counts.entry(name).or_insert(0) += u32::from(met);
        }
        for plan in [up, down] {
            assert!(
                plan.bursts
                    .is_none_or(|bursts| bursts.mean_loss() <= 250_000)
            );
            let mtu = plan.mtu.iter();
            let sizes =
                mtu.flat_map(|mtu| mtu.changes.iter().map(|c| c.payload).chain([mtu.payload]));
            assert!(sizes.min().is_none_or(|least| least >= 1_200));
        }
    }
    assert!(counts.values().all(|&count| count >= 10), "{counts:?}");
}

#[test]
fn named_links_are_sound_and_carry_what_they_say() {
    for name in Link::NAMES {
        let link = Link::named(name).unwrap();
        assert_eq!(link.check(), Ok(()), "{name}");
        let text = toml::to_string(&link).unwrap();
        assert_eq!(toml::from_str::<Link>(&text).unwrap(), link, "{name}");
        assert!(Link::about(name).is_some_and(|about| !about.is_empty()));
        for plan in [&link.up, &link.down] {
            // 20 datagrams a second: all but a few arrive, within the delay, the jitter and the wire's time.
            let times = arrivals(plan, 2_000, ms(50));
            assert!(times.len() >= 1_985, "{name}: {}", times.len());
            let first = Duration::from_nanos(times[0]);
            assert!(first >= plan.delay, "{name}: {first:?}");
            assert!(
                first < plan.delay + plan.jitter + ms(5),
                "{name}: {first:?}"
            );
        }
    }
    assert_eq!(Link::named("carrier pigeon"), None);
    assert_eq!(Link::about("carrier pigeon"), None);
}
