//! Transport parameters: what an end tells of itself within the TLS handshake (RFC 9000 §18 in form).
//!
//! A list of (id, length, value), id and length varints. Ids are QUIC's where the meaning is QUIC's.

use alloc::vec::Vec;
use core::ops::RangeInclusive;

use super::cursor::{Sink, read_prefixed};
use super::{ConnectionId, varint};

/// What an end tells of itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TransportParams {
    /// Silence, in milliseconds, after which this end drops the session: 1,000 to 600,000. 60,000 unless told.
    pub max_idle_timeout_ms: u64,
    /// The largest UDP payload that this end takes: 1,200 to 65,527 bytes. 1,200 unless told.
    pub max_datagram: u16,
    /// The longest that this end delays an acknowledgement, in microseconds: at most 16,383,999 (RFC 9000 §18.2). 25,000
    /// unless told.
    pub max_ack_delay_us: u64,
    /// Bytes of this end's socket receive buffer; 0, also unless told, when it is not known.
    pub receive_buffer: u64,
    /// Server only: the destination id of the client's first packet.
    pub original_id: Option<ConnectionId>,
    /// Server only, and only one that keeps a secret over restarts: what a stateless reset for `source_id` ends with.
    pub reset_token: Option<[u8; 16]>,
    /// The source id of this end's own packets.
    pub source_id: ConnectionId,
}

/// Why transport parameters cannot be taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ParamsError {
    /// The list ends within a parameter.
    #[error("the transport parameters end within a field")]
    Truncated,
    /// This parameter came twice.
    #[error("transport parameter {0:#x} came twice")]
    Duplicate(u64),
    /// This parameter has a value that it must not have.
    #[error("transport parameter {0:#x} has a value that it must not have")]
    BadValue(u64),
    /// This parameter must be there and is not.
    #[error("transport parameter {0:#x} is missing")]
    Missing(u64),
}

const ORIGINAL_ID: u64 = 0x00;
const MAX_IDLE_TIMEOUT: u64 = 0x01;
const RESET_TOKEN: u64 = 0x02;
const MAX_DATAGRAM: u64 = 0x03;
const SOURCE_ID: u64 = 0x0f;
const MAX_ACK_DELAY: u64 = 0x20;
const RECEIVE_BUFFER: u64 = 0x21;

const IDLE_RANGE: RangeInclusive<u64> = 1_000..=600_000;
const DATAGRAM_RANGE: RangeInclusive<u64> = 1_200..=65_527;
const ACK_DELAY_RANGE: RangeInclusive<u64> = 0..=16_383_999;

impl TransportParams {
    /// What holds of everything that is not told.
    #[must_use]
    pub const fn new(source_id: ConnectionId) -> Self {
        Self {
            max_idle_timeout_ms: 60_000,
            max_datagram: 1_200,
            max_ack_delay_us: 25_000,
            receive_buffer: 0,
            original_id: None,
            reset_token: None,
            source_id,
        }
    }

    /// Appends the list to `out`. Values outside their ranges are told as the nearest within.
    pub fn encode(&self, out: &mut Vec<u8>) {
        if let Some(original) = self.original_id {
            put(out, ORIGINAL_ID, &original.0);
        }
        put(out, SOURCE_ID, &self.source_id.0);
        put_number(out, MAX_IDLE_TIMEOUT, self.max_idle_timeout_ms, IDLE_RANGE);
        put_number(out, MAX_DATAGRAM, self.max_datagram.into(), DATAGRAM_RANGE);
        put_number(out, MAX_ACK_DELAY, self.max_ack_delay_us, ACK_DELAY_RANGE);
        if let Some(token) = self.reset_token {
            put(out, RESET_TOKEN, &token);
        }
        put_number(out, RECEIVE_BUFFER, self.receive_buffer, 0..=varint::MAX);
    }

