//! How far a frame that must arrive has come, and which request numbers have.

/// The way of one frame to the peer. What it says is made anew from present state each time that it is sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Delivery {
    /// There is nothing to say.
    #[default]
    Unneeded,
    /// To be sent, for the first time or again.
    Due,
    /// In a packet of which nothing was heard.
    Sent,
    /// The peer has it.
    Done,
}

impl Delivery {
    pub(super) fn is_due(self) -> bool {
        self == Self::Due
    }

    /// Whether the peer still has to be told.
    pub(super) fn is_open(self) -> bool {
        matches!(self, Self::Due | Self::Sent)
    }

    /// Whether the peer may have it: it was sent, is about to be, or is to be sent again, since a packet that was thought lost may
    /// have arrived.
    pub(super) fn is_begun(self) -> bool {
        self != Self::Unneeded
    }

    /// Whether it is in a packet that is not known to be lost.
    pub(super) fn was_sent(self) -> bool {
        matches!(self, Self::Sent | Self::Done)
    }

    /// A packet that held the frame was lost.
    pub(super) fn lost(&mut self) {
        if *self == Self::Sent {
            *self = Self::Due;
        }
    }

    /// A packet that held the frame has arrived, perhaps one that was thought lost.
    pub(super) fn acked(&mut self) {
        if self.is_open() {
            *self = Self::Done;
        }
    }
}

/// How far request numbers may run ahead of the lowest one that has not arrived.
pub(super) const NUMBER_WINDOW: u64 = 512;

/// Which request numbers have arrived: all below `base`, and those whose bit is set.
#[derive(Clone, Debug, Default)]
pub(super) struct NumberWindow {
    base: u64,
    bits: [u64; (NUMBER_WINDOW / 64) as usize],
}

impl NumberWindow {
    /// Whether the number is in the window or below it.
    pub(super) fn admits(&self, number: u64) -> bool {
        number < self.base.saturating_add(NUMBER_WINDOW)
    }

    pub(super) fn contains(&self, number: u64) -> bool {
        number < self.base || (self.admits(number) && self.bit(number))
    }

    /// Notes a number that the window [admits](Self::admits); others change nothing.
    pub(super) fn insert(&mut self, number: u64) {
        if number < self.base || !self.admits(number) {
            return;
        }
        self.set(number, true);
        while self.bit(self.base) {
            self.set(self.base, false);
            self.base += 1;
        }
    }

    fn bit(&self, number: u64) -> bool {
        let at = number % NUMBER_WINDOW;
        self.bits[(at / 64) as usize] & (1 << (at % 64)) != 0
    }

    fn set(&mut self, number: u64, to: bool) {
        let at = number % NUMBER_WINDOW;
        let word = &mut self.bits[(at / 64) as usize];
        *word = (*word & !(1 << (at % 64))) | (u64::from(to) << (at % 64));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    proptest! {
        /// Against a plain set of all numbers that ever came.
        #[test]
        fn window_behaves_like_a_set(steps in prop::collection::vec(0u64..600, 0..2_000)) {
            let mut window = NumberWindow::default();
            let mut model = BTreeSet::new();
            for ahead in steps {
                let lowest = (0..).find(|n| !model.contains(n)).unwrap_or(0);
                let number = (lowest + ahead).saturating_sub(40);
                prop_assert_eq!(window.admits(number), number < lowest + NUMBER_WINDOW);
                window.insert(number);
                if number < lowest + NUMBER_WINDOW {
                    model.insert(number);
                }
                prop_assert_eq!(window.contains(number), model.contains(&number));
            }
            let all: Vec<u64> = (0..700).filter(|&n| window.contains(n)).collect();
            prop_assert!(all.iter().all(|n| model.contains(n)));
        }
    }
}
