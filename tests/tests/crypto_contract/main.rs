//! What every `crypto::Session` must do, checked against all of them.

mod pair;

use proto_core::crypto::{CryptoError, Direction, Epoch, Level, Session, TAG_LEN, TlsProvider};
use proto_core::wire::ConnectionId;

use pair::{CLIENT_PARAMS, HEADER, ORIGINAL, Pair, Providers, SERVER_PARAMS, TEXT, all, sealed};

const BOTH: [Direction; 2] = [Direction::Client, Direction::Server];

#[test]
fn handshakes_complete_whatever_the_fragments() {
    for providers in all() {
        for piece in [1, 7, 1_000, usize::MAX] {
            let mut pair = Pair::new(&providers);
            assert!(!pair.client.session.is_complete() && !pair.server.session.is_complete());
            pair.shake(piece).unwrap();
            let (client, server) = (&pair.client.session, &pair.server.session);
            assert!(client.is_complete() && server.is_complete());
            assert_eq!(client.peer_params(), Some(SERVER_PARAMS));
            assert_eq!(server.peer_params(), Some(CLIENT_PARAMS));
            assert_eq!(client.peer_key(), Some(providers.server.1));
            assert_eq!(server.peer_key(), Some(providers.client.1));
            assert!(client.integrity_limit() >= 1 << 36);
        }
    }
}

#[test]
fn a_handshake_takes_two_flights() {
    for providers in all() {
        let mut pair = Pair::new(&providers);
        pair.shake(usize::MAX).unwrap();
        let order: Vec<_> = pair.said.iter().map(|said| (said.0, said.1)).collect();
        let expected = [
            (Direction::Client, Level::Initial),
            (Direction::Server, Level::Initial),
            (Direction::Server, Level::Handshake),
            (Direction::Client, Level::Handshake),
        ];
        assert_eq!(order, expected, "{}", providers.name);
    }
}

#[test]
fn a_simulated_handshake_is_as_long_as_a_real_one() {
    let lens = all().map(|providers| {
        let said = Pair::ready(&providers).said;
        said.iter().map(|said| said.2.len()).collect::<Vec<_>>()
    });
    let [null, tls, seeded] = &lens;
    assert_eq!(tls, seeded);
    for (null, tls) in null.iter().zip(tls) {
        assert!(null.abs_diff(*tls) * 20 <= *tls, "{lens:?}");
    }
}

#[test]
fn keys_come_before_the_peer_is_known() {
    for providers in all() {
        let mut pair = Pair::new(&providers);
        pair.client.poll();
        let (level, hello) = pair.client.unsent.pop_front().unwrap();
        pair.server.session.read_handshake(level, &hello).unwrap();
        assert_eq!(pair.server.session.peer_params(), Some(CLIENT_PARAMS));
        pair.server.poll();
        assert_eq!(pair.server.level, Level::Data);
        assert!(!pair.server.session.is_complete());
        assert_eq!(pair.server.session.peer_key(), None);
        assert_eq!(pair.client.session.peer_key(), None);
        while let Some((level, bytes)) = pair.server.unsent.pop_front() {
            pair.client.poll();
            pair.client.session.read_handshake(level, &bytes).unwrap();
        }
        // The client's Finished is not written yet.
        assert!(!pair.client.session.is_complete());
        pair.client.poll();
        assert!(pair.client.session.is_complete());
        assert_eq!(pair.client.level, Level::Data);
    }
}

#[test]
fn the_same_seed_gives_the_same_transcript() {
    for (once, again) in all().iter().zip(&all()) {
        let equal = Pair::ready(once).said == Pair::ready(again).said;
        assert_eq!(equal, once.repeatable, "{}", once.name);
    }
}