    /// Reads a list to its end. Unknown parameters are ignored.
    ///
    /// Whether `original_id` is there exactly when a server speaks, and both ids are those of the packets, is for the
    /// caller to check.
    ///
    /// # Errors
    /// [`ParamsError`].
    pub fn decode(mut bytes: &[u8]) -> Result<Self, ParamsError> {
        let mut original_id = None;
        let mut source_id = None;
        let mut reset_token = None;
        let mut idle = None;
        let mut datagram = None;
        let mut ack_delay = None;
        let mut receive_buffer = None;
        while !bytes.is_empty() {
            let id = varint::read(&mut bytes).map_err(|_| ParamsError::Truncated)?;
            let value =
                read_prefixed(&mut bytes, usize::MAX).map_err(|_| ParamsError::Truncated)?;
            match id {
                ORIGINAL_ID => set(&mut original_id, id, connection_id(id, value)?)?,
                SOURCE_ID => set(&mut source_id, id, connection_id(id, value)?)?,
                RESET_TOKEN => {
                    let token = value.try_into().map_err(|_| ParamsError::BadValue(id))?;
                    set(&mut reset_token, id, token)?;
                }
                MAX_IDLE_TIMEOUT => set(&mut idle, id, number(id, value, IDLE_RANGE)?)?,
                MAX_DATAGRAM => set(&mut datagram, id, number(id, value, DATAGRAM_RANGE)?)?,
                MAX_ACK_DELAY => set(&mut ack_delay, id, number(id, value, ACK_DELAY_RANGE)?)?,
                RECEIVE_BUFFER => {
                    set(&mut receive_buffer, id, number(id, value, 0..=varint::MAX)?)?;
                }
                _ => {}
            }
        }
        let told = Self::new(source_id.ok_or(ParamsError::Missing(SOURCE_ID))?);
        Ok(Self {
            max_idle_timeout_ms: idle.unwrap_or(told.max_idle_timeout_ms),
            // The range is within 16 bits.
            max_datagram: datagram.map_or(told.max_datagram, |bytes| bytes as u16),
            max_ack_delay_us: ack_delay.unwrap_or(told.max_ack_delay_us),
            receive_buffer: receive_buffer.unwrap_or(told.receive_buffer),
            original_id,
            reset_token,
            ..told
        })
    }
}

fn put(out: &mut Vec<u8>, id: u64, value: &[u8]) {
    // A vector has room, and ids and lengths are small: both calls succeed.
    let _ = out.varint(id).and_then(|()| out.prefixed(value));
}

fn put_number(out: &mut Vec<u8>, id: u64, value: u64, range: RangeInclusive<u64>) {
    let mut bytes = [0; 8];
    let value = value.clamp(*range.start(), *range.end());
    if let Some(len) = varint::write(&mut bytes, value) {
        put(out, id, &bytes[..len]);
    }
}

fn set<T>(place: &mut Option<T>, id: u64, value: T) -> Result<(), ParamsError> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(ParamsError::Duplicate(id)),
    }
}

fn connection_id(id: u64, value: &[u8]) -> Result<ConnectionId, ParamsError> {
    let bytes = value.try_into().map_err(|_| ParamsError::BadValue(id))?;
    Ok(ConnectionId(bytes))
}

