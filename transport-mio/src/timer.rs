//! A timer for what epoll, which counts in milliseconds, would wake too late for: a pacer that may send ten packets in one.

use std::io;
use std::os::fd::AsRawFd;
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use rustix::fd::OwnedFd;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

/// A wait longer than this may end a millisecond late.
const EXACT_MAX: Duration = Duration::from_millis(20);

/// A timer in a poller. It is never read: a poller of edges hears of it each time that it is set anew.
pub(super) struct Timer(OwnedFd);

impl Timer {
    pub(super) fn new(registry: &Registry, token: Token) -> io::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        registry.register(&mut SourceFd(&timer.as_raw_fd()), token, Interest::READABLE)?;
        Ok(Self(timer))
    }

    /// Sees to it that the poller wakes in time if it would be too late by itself: after a short `timeout`.
    pub(super) fn arm(&self, timeout: Option<Duration>) -> io::Result<()> {
        let Some(wait) = timeout.filter(|wait| !wait.is_zero() && *wait < EXACT_MAX) else {
            return Ok(());
        };
        let once = Itimerspec {
            it_interval: Timespec::default(),
            it_value: Timespec::try_from(wait).map_err(io::Error::other)?,
        };
        timerfd_settime(&self.0, TimerfdTimerFlags::empty(), &once)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use mio::{Events, Poll};

    use super::*;

    const TOKEN: Token = Token(7);

    /// Whether a wait of a second that the timer was armed for ends with it, and how often it was told.
    fn told(poll: &mut Poll, events: &mut Events) -> usize {
        poll.poll(events, Some(Duration::from_secs(1)))
            .expect("a poll");
        events.iter().filter(|event| event.token() == TOKEN).count()
    }

    #[test]
    fn each_arming_is_heard_once_without_reading() {
        let mut poll = Poll::new().expect("a poller");
        let timer = Timer::new(poll.registry(), TOKEN).expect("a timer");
        let mut events = Events::with_capacity(4);
        for _ in 0..3 {
            let begin = Instant::now();
            let wait = Duration::from_micros(300);
            timer.arm(Some(wait)).expect("armed");
            assert_eq!(told(&mut poll, &mut events), 1);
            assert!(begin.elapsed() >= wait);
        }
        poll.poll(&mut events, Some(Duration::ZERO))
            .expect("a poll");
        assert!(events.is_empty());
    }

    #[test]
    fn long_and_endless_waits_are_the_pollers_own() {
        let mut poll = Poll::new().expect("a poller");
        let timer = Timer::new(poll.registry(), TOKEN).expect("a timer");
        for wait in [None, Some(Duration::ZERO), Some(EXACT_MAX)] {
            timer.arm(wait).expect("armed");
        }
        let mut events = Events::with_capacity(4);
        poll.poll(&mut events, Some(2 * EXACT_MAX)).expect("a poll");
        assert!(events.is_empty());
    }
}
