//! The small types of the endpoint's calls.

use alloc::format;
use core::net::{IpAddr, SocketAddr};

use crate::audit::{Breach, check, rule};
use crate::ecn::Ecn;

/// What the driver knows of a received datagram.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DatagramMeta {
    /// The sender's address.
    pub source: SocketAddr,
    /// The local address that it came to, when the driver knows: answers leave from it.
    pub local: Option<IpAddr>,
    /// The ECN field of its IP header; [`Ecn::NotEct`] when the driver cannot tell.
    pub ecn: Ecn,
}

/// One batch to send: `len` bytes of the caller's buffer, cut into datagrams of `segment_size` (the last may be shorter).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Transmit {
    /// Where it goes.
    pub destination: SocketAddr,
    /// The local address to send from, when it matters.
    pub source: Option<IpAddr>,
    /// Bytes in all.
    pub len: usize,
    /// Bytes of each datagram but the last.
    pub segment_size: usize,
    /// Larger than packets on the way may be, and to be cut by IP: the driver clears the don't-fragment flag (classic dialect).
    pub may_fragment: bool,
    /// The ECN field of the IP headers: [`Ecn::NotEct`] or [`Ecn::Ect0`]. A driver that cannot set it may leave it out.
    pub ecn: Ecn,
}

/// Why an endpoint wants to be woken.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Reason {
    /// An acknowledgement is owed.
    AckDelay,
    /// Packets may be lost by now (RFC 9002 §6.1.2).
    LossDetection,
    /// No acknowledgement came in time (RFC 9002 §6.2).
    ProbeTimeout,
    /// The pacer lets the next packet go.
    Pacing,
    /// The session must be kept alive.
    KeepAlive,
    /// The session was silent too long.
    Idle,
    /// The handshake takes too long.
    Handshake,
    /// The application has not admitted the peer, or not decided about a request.
    Decision,
    /// A path is to be challenged again, or given up.
    PathValidation,
    /// Old keys are to be forgotten, or new ones due.
    KeyUpdate,
    /// A closing session is done with.
    Closing,
    /// The outputs were not polled after the last input (clause 2 of [`Endpoint`](crate::Endpoint)'s contract).
    Unpolled,
    /// A message of the classic dialect is to be sent again, or its exchange is over.
    Classic,
}

/// The application's answer to [`Event::PeerReady`](crate::Event::PeerReady).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Admission {
    /// The peer may ask.
    Admit,
    /// The session is closed with [`CloseCode::Refused`](crate::wire::CloseCode::Refused).
    Refuse,
}

/// The id's peer or transfer is gone.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("this id is stale: its session or transfer has ended")]
pub struct StaleId;

/// Why a session cannot be opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ConnectError {
    /// The endpoint holds as many sessions as it may.
    #[error("too many sessions")]
    TooMany,
    /// The provider cannot make a session.
    #[error(transparent)]
    Crypto(#[from] crate::crypto::CryptoError),
}

/// Why a transfer cannot be started.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum StartError {
    /// The session is gone or closing.
    #[error(transparent)]
    Stale(#[from] StaleId),
    /// The session has as many open transfers as it may. One counts until the peer has acknowledged its last frame, about a
    /// round trip beyond `Finished`: try again then.
    #[error("too many open transfers in this session")]
    TooMany,
    /// The peer's path has more than 1,024 bytes: the request would not fit the smallest packet.
    #[error("the requested path is longer than 1024 bytes")]
    PathTooLong,
    /// The classic dialect has no word for it: it lists one directory, and moves files whose names are single components.
    #[error("the classic dialect knows one directory and single names")]
    NotClassic,
}

