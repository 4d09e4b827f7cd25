//! The driver's clock. On Linux it goes on while the machine is suspended (`CLOCK_BOOTTIME`), unlike the monotonic clock of the standard
//! library: an endpoint that sees it leap knows that it slept, asks its peers at once whether they are still there, and does not
//! take a session for open that they have given up long ago.

use std::time::Duration;

use proto_core::Instant;

/// Nanoseconds since it was made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    begin: Reading,
}

impl Clock {
    pub(super) fn start() -> Self {
        Self { begin: read() }
    }

    pub(super) fn now(&self) -> Instant {
        let passed = since(read(), self.begin);
        Instant::from_nanos(u64::try_from(passed.as_nanos()).unwrap_or(u64::MAX))
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
type Reading = Duration;

#[cfg(any(target_os = "linux", target_os = "android"))]
fn read() -> Reading {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    // Neither is negative: it counts from the start of the system.
    let secs = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanos = u32::try_from(time.tv_nsec).unwrap_or(0);
    Duration::new(secs, nanos)
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn since(later: Reading, earlier: Reading) -> Duration {
    later.saturating_sub(earlier)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
type Reading = std::time::Instant;

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn read() -> Reading {
    std::time::Instant::now()
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn since(later: Reading, earlier: Reading) -> Duration {
    later.saturating_duration_since(earlier)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_as_fast_as_the_other_one_and_never_back() {
        let (clock, other) = (Clock::start(), std::time::Instant::now());
        let mut before = clock.now();
        while other.elapsed() < Duration::from_millis(30) {
            let now = clock.now();
            assert!(now >= before);
            before = now;
        }
        let least = other.elapsed();
        let shown = clock.now().since(Instant::ZERO);
        assert!(shown >= least, "{shown:?} {least:?}");
        assert!(
            shown < least + Duration::from_secs(5),
            "{shown:?} {least:?}"
        );
    }
}
