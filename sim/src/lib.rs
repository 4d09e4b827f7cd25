//! Temporary.

pub mod null_crypto;
