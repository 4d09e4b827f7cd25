use proto_core::Instant;

use super::{Fate, Node};

/// Loses datagrams by their number: the first that arrives is 1.
#[derive(Debug)]
pub struct DropList {
    /// What is still to be lost, the next at the end.
    numbers: Vec<u64>,
    arrived: u64,
}

impl DropList {
    /// Loses the datagrams of these numbers, in any order; 0 is none.
    #[must_use]
    pub fn new(mut numbers: Vec<u64>) -> Self {
        numbers.retain(|&number| number > 0);
        numbers.sort_unstable_by(|a, b| b.cmp(a));
        numbers.dedup();
        let arrived = 0;
        Self { numbers, arrived }
    }
}

impl Node for DropList {
    fn pass(&mut self, now: Instant, _payload: &mut Vec<u8>) -> Fate {
        self.arrived += 1;
        if self.numbers.last() == Some(&self.arrived) {
            self.numbers.pop();
            Fate::Lost
        } else {
            Fate::At(now)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::testing::run;

    #[test]
    fn loses_what_it_lists() {
        let list = DropList::new(vec![3, 1, 0, 3, 1_000, 4]);
        let arrived = run([list], 7, 10, 1);
        let numbers: Vec<_> = arrived.iter().map(|a| a.number).collect();
        // The test counts from 0.
        assert_eq!(numbers, [1, 4, 5, 6]);
    }
}
