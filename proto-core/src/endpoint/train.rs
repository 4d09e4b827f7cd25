//! Trains: datagrams that came together.

use super::{DatagramMeta, Endpoint};
use crate::peer::Arrival;
use crate::time::Instant;

impl Endpoint {
    /// Datagrams have arrived together, from one address with one codepoint: `train` is one behind the other, `size` bytes each
    /// and the last perhaps shorter, as UDP_GRO hands them over. What comes of them is what would come of each one given to
    /// [`handle_datagram`](Self::handle_datagram), in fewer instructions. A `size` of 0 counts as that of one datagram.
    pub fn handle_datagrams(
        &mut self,
        now: Instant,
        meta: DatagramMeta,
        train: &mut [u8],
        size: usize,
    ) {
        let now = self.advance(now);
        let size = if size == 0 { train.len() } else { size };
        let mut rest = train;
        while !rest.is_empty() {
            let (datagram, next) = rest.split_at_mut(size.min(rest.len()));
            self.handle_datagram(now, meta, datagram);
            let taken = self.handle_run(now, &meta, next, size);
            rest = &mut next[taken..];
        }
    }

    /// Takes what follows at the beginning of `train` for the session that the last datagram was for; how many bytes.
    fn handle_run(
        &mut self,
        now: Instant,
        meta: &DatagramMeta,
        train: &mut [u8],
        size: usize,
    ) -> usize {
        let latest = self.latest.filter(|_| !train.is_empty());
        let Some((id, key)) = latest.and_then(|(id, place)| Some((id, self.session_at(place)?)))
        else {
            return 0;
        };
        let Some(peer) = self.peers.get_mut(key) else {
            return 0;
        };
        let arrival = Arrival::of(meta, size);
        let (taken, dropped) = peer.handle_run(now, &mut self.shared, id, &arrival, train);
        match (taken, dropped) {
            (0, _) => {}
            (_, false) => self.touch(key),
            (_, true) => self.settle(key),
        }
        taken
    }
}
