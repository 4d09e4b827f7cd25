//! Frames on their way between the session's packets and its transfers.

use alloc::vec::Vec;

use super::{Taken, Transfers};
use crate::crypto::Direction;
use crate::file::Filter;
use crate::peer::PacketWriter;
use crate::slab::Key;
use crate::transfer::one::{Asked, Transfer};
use crate::transfer::{Context, Item, Run};
use crate::wire::{CloseCode, Data, ErrorCode, FilePath, Frame, RequestKind};

impl Transfers {
    /// Acts on a frame. An error closes the session.
    pub(crate) fn handle_frame(
        &mut self,
        cx: &mut Context<'_>,
        frame: &Frame<'_>,
    ) -> Result<Taken, CloseCode> {
        if self.lost {
            return Ok(Taken::No);
        }
        let number = match frame {
            Frame::Request { .. } => return self.handle_request(cx, frame),
            Frame::Accept { transfer, .. }
            | Frame::Refuse { transfer, .. }
            | Frame::Cancel { transfer, .. }
            | Frame::Entry { transfer, .. }
            | Frame::Want { transfer, .. }
            | Frame::Credit { transfer, .. }
            | Frame::Data { transfer, .. }
            | Frame::Piece { transfer, .. }
            | Frame::Have { transfer, .. }
            | Frame::Seal { transfer, .. }
            | Frame::Stored { transfer, .. }
            | Frame::Failed { transfer, .. }
            | Frame::Done { transfer, .. }
            | Frame::Page { transfer, .. } => *transfer,
            _ => return Ok(Taken::Yes),
        };
        let Some(key) = self.route(number) else {
            return self.unrouted(number);
        };
        let taken = match self.all.get_mut(key) {
            Some(transfer) => transfer.handle_frame(cx, frame),
            None => return Ok(Taken::Yes),
        };
        if self.direction == Direction::Client {
            self.numbers.insert(number);
        }
        let taken = self.faulted(cx, key, taken)?;
        match frame {
            Frame::Data { .. } => self.touch(cx, key),
            _ => self.update(cx, key),
        }
        Ok(if taken.unwrap_or(true) {
            Taken::Yes
        } else {
            Taken::No
        })
    }

    /// Acts on bytes for the one file of a transfer that is well on its way, as [`handle_frame`](Self::handle_frame) would; `None`
    /// when they are for anything else.
    pub(crate) fn handle_data(
        &mut self,
        cx: &mut Context<'_>,
        data: &Data<'_>,
    ) -> Option<Result<Taken, CloseCode>> {
        if self.lost {
            return None;
        }
        let key = self.route(data.transfer)?;
        let taken = self.all.get_mut(key)?.handle_data(cx, data)?;
        let taken = match self.faulted(cx, key, taken) {
            Ok(taken) => taken.unwrap_or(true),
            Err(code) => return Some(Err(code)),
        };
        self.touch(cx, key);
        Some(Ok(if taken { Taken::Yes } else { Taken::No }))
    }

    /// Takes bytes that go on where the last ones ended, as [`handle_data`](Self::handle_data) would, when that changes
    /// nothing but what is there of a block; false, and nothing is changed, otherwise.
    pub(crate) fn append(&mut self, data: &Data<'_>) -> bool {
        // Bytes came before: whatever else they change was noted then.
        let Some(key) = self.unsettled.filter(|_| !self.lost) else {
            return false;
        };
        let transfer = self.all.get_mut(key);
        transfer.is_some_and(|transfer| transfer.append(data))
    }

    fn route(&self, number: u64) -> Option<Key> {
        let at = self
            .routes
            .binary_search_by_key(&number, |route| route.0)
            .ok()?;
        self.routes.get(at).map(|route| route.1)
    }

    /// A frame for a transfer that is freed, or was never heard of.
    fn unrouted(&self, number: u64) -> Result<Taken, CloseCode> {
        match self.direction {
            Direction::Client if number >= self.next_number => Err(CloseCode::ProtocolViolation),
            Direction::Server if !self.numbers.contains(number) => Ok(Taken::No),
            _ => Ok(Taken::Yes),
        }
    }

    fn handle_request(
        &mut self,
        cx: &mut Context<'_>,
        frame: &Frame<'_>,
    ) -> Result<Taken, CloseCode> {
        let &Frame::Request {
            transfer,
            kind,
            compare,
            no_clobber,
            tree,
            resume,
            durability,
            amount,
            path,
            argument,
        } = frame
        else {
            return Ok(Taken::Yes);
        };
        if self.direction == Direction::Client || !self.numbers.admits(transfer) {
            return Err(CloseCode::ProtocolViolation);
        }
        if self.numbers.contains(transfer) {
            return Ok(Taken::Yes);
        }
        let early = !self.admitted && self.all.len() >= self.early_max as usize;
        if early || !self.has_place() {
            return Ok(Taken::No);
        }
        let parse = |path| {
            let parsed = FilePath::parse(path).ok();
            parsed.filter(|path| !path.is_reserved())
        };
        let (to, filter) = match kind {
            RequestKind::Get => (b"".as_slice(), Filter::decode(argument)),
            _ => (argument, None),
        };
        let known = kind != RequestKind::Get || filter.is_some() != argument.is_empty();
        let (path, to) = (parse(path), parse(to));
        let named = path.is_some() && to.is_some() && known;
        let (path, to) = (path.unwrap_or_default(), to.unwrap_or_default());
        let asked = Asked {
            kind,
            compare,
            no_clobber,
            tree,
            resume,
            durability,
            amount,
            path,
            to,
            filter,
            argument: Vec::new(),
        };
        let refusal = if !named {
            Some(ErrorCode::NameRefused)
        } else if self.open_count() >= self.open_max {
            Some(ErrorCode::Busy)
        } else {
            None
        };
        let new = match refusal {
            Some(code) => Transfer::refused(cx, transfer, asked, code),
            None => Transfer::requested(cx, transfer, asked),
        };
        self.numbers.insert(transfer);
        let key = self.all.insert(new);
        self.add_route(transfer, key);
        Ok(Taken::Yes)
    }

