use proto_core::Instant;

/// Something that must not happen, did.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("at {at:?} in step {step}: {what}")]
pub struct Violation {
    /// Virtual time.
    pub at: Instant,
    /// Steps made before.
    pub step: u64,
    /// What it is.
    pub what: String,
}
