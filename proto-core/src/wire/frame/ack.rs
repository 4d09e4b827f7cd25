//! ACK and ACK_ECN: which packets arrived (RFC 9000 §19.3), and how many of them with which codepoint (§19.3.2).
//!
//! Fields: largest (varint), delay in microseconds (varint), number of further ranges (varint), length of the first
//! range less one (varint), then for each further range its gap and its length less one (varints). The gap counts the
//! missing packets between two ranges, less one. ACK_ECN ends with the counts of ECT(0), ECT(1) and ECN-CE (varints).

use core::ops::RangeInclusive;

use super::super::cursor::{Sink, SliceSink};
use super::super::{WireError, varint};
use super::{Frame, kind};
use crate::ecn::EcnCounts;

/// The ACK frame: ranges of packet numbers, newest first (RFC 9000 §19.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ack<'a> {
    /// The highest number received.
    pub largest: u64,
    /// Microseconds from the arrival of `largest` to the sending of this frame.
    pub delay: u64,
    /// The length of the first range less one.
    pub first_range: u64,
    /// Number of (gap, length) pairs that follow.
    pub more_ranges: u64,
    /// The pairs, encoded; checked when the frame was decoded.
    pub encoded: &'a [u8],
    /// Packets of this level that arrived with an ECN codepoint, since the session began (RFC 9000 §19.3.2). With them,
    /// the frame is an ACK_ECN.
    pub ecn: Option<EcnCounts>,
}

impl<'a> Ack<'a> {
    /// Ranges that a frame may have, the first included.
    pub const MAX_RANGES: u64 = 256;

    /// The ranges, newest first. They are disjoint and do not touch.
    pub fn ranges(&self) -> impl Iterator<Item = RangeInclusive<u64>> + '_ {
        Ranges::new(self)
    }

    pub(super) fn encode(&self, out: &mut impl Sink) -> Option<()> {
        self.check().ok()?;
        out.varint(self.largest)?;
        out.varint(self.delay)?;
        out.varint(self.more_ranges)?;
        out.varint(self.first_range)?;
        out.bytes(self.encoded)?;
        let counts = self.ecn.iter().flat_map(counts);
        counts.into_iter().try_for_each(|count| out.varint(count))
    }

    /// `with_ecn`: the counts follow.
    pub(super) fn decode(bytes: &mut &'a [u8], with_ecn: bool) -> Result<Frame<'a>, WireError> {
        let largest = varint::read(bytes)?;
        let delay = varint::read(bytes)?;
        let more_ranges = varint::read(bytes)?;
        let first_range = varint::read(bytes)?;
        if more_ranges >= Self::MAX_RANGES {
            return Err(WireError::BadValue);
        }
        let all = *bytes;
        for _ in 0..2 * more_ranges {
            varint::read(bytes)?;
        }
        let encoded = &all[..all.len() - bytes.len()];
        let ecn = if with_ecn {
            Some(EcnCounts {
                ect0: varint::read(bytes)?,
                ect1: varint::read(bytes)?,
                ce: varint::read(bytes)?,
            })
        } else {
            None
        };
        let ack = Self {
            largest,
            delay,
            first_range,
            more_ranges,
            encoded,
            ecn,
        };
        ack.check()?;
        Ok(Frame::Ack(ack))
    }

    /// No range below zero, no more ranges than allowed, and `encoded` is what they take.
    fn check(&self) -> Result<(), WireError> {
        let mut ranges = Ranges::new(self);
        let count = ranges.by_ref().count() as u64;
        if count <= Self::MAX_RANGES && count == self.more_ranges + 1 && ranges.rest.is_empty() {
            Ok(())
        } else {
            Err(WireError::BadValue)
        }
    }
}

/// Ends at the first pair that cannot be: a checked frame has none.
struct Ranges<'a> {
    next: Option<RangeInclusive<u64>>,
    more: u64,
    rest: &'a [u8],
}

impl<'a> Ranges<'a> {
    fn new(ack: &Ack<'a>) -> Self {
        Self {
            next: range_below(ack.largest, ack.first_range),
            more: ack.more_ranges,
            rest: ack.encoded,
        }
    }

