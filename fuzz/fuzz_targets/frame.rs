//! An opened payload's frames: whatever is read can be written, within its promised length, and then reads the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proto_core::wire::Frame;

fuzz_target!(|payload: &[u8]| {
    let mut rest = payload;
    while !rest.is_empty() {
        let before = rest.len();
        let Ok(frame) = Frame::decode(&mut rest) else {
            return;
        };
        assert!(rest.len() < before, "a frame takes at least its type");

        let len = frame.encoded_len();
        assert!(
            len <= before - rest.len(),
            "nothing is written longer than it was read"
        );
        let mut out = vec![0; len];
        assert_eq!(frame.encode(&mut out), Some(len));
        assert_eq!(frame.encode(&mut out[..len - 1]), None);
        let mut again = &out[..];
        assert_eq!(Frame::decode(&mut again), Ok(frame));
        assert!(again.is_empty());
        check(&frame);
    }
});

/// What other code relies on without looking.
fn check(frame: &Frame<'_>) {
    match *frame {
        Frame::Ack(ack) => {
            let mut below = None;
            let mut count = 0;
            for range in ack.ranges() {
                assert!(range.start() <= range.end());
                assert!(below.is_none_or(|below| *range.end() + 1 < below));
                below = Some(*range.start());
                count += 1;
            }
            assert_eq!(count, ack.more_ranges + 1);
        }
        Frame::Want { start, end, .. } => assert!(start <= end),
        Frame::Data { offset, data, .. } | Frame::Crypto { offset, data } => {
            assert!(!data.is_empty());
            assert!(offset.checked_add(data.len() as u64).is_some());
        }
        Frame::Entry { entry, .. } => assert!(entry.mode <= 0o777),
        _ => {}
    }
}