#[test]
fn handshake_bytes_of_another_level_or_too_late_are_refused() {
    for providers in all() {
        let said = Pair::ready(&providers).said;
        let hello = &said[0].2;
        for level in [Level::Handshake, Level::Data] {
            let mut server = Pair::new(&providers).server.session;
            assert!(is_alert(server.read_handshake(level, hello)));
        }
        let mut pair = Pair::new(&providers);
        pair.client.poll();
        let (level, hello) = pair.client.unsent.pop_front().unwrap();
        pair.server.session.read_handshake(level, &hello).unwrap();
        pair.server.poll();
        let (_, mut initial) = pair.server.unsent.pop_front().unwrap();
        let (_, flight) = pair.server.unsent.pop_front().unwrap();
        initial.extend_from_slice(&flight);
        let read = pair.client.session.read_handshake(Level::Initial, &initial);
        assert!(is_alert(read), "{}: flights at one level", providers.name);

        for level in Level::ALL {
            let mut pair = Pair::ready(&providers);
            for sender in BOTH {
                let (_, receiver) = pair.sender_and_receiver(sender);
                assert!(is_alert(receiver.read_handshake(level, &[4, 0, 0, 1, 0])));
                // A failed session stays failed, and is silent.
                assert!(is_alert(receiver.read_handshake(level, &[4])));
                assert_eq!(receiver.write_handshake(&mut Vec::new()), None);
            }
        }
    }
}

#[test]
fn a_changed_handshake_never_completes() {
    for providers in all() {
        let said = Pair::ready(&providers).said;
        for (message, (_, _, bytes)) in said.iter().enumerate() {
            for at in (0..bytes.len()).step_by(61) {
                let completes = completes_with_a_flip(&providers, message, at);
                assert!(!completes, "{}: byte {at} of {message}", providers.name);
            }
        }
    }
}

/// Whether both ends complete when a bit of byte `at` of the message number `message` is changed.
fn completes_with_a_flip(providers: &Providers, message: usize, at: usize) -> bool {
    let mut pair = Pair::new(providers);
    pair.client.poll();
    let mut count = 0;
    for from in [Direction::Client, Direction::Server, Direction::Client] {
        let (writer, reader) = match from {
            Direction::Client => (&mut pair.client, &mut pair.server),
            Direction::Server => (&mut pair.server, &mut pair.client),
        };
        while let Some((level, mut bytes)) = writer.unsent.pop_front() {
            if count == message {
                bytes[at] ^= 1;
            }
            count += 1;
            let read = reader.session.read_handshake(level, &bytes);
            if read.is_err() {
                assert!(is_alert(read));
                return false;
            }
            reader.poll();
        }
    }
    pair.client.session.is_complete() && pair.server.session.is_complete()
}

fn is_alert(read: Result<(), CryptoError>) -> bool {
    matches!(read, Err(CryptoError::Alert(_)))
}

#[test]
fn endless_handshake_bytes_are_refused() {
    for providers in all() {
        let mut server = Pair::new(&providers).server.session;
        // A ClientHello that claims 65,535 bytes.
        let mut read = server.read_handshake(Level::Initial, &[1, 0, 0xff, 0xff]);
        for _ in 0..64 {
            read = read.and_then(|()| server.read_handshake(Level::Initial, &[0; 1_000]));
        }
        assert!(is_alert(read), "{}", providers.name);
    }
}

#[test]
fn packets_open_only_as_they_were_sealed() {
    for providers in all() {
        let mut pair = Pair::ready(&providers);
        for (sender, level) in BOTH.into_iter().flat_map(|s| Level::ALL.map(|l| (s, l))) {
            let (from, to) = pair.sender_and_receiver(sender);
            let packet = sealed(from, level, 9);
            let open = |to: &mut dyn Session, level, number, header: &[u8], packet: &[u8]| {
                let mut packet = packet.to_vec();
                to.open(level, Epoch::Current, number, header, &mut packet)
                    .map(|()| packet[..TEXT.len()].to_vec())
            };
            assert_eq!(open(to, level, 9, HEADER, &packet).unwrap(), TEXT);
            assert_eq!(
                open(from, level, 9, HEADER, &packet),
                Err(CryptoError::Open)
            );
            for number in [0, 8, 10, 9 + (1 << 32), u64::MAX] {
                let opened = open(to, level, number, HEADER, &packet);
                assert_eq!(opened, Err(CryptoError::Open));
            }
            for wrong in Level::ALL.into_iter().filter(|wrong| *wrong != level) {
                let opened = open(to, wrong, 9, HEADER, &packet);
                assert_eq!(opened, Err(CryptoError::Open));
            }
            for bit in 0..HEADER.len() * 8 {
                let mut header = HEADER.to_vec();
                header[bit / 8] ^= 1 << (bit % 8);
                let opened = open(to, level, 9, &header, &packet);
                assert_eq!(opened, Err(CryptoError::Open));
            }
            for bit in 0..packet.len() * 8 {
                let mut packet = packet.clone();
                packet[bit / 8] ^= 1 << (bit % 8);
                let opened = open(to, level, 9, HEADER, &packet);
                assert_eq!(opened, Err(CryptoError::Open));
            }
            for len in 0..packet.len() {
                let mut packet = packet[..len].to_vec();
                let opened = to.open(level, Epoch::Current, 9, HEADER, &mut packet);
                assert_eq!(opened, Err(CryptoError::Open));
            }
            assert!(from.seal(level, 9, HEADER, &mut [0; TAG_LEN - 1]).is_err());
        }
    }
}

