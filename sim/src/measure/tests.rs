use super::*;
use crate::link::QueueLimit;
use crate::plot::Side;

const SECOND: Duration = Duration::from_secs(1);
const CUBIC: CongestionControl = CongestionControl::Cubic;

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn flow(start: Duration, amount: Amount, way: Way) -> FlowPlan {
    FlowPlan {
        start,
        amount,
        way,
        congestion: CUBIC,
        extra_delay: Duration::ZERO,
    }
}

/// 10 Mbit/s, 40 ms round trip, a queue of one BDP.
fn plan(flows: Vec<FlowPlan>) -> Measurement {
    let point = Point {
        rate: 10_000_000,
        rtt: ms(40),
        loss: 0,
        reorder: 0,
    };
    Measurement {
        link: point.link(Depth::Bdp(1_000)),
        flows,
        seed: 3,
        sample_every: ms(10),
        datagram_size: 1_452,
        time_max: 60 * SECOND,
    }
}

#[test]
fn a_file_takes_as_long_as_the_link_makes_it() {
    for way in [Way::Down, Way::Up] {
        let plan = plan(vec![flow(SECOND, Amount::Bytes(2_000_000), way)]);
        let outcome = measure(&plan).unwrap();
        assert_eq!(outcome, measure(&plan).unwrap());
        let flow = &outcome.flows[0];
        let End::Completed(took) = flow.end else {
            panic!("{:?}", flow.end);
        };
        // The handshake, the request and its answer take a round trip each; the bits themselves 1.6 s.
        assert!(took > ms(1_720) && took < ms(2_300), "{took:?}");
        assert_eq!((flow.delivered, flow.elapsed), (2_000_000, took));
        assert_eq!(flow.goodput(), bits_per_second(2_000_000, took));
        assert!(flow.wire_bytes > 2_000_000 + 28 * flow.datagrams);
        assert!(flow.return_bytes > 0 && flow.return_bytes < 100_000);
    }
}

#[test]
fn samples_see_the_queue_fill_and_never_more_than_its_room() {
    let plan = plan(vec![flow(
        Duration::ZERO,
        Amount::Time(5 * SECOND),
        Way::Down,
    )]);
    let outcome = measure(&plan).unwrap();
    let flow = &outcome.flows[0];
    assert_eq!((&flow.end, flow.elapsed), (&End::Stopped, 5 * SECOND));
    assert!(flow.samples.len() > 480, "{}", flow.samples.len());
    assert!(
        flow.samples
            .windows(2)
            .all(|pair| pair[1].at - pair[0].at == ms(10))
    );
    assert!(
        flow.samples
            .windows(2)
            .all(|pair| pair[0].delivered <= pair[1].delivered)
    );
    assert!(flow.deliveries.windows(2).all(|pair| pair[0] < pair[1]));
    let room = 50_000;
    assert!(
        (room / 2..=room).contains(&flow.queue_max()),
        "{}",
        flow.queue_max()
    );
    assert!(flow.queue_mean() < flow.queue_max());
    let share = flow.goodput() * 1_000 / 10_000_000;
    assert!((800..960).contains(&share), "{share}");
    // What waits makes the round trip longer.
    let rtts = || flow.samples.iter().map(|sample| sample.rtt);
    assert!(rtts().min() >= Some(ms(40)) && rtts().max() > Some(ms(60)));
    assert!(rtts().max() < Some(ms(90)));
}

#[test]
fn flows_share_the_bottleneck() {
    let long = Amount::Time(12 * SECOND);
    let both = plan(vec![
        flow(Duration::ZERO, long, Way::Down),
        flow(2 * SECOND, Amount::Time(10 * SECOND), Way::Down),
    ]);
    let outcome = measure(&both).unwrap();
    let alone = measure(&plan(vec![flow(Duration::ZERO, long, Way::Down)])).unwrap();
    let got = |outcome: &Outcome| outcome.flows.iter().map(|f| f.delivered).sum::<u64>();
    assert!(got(&outcome) < 12 * 10_000_000 / 8);
    assert!(outcome.flows[0].delivered < alone.flows[0].delivered * 9 / 10);
    assert!(outcome.flows[1].delivered > 1_000_000);
    assert!((500_000..1_000_000).contains(&outcome.fairness()));
    // The other way is another wire.
    let apart = plan(vec![
        flow(Duration::ZERO, long, Way::Down),
        flow(Duration::ZERO, long, Way::Up),
    ]);
    let outcome = measure(&apart).unwrap();
    assert!(got(&outcome) > 12 * 10_000_000 / 8 * 3 / 2);
}

#[test]
fn delay_of_its_own_is_a_flows_alone() {
    let near = flow(Duration::ZERO, Amount::Bytes(10_000), Way::Down);
    let far = FlowPlan {
        extra_delay: ms(100),
        ..near
    };
    let outcome = measure(&plan(vec![near, far])).unwrap();
    let took = |index: usize| match outcome.flows[index].end {
        End::Completed(took) => took,
        ref other => panic!("{other:?}"),
    };
    // The handshake is one round trip, the download another.
    let more = took(1) - took(0);
    assert!(more >= ms(380) && more <= ms(420), "{more:?}");
}

