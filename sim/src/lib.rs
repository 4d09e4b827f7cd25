//! A deterministic world around dhow's protocol core: a network, disks and users, all from one seed.

pub mod accept;
mod checksum;
pub mod classic;
pub mod crash;
pub mod digest;
pub mod disk;
pub mod explore;
pub mod fault;
pub mod hostile;
pub mod lab;
pub mod layer;
pub mod link;
pub mod measure;
pub mod mutants;
pub mod net;
pub mod null_crypto;
pub mod plot;
pub mod proxy;
pub mod queue;
pub mod rng;
pub mod scenario;
pub mod seeded_crypto;
pub mod shrink;
pub mod units;
pub mod watch;
pub mod world;
