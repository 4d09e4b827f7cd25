//! The journal of an unfinished file: which of its pieces were verified, written so that what is torn is not believed.
//!
//! It is a sequence of slots of 64 bytes, big-endian. The first says which source's file this is and under which name the
//! bytes are; each other one is a record. The last 16 bytes of a slot check it together with the slot before it: so what
//! follows a slot that was not written whole is not believed, nor what an earlier file left behind.
//!
//! | bytes | first slot | record |
//! |---|---|---|
//! | 0 | `dhow-jn1` | kind: 1 piece, 2 boot, 3 synced, 4 cut; 7 zeros |
//! | 8 | version of the source's file | a number: of the piece; of a slot; of a piece |
//! | 16 | | chaining value of the piece; boot id; zeros |
//! | 24 | size | |
//! | 32 | number in the temporary file's name | |
//! | 40 | random number | |
//! | 48 | check | check |
//!
//! * *piece*: it was verified and all its bytes were written.
//! * *boot*: what follows was written since the machine started with this id.
//! * *synced*: the bytes of pieces in slots below the number are durable.
//! * *cut*: of what precedes, nothing about this piece and later ones is true.

use alloc::vec::Vec;

use crate::file::Value;

/// Bytes of a slot.
pub(super) const SLOT: usize = 64;

/// Cuts that a journal may have: one with more is not believed at all.
const CUTS_MAX: usize = 16;

const MAGIC: &[u8; 8] = b"dhow-jn1";

type Check = [u8; 16];

/// The first slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Header {
    pub(super) version: [u8; 16],
    pub(super) size: u64,
    /// Number in the temporary file's name.
    pub(super) temp: u64,
    /// Random, so that records of an earlier file are not believed.
    pub(super) salt: u64,
}

/// Any other slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Record {
    Piece(u64, Value),
    Boot([u8; 16]),
    Synced(u64),
    Cut(u64),
}

/// What connects the slots: each check is over the one before it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Chain(Check);

/// What tells the file of a source from others: the begin of the first slot.
pub(super) fn identity(version: [u8; 16], size: u64) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(MAGIC);
    bytes[8..24].copy_from_slice(&version);
    bytes[24..].copy_from_slice(&size.to_be_bytes());
    bytes
}

impl Chain {
    fn next(self, body: &[u8]) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.0);
        hasher.update(body);
        let mut check = [0; 16];
        check.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        Self(check)
    }

    fn seal(&mut self, body: [u8; 48]) -> [u8; SLOT] {
        *self = self.next(&body);
        let mut slot = [0; SLOT];
        slot[..48].copy_from_slice(&body);
        slot[48..].copy_from_slice(&self.0);
        slot
    }

    /// The slot of a record behind those so far.
    pub(super) fn append(&mut self, record: Record) -> [u8; SLOT] {
        let mut body = [0; 48];
        let (kind, number) = match record {
            Record::Piece(index, value) => {
                body[16..].copy_from_slice(&value);
                (1, index)
            }
            Record::Boot(id) => {
                body[16..32].copy_from_slice(&id);
                (2, 0)
            }
            Record::Synced(slot) => (3, slot),
            Record::Cut(piece) => (4, piece),
        };
        body[0] = kind;
        body[8..16].copy_from_slice(&number.to_be_bytes());
        self.seal(body)
    }

    /// The record of a slot; `None` when it does not follow those so far, or is none.
    pub(super) fn read(&mut self, slot: &[u8; SLOT]) -> Option<Record> {
        let next = self.next(&slot[..48]);
        if next.0 != slot[48..] {
            return None;
        }
        let record = Record::parse(slot)?;
        *self = next;
        Some(record)
    }
}

impl Record {
    /// What a slot says that is known to be whole.
    pub(super) fn parse(slot: &[u8; SLOT]) -> Option<Self> {
        let number = number(slot, 8);
        let mut value = [0; 32];
        value.copy_from_slice(&slot[16..48]);
        Some(match slot[0] {
            1 => Self::Piece(number, value),
            2 => {
                let mut id = [0; 16];
                id.copy_from_slice(&value[..16]);
                Self::Boot(id)
            }
            3 => Self::Synced(number),
            4 => Self::Cut(number),
            _ => return None,
        })
    }
}

impl Header {
    /// The slot, and the chain that begins with it.
    pub(super) fn encode(&self) -> ([u8; SLOT], Chain) {
        let mut body = [0; 48];
        body[..32].copy_from_slice(&identity(self.version, self.size));
        body[32..40].copy_from_slice(&self.temp.to_be_bytes());
        body[40..].copy_from_slice(&self.salt.to_be_bytes());
        let mut chain = Chain([0; 16]);
        (chain.seal(body), chain)
    }

    /// What a slot says, if it is whole.
    pub(super) fn decode(slot: &[u8; SLOT]) -> Option<(Self, Chain)> {
        let chain = Chain([0; 16]).next(&slot[..48]);
        if slot[..8] != MAGIC[..] || chain.0 != slot[48..] {
            return None;
        }
        let mut version = [0; 16];
        version.copy_from_slice(&slot[8..24]);
        let header = Self {
            version,
            size: number(slot, 24),
            temp: number(slot, 32),
            salt: number(slot, 40),
        };
        Some((header, chain))
    }
}

fn number(slot: &[u8; SLOT], at: usize) -> u64 {
    let mut bytes = [0; 8];
    if let Some(from) = slot.get(at..at + 8) {
        bytes.copy_from_slice(from);
    }
    u64::from_be_bytes(bytes)
}

