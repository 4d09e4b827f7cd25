//! Shared helpers of the integration tests.

pub mod faults;
#[path = "../fuzz/src/lib.rs"]
pub mod hand_made;
mod pair;
pub mod scenario;

pub use pair::{Arrivals, Asked, Filter, Mangle, Pair, ROOT, Side, Tamper};
