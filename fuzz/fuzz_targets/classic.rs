//! The classic dialect: a datagram's message reads the same when it is written again; a server that gets datagrams in a row, with
//! time between them, neither panics nor breaks its own rules.
#![no_main]

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use proto_core::classic::{BadMessage, FILE_MAX, MESSAGE_LEN, Message, PIECE_LEN, is_classic};
use proto_core::{
    Config, DatagramMeta, Decision, Duration, Endpoint, Event, FileDone, Instant, Place, RootId,
};
use sim::disk::{Content, Disk, DiskPlan};
use sim::rng::Rng;

/// A message in the making: most bytes of one are zero, and an input shall not have to be that long.
#[derive(arbitrary::Arbitrary, Debug)]
struct Step {
    source: u8,
    kind: i32,
    name: u8,
    numbers: [i32; 3],
    end: bool,
    buffer: Vec<u8>,
    wait_ms: u16,
}

#[derive(arbitrary::Arbitrary, Debug)]
struct Input {
    datagram: Vec<u8>,
    steps: Vec<Step>,
}

const NAMES: [&[u8]; 6] = [b"", b"there", b"new", b"../x", b".dhow-x", b"a\rb"];
const ROOT: RootId = RootId(1);

fuzz_target!(|input: Input| {
    let mut whole = input.datagram;
    check(&whole);
    whole.resize(MESSAGE_LEN, 0);
    check(&whole);
    let mut world = World::new();
    for step in input.steps.iter().take(64) {
        let mut bytes = step.bytes();
        check(&bytes);
        world.receive(step.source, &mut bytes);
        world.pass(Duration::from_millis(step.wait_ms.into()));
    }
    world.pass(Duration::from_secs(120));
    assert_eq!(world.endpoint.classic_exchanges(), 0);
    assert_eq!(world.disk.open_files(), 0);
});

fn check(datagram: &[u8]) {
    match Message::decode(datagram) {
        Ok(message) => {
            if let Message::UploadPiece { seq, data, .. } | Message::DownloadPiece { seq, data, .. } =
                message
            {
                assert!(data.len() <= PIECE_LEN && u64::from(seq) + data.len() as u64 <= FILE_MAX);
            }
            let mut again = [0; MESSAGE_LEN];
            message.encode(&mut again);
            assert_eq!(Message::decode(&again), Ok(message));
        }
        Err(BadMessage::Size) => assert!(!is_classic(datagram)),
        Err(_) => assert!(is_classic(datagram)),
    }
}

impl Step {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; MESSAGE_LEN];
        bytes[..4].copy_from_slice(&(self.kind % 12).to_le_bytes());
        let len = self.buffer.len().min(PIECE_LEN);
        bytes[4..4 + len].copy_from_slice(&self.buffer[..len]);
        let name = NAMES[usize::from(self.name) % NAMES.len()];
        bytes[1_004..1_004 + name.len()].copy_from_slice(name);
        for (at, number) in [2_004, 2_008, 2_012].into_iter().zip(self.numbers) {
            bytes[at..at + 4].copy_from_slice(&number.to_le_bytes());
        }
        bytes[2_016] = self.end.into();
        bytes
    }
}

struct World {
    endpoint: Endpoint,
    disk: Disk,
    now: Instant,
}

impl World {
    fn new() -> Self {
        let key = proto_core::crypto::PublicKey([7; 32]);
        let mut config = Config::server(Arc::new(sim::null_crypto::NullProvider { key }));
        config.classic = true;
        let mut disk = Disk::new(DiskPlan::default(), Rng::new(1, 1));
        disk.add_root(ROOT);
        let there = proto_core::wire::FilePath::parse(b"there").expect("a path");
        disk.plant(ROOT, &there, Content::generated(1, 70_500), 5);
        let now = Instant::from_nanos(1);
        let endpoint = Endpoint::new(Arc::new(config), [1; 32], now);
        Self {
            endpoint,
            disk,
            now,
        }
    }

    fn receive(&mut self, source: u8, bytes: &mut [u8]) {
        let meta = DatagramMeta {
            source: SocketAddr::from(([10, 0, 0, source % 4], 1)),
            local: None,
            ecn: proto_core::Ecn::NotEct,
        };
        self.endpoint.handle_datagram(self.now, meta, bytes);
        self.settle();
    }

    fn settle(&mut self) {
        let mut out = vec![0; 1 << 16];
        loop {
            let mut idle = true;
            while self.endpoint.poll_transmit(self.now, NonZeroUsize::MIN, &mut out).is_some() {
                idle = false;
            }
            while let Some(op) = self.endpoint.poll_file_op() {
                self.disk.submit(self.now, op);
            }
            while let Some(done) = self.disk.complete(self.now) {
                idle = false;
                let done: FileDone = done;
                self.endpoint.handle_file_done(self.now, done);
            }
            while let Some(event) = self.endpoint.poll_event() {
                idle = false;
                if let Event::ClassicRequested { transfer, request, .. } = event {
                    let place = Place {
                        root: ROOT,
                        path: request.path,
                    };
                    let grant = Decision::Grant {
                        place,
                        may_replace: true,
                    };
                    self.endpoint.decide(self.now, transfer, grant).expect("it was just told");
                }
            }
            assert!(self.disk.take_breaches().is_empty());
            self.endpoint.audit().expect("its own rules hold");
            if idle {
                return;
            }
        }
    }

    fn pass(&mut self, by: Duration) {
        let end = self.now + by;
        while let Some((at, _)) = self.endpoint.poll_timeout().filter(|(at, _)| *at <= end) {
            assert!(at >= self.now, "a deadline in the past");
            self.now = at;
            self.endpoint.handle_timeout(at);
            self.settle();
        }
        self.now = end;
    }
}
