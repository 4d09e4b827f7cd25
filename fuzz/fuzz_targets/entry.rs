//! A listing's entries, and the paths in them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proto_core::wire::{Entry, FilePath};

fuzz_target!(|listing: &[u8]| {
    let mut rest = listing;
    while !rest.is_empty() {
        let before = rest.len();
        let Ok(entry) = Entry::decode(&mut rest) else {
            return;
        };
        let mut out = Vec::new();
        entry.encode(&mut out);
        assert_eq!(out.len(), entry.encoded_len());
        assert!(!out.is_empty() && out.len() <= before - rest.len());
        let mut again = &out[..];
        assert_eq!(Entry::decode(&mut again), Ok(entry));
        assert!(again.is_empty());
        path(entry.name);
    }
});

/// A path that was accepted has only components that lead downwards.
fn path(name: &[u8]) {
    let Ok(path) = FilePath::parse(name) else {
        return;
    };
    assert_eq!(path.as_bytes(), name);
    assert!(path.components().count() <= FilePath::MAX_DEPTH);
    for component in path.components() {
        assert!((1..=FilePath::MAX_NAME).contains(&component.len()));
        assert!(!matches!(component, b"." | b".."));
        assert!(!component.contains(&0) && !component.contains(&b'/'));
    }
    match path.name() {
        Some(last) => assert_eq!(path.parent().join(last), Ok(path.clone())),
        None => assert!(path.is_root()),
    }
}
