//! Names between this system and the wire: bytes on Unix, UTF-8 elsewhere. Nothing is changed silently (F6).

use std::ffi::{OsStr, OsString};

#[cfg(not(unix))]
use crate::escape::{self, Escaped};
use crate::exit::{Error, Exit};

/// A name of this system as it travels.
///
/// # Errors
/// Not on Unix: a name that is no Unicode.
pub(crate) fn to_wire(name: &OsStr) -> Result<Vec<u8>, Error> {
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        Ok(name.as_bytes().to_vec())
    }
    #[cfg(not(unix))]
    {
        let text = name
            .to_str()
            .ok_or_else(|| unrepresentable(&escape::os(name)))?;
        Ok(text.as_bytes().to_vec())
    }
}

/// A name that came over the wire, for this system.
///
/// # Errors
/// This system cannot hold it.
pub(crate) fn from_wire(name: &[u8]) -> Result<OsString, Error> {
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        Ok(OsStr::from_bytes(name).to_owned())
    }
    #[cfg(not(unix))]
    {
        let shown = || Escaped(name).to_string();
        let text = std::str::from_utf8(name).map_err(|_| unrepresentable(&shown()))?;
        if is_windows_name(text) {
            Ok(OsString::from(text))
        } else {
            Err(unrepresentable(&shown()))
        }
    }
}

/// What Windows can hold as a file name (F9).
#[cfg_attr(unix, allow(dead_code))]
fn is_windows_name(name: &str) -> bool {
    const DEVICES: [&str; 4] = ["CON", "PRN", "AUX", "NUL"];
    let has_bad = name.chars().any(|c| c < ' ' || "<>:\"|?*\\/".contains(c));
    let stem = name
        .split('.')
        .next()
        .unwrap_or(name)
        .trim_end()
        .to_ascii_uppercase();
    let is_port = ["COM", "LPT"].iter().any(|port| {
        stem.strip_prefix(port)
            .is_some_and(|n| n.chars().count() == 1 && "123456789¹²³".contains(n))
    });
    !has_bad && !name.ends_with(['.', ' ']) && !DEVICES.contains(&stem.as_str()) && !is_port
}

#[cfg_attr(unix, allow(dead_code))]
fn unrepresentable(shown: &str) -> Error {
    Error::new(
        Exit::Refused,
        "name-refused",
        format!("{shown}: this system cannot hold such a name"),
    )
    .hint("give the target a name of its own")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn bytes_stay() {
        for name in [&b"a"[..], b"\xff\xfe", b"a b", "ü".as_bytes()] {
            assert_eq!(to_wire(&from_wire(name).unwrap()).unwrap(), name);
        }
    }

    #[test]
    fn f9_windows_names() {
        for name in ["a", "com", "com10", "console.txt", "a.b", "nul_", "ü"] {
            assert!(is_windows_name(name), "{name}");
        }
        for name in [
            "con", "NUL.txt", "com1", "LPT9.x", "com¹", "a.", "a ", "a:b", "a\\b", "a?", "a\n",
            "aux .c",
        ] {
            assert!(!is_windows_name(name), "{name}");
        }
        assert!(unrepresentable("x").text.contains("cannot hold"));
    }
}
