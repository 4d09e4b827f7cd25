//! Paths that change under a flow.

use super::*;

impl Run {
    /// What waits in the queue now leaves at the new rate.
    fn set_rate(&mut self, rate: u64) {
        let waiting = self.busy_until.saturating_sub(self.now) * self.rate() / SECOND;
        self.path.rate = rate;
        self.busy_until = self.now + waiting * SECOND / self.rate();
    }

    /// The link's share that the flow gets in so many seconds from now, and the mean queue, in thousandths.
    fn watch(&mut self, seconds: u64) -> (u64, u64) {
        let got = self.until(self.now * 10 / SECOND + seconds * 10);
        (self.share(got[0], seconds), self.queue())
    }
}

/// Two cycles of probing after the rate fell, no more is sent than the path carries; after it rose, the probes find it.
#[test]
fn bbr_follows_a_rate_that_changes() {
    for rtt in [20, 50, 100] {
        let mut run = Run::new(Path { rtt, ..CLEAN }, &[(BBR, 0)]);
        run.watch(10);
        for (rate, settle) in [(10, 8), (100, 8), (30, 8), (50, 8)] {
            run.set_rate(rate);
            run.watch(settle);
            let (share, queue) = run.watch(5);
            assert!(share >= 930, "{share} of {rate} Mbit/s, {rtt} ms");
            assert!(
                queue <= 500,
                "a queue of {queue} at {rate} Mbit/s, {rtt} ms"
            );
        }
    }
}

/// Until the filter's ten seconds are over, a path that became three times as long holds back; then the window follows. A
/// shorter one counts at once.
#[test]
fn bbr_follows_a_round_trip_that_changes() {
    let mut run = Run::new(CLEAN, &[(BBR, 0)]);
    run.watch(10);
    run.path.rtt = 150;
    let (share, _) = run.watch(5);
    assert!(
        share < 800,
        "{share}: two BDP of 50 ms are less than one of 150 ms"
    );
    run.watch(15);
    let (share, queue) = run.watch(10);
    assert!(share >= 930 && queue <= 500, "{share}, a queue of {queue}");
    run.path.rtt = 30;
    run.watch(3);
    let (share, queue) = run.watch(10);
    assert!(share >= 930 && queue <= 500, "{share}, a queue of {queue}");
}
