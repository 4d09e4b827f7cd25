//! Handshake and packet protection, behind one trait.

mod session;

pub use session::{CryptoError, Direction, Epoch, Level, Provider, PublicKey, Session, TAG_LEN};
