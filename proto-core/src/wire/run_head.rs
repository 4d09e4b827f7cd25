//! What stands before the data in packets of a run: the same in each, but for the packet's number and the data's offset.

use super::frame::kind;
use super::{HeaderLayout, ShortHeader, packet_number, varint};

/// The longest head: a short header, and a DATA frame's type and four numbers.
const LEN_MAX: usize = 1 + ShortHeader::NUMBER_AT + 4 + 4 * 8;

/// The head of packets whose payload is one DATA frame. Their bytes are those that [`ShortHeader::encode`] and
/// [`Frame::encode`](super::Frame::encode) would make, in fewer instructions: nearly all packets of a file are made so.
#[derive(Clone, Copy, Debug)]
pub struct RunHead {
    bytes: [u8; LEN_MAX],
    len: usize,
    layout: HeaderLayout,
    offset: u64,
    offset_at: usize,
    data_len: usize,
}

impl RunHead {
    /// Heads for packets whose payload ends with the byte before `end`, beginning with the one that has this number, in so many
    /// bytes, and this offset. `None` where no length makes the frame end there, or a number has no encoding.
    #[must_use]
    pub fn new(
        header: &ShortHeader,
        (number, number_len): (u64, usize),
        [transfer, file, offset]: [u64; 3],
        end: usize,
    ) -> Option<Self> {
        let mut bytes = [0; LEN_MAX];
        let layout = header.encode(number, number_len, &mut bytes)?;
        let mut at = layout.payload_at;
        *bytes.get_mut(at)? = kind::DATA;
        at += 1;
        for number in [transfer, file] {
            at += varint::write(bytes.get_mut(at..)?, number)?;
        }
        let offset_at = at;
        at += varint::write(bytes.get_mut(at..)?, offset)?;
        let room = end.checked_sub(at)?;
        // Each length has one form only, so that there are rooms that no frame fills.
        let prefix = match room {
            2..=64 => 1,
            66..=16_385 => 2,
            16_388..=0x4000_0003 => 4,
            _ => return None,
        };
        let data_len = room - prefix;
        at += varint::write(bytes.get_mut(at..)?, data_len as u64)?;
        Some(Self {
            bytes,
            len: at,
            layout,
            offset,
            offset_at,
            data_len,
        })
    }

    /// Bytes of data in each packet.
    #[must_use]
    pub fn data_len(&self) -> usize {
        self.data_len
    }

    /// Where the parts of each packet begin.
    #[must_use]
    pub fn layout(&self) -> HeaderLayout {
        self.layout
    }

    /// How many packets, one after the other, can have this head.
    #[must_use]
    pub fn most(&self) -> u64 {
        let len = self.data_len as u64;
        let last = varint::largest(varint::len(self.offset)).min(varint::MAX - len);
        last.checked_sub(self.offset)
            .map_or(0, |further| further / len + 1)
    }

