//! Whether a peer that owes bytes moves any (T8).

use crate::time::{Duration, Instant};

/// Bytes that a peer which owes some must move…
const LEAST: u64 = 1_024;
/// … in this time.
const PATIENCE: Duration = Duration::from_secs(60);
/// Long silences in a row, without bytes between them, after which the time begins anew. A path that was cut needs a
/// while; who speaks just often enough to stay must not gain by it.
const SILENCES_MAX: u8 = 4;

/// What a transfer shows of its peer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Owed {
    /// The peer has bytes to acknowledge, or to send within its credit. That it gives no credit, does not answer or does
    /// not store is not counted: its disk may be slow, its user may be asked, a pipe may be full.
    pub(super) owes: bool,
    /// Bytes of the transfer that it has taken, or sent, so far; never less than before.
    pub(super) moved: u64,
}

/// The peer's progress over all transfers of a session: one that moves excuses those that wait for their turn.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// Transfers whose peer owes something.
    owing: u32,
    moved: u64,
    /// While something is owed: since when fewer than `LEAST` bytes have moved, and how many had by then.
    mark: Option<(Instant, u64)>,
    silences: u8,
}

impl Progress {
    /// A transfer went from `before` to `after`.
    pub(super) fn note(&mut self, now: Instant, before: Owed, after: Owed) {
        self.moved += after.moved.saturating_sub(before.moved);
        self.owing = (self.owing + u32::from(after.owes)).saturating_sub(u32::from(before.owes));
        match self.mark {
            _ if self.owing == 0 => self.mark = None,
            Some((_, moved)) if self.moved - moved < LEAST => {}
            _ => {
                self.mark = Some((now, self.moved));
                self.silences = 0;
            }
        }
    }

    /// The peer was silent for so long that the path may have been cut: its time begins anew.
    pub(super) fn excuse_silence(&mut self, now: Instant) {
        if let Some(mark) = &mut self.mark
            && self.silences < SILENCES_MAX
        {
            self.silences += 1;
            mark.0 = now;
        }
    }

    /// When the peer's time is over.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.mark.map(|(since, _)| since + PATIENCE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owed(owes: bool, moved: u64) -> Owed {
        Owed { owes, moved }
    }

    fn at(seconds: u64) -> Instant {
        Instant::ZERO + Duration::from_secs(seconds)
    }

    #[test]
    fn t8_a_kibibyte_a_minute_is_enough_and_less_is_not() {
        let mut progress = Progress::default();
        assert_eq!(progress.deadline(), None);
        progress.note(at(0), owed(false, 0), owed(true, 0));
        progress.note(at(59), owed(true, 0), owed(true, 1_023));
        assert_eq!(progress.deadline(), Some(at(60)));
        progress.note(at(59), owed(true, 1_023), owed(true, 1_024));
        assert_eq!(progress.deadline(), Some(at(119)));
        progress.note(at(70), owed(true, 1_024), owed(false, 1_024));
        assert_eq!(progress.deadline(), None);
    }

    #[test]
    fn t8_one_transfer_excuses_another() {
        let mut progress = Progress::default();
        progress.note(at(0), owed(false, 0), owed(true, 0));
        progress.note(at(0), owed(false, 0), owed(true, 0));
        progress.note(at(50), owed(true, 0), owed(false, 5_000));
        assert_eq!(progress.deadline(), Some(at(110)));
    }

    #[test]
    fn t8_silences_excuse_a_few_times() {
        let mut progress = Progress::default();
        progress.note(at(0), owed(false, 0), owed(true, 0));
        for n in 1..=10 {
            progress.excuse_silence(at(40 * n));
        }
        assert_eq!(progress.deadline(), Some(at(40 * 4 + 60)));
    }
}
