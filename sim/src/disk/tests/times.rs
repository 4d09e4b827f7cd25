use proto_core::Duration;

use super::*;
use crate::disk::device::Device;

const MS: Duration = Duration::from_millis(1);

fn transfer(write: bool, len: u32) -> Operation {
    let (file, offset, block, hash) = (FileId(1), 0, Block::new(), HashAs::Nothing);
    if write {
        Operation::Write {
            file,
            offset,
            len,
            block,
            hash,
        }
    } else {
        Operation::Read {
            file,
            offset,
            len,
            block,
            hash,
        }
    }
}

#[test]
fn bytes_pass_one_after_the_other() {
    let plan = DiskPlan {
        read_rate: 1_000_000,
        write_rate: 500_000,
        latency_min: MS,
        latency_max: MS,
        sync_latency: 7 * MS,
        ..DiskPlan::default()
    };
    let (mut device, mut rng) = (Device::default(), Rng::new(1, 0));
    let start = Instant::ZERO;
    let mut ends = |at, what| device.schedule(&plan, &mut rng, start + at, &what);
    let zero = Duration::ZERO;
    assert_eq!(ends(zero, transfer(true, 1_000)), start + 3 * MS);
    assert_eq!(ends(zero, transfer(false, 5_000)), start + 8 * MS);
    // What has no bytes does not queue.
    let sync = Operation::Sync { file: FileId(1) };
    assert_eq!(ends(zero, sync), start + 8 * MS);
    assert_eq!(ends(20 * MS, transfer(true, 1_000)), start + 23 * MS);
}

#[test]
fn a_slow_phase_begins_and_ends() {
    let plan = DiskPlan {
        latency_min: MS,
        latency_max: MS,
        write_rate: 1_000_000,
        slow: SlowPhase {
            start: 10 * MS,
            end: 20 * MS,
            factor: 5,
        },
        faults_until: 18 * MS,
        ..DiskPlan::default()
    };
    for (at, takes) in [(9, 2), (10, 10), (17, 10), (18, 2), (20, 2)] {
        let (mut device, mut rng) = (Device::default(), Rng::new(1, 0));
        let begins = Instant::ZERO + at * MS;
        let ends = device.schedule(&plan, &mut rng, begins, &transfer(true, 1_000));
        assert_eq!(ends.since(begins), takes * MS, "at {at} ms");
    }
}

#[test]
fn latencies_keep_their_bounds_and_have_their_shape() {
    for (latency, fast) in [(Latency::Uniform, 0..50), (Latency::LogUniform, 400..700)] {
        let plan = DiskPlan {
            latency,
            latency_min: MS,
            latency_max: MS + Duration::from_nanos((1 << 20) - 1),
            ..DiskPlan::default()
        };
        let (mut device, mut rng) = (Device::default(), Rng::new(1, 0));
        let mut count = 0;
        for _ in 0..1_000 {
            let ends = device.schedule(&plan, &mut rng, Instant::ZERO, &transfer(false, 9));
            let takes = ends.since(Instant::ZERO);
            assert!((plan.latency_min..=plan.latency_max).contains(&takes));
            // Below a thousandth of the span.
            count += i32::from(takes < MS + Duration::from_nanos(1 << 10));
        }
        assert!(fast.contains(&count), "{latency:?}: {count}");
    }
}

#[test]
fn a_plan_is_data() {
    let plan = DiskPlan {
        latency_max: MS,
        latency: Latency::LogUniform,
        capacity: 1 << 30,
        sync_errors: 12,
        faults_until: 5 * MS,
        ..DiskPlan::default()
    };
    let text = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<DiskPlan>(&text).unwrap(), plan);
    let read = |text| serde_json::from_str::<DiskPlan>(text);
    let default = serde_json::to_string(&DiskPlan::default()).unwrap();
    assert_eq!(read(&default).unwrap(), DiskPlan::default());
    assert_eq!(read("{}").unwrap(), DiskPlan::default());
    let few = r#"{"latency_max_ns": 1000000, "latency": "log_uniform", "slow": {"end_ns": 7}}"#;
    let read_few = read(few).unwrap();
    assert_eq!(
        (read_few.latency_max, read_few.latency),
        (MS, Latency::LogUniform)
    );
    assert_eq!(read_few.slow.end, Duration::from_nanos(7));
    assert!(read(r#"{"latencymax_ns": 1}"#).is_err());
}
