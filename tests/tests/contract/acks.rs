//! T4, T5, T10: lies in acknowledgements, and packets that are too full.

use proto_core::crypto::Level;
use proto_core::wire::EntryKind;
use proto_core::wire::{CloseCode, Durability, Frame, RequestKind, write_ack};
use proto_core::{
    BLOCK_SIZE, CloseCause, Decision, Event, FileDone, Meta, Operation, Outcome, Place, block_value,
};
use tests::ROOT;
use tests::scenario::path;

use crate::server::Alone;

const VIOLATION: Option<CloseCause> = Some(CloseCause::Here(CloseCode::ProtocolViolation));

fn acknowledge(alone: &mut Alone, range: std::ops::RangeInclusive<u64>) {
    let mut frame = [0; 64];
    let len = write_ack(&mut frame, 0, std::iter::once(range)).expect("it fits");
    let packet = alone.client.packet(Level::Data, &frame[..len]);
    alone.deliver(packet.expect("there are keys"));
    alone.poll();
}

#[test]
fn t4_an_ack_for_a_packet_never_sent_closes_the_session() {
    for number in [1_000, 1 << 40] {
        let mut alone = Alone::open();
        acknowledge(&mut alone, number..=number);
        assert_eq!(alone.closed(), VIOLATION);
    }
}

/// The disk of a file of 64 MiB without content.
fn serve(alone: &mut Alone) {
    for op in std::mem::take(&mut alone.ops) {
        let (block, outcome) = match op.what {
            Operation::Read {
                offset,
                len,
                block,
                hash,
                ..
            } => {
                let value = block_value(&block.bytes()[..len as usize], offset, hash);
                (Some(block), Outcome::Moved { len, value })
            }
            Operation::Open { .. } | Operation::StatOpen { .. } => {
                let meta = Meta {
                    kind: EntryKind::File,
                    size: 64 << 20,
                    mtime: 0,
                    mode: 0o644,
                    version: [0; 16],
                };
                (None, Outcome::Meta(meta))
            }
            _ => (None, Outcome::Done),
        };
        let done = FileDone {
            id: op.id,
            block,
            result: Ok(outcome),
        };
        alone.server.handle_file_done(alone.now, done);
    }
    alone.poll();
}

/// A client that acknowledges what it never saw is caught by a number that was left out, within a few windows.
#[test]
fn t5_an_optimistic_ack_closes_the_session() {
    let mut alone = Alone::open();
    let blocks = (64 << 20) / u64::from(BLOCK_SIZE);
    alone.say(
        Level::Data,
        &[Frame::Request {
            transfer: 0,
            kind: RequestKind::Get,
            compare: false,
            no_clobber: false,
            tree: false,
            resume: false,
            durability: Durability::Full,
            amount: blocks,
            path: b"f",
            argument: b"",
        }],
    );
    let Some(Event::Requested { transfer, .. }) = alone.events.pop() else {
        panic!("no request");
    };
    let place = Place {
        root: ROOT,
        path: path("f"),
    };
    let decision = Decision::Grant {
        place,
        may_replace: false,
    };
    alone
        .server
        .decide(alone.now, transfer, decision)
        .expect("there");
    let mut sent = 0;
    for _ in 0..100 {
        serve(&mut alone);
        alone.wait(std::time::Duration::from_millis(10));
        sent = alone.data_datagrams;
        if sent > 0 {
            // At least this many numbers were used: so none above the highest is told.
            acknowledge(&mut alone, 0..=sent - 1);
        }
        if alone.closed().is_some() {
            break;
        }
    }
    assert_eq!(alone.closed(), VIOLATION, "after {sent} packets");
    println!("caught after {sent} packets");
}

#[test]
fn t10_a_packet_has_at_most_64_frames() {
    for (count, closed) in [(64, None), (65, VIOLATION)] {
        let mut alone = Alone::open();
        alone.say(Level::Data, &vec![Frame::Ping; count]);
        assert_eq!(alone.closed(), closed, "{count} frames");
    }
}