/// What is to be known of a whole journal before a record of it is believed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Survey {
    /// Behind the last slot that is whole.
    pub(super) chain: Chain,
    /// Slots that are whole, the first one included.
    pub(super) slots: u64,
    /// Records of pieces among them.
    pub(super) pieces: u64,
    /// The last boot record: where, and which.
    boot: Option<(u64, [u8; 16])>,
    /// Slots below hold durable pieces.
    synced: u64,
    /// Where cuts are, and from which piece on.
    cuts: Vec<(u64, u64)>,
    /// There are more cuts than may be.
    pub(super) spoiled: bool,
}

impl Survey {
    /// Of a journal with nothing but its first slot.
    pub(super) fn new(chain: Chain) -> Self {
        Self {
            chain,
            slots: 1,
            pieces: 0,
            boot: None,
            synced: 0,
            cuts: Vec::new(),
            spoiled: false,
        }
    }

    /// Takes the next slot; false when it is none, and nothing behind it is.
    pub(super) fn add(&mut self, slot: &[u8; SLOT]) -> bool {
        let Some(record) = self.chain.read(slot) else {
            return false;
        };
        match record {
            Record::Piece(..) => self.pieces += 1,
            Record::Boot(id) => self.boot = Some((self.slots, id)),
            Record::Synced(slot) => self.synced = self.synced.max(slot),
            Record::Cut(piece) if self.cuts.len() < CUTS_MAX => self.cuts.push((self.slots, piece)),
            Record::Cut(_) => self.spoiled = true,
        }
        self.slots += 1;
        true
    }

    /// Whether the record of a piece in `slot` still holds.
    pub(super) fn holds(&self, slot: u64, piece: u64) -> bool {
        let cut = |&(at, from): &(u64, u64)| slot < at && piece >= from;
        !self.cuts.iter().any(cut)
    }

    /// Whether the last records were written since the machine started with this id.
    pub(super) fn is_of_boot(&self, id: [u8; 16]) -> bool {
        id != [0; 16] && self.boot.is_some_and(|(_, last)| last == id)
    }

    /// Whether the bytes of a piece in `slot` need not be read again: they were synced, or the machine has not stopped
    /// since they were written (D5).
    pub(super) fn is_safe(&self, slot: u64, id: [u8; 16]) -> bool {
        let since = self.boot.is_some_and(|(at, _)| slot > at);
        slot < self.synced || (since && self.is_of_boot(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEADER: Header = Header {
        version: [7; 16],
        size: 9 << 20,
        temp: 0x1234,
        salt: 5,
    };

    fn records() -> Vec<Record> {
        Vec::from([
            Record::Boot([1; 16]),
            Record::Piece(0, [2; 32]),
            Record::Piece(2, [3; 32]),
            Record::Synced(4),
            Record::Piece(1, [4; 32]),
            Record::Boot([2; 16]),
            Record::Cut(2),
            Record::Piece(2, [5; 32]),
        ])
    }

    fn written(records: &[Record]) -> Vec<u8> {
        let (slot, mut chain) = HEADER.encode();
        let mut bytes = slot.to_vec();
        for record in records {
            bytes.extend_from_slice(&chain.append(*record));
        }
        bytes
    }

    fn surveyed(bytes: &[u8]) -> Option<Survey> {
        let (slots, _) = bytes.as_chunks::<SLOT>();
        let (header, chain) = Header::decode(slots.first()?)?;
        assert_eq!(header, HEADER);
        let mut survey = Survey::new(chain);
        slots[1..].iter().all(|slot| survey.add(slot));
        Some(survey)
    }

    #[test]
    fn d5_what_is_believed_and_what_is_read_again() {
        let survey = surveyed(&written(&records())).unwrap();
        assert_eq!((survey.slots, survey.pieces), (9, 4));
        // Slots 2 and 3 were synced, 5 was not and is of an earlier start; 8 is of this one.
        for (slot, safe) in [(2, true), (3, true), (5, false), (8, true)] {
            assert_eq!(survey.is_safe(slot, [2; 16]), safe, "{slot}");
        }
        assert!(!survey.is_safe(8, [3; 16]) && !survey.is_safe(8, [0; 16]));
        assert!(survey.is_safe(3, [3; 16]) && survey.holds(5, 1));
        assert!(!survey.holds(3, 2) && survey.holds(8, 2) && survey.holds(2, 0));
    }

    #[test]
    fn records_of_an_earlier_file_are_not_believed() {
        let mut bytes = written(&records());
        let (slot, mut chain) = Header { salt: 6, ..HEADER }.encode();
        bytes[..SLOT].copy_from_slice(&slot);
        bytes[SLOT..2 * SLOT].copy_from_slice(&chain.append(Record::Boot([9; 16])));
        let (slots, _) = bytes.as_chunks::<SLOT>();
        let mut survey = Survey::new(Header::decode(&slots[0]).unwrap().1);
        slots[1..].iter().all(|slot| survey.add(slot));
        assert_eq!((survey.slots, survey.pieces), (2, 0));
    }

    proptest! {
        /// Whatever is torn off or overwritten: what is read is a beginning of what was written.
        #[test]
        fn a_torn_journal_is_a_shorter_one(cut in 0usize..9 * SLOT, flip in 0usize..9 * SLOT) {
            let all = written(&records());
            let mut bytes = all.clone();
            bytes[flip] ^= 0x40;
            bytes.truncate(cut);
            let whole = cut.min(if flip < cut { flip } else { cut }) / SLOT;
            match surveyed(&bytes) {
                None => prop_assert_eq!(whole, 0),
                Some(survey) => {
                    prop_assert_eq!(survey.slots, whole as u64);
                    prop_assert_eq!(Some(survey), surveyed(&all[..whole * SLOT]));
                }
            }
        }
    }
}
