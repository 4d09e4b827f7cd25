use super::*;
use alloc::vec::Vec;

const T0: Instant = Instant::ZERO;

fn four() -> IpAddr {
    IpAddr::from([192, 0, 2, 1])
}

fn six() -> IpAddr {
    "2001:db8::1".parse().unwrap()
}

/// Enough full datagrams for the search to begin.
fn begin(mtu: &mut Mtu, remote: IpAddr, is_local: bool) {
    let before = if is_local { 0 } else { FULL_BEFORE };
    for _ in 0..before {
        mtu.on_full_sent(T0, remote, is_local);
        assert!(send(mtu).is_empty());
    }
    mtu.on_full_sent(T0, remote, is_local);
}

/// All probes that are due.
fn send(mtu: &mut Mtu) -> Vec<ProbeId> {
    core::iter::from_fn(|| mtu.due().map(|size| mtu.on_sent(size))).collect()
}

fn sizes(probes: &[ProbeId]) -> Vec<u16> {
    probes.iter().map(|id| id.size).collect()
}

/// The search on a path that carries `carries` bytes, in rounds of one flight; how many probes were sent in how many rounds.
fn search(mtu: &mut Mtu, remote: IpAddr, is_local: bool, carries: u16) -> (usize, usize) {
    let (mut sent, mut rounds) = (0, 0);
    begin(mtu, remote, is_local);
    loop {
        mtu.on_full_sent(T0, remote, is_local);
        let flight = send(mtu);
        if flight.is_empty() {
            return (sent, rounds);
        }
        sent += flight.len();
        rounds += 1;
        for id in flight {
            match id.size <= carries {
                true => mtu.on_acked(T0, id),
                false => mtu.on_lost(T0, id),
            }
        }
        assert!(mtu.size() <= carries && rounds < 100);
    }
}

#[test]
fn usual_sizes_are_tried_back_to_back_and_found_in_two_flights_at_most() {
    for (remote, is_local, max, flights) in [
        (four(), false, 65_507, &[&[1_472, 1_452][..], &[8_972]][..]),
        (six(), false, 65_507, &[&[1_472, 1_452], &[8_952]]),
        (four(), true, 65_507, &[&[65_507, 8_972]]),
        (six(), true, 65_507, &[&[65_487, 8_952]]),
        (four(), false, 4_000, &[&[1_472, 1_452], &[4_000]]),
        (four(), false, 1_452, &[&[1_452]]),
        (four(), false, 1_460, &[&[1_460, 1_452]]),
        (four(), false, 1_300, &[&[1_300]]),
        (four(), true, 20_000, &[&[20_000, 8_972]]),
        (four(), true, 1_452, &[&[1_452]]),
        (
            "::ffff:192.0.2.1".parse().unwrap(),
            false,
            65_507,
            &[&[1_472, 1_452], &[8_972]],
        ),
        (four(), false, 1_200, &[]),
    ] {
        let mut mtu = Mtu::new(1_200, max);
        begin(&mut mtu, remote, is_local);
        for flight in flights {
            mtu.on_full_sent(T0, remote, is_local);
            let probes = send(&mut mtu);
            assert_eq!(sizes(&probes), *flight);
            assert!(send(&mut mtu).is_empty());
            probes.iter().for_each(|id| mtu.on_acked(T0, *id));
            assert_eq!(mtu.size(), flight[0]);
        }
        mtu.on_full_sent(T0, remote, is_local);
        assert!(send(&mut mtu).is_empty());
        assert!(matches!(mtu.state, State::Complete { .. }));
    }
}

/// RFC 8899 §5.3.2: a search that ends, at what the path carries but for a thirty-second or 20 bytes.
#[test]
fn every_size_is_found() {
    for remote in [four(), six()] {
        for carries in (1_200..9_100).step_by(7).chain([1_451, 1_452, 1_472]) {
            let mut mtu = Mtu::new(1_200, 65_507);
            let (sent, _) = search(&mut mtu, remote, false, carries);
            let top = carries.min(if remote.is_ipv6() { 8_952 } else { 8_972 });
            assert!(mtu.size() <= top);
            let short = top - mtu.size();
            assert!(short <= NEAR.max(mtu.size() / 32), "{carries}: {mtu:?}");
            assert!(sent <= 40, "{sent} probes");
        }
    }
}

