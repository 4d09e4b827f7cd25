//! One session with one peer: handshake, packets, and the transfers inside.

mod application;
mod audit;
mod close;
mod crypto_stream;
mod frames;
mod frequency;
mod gate;
mod handshake;
mod ids;
mod key_phase;
mod limit;
mod migration;
mod mtu;
mod packet_writer;
mod path;
mod receive;
mod state;
mod tail;
mod timers;
mod transmit;

pub use limit::RateLimits;
pub(crate) use packet_writer::{PacketWriter, SentFrame};
pub(crate) use path::Arrival;

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use crate::crypto::{CryptoError, Direction, Level, PublicKey, Session};
use crate::endpoint::{PeerStats, Shared};
use crate::event::CloseCause;
use crate::fault::{Fault, Faults};
use crate::recovery::{INITIAL_RTT, MAX_ACK_DELAY, Received, Recovery, Settings};
use crate::slab::Key;
use crate::time::{Duration, Instant};
use crate::transfer::Transfers;
use crate::wire::{ConnectionId, TransportParams};

use crypto_stream::{CryptoReceive, CryptoSend};
use frequency::Frequency;
use ids::{Destination, Destinations, Issued};
use key_phase::KeyPhase;
use limit::Limit;
use mtu::Mtu;
use path::Path;
use state::State;
use tail::Tail;

/// UDP payload that every path carries (RFC 9000 §14.1); handshakes use no more.
const DATAGRAM_BASE: u16 = 1_200;
/// The largest UDP payload over IPv4.
const DATAGRAM_MAX: u16 = 65_507;

/// The idle time-out's range (T8): a third of it must be a time in which something can happen.
const IDLE_MIN: Duration = Duration::from_secs(1);
const IDLE_MAX: Duration = Duration::from_secs(600);

/// One session.
pub(crate) struct Peer {
    direction: Direction,
    state: State,
    path: Path,
    /// The last path that was proven, while the present one is not.
    previous: Option<Path>,
    /// The address that window, round trip and datagram size were measured for.
    estimated_for: SocketAddr,
    /// Where the session began.
    first_address: SocketAddr,
    /// The address of this end that the last packet came to (client).
    came_to: Option<IpAddr>,
    /// What PATH_RESPONSE is owed for, and where that came from; the oldest first.
    challenges: VecDeque<(SocketAddr, [u8; 8])>,
    /// UDP payload bytes of all paths.
    bytes_sent: u64,
    bytes_received: u64,
    ids: Ids,
    issued: Issued,
    destinations: Destinations,
    session: Box<dyn Session>,
    /// The highest level whose keys this end has: handshake bytes go out there.
    write_level: Level,
    spaces: [Space; 3],
    recovery: Recovery<SentFrame>,
    keys: KeyPhase,
    transfers: Transfers,
    /// The handshake is confirmed (RFC 9001 §4.1.2).
    confirmed: bool,
    handshake_done_pending: bool,
    /// Times that handshake bytes were sent again before their probe time-out.
    hurries: u8,
    /// Set while the pacer holds packets back.
    paced_until: Option<Instant>,
    last_heard: Instant,
    last_ping: Instant,
    /// PINGs since the peer last sent something that asks for an acknowledgement.
    quiet_pings: u32,
    idle_timeout: Duration,
    /// The handshake was complete once, so that the application hears of the session.
    announced: bool,
    /// How large datagrams may be once the handshake is confirmed.
    mtu: Mtu,
    /// How long the peer said that it holds acknowledgements back.
    peer_ack_delay: Duration,
    frequency: Frequency,
    limit: Limit,
    /// The peer's socket receive buffer in bytes; 0 when it does not say.
    peer_buffer: u64,
    events: Pending,
    packets_received: u64,
    failed_opens: u64,
    /// Packets that were sent whatever congestion control said.
    probes_sent: u64,
    /// What was sent a second time, and how often (P9.13).
    tail: Tail,
    copies_sent: u64,
    /// The batch that is being built leaves with ECT(0).
    marks: bool,
    /// The 1-RTT number that is left out next (T5). Drawn when the handshake completes: a first packet that cannot be
    /// opened must not use up randomness (R7).
    next_skip: u64,
    faults: Faults,
}

/// Connection ids of the handshake.
#[derive(Clone, Copy, Debug)]
struct Ids {
    /// The session's place, which all ids of this end's tell.
    key: Key,
    /// Where the client's first packets went.
    original: ConnectionId,
    /// Ours: packets to us carry it.
    local: ConnectionId,
    /// The peer's; known once its first packet was opened.
    remote: ConnectionId,
    remote_known: bool,
}