    fn read_next(&mut self, smallest: u64) -> Option<RangeInclusive<u64>> {
        self.more = self.more.checked_sub(1)?;
        let gap = varint::read(&mut self.rest).ok()?;
        let len = varint::read(&mut self.rest).ok()?;
        range_below(smallest.checked_sub(gap)?.checked_sub(2)?, len)
    }
}

impl Iterator for Ranges<'_> {
    type Item = RangeInclusive<u64>;

    fn next(&mut self) -> Option<Self::Item> {
        let range = self.next.take()?;
        self.next = self.read_next(*range.start());
        Some(range)
    }
}

fn range_below(largest: u64, less_one: u64) -> Option<RangeInclusive<u64>> {
    Some(largest.checked_sub(less_one)?..=largest)
}

/// The counts in the order of the wire.
fn counts(ecn: &EcnCounts) -> [u64; 3] {
    [ecn.ect0, ecn.ect1, ecn.ce]
}

/// Writes an ACK frame of `ranges`, without ECN counts: see [`write_ack_ecn`].
pub fn write_ack(
    out: &mut [u8],
    delay_micros: u64,
    ranges: impl Iterator<Item = RangeInclusive<u64>> + Clone,
) -> Option<usize> {
    write_ack_ecn(out, delay_micros, ranges, None)
}

/// Writes an ACK frame of `ranges`, or with counts an ACK_ECN, at the beginning of `out` and says its length.
///
/// `ranges` come newest first, disjoint and not touching. As many are written as fit, [`Ack::MAX_RANGES`] at most; the
/// iterator is walked twice. `None` when there is no range or not even the first one fits.
pub fn write_ack_ecn(
    out: &mut [u8],
    delay_micros: u64,
    ranges: impl Iterator<Item = RangeInclusive<u64>> + Clone,
    ecn: Option<EcnCounts>,
) -> Option<usize> {
    let first = ranges.clone().next()?;
    let (largest, less_one) = (*first.end(), first.end().checked_sub(*first.start())?);
    let delay = delay_micros.min(varint::MAX);
    let ecn = ecn.as_ref().map(counts);
    let counts = || ecn.iter().flatten().copied();
    let fixed = 1 + varint::len(largest) + varint::len(delay) + varint::len(less_one);
    let fixed = fixed + counts().map(varint::len).sum::<usize>();
    let more = fitting(out.len().checked_sub(fixed)?, pairs(ranges.clone()));

    let mut out = SliceSink::new(out);
    out.byte(if ecn.is_some() {
        kind::ACK_ECN
    } else {
        kind::ACK
    })?;
    out.varint(largest)?;
    out.varint(delay)?;
    out.varint(more as u64)?;
    out.varint(less_one)?;
    for (gap, less_one) in pairs(ranges).take(more) {
        out.varint(gap)?;
        out.varint(less_one)?;
    }
    counts().try_for_each(|count| out.varint(count))?;
    Some(out.len())
}

/// How many of `pairs` fit into `room` together with their number.
fn fitting(room: usize, pairs: impl Iterator<Item = (u64, u64)>) -> usize {
    let mut used = 0;
    let mut count = 0;
    for (gap, less_one) in pairs.take(Ack::MAX_RANGES as usize - 1) {
        used += varint::len(gap) + varint::len(less_one);
        if used + varint::len(count as u64 + 1) > room {
            break;
        }
        count += 1;
    }
    count
}