fn number(id: u64, mut value: &[u8], range: RangeInclusive<u64>) -> Result<u64, ParamsError> {
    match varint::read(&mut value) {
        Ok(number) if value.is_empty() && range.contains(&number) => Ok(number),
        _ => Err(ParamsError::BadValue(id)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ID: ConnectionId = ConnectionId([7; 8]);

    fn source_id() -> Vec<u8> {
        let mut out = Vec::new();
        put(&mut out, SOURCE_ID, &ID.0);
        out
    }

    #[test]
    fn what_is_not_told_has_a_default() {
        let bytes = source_id();
        assert_eq!(
            TransportParams::decode(&bytes),
            Ok(TransportParams::new(ID))
        );
        let missing = Err(ParamsError::Missing(SOURCE_ID));
        assert_eq!(TransportParams::decode(&[]), missing);
    }

    #[test]
    fn unknown_parameters_are_ignored() {
        let mut bytes = source_id();
        put(&mut bytes, 0x1234, b"whatever");
        put(&mut bytes, 0x1234, b"");
        assert_eq!(
            TransportParams::decode(&bytes),
            Ok(TransportParams::new(ID))
        );
    }

    #[test]
    fn duplicates_are_refused() {
        for id in [ORIGINAL_ID, SOURCE_ID] {
            let mut bytes = Vec::new();
            put(&mut bytes, id, &[1; 8]);
            put(&mut bytes, id, &[1; 8]);
            assert_eq!(
                TransportParams::decode(&bytes),
                Err(ParamsError::Duplicate(id))
            );
        }
        for id in [
            MAX_IDLE_TIMEOUT,
            MAX_DATAGRAM,
            MAX_ACK_DELAY,
            RECEIVE_BUFFER,
        ] {
            let mut bytes = source_id();
            put_number(&mut bytes, id, 2_000, 0..=2_000);
            put_number(&mut bytes, id, 2_000, 0..=2_000);
            assert_eq!(
                TransportParams::decode(&bytes),
                Err(ParamsError::Duplicate(id))
            );
        }
    }

    #[test]
    fn borders_are_checked() {
        let borders = [
            (MAX_IDLE_TIMEOUT, 999, 1_000, 600_000, Some(600_001)),
            (MAX_DATAGRAM, 1_199, 1_200, 65_527, Some(65_528)),
            (MAX_ACK_DELAY, 0, 0, 16_383_999, Some(16_384_000)),
            (RECEIVE_BUFFER, 0, 0, varint::MAX, None),
        ];
        let decode = |id, value| {
            let mut bytes = source_id();
            put_number(&mut bytes, id, value, 0..=varint::MAX);
            TransportParams::decode(&bytes)
        };
        for (id, below, first, last, above) in borders {
            let bad = Err(ParamsError::BadValue(id));
            assert!(below == first || decode(id, below) == bad);
            assert!(decode(id, first).is_ok() && decode(id, last).is_ok());
            assert!(above.is_none_or(|above| decode(id, above) == bad));
        }
        // A value longer or shorter than its number; an id of seven bytes.
        for (id, value) in [
            (MAX_DATAGRAM, &[0x45, 0, 0][..]),
            (MAX_DATAGRAM, &[]),
            (MAX_DATAGRAM, &[0x45]),
            (ORIGINAL_ID, &[0; 7]),
            (SOURCE_ID, &[0; 9]),
            (RESET_TOKEN, &[0; 15]),
        ] {
            let mut bytes = Vec::new();
            put(&mut bytes, id, value);
            assert_eq!(
                TransportParams::decode(&bytes),
                Err(ParamsError::BadValue(id))
            );
        }
        // Encoding keeps to the ranges whatever it is given.
        let mut bytes = Vec::new();
        let wild = TransportParams {
            max_idle_timeout_ms: 0,
            max_datagram: 0,
            max_ack_delay_us: u64::MAX,
            receive_buffer: u64::MAX,
            ..TransportParams::new(ID)
        };
        wild.encode(&mut bytes);
        let told = TransportParams::decode(&bytes).unwrap();
        assert_eq!(
            (told.max_idle_timeout_ms, told.max_datagram),
            (1_000, 1_200)
        );
        assert_eq!(
            (told.max_ack_delay_us, told.receive_buffer),
            (16_383_999, varint::MAX)
        );
    }

    proptest! {
        #[test]
        fn round_trip(
            max_idle_timeout_ms in IDLE_RANGE,
            max_datagram in 1_200..=65_527_u16,
            max_ack_delay_us in ACK_DELAY_RANGE,
            receive_buffer in 0..=varint::MAX,
            original_id in any::<Option<[u8; 8]>>(),
            reset_token in any::<Option<[u8; 16]>>(),
            source_id in any::<[u8; 8]>(),
        ) {
            let params = TransportParams {
                max_idle_timeout_ms,
                max_datagram,
                max_ack_delay_us,
                receive_buffer,
                original_id: original_id.map(ConnectionId),
                reset_token,
                source_id: ConnectionId(source_id),
            };
            let mut bytes = Vec::new();
            params.encode(&mut bytes);
            prop_assert_eq!(TransportParams::decode(&bytes), Ok(params));
            let cut = TransportParams::decode(&bytes[..bytes.len() - 1]);
            prop_assert_eq!(cut, Err(ParamsError::Truncated));
        }

        #[test]
        fn any_bytes_give_parameters_or_an_error(
            tail in prop::collection::vec(prop_oneof![any::<u8>(), 0..0x22_u8], 0..100),
        ) {
            let mut bytes = source_id();
            bytes.extend(tail);
            if let Ok(params) = TransportParams::decode(&bytes) {
                let mut again = Vec::new();
                params.encode(&mut again);
                prop_assert_eq!(TransportParams::decode(&again), Ok(params));
            }
        }
    }
}
