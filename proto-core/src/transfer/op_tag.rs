//! Which operation of a transfer came home.

/// Goes out with every operation and back with its completion.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum OpTag {
    /// The single operation of the present step: of a sink's preparation, commit or clean-up, or of a listing.
    Step,
    /// Source: `Open`.
    Open,
    /// Source: `StatOpen`.
    Check,
    /// Source: `Read` of the block `index`; `again` when only its bytes are wanted, not its value.
    Read {
        /// Which block.
        index: u64,
        /// Read for its value before.
        again: bool,
    },
    /// Sink: `Write` of the block `index`.
    Write {
        /// Which block.
        index: u64,
    },
    /// `Close`, of which nothing depends.
    Close,
}
