//! What a packet carried of a transfer: enough to send it again, small enough to remember for every packet.

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
