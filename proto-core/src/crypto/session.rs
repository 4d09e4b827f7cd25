//! What the core needs of a handshake and of packet keys.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use crate::wire::ConnectionId;

/// Bytes that sealing adds to a payload.
pub const TAG_LEN: usize = 16;

/// Packet protection levels, each with a packet number space of its own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Level {
    /// Keys that follow from the client's first destination connection id (RFC 9001 §5.2).
    Initial,
    /// Handshake keys.
    Handshake,
    /// 1-RTT keys.
    Data,
}

impl Level {
    /// All levels, in order.
    pub const ALL: [Self; 3] = [Self::Initial, Self::Handshake, Self::Data];
}

/// Which generation of 1-RTT keys, seen from the present one (RFC 9001 §6). Other levels know only `Current`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Epoch {
    /// Before the last update, while it is kept.
    Previous,
    /// In use for sending.
    Current,
    /// After the next update.
    Next,
}

/// Client or server.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Direction {
    /// This end opened the session.
    Client,
    /// This end was asked.
    Server,
}

/// A peer's Ed25519 public key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey(pub [u8; 32]);

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PublicKey(")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(")")
    }
}

/// What went wrong in a handshake or with a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CryptoError {
    /// The TLS alert that ends the handshake (RFC 8446 §6).
    #[error("the handshake failed with TLS alert {0}")]
    Alert(u8),
    /// The packet is not from the peer, or was changed on the way.
    #[error("the packet cannot be opened")]
    Open,
    /// There are no keys for this level or epoch (any more, or yet).
    #[error("there are no keys for this packet")]
    NoKeys,
    /// The provider cannot make a session from its configuration.
    #[error("the cryptographic configuration is unusable")]
    Config,
}

/// Makes sessions. One per process, with the process's key inside.
pub trait Provider: Send + Sync + fmt::Debug {
    /// A client's session. `original` is the random id that the client's first packets go to; `params` are its
    /// transport parameters, carried in the handshake.
    ///
    /// # Errors
    /// [`CryptoError::Config`].
    fn client(
        &self,
        original: ConnectionId,
        params: &[u8],
    ) -> Result<Box<dyn Session>, CryptoError>;

    /// A server's session for a client whose first packet came for `original`. Must be cheap until the first
    /// handshake byte is read: it is made for anything that looks like a first packet.
    ///
    /// # Errors
    /// [`CryptoError::Config`].
    fn server(
        &self,
        original: ConnectionId,
        params: &[u8],
    ) -> Result<Box<dyn Session>, CryptoError>;
}

impl<P: Provider + ?Sized> Provider for Arc<P> {
    fn client(
        &self,
        original: ConnectionId,
        params: &[u8],
    ) -> Result<Box<dyn Session>, CryptoError> {
        (**self).client(original, params)
    }

    fn server(
        &self,
        original: ConnectionId,
        params: &[u8],
    ) -> Result<Box<dyn Session>, CryptoError> {
        (**self).server(original, params)
    }
}

/// One handshake and its packet keys.
///
/// Peers are authenticated (they hold the private key of [`peer_key`](Self::peer_key)), not authorised: whether that key
/// is welcome is decided above.
pub trait Session: Send {
    /// Takes handshake bytes of `level`, in order.
    ///
    /// # Errors
    /// [`CryptoError::Alert`]; the session is of no use afterwards.
    fn read_handshake(&mut self, level: Level, data: &[u8]) -> Result<(), CryptoError>;

    /// Appends handshake bytes to `out` and says when keys of a further level are there from now on. The bytes belong
    /// to the level that was the highest before this call. Call until nothing is appended and `None` returned.
    fn write_handshake(&mut self, out: &mut Vec<u8>) -> Option<Level>;

    /// Whether the handshake is over (for a client: its Finished was written; for a server: the client's was read).
    fn is_complete(&self) -> bool;

    /// The peer's transport parameters, once they came. Authenticated when the handshake is complete.
    fn peer_params(&self) -> Option<&[u8]>;

    /// The peer's public key, once the handshake is complete.
    fn peer_key(&self) -> Option<PublicKey>;

    /// Seals the packet `number`: `payload` ends in [`TAG_LEN`] bytes of room for the tag.
    ///
    /// # Errors
    /// [`CryptoError::NoKeys`]; [`CryptoError::Open`] if there is no room for the tag.
    fn seal(
        &mut self,
        level: Level,
        number: u64,
        header: &[u8],
        payload: &mut [u8],
    ) -> Result<(), CryptoError>;

    /// Opens the packet `number` in place; the plaintext is all but the last [`TAG_LEN`] bytes of `payload`.
    ///
    /// # Errors
    /// [`CryptoError::NoKeys`], [`CryptoError::Open`].
    fn open(
        &mut self,
        level: Level,
        epoch: Epoch,
        number: u64,
        header: &[u8],
        payload: &mut [u8],
    ) -> Result<(), CryptoError>;

    /// Masks the protected bits of the first byte and the packet number (RFC 9001 §5.4).
    ///
    /// # Errors
    /// [`CryptoError::NoKeys`].
    fn protect_header(
        &self,
        level: Level,
        sample: &[u8; 16],
        first: &mut u8,
        number: &mut [u8],
    ) -> Result<(), CryptoError>;

    /// Takes the mask off the first byte and the packet number: `number` is 4 bytes, of which as many are unmasked as
    /// the unmasked first byte says.
    ///
    /// # Errors
    /// [`CryptoError::NoKeys`].
    fn unprotect_header(
        &self,
        level: Level,
        sample: &[u8; 16],
        first: &mut u8,
        number: &mut [u8],
    ) -> Result<(), CryptoError>;

    /// Makes the next 1-RTT keys the current ones, and the current ones the previous.
    fn update_keys(&mut self);

    /// Forgets the 1-RTT keys of before the last update.
    fn discard_previous_keys(&mut self);

    /// Forgets the keys of `level` for good.
    fn discard_keys(&mut self, level: Level);

    /// Failed openings after which the session must end (RFC 9001 §6.6).
    fn integrity_limit(&self) -> u64;
}
