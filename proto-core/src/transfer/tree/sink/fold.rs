//! Names that some file systems take for one.

use alloc::string::String;

use unicode_normalization::UnicodeNormalization;

/// A number that two names share when a file system that heeds neither case nor Unicode's forms takes them for one (F10). Other names
/// share it with a probability of 2^-64.
pub(super) fn fold(name: &[u8]) -> u64 {
    let hash = match core::str::from_utf8(name) {
        Ok(text) => {
            let upper = text.nfd().flat_map(char::to_uppercase);
            let folded: String = upper.flat_map(char::to_lowercase).collect();
            let folded: String = folded.nfd().collect();
            blake3::hash(folded.as_bytes())
        }
        Err(_) => blake3::hash(&name.to_ascii_lowercase()),
    };
    let first = hash.as_bytes().first_chunk().copied();
    u64::from_le_bytes(first.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_form_do_not_count() {
        for (a, b) in [
            ("Makefile", "makefile"),
            ("É", "e\u{301}"),
            ("Straße", "STRASSE"),
            ("ΟΔΟΣ", "οδος"),
            ("\u{212b}", "å"),
            ("ﬁ", "FI"),
        ] {
            assert_eq!(fold(a.as_bytes()), fold(b.as_bytes()), "{a} {b}");
        }
        assert_eq!(fold(b"\xffA"), fold(b"\xffa"));
        for (a, b) in [("a", "b"), ("é", "e"), ("a", "a "), ("ı", "l"), ("0", "O")] {
            assert_ne!(fold(a.as_bytes()), fold(b.as_bytes()), "{a} {b}");
        }
    }
}
