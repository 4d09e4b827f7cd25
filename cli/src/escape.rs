//! Names and texts of others, made harmless for a terminal or a log line (C4, L1).
//!
//! Control characters (C0, DEL, C1), characters that reorder, hide or break text (bidi controls, line separators,
//! zero-width characters, tags) and bytes that are no UTF-8 become `\xNN` or `\u{…}`. A backslash becomes `\\`, so that
//! the result tells every name apart from every other.

use std::ffi::OsStr;
use std::fmt::{self, Display, Write as _};
use std::path::Path;

/// Shows bytes escaped, on one line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Escaped<'a>(pub(crate) &'a [u8]);

/// Shows a name of this system escaped.
pub(crate) fn os(name: &OsStr) -> String {
    Escaped(name.as_encoded_bytes()).to_string()
}

/// Shows a path of this system escaped.
pub(crate) fn path(path: &Path) -> String {
    os(path.as_os_str())
}

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for c in chunk.valid().chars() {
                match c {
                    '\\' => f.write_str("\\\\")?,
                    c if c.is_ascii() && is_hidden(c) => write!(f, "\\x{:02x}", c as u32)?,
                    c if is_hidden(c) => write!(f, "\\u{{{:x}}}", c as u32)?,
                    c => f.write_char(c)?,
                }
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

/// Whether a character acts on the terminal or the text around it instead of showing itself.
pub(crate) fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' // soft hyphen
            | '\u{34f}' // combining grapheme joiner
            | '\u{61c}' // Arabic letter mark
            | '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' // Hangul fillers
            | '\u{180e}' // Mongolian vowel separator
            | '\u{200b}'..='\u{200f}' // zero width, directional marks
            | '\u{2028}'..='\u{202e}' // line and paragraph separators, bidi embeddings and overrides
            | '\u{2060}'..='\u{206f}' // word joiner, invisible operators, bidi isolates
            | '\u{feff}' // byte order mark
            | '\u{fff9}'..='\u{fffb}' // interlinear annotation
            | '\u{e0000}'..='\u{e0fff}' // tags, variation selectors supplement
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn escaped(bytes: &[u8]) -> String {
        Escaped(bytes).to_string()
    }

    /// Undoes the escaping; fails where the text is not what `Escaped` writes.
    fn unescape(text: &str) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            rest = &rest[c.len_utf8()..];
            if c != '\\' {
                bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                continue;
            }
            if let Some(tail) = rest.strip_prefix('\\') {
                bytes.push(b'\\');
                rest = tail;
            } else if let Some(tail) = rest.strip_prefix('x') {
                bytes.push(u8::from_str_radix(tail.get(..2)?, 16).ok()?);
                rest = &tail[2..];
            } else {
                let (digits, tail) = rest.strip_prefix("u{")?.split_once('}')?;
                let c = char::from_u32(u32::from_str_radix(digits, 16).ok()?)?;
                bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                rest = tail;
            }
        }
        Some(bytes)
    }

    fn is_harmless(text: &str) -> bool {
        !text.chars().any(is_hidden)
    }

    #[test]
    fn every_byte() {
        for byte in 0..=255_u8 {
            let text = escaped(&[byte]);
            match byte {
                b'\\' => assert_eq!(text, "\\\\"),
                0x20..0x7f => assert_eq!(text.as_bytes(), [byte]),
                _ => assert_eq!(text, format!("\\x{byte:02x}")),
            }
        }
    }

    #[test]
    fn c4_terminal_sequences() {
        assert_eq!(escaped(b"\x1b[2J"), "\\x1b[2J");
        assert_eq!(escaped(b"\x1b]0;title\x07"), "\\x1b]0;title\\x07");
        assert_eq!(escaped("\u{9b}31m".as_bytes()), "\\u{9b}31m");
        assert_eq!(escaped(b"\x9b31m"), "\\x9b31m");
        assert_eq!(escaped("a\u{202e}gpj.exe".as_bytes()), "a\\u{202e}gpj.exe");
        assert_eq!(
            escaped("\u{2066}x\u{2069}".as_bytes()),
            "\\u{2066}x\\u{2069}"
        );
        assert_eq!(escaped(b"one\r\ntwo"), "one\\x0d\\x0atwo");
        assert_eq!(escaped("\u{2028}".as_bytes()), "\\u{2028}");
    }

    #[test]
    fn plain_text_stays() {
        for text in ["report 2026.pdf", "größe", "日本語.txt", "🚢", "e\u{301}"] {
            assert_eq!(escaped(text.as_bytes()), text);
        }
    }

    #[test]
    fn names_stay_distinct() {
        assert_ne!(escaped(b"a\\x0a"), escaped(b"a\n"));
        assert_ne!(escaped("ÿ".as_bytes()), escaped(b"\xff"));
    }

    #[test]
    fn hidden_characters_are_found() {
        let bidi = (0x202a..=0x202e).chain(0x2066..=0x2069);
        let controls = (0..0x20).chain(0x7f..0xa0);
        for code in bidi.chain(controls) {
            assert!(char::from_u32(code).is_some_and(is_hidden), "U+{code:04X}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]
        #[test]
        fn any_bytes_are_harmless_and_come_back(bytes: Vec<u8>) {
            let text = escaped(&bytes);
            prop_assert!(is_harmless(&text));
            prop_assert_eq!(unescape(&text), Some(bytes));
        }

        #[test]
        fn any_text_is_harmless_and_comes_back(text: String) {
            let shown = escaped(text.as_bytes());
            prop_assert!(is_harmless(&shown));
            prop_assert_eq!(unescape(&shown), Some(text.into_bytes()));
        }
    }
}
