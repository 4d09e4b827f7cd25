//! Why bytes are not what they should be.

/// What a decoder found wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum WireError {
    /// The bytes end within a field.
    #[error("the bytes end within a field")]
    Truncated,
    /// No frame or packet has this type.
    #[error("unknown type")]
    UnknownType,
    /// A field has a value that it must not have.
    #[error("a field has a value that it must not have")]
    BadValue,
}
