//! Which operation of a transfer came home.

/// Goes out with every operation and back with its completion.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct OpTag {
    /// The file that it is about, or the number of a batch.
    pub(crate) file: u32,
    /// What it is.
    pub(crate) kind: OpKind,
}

impl OpTag {
    /// The operation of a transfer of one file.
    pub(crate) const fn one(kind: OpKind) -> Self {
        Self { file: 0, kind }
    }
}

/// What an operation is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum OpKind {
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
    /// Sink: `Read` of a block that was written before, for its value.
    Verify,
    /// Sink: `WriteLog`.
    WriteLog,
    /// Sink: `SyncSoFar` of the temporary file.
    SyncData,
    /// Sink: `SyncSoFar` of the journal.
    SyncLog,
    /// `Close`, of which nothing depends.
    Close,
    /// Tree: `List`, the walk's next page.
    Page,
    /// Tree: `ReadFiles`, `StatFiles` or `StoreFiles`; the tag's number is the batch's.
    Batch,
    /// Tree: `MakeDir`.
    MakeDir,
    /// Tree: `SetDirMeta`.
    DirMeta,
}
