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