/// Gap and length less one of each range but the first; ends where the ranges do not descend.
fn pairs(
    mut ranges: impl Iterator<Item = RangeInclusive<u64>>,
) -> impl Iterator<Item = (u64, u64)> {
    let mut smallest = ranges.next().map_or(0, |first| *first.start());
    ranges.map_while(move |range| {
        let gap = smallest.checked_sub(2)?.checked_sub(*range.end())?;
        smallest = *range.start();
        Some((gap, range.end().checked_sub(smallest)?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    fn decode(mut bytes: &[u8]) -> Result<Vec<RangeInclusive<u64>>, WireError> {
        match Frame::decode(&mut bytes)? {
            Frame::Ack(ack) => {
                assert!(bytes.is_empty());
                Ok(ack.ranges().collect())
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn ranges_below_zero_are_refused() {
        assert_eq!(decode(&[2, 5, 0, 0, 5]), Ok(vec![0..=5]));
        assert_eq!(decode(&[2, 5, 0, 0, 6]), Err(WireError::BadValue));
        assert_eq!(decode(&[2, 5, 0, 1, 2, 0, 1]), Ok(vec![3..=5, 0..=1]));
        // A gap, then a length, that pass zero.
        assert_eq!(decode(&[2, 5, 0, 1, 2, 2, 0]), Err(WireError::BadValue));
        assert_eq!(decode(&[2, 5, 0, 1, 2, 0, 2]), Err(WireError::BadValue));
        assert_eq!(decode(&[2, 5, 0, 1, 2, 0]), Err(WireError::Truncated));
    }

    macro_rules! edges {
        ($($(#[doc = $doc:literal])+ $name:ident: $bytes:expr => $read:expr;)+) => {
            $($(#[doc = $doc])+
            #[test]
            fn $name() {
                assert_eq!(decode(&$bytes), $read);
            })+
        };
    }

    edges! {
        /// RFC 9000 §19.3: the least frame, of packet 0 alone.
        packet_0: [2, 0, 0, 0, 0] => Ok(vec![0..=0]);
        /// RFC 9000 §19.3: First ACK Range counts the packets before the largest.
        a_first_range_down_to_0: [2, 1, 0, 0, 1] => Ok(vec![0..=1]);
        /// RFC 9000 §19.3.1: a computed number that is negative is a FRAME_ENCODING_ERROR.
        a_first_range_below_0: [2, 0, 0, 0, 1] => Err(WireError::BadValue);
        /// RFC 9000 §19.3.1: Gap 0 is one missing packet.
        a_gap_of_one: [2, 2, 0, 1, 0, 0, 0] => Ok(vec![2..=2, 0..=0]);
        /// RFC 9000 §19.3.1: a gap that ends below 0.
        a_gap_below_0: [2, 2, 0, 1, 0, 1, 0] => Err(WireError::BadValue);
        /// RFC 9000 §19.3.1: a range after a gap that begins at 0 and goes on below.
        a_second_range_below_0: [2, 2, 0, 1, 0, 0, 1] => Err(WireError::BadValue);
        /// RFC 9000 §19.3.1: below packet 0 there is no room for a gap.
        a_range_below_packet_0: [2, 10, 0, 1, 10, 0, 0] => Err(WireError::BadValue);
        /// RFC 9000 §19.3.1: ranges of one packet each.
        alternating_packets: [2, 10, 0, 2, 0, 0, 0, 0, 0] => Ok(vec![10..=10, 8..=8, 6..=6]);
        /// RFC 9000 §12.3, §16: the largest number that there is.
        the_largest_number: [&[2][..], &[0xff; 8], &[0, 0, 0]].concat() => Ok(vec![varint::MAX..=varint::MAX]);
        /// RFC 9000 §12.3: all numbers that there are.
        all_numbers: [&[2][..], &[0xff; 8], &[0, 0], &[0xff; 8]].concat() => Ok(vec![0..=varint::MAX]);
        /// RFC 9000 §19.3: the longest delay.
        the_longest_delay: [&[2, 0][..], &[0xff; 8], &[0, 0]].concat() => Ok(vec![0..=0]);
        /// RFC 9000 §19.3: a range count that the frame does not keep.
        a_range_that_is_missing: [2, 9, 0, 2, 0, 0, 0] => Err(WireError::Truncated);
        /// RFC 9000 §19.3.2: type 0x03 ends with three counts.
        counts_after_the_ranges: [3, 5, 0, 1, 2, 0, 1, 4, 0, 1] => Ok(vec![3..=5, 0..=1]);
        /// RFC 9000 §19.3.2: all three counts are there, or it is no frame.
        a_count_that_is_missing: [3, 5, 0, 0, 5, 4, 0] => Err(WireError::Truncated);
        /// RFC 9000 §19.3.2: no counts at all.
        counts_that_are_missing: [3, 5, 0, 0, 5] => Err(WireError::Truncated);
        /// RFC 9000 §19.3.2, §16: a count that is cut in its middle.
        a_count_that_is_cut: [3, 5, 0, 0, 5, 4, 0, 0x40] => Err(WireError::Truncated);
        /// RFC 9000 §19.3.2, §16: the highest counts that there are.
        the_highest_counts: [&[3, 0, 0, 0, 0][..], &[0xff; 24]].concat() => Ok(vec![0..=0]);
        /// RFC 9000 §19.3.1: the ranges of an ACK_ECN are those of an ACK, and refused as those.
        counts_after_a_range_below_0: [3, 0, 0, 0, 1, 1, 0, 0] => Err(WireError::BadValue);
    }

    #[test]
    fn counts_are_written_and_read() {
        let all = EcnCounts {
            ect0: 70,
            ect1: 0,
            ce: varint::MAX,
        };
        let mut out = [0; 100];
        let len = write_ack_ecn(&mut out, 7, [5..=9, 1..=2].into_iter(), Some(all)).unwrap();
        let mut bytes = &out[..len];
        let Ok(Frame::Ack(ack)) = Frame::decode(&mut bytes) else {
            panic!("{out:?}");
        };
        assert!(bytes.is_empty());
        assert_eq!(ack.ecn, Some(all));
        assert_eq!(ack.ranges().collect::<Vec<_>>(), [5..=9, 1..=2]);
        // Where there is no room for all, older ranges are left out, and never a count.
        let short = write_ack_ecn(
            &mut out[..len - 1],
            7,
            [5..=9, 1..=2].into_iter(),
            Some(all),
        );
        assert_eq!(short, Some(len - 2));
        for room in 0..len - 2 {
            let none = write_ack_ecn(&mut out[..room], 7, [5..=9, 1..=2].into_iter(), Some(all));
            assert_eq!(none, None, "{room}");
        }
    }

    #[test]
    fn at_most_256_ranges() {
        let every_other = |n: u64| (1..=n).rev().map(|i| 2 * i..=2 * i);
        let mut out = [0; 2000];
        let len = write_ack(&mut out, 0, every_other(300)).unwrap();
        let ranges = decode(&out[..len]).unwrap();
        assert_eq!(ranges, every_other(300).take(256).collect::<Vec<_>>());
        // One more than allowed, by hand: 0x4100 is 256 further ranges.
        let mut bytes = vec![2, 0x44, 0x00, 0, 0x41, 0x00, 0];
        bytes.extend_from_slice(&[0; 512]);
        assert_eq!(decode(&bytes), Err(WireError::BadValue));
    }

    #[test]
    fn nothing_to_acknowledge_is_no_frame() {
        assert_eq!(write_ack(&mut [0; 100], 0, core::iter::empty()), None);
        assert_eq!(write_ack(&mut [0; 4], 0, core::iter::once(1..=1)), None);
        assert_eq!(write_ack(&mut [0; 5], 0, core::iter::once(1..=1)), Some(5));
    }

    #[test]
    fn touching_or_ascending_ranges_end_the_frame() {
        for second in [1..=4, 5..=9, 20..=21, 3..=4] {
            let mut out = [0; 100];
            let len = write_ack(&mut out, 0, [5..=9, second].into_iter()).unwrap();
            assert_eq!(decode(&out[..len]), Ok(vec![5..=9]));
        }
    }

    proptest! {
        /// What fits is what comes out, and one more range would not have fitted.
        #[test]
        fn written_ranges_are_read(
            start in 0..varint::MAX / 4,
            steps in prop::collection::vec((0..1_u64 << 40, 0..1_u64 << 20, 0..40_u32), 1..300),
            delay in any::<u64>(),
            room in 0..1500_usize,
        ) {
            let mut next = start;
            let mut ranges = Vec::new();
            for (gap, less_one, shift) in steps {
                let end = next + (less_one >> (shift / 2));
                ranges.push(next..=end);
                next = end + 2 + (gap >> shift);
            }
            ranges.reverse();
            let mut out = vec![0xaa; room];
            match write_ack(&mut out, delay, ranges.iter().cloned()) {
                None => prop_assert!(room < 1 + 8 + 8 + 1 + 4),
                Some(len) => {
                    let read = decode(&out[..len]).unwrap();
                    prop_assert_eq!(&read[..], &ranges[..read.len()]);
                    prop_assert!(out[len..].iter().all(|&b| b == 0xaa));
                    let mut more = [0; 4096];
                    if read.len() < ranges.len().min(256) {
                        let longer = ranges[..=read.len()].iter().cloned();
                        prop_assert!(write_ack(&mut more, delay, longer).unwrap() > room);
                    }
                }
            }
        }
    }
}
