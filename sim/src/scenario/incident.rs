use proto_core::Duration;
use proto_core::wire::FilePath;
use serde::{Deserialize, Serialize};

use super::path_text;
use crate::lab::Crash;
use crate::units;

/// A host of a scenario: 0 is the server, the users follow from 1 on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Who(pub u32);

impl Who {
    /// The server.
    pub const SERVER: Self = Self(0);
}

/// Something that befalls a host.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Incident {
    /// When.
    #[serde(with = "units::duration")]
    pub at: Duration,
    /// Whom.
    pub who: Who,
    /// What.
    pub what: Misfortune,
}

/// What may befall a host.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Misfortune {
    /// It goes down, and comes up again with the same disk.
    Crash {
        /// How.
        how: Crash,
        /// For how long.
        #[serde(with = "units::duration")]
        down: Duration,
    },
    /// Others see it under another port from now on: a NAT forgot it.
    NewPort,
    /// Others see it under another address from now on: it moved.
    NewAddress,
    /// Its clock jumps ahead.
    Sleep {
        /// By how much.
        #[serde(with = "units::duration")]
        by: Duration,
    },
    /// It is suspended: nothing runs on it, and what arrives is lost.
    Suspend {
        /// For how long.
        #[serde(with = "units::duration")]
        lasts: Duration,
        /// Its clock stands still meanwhile, as the monotonic clock of some systems does.
        #[serde(default)]
        clock_stops: bool,
    },
    /// A file of this client's user changes.
    Change {
        /// At the server, not at the client.
        #[serde(default)]
        remote: bool,
        /// Which file.
        #[serde(with = "path_text")]
        path: FilePath,
        /// How.
        edit: Edit,
    },
    /// The server no longer welcomes this client's user.
    Revoke,
}

/// How a file changes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Edit {
    /// Another one takes its place at once, as an editor saves.
    Replace {
        /// Its bytes.
        size: u64,
        /// What they are generated from.
        content: u64,
    },
    /// It is cut, or lengthened with zeros.
    Resize {
        /// Bytes from now on.
        size: u64,
    },
    /// Some bytes are written over, as a database does.
    Write {
        /// The first byte.
        offset: u64,
        /// How many.
        size: u64,
        /// What they are generated from.
        content: u64,
    },
}

impl Incident {
    /// When all is as before again, as far as it ever will be.
    #[must_use]
    pub fn over_at(&self) -> Duration {
        match self.what {
            Misfortune::Crash { down, .. } => self.at + down,
            Misfortune::Suspend { lasts, .. } => self.at + lasts,
            _ => self.at,
        }
    }
}
