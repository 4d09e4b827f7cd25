//! Texts that tests pin.

/// Compares with a file of `tests/snapshots`; with `UPDATE_SNAPSHOTS=1` in the environment the file is written instead.
pub(crate) fn assert(name: &str, text: &str) {
    let path = format!("{}/tests/snapshots/{name}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == text,
        "{name} is another: look at the picture, then UPDATE_SNAPSHOTS=1"
    );
}
