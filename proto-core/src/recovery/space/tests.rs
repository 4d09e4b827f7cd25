//! One packet number space against a plain list of packets.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Op {
    Push {
        bytes: u32,
        kind: u8,
        frames: u8,
    },
    Skip,
    /// Settles one of the packets that are remembered, as an acknowledgement or a loss does.
    Settle {
        nth: usize,
        lost: bool,
    },
    Forget,
    Discard,
    Shrink,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        12 => (1..1_500_u32, 0..4_u8, 0..4_u8)
            .prop_map(|(bytes, kind, frames)| Op::Push { bytes, kind, frames }),
        // Not in flight, in a row: more than are remembered.
        4 => Just(Op::Push { bytes: 40, kind: 0, frames: 1 }),
        1 => Just(Op::Skip),
        8 => (0..20_usize, any::<bool>()).prop_map(|(nth, lost)| Op::Settle { nth, lost }),
        2 => Just(Op::Forget),
        1 => Just(Op::Discard),
        1 => Just(Op::Shrink),
    ]
}

#[derive(Clone, Debug)]
struct Known {
    number: u64,
    sent: Sent,
    frames: Vec<u32>,
    open: bool,
}

#[derive(Default)]
struct Model {
    next: u64,
    next_frame: u32,
    skipped: Vec<u64>,
    /// What is remembered; settled ones too, until `Forget`.
    packets: Vec<Known>,
}

impl Model {
    fn uncounted(&self) -> usize {
        let open = self.packets.iter().filter(|p| p.open);
        open.filter(|p| !p.sent.in_flight).count()
    }

    fn eliciting(&self) -> impl Iterator<Item = &Known> {
        let open = self.packets.iter().filter(|p| p.open);
        open.filter(|p| p.sent.ack_eliciting)
    }

    fn push(&mut self, space: &mut Space<u32>, bytes: u32, kind: u8, frames: u8) {
        let (in_flight, ack_eliciting) = (kind > 0, kind > 1);
        let sent = Sent {
            bytes,
            ack_eliciting,
            in_flight,
            marked: false,
        };
        let frames: Vec<u32> = (0..u32::from(frames))
            .map(|n| self.next_frame + n)
            .collect();
        self.next_frame += frames.len() as u32;
        space.push(
            Instant::from_nanos(self.next),
            sent,
            Snapshot::default(),
            false,
            &frames,
        );
        if in_flight || self.uncounted() < UNCOUNTED_MAX as usize {
            let number = self.next;
            self.packets.push(Known {
                number,
                sent,
                frames,
                open: true,
            });
        }
        self.next += 1;
    }

    fn settle(&mut self, space: &mut Space<u32>, nth: usize, lost: bool) {
        let fate = if lost { Fate::Lost } else { Fate::Acked };
        let mut open = self.packets.iter_mut().filter(|p| p.open);
        let Some(packet) = open.nth(nth) else { return };
        packet.open = false;
        let index = space.index_of(packet.number);
        assert_eq!(space.packet(index).map(|p| p.number), Some(packet.number));
        let mut told = Vec::new();
        space.resolve(index, fate, &mut |fate, frame| told.push((fate, frame)));
        let expected: Vec<_> = packet.frames.iter().map(|frame| (fate, *frame)).collect();
        assert_eq!(told, expected);
    }

    fn apply(&mut self, space: &mut Space<u32>, op: &Op) {
        match *op {
            Op::Push {
                bytes,
                kind,
                frames,
            } => self.push(space, bytes, kind, frames),
            Op::Skip => {
                space.skip();
                self.skipped.push(self.next);
                self.next += 1;
            }
            Op::Settle { nth, lost } => self.settle(space, nth, lost),
            Op::Forget => {
                space.forget_resolved();
                let first = self.packets.iter().position(|p| p.open);
                self.packets.drain(..first.unwrap_or(self.packets.len()));
            }
            Op::Discard => {
                let bytes = self.packets.iter().filter(|p| p.open && p.sent.in_flight);
                let bytes: u64 = bytes.map(|p| u64::from(p.sent.bytes)).sum();
                assert_eq!(space.discard(), bytes);
                self.packets.clear();
            }
            Op::Shrink => space.shrink(),
        }
    }

    fn check(&self, space: &Space<u32>) {
        assert_eq!((space.next, space.len()), (self.next, self.packets.len()));
        for (packet, known) in space.packets().zip(&self.packets) {
            let open = packet.state == State::Outstanding;
            assert_eq!((packet.number, open), (known.number, known.open));
            let sent = Sent {
                bytes: packet.bytes,
                ack_eliciting: packet.ack_eliciting,
                in_flight: packet.in_flight,
                marked: false,
            };
            assert_eq!((sent, packet.time.as_nanos()), (known.sent, known.number));
        }
        for number in 0..=self.next {
            let index = self
                .packets
                .iter()
                .take_while(|p| p.number < number)
                .count();
            assert_eq!(space.index_of(number), index);
        }
        assert_eq!(space.eliciting as usize, self.eliciting().count());
        let uncounted = self.uncounted();
        assert_eq!(space.uncounted as usize, uncounted);
        let wants = self.eliciting().count() == 0 && uncounted >= UNCOUNTED_MAX as usize / 2;
        assert_eq!(space.wants_ping(), wants);
        for count in [0, 1, 2, 100] {
            let mut shown = Vec::new();
            space.oldest(count, &mut |frame| shown.push(frame));
            let frames = self.eliciting().take(count).flat_map(|p| p.frames.clone());
            assert_eq!(shown, frames.collect::<Vec<_>>());
        }
        let mut skipped: Vec<u64> = space.skipped().collect();
        skipped.sort_unstable();
        let last = self.skipped.len().saturating_sub(SKIPPED_MAX);
        assert_eq!(skipped, self.skipped[last..]);
    }
}

proptest! {
    #[test]
    fn behaves_like_a_list_of_packets(
        frames_gone: u32,
        ops in prop::collection::vec(op(), 0..150),
    ) {
        // Frames are counted modulo 2^32.
        let mut space = Space { frames_gone, ..Space::default() };
        let mut model = Model::default();
        for op in &ops {
            model.apply(&mut space, op);
            model.check(&space);
        }
    }
}