#[test]
fn a_dead_link_fails_the_flow() {
    let mut dead = plan(vec![flow(Duration::ZERO, Amount::Bytes(1), Way::Down)]);
    dead.link.up.loss = 1_000_000;
    let outcome = measure(&dead).unwrap();
    assert!(
        matches!(outcome.flows[0].end, End::Failed(_)),
        "{outcome:?}"
    );
    assert_eq!(outcome.flows[0].delivered, 0);
    dead.time_max = SECOND;
    let outcome = measure(&dead).unwrap();
    assert_eq!(outcome.flows[0].end, End::OutOfTime);
}

#[test]
fn jains_index_knows_its_ends() {
    assert_eq!(jain(&[]), 1_000_000);
    assert_eq!(jain(&[0, 0]), 1_000_000);
    assert_eq!(jain(&[7_000_000; 5]), 1_000_000);
    assert_eq!(jain(&[9_000_000, 0, 0, 0]), 250_000);
    assert_eq!(jain(&[30_000_000, 10_000_000]), 800_000);
    assert_eq!(jain(&[u64::MAX; 3]), 1_000_000);
}

fn table() -> Table {
    let point = |ms, loss| Point {
        rate: 10_000_000,
        rtt: Duration::from_millis(ms),
        loss,
        reorder: 0,
    };
    Table {
        points: vec![
            point(20, 0),
            point(20, 10_000),
            point(100, 0),
            point(100, 10_000),
        ],
        algorithms: vec![CUBIC, CongestionControl::Bbr],
        load: Load::Time(5 * SECOND),
        queue: Depth::Bdp(1_000),
        seed: 1,
    }
}

/// What dhow reaches is pinned: who changes it looks at the new figures, then runs with `UPDATE_SNAPSHOTS=1`.
#[test]
fn a_small_table_is_as_it_was() {
    let table = table();
    let cells = table.run().unwrap();
    let mut text = table.write(&cells, Format::Text);
    text.push('\n');
    text.push_str(&table.write(&cells, Format::Csv));
    crate::plot::snapshot::assert("table.txt", &text);
    let markdown = table.write(&cells, Format::Markdown);
    assert_eq!(markdown.lines().count(), 6);
    assert!(markdown.lines().all(|line| line.matches('|').count() == 9));
}

#[test]
fn depths_are_read() {
    assert_eq!(Depth::parse("1bdp"), Ok(Depth::Bdp(1_000)));
    assert_eq!(Depth::parse("0.25bdp"), Ok(Depth::Bdp(250)));
    assert_eq!(
        Depth::parse("25p"),
        Ok(Depth::Fixed(QueueLimit::Packets(25)))
    );
    for text in ["bdp", ".5bdp", "1.2345bdp", "-1bdp", "1,5bdp", "1", "x"] {
        assert!(Depth::parse(text).is_err(), "{text}");
    }
}

#[test]
fn an_exchange_shows_what_was_lost_and_sent_again() {
    let exchange = Exchange::default();
    let diagram = exchange.record().unwrap();
    assert_eq!(diagram, exchange.record().unwrap());
    let labels: Vec<&str> = diagram.messages.iter().map(|m| m.label.as_str()).collect();
    assert_eq!(labels[0], "Initial: CRYPTO");
    for part in [
        "REQUEST get a.bin",
        "ENTRY 10,000 B",
        "SEAL",
        "STORED",
        "CLOSE",
    ] {
        assert!(
            labels.iter().any(|label| label.contains(part)),
            "{part}: {labels:?}"
        );
    }
    let lost: Vec<_> = diagram
        .messages
        .iter()
        .filter(|message| message.lost)
        .collect();
    assert_eq!((lost.len(), lost[0].from), (1, Side::Server));
    assert!(lost[0].label.starts_with("DATA "));
    let again = diagram
        .messages
        .iter()
        .filter(|m| m.label.contains(&lost[0].label));
    // As a copy of the tail (P9.13) and as what was lost.
    assert_eq!(again.count(), 3);
    let noted = |text: &str| diagram.notes.iter().any(|note| note.text.contains(text));
    assert!(noted("read") && noted("rename") && noted("10,000 bytes stored"));
}

#[test]
fn a_named_link_is_drawn() {
    let link = Link::named("dsl").unwrap();
    let plan = Measurement {
        link,
        ..plan(vec![flow(Duration::ZERO, Amount::Time(SECOND), Way::Up)])
    };
    let outcome = measure(&plan).unwrap();
    let chart = chart("cubic over dsl", &plan, &outcome);
    assert_eq!(chart.panels.len(), 5);
    assert!(
        chart
            .panels
            .iter()
            .all(|panel| panel.curves[0].points.len() > 5)
    );
    assert!(
        chart
            .subtitle
            .starts_with("50 Mbit/s down, 10 Mbit/s up, 18 ms round trip")
    );
}
