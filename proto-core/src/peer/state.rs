//! The life of a session.
//!
//! ```text
//! Handshaking ──complete──▶ Unadmitted ──admit──▶ Open ──close()──▶ Flushing ──flushed──▶ Closing ──3 PTO──▶ Gone
//!      │                        │                  │                   │                                     ▲
//!      └────────────────────────┴── error, refusal: Closing; silence, CLOSE from the peer: Gone ─────────────┘
//! ```
//!
//! `PeerClosed` is told on the way into Closing or Gone, whichever comes first.

use crate::time::Instant;
use crate::wire::CloseCode;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    /// The handshake goes on, until `until` at the latest (H10).
    Handshaking { until: Instant },
    /// The peer is authenticated; the application has not said whether it is welcome. A server waits until `until`
    /// (H10); a client as long as its user needs.
    Unadmitted { until: Option<Instant> },
    /// Requests are served.
    Open,
    /// The application wants to end: what is owed to the peer goes out first, until `until` at the latest.
    Flushing { until: Instant, code: CloseCode },
    /// CLOSE is said, and said again to whatever still arrives.
    Closing {
        until: Instant,
        code: CloseCode,
        frame_due: bool,
        arrivals: u32,
    },
    /// Over. What is left are file operations on loan and untaken events.
    Gone,
}

impl State {
    /// Whether packets of the peer are still taken.
    pub(crate) fn is_live(self) -> bool {
        !matches!(self, Self::Closing { .. } | Self::Gone)
    }

    /// Whether the handshake is behind and the session not at its end.
    pub(crate) fn is_established(self) -> bool {
        matches!(
            self,
            Self::Unadmitted { .. } | Self::Open | Self::Flushing { .. }
        )
    }
}
