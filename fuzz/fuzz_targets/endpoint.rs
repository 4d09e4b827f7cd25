//! A whole server: datagrams of strangers, authentic packets with any frames, time, and a disk that does as it likes.
#![no_main]

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;

use arbitrary::Arbitrary;
use fuzz::{Client, provider};
use libfuzzer_sys::fuzz_target;
use proto_core::crypto::Level;
use proto_core::wire::{CloseCode, Entry, EntryKind, ErrorCode, StoredAs};
use proto_core::{
    Admission, Block, Config, DatagramMeta, Decision, Endpoint, Event, FileDone, FileError, FileOp,
    BLOCK_SIZE, Instant, Meta, Operation, Outcome, Place, RootId, TransferId, block_value,
};

/// One thing that happens to the server.
#[derive(Arbitrary, Debug)]
enum Step<'a> {
    /// A datagram from a stranger, or from the client's own address.
    Datagram { own: bool, bytes: &'a [u8] },
    /// A packet of the client's that holds these frames.
    Frames(&'a [u8]),
    /// The client acknowledges the latest packet.
    Acknowledge,
    /// Time passes.
    Tick { micros: u32 },
    /// A file operation comes home.
    FileDone { which: u8, how: Answer },
    /// The application answers the oldest request.
    Decide { grant: bool, may_replace: bool },
    /// The application gives the oldest transfer up.
    Cancel,
    /// The application ends all sessions.
    Close,
}

/// What a file operation comes to.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Answer {
    /// As asked, with files of this size.
    Well {
        size: u32,
    },
    /// Fewer bytes than asked.
    Short {
        len: u16,
    },
    Failed(u8),
}

const STEPS_MAX: usize = 64;

fuzz_target!(|steps: Vec<Step<'_>>| {
    let mut world = World::new();
    for step in steps.into_iter().take(STEPS_MAX) {
        world.take(step);
        world.poll();
    }
});

struct World {
    now: u64,
    server: Endpoint,
    client: Client,
    loans: Vec<FileOp>,
    requests: Vec<TransferId>,
    buffer: Vec<u8>,
}

impl World {
    /// A server and a client that have shaken hands.
    fn new() -> Self {
        let mut config = Config::server(Arc::new(provider()));
        config.limits.sink_blocks = 64;
        config.limits.source_blocks = 64;
        let (client, first) = Client::new();
        let mut world = Self {
            now: 1_000_000,
            server: Endpoint::new(Arc::new(config), [3; 32], Instant::from_nanos(0)),
            client,
            loans: Vec::new(),
            requests: Vec::new(),
            buffer: vec![0; 1 << 16],
        };
        for datagram in first {
            world.deliver(client_address(), datagram);
        }
        world.poll();
        assert!(
            world.client.is_complete(),
            "the handshake needs nothing but both ends"
        );
        world
    }

    fn now(&self) -> Instant {
        Instant::from_nanos(self.now)
    }

    fn deliver(&mut self, source: SocketAddr, datagram: Vec<u8>) {
        let size = datagram.len();
        self.deliver_train(source, datagram, size);
    }

    /// Datagrams of `size` bytes, one behind the other.
    fn deliver_train(&mut self, source: SocketAddr, mut train: Vec<u8>, size: usize) {
        let meta = DatagramMeta {
            source,
            local: None,
            ecn: proto_core::Ecn::NotEct,
        };
        let now = self.now();
        self.server.handle_datagrams(now, meta, &mut train, size);
    }

    fn take(&mut self, step: Step<'_>) {
        let now = self.now();
        match step {
            Step::Datagram { own: true, bytes } => self.deliver(client_address(), bytes.to_vec()),
            Step::Datagram { own: false, bytes } => {
                self.deliver(SocketAddr::from(([192, 0, 2, 9], 9)), bytes.to_vec());
            }
            Step::Frames(frames) => {
                // Frames of an odd length come three times, in packets of one train.
                let count = if frames.len() % 2 == 1 { 3 } else { 1 };
                let packets = (0..count).filter_map(|_| self.client.packet(Level::Data, frames));
                let packets: Vec<_> = packets.collect();
                let size = packets.first().map_or(0, Vec::len);
                self.deliver_train(client_address(), packets.concat(), size);
            }
            Step::Acknowledge => {
                if let Some(packet) = self.client.acknowledge(Level::Data) {
                    self.deliver(client_address(), packet);
                }
            }
            Step::Tick { micros } => {
                self.now += u64::from(micros) * 1_000;
                self.server.handle_timeout(self.now());
                let next = self.server.poll_timeout();
                assert!(
                    next.is_none_or(|(at, _)| at >= self.now()),
                    "{next:?} is in the past"
                );
            }
            Step::FileDone { which, how } if !self.loans.is_empty() => {
                let op = self
                    .loans
                    .swap_remove(usize::from(which) % self.loans.len());
                self.server.handle_file_done(now, answer(op, how));
            }
            Step::Decide { grant, may_replace } if !self.requests.is_empty() => {
                let transfer = self.requests.remove(0);
                let path = "a".as_bytes();
                let path = proto_core::wire::FilePath::parse(path).expect("one letter is a path");
                let decision = match grant {
                    true if may_replace => Decision::GrantRename {
                        place: Place {
                            root: RootId(0),
                            path: path.clone(),
                        },
                        to: path,
                        may_replace,
                    },
                    true => Decision::Grant {
                        place: Place {
                            root: RootId(0),
                            path,
                        },
                        may_replace,
                    },
                    false => Decision::Refuse(ErrorCode::NotFound),
                };
                // The client may have taken its request back meanwhile.
                let _ = self.server.decide(now, transfer, decision);
            }
            Step::Cancel if !self.requests.is_empty() => {
                let transfer = self.requests.remove(0);
                let _ = self.server.cancel(now, transfer);
            }
            Step::Close => self.close_first(),
            Step::FileDone { .. } | Step::Decide { .. } | Step::Cancel => {}
        }
    }