    fn add_route(&mut self, number: u64, key: Key) {
        let at = self.routes.partition_point(|route| route.0 < number);
        self.routes.insert(at, (number, key));
    }

    /// A packet with this item has arrived.
    pub(crate) fn handle_acked(&mut self, cx: &mut Context<'_>, key: Key, item: Item) {
        let Some(transfer) = self.all.get_mut(key) else {
            return;
        };
        transfer.handle_acked(cx, item);
        if let (Item::Request, Some(number)) = (item, transfer.number) {
            self.numbers.insert(number);
        }
        self.touch(cx, key);
    }

    /// A packet with this item is lost.
    pub(crate) fn handle_lost(&mut self, cx: &mut Context<'_>, key: Key, item: Item) {
        if let Some(transfer) = self.all.get_mut(key) {
            transfer.handle_lost(cx, item);
            self.touch(cx, key);
        }
    }

    /// What a packet says that is still under way will be said once more, if it can be at once; whether it will.
    pub(crate) fn handle_copied(&mut self, cx: &mut Context<'_>, key: Key, item: Item) -> bool {
        let transfer = self.all.get_mut(key);
        transfer.is_some_and(|transfer| transfer.handle_copied(cx, item))
    }

    /// Whether a transfer will have more to say by its own doing, as its disk reads or the peer gives credit.
    pub(crate) fn has_more_to_say(&self) -> bool {
        self.all
            .iter()
            .any(|(_, transfer)| transfer.has_more_to_say())
    }

    /// Whether [`write_frames`](Self::write_frames) has something.
    pub(crate) fn has_frames(&self) -> bool {
        let mut known = self.routes.iter().filter_map(|route| self.all.get(route.1));
        let due = |transfer: &Transfer| {
            transfer.has_data() || transfer.next_control(&self.numbers).is_some()
        };
        !self.lost && known.any(due)
    }

    /// The bytes that come next when the packets to come hold nothing but DATA of one file.
    pub(crate) fn run(&self) -> Option<Run<'_>> {
        let &[(_, key)] = self.routes.as_slice() else {
            return None;
        };
        let transfer = self.all.get(key).filter(|_| !self.lost)?;
        let silent = transfer.next_control(&self.numbers).is_none();
        transfer.run(key).filter(|_| silent)
    }

    /// The first `bytes` of a [`run`](Self::run) were sent.
    pub(crate) fn on_run_sent(&mut self, key: Key, bytes: u64) {
        if let Some(transfer) = self.all.get_mut(key) {
            transfer.on_run_sent(bytes);
            self.served = transfer.number.unwrap_or(self.served);
        }
    }

    /// Fills the packet: control frames first, then bytes, a frame of each transfer in turn.
    pub(crate) fn write_frames(&mut self, cx: &mut Context<'_>, packet: &mut PacketWriter<'_>) {
        if self.lost {
            return;
        }
        for at in 0..self.routes.len() {
            self.write_controls(at, packet);
        }
        let mut at = self.after(self.served);
        let mut in_vain = 0;
        while packet.room() > 0 && in_vain < self.routes.len() {
            let Some(&(number, key)) = self.routes.get(at).or(self.routes.first()) else {
                return;
            };
            let Some(transfer) = self.all.get_mut(key) else {
                return;
            };
            let written = transfer.write_data(cx, key, packet);
            let no_room = !written && transfer.has_data();
            if transfer.is_tree() {
                // What was announced makes room for what the walk finds next; what was said last may be the end.
                self.update(cx, key);
            }
            if no_room {
                return;
            }
            at = self.after(number);
            if written {
                self.served = number;
                in_vain = 0;
            } else {
                in_vain += 1;
            }
        }
    }

    /// Whose turn comes after the transfer of this number: an index beyond the last is the first.
    fn after(&self, number: u64) -> usize {
        self.routes.partition_point(|route| route.0 <= number)
    }

    fn write_controls(&mut self, at: usize, packet: &mut PacketWriter<'_>) {
        let Some(&(_, key)) = self.routes.get(at) else {
            return;
        };
        let Some(transfer) = self.all.get_mut(key) else {
            return;
        };
        while let Some(item) = transfer.next_control(&self.numbers) {
            if !transfer.write_control(key, item, packet) {
                return;
            }
        }
    }
}
