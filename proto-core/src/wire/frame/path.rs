//! Frames of connection ids and paths: NEW_CONNECTION_ID, RETIRE_CONNECTION_ID, PATH_CHALLENGE, PATH_RESPONSE
//! (RFC 9000 §19.15 to §19.18, with ids of one length).

use super::super::cursor::{Sink, read_array};
use super::super::{ConnectionId, WireError, varint};
use super::Frame;

// NEW_CONNECTION_ID: sequence (varint), retire_prior_to (varint, at most sequence), id (8 bytes), token (16 bytes).

pub(super) fn encode_new_id(
    out: &mut impl Sink,
    sequence: u64,
    retire_prior_to: u64,
    id: ConnectionId,
    token: &[u8; 16],
) -> Option<()> {
    if retire_prior_to > sequence {
        return None;
    }
    out.varint(sequence)?;
    out.varint(retire_prior_to)?;
    out.bytes(&id.0)?;
    out.bytes(token)
}

pub(super) fn decode_new_id<'a>(bytes: &mut &'a [u8]) -> Result<Frame<'a>, WireError> {
    let sequence = varint::read(bytes)?;
    let retire_prior_to = varint::read(bytes)?;
    let id = ConnectionId(*read_array(bytes)?);
    let token = read_array(bytes)?;
    if retire_prior_to > sequence {
        return Err(WireError::BadValue);
    }
    Ok(Frame::NewConnectionId {
        sequence,
        retire_prior_to,
        id,
        token,
    })
}

// RETIRE_CONNECTION_ID: sequence (varint).

pub(super) fn decode_retire_id<'a>(bytes: &mut &'a [u8]) -> Result<Frame<'a>, WireError> {
    let sequence = varint::read(bytes)?;
    Ok(Frame::RetireConnectionId { sequence })
}

// PATH_CHALLENGE and PATH_RESPONSE: data (8 bytes).

pub(super) fn decode_challenge<'a>(bytes: &mut &'a [u8]) -> Result<Frame<'a>, WireError> {
    let data = *read_array(bytes)?;
    Ok(Frame::PathChallenge { data })
}

pub(super) fn decode_response<'a>(bytes: &mut &'a [u8]) -> Result<Frame<'a>, WireError> {
    let data = *read_array(bytes)?;
    Ok(Frame::PathResponse { data })
}
