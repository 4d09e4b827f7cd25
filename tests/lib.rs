//! Shared helpers of the integration tests.

mod pair;

pub use pair::{Filter, Pair, ROOT, Side};
