//! A server as commands use it, in either dialect.

use std::path::Path;
use std::time::Duration;

use transport_std::{
    ClassicClient, Client, ClientError, GetOptions, PutOptions, Tree, TreeProgress,
};

use crate::session::loss;

/// A server that commands talk to.
#[derive(Clone)]
pub(crate) enum Connection {
    /// A session.
    Modern(Client),
    /// A server of the classic dialect, of which nothing is known before the first job.
    Classic(ClassicClient),
}

impl Connection {
    /// Downloads a file or directory; a server of the classic dialect has files only.
    ///
    /// # Errors
    /// Those of the client.
    pub(crate) fn get(
        &self,
        remote: &[u8],
        local: &Path,
        options: &GetOptions,
        mut progress: impl FnMut(TreeProgress),
    ) -> Result<Tree, ClientError> {
        match self {
            Self::Modern(client) => client.get_tree(remote, local, options, progress),
            Self::Classic(client) => {
                let each = |step| progress(TreeProgress::Step(step));
                client.get(remote, local, options, each).map(Tree::from)
            }
        }
    }

    /// Uploads a file or directory; a server of the classic dialect takes files only.
    ///
    /// # Errors
    /// Those of the client.
    pub(crate) fn put(
        &self,
        local: &Path,
        remote: &[u8],
        options: &PutOptions,
        mut progress: impl FnMut(TreeProgress),
    ) -> Result<Tree, ClientError> {
        match self {
            Self::Modern(client) => client.put_tree(local, remote, options, progress),
            Self::Classic(client) => {
                let each = |step| progress(TreeProgress::Step(step));
                client.put(local, remote, options, each).map(Tree::from)
            }
        }
    }

    /// Round trip and share of packets lost, as far as they were measured.
    pub(crate) fn path(&self) -> Option<(Duration, f64)> {
        match self {
            Self::Modern(client) => client.stats().map(|stats| (stats.rtt, loss(&stats))),
            Self::Classic(_) => None,
        }
    }

    /// Whether it is a server of the classic dialect.
    pub(crate) fn is_classic(&self) -> bool {
        matches!(self, Self::Classic(_))
    }
}
