//! Faults inside the core, for those who test it.
//!
//! A [`FaultHook`] in [`Config::faults`](field@crate::Config::faults) is asked at fixed points of the code whether something rare or
//! wrong shall happen there. There is no hook by default; then a point costs one branch that is always the same.
//!
//! Faults are of two kinds. *Legal* ones take a rare path that the protocol allows: a world with any number of them must
//! still be right. *Planted bugs* break the protocol or its promises, each in the very place where a programmer could have:
//! they prove that the tests around the core would find such a bug.

use alloc::sync::Arc;
use core::fmt;

/// Decides which faults strike.
///
/// Asked each time that the code comes to a point, also many times for one packet or time-out. For a world that can be
/// replayed, the answers must follow from a seed and from nothing else.
pub trait FaultHook: Send + Sync + fmt::Debug {
    /// Whether `fault` strikes now.
    fn strikes(&self, fault: Fault) -> bool;
}

macro_rules! faults {
    ($($(#[doc = $doc:literal])+ $kind:ident $variant:ident = $name:literal,)+) => {
        /// One point in the code where a [`FaultHook`] is asked.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[non_exhaustive]
        pub enum Fault {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Fault {
            /// All faults: the legal ones first.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The fault's name in files and on command lines.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            /// Whether a right protocol survives it; otherwise it is a planted bug.
            #[must_use]
            pub const fn is_legal(self) -> bool {
                match self {
                    $(Self::$variant => faults!(@$kind),)+
                }
            }
        }
    };
    (@legal) => { true };
    (@bug) => { false };
}

faults! {
    /// The pool has no memory for a transfer just now: the transfer waits, and looks again after 20 ms.
    legal MemoryShort = "memory-short",
    /// A sink is promised one block, whatever its share of the pool could be: credit begins narrow.
    legal CreditNarrow = "credit-narrow",
    /// DATA finds no room at the sink: its packet is not acknowledged, and the bytes come again (M3).
    legal DataRefused = "data-refused",
    /// An arriving datagram is dropped unread, as by a full socket buffer; counted as
    /// [`DropReason::NoRoom`](crate::DropReason::NoRoom).
    legal DatagramDropped = "datagram-dropped",
    /// An acknowledgement is sent at once, although it could wait.
    legal AckEarly = "ack-early",
    /// An acknowledgement that could travel with other frames waits until it is due.
    legal AckLate = "ack-late",
    /// A 1-RTT packet number is left out, beyond those that T5 leaves out.
    legal NumberSkipped = "number-skipped",
    /// Keys are changed as soon as they may be, long before they are worn (RFC 9001 §6.1).
    legal KeyUpdateEarly = "key-update-early",
    /// A probe goes out although its time-out has not passed.
    legal ProbeEarly = "probe-early",
    /// The pacer holds a packet back for another millisecond.
    legal PacingLonger = "pacing-longer",
    /// Of the transfers of a session that have a file operation, the last one's is handed out and not the first one's.
    legal OpOutOfTurn = "op-out-of-turn",
    /// Of the transfers of a session that have an event, the last one's is told and not the first one's.
    legal EventOutOfTurn = "event-out-of-turn",

    /// The file is not synced before its rename, and STORED claims it was (D1).
    bug SyncSkipped = "sync-skipped",
    /// The directory is not synced after the rename, and STORED claims it was (D1).
    bug DirectorySyncSkipped = "directory-sync-skipped",
    /// STORED is said as soon as the sync of the directory is asked for, not when it is done (D1, D3).
    bug StoredEarly = "stored-early",
    /// A sync of the file that failed counts as done (D4).
    bug SyncFailureIgnored = "sync-failure-ignored",
    /// The file gets its name once its bytes are written, whether or not the source's hash came (D1, I1).
    bug RenameBeforeHash = "rename-before-hash",
    /// All blocks were handed to the disk, and that counts as written (D1).
    bug WritesUnawaited = "writes-unawaited",
    /// A piece whose value is not the source's passes (I1).
    bug PieceUnchecked = "piece-unchecked",
    /// A hash of the whole that is not the source's passes (I1).
    bug RootUnchecked = "root-unchecked",
    /// A source that changed while it was read is not noticed (I2).
    bug VersionUnchecked = "version-unchecked",
    /// A file that exists is replaced although nobody allowed it (F14).
    bug TargetReplaced = "target-replaced",
    /// The temporary file of a failed transfer is not removed (D6).
    bug TempFileLeft = "temp-file-left",
    /// A sink's file is not closed before it is renamed, nor later.
    bug SinkFileLeftOpen = "sink-file-left-open",
    /// A source's file is not closed.
    bug SourceFileLeftOpen = "source-file-left-open",

    /// A lost range of DATA is not sent again.
    bug LostRangeForgotten = "lost-range-forgotten",
    /// A lost frame other than DATA, PAGE and CREDIT is not sent again.
    bug LostControlForgotten = "lost-control-forgotten",
    /// A CREDIT that was lost is not said again.
    bug LostCreditForgotten = "lost-credit-forgotten",
    /// A range of DATA that is sent again carries an offset that is one byte too high.
    bug ResentOffsetWrong = "resent-offset-wrong",
    /// Bytes of a block that came before are overwritten by later ones in their place, and count again (I4).
    bug BytesCountedTwice = "bytes-counted-twice",
    /// The pool promises what it does not have (M4).
    bug CreditBeyondPool = "credit-beyond-pool",
    /// A block that was written counts twice, so that credit rises too fast (M4).
    bug CreditCountedTwice = "credit-counted-twice",
    /// A source begins blocks beyond its credit.
    bug CreditUnheeded = "credit-unheeded",
    /// A block that came home from the disk is not given back to the pool (M1).
    bug BlockLeaked = "block-leaked",

    /// A 1-RTT packet is sealed under the number of the packet before (R1).
    bug NumberReused = "number-reused",
    /// A packet whose number was seen before is accepted again (R2).
    bug DuplicateAccepted = "duplicate-accepted",
    /// A packet that could not be opened is acted on (R7).
    bug ForgeryAccepted = "forgery-accepted",
    /// The newest range of an ACK frame is not read.
    bug AckRangeIgnored = "ack-range-ignored",
    /// Each range of an ACK frame is read as one packet longer than it is.
    bug AckOneTooMany = "ack-one-too-many",
    /// Acknowledged packets stay in the count of bytes in flight.
    bug InFlightMiscounted = "in-flight-miscounted",
    /// The congestion window is not looked at before sending.
    bug WindowUnheeded = "window-unheeded",
    /// A path that carries full datagrams no more goes on getting them (RFC 8899 §4.3).
    bug BlackHoleUnheeded = "black-hole-unheeded",
    /// A probe of the path's MTU, which no window was asked for, counts as in flight (P3.19).
    bug MtuProbeCounted = "mtu-probe-counted",
    /// A stranger's address counts as proven from the beginning (H1).
    bug AmplificationUnheeded = "amplification-unheeded",
    /// Events are told, and requests served, before the application has admitted the peer (H10).
    bug AdmissionUnheeded = "admission-unheeded",

    /// The loss detection timer is not armed (RFC 9002 §6.1.2).
    bug LossTimerForgotten = "loss-timer-forgotten",
    /// The probe time-out is not armed (RFC 9002 §6.2).
    bug ProbeTimerForgotten = "probe-timer-forgotten",
    /// The acknowledgement's deadline is not armed (RFC 9000 §13.2.1).
    bug AckTimerForgotten = "ack-timer-forgotten",
    /// Nothing keeps a session with an open transfer alive (T8).
    bug KeepAliveForgotten = "keep-alive-forgotten",
    /// A silent session is never ended (T8).
    bug IdleTimerForgotten = "idle-timer-forgotten",
    /// The deadline of a request that nobody decides is forgotten (H10).
    bug DecisionTimerForgotten = "decision-timer-forgotten",
    /// The endpoint tells a deadline that is in the past.
    bug DeadlinePast = "deadline-past",
    /// A session that is over keeps a timer armed.
    bug TimerAfterEnd = "timer-after-end",

    /// The last event of a transfer is told again and again.
    bug EventTwice = "event-twice",
    /// The last event of a transfer is not told.
    bug EventLost = "event-lost",
}

impl Fault {
    /// The fault of this [`name`](Self::name).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|fault| fault.name() == name)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The hook as state carries it: nothing, or a share of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults(Option<Arc<dyn FaultHook>>);

impl Faults {
    pub(crate) fn new(hook: Option<&Arc<dyn FaultHook>>) -> Self {
        Self(hook.cloned())
    }

    /// Whether anybody is asked.
    pub(crate) fn are_planted(&self) -> bool {
        self.0.is_some()
    }

    /// Whether `fault` strikes now: never without a hook.
    #[inline]
    pub(crate) fn strikes(&self, fault: Fault) -> bool {
        match &self.0 {
            None => false,
            Some(hook) => ask(&**hook, fault),
        }
    }
}

/// Out of line, so that a point adds a test and a jump to its surroundings and no more.
#[cold]
#[inline(never)]
fn ask(hook: &dyn FaultHook, fault: Fault) -> bool {
    hook.strikes(fault)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;

    #[test]
    fn names_are_kebab_case_and_lead_back() {
        let mut seen = BTreeSet::new();
        for &fault in Fault::ALL {
            assert_eq!(Fault::from_name(fault.name()), Some(fault));
            assert!(seen.insert(fault.name()), "{fault} twice");
            let mut kebab = String::new();
            for c in format!("{fault:?}").chars() {
                if c.is_uppercase() && !kebab.is_empty() {
                    kebab.push('-');
                }
                kebab.extend(c.to_lowercase());
            }
            assert_eq!(fault.name(), kebab);
        }
        assert_eq!(Fault::from_name("no-such-fault"), None);
    }

    #[test]
    fn there_are_faults_of_both_kinds() {
        let legal = Fault::ALL.iter().filter(|fault| fault.is_legal()).count();
        assert!(legal >= 6 && Fault::ALL.len() - legal >= 14);
    }

    #[test]
    fn without_a_hook_nothing_strikes() {
        let faults = Faults::default();
        assert!(Fault::ALL.iter().all(|&fault| !faults.strikes(fault)));
    }
}
