//! Transport parameters: whatever is read is within its range, can be written, and then reads the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proto_core::wire::TransportParams;

fuzz_target!(|bytes: &[u8]| {
    let Ok(params) = TransportParams::decode(bytes) else {
        return;
    };
    assert!((1_000..=600_000).contains(&params.max_idle_timeout_ms));
    assert!((1_200..=65_527).contains(&params.max_datagram));
    assert!(params.max_ack_delay_us < 16_384_000);
    let mut out = Vec::new();
    params.encode(&mut out);
    assert_eq!(TransportParams::decode(&out), Ok(params));
});
