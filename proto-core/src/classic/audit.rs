//! Whether the exchanges' accounts agree with each other.

use alloc::collections::BTreeMap;
use alloc::format;

use super::exchange::Side;
use super::{Classic, NOTES_MAX, Network};
use crate::audit::{Breach, check, rule};
use crate::file::Use;
use crate::limits::Limits;

impl Classic {
    /// Checks the whole state against the rules that it must keep at any time.
    pub(crate) fn audit(&self, limits: &Limits) -> Result<(), Breach> {
        let queues = [&self.sending, &self.working, &self.telling];
        let whole = queues.iter().all(|queue| queue.is_well_formed());
        check(whole && self.notes.len() <= NOTES_MAX, rule::QUEUES, || {
            "a classic exchange is queued twice, or too many notes wait".into()
        })?;
        let mut networks = BTreeMap::new();
        let mut armed = 0;
        for (key, exchange) in self.exchanges.iter() {
            if exchange.side == Side::Server {
                *networks.entry(Network::of(exchange.remote)).or_insert(0) += 1;
            }
            let (is, wanted) = (self.deadlines.get(key.index), exchange.deadline());
            armed += usize::from(wanted.is_some());
            check(is.map(|(at, _)| at) == wanted, rule::DEADLINES, || {
                format!("classic {key:?} wants {wanted:?}, armed is {is:?}")
            })?;
            let told = !exchange.has_event() || self.telling.contains(key.index);
            let sent = !exchange.wants_transmit() || self.sending.contains(key.index);
            let worked = !exchange.has_op() || self.working.contains(key.index);
            check(told && sent && worked, rule::EVENTS, || {
                format!("classic {key:?} has something for the outside and is not queued")
            })?;
        }
        check(self.deadlines.len() == armed, rule::DEADLINES, || {
            format!("{} deadlines for {armed} exchanges", self.deadlines.len())
        })?;
        check(networks == self.networks, rule::QUEUES, || {
            format!(
                "exchanges by source: {networks:?}, noted {:?}",
                self.networks
            )
        })?;
        let within = networks
            .values()
            .all(|count| *count <= limits.classic_exchanges_per_source);
        check(within, rule::QUEUES, || {
            format!("too many for one source: {networks:?}")
        })?;
        let mut known = self.served.values().chain(self.asked.values());
        let stale = known.find(|key| self.exchanges.get(**key).is_none());
        check(stale.is_none(), rule::IDS, || {
            format!("{stale:?} is no exchange")
        })
    }

    /// Exchanges in any state.
    pub(crate) fn len(&self) -> usize {
        self.exchanges.len()
    }

    /// Blocks held by exchanges, and promised to them.
    pub(crate) fn blocks(&self, what: Use) -> (u32, u32) {
        let mut sum = (0, 0);
        for (_, exchange) in self.exchanges.iter() {
            let (held, promised) = exchange.blocks(what);
            sum = (sum.0 + held, sum.1 + promised);
        }
        sum
    }
}
