//! The reader of a listing against the listing itself, of which some bytes have come.

use proptest::prelude::*;

use super::*;
use crate::wire::EntryKind;

#[derive(Clone, Debug)]
enum Op {
    /// A page of what the listing's end can send: from a place within the window on.
    Page {
        from: u64,
        len: u64,
        last: bool,
    },
    /// The next bytes that have not come, in pages of this size.
    Next {
        pages: u64,
        len: u64,
    },
    /// The same page again, or an older one.
    Old {
        before: u64,
        len: u64,
    },
    Take,
}

fn op() -> impl Strategy<Value = Op> {
    let len = || prop_oneof![0..60_u64, 0..1_200_u64];
    prop_oneof![
        4 => (0..WINDOW, len(), any::<bool>())
            .prop_map(|(from, len, last)| Op::Page { from, len, last }),
        6 => (1..60_u64, 1..1_200_u64).prop_map(|(pages, len)| Op::Next { pages, len }),
        1 => (0..5_000_u64, len()).prop_map(|(before, len)| Op::Old { before, len }),
        3 => Just(Op::Take),
    ]
}

/// The encoded listing of entries with names of these lengths, and where each entry ends.
fn listing(names: &[usize]) -> (Vec<u8>, Vec<u64>) {
    let (mut bytes, mut ends) = (Vec::new(), Vec::new());
    for (number, len) in names.iter().enumerate() {
        let entry = Entry {
            kind: EntryKind::File,
            size: number as u64 * 1_000,
            mtime: number as i64,
            mode: 0o644,
            name: &vec![b'a' + (number % 26) as u8; *len],
        };
        entry.encode(&mut bytes);
        ends.push(bytes.len() as u64);
    }
    (bytes, ends)
}

struct Model {
    bytes: Vec<u8>,
    ends: Vec<u64>,
    come: Vec<bool>,
    taken: u64,
    end_known: bool,
}

impl Model {
    fn total(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// Where the first byte is that has not come.
    fn front(&self) -> u64 {
        let missing = self.come.iter().position(|come| !come);
        missing.map_or(self.total(), |at| at as u64)
    }

    /// Where the last entry ends of which all has come, with everything before.
    fn whole(&self) -> u64 {
        let front = self.front();
        let whole = self.ends.iter().copied().take_while(|end| *end <= front);
        whole.last().unwrap_or(0)
    }

    fn page(&mut self, reader: &mut Reader, from: u64, len: u64, last: bool) {
        let from = from.min(self.total());
        let to = (from + len).min(self.total()).min(self.taken + WINDOW);
        if from > to {
            return;
        }
        let last = last && to == self.total();
        let data = &self.bytes[from as usize..to as usize];
        let taken = reader
            .handle_page(from, last, data)
            .expect("an honest page");
        // Bytes in too many pieces come again.
        assert!(taken || reader.have.len() == RANGES_MAX);
        if taken {
            self.come[from as usize..to as usize].fill(true);
        }
        self.end_known |= last;
    }

    fn apply(&mut self, reader: &mut Reader, op: &Op) {
        match *op {
            Op::Page { from, len, last } => self.page(reader, self.taken + from, len, last),
            Op::Next { pages, len } => {
                for _ in 0..pages {
                    self.page(reader, self.front(), len, true);
                }
            }
            Op::Old { before, len } => {
                self.page(reader, self.taken.saturating_sub(before), len, false);
            }
            Op::Take => {
                let whole = self.whole();
                let entries = &self.bytes[self.taken as usize..whole as usize];
                let expected = (!entries.is_empty()).then(|| entries.to_vec());
                let some = expected.is_some();
                assert_eq!(reader.take_entries(), expected);
                self.taken = whole;
                // What was taken makes room, of which the other end must hear.
                assert!(!some || self.end_known || reader.credit.is_due());
            }
        }
    }

    fn check(&self, reader: &Reader) {
        assert_eq!(reader.has_entries(), self.whole() > self.taken);
        assert_eq!(reader.credit_limit(), self.taken + WINDOW);
        let complete = self.end_known && self.taken == self.total();
        assert_eq!(reader.is_complete(), complete);
        assert!(reader.bytes.len() as u64 <= WINDOW, "M8");
    }

    /// What a liar may try next: beyond the window, another end, or bytes behind the end.
    fn check_lies(&self, reader: &mut Reader) {
        let beyond = reader.credit_limit();
        let flow = Err(Fault::Session(CloseCode::FlowControl));
        assert_eq!(reader.handle_page(beyond, false, &[0]), flow);
        assert_eq!(reader.handle_page(beyond - 1, true, &[0; 2]), flow);
        assert_eq!(
            reader.handle_page(u64::MAX, false, &[0]),
            Err(Fault::VIOLATION)
        );
        let total = self.total();
        if self.end_known && total < beyond {
            assert_eq!(
                reader.handle_page(total, false, &[0]),
                Err(Fault::VIOLATION)
            );
            assert_eq!(reader.handle_page(total, true, &[0]), Err(Fault::VIOLATION));
        }
        let newest = self.come.iter().rposition(|come| *come);
        if let Some(newest) = newest.filter(|newest| *newest > 0) {
            let early = reader.handle_page(newest as u64, true, &[]);
            assert_eq!(
                early,
                Err(Fault::VIOLATION),
                "the end before bytes that have come"
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn behaves_like_the_listing_itself(
        names in prop::collection::vec(prop_oneof![1..20_usize, 200..=255_usize], 0..400),
        ops in prop::collection::vec(op(), 0..60),
    ) {
        let (bytes, ends) = listing(&names);
        let come = vec![false; bytes.len()];
        let mut model = Model { bytes, ends, come, taken: 0, end_known: false };
        let mut reader = Reader::default();
        for op in &ops {
            model.apply(&mut reader, op);
            model.check(&reader);
        }
        // Whatever came before, the rest can come.
        while !reader.is_complete() {
            model.apply(&mut reader, &Op::Next { pages: 100, len: 1_100 });
            model.apply(&mut reader, &Op::Take);
            model.check(&reader);
        }
        prop_assert_eq!(model.taken, model.total());
    }

    #[test]
    fn liars_are_found_out(
        names in prop::collection::vec(1..=255_usize, 0..100),
        ops in prop::collection::vec(op(), 0..20),
    ) {
        let (bytes, ends) = listing(&names);
        let come = vec![false; bytes.len()];
        let mut model = Model { bytes, ends, come, taken: 0, end_known: false };
        let mut reader = Reader::default();
        for op in &ops {
            model.apply(&mut reader, op);
        }
        model.check_lies(&mut reader);
    }
}
