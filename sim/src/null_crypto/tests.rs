use super::*;

#[test]
fn what_is_sealed_stays_readable() {
    let provider = NullProvider {
        key: PublicKey([1; 32]),
    };
    let mut client = provider.client(ConnectionId([9; 8]), b"").unwrap();
    let mut packet = [5; 40];
    client.seal(Level::Initial, 0, b"", &mut packet).unwrap();
    assert_eq!(packet[..24], [5; 24]);
    assert_ne!(packet[24..], [5; 16]);
}

#[test]
fn malformed_messages_end_in_the_alert_that_fits() {
    let provider = NullProvider {
        key: PublicKey([1; 32]),
    };
    let read = |bytes: &[u8]| {
        let mut server = provider.server(ConnectionId([9; 8]), b"").unwrap();
        server.read_handshake(Level::Initial, bytes)
    };
    assert_eq!(read(&[1, 0, 0, 41]), Err(DECODE_ERROR));
    assert_eq!(read(&[1, 0, 64, 1]), Err(DECODE_ERROR));
    assert_eq!(read(&[2, 0, 1, 0]), Err(UNEXPECTED_MESSAGE));
    assert_eq!(read(&[1, 0, 1, 0]), Ok(()));
    assert_eq!(
        read(&[&[1, 0, 0, 42][..], &[0; 42]].concat()),
        Err(DECRYPT_ERROR)
    );
    assert_eq!(
        read(&[&[1, 0, 0, 42][..], &[0; 43]].concat()),
        Err(UNEXPECTED_MESSAGE)
    );
}
