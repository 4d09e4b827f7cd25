//! What an operand of `get`, `put`, `ls` and `stat` means: a local path, or a path on a server.
//!
//! | operand | meaning |
//! |---|---|
//! | `host:path`, `user@host:path` | remote; the first colon before any slash decides, as with scp |
//! | `[2001:db8::1]:path` | remote; IPv6 addresses stand in brackets |
//! | `dhow://host/path`, `dhow://host:port/path` | remote |
//! | `classic://host/name`, `classic://host:port/name` | remote, in the classic dialect: one directory, single names |
//! | `C:\x`, `C:x` on Windows, `./a:b`, `/a:b`, `name` | local |
//!
//! Paths are literal bytes: there is no percent-decoding. A remote path is relative to what the server shares, so
//! `host:/a`, `host:a` and `host:./a` are the same.

use std::ffi::OsStr;
use std::fmt;
use std::net::Ipv6Addr;
use std::path::PathBuf;

use transport_std::FilePath;

use crate::escape::{self, Escaped};
use crate::exit::Error;

/// The port that servers listen on unless told otherwise.
pub(crate) const DEFAULT_PORT: u16 = 4917;

/// One operand.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Operand {
    /// A path of this machine.
    Local(PathBuf),
    /// A path of a server.
    Remote(Remote),
}

/// A path on a server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Remote {
    /// Before the `@`. Keys tell who a user is, so that the name is of no consequence yet.
    pub(crate) user: Option<String>,
    /// A name or an address, without brackets.
    pub(crate) host: String,
    /// Given in a `dhow://` or `classic://` operand.
    pub(crate) port: Option<u16>,
    /// The server speaks the classic dialect.
    pub(crate) classic: bool,
    /// Relative to what the server shares.
    pub(crate) path: FilePath,
    /// It was written with a slash at the end: it must be a directory.
    pub(crate) is_directory: bool,
}

impl Operand {
    /// Reads an operand.
    ///
    /// # Errors
    /// A usage error that says how to write what was probably meant.
    pub(crate) fn parse(text: &OsStr) -> Result<Self, Error> {
        let bytes = text.as_encoded_bytes();
        if bytes.is_empty() {
            return Err(Error::usage("an empty operand: name a file or host:path"));
        }
        for (scheme, classic) in [(&b"dhow://"[..], false), (b"classic://", true)] {
            if let Some(rest) = bytes.strip_prefix(scheme) {
                return parse_url(rest, classic)
                    .map(Self::Remote)
                    .map_err(|error| error.about(escape::os(text)));
            }
        }
        match split_at_colon(bytes) {
            Some((host, path)) if !is_drive(host, path) => parse_scp(host, path)
                .map(Self::Remote)
                .map_err(|error| error.about(escape::os(text))),
            _ => Ok(Self::Local(PathBuf::from(text))),
        }
    }
}

impl Remote {
    /// The port to connect to: in the operand, else `-P`, else the default.
    pub(crate) fn port_or(&self, flag: Option<u16>) -> u16 {
        self.port.or(flag).unwrap_or(DEFAULT_PORT)
    }

    /// The same server with another path.
    pub(crate) fn with_path(&self, path: FilePath) -> Self {
        Self {
            path,
            is_directory: false,
            ..self.clone()
        }
    }
}

/// As an operand, escaped.
impl fmt::Display for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = Escaped(self.path.as_bytes());
        let host = Bracketed(&self.host);
        match self.port {
            None if self.classic => write!(f, "classic://{host}/{path}"),
            Some(port) if self.classic => write!(f, "classic://{host}:{port}/{path}"),
            None => write!(f, "{host}:{path}"),
            Some(port) => write!(f, "dhow://{host}:{port}/{path}"),
        }
    }
}

/// A host, in brackets when it holds colons.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bracketed<'a>(pub(crate) &'a str);

impl fmt::Display for Bracketed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.contains(':') {
            write!(f, "[{}]", self.0)
        } else {
            f.write_str(self.0)
        }
    }
}

/// The text before and after the colon that makes an operand remote. Colons in brackets do not count.
fn split_at_colon(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut in_brackets = false;
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'[' => in_brackets = true,
            b']' => in_brackets = false,
            b'/' => return None,
            b':' if !in_brackets => return Some((&bytes[..at], &bytes[at + 1..])),
            _ => {}
        }
    }
    None
}

/// Whether `host:path` is a path with a drive letter.
fn is_drive(host: &[u8], path: &[u8]) -> bool {
    matches!(host, [letter] if letter.is_ascii_alphabetic())
        && (cfg!(windows) || path.starts_with(b"\\"))
}