#[test]
fn three_lost_probes_rule_a_size_out() {
    let mut mtu = Mtu::new(1_200, 1_472);
    begin(&mut mtu, four(), false);
    for n in 0..3 {
        mtu.on_full_sent(T0, four(), false);
        let probes = send(&mut mtu);
        let expected: &[u16] = if n == 0 { &[1_472, 1_452] } else { &[1_472] };
        assert_eq!(sizes(&probes), expected);
        mtu.on_lost(T0, probes[0]);
        // Nothing more is sent before there is data again.
        assert_eq!(mtu.due(), None);
        if let Some(id) = probes.get(1) {
            mtu.on_acked(T0, *id);
        }
    }
    assert_eq!(mtu.size(), 1_452);
    assert!(matches!(mtu.state, State::Complete { .. }));
    // A probe that comes late after all counts (RFC 9000 §13.2.3).
    let id = ProbeId {
        size: 1_472,
        search: 0,
    };
    mtu.on_acked(T0, id);
    assert_eq!(mtu.size(), 1_472);
}

#[test]
fn one_loss_at_random_costs_one_more_flight() {
    let mut mtu = Mtu::new(1_200, 1_472);
    begin(&mut mtu, four(), false);
    let probes = send(&mut mtu);
    mtu.on_lost(T0, probes[0]);
    mtu.on_acked(T0, probes[1]);
    assert_eq!(mtu.size(), 1_452);
    mtu.on_full_sent(T0, four(), false);
    let again = send(&mut mtu);
    assert_eq!(sizes(&again), [1_472]);
    mtu.on_acked(T0, again[0]);
    assert_eq!(mtu.size(), 1_472);
}

/// RFC 8899 §5.1.1: PMTU_RAISE_TIMER.
#[test]
fn more_is_looked_for_after_ten_minutes() {
    let mut mtu = Mtu::new(1_200, 65_507);
    search(&mut mtu, four(), false, 1_472);
    assert_eq!(mtu.size(), 1_472);
    mtu.on_full_sent(T0 + RAISE_AFTER - Duration::from_nanos(1), four(), false);
    assert_eq!(mtu.due(), None);
    let later = T0 + RAISE_AFTER;
    mtu.on_full_sent(later, four(), false);
    let probes = send(&mut mtu);
    assert_eq!(sizes(&probes), [8_972]);
    mtu.on_acked(later, probes[0]);
    assert_eq!(mtu.size(), 8_972);
}

/// RFC 8899 §4.3; T3.
#[test]
fn a_black_hole_and_a_new_path_lead_back_and_old_probes_tell_nothing() {
    for new_path in [false, true] {
        let mut mtu = Mtu::new(1_250, 65_507);
        begin(&mut mtu, four(), false);
        let old = send(&mut mtu);
        mtu.on_acked(T0, old[1]);
        assert_eq!(mtu.size(), 1_452);
        match new_path {
            true => mtu.restart(1_200),
            false => mtu.on_black_hole(),
        }
        assert_eq!(mtu.size(), if new_path { 1_200 } else { 1_250 });
        assert_eq!(mtu.due(), None);
        mtu.on_acked(T0, old[0]);
        mtu.on_lost(T0, old[0]);
        assert_eq!(mtu.size(), mtu.base());
        search(&mut mtu, four(), false, 1_452);
        assert!(mtu.size() <= 1_452 && mtu.size() >= 1_430, "{mtu:?}");
    }
}

#[test]
fn a_driver_with_a_short_buffer_ends_the_search_there() {
    let mut mtu = Mtu::new(1_200, 65_507);
    begin(&mut mtu, four(), true);
    while mtu.state == State::Searching {
        match mtu.due() {
            None => mtu.on_full_sent(T0, four(), true),
            Some(size) if size > 3_000 => mtu.on_no_room(T0, size),
            Some(size) => {
                let id = mtu.on_sent(size);
                mtu.on_acked(T0, id);
            }
        }
    }
    assert!((2_900..=3_000).contains(&mtu.size()), "{mtu:?}");
}

#[test]
fn searches_are_short() {
    let mut mtu = Mtu::new(1_200, 65_507);
    assert_eq!(search(&mut mtu, four(), true, 65_507), (2, 1));
    let mut mtu = Mtu::new(1_200, 65_507);
    let (sent, rounds) = search(&mut mtu, four(), false, 1_472);
    assert!(
        sent <= 30 && rounds <= 30,
        "{sent} probes in {rounds} rounds"
    );
}
