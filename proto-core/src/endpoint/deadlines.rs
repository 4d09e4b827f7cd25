//! One deadline a peer, the earliest first: an indexed binary heap over slab indices.
//!
//! Setting a deadline costs O(log n) moves of 16 bytes and is skipped when nothing changed; the earliest is read in O(1).

use alloc::vec::Vec;

use crate::endpoint::Reason;
use crate::time::Instant;

const ABSENT: u32 = u32::MAX;

/// Deadlines by slab index. Ties are broken by the index, so that the order never depends on history.
#[derive(Debug, Default)]
pub(crate) struct Deadlines {
    heap: Vec<(Instant, u32, Reason)>,
    /// Where each index stands in the heap.
    places: Vec<u32>,
}

impl Deadlines {
    /// The earliest deadline.
    pub(crate) fn first(&self) -> Option<(Instant, u32, Reason)> {
        self.heap.first().copied()
    }

    /// Sets, moves or removes the deadline of `index`.
    pub(crate) fn set(&mut self, index: u32, deadline: Option<(Instant, Reason)>) {
        let slot = index as usize;
        if self.places.len() <= slot {
            if deadline.is_none() {
                return;
            }
            self.places.resize(slot + 1, ABSENT);
        }
        match (self.places[slot], deadline) {
            (ABSENT, None) => {}
            (ABSENT, Some((at, reason))) => {
                self.heap.push((at, index, reason));
                let last = self.heap.len() - 1;
                self.places[slot] = last as u32;
                self.up(last);
            }
            (place, Some((at, reason))) => {
                let place = place as usize;
                if self.heap[place].0 != at {
                    self.heap[place].0 = at;
                    self.heap[place].2 = reason;
                    self.restore(place);
                } else {
                    self.heap[place].2 = reason;
                }
            }
            (place, None) => {
                self.places[slot] = ABSENT;
                let place = place as usize;
                self.heap.swap_remove(place);
                if place < self.heap.len() {
                    self.places[self.heap[place].1 as usize] = place as u32;
                    self.restore(place);
                }
            }
        }
    }

    /// The deadline of `index`.
    pub(crate) fn get(&self, index: u32) -> Option<(Instant, Reason)> {
        let place = *self.places.get(index as usize)?;
        let (at, _, reason) = self.heap.get(place as usize)?;
        Some((*at, *reason))
    }

    /// How many deadlines there are.
    pub(crate) fn len(&self) -> usize {
        self.heap.len()
    }

    /// Whether no deadline stands before an earlier one's place, and every place is right.
    pub(crate) fn is_well_formed(&self) -> bool {
        (0..self.heap.len()).all(|at| {
            let index = self.heap[at].1 as usize;
            let parent = at.saturating_sub(1) / 2;
            self.places.get(index) == Some(&(at as u32)) && !self.before(at, parent)
        })
    }

    fn restore(&mut self, place: usize) {
        self.up(place);
        self.down(place);
    }

    fn before(&self, a: usize, b: usize) -> bool {
        (self.heap[a].0, self.heap[a].1) < (self.heap[b].0, self.heap[b].1)
    }

    fn swap(&mut self, a: usize, b: usize) {
        self.heap.swap(a, b);
        self.places[self.heap[a].1 as usize] = a as u32;
        self.places[self.heap[b].1 as usize] = b as u32;
    }

    fn up(&mut self, mut place: usize) {
        while place > 0 {
            let parent = (place - 1) / 2;
            if !self.before(place, parent) {
                return;
            }
            self.swap(place, parent);
            place = parent;
        }
    }

    fn down(&mut self, mut place: usize) {
        loop {
            let mut least = place;
            for child in [2 * place + 1, 2 * place + 2] {
                if child < self.heap.len() && self.before(child, least) {
                    least = child;
                }
            }
            if least == place {
                return;
            }
            self.swap(place, least);
            place = least;
        }
    }
}

#[cfg(test)]
mod tests;
