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
/// BBR.LossThresh. The draft has 2 %, which leaves room for what a path loses anyway; here that is what the baseline is for. Who
/// fills a shallow queue until 2 % are lost there takes several packets of CUBIC's, too, and with them half of its window.
pub(super) const LOSS_THRESH: u64 = 10;
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
/// Round trips that this is at least, up to the length of the filter: ours. ProbeRTT costs one and a half or more of them.
pub(super) const PROBE_RTT_ROUNDS: u32 = 30;
/// BBR.ProbeRTTDuration.
pub(super) const PROBE_RTT_DURATION: Duration = Duration::from_millis(200);
/// Rounds between probes so that Reno and CUBIC can keep up (§5.3.3.8). The draft has 63; with more probes in the same time two
/// flows come to share sooner.
pub(super) const RENO_ROUNDS: u64 = 40;
/// The least time between probes, and what chance adds at most.
pub(super) const PROBE_WAIT: Duration = Duration::from_secs(2);
/// Nanoseconds; see [`PROBE_WAIT`].
pub(super) const PROBE_WAIT_SPREAD: u64 = 1_000_000_000;
/// So many times as long after a probe that made the queue overflow: somebody may have lost packets there who needs time to come
/// back. CUBIC (RFC 9438 §4.2) takes 5 to 7 s at 100 Mbit/s and 50 ms, which probes every 2 to 3 s never let end. The longer it
/// is, the later two flows of ours come to share.
pub(super) const OVERFLOW_WAITS: u32 = 3;
/// If the probe got at least this part of the bandwidth that was known. If not, the path has become slower, and two cycles must pass
/// to forget what it was.
pub(super) const CROWDED: u64 = 750;
/// And if so many datagrams were lost: fewer, which are above the threshold of a small window, may be the path's own.
pub(super) const CROWDED_LOST: u64 = 3;
/// Send quantum at most (§5.6.3).
pub(super) const QUANTUM_MAX: u64 = 65_536;

/// Loss that ends growth when two rounds in a row have it, for every controller (RFC 8085 §3.1, RFC 9743 §5).
pub(super) const HEAVY_LOSS: u64 = 150;
