//! What is inside packets, in words.

use proto_core::crypto::Level;
use proto_core::wire::{Frame, RequestKind};

/// A part of a packet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Item {
    /// Bytes of a file: from the first to one past the last.
    Data(u64, u64),
    /// An acknowledgement.
    Ack,
    /// Anything else.
    Other(String),
}

/// A packet as it was sealed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Packet {
    pub(super) level: Level,
    pub(super) items: Vec<Item>,
}

impl Packet {
    /// The frames of `plaintext`, without padding; what cannot be read ends it.
    pub(super) fn new(level: Level, mut plaintext: &[u8]) -> Self {
        let mut items = Vec::new();
        while !plaintext.is_empty() {
            match Frame::decode(&mut plaintext) {
                Ok(Frame::Padding) => {}
                Ok(frame) => items.push(Item::new(&frame)),
                Err(error) => {
                    items.push(Item::Other(format!("({error})")));
                    break;
                }
            }
        }
        Self { level, items }
    }

    /// `Initial: ACK, CRYPTO`; packets under 1-RTT keys have no prefix.
    pub(super) fn text(&self) -> String {
        let items: Vec<String> = self.items.iter().map(Item::text).collect();
        let items = items.join(", ");
        match self.level {
            Level::Initial => format!("Initial: {items}"),
            Level::Handshake => format!("Handshake: {items}"),
            Level::Data => items,
        }
    }
}

impl Item {
    fn new(frame: &Frame<'_>) -> Self {
        let name = frame.name();
        Self::Other(match frame {
            Frame::Data { offset, data, .. } => {
                return Self::Data(*offset, offset.saturating_add(data.len() as u64));
            }
            Frame::Ack(_) => return Self::Ack,
            Frame::Request { kind, path, .. } => {
                let verb = match kind {
                    RequestKind::List => "list",
                    RequestKind::Stat => "stat",
                    RequestKind::Get => "get",
                    RequestKind::Put => "put",
                    RequestKind::MakeDir => "mkdir",
                    RequestKind::Remove => "remove",
                    RequestKind::Rename => "rename",
                    RequestKind::Hash => "hash",
                };
                format!("{name} {verb} {}", String::from_utf8_lossy(path))
            }
            Frame::Entry { entry, .. } => format!("{name} {} B", thousands(entry.size)),
            Frame::Want { start, end, .. } => {
                format!("{name} {}..{}", thousands(*start), thousands(*end))
            }
            Frame::Credit { limit, .. } => format!("{name} {limit}"),
            _ => name.into(),
        })
    }

    pub(super) fn text(&self) -> String {
        match self {
            Self::Data(start, end) => format!("DATA {}..{}", thousands(*start), thousands(*end)),
            Self::Ack => "ACK".into(),
            Self::Other(text) => text.clone(),
        }
    }
}

/// `12,345`.
pub(super) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        let shown = [0, 999, 1_000, 12_345, 1_234_567].map(thousands);
        assert_eq!(shown, ["0", "999", "1,000", "12,345", "1,234,567"]);
    }

    #[test]
    fn a_packet_is_told_without_its_padding() {
        let mut bytes = [0; 64];
        let data = Frame::Data {
            transfer: 0,
            file: 0,
            offset: 2_000,
            data: &[7; 20],
        };
        let at = data.encode(&mut bytes).unwrap();
        Frame::HandshakeDone.encode(&mut bytes[at..]).unwrap();
        let packet = Packet::new(Level::Data, &bytes);
        assert_eq!(packet.text(), "DATA 2,000..2,020, HANDSHAKE_DONE");
        let packet = Packet::new(Level::Initial, &[0x01, 0xff, 0x01]);
        assert!(packet.text().starts_with("Initial: PING, ("));
    }
}
