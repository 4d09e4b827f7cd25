//! What transports report, as errors with an exit code and advice.

use transport_std::{ClientError, CloseCause, CloseCode, ErrorCode, Failure, fingerprint};

use crate::exit::{Error, Exit};

/// An error of a client's call.
pub(crate) fn from_client(error: &ClientError) -> Error {
    match error {
        ClientError::Resolve(source) => Error::new(
            Exit::Unreachable,
            "resolve",
            format!("the server's name has no address: {source}"),
        )
        .hint("check the name and the network"),
        ClientError::NotReached {
            addresses,
            port_closed,
        } => {
            let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            not_reached(&addresses.join(", "), *port_closed)
        }
        ClientError::Untrusted { key, .. } => Error::new(
            Exit::Untrusted,
            "untrusted",
            format!("the server's key {} is not trusted", fingerprint(key)),
        ),
        ClientError::LoginRefused { address, key } => Error::new(
            Exit::Untrusted,
            "login-refused",
            format!(
                "the server {address} does not let your key {} in",
                fingerprint(key)
            ),
        )
        .hint(
            "give its owner the line that 'dhow key show' prints, for the server's authorized_keys",
        ),
        ClientError::Transfer { path, failure } => from_failure(*failure).about(path),
        ClientError::Local { path, source } => Error::io(crate::escape::path(path), source),
        ClientError::SessionLost { cause } => from_close(*cause),
        ClientError::Name { path, source } => {
            Error::new(Exit::Refused, "name-refused", source.to_string()).about(path)
        }
        ClientError::Filter { text } => Error::usage(text.clone()),
        other => Error::new(Exit::Other, "other", other.to_string()),
    }
}

fn not_reached(addresses: &str, port_closed: bool) -> Error {
    let error = |text| Error::new(Exit::Unreachable, "not-reached", text);
    if port_closed {
        error(format!(
            "nothing listens at {addresses}: the UDP port is closed"
        ))
        .hint("is 'dhow serve' running there, and is the port right (-P PORT, or dhow://host:PORT/path)?")
    } else {
        error(format!("no answer from {addresses}")).hint(
            "is the host right, is 'dhow serve' running there, and does every firewall on the way let UDP to this port through?",
        )
    }
}

/// Why a session ended.
pub(crate) fn from_close(cause: CloseCause) -> Error {
    let interrupted = |text: &str| {
        Error::new(Exit::Interrupted, "session-lost", text).hint("run the same command again")
    };
    match cause {
        CloseCause::TimedOut => interrupted("the other side went silent"),
        CloseCause::Reset => interrupted("the server was restarted"),
        CloseCause::Peer(CloseCode::ShuttingDown) => interrupted("the server is shutting down"),
        CloseCause::Here(CloseCode::Stalled) | CloseCause::Peer(CloseCode::Stalled) => {
            interrupted("next to nothing moved for a minute")
        }
        CloseCause::Here(CloseCode::NoError) => interrupted("the session was closed here"),
        CloseCause::HandshakeTimedOut => Error::new(
            Exit::Unreachable,
            "not-reached",
            "the handshake was not finished in time",
        )
        .hint("does every firewall on the way let UDP through?"),
        CloseCause::Peer(CloseCode::Refused) => Error::new(
            Exit::Untrusted,
            "login-refused",
            "the server closed the session: it does not let your key in any more",
        )
        .hint("ask its owner; what is there of a job stays for seven days, and the same command goes on with it"),
        CloseCause::Peer(CloseCode::Busy) => {
            Error::new(Exit::Other, "busy", "the server has too many sessions")
                .hint("try again later")
        }
        CloseCause::Here(CloseCode::Crypto(alert)) | CloseCause::Peer(CloseCode::Crypto(alert)) => {
            Error::new(
                Exit::Untrusted,
                "handshake",
                format!("the handshake failed (TLS alert {alert})"),
            )
            .hint("do both sides run the same version of dhow?")
        }
        CloseCause::Here(code) => Error::new(
            Exit::Other,
            "protocol",
            format!("the session was closed here: {code:?}"),
        ),
        CloseCause::Peer(code) => Error::new(
            Exit::Other,
            "protocol",
            format!("the other side closed the session: {code:?}"),
        ),
    }
}

