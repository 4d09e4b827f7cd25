//! A packet's frames before and after the lies.

use proto_core::crypto::Level;
use proto_core::wire::Frame;

use super::memory::Memory;
use super::{HostilePlan, Lie, Silence, Told, ack, frames, invent, requests};
use crate::rng::Rng;

/// One in so many hollow packets holds a PING.
const HOLLOW_PING_ONE_IN: u64 = 4;
/// Frames that make a packet have too many.
const TOO_MANY: usize = 65;

/// A frame of the packet in the making.
#[derive(Clone, Debug)]
pub(super) struct Said {
    /// The lie that it is, if it is one.
    pub(super) lie: Option<Lie>,
    pub(super) bytes: Vec<u8>,
}

/// What lies work with: one packet, and what is known of the session.
pub(super) struct Packet<'a> {
    pub(super) rng: &'a mut Rng,
    pub(super) memory: &'a Memory,
    pub(super) said: Vec<Said>,
    /// Bytes that its frames may have.
    pub(super) room: usize,
}

impl Packet<'_> {
    /// Says `bytes` before everything else, where they fit.
    pub(super) fn say(&mut self, lie: Lie, bytes: Vec<u8>) -> bool {
        let fits = !bytes.is_empty() && bytes.len() <= self.room;
        if fits {
            let lie = Some(lie);
            self.said.insert(0, Said { lie, bytes });
        }
        fits
    }

    /// Says a frame before everything else, where it fits.
    pub(super) fn say_frame(&mut self, lie: Lie, frame: &Frame<'_>) -> bool {
        encode(frame).is_some_and(|bytes| self.say(lie, bytes))
    }

    /// Puts what `other` makes in the place of the first frame for which it makes something.
    pub(super) fn replace(
        &mut self,
        lie: Lie,
        mut other: impl FnMut(&mut Rng, &Memory, Frame<'_>) -> Option<Vec<u8>>,
    ) -> bool {
        for said in &mut self.said {
            let Ok(frame) = Frame::decode(&mut &said.bytes[..]) else {
                continue;
            };
            if let Some(bytes) = other(self.rng, self.memory, frame)
                && bytes != said.bytes
                && bytes.len() <= self.room
            {
                *said = Said {
                    lie: Some(lie),
                    bytes,
                };
                return true;
            }
        }
        false
    }

    /// Leaves the frames out for which `is_it` holds; whether there were any.
    pub(super) fn leave_out(&mut self, is_it: impl Fn(&Frame<'_>) -> bool) -> bool {
        let before = self.said.len();
        self.said.retain(|said| {
            let frame = Frame::decode(&mut &said.bytes[..]);
            !frame.is_ok_and(|frame| is_it(&frame))
        });
        self.said.len() < before
    }
}

/// The bytes of a frame; `None` when it has no encoding.
pub(super) fn encode(frame: &Frame<'_>) -> Option<Vec<u8>> {
    let len = frame.encoded_len();
    if len == usize::MAX {
        return None;
    }
    let mut bytes = vec![0; len];
    frame.encode(&mut bytes)?;
    Some(bytes)
}

fn pings(count: usize) -> Vec<u8> {
    encode(&Frame::Ping).unwrap_or_default().repeat(count)
}

/// The lying half of a session.
pub(super) struct Liar {
    plan: HostilePlan,
    rng: Rng,
    memory: Memory,
    /// 1-RTT packets so far.
    packets: u64,
}

impl Liar {
    pub(super) fn new(plan: HostilePlan, rng: Rng) -> Self {
        Self {
            plan,
            rng,
            memory: Memory::default(),
            packets: 0,
        }
    }

    /// The peer said `text`.
    pub(super) fn hear(&mut self, level: Level, text: &[u8]) {
        if level == Level::Data {
            split(text, |frame, _| self.memory.note(frame, None));
        }
    }

    /// Puts lies into the packet that is about to be sealed. Says whether it must not open.
    pub(super) fn rewrite(&mut self, level: Level, text: &mut [u8], told: &mut Told) -> bool {
        told.packets += 1;
        let data = level == Level::Data;
        self.packets += u64::from(data);
        if let Some(quiet) = self.plan.quiet
            && data
            && self.packets > quiet.after
        {
            told.quiet += 1;
            let mute = self.hush(quiet.how, text);
            note_seals(text, told);
            return mute;
        }
        let mut said = Vec::new();
        split(text, |frame, bytes| {
            if data {
                self.memory.note(frame, Some(bytes));
            }
            said.push(Said {
                lie: None,
                bytes: bytes.to_vec(),
            });
        });
        self.lie(data, said, text, told);
        note_seals(text, told);
        false
    }

    fn lie(&mut self, data: bool, said: Vec<Said>, text: &mut [u8], told: &mut Told) {
        let may = match data {
            true => self.packets > self.plan.honest,
            false => self.rng.chance(self.plan.handshake),
        };
        if !may {
            return;
        }
        let Self {
            plan, rng, memory, ..
        } = self;
        let mut packet = Packet {
            rng,
            memory,
            said,
            room: text.len(),
        };
        // Those that leave something out, or say nothing but themselves.
        let mut silent = Vec::new();
        for (&lie, &rate) in &plan.lies {
            if packet.rng.chance(rate) && tell(lie, &mut packet) {
                let heard = packet.said.iter().any(|said| said.lie == Some(lie));
                silent.extend((!heard).then_some(lie));
            }
        }
        let counted = write(&packet.said, text);
        let any = !silent.is_empty() || !counted.is_empty();
        told.rewritten += u64::from(any);
        for lie in silent.into_iter().chain(counted) {
            *told.lies.entry(lie).or_default() += 1;
        }
    }

    fn hush(&mut self, how: Silence, text: &mut [u8]) -> bool {
        match how {
            Silence::Mute => true,
            Silence::Hollow => {
                let ping = self.rng.one_in(HOLLOW_PING_ONE_IN);
                let bytes = pings(usize::from(ping));
                write(&[Said { lie: None, bytes }], text);
                false
            }
            Silence::Deaf => {
                let mut said = Vec::new();
                split(text, |frame, bytes| {
                    if !matches!(frame, Frame::Ack(_)) {
                        let bytes = bytes.to_vec();
                        said.push(Said { lie: None, bytes });
                    }
                });
                write(&said, text);
                false
            }
        }
    }
}

/// Shows the frames of a packet but PADDING, with their bytes, up to the first that cannot be decoded.
fn split(text: &[u8], mut show: impl FnMut(&Frame<'_>, &[u8])) {
    let mut rest = text;
    while !rest.is_empty() {
        let before = rest;
        match Frame::decode(&mut rest) {
            Ok(Frame::Padding) => {}
            Ok(frame) => show(&frame, &before[..before.len() - rest.len()]),
            Err(_) => return,
        }
    }
}

fn note_seals(text: &[u8], told: &mut Told) {
    split(text, |frame, _| {
        if let Frame::Seal { size, root, .. } = frame {
            told.sealed.insert((*size, **root));
        }
    });
}

/// Writes frames over `text`, those that fit, and PADDING behind them. Returns the lies that fit.
fn write(said: &[Said], text: &mut [u8]) -> Vec<Lie> {
    let mut lies = Vec::new();
    let mut at = 0;
    for Said { lie, bytes } in said {
        let end = at + bytes.len();
        if let Some(place) = text.get_mut(at..end) {
            place.copy_from_slice(bytes);
            at = end;
            lies.extend(lie);
        }
    }
    text[at..].fill(0);
    lies
}

/// Tells a lie; false when the packet has no place for it.
fn tell(lie: Lie, packet: &mut Packet<'_>) -> bool {
    match lie {
        Lie::Garbage => {
            let bytes = invent::bytes(packet.rng, packet.room);
            packet.said.clear();
            packet.say(lie, bytes)
        }
        Lie::Hollow => {
            packet.said.clear();
            true
        }
        Lie::Truncated => {
            let bytes = invent::truncated(packet.rng, packet.room);
            packet.said.clear();
            packet.say(lie, bytes)
        }
        Lie::ManyFrames => packet.say(lie, pings(TOO_MANY)),
        Lie::PingFlood => packet.say(lie, pings(TOO_MANY / 2)),
        Lie::Replay => {
            let old = packet.memory.any_old(packet.rng).map(<[u8]>::to_vec);
            old.is_some_and(|bytes| packet.say(lie, bytes))
        }
        Lie::Duplicate => {
            let at = packet.rng.below(packet.said.len() as u64) as usize;
            let again = packet.said.get(at).map(|said| said.bytes.clone());
            again.is_some_and(|bytes| packet.say(lie, bytes))
        }
        Lie::Omit => {
            let at = packet.rng.below(packet.said.len() as u64) as usize;
            let any = at < packet.said.len();
            if any {
                packet.said.remove(at);
            }
            any
        }
        Lie::Invent => {
            let bytes = invent::frame(packet.rng, packet.memory, packet.room);
            packet.say(lie, bytes)
        }
        // Drawn when the session is made.
        Lie::Params => false,
        Lie::Crypto => {
            let bytes = invent::crypto(packet.rng);
            packet.say(lie, bytes)
        }
        Lie::HandshakeDone => packet.say_frame(lie, &Frame::HandshakeDone),
        Lie::Close => {
            let bytes = invent::close(packet.rng);
            packet.say(lie, bytes)
        }
        Lie::AckNeverSent
        | Lie::AckOptimistic
        | Lie::AckAlternating
        | Lie::AckEverySecond
        | Lie::AckDelay
        | Lie::AckWithheld
        | Lie::EcnInflated
        | Lie::EcnBack
        | Lie::EcnMarked
        | Lie::EcnOther
        | Lie::EcnWithheld => ack::tell(lie, packet),
        Lie::DataBeyondCredit
        | Lie::DataMoved
        | Lie::DataOther
        | Lie::DataBeyondSize
        | Lie::DataUnasked
        | Lie::DataIslands
        | Lie::EntryWithheld
        | Lie::EntryName
        | Lie::EntrySize
        | Lie::EntryKind
        | Lie::EntryAgain
        | Lie::Piece
        | Lie::SealRoot
        | Lie::SealSize
        | Lie::PageMoved
        | Lie::PageIslands
        | Lie::PageLast
        | Lie::PageNames => frames::tell(lie, packet),
        Lie::StoredUndone
        | Lie::Failed
        | Lie::CancelAll
        | Lie::Want
        | Lie::CreditAll
        | Lie::CreditLess
        | Lie::RequestFlood
        | Lie::RequestPath
        | Lie::RequestAhead => requests::tell(lie, packet),
    }
}
