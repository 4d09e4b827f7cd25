//! One session that is watched.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::layer::Layer;
use proto_core::crypto::{CryptoError, Epoch, Level, Session, TAG_LEN};
use proto_core::wire::Frame;

use super::Watch;
use super::numbers::Numbers;

/// Packets that one key may seal (R3).
const SEAL_LIMIT: u64 = 1 << 23;

pub(super) struct WatchedSession {
    session: Box<dyn Session>,
    watch: Arc<Watch>,
    spaces: [Space; 3],
    /// Packets sealed with the current 1-RTT keys.
    sealed: u64,
}

/// What was seen of one packet number space.
#[derive(Debug, Default)]
struct Space {
    last_sealed: Option<u64>,
    opened: Numbers,
}

impl WatchedSession {
    pub(super) fn new(session: Box<dyn Session>, watch: Arc<Watch>) -> Self {
        Self {
            session,
            watch,
            spaces: Default::default(),
            sealed: 0,
        }
    }

    fn before_seal(&mut self, level: Level, number: u64, text: &[u8]) {
        self.watch.sealed.fetch_add(1, Ordering::Relaxed);
        let space = &mut self.spaces[level as usize];
        if let Some(last) = space.last_sealed.filter(|last| number <= *last) {
            self.watch.report(|| {
                format!("the packet {number} of {level:?} was sealed after the packet {last}")
            });
        }
        space.last_sealed = Some(number);
        if level == Level::Data {
            self.sealed += 1;
            if self.sealed > SEAL_LIMIT {
                self.watch
                    .report(|| format!("a key sealed {} packets", self.sealed));
            }
        }
        self.check_acks(level, text);
    }

    /// ACK frames stand first in a packet.
    fn check_acks(&self, level: Level, mut text: &[u8]) {
        while let Ok(Frame::Ack(ack)) = Frame::decode(&mut text) {
            let opened = &self.spaces[level as usize].opened;
            if let Some(range) = ack.ranges().find(|range| !opened.covers(range)) {
                self.watch.report(|| {
                    format!("an ACK of {level:?} covers {range:?}, not all of which was opened")
                });
            }
        }
    }
}

impl Layer for WatchedSession {
    fn inner(&self) -> &dyn Session {
        &*self.session
    }

    fn inner_mut(&mut self) -> &mut dyn Session {
        &mut *self.session
    }

    fn seal(
        &mut self,
        level: Level,
        number: u64,
        header: &[u8],
        payload: &mut [u8],
    ) -> Result<(), CryptoError> {
        let text = payload.len().saturating_sub(TAG_LEN);
        self.before_seal(level, number, &payload[..text]);
        self.session.seal(level, number, header, payload)
    }

    fn open(
        &mut self,
        level: Level,
        epoch: Epoch,
        number: u64,
        header: &[u8],
        payload: &mut [u8],
    ) -> Result<(), CryptoError> {
        let opened = self.session.open(level, epoch, number, header, payload);
        if opened.is_err() {
            self.watch.failed.fetch_add(1, Ordering::Relaxed);
            return opened;
        }
        self.watch.opened.fetch_add(1, Ordering::Relaxed);
        if !self.spaces[level as usize].opened.insert(number) {
            self.watch.reopened.fetch_add(1, Ordering::Relaxed);
        }
        opened
    }

    fn update_keys(&mut self) {
        self.watch.key_updates.fetch_add(1, Ordering::Relaxed);
        self.sealed = 0;
        self.session.update_keys();
    }
}
