//! Several endpoints around a network that only delays.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use proto_core::{Config, DatagramMeta, Endpoint, Event, Instant};
use sim::disk::{Disk, DiskPlan};
use sim::rng::Rng;

/// Time that a datagram is on its way.
const DELAY: Duration = Duration::from_millis(5);
/// Inputs at one time, at most: more is a loop.
const INPUTS_MAX: u32 = 200_000;

/// An endpoint, its disk, and the events that it told and nobody has looked at.
pub(crate) struct Machine {
    pub(crate) endpoint: Endpoint,
    pub(crate) address: SocketAddr,
    pub(crate) disk: Disk,
    pub(crate) events: VecDeque<Event>,
}

/// All machines, the datagrams between them, and the time.
pub(crate) struct Arena {
    pub(crate) now: Instant,
    pub(crate) machines: Vec<Machine>,
    wire: BTreeMap<(Instant, u64), (DatagramMeta, SocketAddr, Vec<u8>)>,
    count: u64,
    buffer: Vec<u8>,
    inputs: (Instant, u32),
}

impl Arena {
    pub(crate) fn new() -> Self {
        Self {
            now: Instant::from_nanos(1),
            machines: Vec::new(),
            wire: BTreeMap::new(),
            count: 0,
            buffer: vec![0; 1 << 16],
            inputs: (Instant::ZERO, 0),
        }
    }

    /// Adds a machine; its number.
    pub(crate) fn add(&mut self, config: Config, seed: u64) -> usize {
        let number = self.machines.len();
        let mut rng = Rng::new(seed, number as u64);
        self.machines.push(Machine {
            endpoint: Endpoint::new(Arc::new(config), rng.bytes32(), Instant::ZERO),
            address: SocketAddr::from(([10, 0, 0, number as u8 + 1], 1)),
            disk: Disk::new(DiskPlan::default(), rng),
            events: VecDeque::new(),
        });
        number
    }

    /// Lets all machines send and ask for what they want to.
    fn flush(&mut self) {
        for machine in &mut self.machines {
            while let Some(batch) = machine.endpoint.poll_transmit(
                self.now,
                NonZeroUsize::new(10).expect("not zero"),
                &mut self.buffer,
            ) {
                for datagram in self.buffer[..batch.len].chunks(batch.segment_size) {
                    self.count += 1;
                    let meta = DatagramMeta {
                        source: machine.address,
                        local: None,
                        ecn: batch.ecn,
                    };
                    let sent = (meta, batch.destination, datagram.to_vec());
                    self.wire.insert((self.now + DELAY, self.count), sent);
                }
            }
            while let Some(op) = machine.endpoint.poll_file_op() {
                machine.disk.submit(self.now, op);
            }
            let told = std::iter::from_fn(|| machine.endpoint.poll_event());
            machine.events.extend(told);
        }
    }

    fn next_time(&mut self) -> Option<Instant> {
        self.flush();
        let datagram = self.wire.keys().next().map(|(at, _)| *at);
        let machines = self.machines.iter();
        machines
            .flat_map(|machine| {
                let timeout = machine.endpoint.poll_timeout().map(|(at, _)| at);
                [timeout, machine.disk.next_time()]
            })
            .flatten()
            .chain(datagram)
            .min()
    }

    fn step(&mut self, next: Instant) {
        assert!(next >= self.now, "{next:?} is past at {:?}", self.now);
        self.now = next;
        if self.inputs.0 < next {
            self.inputs = (next, 0);
        }
        self.inputs.1 += 1;
        assert!(self.inputs.1 < INPUTS_MAX, "a busy loop at {next:?}");
        if self.wire.keys().next().is_some_and(|(at, _)| *at == next)
            && let Some((_, (meta, to, mut bytes))) = self.wire.pop_first()
        {
            if let Some(machine) = self.machines.iter_mut().find(|one| one.address == to) {
                machine.endpoint.handle_datagram(next, meta, &mut bytes);
            }
            return;
        }
        for machine in &mut self.machines {
            while let Some(done) = machine.disk.complete(next) {
                machine.endpoint.handle_file_done(next, done);
            }
            machine.endpoint.handle_timeout(next);
            let after = machine.endpoint.poll_timeout();
            assert!(after.is_none_or(|(at, _)| at >= next), "{after:?}");
        }
    }

    /// Steps, with `act` between the steps, until it says true; false when `within` passes first.
    pub(crate) fn run(&mut self, within: Duration, mut act: impl FnMut(&mut Self) -> bool) -> bool {
        let end = self.now + within;
        loop {
            self.flush();
            if act(self) {
                return true;
            }
            match self.next_time().filter(|at| *at <= end) {
                Some(next) => self.step(next),
                None => {
                    self.now = end;
                    return act(self);
                }
            }
            for machine in &mut self.machines {
                let breaches = machine.disk.take_breaches();
                assert!(breaches.is_empty(), "{breaches:?}");
            }
        }
    }
}