/// What a session looks like from here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PeerStats {
    /// Smoothed round-trip time.
    pub rtt: core::time::Duration,
    /// Least round-trip time seen.
    pub min_rtt: core::time::Duration,
    /// Congestion window, bytes.
    pub congestion_window: u64,
    /// Bytes in flight.
    pub in_flight: u64,
    /// Packets sent.
    pub packets_sent: u64,
    /// Packets declared lost. Some arrive after all: see [`loss`](Self::loss).
    pub packets_lost: u64,
    /// Packets declared lost that arrived after all, within three probe time-outs: reordering, and not loss.
    pub spurious_losses: u64,
    /// Packets received and opened.
    pub packets_received: u64,
    /// UDP payload bytes sent.
    pub bytes_sent: u64,
    /// UDP payload bytes received.
    pub bytes_received: u64,
    /// The handshake is behind, and the session not at its end.
    pub established: bool,
    /// Bytes a second that the pacer lets go.
    pub pacing_rate: u64,
    /// Bytes that the congestion window never falls below.
    pub minimum_window: u64,
    /// UDP payload of full datagrams.
    pub datagram_size: u16,
    /// Packets that the peer acknowledged.
    pub packets_acknowledged: u64,
    /// UDP payload bytes that the peer acknowledged, of packets that counted as in flight.
    pub bytes_acknowledged: u64,
    /// UDP payload bytes declared lost.
    pub bytes_lost: u64,
    /// Congestion events: each cut the window.
    pub congestion_events: u64,
    /// Of these, those that were undone since all their losses were spurious.
    pub congestion_events_undone: u64,
    /// Probe time-outs.
    pub probe_timeouts: u64,
    /// Packets sent whatever congestion control said: at a probe time-out, or to keep the session alive.
    pub probes_sent: u64,
    /// Packets that said once more what was under way, since there was nothing else to send (P9.13).
    pub copies_sent: u64,
    /// Packets that could not be opened: forged, or changed on the way.
    pub failed_opens: u64,
    /// The path is known to carry ECN marks (RFC 9000 §13.4.2).
    pub ecn_capable: bool,
    /// Packets that routers marked instead of dropping them, as the peer says (ECN-CE).
    pub ecn_marks: u64,
}

impl PeerStats {
    /// Packets that were lost, as far as is known now.
    #[must_use]
    pub fn loss(&self) -> u64 {
        self.packets_lost.saturating_sub(self.spurious_losses)
    }

    /// Checks that these figures may follow those of `before`, of the same session: what counts does not go back.
    ///
    /// # Errors
    /// When one of them does: a bug in dhow.
    pub fn check_after(&self, before: &Self) -> Result<(), Breach> {
        let counts = |of: &Self| {
            [
                ("packets sent", of.packets_sent),
                ("packets lost", of.packets_lost),
                ("spurious losses", of.spurious_losses),
                ("packets received", of.packets_received),
                ("bytes sent", of.bytes_sent),
                ("bytes received", of.bytes_received),
                ("packets acknowledged", of.packets_acknowledged),
                ("bytes acknowledged", of.bytes_acknowledged),
                ("bytes lost", of.bytes_lost),
                ("congestion events", of.congestion_events),
                ("undone events", of.congestion_events_undone),
                ("probe time-outs", of.probe_timeouts),
                ("probes", of.probes_sent),
                ("copies", of.copies_sent),
                ("failed opens", of.failed_opens),
                ("ECN marks", of.ecn_marks),
            ]
        };
        for ((name, then), (_, now)) in counts(before).into_iter().zip(counts(self)) {
            check(then <= now, rule::FIGURES, || {
                format!("{name}: {then}, then {now}")
            })?;
        }
        Ok(())
    }
}

/// Why a datagram or packet was dropped without effect; [`Endpoint::drops`](crate::Endpoint::drops) counts them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum DropReason {
    /// No packet header: too short, or bit 0x40 is not set.
    Malformed,
    /// A version that this endpoint does not speak.
    UnknownVersion,
    /// For no session of this endpoint, or from another session of the peer's.
    UnknownSession,
    /// A first packet in a datagram below 1,200 bytes (H2).
    SmallInitial,
    /// This endpoint takes no sessions, or no more.
    NotAccepting,
    /// It cannot be opened: not from the peer, or changed on the way.
    NotAuthentic,
    /// There are no keys for it, yet or any more.
    NoKeys,
    /// Its number was seen before, or is too old to tell.
    Duplicate,
    /// What it holds finds no room (M3).
    NoRoom,
    /// The session is closing.
    Closing,
    /// From an address that is not the server's (RFC 9000 §9).
    WrongAddress,
    /// A message of the classic dialect that is bad, late or for nobody.
    Classic,
}

impl DropReason {
    /// How many reasons there are.
    pub const COUNT: usize = 12;
}
