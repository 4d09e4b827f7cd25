use std::fmt;

use proto_core::Instant;

use crate::digest::Digest;

/// Takes one line.
type Sink = Box<dyn FnMut(&str) + Send>;

/// Where lines about a run go; nowhere by default, and then they are not made.
#[derive(Default)]
pub struct Trace {
    sink: Option<Sink>,
    now: Instant,
}

impl Trace {
    /// A trace into `sink`, line by line.
    #[must_use]
    pub fn new(sink: impl FnMut(&str) + Send + 'static) -> Self {
        Self {
            sink: Some(Box::new(sink)),
            now: Instant::ZERO,
        }
    }

    /// The time that lines carry from now on.
    pub(super) fn set_time(&mut self, now: Instant) {
        self.now = now;
    }

    /// Adds a line; `text` is only made when somebody reads it.
    pub(crate) fn line(&mut self, text: impl FnOnce() -> String) {
        if let Some(sink) = &mut self.sink {
            sink(&format!("{:?} {}", self.now, text()));
        }
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trace")
            .field("on", &self.sink.is_some())
            .finish()
    }
}

/// What is kept of a run: a checksum over all that happened, and lines for who wants to read them.
#[derive(Debug, Default)]
pub(crate) struct Record {
    pub(crate) digest: Digest,
    pub(crate) trace: Trace,
}
