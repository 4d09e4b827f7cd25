//! A server as commands use it, in either dialect.

use std::path::Path;
use std::time::Duration;

use transport_std::{
    ClassicClient, Client, ClientError, GetOptions, PutOptions, Tree, TreeProgress,
};

use crate::session::loss;

/// What is known of the way to a server.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct PathFigures {
    /// Round trip, smoothed.
    pub(crate) rtt: Duration,
    /// The shortest round trip.
    pub(crate) min_rtt: Duration,
    /// Share of the packets sent from here that were lost, 0 to 1.
    pub(crate) loss: f64,
}

impl PathFigures {
    /// Whether packets wait or get lost on the way, as they do where it is full.
    pub(crate) fn is_full(self) -> bool {
        self.loss >= 0.001 || self.rtt > self.min_rtt.mul_f64(1.25) + Duration::from_millis(1)
    }
}

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

    /// What is known of the way, as far as it was measured.
    pub(crate) fn path(&self) -> Option<PathFigures> {
        match self {
            Self::Modern(client) => client.stats().map(|stats| PathFigures {
                rtt: stats.rtt,
                min_rtt: stats.min_rtt,
                loss: loss(&stats),
            }),
            Self::Classic(_) => None,
        }
    }

    /// Whether it is a server of the classic dialect.
    pub(crate) fn is_classic(&self) -> bool {
        matches!(self, Self::Classic(_))
    }
}
