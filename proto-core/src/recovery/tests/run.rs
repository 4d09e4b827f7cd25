//! Runs against their packets one by one.

use alloc::format;

use super::*;
use proptest::prelude::*;

fn sent(marked: bool) -> Sent {
    Sent {
        bytes: 1_200,
        ack_eliciting: true,
        in_flight: true,
        marked,
    }
}

/// Packets of a run, or one after the other.
fn send(bench: &mut Bench, now: Instant, count: u32, marked: bool, in_runs: bool) {
    let frames = bench.next_frame..bench.next_frame + count;
    bench.next_frame = frames.end;
    let recovery = &mut bench.recovery;
    if in_runs {
        recovery.on_run_sent(now, Level::Data, sent(marked), frames);
    } else {
        for frame in frames {
            recovery.on_packet_sent(now, Level::Data, sent(marked), &[frame]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// The state is the same to the last field, and so is what comes of acknowledgements and losses.
    #[test]
    fn a_run_is_its_packets(
        control in prop::sample::select(&[
            CongestionControl::Bbr, CongestionControl::Cubic, CongestionControl::Background, CongestionControl::Fixed(1_000_000),
        ][..]),
        limit in prop::option::of(10_000..10_000_000_u64),
        tested in 1..14_u64,
        marked: bool,
        steps in prop::collection::vec((0..30_u64, 0..20_u32, 0..8_u64), 1..40),
    ) {
        let mut benches = [Bench::with(control, true), Bench::with(control, true)];
        for bench in &mut benches {
            bench.recovery.set_handshake_confirmed();
            bench.recovery.set_rate_limit(at(0), limit);
            for _ in 0..tested {
                send(bench, at(0), 1, true, false);
            }
            send(bench, at(0), 1, false, false);
            bench.ack(at(100), &[(0, 0)]);
        }
        let mut now = 100;
        for (wait, count, lost) in steps {
            now += wait;
            for (bench, in_runs) in benches.iter_mut().zip([false, true]) {
                // A run follows another packet in flight.
                send(bench, at(now), 1, marked, false);
                prop_assert!(!bench.recovery.tests_ecn());
                let most = bench.recovery.may_leave(at(now), 1_200, u64::MAX);
                send(bench, at(now), count.min(most as u32), marked, in_runs);
                let next = bench.recovery.next_number(Level::Data);
                if lost < next {
                    bench.ack(at(now + 1), &[(lost, next - 1 - lost % 3)]);
                }
            }
            let [one, run] = &benches;
            prop_assert_eq!(format!("{:?}", one.recovery), format!("{:?}", run.recovery));
            prop_assert_eq!(&one.fates, &run.fates);
        }
    }

    /// No more may leave than can be remembered (M5), whatever window and pacer allow.
    #[test]
    fn what_may_leave_can_be_remembered(left in 0..5_usize) {
        let mut bench = Bench::with(CongestionControl::Fixed(1 << 50), true);
        bench.recovery.set_handshake_confirmed();
        send(&mut bench, at(0), 1, false, false);
        bench.ack(at(100), &[(0, 0)]);
        let frames = 0..(PACKETS_MAX - left) as u32;
        bench.recovery.on_run_sent(at(200), Level::Data, Sent { bytes: 1, ..sent(false) }, frames);
        prop_assert_eq!(bench.recovery.may_leave(at(100_000), 1, u64::MAX), left as u64);
    }

    /// As many may leave as would be let go one by one.
    #[test]
    fn what_may_leave_fits(count in 0..200_u32, most in 0..400_000_u64, bytes in 1..3_000_u64) {
        let mut bench = Bench::confirmed(100);
        send(&mut bench, at(100), count, false, true);
        let recovery = &mut bench.recovery;
        let many = recovery.may_leave(at(100), bytes, most);
        let (room, paced) = (recovery.room(most), recovery.pacing(at(100), bytes));
        prop_assert!(many * bytes <= room);
        prop_assert_eq!(many > 0, room >= bytes && paced.is_ok());
    }
}
