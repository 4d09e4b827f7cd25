//! Constants (draft-ietf-ccwg-bbr §2). Gains and shares are in thousandths.

use crate::time::Duration;

/// BBR.StartupPacingGain.
pub(super) const STARTUP_PACING_GAIN: u64 = 2_770;
/// BBR.DrainPacingGain.
pub(super) const DRAIN_PACING_GAIN: u64 = 500;
/// §5.3.3.1.
pub(super) const DOWN_PACING_GAIN: u64 = 900;
/// §5.3.3.5.
pub(super) const UP_PACING_GAIN: u64 = 1_250;
/// BBR.DefaultCwndGain. The draft raises it to 2.25 in ProbeBW_UP; here it stays, so that never more than two estimated
/// BDP are in flight.
pub(super) const CWND_GAIN: u64 = 2_000;
/// BBR.ProbeRTTCwndGain.
pub(super) const PROBE_RTT_CWND_GAIN: u64 = 500;
/// 1 - BBR.PacingMarginPercent.
pub(super) const PACING_MARGIN: u64 = 990;
/// BBR.LossThresh.
pub(super) const LOSS_THRESH: u64 = 20;
/// BBR.Beta.
pub(super) const BETA: u64 = 700;
/// BBR.Headroom.
pub(super) const HEADROOM: u64 = 150;
/// BBRStartupFullLossCnt.
pub(super) const STARTUP_FULL_LOSS_COUNT: u32 = 6;
/// BBR.MinPipeCwnd in datagrams.
pub(super) const MIN_PIPE: u64 = 4;
/// Rounds without much growth after which a pipe is full (§5.3.1.2).
pub(super) const FULL_BW_COUNT: u32 = 3;
/// Growth of a pipe that is not full.
pub(super) const FULL_BW_GROWTH: u64 = 1_250;
/// Rounds after which Drain ends in any case (§5.3.2).
pub(super) const DRAIN_ROUNDS: u64 = 3;
/// BBR.ExtraAckedFilterLen, in two halves.
pub(super) const EXTRA_ACKED_HALF: u64 = 5;
/// BBR.MinRTTFilterLen.
pub(super) const MIN_RTT_FILTER: Duration = Duration::from_secs(10);
/// BBR.ProbeRTTInterval.
pub(super) const PROBE_RTT_INTERVAL: Duration = Duration::from_secs(5);
/// BBR.ProbeRTTDuration.
pub(super) const PROBE_RTT_DURATION: Duration = Duration::from_millis(200);
/// Rounds between probes so that Reno and CUBIC can keep up (§5.3.3.8). The draft has 63; with more probes in the same time two
/// flows come to share sooner.
pub(super) const RENO_ROUNDS: u64 = 40;
/// The least time between probes, and what chance adds at most.
pub(super) const PROBE_WAIT: Duration = Duration::from_secs(2);
/// Nanoseconds; see [`PROBE_WAIT`].
pub(super) const PROBE_WAIT_SPREAD: u64 = 1_000_000_000;
/// Send quantum at most (§5.6.3).
pub(super) const QUANTUM_MAX: u64 = 65_536;

/// Loss that ends growth when two rounds in a row have it, for every controller (RFC 8085 §3.1, RFC 9743 §5).
pub(super) const HEAVY_LOSS: u64 = 150;
