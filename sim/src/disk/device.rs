//! How long an operation takes: one device whose bytes go one after the other, and a latency for each operation on its own,
//! so that they overtake each other.

use proto_core::{Duration, Instant, Operation};

use super::plan::{DiskPlan, Latency};
use crate::rng::Rng;

const SECOND: u128 = 1_000_000_000;

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Device {
    /// When the bytes of all operations so far have passed.
    free_at: Instant,
}

impl Device {
    /// When `what`, begun at `now`, ends.
    pub(super) fn schedule(
        &mut self,
        plan: &DiskPlan,
        rng: &mut Rng,
        now: Instant,
        what: &Operation,
    ) -> Instant {
        let slowness = plan.slowness(now);
        let bytes = transfer_time(plan, what);
        let mut ready = now;
        if !bytes.is_zero() {
            self.free_at = self.free_at.max(now) + bytes.saturating_mul(slowness);
            ready = self.free_at;
        }
        let mut latency = draw_latency(plan, rng);
        let syncs = matches!(
            what,
            Operation::Sync { .. } | Operation::SyncSoFar { .. } | Operation::SyncDir { .. }
        );
        if syncs {
            latency = latency.saturating_add(plan.sync_latency);
        }
        ready + latency.saturating_mul(slowness)
    }
}

fn draw_latency(plan: &DiskPlan, rng: &mut Rng) -> Duration {
    let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    let low = nanoseconds(plan.latency_min);
    let span = nanoseconds(plan.latency_max).saturating_sub(low);
    let drawn = match plan.latency {
        Latency::Uniform => rng.between(0, span),
        Latency::LogUniform => rng.log_uniform(span),
    };
    Duration::from_nanos(low.saturating_add(drawn))
}

/// What the device needs for the bytes of `what`.
fn transfer_time(plan: &DiskPlan, what: &Operation) -> Duration {
    let (len, rate) = match what {
        Operation::Read { len, .. } | Operation::Hash { len, .. } => (*len, plan.read_rate),
        Operation::Write { len, .. } => (*len, plan.write_rate),
        Operation::WriteLog { bytes, .. } => (bytes.len() as u32, plan.write_rate),
        _ => return Duration::ZERO,
    };
    let time = (u128::from(len) * SECOND).checked_div(rate.into());
    Duration::from_nanos(u64::try_from(time.unwrap_or(0)).unwrap_or(u64::MAX))
}
