//! Several drivers on one port, each with a socket and an endpoint of its own.
//!
//! The system gives all datagrams of one address to one socket. When a client moves to another address, they may come to
//! another driver than the one that has its session; the connection id tells which one that is, and they are passed on.

use std::io;
use std::sync::{Arc, OnceLock};

use aws_lc_rs::rand;
use proto_core::{DatagramMeta, Shard};

use super::Wake;
use super::inbox::Inbox;

/// Datagrams that wait for a driver at most; more are lost, as in a socket that is full.
const WAITING_MAX: usize = 1_024;

/// A datagram that came to the wrong driver.
pub(super) type Strayed = (DatagramMeta, Vec<u8>);

/// The members of a group.
pub struct Group {
    key: [u8; 16],
    members: Vec<OnceLock<Arc<Inbox<Strayed>>>>,
}

impl Group {
    /// A group of `count` drivers, 1 to 255 of them.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn new(count: u8) -> io::Result<Arc<Self>> {
        let mut key = [0; 16];
        rand::fill(&mut key).map_err(|_| io::Error::other("the system gives no random bytes"))?;
        let members = (0..count.max(1)).map(|_| OnceLock::new()).collect();
        Ok(Arc::new(Self { key, members }))
    }

    /// The `index`-th member, for its endpoint's configuration.
    #[must_use]
    pub fn shard(&self, index: u8) -> Shard {
        Shard::new(index, self.key)
    }

    /// Whether there is anybody to pass datagrams on to.
    pub(super) fn has_others(&self) -> bool {
        self.members.len() > 1
    }

    /// Where a member finds what was passed on to it.
    pub(super) fn enter(&self, index: u8, wake: Wake) -> Option<Arc<Inbox<Strayed>>> {
        let member = self.members.get(usize::from(index))?;
        Some(member.get_or_init(|| Arc::new(Inbox::new(wake))).clone())
    }

    /// Passes a datagram on. False when there is no such member: whoever has it keeps it.
    pub(super) fn pass_on(&self, index: u8, meta: DatagramMeta, datagram: &[u8]) -> bool {
        let Some(member) = self.members.get(usize::from(index)) else {
            return false;
        };
        // One that has not begun yet issued no ids.
        if let Some(inbox) = member.get() {
            inbox.leave_one(WAITING_MAX, || (meta, datagram.to_vec()));
        }
        true
    }
}
