//! What a packet carried of a transfer: enough to send it again, small enough to remember for every packet.

use crate::file::BLOCK_SIZE;

/// One frame of a transfer in a sent packet. When the packet is lost, the frame is made anew from the transfer's present
/// state, if that still says anything; when it is acknowledged, it is done with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Item {
    Request,
    Accept,
    Refuse,
    Cancel,
    Entry {
        file: u32,
    },
    Want {
        file: u32,
        start: u64,
        len: u32,
    },
    Credit {
        file: u32,
    },
    /// `again`: after the sink wanted these bytes once more.
    Data {
        file: u32,
        again: bool,
        offset: u64,
        len: u32,
    },
    Piece {
        file: u32,
        index: u32,
    },
    Have {
        file: u32,
        index: u32,
    },
    Seal {
        file: u32,
    },
    Stored {
        file: u32,
    },
    Failed {
        file: u32,
    },
    Page {
        offset: u64,
        len: u32,
    },
}

impl Item {
    /// Makes bytes of a file longer by those of `next`, if these follow them in the same block; whether they do. A sink wants
    /// whole blocks again: what is true of one is not of its neighbour.
    #[inline]
    pub(crate) fn append(&mut self, next: Self) -> bool {
        let Self::Data {
            file,
            again,
            offset,
            len,
        } = self
        else {
            return false;
        };
        let (of, end) = ((*file, *again), *offset + u64::from(*len));
        let whole = match next {
            Self::Data {
                file,
                again,
                offset,
                len: more,
            } if (file, again) == of
                && offset == end
                && !offset.is_multiple_of(u64::from(BLOCK_SIZE)) =>
            {
                len.checked_add(more)
            }
            _ => None,
        };
        *len = whole.unwrap_or(*len);
        whole.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(file: u32, again: bool, offset: u64, len: u32) -> Item {
        Item::Data {
            file,
            again,
            offset,
            len,
        }
    }

    #[test]
    fn only_what_follows_is_appended() {
        let mut item = data(1, false, 100, 50);
        assert!(item.append(data(1, false, 150, 7)));
        assert_eq!(item, data(1, false, 100, 57));
        let others = [
            data(1, false, 150, 7),
            data(2, false, 157, 7),
            data(1, true, 157, 7),
            data(1, false, 158, 7),
            data(1, false, 157, u32::MAX),
            Item::Seal { file: 1 },
        ];
        for other in others {
            assert!(!item.append(other), "{other:?}");
            assert_eq!(item, data(1, false, 100, 57));
        }
        assert!(!Item::Request.append(data(1, false, 0, 1)));
        let mut last = data(1, false, 65_000, 536);
        assert!(!last.append(data(1, false, 65_536, 100)), "the next block");
    }
}
