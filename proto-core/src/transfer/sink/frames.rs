//! A sink's control frames: WANT and CREDIT.

use super::{Sink, Want};
use crate::transfer::Item;
use crate::transfer::delivery::Delivery;
use crate::wire::Frame;

impl Sink {
    /// The first control frame that is to be sent.
    pub(in crate::transfer) fn next_control(&self) -> Option<Item> {
        let want = self.wants.iter().find(|want| want.delivery.is_due());
        let file = self.number;
        let credit = || self.credit_is_due().then_some(Item::Credit { file });
        want.map(Want::item).or_else(credit)
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

    /// The state of a WANT.
    pub(in crate::transfer) fn delivery(&mut self, item: Item) -> Option<&mut Delivery> {
        let mut wants = self.wants.iter_mut();
        let want = wants.find(|want| want.item() == item);
        want.map(|want| &mut want.delivery)
    }

    /// The source has a control frame. A later CREDIT may be due or on its way.
    pub(in crate::transfer) fn control_acked(&mut self, item: Item) {
        if let Some(delivery) = self.delivery(item) {
            delivery.acked();
        }
        self.wants.retain(|want| want.delivery != Delivery::Done);
    }
}