#[test]
fn packets_of_all_lengths_pass() {
    for providers in all() {
        let mut pair = Pair::ready(&providers);
        let (from, to) = pair.sender_and_receiver(Direction::Client);
        for len in (0..100).chain([1_184, 1_456, 65_000]) {
            let text: Vec<u8> = (0..len).map(|at| at as u8).collect();
            let mut packet = [text.as_slice(), &[0; TAG_LEN]].concat();
            from.seal(Level::Data, 3, HEADER, &mut packet).unwrap();
            let opened = to.open(Level::Data, Epoch::Current, 3, HEADER, &mut packet);
            assert_eq!(opened, Ok(()));
            assert_eq!(&packet[..len], text);
        }
    }
}

#[test]
fn header_protection_masks_the_number_and_the_low_bits() {
    let sample = *b"sixteen of bytes";
    for providers in all() {
        let mut pair = Pair::ready(&providers);
        for (sender, level) in BOTH.into_iter().flat_map(|s| Level::ALL.map(|l| (s, l))) {
            let (from, to) = pair.sender_and_receiver(sender);
            for (first, len) in (0..=255u8).map(|first| (first, usize::from(first & 3) + 1)) {
                let plain = &[0, 1, 2, 3][..len];
                let mut masked = first;
                let mut number = plain.to_vec();
                from.protect_header(level, &sample, &mut masked, &mut number)
                    .unwrap();
                assert_eq!(masked & 0xe0, first & 0xe0);
                assert!(first & 0x80 == 0 || (masked ^ first) & 0x10 == 0);
                // A receiver does not know how long the number is: what follows is not touched.
                number.resize(4, 0xaa);
                to.unprotect_header(level, &sample, &mut masked, &mut number)
                    .unwrap();
                assert_eq!((masked, &number[..len]), (first, plain));
                assert!(number[len..].iter().all(|byte| *byte == 0xaa));
            }
            let mask = |sample: &[u8; 16]| {
                let (mut first, mut number) = (0x43, [0; 4]);
                from.protect_header(level, sample, &mut first, &mut number)
                    .unwrap();
                number
            };
            let mut changed = sample;
            changed[15] ^= 1;
            assert_ne!(mask(&sample), [0; 4]);
            assert_ne!(mask(&sample), mask(&changed));
        }
    }
}

#[test]
fn keys_change_in_both_directions() {
    for providers in all() {
        let mut pair = Pair::ready(&providers);
        for _ in 0..3 {
            for (sender, receiver) in [
                (Direction::Client, Direction::Server),
                (Direction::Server, Direction::Client),
            ] {
                // The sender changes first; what it sealed before arrives after.
                let old = sealed(pair.sender_and_receiver(sender).0, Level::Data, 5);
                let header_before = masked(pair.sender_and_receiver(sender).0);
                assert_eq!(pair.passes(sender, Epoch::Current), Ok(()));
                pair.sender_and_receiver(sender).0.update_keys();
                assert_eq!(header_before, masked(pair.sender_and_receiver(sender).0));
                assert_eq!(pair.passes(sender, Epoch::Current), Err(CryptoError::Open));
                assert_eq!(pair.passes(sender, Epoch::Next), Ok(()));
                // The receiver still seals with the keys of before.
                assert_eq!(pair.passes(receiver, Epoch::Previous), Ok(()));
                assert_eq!(
                    pair.passes(receiver, Epoch::Current),
                    Err(CryptoError::Open)
                );
                let end = pair.sender_and_receiver(sender).1;
                end.update_keys();
                for (epoch, expected) in [
                    (Epoch::Previous, Ok(())),
                    (Epoch::Current, Err(CryptoError::Open)),
                    (Epoch::Next, Err(CryptoError::Open)),
                ] {
                    let opened = end.open(Level::Data, epoch, 5, HEADER, &mut old.clone());
                    assert_eq!(opened, expected, "{}", providers.name);
                }
                assert_eq!(pair.passes(sender, Epoch::Current), Ok(()));
                assert_eq!(pair.passes(receiver, Epoch::Current), Ok(()));
                pair.client.session.discard_previous_keys();
                pair.server.session.discard_previous_keys();
                let end = pair.sender_and_receiver(sender).1;
                let opened = end.open(Level::Data, Epoch::Previous, 5, HEADER, &mut old.clone());
                assert_eq!(opened, Err(CryptoError::NoKeys));
            }
        }
    }
}

