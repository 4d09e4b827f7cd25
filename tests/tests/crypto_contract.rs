//! What every `crypto::Session` must do, checked against all of them.

use std::collections::VecDeque;

use proto_core::crypto::{
    CryptoError, Direction, Epoch, Level, Provider, PublicKey, Session, TAG_LEN, TlsProvider,
};
use proto_core::wire::ConnectionId;
use sim::null_crypto::NullProvider;
use sim::seeded_crypto::SeededTls;

const ORIGINAL: ConnectionId = ConnectionId([0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08]);
const CLIENT_PARAMS: &[u8] = b"the client's transport parameters, about sixty bytes of them";
const SERVER_PARAMS: &[u8] = b"the server's transport parameters, about sixty bytes of them";
const HEADER: &[u8] = &[0x43, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 9];
const TEXT: &[u8] = b"a payload of more than thirty-two bytes, so that every lane is in use";

/// Two providers with the keys they stand for.
struct Providers {
    name: &'static str,
    client: (Box<dyn Provider>, PublicKey),
    server: (Box<dyn Provider>, PublicKey),
    /// Whether the same providers, made again, say the same bytes.
    repeatable: bool,
}

fn all() -> [Providers; 3] {
    let null = |byte| {
        let key = PublicKey([byte; 32]);
        (Box::new(NullProvider { key }) as Box<dyn Provider>, key)
    };
    let tls = |byte| {
        let provider = TlsProvider::new(&[byte; 32]).unwrap();
        let key = provider.public_key();
        (Box::new(provider) as Box<dyn Provider>, key)
    };
    let seeded = |byte| {
        let provider = SeededTls::new(&[byte; 32], [byte ^ 0xff; 32]).unwrap();
        let key = provider.public_key();
        (Box::new(provider) as Box<dyn Provider>, key)
    };
    [
        Providers {
            name: "null",
            client: null(1),
            server: null(2),
            repeatable: true,
        },
        Providers {
            name: "tls",
            client: tls(1),
            server: tls(2),
            repeatable: false,
        },
        Providers {
            name: "seeded tls",
            client: seeded(1),
            server: seeded(2),
            repeatable: true,
        },
    ]
}

/// One end of a handshake.
struct End {
    session: Box<dyn Session>,
    /// The highest level with keys.
    level: Level,
    unsent: VecDeque<(Level, Vec<u8>)>,
}

impl End {
    fn new(session: Box<dyn Session>) -> Self {
        Self {
            session,
            level: Level::Initial,
            unsent: VecDeque::new(),
        }
    }

    /// Writes until there is nothing to write, and checks that exactly the announced keys are there.
    fn poll(&mut self) {
        loop {
            self.check_keys();
            let mut bytes = Vec::new();
            let keys = self.session.write_handshake(&mut bytes);
            if bytes.is_empty() && keys.is_none() {
                return;
            }
            if !bytes.is_empty() {
                self.unsent.push_back((self.level, bytes));
            }
            if let Some(level) = keys {
                assert!(level > self.level, "the keys of {level:?} came twice");
                self.level = level;
            }
        }
    }

    fn check_keys(&mut self) {
        for level in Level::ALL {
            let sealed = self
                .session
                .seal(level, 1 << 40, HEADER, &mut [0; TAG_LEN + 1]);
            if level <= self.level {
                assert_eq!(sealed, Ok(()), "{level:?} has keys");
            } else {
                assert_eq!(
                    sealed,
                    Err(CryptoError::NoKeys),
                    "{level:?} has no keys yet"
                );
            }
        }
    }
}

struct Pair {
    client: End,
    server: End,
    /// All that was said, in order.
    said: Vec<(Direction, Level, Vec<u8>)>,
}

impl Pair {
    fn new(providers: &Providers) -> Self {
        Self::of(providers.client.0.as_ref(), providers.server.0.as_ref())
    }

