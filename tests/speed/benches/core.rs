//! Times of the core's parts. `cargo bench --manifest-path tests/speed/Cargo.toml --bench core`

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use proto_core::crypto::{Epoch, Level, Provider, Session, TlsProvider};
use proto_core::recovery::{INITIAL_RTT, MAX_ACK_DELAY, Received, Recovery, Sent, Settings};
use proto_core::wire::{ConnectionId, Frame, write_ack};
use proto_core::{BLOCK_SIZE, HashAs, Instant, block_value};
use speed::{Bench, Plain};

const SIZES: [usize; 3] = [1_452, 8_972, 65_507];
const HEADER: &[u8] = &[0x43, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 9];
const MIB: u64 = 1 << 20;

/// Two sessions after their handshake.
fn sessions() -> (Box<dyn Session>, Box<dyn Session>) {
    let original = ConnectionId([1; 8]);
    let provider = |byte| TlsProvider::new(&[byte; 32]).expect("a key");
    let mut ends = [
        provider(1).client(original, b"client").expect("a session"),
        provider(2).server(original, b"server").expect("a session"),
    ];
    let mut levels = [Level::Initial; 2];
    while levels != [Level::Data; 2] || ends.iter().any(|end| !end.is_complete()) {
        for from in 0..2 {
            let mut bytes = Vec::new();
            let level = levels[from];
            if let Some(next) = ends[from].write_handshake(&mut bytes) {
                levels[from] = next;
            }
            if !bytes.is_empty() {
                ends[1 - from]
                    .read_handshake(level, &bytes)
                    .expect("an honest handshake");
            }
        }
    }
    let [client, server] = ends;
    (client, server)
}

fn crypto(c: &mut Criterion) {
    let (mut client, mut server) = sessions();
    let mut group = c.benchmark_group("crypto");
    for size in SIZES {
        group.throughput(Throughput::Bytes(size as u64));
        let mut packet = vec![0; size - HEADER.len()];
        group.bench_function(BenchmarkId::new("seal", size), |b| {
            b.iter(|| client.seal(Level::Data, 7, HEADER, black_box(&mut packet)));
        });
        client
            .seal(Level::Data, 7, HEADER, &mut packet)
            .expect("keys");
        group.bench_function(BenchmarkId::new("copy and open", size), |b| {
            let mut opened = packet.clone();
            b.iter(|| {
                opened.copy_from_slice(&packet);
                server
                    .open(
                        Level::Data,
                        Epoch::Current,
                        7,
                        HEADER,
                        black_box(&mut opened),
                    )
                    .expect("it is authentic");
            });
        });
    }
    let (mut first, mut number) = (0x43, [0; 4]);
    group.throughput(Throughput::Elements(1));
    group.bench_function("protect_header", |b| {
        b.iter(|| client.protect_header(Level::Data, &[9; 16], &mut first, black_box(&mut number)));
    });
    group.finish();
}

fn frames(c: &mut Criterion) {
    let mut group = c.benchmark_group("frame");
    let bytes = [7; 1_400];
    let data = Frame::Data {
        transfer: 3,
        file: 0,
        offset: 1 << 33,
        data: &bytes,
    };
    let mut out = [0; 1_452];
    group.bench_function("encode DATA of 1,400 bytes", |b| {
        b.iter(|| black_box(&data).encode(&mut out))
    });
    let len = data.encode(&mut out).expect("it fits");
    group.bench_function("decode DATA", |b| {
        b.iter(|| Frame::decode(&mut black_box(&out[..len])).is_ok())
    });
    for count in [1, 32] {
        let ranges = (0..count).rev().map(|at| 10 * at..=10 * at + 5_u64);
        group.bench_function(BenchmarkId::new("encode ACK of ranges", count), |b| {
            b.iter(|| write_ack(black_box(&mut out), 25, ranges.clone()));
        });
        let len = write_ack(&mut out, 25, ranges.clone()).expect("it fits");
        group.bench_function(BenchmarkId::new("decode ACK of ranges", count), |b| {
            b.iter(|| Frame::decode(&mut black_box(&out[..len])).is_ok());
        });
    }
    group.finish();
}

/// A packet sent and acknowledged, 44 to an ACK as in a batch, with others in flight.
fn acks(c: &mut Criterion) {
    let mut group = c.benchmark_group("recovery");
    group.throughput(Throughput::Elements(44));
    for in_flight in [88, 8_800] {
        let settings = Settings {
            control: proto_core::CongestionControl::default(),
            datagram_size: 1_452,
            max_ack_delay: MAX_ACK_DELAY,
            is_server: true,
            initial_rtt: INITIAL_RTT,
        };
        let mut now = Instant::from_nanos(1);
        let mut recovery = Recovery::<u64>::new(settings, now);
        let sent = Sent {
            bytes: 1_452,
            ack_eliciting: true,
            in_flight: true,
            marked: false,
        };
        let mut out = [0; 64];
        let mut acked = 0;
        group.bench_function(
            BenchmarkId::new("44 packets sent and acknowledged, in flight", in_flight),
            |b| {
                b.iter(|| {
                    now += Duration::from_micros(50);
                    while recovery.next_number(Level::Data) < acked + in_flight {
                        recovery.on_packet_sent(now, Level::Data, sent, &[1]);
                    }
                    acked += 44;
                    let len =
                        write_ack(&mut out, 0, core::iter::once(0..=acked - 1)).expect("it fits");
                    let Ok(Frame::Ack(ack)) = Frame::decode(&mut &out[..len]) else {
                        panic!("an ACK")
                    };
                    recovery
                        .on_ack(now, Level::Data, &ack, &mut |_, _| {})
                        .expect("they were sent");
                });
            },
        );
    }
    group.bench_function("44 packets received and their ACK made", |b| {
        let mut received = Received::new(Level::Data, MAX_ACK_DELAY);
        let (mut now, mut number, mut out) = (Instant::from_nanos(1), 0, [0; 64]);
        b.iter(|| {
            now += Duration::from_micros(50);
            for _ in 0..44 {
                received.insert(number, now, true);
                number += 1;
            }
            received.on_ack_sent();
            received.on_ack_acked(number - 1);
            write_ack(&mut out, 0, received.ranges_desc())
        });
    });
    group.finish();
}

fn blocks(c: &mut Criterion) {
    let mut group = c.benchmark_group("block");
    let bytes = vec![7; BLOCK_SIZE as usize];
    group.throughput(Throughput::Bytes(u64::from(BLOCK_SIZE)));
    group.bench_function("value", |b| {
        b.iter(|| block_value(black_box(&bytes), 0, HashAs::Subtree))
    });
    group.finish();
}

/// A whole download in memory, both sides on one thread, cryptography and hashing included.
fn endpoints(c: &mut Criterion) {
    let mut group = c.benchmark_group("endpoints");
    group.sample_size(10);
    for datagram in [1_452, 60_000] {
        group.throughput(Throughput::Bytes(64 * MIB));
        group.bench_function(BenchmarkId::new("64 MiB in datagrams of", datagram), |b| {
            b.iter_batched(
                || Bench::new(64 * MIB, datagram),
                |mut bench| while bench.round(&mut Plain).is_some() {},
                criterion::BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

criterion_group! {
    name = all;
    config = Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    targets = crypto, frames, acks, blocks, endpoints
}
criterion_main!(all);