/// Events of the session itself that the application has not taken.
#[derive(Debug, Default)]
struct Pending {
    ready: bool,
    closed: Option<CloseCause>,
}

/// One packet number space with its handshake bytes.
#[derive(Debug)]
struct Space {
    received: Received,
    crypto_in: CryptoReceive,
    crypto_out: CryptoSend,
    /// Packets that must elicit an acknowledgement, past congestion control.
    probes: u8,
    /// An acknowledgement's time has come.
    ack_now: bool,
    /// Keys of this level were forgotten.
    discarded: bool,
}

impl Space {
    fn new(level: Level) -> Self {
        Self {
            received: Received::new(level, MAX_ACK_DELAY),
            crypto_in: CryptoReceive::default(),
            crypto_out: CryptoSend::default(),
            probes: 0,
            ack_now: false,
            discarded: false,
        }
    }

    /// Says what arrived, when that is owed; and again with each probe and keep-alive: where ACKs are lost, the peer
    /// would otherwise hear only that this end is alive, and wait for its own ever longer probe time-out.
    fn write_ack(
        &mut self,
        now: Instant,
        level: Level,
        faults: &Faults,
        writer: &mut PacketWriter<'_>,
    ) {
        let due = self.ack_now || self.probes > 0 || self.received.ack_due(now);
        if (due || (self.received.ack_owed() && !faults.strikes(Fault::AckLate)))
            && let Some(largest) = self.received.largest()
        {
            let delay = self.received.delay(now).as_micros() as u64;
            if writer.put_ack(level, delay, largest, &self.received) {
                self.ack_now = false;
                self.received.on_ack_sent();
            }
        }
    }
}

/// What a session is made with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Opening {
    pub(crate) direction: Direction,
    pub(crate) remote: SocketAddr,
    pub(crate) local: Option<IpAddr>,
    /// Where the client's first packets go.
    pub(crate) original: ConnectionId,
    /// Where the endpoint keeps the session: ids that this end issues say so.
    pub(crate) key: Key,
    /// The id that the peer issued: a server knows it from the first packet.
    pub(crate) remote_id: Option<ConnectionId>,
}

impl Peer {
    /// A session at its very beginning; a client's has its first flight ready to send.
    pub(crate) fn new(
        now: Instant,
        shared: &mut Shared,
        opening: Opening,
    ) -> Result<Self, CryptoError> {
        let config = shared.config.clone();
        let is_server = opening.direction == Direction::Server;
        let local = shared.ids.issue(opening.key, 0);
        let remote = opening.remote_id.unwrap_or(opening.original);
        let destination = Destination::first(remote);
        let resets = &shared.resets;
        let reset_token = (is_server && resets.lasts()).then(|| resets.token(local));
        let mut params = Vec::new();
        TransportParams {
            max_idle_timeout_ms: u64::try_from(config.idle_timeout.as_millis()).unwrap_or(u64::MAX),
            max_datagram: DATAGRAM_MAX,
            max_ack_delay_us: MAX_ACK_DELAY.as_micros() as u64,
            receive_buffer: config.receive_buffer,
            original_id: is_server.then_some(opening.original),
            reset_token,
            source_id: local,
        }
        .encode(&mut params);
        let session = match opening.direction {
            Direction::Client => config.provider.client(opening.original, &params)?,
            Direction::Server => config.provider.server(opening.original, &params)?,
        };
        let mut peer = Self {
            direction: opening.direction,
            state: State::Handshaking {
                until: now + config.limits.handshake_timeout,
            },
            path: Path::new(
                opening.remote,
                opening.local,
                !is_server || shared.faults.strikes(Fault::AmplificationUnheeded),
                destination,
            ),
            previous: None,
            estimated_for: opening.remote,
            first_address: opening.remote,
            came_to: None,
            challenges: VecDeque::new(),
            bytes_sent: 0,
            bytes_received: 0,
            ids: Ids {
                key: opening.key,
                original: opening.original,
                local,
                remote,
                remote_known: opening.remote_id.is_some(),
            },
            issued: Issued::new(),
            destinations: Destinations::new(remote),
            session,
            write_level: Level::Initial,
            spaces: Level::ALL.map(Space::new),
            recovery: Recovery::new(
                Settings {
                    control: config.congestion,
                    datagram_size: DATAGRAM_BASE,
                    max_ack_delay: MAX_ACK_DELAY,
                    is_server,
                    initial_rtt: INITIAL_RTT,
                },
                now,
            ),
            keys: KeyPhase::new(now, config.limits.packets_per_key),
            transfers: Transfers::new(opening.direction, &config.limits)
                .with_faults(config.faults()),
            confirmed: false,
            handshake_done_pending: false,
            hurries: 0,
            paced_until: None,
            last_heard: now,
            last_ping: now,
            quiet_pings: 0,
            idle_timeout: config.idle_timeout.clamp(IDLE_MIN, IDLE_MAX),
            announced: false,
            mtu: Mtu::new(DATAGRAM_BASE, DATAGRAM_BASE),
            peer_ack_delay: MAX_ACK_DELAY,
            frequency: Frequency::default(),
            limit: Limit::default(),
            peer_buffer: 0,
            events: Pending::default(),
            packets_received: 0,
            failed_opens: 0,
            probes_sent: 0,
            tail: Tail::default(),
            copies_sent: 0,
            marks: false,
            next_skip: u64::MAX,
            faults: shared.faults.clone(),
        };
        peer.recovery.set_faults(shared.faults.clone());
        peer.set_limits(now, config.rate_limits);
        peer.pump_handshake();
        Ok(peer)
    }

