//! Sessions around sessions: who watches, lies or listens changes a few calls, and all others go through.

use proto_core::crypto::{CryptoError, Epoch, Level, PublicKey, Session};

/// What a session around another one does differently. What is not overridden goes through.
pub trait Layer: Send {
    /// The session inside.
    fn inner(&self) -> &dyn Session;

    /// The session inside.
    fn inner_mut(&mut self) -> &mut dyn Session;

    /// As [`Session::read_handshake`].
    ///
    /// # Errors
    /// As there.
    fn read_handshake(&mut self, level: Level, data: &[u8]) -> Result<(), CryptoError> {
        self.inner_mut().read_handshake(level, data)
    }

    /// As [`Session::write_handshake`].
    fn write_handshake(&mut self, out: &mut Vec<u8>) -> Option<Level> {
        self.inner_mut().write_handshake(out)
    }

    /// As [`Session::seal`].
    ///
    /// # Errors
    /// As there.
    fn seal(
        &mut self,
        level: Level,
        number: u64,
        header: &[u8],
        payload: &mut [u8],
    ) -> Result<(), CryptoError> {
        self.inner_mut().seal(level, number, header, payload)
    }

    /// As [`Session::open`].
    ///
    /// # Errors
    /// As there.
    fn open(
        &mut self,
        level: Level,
        epoch: Epoch,
        number: u64,
        header: &[u8],
        payload: &mut [u8],
    ) -> Result<(), CryptoError> {
        self.inner_mut().open(level, epoch, number, header, payload)
    }

    /// As [`Session::update_keys`].
    fn update_keys(&mut self) {
        self.inner_mut().update_keys();
    }

    /// As [`Session::integrity_limit`].
    fn integrity_limit(&self) -> u64 {
        self.inner().integrity_limit()
    }
}

/// A layer as a session.
#[derive(Debug)]
pub struct Layered<L>(pub L);

impl<L: Layer> Session for Layered<L> {
    fn read_handshake(&mut self, level: Level, data: &[u8]) -> Result<(), CryptoError> {
        self.0.read_handshake(level, data)
    }

    fn write_handshake(&mut self, out: &mut Vec<u8>) -> Option<Level> {
        self.0.write_handshake(out)
    }

    fn is_complete(&self) -> bool {
        self.0.inner().is_complete()
    }

    fn peer_params(&self) -> Option<&[u8]> {
        self.0.inner().peer_params()
    }

    fn peer_key(&self) -> Option<PublicKey> {
        self.0.inner().peer_key()
    }

    fn seal(
        &mut self,
        level: Level,
        number: u64,
        header: &[u8],
        payload: &mut [u8],
    ) -> Result<(), CryptoError> {
        self.0.seal(level, number, header, payload)
    }

    fn open(
        &mut self,
        level: Level,
        epoch: Epoch,
        number: u64,
        header: &[u8],
        payload: &mut [u8],
    ) -> Result<(), CryptoError> {
        self.0.open(level, epoch, number, header, payload)
    }

    fn protect_header(
        &self,
        level: Level,
        sample: &[u8; 16],
        first: &mut u8,
        number: &mut [u8],
    ) -> Result<(), CryptoError> {
        self.0.inner().protect_header(level, sample, first, number)
    }

    fn unprotect_header(
        &self,
        level: Level,
        sample: &[u8; 16],
        first: &mut u8,
        number: &mut [u8],
    ) -> Result<(), CryptoError> {
        (self.0.inner()).unprotect_header(level, sample, first, number)
    }

    fn update_keys(&mut self) {
        self.0.update_keys();
    }

    fn discard_previous_keys(&mut self) {
        self.0.inner_mut().discard_previous_keys();
    }

    fn discard_keys(&mut self, level: Level) {
        self.0.inner_mut().discard_keys(level);
    }

    fn integrity_limit(&self) -> u64 {
        self.0.integrity_limit()
    }
}
