//! What is to be copied, and how.

use std::path::PathBuf;

use transport_std::{Cancel, FilePath, Filter, Overwrite};

use crate::args::Copying;
use crate::begun::Begun;
use crate::escape::{self, Escaped};
use crate::exit::Error;
use crate::link::Link;
use crate::removal::Removal;
use crate::stdio::Pipe;

/// Which way the bytes go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Way {
    /// To this machine.
    Download,
    /// To the server.
    Upload,
}

/// One file or directory to copy.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Task {
    /// The server's path.
    pub(crate) remote: FilePath,
    /// This machine's path.
    pub(crate) local: PathBuf,
    /// Which of the links.
    pub(crate) session: usize,
}

impl Task {
    /// The source's name, escaped.
    pub(crate) fn source(&self, way: Way) -> String {
        match way {
            Way::Download => Escaped(self.remote.as_bytes()).to_string(),
            Way::Upload => escape::path(&self.local),
        }
    }

    pub(super) fn in_words(&self, way: Way) -> String {
        let (remote, local) = (Escaped(self.remote.as_bytes()), escape::path(&self.local));
        match way {
            Way::Download => format!("download {remote} as {local}"),
            Way::Upload => format!("upload {local} as {remote}"),
        }
    }
}

/// What a command is to copy, and how.
pub(crate) struct Plan<'a> {
    /// Which way.
    pub(crate) way: Way,
    /// The flags.
    pub(crate) flags: &'a Copying,
    /// The servers.
    pub(crate) links: &'a [Link<'a>],
    /// Files that could not even be begun, reported already.
    pub(crate) errors: Vec<Error>,
    /// Bytes in all, as far as known.
    pub(crate) bytes_total: u64,
    /// What Ctrl-C uses.
    pub(crate) cancel: Cancel,
    /// What to copy.
    pub(crate) tasks: Vec<Task>,
    /// What to do with what the source does not have.
    pub(crate) removal: Removal,
    /// What has size and time of the source is compared by hash, too.
    pub(crate) checksum: bool,
    /// From this task on, what stands at the target is replaced.
    pub(crate) replace_from: Option<usize>,
    /// A whole share, which has no name of its own, would go into a directory that was there: how open that is, is the user's to
    /// say (C2).
    pub(crate) keep_top_mode: bool,
    /// The one directory that is made, or that an earlier command began to make.
    pub(crate) begun: Option<Begun>,
    /// Where the one file that is downloaded goes besides.
    pub(crate) pipe: Option<Pipe>,
    /// What of directories is left out; made of the flags when the plan is run.
    pub(crate) filter: Option<Filter>,
}

impl<'a> Plan<'a> {
    /// To copy `tasks`, and nothing but that.
    pub(crate) fn new(
        way: Way,
        flags: &'a Copying,
        links: &'a [Link<'a>],
        cancel: Cancel,
        tasks: Vec<Task>,
    ) -> Self {
        Self {
            way,
            flags,
            links,
            errors: Vec::new(),
            bytes_total: 0,
            cancel,
            tasks,
            removal: Removal::Never,
            checksum: false,
            replace_from: None,
            keep_top_mode: false,
            begun: None,
            pipe: None,
            filter: None,
        }
    }

    /// What becomes of something that stands at the target of this task already.
    pub(super) fn overwrite(&self, number: usize) -> Overwrite {
        let replace = self.replace_from.is_some_and(|first| number >= first);
        match (self.flags.force || replace, self.flags.no_clobber) {
            (true, _) => Overwrite::Replace,
            (_, true) => Overwrite::Never,
            _ => Overwrite::Compare,
        }
    }
}
