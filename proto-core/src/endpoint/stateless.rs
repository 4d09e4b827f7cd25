//! Answers to datagrams that belong to no session.

use alloc::collections::VecDeque;
use core::net::{IpAddr, SocketAddr};

use crate::ecn::Ecn;
use crate::endpoint::Transmit;

/// Answers that wait at most; beyond, the oldest is dropped (M6).
const WAITING: usize = 16;
/// Bytes of an answer at most.
pub(super) const ANSWER_MAX: usize = 64;

/// A fixed number of small answers.
#[derive(Debug, Default)]
pub(super) struct Answers(VecDeque<Answer>);

/// One answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer {
    pub(super) destination: SocketAddr,
    pub(super) source: Option<IpAddr>,
    pub(super) bytes: [u8; ANSWER_MAX],
    pub(super) len: usize,
}

impl Answers {
    pub(super) fn push(&mut self, answer: Answer) {
        if self.0.len() == WAITING {
            self.0.pop_front();
        }
        self.0.push_back(answer);
    }

    /// Whether no more wait than may.
    pub(super) fn is_within_limit(&self) -> bool {
        self.0.len() <= WAITING
    }

    pub(super) fn poll(&mut self, out: &mut [u8]) -> Option<Transmit> {
        let answer = self.0.pop_front()?;
        out.get_mut(..answer.len)?
            .copy_from_slice(&answer.bytes[..answer.len]);
        Some(Transmit {
            destination: answer.destination,
            source: answer.source,
            len: answer.len,
            segment_size: answer.len,
            may_fragment: false,
            ecn: Ecn::NotEct,
        })
    }
}