    fn of(client: &dyn Provider, server: &dyn Provider) -> Self {
        Self {
            client: End::new(client.client(ORIGINAL, CLIENT_PARAMS).unwrap()),
            server: End::new(server.server(ORIGINAL, SERVER_PARAMS).unwrap()),
            said: Vec::new(),
        }
    }

    /// A pair after its handshake.
    fn ready(providers: &Providers) -> Self {
        let mut pair = Self::new(providers);
        pair.shake(usize::MAX).unwrap();
        pair
    }

    /// Runs the handshake until nobody has more to say, handing over `piece` bytes at a time.
    fn shake(&mut self, piece: usize) -> Result<(), (Direction, CryptoError)> {
        self.client.poll();
        self.server.poll();
        loop {
            let mut quiet = true;
            for from in [Direction::Client, Direction::Server] {
                let (writer, reader, to) = match from {
                    Direction::Client => (&mut self.client, &mut self.server, Direction::Server),
                    Direction::Server => (&mut self.server, &mut self.client, Direction::Client),
                };
                while let Some((level, bytes)) = writer.unsent.pop_front() {
                    quiet = false;
                    for part in bytes.chunks(piece) {
                        let read = reader.session.read_handshake(level, part);
                        read.map_err(|error| (to, error))?;
                        reader.poll();
                    }
                    self.said.push((from, level, bytes));
                }
            }
            if quiet {
                return Ok(());
            }
        }
    }

    fn sender_and_receiver(&mut self, sender: Direction) -> (&mut dyn Session, &mut dyn Session) {
        let client = self.client.session.as_mut();
        let server = self.server.session.as_mut();
        match sender {
            Direction::Client => (client, server),
            Direction::Server => (server, client),
        }
    }

    /// Whether a fresh packet of `sender` opens at the other end under `epoch`.
    fn passes(&mut self, sender: Direction, epoch: Epoch) -> Result<(), CryptoError> {
        let (sender, receiver) = self.sender_and_receiver(sender);
        let mut packet = sealed(sender, Level::Data, 7);
        receiver.open(Level::Data, epoch, 7, HEADER, &mut packet)?;
        assert_eq!(&packet[..TEXT.len()], TEXT);
        Ok(())
    }
}

fn sealed(sender: &mut dyn Session, level: Level, number: u64) -> Vec<u8> {
    let mut packet = TEXT.to_vec();
    packet.extend_from_slice(&[0; TAG_LEN]);
    sender.seal(level, number, HEADER, &mut packet).unwrap();
    packet
}

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
fn a_changed_handshake_ends_in_an_alert_or_not_at_all() {
    for providers in all() {
        let said = Pair::ready(&providers).said;
        for (message, (_, _, bytes)) in said.iter().enumerate() {
            for at in (0..bytes.len()).step_by(61) {
                let error = shake_with_flip(&providers, message, at);
                let is_fatal = matches!(error, Some(CryptoError::Alert(_)));
                assert!(is_fatal, "{}: byte {at} of {message}", providers.name);
            }
        }
    }
}

/// What a handshake comes to in which one bit is changed: the first end to notice ends it. `None`: both were content.
fn shake_with_flip(providers: &Providers, message: usize, at: usize) -> Option<CryptoError> {
    let mut pair = Pair::new(providers);
    pair.client.poll();
    let mut count = 0;
    for _ in 0..4 {
        for from in BOTH {
            let (writer, reader) = match from {
                Direction::Client => (&mut pair.client, &mut pair.server),
                Direction::Server => (&mut pair.server, &mut pair.client),
            };
            while let Some((level, mut bytes)) = writer.unsent.pop_front() {
                if count == message {
                    bytes[at] ^= 1;
                }
                count += 1;
                if reader.level < level {
                    // The keys differ already, so that no packet of this level would open.
                    return Some(CryptoError::Alert(0));
                }
                if let Err(error) = reader.session.read_handshake(level, &bytes) {
                    return Some(error);
                }
                reader.poll();
            }
        }
    }
    let complete = pair.client.session.is_complete() && pair.server.session.is_complete();
    (!complete).then_some(CryptoError::Alert(0))
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
