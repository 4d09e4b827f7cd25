//! The command line as it was given, to be run again.

use std::ffi::OsStr;

/// This process's command line, for a shell.
pub(crate) fn command() -> String {
    let mut words = vec!["dhow".to_owned()];
    words.extend(std::env::args_os().skip(1).map(|word| quoted(&word)));
    words.join(" ")
}

/// A word as POSIX shells read it; `$'…'` where a terminal could not show it.
fn quoted(word: &OsStr) -> String {
    let bytes = word.as_encoded_bytes();
    let is_plain = |b: &u8| b.is_ascii_alphanumeric() || b"-_./:@%+=,".contains(b);
    if !bytes.is_empty() && bytes.iter().all(is_plain) {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.chars().any(crate::escape::is_hidden) => {
            format!("'{}'", text.replace('\'', r"'\''"))
        }
        _ => {
            let each = |&b: &u8| match b {
                b'\\' | b'\'' => format!("\\{}", char::from(b)),
                b' '..=b'~' => char::from(b).to_string(),
                _ => format!("\\x{b:02x}"),
            };
            format!("$'{}'", bytes.iter().map(each).collect::<String>())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_survive_a_shell() {
        for (word, text) in [
            ("host:a/b.txt", "host:a/b.txt"),
            ("", "''"),
            ("a b", "'a b'"),
            ("it's", r"'it'\''s'"),
            ("$HOME*", "'$HOME*'"),
            ("ü", "'ü'"),
            ("a\nb'", r"$'a\x0ab\''"),
        ] {
            assert_eq!(quoted(OsStr::new(word)), text);
        }
    }
}
