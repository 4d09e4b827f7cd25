//! The endpoint's side of the classic dialect (`docs/CLASSIC.md`).

use core::net::SocketAddr;

use super::{Endpoint, Loan, StartError};
use crate::file::FileOp;
use crate::id::{OpId, TransferId};
use crate::time::Instant;
use crate::transfer::Request;

impl Endpoint {
    /// Asks the server of the classic dialect at `address` for something: the list of its one directory (`List` of the root),
    /// or a file with a single name. [`Event::Finished`](crate::Event::Finished) is the last that is heard of it; before, an
    /// upload's size is told by [`Event::Entry`](crate::Event::Entry), a download's is not known. Of a listing, only the names are.
    /// What was downloaded stays here for 20 s to answer a server that has not heard so.
    ///
    /// A download's time and permission bits are not known either, and what an upload replaces is the server's matter: `preserve`
    /// and `overwrite` of uploads have no effect, and `Compare` replaces.
    ///
    /// # Errors
    /// There is an exchange with this address already, no memory for one more, or the dialect has no word for the request.
    pub fn start_classic(
        &mut self,
        now: Instant,
        address: SocketAddr,
        request: Request,
    ) -> Result<TransferId, StartError> {
        let now = self.advance(now);
        if !self.shared.config.classic {
            return Err(StartError::NotClassic);
        }
        self.classic.start(now, &mut self.shared, address, request)
    }

    /// Exchanges of the classic dialect, in any state.
    #[must_use]
    pub fn classic_exchanges(&self) -> usize {
        self.classic.len()
    }

    pub(super) fn poll_classic_op(&mut self) -> Option<FileOp> {
        let polled = self.classic.poll_file_op(self.now, &mut self.shared);
        let (transfer, tag, what) = polled?;
        let loan = Loan {
            peer: transfer.peer.0,
            transfer: transfer.key,
            tag,
        };
        let id = OpId(self.loans.insert(loan));
        Some(FileOp { id, what })
    }
}