    /// Writes header and payload of one of the [`most`](Self::most) packets at the beginning of `packet`: `data`, which has
    /// [that length](Self::data_len), stands at `offset` in the file. Nothing where there is no room.
    #[inline]
    pub fn write(&mut self, number: u64, offset: u64, data: &[u8], packet: &mut [u8]) {
        let HeaderLayout {
            number_at,
            payload_at,
            ..
        } = self.layout;
        let number_place = &mut self.bytes[number_at..];
        packet_number::write(number_place, number, payload_at - number_at);
        varint::write(&mut self.bytes[self.offset_at..], offset);
        let whole = packet.get_mut(..self.len + data.len());
        if let Some((head, body)) = whole.map(|whole| whole.split_at_mut(self.len)) {
            head.copy_from_slice(&self.bytes[..self.len]);
            body.copy_from_slice(data);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{ConnectionId, Data, Frame};
    use alloc::vec;
    use proptest::prelude::*;

    const HEADER: ShortHeader = ShortHeader {
        destination: ConnectionId([9; ConnectionId::LEN]),
        key_phase: true,
    };

    /// A packet of `end` bytes, made in the general way.
    fn general(number: u64, len: usize, frame: &Frame<'_>, end: usize) -> Option<Vec<u8>> {
        let mut packet = vec![0; end];
        let layout = HEADER.encode(number, len, &mut packet)?;
        let written = frame.encode(&mut packet[layout.payload_at..])?;
        (layout.payload_at + written == end).then_some(packet)
    }

    fn frame(place: [u64; 3], data: &[u8]) -> Frame<'_> {
        let [transfer, file, offset] = place;
        Frame::Data {
            transfer,
            file,
            offset,
            data,
        }
    }

    /// Where a frame's length can be written in one way only, and the room is not one byte too long for it.
    #[test]
    fn a_frame_fills_any_room_that_one_can_fill() {
        let data = vec![7; 20_000];
        let place = [3, 70, 1 << 20];
        let begin = ShortHeader::NUMBER_AT + 2;
        for end in (begin..begin + 300).chain(16_000..17_000) {
            let fits = Frame::data_room(3, 70, 1 << 20, end - begin);
            let same = general(77, 2, &frame(place, &data[..fits]), end);
            let head = RunHead::new(&HEADER, (77, 2), place, end);
            assert_eq!(head.is_some(), fits > 0 && same.is_some(), "end {end}");
            if let Some(mut head) = head {
                assert_eq!(head.data_len(), fits);
                let mut packet = vec![0; end];
                head.write(77, 1 << 20, &data[..fits], &mut packet);
                assert_eq!(Some(packet), same);
            }
        }
        for place in [[1 << 62, 0, 0], [0, 1 << 62, 0], [0, 0, 1 << 62]] {
            assert!(RunHead::new(&HEADER, (77, 2), place, 1_400).is_none());
        }
        assert!(RunHead::new(&HEADER, (77, 5), [0; 3], 1_400).is_none());
        // The last length in four bytes.
        let head = |end| RunHead::new(&HEADER, (77, 2), [0; 3], end);
        let last = begin + 4 + 4 + varint::largest(4) as usize;
        assert_eq!(head(last).map(|head| head.data_len()), Some(0x3fff_ffff));
        assert!(head(last + 1).is_none());
        // Where there is no room, nothing is written.
        let mut short = [0; 99];
        head(100)
            .unwrap()
            .write(77, 0, &data[..head(100).unwrap().data_len()], &mut short);
        assert_eq!(short, [0; 99]);
    }

    proptest! {
        /// Each of as many packets as can have a head is the one that would be made in the general way, and the next is not.
        #[test]
        fn packets_of_a_run_are_what_they_are_alone(
            numbers in any::<[u64; 3]>(), shift in 2..64_u32, first in 0..1_u64 << 40, end in 60..1_500_usize, len in 1..=4_usize,
        ) {
            let place = numbers.map(|number| number >> shift);
            let Some(mut head) = RunHead::new(&HEADER, (first, len), place, end) else { return Ok(()) };
            let data = vec![5; head.data_len()];
            let most = head.most();
            let at = |nth: u64| [place[0], place[1], place[2] + nth * data.len() as u64];
            for nth in [0, 1, 2, most / 2, most.saturating_sub(1)].into_iter().filter(|nth| *nth < most) {
                let mut packet = vec![0; end];
                head.write(first + nth, at(nth)[2], &data, &mut packet);
                prop_assert_eq!(Some(packet), general(first + nth, len, &frame(at(nth), &data), end));
            }
            prop_assert_eq!(general(first, len, &frame(at(most), &data), end), None);
        }

        #[test]
        fn what_is_alone_is_read_back(offset in 0..varint::MAX >> 1, end in 80..1_500_usize) {
            let place = [1, 0, offset];
            if let Some(mut head) = RunHead::new(&HEADER, (0, 1), place, end) {
                let data = vec![6; head.data_len()];
                let mut packet = vec![0; end];
                head.write(0, offset, &data, &mut packet);
                let read = Data::alone(&packet[head.layout().payload_at..]);
                prop_assert_eq!(read, Some(Data { transfer: 1, file: 0, offset, data: &data }));
            }
        }
    }
}
