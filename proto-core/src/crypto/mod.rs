//! Handshake and packet protection, behind one trait.

mod session;
#[cfg(feature = "rustls")]
mod tls;

pub use session::{CryptoError, Direction, Epoch, Level, Provider, PublicKey, Session, TAG_LEN};
#[cfg(feature = "rustls")]
pub use tls::{TlsProvider, public_key_of};
