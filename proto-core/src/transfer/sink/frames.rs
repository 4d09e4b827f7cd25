//! A sink's control frames: WANT and CREDIT.

use super::{Have, Sink, Want};
use crate::transfer::Item;
use crate::transfer::delivery::Delivery;
use crate::wire::Frame;

impl Sink {
    /// WANTs and HAVEs, and how far they have come.
    pub(in crate::transfer) fn asked(&self) -> impl Iterator<Item = (Delivery, Item)> {
        let wants = self.wants.iter().map(|want| (want.delivery, want.item()));
        let haves = self.haves.iter();
        wants.chain(haves.map(|have| (have.delivery, have.item(self.number))))
    }

    /// The first control frame that is to be sent.
    pub(in crate::transfer) fn next_control(&self) -> Option<Item> {
        let want = self.wants.iter().find(|want| want.delivery.is_due());
        let file = self.number;
        let credit = || self.credit_is_due().then_some(Item::Credit { file });
        let have = self.haves.iter().find(|have| have.delivery.is_due());
        have.map(|have| have.item(file))
            .or_else(|| want.map(Want::item))
            .or_else(credit)
    }

    /// The frame of a control item, from present state.
    pub(in crate::transfer) fn frame(&self, transfer: u64, item: Item) -> Option<Frame<'_>> {
        let file = u64::from(self.number);
        match item {
            Item::Want { .. } => {
                let want = self.wants.iter().find(|want| want.item() == item)?;
                Some(Frame::Want {
                    transfer,
                    file,
                    start: want.start,
                    end: want.end,
                })
            }
            Item::Have { index, .. } => {
                let of = |have: &&Have| have.index == u64::from(index);
                let have = self.haves.iter().find(of)?;
                Some(Frame::Have {
                    transfer,
                    file,
                    index: have.index,
                    level: have.level,
                    value: &have.value,
                })
            }
            Item::Credit { .. } => Some(Frame::Credit {
                transfer,
                file,
                limit: self.credit_limit(),
            }),
            _ => None,
        }
    }

    /// A control frame was sent.
    pub(in crate::transfer) fn control_sent(&mut self, item: Item) {
        if let Item::Credit { .. } = item {
            self.credit_sent();
        } else if let Some(delivery) = self.delivery(item) {
            *delivery = Delivery::Sent;
        }
    }

    /// The state of a WANT or HAVE.
    pub(in crate::transfer) fn delivery(&mut self, item: Item) -> Option<&mut Delivery> {
        if let Item::Have { index, .. } = item {
            let mut haves = self.haves.iter_mut();
            let have = haves.find(|have| have.index == u64::from(index));
            return have.map(|have| &mut have.delivery);
        }
        let mut wants = self.wants.iter_mut();
        let want = wants.find(|want| want.item() == item);
        want.map(|want| &mut want.delivery)
    }

    /// The source has a control frame. A later CREDIT may be due or on its way.
    pub(in crate::transfer) fn control_acked(&mut self, item: Item) {
        if let Some(delivery) = self.delivery(item) {
            delivery.acked();
        }
        match item {
            Item::Have { .. } => self.haves.retain(|have| have.delivery != Delivery::Done),
            _ => self.wants.retain(|want| want.delivery != Delivery::Done),
        }
    }
}
