//! Peers with valid keys that lie: honest ends keep their invariants, and honest users reach their goals.

mod arena;
mod clients;
mod roles;
mod servers;
mod worlds;
