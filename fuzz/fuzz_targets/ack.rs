//! ACK frames written from any set of ranges into any room: what comes out is a prefix of what went in.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use proto_core::wire::{Ack, Frame, write_ack};

#[derive(Arbitrary, Debug)]
struct Input {
    lowest: u32,
    /// Missing numbers between two ranges less one, and the length of a range less one, from the oldest on.
    steps: Vec<(u16, u16)>,
    delay: u64,
    room: u16,
}

fuzz_target!(|input: Input| {
    let mut next = u64::from(input.lowest);
    let mut ranges = Vec::new();
    for (gap, less_one) in &input.steps {
        let end = next + u64::from(*less_one);
        ranges.push(next..=end);
        next = end + 2 + u64::from(*gap);
    }
    ranges.reverse();

    let mut out = vec![0; input.room.into()];
    let Some(len) = write_ack(&mut out, input.delay, ranges.iter().cloned()) else {
        // The type, largest, delay, count and first range take at most this.
        assert!(ranges.is_empty() || out.len() < 1 + 8 + 8 + 1 + 4);
        return;
    };
    let mut bytes = &out[..len];
    let Ok(Frame::Ack(ack)) = Frame::decode(&mut bytes) else {
        panic!("not an ACK")
    };
    assert!(bytes.is_empty());
    let read: Vec<_> = ack.ranges().collect();
    assert!(read.len() as u64 <= Ack::MAX_RANGES);
    assert_eq!(read, ranges[..read.len()]);
});
