//! D1, D4, C3: the order of an upload's steps, and what a failed one leaves.

use std::time::Duration;

use proto_core::crypto::Level;
use proto_core::wire::{CloseCode, Durability, Entry, EntryKind, Frame, RequestKind};
use proto_core::{
    BLOCK_SIZE, CloseCause, Decision, Event, FileDone, Instant, Meta, Operation, Outcome, Place,
};
use sim::disk::{Content, DiskPlan};
use tests::scenario::{get, hash, null, open, path, put, run, stored_root};
use tests::{Asked, Pair, ROOT};

use crate::server::Alone;

fn slow() -> DiskPlan {
    DiskPlan {
        latency_min: Duration::from_millis(1),
        latency_max: Duration::from_millis(20),
        ..DiskPlan::default()
    }
}

fn of<'a>(ops: &'a [Asked], kind: &str) -> Vec<&'a Asked> {
    ops.iter().filter(|op| op.kind == kind).collect()
}

fn ended(ops: &[&Asked]) -> Instant {
    let ends = ops.iter().map(|op| op.ended.expect("it came home"));
    ends.max().expect("there is one")
}

fn begun(ops: &[&Asked]) -> Instant {
    ops.iter().map(|op| op.begun).min().expect("there is one")
}

#[test]
fn d1_stored_is_said_when_everything_is_durable() {
    for (upload, seed) in (0..10).flat_map(|seed| [(true, seed), (false, seed)]) {
        let mut pair = Pair::new(null(1), null(2));
        pair.delay = Duration::from_millis(3);
        let content = Content::generated(seed, 2_500_000);
        let (source, sink) = match upload {
            true => (&mut pair.client, &mut pair.server),
            false => (&mut pair.server, &mut pair.client),
        };
        source.disk.plant(ROOT, &path("f"), content.clone(), 7);
        sink.disk.set_plan(slow());
        open(&mut pair);
        let told = run(&mut pair, if upload { put("f") } else { get("f") });
        assert_eq!(stored_root(&told), Some(hash(&content)));
        let heard = pair.now;
        let sink = if upload { &pair.server } else { &pair.client };
        let [create, writes, syncs, renames, dirs] =
            ["Create", "Write", "Sync", "Rename", "SyncDir"].map(|kind| of(&sink.ops, kind));
        assert_eq!(
            writes.len() as u64,
            2_500_000_u64.div_ceil(BLOCK_SIZE.into())
        );
        assert_eq!([syncs.len(), renames.len(), dirs.len()], [1, 1, 1]);
        assert!(ended(&create) <= begun(&writes));
        assert!(ended(&writes) <= begun(&syncs));
        assert!(ended(&syncs) <= begun(&renames));
        assert!(ended(&renames) <= begun(&dirs));
        // What the uploader heard at `heard` was said `delay` before.
        let said = if upload { heard - pair.delay } else { heard };
        assert!(ended(&dirs) <= said);
    }
}

#[test]
fn d4_a_failed_sync_is_final() {
    for upload in [true, false] {
        let mut pair = Pair::new(null(1), null(2));
        let old = Content::generated(9, 1_000);
        let (source, sink) = match upload {
            true => (&mut pair.client, &mut pair.server),
            false => (&mut pair.server, &mut pair.client),
        };
        source
            .disk
            .plant(ROOT, &path("f"), Content::generated(1, 200_000), 7);
        sink.disk.plant(ROOT, &path("f"), old.clone(), 7);
        sink.disk.set_plan(DiskPlan {
            sync_errors: 1_000_000,
            ..slow()
        });
        open(&mut pair);
        let told = run(&mut pair, if upload { put("f") } else { get("f") });
        assert!(
            matches!(told.last(), Some(Event::Finished { result: Err(_), .. })),
            "{told:?}"
        );
        pair.run_until(Duration::from_secs(5), |_| false);
        let sink = if upload { &pair.server } else { &pair.client };
        assert_eq!(of(&sink.ops, "Sync").len(), 1, "no second try");
        assert!(of(&sink.ops, "Rename").is_empty());
        assert_eq!(
            sink.disk.names(ROOT, &path("")),
            [b"f"],
            "the temporary file is gone"
        );
        assert_eq!(
            sink.disk.content(ROOT, &path("f")).map(hash),
            Some(hash(&old))
        );
        assert_eq!(sink.disk.open_files(), 0);
    }
}

/// Completes what the server asks of its disk, which is empty.
fn serve(alone: &mut Alone) {
    while !alone.ops.is_empty() {
        for op in std::mem::take(&mut alone.ops) {
            let meta = Meta {
                kind: EntryKind::File,
                size: 0,
                mtime: 0,
                mode: 0o600,
                version: [0; 16],
            };
            let (block, result) = match op.what {
                Operation::Stat { .. } => (None, Err(proto_core::FileError::NotFound)),
                Operation::Create { .. } | Operation::StatOpen { .. } => {
                    (None, Ok(Outcome::Meta(meta)))
                }
                Operation::FreeSpace { .. } => (None, Ok(Outcome::Free(1 << 40))),
                Operation::Write { len, block, .. } => (
                    Some(block),
                    Ok(Outcome::Moved {
                        len,
                        value: [0; 32],
                    }),
                ),
                _ => (None, Ok(Outcome::Done)),
            };
            let done = FileDone {
                id: op.id,
                block,
                result,
            };
            alone.server.handle_file_done(alone.now, done);
        }
        alone.poll();
    }
}

#[test]
fn c3_one_byte_more_than_announced_ends_the_session() {
    for (size, offset, len, closed) in [
        (500, 0, 500, false),
        (500, 0, 501, true),
        (500, 500, 1, true),
        (500, 70_000, 1, true),
    ] {
        let mut alone = Alone::open();
        alone.say(
            Level::Data,
            &[Frame::Request {
                transfer: 0,
                kind: RequestKind::Put,
                compare: false,
                no_clobber: false,
                tree: false,
                resume: false,
                durability: Durability::Full,
                amount: size,
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
        alone.poll();
        serve(&mut alone);
        let entry = Entry {
            kind: EntryKind::File,
            size,
            mtime: 0,
            mode: 0,
            name: b"",
        };
        alone.say(
            Level::Data,
            &[Frame::Entry {
                transfer: 0,
                file: 0,
                parent: 0,
                version: &[0; 16],
                entry,
            }],
        );
        serve(&mut alone);
        let data = vec![1; len];
        alone.say(
            Level::Data,
            &[Frame::Data {
                transfer: 0,
                file: 0,
                offset,
                data: &data,
            }],
        );
        // The session's last event follows those of its transfers, whose files are removed first.
        serve(&mut alone);
        let cause = closed.then_some(CloseCause::Here(CloseCode::FlowControl));
        assert_eq!(alone.closed(), cause, "{len} bytes at {offset} of {size}");
    }
}
