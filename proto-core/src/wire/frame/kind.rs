//! Types of frames: their first byte. QUIC's numbers where QUIC has the frame, ours from 0x20.

pub(super) const PADDING: u8 = 0x00;
pub(super) const PING: u8 = 0x01;
pub(super) const ACK: u8 = 0x02;
pub(super) const ACK_ECN: u8 = 0x03;
pub(super) const CRYPTO: u8 = 0x06;
pub(super) const NEW_CONNECTION_ID: u8 = 0x18;
pub(super) const RETIRE_CONNECTION_ID: u8 = 0x19;
pub(super) const PATH_CHALLENGE: u8 = 0x1a;
pub(super) const PATH_RESPONSE: u8 = 0x1b;
pub(super) const CLOSE: u8 = 0x1c;
pub(super) const HANDSHAKE_DONE: u8 = 0x1e;
pub(super) const REQUEST: u8 = 0x20;
pub(super) const ACCEPT: u8 = 0x21;
pub(super) const REFUSE: u8 = 0x22;
pub(super) const CANCEL: u8 = 0x23;
pub(super) const ENTRY: u8 = 0x24;
pub(super) const WANT: u8 = 0x25;
pub(super) const CREDIT: u8 = 0x26;
pub(super) const DATA: u8 = 0x27;
pub(super) const PIECE: u8 = 0x28;
pub(super) const SEAL: u8 = 0x29;
pub(super) const STORED: u8 = 0x2a;
pub(super) const FAILED: u8 = 0x2b;
pub(super) const PAGE: u8 = 0x2c;
pub(super) const DONE: u8 = 0x2e;
pub(super) const ACK_FREQUENCY: u8 = 0x30;
