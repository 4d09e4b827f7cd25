//! Runs: packets of a train that hold one DATA frame each, going on where the one before ended.
//!
//! While a file is on its way, nearly all packets are such. Whom they are for, whether the session may take them and what they
//! change besides is found out for the first of them; within a train no time passes, so that the answer stays the same. What
//! comes of a run is what would come of packet after packet (`contract::trains` in the tests).

use super::Opened;
use crate::crypto::{Direction, Level};
use crate::ecn::Ecn;
use crate::endpoint::Shared;
use crate::peer::{Arrival, Peer, State};
use crate::time::Instant;
use crate::wire::{ConnectionId, Data, ShortHeader};

impl Peer {
    /// Takes the datagrams of `size` bytes at the beginning of `train` that are packets to `id` alone, after one that was taken
    /// in the general way at the same time: how many bytes they are together. The next one, if there is one, is for the general
    /// way. Whether one of them was dropped.
    pub(crate) fn handle_run(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        id: ConnectionId,
        arrival: &Arrival,
        train: &mut [u8],
    ) -> (usize, bool) {
        if !self.takes_runs(now, arrival) {
            return (0, false);
        }
        let (mut len, mut packets, mut other) = (0, 0, None);
        for packet in train.chunks_mut(arrival.size) {
            if !ShortHeader::leads(packet, id) {
                break;
            }
            len += packet.len();
            let opened = self.open(now, Level::Data, ShortHeader::NUMBER_AT, packet);
            match &opened {
                Ok(it) if self.append(it, packet) => packets += 1,
                _ => {
                    other = Some((packet, opened));
                    break;
                }
            }
        }
        self.on_run(now, packets, arrival.ecn);
        // It may change whom packets are for, or whether any are taken.
        let other = other.map(|(packet, opened)| {
            let opened = self.count_failed(now, shared, opened)?;
            self.act_on(now, shared, None, packet, &opened, arrival)
        });
        if len > 0 {
            let size = len;
            self.on_datagram(&Arrival { size, ..*arrival });
        }
        let dropped = other.and_then(Result::err);
        dropped.into_iter().for_each(|it| shared.drop_packet(it));
        (len, dropped.is_some())
    }

    /// Whether nothing but what a packet holds decides what it does: the session is at work, the last packet came now, and
    /// from there.
    fn takes_runs(&self, now: Instant, arrival: &Arrival) -> bool {
        let came_to = match self.direction {
            Direction::Server => true,
            Direction::Client => arrival.local.is_none() || self.came_to == arrival.local,
        };
        self.state == State::Open
            && self.confirmed
            && self.last_heard == now
            && self.path.remote == arrival.source
            && self.path.is_validated()
            && came_to
            && !self.faults.are_planted()
    }

    /// Takes what the packet holds, if it goes on where the run is; if not, nothing is changed.
    fn append(&mut self, opened: &Opened, packet: &[u8]) -> bool {
        let received = &mut self.spaces[Level::Data as usize].received;
        let goes_on = opened.first.reserved_bits_are_zero()
            && received.is_next(opened.number)
            && Data::alone(&packet[opened.payload.clone()])
                .is_some_and(|data| self.transfers.append(&data));
        if goes_on {
            received.insert_next();
        }
        goes_on
    }

    /// So many packets were taken.
    fn on_run(&mut self, now: Instant, packets: u64, ecn: Ecn) {
        if packets > 0 {
            self.packets_received += packets;
            self.quiet_pings = 0;
            let received = &mut self.spaces[Level::Data as usize].received;
            received.on_run(packets, now, ecn);
        }
    }
}
