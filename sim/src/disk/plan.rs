//! How a disk behaves: times, room, faults.

use proto_core::{Duration, Instant};
use serde::{Deserialize, Serialize};

/// How a disk behaves. Shares are numbers of 1,000,000; times are virtual ones.
///
/// As data: times are whole nanoseconds (`latency_min_ns`), what is left out is as in [`DiskPlan::default`], and an unknown
/// field is an error.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DiskPlan {
    /// Least time of an operation.
    #[serde(rename = "latency_min_ns", with = "nanoseconds")]
    pub latency_min: Duration,
    /// Most time of an operation; the same as the least for a fixed one.
    #[serde(rename = "latency_max_ns", with = "nanoseconds")]
    pub latency_max: Duration,
    /// How the time is drawn between the two.
    pub latency: Latency,
    /// How much longer `Sync` and `SyncDir` take.
    #[serde(rename = "sync_latency_ns", with = "nanoseconds")]
    pub sync_latency: Duration,
    /// Bytes a second that the device reads, one operation after the other; 0 for no limit.
    pub read_rate: u64,
    /// Bytes a second that the device writes, in one queue with what it reads; 0 for no limit.
    pub write_rate: u64,
    /// A time in which everything takes longer.
    pub slow: SlowPhase,
    /// Bytes that all files together may take: `ENOSPC` beyond.
    #[serde(skip_serializing_if = "is_max")]
    pub capacity: u64,
    /// Files that may be open at once: `EMFILE` beyond.
    pub open_files_max: u32,
    /// Reads, writes, renames and the like that fail with `Io`.
    pub io_errors: u32,
    /// Writes that fail with `NoSpace` although there is room.
    pub space_errors: u32,
    /// Syncs that fail and lose what they should keep.
    pub sync_errors: u32,
    /// Opens that fail with `Exhausted`.
    pub open_errors: u32,
    /// Closes that fail and lose what was not synced, as on a network file system. The file is closed all the same.
    pub close_errors: u32,
    /// Renames that fail with `Io`; half of them have happened, as POSIX allows for `EIO`.
    pub rename_errors: u32,
    /// Reads that give fewer bytes than there are. To the core the file has shrunk.
    pub short_reads: u32,
    /// Reads after which a bit flips in memory, when the bytes were hashed already: at most one for each open file, so that
    /// a second try is right. The hashes find it, and on a path without loss no
    /// transfer may fail of it; with loss, a packet from before the second try can spoil that, too.
    pub flipped_bits: u32,
    /// Writes that write fewer bytes than they should, and say so.
    pub short_writes: u32,
    /// When the disk is mended: from then on it has no fault of any kind, is never slow and has room without end.
    #[serde(
        rename = "faults_until_ns",
        with = "nanoseconds",
        skip_serializing_if = "is_forever"
    )]
    pub faults_until: Duration,
    /// The disk lies: `Sync` succeeds and does nothing. No promise of durability can be kept on it.
    pub ignore_sync: bool,
    /// The disk lies: `SyncDir` succeeds and does nothing.
    pub ignore_sync_dir: bool,
}

/// How the time of an operation is drawn.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Latency {
    /// Every time between the least and the most is as likely.
    #[default]
    Uniform,
    /// Every order of magnitude above the least is as likely: most operations are fast, a few take very long.
    LogUniform,
}

/// A time in which everything takes `factor` times as long.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SlowPhase {
    /// Its begin, after that of the run.
    #[serde(rename = "start_ns", with = "nanoseconds")]
    pub start: Duration,
    /// Its end; no later than the begin when there is none.
    #[serde(rename = "end_ns", with = "nanoseconds")]
    pub end: Duration,
    /// How many times as long; 0 and 1 change nothing.
    pub factor: u32,
}

impl Default for DiskPlan {
    /// Immediate, endless and without errors.
    fn default() -> Self {
        Self {
            latency_min: Duration::ZERO,
            latency_max: Duration::ZERO,
            latency: Latency::default(),
            sync_latency: Duration::ZERO,
            read_rate: 0,
            write_rate: 0,
            slow: SlowPhase::default(),
            capacity: u64::MAX,
            open_files_max: u32::MAX,
            io_errors: 0,
            space_errors: 0,
            sync_errors: 0,
            open_errors: 0,
            close_errors: 0,
            rename_errors: 0,
            short_reads: 0,
            flipped_bits: 0,
            short_writes: 0,
            faults_until: Duration::MAX,
            ignore_sync: false,
            ignore_sync_dir: false,
        }
    }
}

impl DiskPlan {
    /// Whether operations fail, come short, or may fail for want of room.
    #[must_use]
    pub fn has_faults(&self) -> bool {
        let shares = [
            self.io_errors,
            self.space_errors,
            self.sync_errors,
            self.open_errors,
            self.close_errors,
            self.rename_errors,
            self.short_reads,
            self.short_writes,
        ];
        let limited = self.capacity != u64::MAX || self.open_files_max != u32::MAX;
        shares.iter().any(|&share| share > 0) || limited
    }

    /// Whether the disk is mended at `now`.
    #[must_use]
    pub fn is_mended(&self, now: Instant) -> bool {
        now.since(Instant::ZERO) >= self.faults_until
    }

    /// How many times as long operations take that begin at `now`.
    pub(super) fn slowness(&self, now: Instant) -> u32 {
        let at = now.since(Instant::ZERO);
        let slow = self.slow.start <= at && at < self.slow.end && !self.is_mended(now);
        if slow { self.slow.factor.max(1) } else { 1 }
    }
}

fn is_max(bytes: &u64) -> bool {
    *bytes == u64::MAX
}

fn is_forever(time: &Duration) -> bool {
    *time == Duration::MAX
}

/// Durations as whole nanoseconds.
mod nanoseconds {
    use proto_core::Duration;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_nanos)
    }
}
