//! F5, F7, F8: names that a server refuses, whoever asks.

use proto_core::Event;
use proto_core::crypto::Level;
use proto_core::wire::{Durability, FilePath, Frame, RequestKind};

use crate::server::Alone;

/// The paths that the application is asked about, when a client asks for `path` in all four ways.
fn asked(path: &[u8]) -> Vec<FilePath> {
    let kinds = [
        RequestKind::List,
        RequestKind::Stat,
        RequestKind::Get,
        RequestKind::Put,
    ];
    let mut alone = Alone::open();
    for (transfer, kind) in kinds.into_iter().enumerate() {
        alone.say(
            Level::Data,
            &[Frame::Request {
                transfer: transfer as u64,
                kind,
                compare: false,
                no_clobber: false,
                tree: false,
                resume: false,
                durability: Durability::Full,
                amount: 0,
                path,
                argument: b"",
            }],
        );
    }
    assert_eq!(alone.closed(), None);
    assert!(alone.ops.is_empty());
    let mut paths = Vec::new();
    for event in alone.events {
        if let Event::Requested { request, .. } = event {
            paths.push(request.path);
        }
    }
    paths
}

#[test]
fn f5_bad_paths_never_reach_the_application() {
    let long_name = [b'a'; 256];
    let deep = b"a/".repeat(64);
    let deep = [&deep[..], b"a"].concat();
    let bad: [&[u8]; 12] = [
        b"/", b"/a", b"a/", b"a//b", b".", b"..", b"a/..", b"../a", b"a/./b", b"a\0b", &long_name,
        &deep,
    ];
    for path in bad {
        assert_eq!(asked(path), [], "{}", path.escape_ascii());
    }
}

#[test]
fn f5_good_paths_arrive_as_they_are() {
    let name = [b'a'; 255];
    let deep = b"a/".repeat(63);
    let deep = [&deep[..], b"a"].concat();
    let good: [&[u8]; 7] = [b"a", b"...", b".a", b"a b/c\\d", b"\xff\xfe", &name, &deep];
    for path in good {
        let asked = asked(path);
        assert_eq!(asked.len(), 4, "{}", path.escape_ascii());
        assert!(asked.iter().all(|asked| asked.as_bytes() == path));
    }
}

#[test]
fn f7_control_bytes_in_names_are_known() {
    for byte in 1..=255_u8 {
        let Ok(path) = FilePath::parse(&[b'a', byte, b'b']) else {
            continue;
        };
        assert_eq!(path.has_control_bytes(), byte < 0x20 || byte == 0x7f);
    }
}

#[test]
fn f8_own_names_never_reach_the_application() {
    let own: [&[u8]; 4] = [b".dhow-", b".dhow-1", b"a/.dhow-x", b".dhow-d/a"];
    for path in own {
        assert_eq!(asked(path), [], "{}", path.escape_ascii());
    }
    assert_eq!(asked(b".dhow").len(), 4);
    assert_eq!(asked(b"a.dhow-").len(), 4);
}
