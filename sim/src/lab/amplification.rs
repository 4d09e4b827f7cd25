//! H1 and T2: at most three times the bytes received go to an address that has not proven itself.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use proto_core::wire::{PacketKind, PartialHeader};

use super::Checked;

/// What passed between a host and one address that may be forged.
#[derive(Clone, Copy, Debug, Default)]
struct Account {
    received: u64,
    sent: u64,
    /// Something that was sent to the address arrived there.
    reached: bool,
    /// The address has shown that it receives what is sent to it.
    proven: bool,
}

/// What a host that takes sessions has sent to whom.
#[derive(Debug, Default)]
pub(super) struct Amplification {
    accounts: BTreeMap<SocketAddr, Account>,
}

impl Amplification {
    /// A datagram came from `from`.
    pub(super) fn received(&mut self, from: SocketAddr, datagram: &[u8]) {
        let account = self.accounts.entry(from).or_default();
        if !account.proven {
            account.received += datagram.len() as u64;
            account.proven = answers(datagram, account.reached);
        }
    }

    /// What the host sent arrived at `address`.
    pub(super) fn reached(&mut self, address: SocketAddr) {
        if let Some(account) = self.accounts.get_mut(&address) {
            account.reached = true;
        }
    }

    /// Who was at `address` is somewhere else now, and may answer from there what it was sent here.
    pub(super) fn moved(&mut self, address: SocketAddr) {
        if let Some(account) = self.accounts.get_mut(&address) {
            account.proven |= account.reached;
        }
    }

    /// `bytes` leave for `to`.
    pub(super) fn sent(&mut self, to: SocketAddr, bytes: u64) -> Checked<()> {
        let account = self.accounts.entry(to).or_default();
        // Whom the host calls first, on its own account, cannot have been named by a forger.
        account.proven |= account.received == 0;
        if account.proven {
            return Ok(());
        }
        account.sent += bytes;
        if account.sent > 3 * account.received {
            let Account { sent, received, .. } = account;
            return Err(format!(
                "{sent} bytes sent to the unproven address {to} for {received}"
            ));
        }
        Ok(())
    }
}

/// Whether only someone who receives what is sent to the address can have made this datagram. A packet under handshake
/// keys shows it. In a session that has moved, a PATH_RESPONSE would; it cannot be seen from outside, so that any
/// 1-RTT packet counts from when the challenge may have arrived.
fn answers(datagram: &[u8], reached: bool) -> bool {
    let mut rest = datagram;
    while let Ok(header) = PartialHeader::decode(rest) {
        match header.kind {
            PacketKind::Handshake => return true,
            PacketKind::Short => return reached,
            _ => {}
        }
        match rest.get(header.end..) {
            Some(after) if !after.is_empty() && header.end > 0 => rest = after,
            _ => return false,
        }
    }
    false
}
