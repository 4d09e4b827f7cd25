use proto_core::{Ecn, Instant};

use super::{Fate, Node};

/// Clears the ECN field of all datagrams, as many routers do ("bleaching").
#[derive(Clone, Copy, Debug)]
pub struct Bleach;

impl Node for Bleach {
    fn pass(&mut self, now: Instant, _payload: &mut Vec<u8>) -> Fate {
        Fate::At(now)
    }

    fn remark(&mut self, _ecn: Ecn) -> Ecn {
        Ecn::NotEct
    }
}

/// Sets the ECN field of all datagrams from ECN-capable senders to this, as routers with a fault do.
#[derive(Clone, Copy, Debug)]
pub struct AllMarked(pub Ecn);

impl Node for AllMarked {
    fn pass(&mut self, now: Instant, _payload: &mut Vec<u8>) -> Fate {
        Fate::At(now)
    }

    fn remark(&mut self, ecn: Ecn) -> Ecn {
        match ecn {
            Ecn::NotEct => Ecn::NotEct,
            _ => self.0,
        }
    }
}
