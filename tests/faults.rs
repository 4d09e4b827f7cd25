//! Hooks that let faults strike inside the core.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use proto_core::fault::{Fault, FaultHook};

/// One fault that strikes at every n-th time that it is asked for.
#[derive(Debug)]
pub struct Every {
    fault: Fault,
    n: u64,
    asked: AtomicU64,
}

impl Every {
    /// `fault` strikes each `n`-th time; with 1, always.
    pub fn new(fault: Fault, n: u64) -> Arc<Self> {
        let asked = AtomicU64::new(0);
        Arc::new(Self { fault, n, asked })
    }

    /// How often it has struck.
    pub fn struck(&self) -> u64 {
        self.asked.load(Ordering::Relaxed) / self.n
    }
}

impl FaultHook for Every {
    fn strikes(&self, fault: Fault) -> bool {
        fault == self.fault
            && (self.asked.fetch_add(1, Ordering::Relaxed) + 1).is_multiple_of(self.n)
    }
}
