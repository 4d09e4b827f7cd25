//! Names of what the core lends to the outside: peers, transfers, operations, open files, roots.

use crate::slab::Key;

/// One session with one peer, in either role. Stale once the session's [`Event::PeerClosed`] was
/// taken; a stale id is an error, never another peer.
///
/// [`Event::PeerClosed`]: crate::Event::PeerClosed
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PeerId(pub(crate) Key);

/// One request and what came of it, within one session.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TransferId {
    pub(crate) peer: PeerId,
    pub(crate) key: Key,
}

impl TransferId {
    /// The session that the transfer belongs to.
    #[must_use]
    pub fn peer(self) -> PeerId {
        self.peer
    }
}

/// One [`FileOp`](crate::FileOp) on loan; it comes home in the [`FileDone`](crate::FileDone) of the same id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct OpId(pub(crate) Key);

/// An open file of the executor. The core allots the number with `Open` and ends it with `Close`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FileId(pub u64);

/// A directory that the driver knows and under which paths are resolved. The driver allots it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RootId(pub u32);
