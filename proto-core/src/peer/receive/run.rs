//! Runs: packets of a train that hold one DATA frame each, going on where the one before ended.
//!
//! While a file is on its way, nearly all packets are such. Whom they are for, whether the session may take them and what they
//! change besides is found out for the first of them; within a train no time passes, so that the answer stays the same. What
//! comes of a run is what would come of packet after packet (`contract::trains` in the tests).

use crate::crypto::{Direction, Level};
use crate::endpoint::{DropReason, Shared};
use crate::peer::{Arrival, Peer, State};
use crate::time::Instant;
use crate::wire::{ConnectionId, Data, ShortHeader};

impl Peer {
    /// Takes the datagrams of `size` bytes at the beginning of `train` that are packets to `id` alone, after one that was taken
    /// in the general way at the same time: how many bytes they are together. The next one, if there is one, is for the general
    /// way.
    pub(crate) fn handle_run(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        id: ConnectionId,
        arrival: &Arrival,
        train: &mut [u8],
    ) -> usize {
        if !self.takes_runs(now, arrival) {
            return 0;
        }
        let mut len = 0;
        for packet in train.chunks_mut(arrival.size) {
            if !ShortHeader::leads(packet, id) {
                break;
            }
            len += packet.len();
            match self.handle_next(now, shared, packet, arrival) {
                Ok(true) => {}
                // It may have changed whom packets are for, or whether any are taken.
                Ok(false) => break,
                Err(reason) => {
                    shared.drop_packet(reason);
                    break;
                }
            }
        }
        if len > 0 {
            let size = len;
            self.on_datagram(&Arrival { size, ..*arrival });
        }
        len
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

    /// Takes one packet; whether it was of the run.
    fn handle_next(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        packet: &mut [u8],
        arrival: &Arrival,
    ) -> Result<bool, DropReason> {
        let at = ShortHeader::NUMBER_AT;
        let opened = self.open_or_count(now, shared, Level::Data, at, packet)?;
        let received = &mut self.spaces[Level::Data as usize].received;
        if opened.first.reserved_bits_are_zero()
            && received.largest().is_some_and(|it| it + 1 == opened.number)
            && let Some(data) = Data::alone(&packet[opened.payload.clone()])
            && self.transfers.append(&data)
        {
            self.packets_received += 1;
            self.quiet_pings = 0;
            received.insert(opened.number, now, true);
            received.count_ecn(arrival.ecn);
            return Ok(true);
        }
        self.act_on(now, shared, None, packet, &opened, arrival)?;
        Ok(false)
    }
}
