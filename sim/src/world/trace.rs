use std::fmt;

/// Takes one line.
type Sink = Box<dyn FnMut(&str) + Send>;

/// Where lines about a run go; nowhere by default, and then they are not made.
#[derive(Default)]
pub struct Trace {
    sink: Option<Sink>,
    now: proto_core::Instant,
}

impl Trace {
    /// A trace into `sink`, line by line.
    #[must_use]
    pub fn new(sink: impl FnMut(&str) + Send + 'static) -> Self {
        Self {
            sink: Some(Box::new(sink)),
            now: proto_core::Instant::ZERO,
        }
    }

    /// The time that lines carry from now on.
    pub(super) fn set_time(&mut self, now: proto_core::Instant) {
        self.now = now;
    }

    pub(super) fn line(&mut self, text: impl FnOnce() -> String) {
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
