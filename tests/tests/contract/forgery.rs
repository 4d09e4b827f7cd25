//! R6, R7: packets that were changed on the way are not taken, and leave no trace.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use proto_core::Instant;
use proto_core::wire::{PacketKind, PartialHeader};
use sim::disk::Content;
use sim::rng::Rng;
use tests::scenario::{get, hash, null, open, path, run, stored_root};
use tests::{Pair, ROOT, Tamper};

/// Every packet of the datagram with one bit changed, in a datagram of the same size.
fn changed(datagram: &[u8], mut each: impl FnMut(Vec<u8>)) {
    let mut rest = datagram;
    while let Ok(header) = PartialHeader::decode(rest) {
        let (packet, next) = rest.split_at(header.end);
        for bit in 0..packet.len() * 8 {
            let mut copy = vec![0; datagram.len()];
            copy[..packet.len()].copy_from_slice(packet);
            copy[bit / 8] ^= 1 << (bit % 8);
            // A short header has no length: its packet is all of the datagram.
            if header.kind == PacketKind::Short {
                copy.truncate(packet.len());
            }
            each(copy);
        }
        rest = next;
    }
}

/// The whole of a small download from the first packet on, under attack.
fn journey(size: u64, tamper: Tamper) -> (Pair, u64) {
    let content = Content::generated(1, size);
    let mut pair = Pair::new(null(1), null(2));
    pair.server.disk.plant(ROOT, &path("f"), content.clone(), 7);
    pair.tamper = tamper;
    open(&mut pair);
    let told = run(&mut pair, get("f"));
    assert_eq!(stored_root(&told), Some(hash(&content)));
    pair.run_until(Duration::from_secs(1), |_| false);
    let stats = pair.client.endpoint.stats(pair.peer).expect("it is open");
    (pair, stats.packets_received)
}

/// What a session said: all but the answers to datagrams of another version, which some changes make.
fn own(sent: &[(Instant, Vec<u8>)]) -> Vec<&(Instant, Vec<u8>)> {
    let answer = |datagram: &[u8]| datagram[0] & 0x80 != 0 && datagram[1..5] == [0; 4];
    sent.iter()
        .filter(|(_, datagram)| !answer(datagram))
        .collect()
}

#[test]
fn r6_r7_no_bit_of_any_packet_can_be_changed() {
    let (plain, received) = journey(4_000, Box::new(|_, _, _, _| {}));
    let count = Rc::new(Cell::new(0_u64));
    let counter = count.clone();
    let (attacked, received_too) = journey(
        4_000,
        Box::new(move |endpoint, now, meta, datagram| {
            changed(datagram, |mut copy| {
                let before: u64 = endpoint.drops().iter().sum();
                let sessions = endpoint.sessions();
                let deadline = endpoint.poll_timeout();
                endpoint.handle_datagram(now, meta, &mut copy);
                assert!(endpoint.drops().iter().sum::<u64>() > before);
                assert_eq!(endpoint.sessions(), sessions);
                assert_eq!(endpoint.poll_timeout(), deadline);
                counter.set(counter.get() + 1);
            });
        }),
    );
    assert!(count.get() > 80_000, "{} forged packets", count.get());
    println!("{} forged packets", count.get());
    assert_eq!(received, received_too);
    assert_eq!(own(&plain.client.sent), own(&attacked.client.sent));
    assert_eq!(own(&plain.server.sent), own(&attacked.server.sent));
}

/// The same for datagrams of noise and for packets that come twice.
#[test]
fn r7_noise_and_repetitions_change_nothing() {
    let (plain, _) = journey(4_000, Box::new(|_, _, _, _| {}));
    let mut old: Vec<Vec<u8>> = Vec::new();
    let mut rng = Rng::new(4, 4);
    let (attacked, _) = journey(
        4_000,
        Box::new(move |endpoint, now, meta, datagram| {
            for _ in 0..200 {
                let mut noise = vec![0; rng.between(1, 1_300) as usize];
                noise
                    .iter_mut()
                    .for_each(|byte| *byte = rng.next_u64() as u8);
                // Or else it may ask for another version, and is answered.
                noise[0] &= 0x7f;
                endpoint.handle_datagram(now, meta, &mut noise);
            }
            for datagram in &old {
                if datagram[0] & 0x80 == 0 {
                    endpoint.handle_datagram(now, meta, &mut datagram.clone());
                }
            }
            old.push(datagram.to_vec());
        }),
    );
    assert!(plain.client.sent == attacked.client.sent);
    assert!(plain.server.sent == attacked.server.sent);
}

/// First packets that cannot be opened leave no trace, not even in the choice of the numbers that are left out.
#[test]
fn r7_forged_first_packets_change_nothing() {
    let (plain, _) = journey(400_000, Box::new(|_, _, _, _| {}));
    let mut first = None;
    let mut forged = 0_u64;
    let (attacked, _) = journey(
        400_000,
        Box::new(move |endpoint, now, meta, datagram| {
            let mut forgery = first.get_or_insert_with(|| datagram.to_vec()).clone();
            // Another session's first packet, whose checksum is of none.
            forgery[6..14].copy_from_slice(&forged.to_be_bytes());
            forged += 1;
            endpoint.handle_datagram(now, meta, &mut forgery);
        }),
    );
    assert!(plain.client.sent == attacked.client.sent);
    assert!(plain.server.sent == attacked.server.sent);
}
