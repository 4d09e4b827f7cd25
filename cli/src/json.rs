//! Events as JSON, one object a line (`docs/EVENTS.md`).

use std::io::{self, Write};
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::escape;
use crate::exit::Error;

/// The version of the format: the `v` of every line.
const VERSION: u32 = 1;

/// One line about `event`, with a line feed at its end. `fields` is a JSON object.
pub(crate) fn line(event: &str, fields: Value) -> String {
    let mut object = Map::new();
    object.insert("v".to_owned(), json!(VERSION));
    object.insert("event".to_owned(), json!(event));
    if let Value::Object(fields) = fields {
        object.extend(fields);
    }
    let mut line = harmless(&Value::Object(object).to_string());
    line.push('\n');
    line
}

/// Writes one line to stdout at once. A closed pipe is the reader's choice: nothing is said about it.
pub(crate) fn emit(event: &str, fields: Value) {
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(line(event, fields).as_bytes());
    // There is no better place to report that stdout is gone.
    let _ = written.and_then(|()| stdout.flush());
}

/// Adds a name or path under `key`: as text when it is UTF-8; otherwise with U+FFFD for what is not, and all of its bytes
/// as `<key>_hex`.
pub(crate) fn name(fields: &mut Value, key: &str, bytes: &[u8]) {
    let Value::Object(fields) = fields else {
        return;
    };
    fields.insert(key.to_owned(), json!(String::from_utf8_lossy(bytes)));
    if std::str::from_utf8(bytes).is_err() {
        fields.insert(format!("{key}_hex"), json!(hex(bytes)));
    }
}

/// Seconds, to the microsecond.
pub(crate) fn seconds(duration: Duration) -> f64 {
    rounded(duration.as_secs_f64(), 1e6)
}

/// Milliseconds, to the microsecond.
pub(crate) fn milliseconds(duration: Duration) -> f64 {
    rounded(duration.as_secs_f64() * 1e3, 1e3)
}

/// A share from 0 to 1, to four digits.
pub(crate) fn share(share: f64) -> f64 {
    rounded(share, 1e4)
}

fn rounded(value: f64, parts: f64) -> f64 {
    (value * parts).round() / parts
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The `error` event, about `path` if that is known.
pub(crate) fn error(error: &Error, path: Option<&[u8]>) {
    let mut fields = json!({
        "code": error.code, "text": error.text, "hint": error.hint, "exit": error.exit as u8,
    });
    if let Some(path) = path {
        name(&mut fields, "path", path);
    }
    emit("error", fields);
}

/// Writes as `\uXXXX` what serde_json leaves raw and a terminal would act on. Such characters are in strings only.
fn harmless(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if escape::is_hidden(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn version_and_event_come_first() {
        assert_eq!(
            line("listening", json!({ "addr": "127.0.0.1:1", "n": 2 })),
            "{\"v\":1,\"event\":\"listening\",\"addr\":\"127.0.0.1:1\",\"n\":2}\n"
        );
    }

    #[test]
    fn names_that_are_no_text_have_their_bytes() {
        let mut fields = json!({});
        name(&mut fields, "path", b"a\xff");
        name(&mut fields, "other", b"b");
        assert_eq!(
            fields,
            json!({ "path": "a\u{fffd}", "path_hex": "61ff", "other": "b" })
        );
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!(seconds(Duration::from_nanos(1_234_567_891)), 1.234_568);
        assert_eq!(milliseconds(Duration::from_nanos(3_030_023)), 3.03);
        assert_eq!(share(1.0 / 3.0), 0.3333);
    }

    proptest! {
        #[test]
        fn one_harmless_line_that_comes_back(text: String, hard in "[\u{0}-\u{ff}\u{2000}-\u{206f}\u{e0000}-\u{e01ff}]*") {
            for text in [text, hard] {
                let line = line("x", json!({ "text": text }));
                let body = line.strip_suffix('\n').unwrap();
                prop_assert!(!body.chars().any(escape::is_hidden));
                let back: Value = serde_json::from_str(body).unwrap();
                prop_assert_eq!(&back["text"], &json!(text));
            }
        }
    }
}
