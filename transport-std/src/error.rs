//! Why a client's call failed.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use proto_core::crypto::PublicKey;
use proto_core::wire::PathError;
use proto_core::{CloseCause, Failure};

use crate::fingerprint;

/// Why a client's call failed. The text says what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The server's name has no address.
    #[error("the server's address cannot be found: {0}. Check the name and the network")]
    Resolve(#[source] io::Error),
    /// This machine gave no socket, threads or randomness, or waiting for the socket failed.
    #[error("this machine cannot talk UDP: {0}")]
    Socket(#[source] io::Error),
    /// Nobody answered at any address.
    #[error("no server answers at {}: {}", list(addresses), closed_hint(*port_closed))]
    NotReached {
        /// What was tried.
        addresses: Vec<SocketAddr>,
        /// The machine said that nothing listens at the port; otherwise there was only silence.
        port_closed: bool,
    },
    /// The server holds another key than the one expected, or the key was not accepted.
    #[error("{}", untrusted(key, expected.as_ref()))]
    Untrusted {
        /// The server's key.
        key: PublicKey,
        /// The key that it should have; `None` when [`Trust::Ask`](crate::Trust::Ask) said no.
        expected: Option<PublicKey>,
    },
    /// The server does not admit this client's key.
    #[error(
        "the server {address} does not know your key {}: ask its owner to add it to the authorized keys",
        fingerprint(key)
    )]
    LoginRefused {
        /// The server.
        address: SocketAddr,
        /// This client's key.
        key: PublicKey,
    },
    /// The transfer was refused or failed; nothing under the target's name was touched.
    #[error("{path}: {}", failure_text(failure))]
    Transfer {
        /// The remote path, or the local one when this end failed; escaped.
        path: String,
        /// What happened.
        failure: Failure,
    },
    /// A local file or directory cannot be used.
    #[error("{}: {source}", path.display())]
    Local {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The session ended before the answer came.
    #[error("{}", lost_text(cause))]
    SessionLost {
        /// Why.
        cause: CloseCause,
    },
    /// The remote path cannot be asked for.
    #[error("{path}: {source}")]
    Name {
        /// The path, escaped.
        path: String,
        /// What is wrong with it.
        #[source]
        source: PathError,
    },
    /// A rule of the filter cannot be read.
    #[error("{text}")]
    Filter {
        /// The rule, and what is wrong with it.
        text: String,
    },
}

fn list(addresses: &[SocketAddr]) -> String {
    let texts: Vec<_> = addresses.iter().map(SocketAddr::to_string).collect();
    texts.join(", ")
}

fn closed_hint(port_closed: bool) -> &'static str {
    if port_closed {
        "the port is closed. Is the server running, and is the port right?"
    } else {
        "there was only silence. Is the host right, and does a firewall let UDP through?"
    }
}

fn untrusted(key: &PublicKey, expected: Option<&PublicKey>) -> String {
    let found = fingerprint(key);
    match expected {
        Some(expected) => format!(
            "the server's key is {found}, not {}: this may be another machine in its place. Connect only after its owner \
             has confirmed the new key",
            fingerprint(expected)
        ),
        None => format!("the server's key {found} was not accepted"),
    }
}

fn lost_text(cause: &CloseCause) -> String {
    use proto_core::wire::CloseCode;
    match cause {
        CloseCause::TimedOut => {
            "the server went silent: run the same command again to go on".into()
        }
        CloseCause::Reset => "the server was restarted: run the same command again to go on".into(),
        CloseCause::HandshakeTimedOut => "the server did not finish the handshake in time".into(),
        CloseCause::Here(_) => "the session was closed here".into(),
        CloseCause::Peer(CloseCode::ShuttingDown) => {
            "the server is shutting down: try again later".into()
        }
        CloseCause::Peer(CloseCode::Refused) => {
            "the server does not let this key in any more".into()
        }
        CloseCause::Peer(CloseCode::Busy) => {
            "the server has too many sessions: try again later".into()
        }
        CloseCause::Peer(code) => format!("the server closed the session ({code:?})"),
    }
}

fn failure_text(failure: &Failure) -> String {
    match failure {
        Failure::Here(code) => format!("{} (at this end)", code_text(*code)),
        Failure::Peer(code) | Failure::Refused(code) => code_text(*code),
        Failure::SessionLost => {
            "the session ended first: run the same command again to go on".into()
        }
        Failure::NoAnswer => "no answer to ten tries".into(),
    }
}

/// An error code in words, with what to do about it.
pub fn code_text(code: proto_core::wire::ErrorCode) -> String {
    use proto_core::wire::ErrorCode as E;
    let text = match code {
        E::NotFound => "no such file or directory",
        E::Denied => "permission denied by the operating system",
        E::IsDirectory => "is a directory",
        E::NotDirectory => "is not a directory",
        E::NotRegular => "is not a regular file, or a link that leaves the shared directory",
        E::Exists => "exists already and may not be replaced",
        E::NoSpace => "no space left where the file shall go: free some and try again",
        E::ReadOnly => "you may only read here: ask the server's owner for write access",
        E::NameRefused => {
            "the name is not allowed (control characters, or reserved): choose another"
        }
        E::TooLarge => "too large for the file system where it shall go",
        E::Quota => "your quota is used up",
        E::SourceChanged => "the source changed while it was sent: try again",
        E::Integrity => "the data's hash is wrong: nothing was stored",
        E::Io => "input/output error",
        E::Busy => "out of files or memory: try again later",
        E::Cancelled => "cancelled",
        E::TimedOut => "no decision in time",
        E::Unsupported => "not supported by the server",
        E::TargetChanged => "the target was changed by someone else meanwhile",
        E::LinkRefused => "a symbolic link that may lead out of the copied directory: not made",
        E::NotEmpty => "the directory is not empty",
        E::NameCollision => {
            "here, the name is that of another file of the directory: case or Unicode form differ"
        }
        E::Other(number) => return format!("failed with code {number}"),
    };
    text.into()
}

/// A peer's or a disk's bytes as text that is safe to show: what is neither text nor harmless is escaped (C4).
pub(crate) fn shown(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            let turns_text = matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
            if character.is_control() || turns_text {
                text.extend(character.escape_unicode());
            } else {
                text.push(character);
            }
        }
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c4_what_could_harm_a_terminal_is_escaped() {
        assert_eq!(shown("plain ü 漢".as_bytes()), "plain ü 漢");
        assert_eq!(
            shown(b"a\x1b[31m\n\xff\xc3"),
            "a\\u{1b}[31m\\u{a}\\xff\\xc3"
        );
        assert_eq!(shown("\u{202e}\u{9b}".as_bytes()), "\\u{202e}\\u{9b}");
        assert_eq!(shown(b""), "");
    }
}