    fn close_first(&mut self) {
        if let Some(transfer) = self.requests.first() {
            let _ = self
                .server
                .close(self.now(), transfer.peer(), CloseCode::ShuttingDown);
        }
    }

    /// A driver's round: datagrams, file operations, events.
    fn poll(&mut self) {
        let one = NonZeroUsize::MIN;
        for _ in 0..16 {
            let Some(sent) = self.server.poll_transmit(self.now(), one, &mut self.buffer) else {
                break;
            };
            assert!(sent.len > 0 && sent.len <= self.buffer.len());
            if sent.destination != client_address() {
                continue;
            }
            for datagram in self.client.receive(self.buffer[..sent.len].to_vec()) {
                self.deliver(client_address(), datagram);
            }
        }
        while let Some(op) = self.server.poll_file_op() {
            self.loans.push(op);
        }
        while let Some(event) = self.server.poll_event() {
            match event {
                Event::PeerReady { peer, .. } => {
                    let admitted = self.server.admit(self.now(), peer, Admission::Admit);
                    admitted.expect("a session lives until its last event was taken");
                }
                Event::Requested { transfer, .. } => self.requests.push(transfer),
                _ => {}
            }
        }
    }
}

fn client_address() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], 1))
}

/// The disk's answer: right, short, or a failure.
fn answer(op: FileOp, how: Answer) -> FileDone {
    let id = op.id;
    let (block, outcome) = match op.what {
        Operation::Read {
            offset,
            len,
            block,
            hash,
            ..
        }
        | Operation::Write {
            offset,
            len,
            block,
            hash,
            ..
        } => {
            let len = match how {
                Answer::Short { len: short } => len.min(short.into()),
                Answer::Well { .. } | Answer::Failed(_) => len,
            };
            let value = value_of(&block, offset, len, hash);
            (Some(block), Outcome::Moved { len, value })
        }
        Operation::Open { .. }
        | Operation::Create { .. }
        | Operation::OpenPart { .. }
        | Operation::Stat { .. }
        | Operation::StatOpen { .. } => (None, Outcome::Meta(meta(how))),
        Operation::List { cursor, .. } => (None, page(cursor)),
        Operation::FreeSpace { .. } => (None, Outcome::Free(1 << 40)),
        Operation::Truncate { .. }
        | Operation::Sync { .. }
        | Operation::SyncDir { .. }
        | Operation::SyncSoFar { .. }
        | Operation::WriteLog { .. }
        | Operation::CloseLog { .. }
        | Operation::Rename { .. }
        | Operation::Remove { .. }
        | Operation::SetMeta { .. }
        | Operation::SetDirMeta { .. }
        | Operation::Close { .. } => (None, Outcome::Done),
        Operation::OpenLog { .. } => (None, Outcome::Log { boot: [1; 16] }),
        Operation::ReadLog { .. } => (None, Outcome::Bytes(Vec::new())),
        Operation::Hash { len, .. } => {
            let blocks = len.div_ceil(BLOCK_SIZE) as usize;
            (None, Outcome::Values(vec![[7; 32]; blocks]))
        }
        Operation::MakeDir { .. } => (None, Outcome::Made { new: true, folds: true }),
        Operation::RemoveTree { max, .. } => {
            let count = max.into();
            let more = matches!(how, Answer::Short { .. });
            (None, Outcome::Removed { count, more })
        }
        Operation::StatFiles { files, .. } => {
            let metas = files.iter().map(|_| Ok(meta(how))).collect();
            (None, Outcome::Metas(metas))
        }
        Operation::ReadFiles { files, .. } => {
            let contents = files.iter().map(|_| Err(FileError::NotFound)).collect();
            (None, Outcome::Contents(contents))
        }
        Operation::StoreFiles {
            files, durability, ..
        } => {
            let files = files.iter().map(|_| Ok(StoredAs::Written)).collect();
            (None, Outcome::Stored { files, durability })
        }
    };
    let result = match how {
        Answer::Failed(which) => Err(error(which)),
        Answer::Well { .. } | Answer::Short { .. } => Ok(outcome),
    };
    FileDone { id, block, result }
}

fn value_of(block: &Block, offset: u64, len: u32, hash: proto_core::HashAs) -> [u8; 32] {
    block_value(&block.bytes()[..len as usize], offset, hash)
}

fn meta(how: Answer) -> Meta {
    let size = match how {
        Answer::Well { size } => size.into(),
        Answer::Short { .. } | Answer::Failed(_) => 0,
    };
    Meta {
        kind: EntryKind::File,
        size,
        mtime: 0,
        mode: 0o644,
        version: [0; 16],
    }
}

fn page(cursor: u64) -> Outcome {
    let mut entries = Vec::new();
    let entry = Entry {
        kind: EntryKind::File,
        size: cursor,
        mtime: 0,
        mode: 0,
        name: b"name",
    };
    for _ in 0..1_000 {
        entry.encode(&mut entries);
    }
    Outcome::Page {
        entries,
        versions: Vec::new(),
        next: (cursor < 3).then_some(cursor + 1),
    }
}

fn error(which: u8) -> FileError {
    let all = [
        FileError::NotFound,
        FileError::Exists,
        FileError::NoSpace,
        FileError::Exhausted,
        FileError::TakenOver,
        FileError::Io,
    ];
    all[usize::from(which) % all.len()]
}
