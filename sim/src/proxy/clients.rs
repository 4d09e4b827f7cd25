use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use proto_core::{Duration, Instant};

use super::Shared;
use super::socket::Socket;

/// The poller's key of the first client; those below are the worker's.
pub(super) const FIRST_KEY: usize = 1;

/// A client, and the socket that speaks for it.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) address: SocketAddr,
    pub(super) socket: Socket,
    /// When something last came from it or for it.
    pub(super) used: Instant,
}

/// All clients.
#[derive(Debug)]
pub(super) struct Clients {
    to: SocketAddr,
    max: usize,
    /// By the key in the poller, less [`FIRST_KEY`].
    slots: Vec<Option<Client>>,
    by_address: BTreeMap<SocketAddr, usize>,
    shared: Arc<Shared>,
}

impl Clients {
    pub(super) fn new(to: SocketAddr, max: usize, shared: Arc<Shared>) -> Self {
        Self {
            to,
            max,
            slots: Vec::new(),
            by_address: BTreeMap::new(),
            shared,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.by_address.len()
    }

    pub(super) fn by_address(&mut self, address: SocketAddr) -> Option<&mut Client> {
        self.slots[*self.by_address.get(&address)?].as_mut()
    }

    pub(super) fn by_key(&mut self, key: usize) -> Option<&mut Client> {
        let slot = key.checked_sub(FIRST_KEY)?;
        self.slots.get_mut(slot)?.as_mut()
    }

    /// Takes a client in. False when there is no room, or the system has no socket for it.
    pub(super) fn insert(&mut self, address: SocketAddr, now: Instant) -> bool {
        if self.len() >= self.max {
            return false;
        }
        let free = self.slots.iter().position(Option::is_none);
        let slot = free.unwrap_or(self.slots.len());
        let Ok(socket) = self.upstream(slot) else {
            return false;
        };
        let client = Some(Client {
            address,
            socket,
            used: now,
        });
        match self.slots.get_mut(slot) {
            Some(place) => *place = client,
            None => self.slots.push(client),
        }
        self.by_address.insert(address, slot);
        true
    }

    /// Forgets those that were not used for `idle`; returns their addresses.
    pub(super) fn forget_idle(&mut self, now: Instant, idle: Duration) -> Vec<SocketAddr> {
        let mut gone = Vec::new();
        for slot in &mut self.slots {
            if let Some(client) = slot.take_if(|client| now.since(client.used) >= idle) {
                self.by_address.remove(&client.address);
                gone.push(client.address);
            }
        }
        gone
    }

    /// Gives every client another socket. One for which the system has none keeps the old one.
    pub(super) fn rebind(&mut self) {
        for slot in 0..self.slots.len() {
            if self.slots[slot].is_none() {
                continue;
            }
            if let (Ok(socket), Some(client)) = (self.upstream(slot), &mut self.slots[slot]) {
                client.socket = socket;
            }
        }
    }

    /// A socket that is connected to the server: it gets nothing from others.
    fn upstream(&self, slot: usize) -> io::Result<Socket> {
        let any = match self.to {
            SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        let socket = Socket::bind(SocketAddr::new(any, 0), slot + FIRST_KEY, &self.shared)?;
        socket.io().connect(self.to)?;
        Ok(socket)
    }
}
