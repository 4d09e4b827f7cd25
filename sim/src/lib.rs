//! Temporary.

pub mod null_crypto;
pub mod seeded_crypto;