fn masked(session: &mut dyn Session) -> [u8; 4] {
    let (mut first, mut number) = (0x43, [0; 4]);
    session
        .protect_header(Level::Data, &[7; 16], &mut first, &mut number)
        .unwrap();
    number
}

#[test]
fn other_levels_have_one_epoch_and_keys_can_be_forgotten() {
    for providers in all() {
        let mut pair = Pair::ready(&providers);
        // A change of keys touches 1-RTT alone.
        pair.client.session.update_keys();
        pair.server.session.update_keys();
        for level in Level::ALL {
            let (from, to) = pair.sender_and_receiver(Direction::Client);
            let packet = sealed(from, level, 1);
            let mut open = |epoch| to.open(level, epoch, 1, HEADER, &mut packet.clone());
            assert_eq!(open(Epoch::Current), Ok(()));
            if level != Level::Data {
                assert_eq!(open(Epoch::Previous), Err(CryptoError::NoKeys));
                assert_eq!(open(Epoch::Next), Err(CryptoError::NoKeys));
            }
            to.discard_keys(level);
            let gone = Err(CryptoError::NoKeys);
            for epoch in [Epoch::Previous, Epoch::Current, Epoch::Next] {
                assert_eq!(to.open(level, epoch, 1, HEADER, &mut packet.clone()), gone);
            }
            assert_eq!(to.seal(level, 1, HEADER, &mut packet.clone()), gone);
            let (mut first, mut number) = (0x43, [0; 4]);
            let protected = to.protect_header(level, &[7; 16], &mut first, &mut number);
            assert_eq!(protected, gone);
            let bare = to.unprotect_header(level, &[7; 16], &mut first, &mut number);
            assert_eq!(bare, gone);
        }
        pair.server.session.update_keys();
        pair.server.session.discard_previous_keys();
    }
}

#[test]
fn sessions_for_other_ids_do_not_understand_each_other() {
    for providers in all() {
        let client = providers.client.0.client(ORIGINAL, CLIENT_PARAMS);
        let other = ConnectionId([0; 8]);
        let server = providers.server.0.server(other, SERVER_PARAMS);
        let mut packet = sealed(client.unwrap().as_mut(), Level::Initial, 0);
        let opened = server
            .unwrap()
            .open(Level::Initial, Epoch::Current, 0, HEADER, &mut packet);
        assert_eq!(opened, Err(CryptoError::Open));
    }
}

#[test]
fn real_and_seeded_tls_understand_each_other() {
    let [_, tls, seeded] = all();
    for (client, server) in [(&tls, &seeded), (&seeded, &tls)] {
        let mut pair = Pair::of(client.client.0.as_ref(), server.server.0.as_ref());
        pair.shake(usize::MAX).unwrap();
        assert_eq!(pair.passes(Direction::Client, Epoch::Current), Ok(()));
        assert_eq!(pair.server.session.peer_key(), Some(client.client.1));
    }
}

#[test]
fn too_many_parameters_are_refused() {
    for providers in all() {
        let params = vec![0; 1 << 14];
        let client = providers.client.0.client(ORIGINAL, &params).err();
        assert_eq!(client, Some(CryptoError::Config));
        let server = providers.server.0.server(ORIGINAL, &params).err();
        assert_eq!(server, Some(CryptoError::Config));
    }
}

#[test]
fn what_is_printed_holds_no_seed() {
    let provider = TlsProvider::new(&[0xc5; 32]).unwrap();
    let printed = format!("{provider:?}").to_lowercase();
    assert!(
        !printed.contains("c5c5") && !printed.contains("197, 197"),
        "{printed}"
    );
}