/// Puts an error of an exchange in the classic dialect right, where it has other causes than in a session.
pub(crate) fn in_classic_words(error: &mut Error) {
    let (text, hint) = match error.code {
        "too-large" => (
            "larger than 2147483647 bytes: the classic dialect cannot carry it",
            "a server of dhow's own takes it: host:path",
        ),
        "integrity" => (
            "the server counted a repeated piece twice: what it stored is damaged",
            "try again; the original server cannot stand lost messages",
        ),
        "session-lost" => (
            "the server fell silent in mid-transfer",
            "run the same command again",
        ),
        "name-refused" => (
            "the classic dialect carries names of 1 to 255 bytes without slashes and control characters",
            "give it another name",
        ),
        _ => return,
    };
    let subject = error.text.split(": ").next().unwrap_or_default();
    error.text = format!("{subject}: {text}");
    error.hint = Some(hint.to_owned());
}

/// Why a transfer ended.
pub(crate) fn from_failure(failure: Failure) -> Error {
    match failure {
        Failure::Refused(code) | Failure::Peer(code) => from_code(code),
        Failure::Here(ErrorCode::Cancelled) => {
            Error::new(Exit::Interrupted, "interrupted", "interrupted")
                .hint("nothing was left under the target's name; run the same command again")
        }
        Failure::Here(ErrorCode::NotRegular) => Error::new(
            Exit::Refused,
            "not-regular",
            "is a link, a device or something else that is no regular file (on this side)",
        )
        .hint("name the file that it stands for, or another target"),
        Failure::Here(code) => {
            let mut error = from_code(code);
            error.text.push_str(" (on this side)");
            error
        }
        Failure::NoAnswer => Error::new(
            Exit::Unreachable,
            "not-reached",
            "no answer to ten tries: no classic server is there, or it does not do this and cannot say so",
        )
        .hint(
            "is it running, is the name one that it lists, may everyone do this there, and does every firewall let UDP to this port through?",
        ),
        Failure::SessionLost => Error::new(
            Exit::Interrupted,
            "session-lost",
            "the session ended in mid-transfer",
        )
        .hint("nothing was left under the target's name; run the same command again"),
    }
}

