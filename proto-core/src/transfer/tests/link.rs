//! Packets on their way.

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use super::ends::*;
use super::world::World;
use crate::peer::{PacketWriter, SentFrame};
use crate::slab::Key;
use crate::transfer::{Context, Item, Taken, Transfers};
use crate::wire::Frame;

impl World {
    pub(super) fn send(&mut self, end: usize) {
        while self.ends[end].in_flight < self.link.window && self.ends[end].transfers.has_frames() {
            let mut payload = vec![0; self.link.packet];
            let mut sent = Vec::new();
            let len = self.with(end, |transfers, cx| {
                let mut writer = PacketWriter::new(&mut payload, &mut sent);
                transfers.write_frames(cx, &mut writer);
                writer.len()
            });
            assert!(
                len > 0 && !sent.is_empty(),
                "has_frames, but nothing was written"
            );
            payload.truncate(len);
            self.packets += 1;
            self.ends[end].in_flight += 1;
            self.travel(end, Arc::new(payload), sent);
        }
    }

    fn travel(&mut self, end: usize, payload: Arc<Vec<u8>>, sent: Vec<SentFrame>) {
        let Link {
            loss,
            duplicate,
            spurious,
            delay,
            jitter,
            ..
        } = self.link;
        let lost = self.cut || self.random(100) < loss;
        let arrival = self.micros(delay, jitter * delay);
        let to = 1 - end;
        if lost {
            let told = self.micros(4 * delay, delay);
            self.queue.push((told, What::Lost { at: end, sent }));
            return;
        }
        if self.random(100) < duplicate {
            let again = self.micros(delay, 8 * delay);
            let payload = payload.clone();
            self.queue.push((
                again,
                What::Arrive {
                    to,
                    payload,
                    sent: None,
                },
            ));
        }
        if self.random(100) < spurious {
            let told = self.micros(delay, delay);
            self.queue.push((
                told,
                What::ThoughtLost {
                    at: end,
                    sent: sent.clone(),
                },
            ));
        }
        self.queue.push((
            arrival,
            What::Arrive {
                to,
                payload,
                sent: Some(sent),
            },
        ));
    }

    pub(super) fn happen(&mut self, what: What) {
        match what {
            What::Arrive { to, payload, sent } => {
                let taken = self.receive(to, &payload);
                let Some(sent) = sent else { return };
                let (at, delay) = (1 - to, self.link.delay);
                let told = self.micros(delay, delay);
                let what = if taken {
                    What::Acked { at, sent }
                } else {
                    What::Lost { at, sent }
                };
                self.queue.push((told, what));
            }
            What::Acked { at, sent } => {
                self.ends[at].in_flight -= 1;
                self.fate(at, &sent, Transfers::handle_acked);
            }
            What::Lost { at, sent } => {
                self.ends[at].in_flight -= 1;
                self.fate(at, &sent, Transfers::handle_lost);
            }
            What::ThoughtLost { at, sent } => self.fate(at, &sent, Transfers::handle_lost),
        }
    }

    fn fate(
        &mut self,
        at: usize,
        sent: &[SentFrame],
        tell: impl Fn(&mut Transfers, &mut Context<'_>, Key, Item),
    ) {
        for frame in sent {
            if let SentFrame::Transfer { key, item } = *frame {
                self.with(at, |transfers, cx| tell(transfers, cx, key, item));
            }
        }
    }

    /// Whether all frames were taken.
    pub(super) fn receive(&mut self, to: usize, mut payload: &[u8]) -> bool {
        let mut all = true;
        while !payload.is_empty() {
            let frame = Frame::decode(&mut payload).expect("our own frames");
            match self.with(to, |transfers, cx| transfers.handle_frame(cx, &frame)) {
                Ok(taken) => all &= taken == Taken::Yes,
                Err(code) => self.closed = self.closed.or(Some(code)),
            }
        }
        all
    }
}
