//! Both ends of the stream against one cell for each byte.

use proptest::prelude::*;

use super::*;

/// What one sent byte is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Cell {
    Pending,
    InFlight,
    Acked,
}

#[derive(Clone, Debug)]
enum Op {
    Push(u8),
    /// Puts at most so many of the pending bytes into a packet.
    Send(u64),
    /// One of the packets so far is acknowledged, perhaps again.
    Ack(usize),
    /// One of the packets so far is lost, perhaps again.
    Lose(usize),
    ResendAll,
    Clear,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => any::<u8>().prop_map(Op::Push),
        8 => (1..200_u64).prop_map(Op::Send),
        4 => (0..40_usize).prop_map(Op::Ack),
        4 => (0..40_usize).prop_map(Op::Lose),
        1 => Just(Op::ResendAll),
    ]
}

/// The byte at `offset` of every stream.
fn byte(offset: u64) -> u8 {
    (offset * 7 + offset / 256) as u8
}

#[derive(Default)]
struct Sender {
    cells: Vec<Cell>,
    packets: Vec<(u64, u64)>,
}

impl Sender {
    fn set(&mut self, (offset, len): (u64, u64), to: Cell) {
        for cell in &mut self.cells[offset as usize..(offset + len) as usize] {
            // What was acknowledged stays so.
            if *cell != Cell::Acked {
                *cell = to;
            }
        }
    }

    /// The first run of pending bytes.
    fn pending(&self) -> Option<(u64, u64)> {
        let start = self.cells.iter().position(|c| *c == Cell::Pending)?;
        let run = self.cells[start..].iter();
        let len = run.take_while(|c| **c == Cell::Pending).count();
        Some((start as u64, len as u64))
    }

    fn apply(&mut self, stream: &mut CryptoSend, op: &Op) {
        let packet = |nth: usize| self.packets.get(nth % self.packets.len().max(1)).copied();
        match *op {
            Op::Push(len) => {
                let start = self.cells.len() as u64;
                let bytes: Vec<u8> = (start..start + u64::from(len)).map(byte).collect();
                stream.push(&bytes);
                self.cells.extend(bytes.iter().map(|_| Cell::Pending));
            }
            Op::Send(most) => {
                if let Some((offset, len)) = self.pending() {
                    let packet = (offset, len.min(most));
                    stream.on_sent(packet.0, packet.1);
                    self.set(packet, Cell::InFlight);
                    self.packets.push(packet);
                }
            }
            Op::Ack(nth) => {
                if let Some(packet) = packet(nth) {
                    stream.on_acked(packet.0, packet.1);
                    self.set(packet, Cell::Acked);
                }
            }
            Op::Lose(nth) => {
                if let Some(packet) = packet(nth) {
                    stream.on_lost(packet.0, packet.1);
                    self.set(packet, Cell::Pending);
                }
            }
            Op::ResendAll => {
                stream.resend_all();
                self.set((0, self.cells.len() as u64), Cell::Pending);
            }
            Op::Clear => {
                stream.clear();
                *self = Self::default();
            }
        }
    }

    fn check(&self, stream: &CryptoSend) {
        let pending = self.pending();
        assert_eq!(stream.has_pending(), pending.is_some());
        let bytes = pending.map(|(offset, len)| (offset..offset + len).map(byte).collect());
        let peeked = stream
            .peek()
            .map(|(offset, bytes)| (offset, bytes.to_vec()));
        assert_eq!(peeked, pending.map(|(offset, _)| offset).zip(bytes));
    }
}

/// What is to arrive: (offset, length) of a frame, or that the bytes in order are taken.
type Arrival = Option<(u64, u64)>;

fn arrival() -> impl Strategy<Value = Arrival> {
    prop::option::weighted(0.8, (0..1_200_u64, 0..200_u64))
}

proptest! {
    #[test]
    fn sending_behaves_like_a_row_of_cells(
        ops in prop::collection::vec(op(), 0..100),
        more in prop::collection::vec(op(), 0..10),
    ) {
        let (mut stream, mut model) = (CryptoSend::default(), Sender::default());
        for op in ops.iter().chain(&[Op::Clear]).chain(&more) {
            model.apply(&mut stream, op);
            model.check(&stream);
        }
    }

    /// Frames in any order, overlapping and repeated; an error comes exactly when a frame reaches too far or more than 8
    /// ranges wait (H6), and ends the session.
    #[test]
    fn receiving_behaves_like_a_row_of_cells(
        limit in 300..1_500_u32,
        steps in prop::collection::vec(arrival(), 0..80),
    ) {
        let mut stream = CryptoReceive::default();
        let mut arrived = vec![false; 1_400];
        let mut read = 0;
        for step in steps {
            let Some((offset, len)) = step else {
                let ready = arrived[read..].iter().take_while(|a| **a).count();
                let bytes: Vec<u8> = (read..read + ready).map(|at| byte(at as u64)).collect();
                prop_assert_eq!(stream.take(), (ready > 0).then_some(bytes));
                read += ready;
                continue;
            };
            let data: Vec<u8> = (offset..offset + len).map(byte).collect();
            let result = stream.insert(offset, &data, limit);
            if offset + len > read as u64 + u64::from(limit) {
                prop_assert_eq!(result, Err(CloseCode::CryptoBufferExceeded));
                return Ok(());
            }
            arrived[offset as usize..(offset + len) as usize].fill(true);
            let unread = &arrived[read..];
            let begins = |at: &usize| unread[*at] && (*at == 0 || !unread[at - 1]);
            let ranges = (0..unread.len()).filter(begins).count();
            if ranges > MAX_GAPS {
                prop_assert_eq!(result, Err(CloseCode::CryptoBufferExceeded));
                return Ok(());
            }
            prop_assert_eq!(result, Ok(()));
            prop_assert!(stream.bytes.len() <= limit as usize, "H6");
        }
    }
}
