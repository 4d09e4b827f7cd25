//! A deterministic world around dhow's protocol core: a network, disks and users, all from one seed.

pub mod digest;
pub mod disk;
pub mod explore;
pub mod net;
pub mod null_crypto;
pub mod plot;
pub mod queue;
pub mod rng;
pub mod scenario;
pub mod seeded_crypto;
pub mod world;