/// A code of the protocol: exit code, name, words, advice.
pub(crate) fn from_code(code: ErrorCode) -> Error {
    use ErrorCode as E;
    use Exit::{Integrity, Interrupted, NotFound, Other, Refused};
    let (exit, name, text, hint) = match code {
        E::NotFound => (
            NotFound,
            "not-found",
            "no such file or directory",
            "'dhow ls' shows what is there",
        ),
        E::Denied => (Refused, "denied", "the operating system denies access", ""),
        E::IsDirectory => (
            Refused,
            "is-directory",
            "is a directory, where a file is needed",
            "",
        ),
        E::NotDirectory => (NotFound, "not-directory", "is not a directory", ""),
        E::NotRegular => (
            Refused,
            "not-regular",
            "is not a regular file, or reached through a link that is not followed",
            "links are followed when reading, inside the shared directory; name the file itself",
        ),
        E::Exists => (
            Refused,
            "exists",
            "exists already and is not replaced",
            "leave out --no-clobber to replace it",
        ),
        E::NoSpace => (
            Other,
            "no-space",
            "no space left at the receiver",
            "free some and try again",
        ),
        E::ReadOnly => (
            Refused,
            "read-only",
            "you may only read there",
            "ask the server's owner for the right to write",
        ),
        E::NameRefused => (
            Refused,
            "name-refused",
            "this name is not allowed: control characters, or one that dhow keeps for itself",
            "choose another name",
        ),
        E::TooLarge => (
            Other,
            "too-large",
            "larger than the receiver's file system can hold",
            "",
        ),
        E::Quota => (
            Refused,
            "quota",
            "your quota is used up",
            "delete files there, or ask the server's owner",
        ),
        E::SourceChanged => (
            Other,
            "source-changed",
            "the file changed while it was sent",
            "try again when it is at rest",
        ),
        E::LinkRefused => (
            Refused,
            "link-refused",
            "a symbolic link that may lead out of the copied directory",
            "",
        ),
        E::NameCollision => (
            Refused,
            "name-collision",
            "the file system takes the name for that of another file: case or Unicode form differ",
            "give one of the two another name",
        ),
        E::NotEmpty => (Refused, "not-empty", "the directory is not empty", ""),
        E::Integrity => (
            Integrity,
            "integrity",
            "the data's hash is wrong; nothing was stored",
            "try again; if it stays, check the disks and memory of both machines",
        ),
        E::Io => (
            Other,
            "io",
            "input/output error",
            "the disk may be at fault: see the system's log there",
        ),
        E::Busy => (Other, "busy", "out of files or memory", "try again later"),
        E::Cancelled => (
            Interrupted,
            "interrupted",
            "cancelled by the other side",
            "run the same command again",
        ),
        E::TimedOut => (Other, "timed-out", "no decision in time", "try again"),
        E::Unsupported => (
            Other,
            "unsupported",
            "the other side does not know this request",
            "do both sides run the same version of dhow?",
        ),
        E::TargetChanged => (
            Refused,
            "target-changed",
            "the target was changed by someone else meanwhile",
            "look at it, then try again",
        ),
        E::Other(number) => {
            return Error::new(Other, "other", format!("failed with code {number}"));
        }
    };
    let error = Error::new(exit, name, text);
    if hint.is_empty() {
        error
    } else {
        error.hint(hint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exit_of(code: ErrorCode) -> u8 {
        from_failure(Failure::Refused(code)).exit as u8
    }

    #[test]
    fn exit_codes_of_transfers() {
        use ErrorCode as E;
        assert_eq!(exit_of(E::NotFound), 5);
        for code in [
            E::Denied,
            E::IsDirectory,
            E::Exists,
            E::ReadOnly,
            E::NameRefused,
            E::Quota,
        ] {
            assert_eq!(exit_of(code), 6, "{code:?}");
        }
        assert_eq!(exit_of(E::Integrity), 7);
        for code in [E::NoSpace, E::Io, E::Busy, E::Other(99)] {
            assert_eq!(exit_of(code), 1, "{code:?}");
        }
        assert_eq!(from_failure(Failure::SessionLost).exit as u8, 75);
        assert_eq!(from_failure(Failure::Here(E::Cancelled)).exit as u8, 75);
        assert!(
            from_failure(Failure::Here(E::NoSpace))
                .text
                .ends_with("(on this side)")
        );
    }

    #[test]
    fn a_rule_that_cannot_be_read_is_a_usage_error() {
        let text = "'[': unclosed".to_owned();
        let error = from_client(&ClientError::Filter { text });
        assert_eq!((error.exit as u8, error.code), (2, "usage"));
    }

    #[test]
    fn exit_codes_of_sessions() {
        let exit = |cause| from_close(cause).exit as u8;
        assert_eq!(exit(CloseCause::TimedOut), 75);
        assert_eq!(exit(CloseCause::Peer(CloseCode::ShuttingDown)), 75);
        assert_eq!(exit(CloseCause::HandshakeTimedOut), 3);
        assert_eq!(exit(CloseCause::Peer(CloseCode::Refused)), 4);
        assert_eq!(exit(CloseCause::Peer(CloseCode::ProtocolViolation)), 1);
    }

    #[test]
    fn a_classic_servers_errors_have_their_own_words() {
        let mut error = from_code(ErrorCode::TooLarge).about("a");
        in_classic_words(&mut error);
        assert!(error.text.starts_with("a: larger than 2147483647"));
        let silent = from_failure(Failure::NoAnswer);
        assert_eq!((silent.exit as u8, silent.code), (3, "not-reached"));
        let mut missing = from_code(ErrorCode::NotFound).about("a");
        let before = missing.clone();
        in_classic_words(&mut missing);
        assert_eq!(missing, before);
    }

    #[test]
    fn a_closed_port_and_silence_have_different_advice() {
        let closed = not_reached("127.0.0.1:1", true);
        let silent = not_reached("127.0.0.1:1", false);
        assert_eq!(
            (closed.exit, silent.exit),
            (Exit::Unreachable, Exit::Unreachable)
        );
        assert!(closed.hint.unwrap().contains("running"));
        assert!(silent.hint.unwrap().contains("UDP"));
    }
}