    /// Where the session began.
    pub(crate) fn first_address(&self) -> SocketAddr {
        self.first_address
    }

    /// Whether this end gave the peer an id of this number.
    pub(crate) fn has_id(&self, sequence: u16) -> bool {
        self.issued.was_given(sequence)
    }

    pub(crate) fn direction(&self) -> Direction {
        self.direction
    }

    /// The id that the client's first packets went to.
    pub(crate) fn original_id(&self) -> ConnectionId {
        self.ids.original
    }

    pub(crate) fn key(&self) -> Option<PublicKey> {
        self.session.peer_key()
    }

    /// A server's session whose handshake was not finished, also when it never will be.
    pub(crate) fn is_half_open(&self) -> bool {
        self.direction == Direction::Server && !self.announced
    }

    /// Whether the session can be forgotten: it is over, nothing is on loan and every event was taken.
    pub(crate) fn is_done(&self) -> bool {
        self.state == State::Gone
            && self.transfers.is_drained()
            && !self.events.ready
            && self.events.closed.is_none()
    }

    /// No probe is armed while the address may not be sent to (RFC 9002 §6.2.2.1).
    fn note_amplification(&mut self) {
        let blocked = self.path.budget() < self.datagram_min() as u64;
        self.recovery.set_blocked_by_amplification(blocked);
    }

    pub(crate) fn stats(&self) -> PeerStats {
        let rtt = self.recovery.rtt();
        let counters = self.recovery.counters();
        PeerStats {
            rtt: rtt.smoothed(),
            min_rtt: rtt.min(),
            congestion_window: self.recovery.window(),
            in_flight: self.recovery.in_flight(),
            packets_sent: counters.sent_packets,
            packets_lost: counters.lost_packets,
            spurious_losses: counters.late_packets,
            packets_received: self.packets_received,
            bytes_sent: self.bytes_sent,
            bytes_received: self.bytes_received,
            established: self.state.is_established(),
            pacing_rate: self.recovery.pacing_rate(),
            minimum_window: 2 * u64::from(self.recovery.datagram_size()),
            datagram_size: self.recovery.datagram_size(),
            packets_acknowledged: counters.acked_packets,
            bytes_acknowledged: counters.acked_bytes,
            bytes_lost: counters.lost_bytes,
            congestion_events: counters.cuts,
            congestion_events_undone: counters.undone_cuts,
            probe_timeouts: counters.probes,
            probes_sent: self.probes_sent,
            copies_sent: self.copies_sent,
            failed_opens: self.failed_opens,
            ecn_capable: self.recovery.is_ecn_capable(),
            ecn_marks: counters.ecn_ce,
        }
    }

    fn space(&mut self, level: Level) -> &mut Space {
        &mut self.spaces[level as usize]
    }

    /// Forgets a level's keys, its packets and its handshake bytes.
    fn discard_level(&mut self, level: Level) {
        let space = &mut self.spaces[level as usize];
        if space.discarded {
            return;
        }
        space.discarded = true;
        space.probes = 0;
        space.ack_now = false;
        space.crypto_in.clear();
        space.crypto_out.clear();
        self.session.discard_keys(level);
        self.recovery.discard(level);
    }
}

impl core::fmt::Debug for Peer {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Peer")
            .field("direction", &self.direction)
            .field("state", &self.state)
            .field("path", &self.path)
            .field("ids", &self.ids)
            .finish_non_exhaustive()
    }
}