fn parse_scp(host: &[u8], path: &[u8]) -> Result<Remote, Error> {
    if path.starts_with(b"//") {
        return Err(Error::usage("unknown scheme")
            .hint("write host:path or dhow://host/path; ./a:b for a local file of that name"));
    }
    if host.is_empty() || looks_like_ipv6(host, path) {
        return Err(Error::usage("no host before the colon").hint(
            "IPv6 addresses stand in brackets: [2001:db8::1]:path; for other names with colons \
             write ./a:b (local) or dhow://host/a:b",
        ));
    }
    let (user, host) = split_user(host)?;
    let (path, is_directory) = parse_path(path)?;
    Ok(Remote {
        user,
        host: parse_host(host)?,
        port: None,
        classic: false,
        path,
        is_directory,
    })
}

/// Whether this begins with three groups of an IPv6 address: `2001:db8::1:path` would be taken as the host `2001`.
fn looks_like_ipv6(host: &[u8], path: &[u8]) -> bool {
    let is_hex = |group: &[u8]| group.len() <= 4 && group.iter().all(u8::is_ascii_hexdigit);
    is_hex(host)
        && path
            .split(|&b| b == b':')
            .take_while(|group| is_hex(group))
            .count()
            >= 2
}

fn parse_url(rest: &[u8], classic: bool) -> Result<Remote, Error> {
    let slash = rest.iter().position(|&b| b == b'/');
    let (authority, path) = match slash {
        Some(at) => (&rest[..at], &rest[at..]),
        None => (rest, &b""[..]),
    };
    let (user, address) = split_user(authority)?;
    let (host, port) = match split_at_colon(address) {
        Some((host, port)) => (host, Some(parse_port(port)?)),
        None => (address, None),
    };
    let (path, is_directory) = parse_path(path)?;
    if classic && (path.components().count() > 1 || (is_directory && !path.is_root())) {
        return Err(
            Error::usage("a classic server has one directory, and names without slashes")
                .hint("write classic://host:port/name; 'dhow ls classic://host:port/' lists them"),
        );
    }
    if classic && user.is_some() {
        return Err(Error::usage("the classic dialect knows no users"));
    }
    Ok(Remote {
        user,
        host: parse_host(host)?,
        port,
        classic,
        path,
        is_directory,
    })
}

/// The user's name, and what follows the last `@`.
fn split_user(bytes: &[u8]) -> Result<(Option<String>, &[u8]), Error> {
    let Some(at) = bytes.iter().rposition(|&b| b == b'@') else {
        return Ok((None, bytes));
    };
    let is_fine = |&b: &u8| b.is_ascii_graphic() && b != b'@' && b != b':';
    match std::str::from_utf8(&bytes[..at]) {
        Ok(user) if !user.is_empty() && user.bytes().all(|b| is_fine(&b)) => {
            Ok((Some(user.to_owned()), &bytes[at + 1..]))
        }
        _ => Err(Error::usage("not a user name before the @")
            .hint("write ./NAME for a local file whose name looks like this")),
    }
}

fn parse_host(bytes: &[u8]) -> Result<String, Error> {
    let wrong = || {
        Error::usage(format!("'{}' is not a host", Escaped(bytes)))
            .hint("write host:path or [IPv6]:path; ./a:b for a local file of that name")
    };
    let text = std::str::from_utf8(bytes).map_err(|_| wrong())?;
    if let Some(inner) = text.strip_prefix('[') {
        let inner = inner.strip_suffix(']').ok_or_else(wrong)?;
        let (address, zone) = inner.split_once('%').unwrap_or((inner, "0"));
        let zone_is_fine = !zone.is_empty() && zone.bytes().all(is_host_byte);
        return match address.parse::<Ipv6Addr>() {
            Ok(_) if zone_is_fine => Ok(inner.to_owned()),
            _ => Err(wrong()),
        };
    }
    let is_fine = !text.is_empty()
        && text.len() <= 253
        && !text.starts_with('-')
        && text.bytes().all(is_host_byte);
    if is_fine {
        Ok(text.to_owned())
    } else {
        Err(wrong())
    }
}

fn is_host_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_')
}

fn parse_port(bytes: &[u8]) -> Result<u16, Error> {
    let number = std::str::from_utf8(bytes)
        .ok()
        .filter(|text| text.bytes().all(|b| b.is_ascii_digit()))
        .and_then(|text| text.parse::<u16>().ok());
    match number {
        Some(port) if port != 0 => Ok(port),
        _ => Err(Error::usage(format!("'{}' is not a port", Escaped(bytes)))),
    }
}

/// A path below what the server shares: slashes at either end, doubled ones and `.` do not count.
fn parse_path(bytes: &[u8]) -> Result<(FilePath, bool), Error> {
    if cfg!(windows) && std::str::from_utf8(bytes).is_err() {
        return Err(Error::usage("this name cannot be written on this system"));
    }
    let names: Vec<&[u8]> = bytes
        .split(|&b| b == b'/')
        .filter(|name| !name.is_empty() && *name != b".")
        .collect();
    let path =
        FilePath::parse(&names.join(&b'/')).map_err(|error| Error::usage(error.to_string()))?;
    let is_directory = bytes.ends_with(b"/") || bytes.ends_with(b"/.") || names.is_empty();
    Ok((path, is_directory))
}

#[cfg(test)]
mod tests;
