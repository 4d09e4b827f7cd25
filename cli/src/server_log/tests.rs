use super::*;
use crate::keys::AuthorizedKeys;
use std::time::Duration;
use transport_std::{CloseCode, Durability, EntryKind, ErrorCode, FileInfo, FilePath};

const KEY: PublicKey = PublicKey([7; 32]);

fn log() -> ServerLog {
    let line = crate::keys::public_line(&KEY, "anna\u{1b}[2J");
    ServerLog::new(Arc::new(Users::fixed(AuthorizedKeys::parse(&line))))
}

fn session(key: PublicKey) -> Arc<SessionInfo> {
    let address = "192.0.2.1:5000".parse().unwrap();
    Arc::new(SessionInfo {
        number: 1,
        address,
        key: Some(key),
        rights: Rights::ReadWrite,
    })
}

fn job(kind: RequestKind, path: &[u8]) -> Arc<Job> {
    Arc::new(Job {
        number: 3,
        kind,
        path: FilePath::parse(path).unwrap(),
        to: FilePath::root(),
    })
}

fn stored(size: u64) -> Finished {
    Finished::Stored {
        root: Some([0xab; 32]),
        size,
        how: StoredAs::Written,
        durability: Durability::Full,
    }
}

fn stats(bytes: u64) -> TransferStats {
    TransferStats {
        bytes,
        resent: 1024,
        elapsed: Duration::from_secs(2),
    }
}

#[test]
fn a_download_in_lines() {
    let mut log = log();
    let (session, job) = (session(KEY), job(RequestKind::Get, b"a b"));
    let file = FileInfo {
        kind: EntryKind::File,
        size: 4 << 20,
        mtime: 0,
        mode: 0o644,
    };
    let progress = |bytes| ServerEvent::Progress {
        session: session.clone(),
        job: job.clone(),
        bytes,
        size: 4 << 20,
        resent: 1024,
    };
    let events = [
        ServerEvent::Opened {
            session: session.clone(),
        },
        ServerEvent::Requested {
            session: session.clone(),
            job: job.clone(),
            size: 0,
        },
        ServerEvent::Started {
            session: session.clone(),
            job: job.clone(),
            file,
        },
        progress(1000),
        progress(2 << 20),
        progress(3 << 20),
        ServerEvent::Finished {
            session: session.clone(),
            job: job.clone(),
            result: Ok(stored(4 << 20)),
            stats: stats(4 << 20),
        },
        ServerEvent::Closed {
            session: session.clone(),
            cause: CloseCause::Peer(CloseCode::NoError),
            stats: None,
        },
    ];
    let lines: Vec<String> = events.iter().filter_map(|event| log.line(event)).collect();
    assert_eq!(
        lines,
        [
            "#1 anna\\x1b[2J connected from 192.0.2.1:5000, may read and write",
            "#1 anna\\x1b[2J asks: download a b",
            "#1 anna\\x1b[2J agreed: download a b, 4.00 MiB",
            "#1 anna\\x1b[2J 50 %: download a b, 2.00 MiB, resent 1.00 KiB",
            "#1 anna\\x1b[2J 75 %: download a b, 3.00 MiB, resent 1.00 KiB",
            "#1 anna\\x1b[2J done: download a b, 4.00 MiB in 2.00 s, 2.00 MiB/s, resent 1.00 KiB, blake3 abababababababab…",
            "#1 anna\\x1b[2J left",
        ]
    );
    assert!(log.quarters.is_empty());
}

#[test]
fn a_look_at_what_is_not_there_is_no_failure() {
    let mut log = log();
    let ended = |kind, code| ServerEvent::Finished {
        session: session(KEY),
        job: job(kind, b"a"),
        result: Err(Failure::Here(code)),
        stats: stats(0),
    };
    let mut says = |kind, code| log.text(&ended(kind, code)).unwrap();
    let look = says(RequestKind::Stat, ErrorCode::NotFound);
    assert!(look.ends_with(" done: look at a: not there"), "{look}");
    assert!(says(RequestKind::Stat, ErrorCode::Denied).contains(" failed: "));
    assert!(says(RequestKind::Get, ErrorCode::NotFound).contains(" failed: "));
}

#[test]
fn l1_names_never_break_a_line() {
    let mut log = log();
    for byte in (1..=255).filter(|byte| *byte != b'/') {
        let name = [b'a', byte, b'z'];
        let event = ServerEvent::Requested {
            session: session(PublicKey([1; 32])),
            job: job(RequestKind::Put, &name),
            size: 5,
        };
        let Some(line) = log.text(&event) else {
            panic!()
        };
        assert!(!line.chars().any(crate::escape::is_hidden), "{line:?}");
    }
}

#[test]
fn l3_floods_are_counted() {
    let mut log = log();
    let refused = ServerEvent::Refused {
        address: "192.0.2.9:1".parse().unwrap(),
        key: KEY,
    };
    let lines = (0..50).filter_map(|_| log.line(&refused)).count();
    assert!(lines <= 20, "{lines}");
}

#[test]
fn one_json_line_per_transfer() {
    let log = log();
    let (session, get) = (session(KEY), job(RequestKind::Get, b"d/\xff"));
    let finished = |job: &Arc<Job>, result| ServerEvent::Finished {
        session: session.clone(),
        job: job.clone(),
        result,
        stats: stats(5),
    };
    let (name, fields) = log.json(&finished(&get, Ok(stored(5)))).unwrap();
    assert_eq!(name, "file");
    assert_eq!(fields["path_hex"], "642fff");
    assert_eq!(fields["peer_key"], fingerprint(&KEY));
    assert_eq!(
        (&fields["way"], &fields["outcome"]),
        (&json!("download"), &json!("written"))
    );
    assert_eq!(
        (&fields["bytes"], &fields["seconds"]),
        (&json!(5), &json!(2.0))
    );
    assert_eq!(fields["blake3"], json!("ab".repeat(32)));
    let failed = log
        .json(&finished(&get, Err(Failure::SessionLost)))
        .unwrap()
        .1;
    assert_eq!(
        (&failed["outcome"], &failed["code"]),
        (&json!("failed"), &json!("session-lost"))
    );
    let list = job(RequestKind::List, b"");
    assert_eq!(log.json(&finished(&list, Ok(Finished::Answered))), None);
    let refused = ServerEvent::RequestRefused {
        session,
        job: get,
        code: ErrorCode::NotFound,
    };
    let refused = log.json(&refused).unwrap().1;
    assert_eq!(
        (&refused["outcome"], &refused["code"]),
        (&json!("refused"), &json!("not-found"))
    );
}

/// A client of the classic dialect, at this port of one host.
fn classic(port: u16) -> Arc<SessionInfo> {
    Arc::new(SessionInfo {
        number: 0,
        address: format!("192.0.2.7:{port}").parse().unwrap(),
        key: None,
        rights: Rights::Read,
    })
}

#[test]
fn classic_clients_in_lines() {
    let mut log = log();
    let put = job(RequestKind::Put, b"a");
    let session = classic(5000);
    let events = [
        ServerEvent::Requested {
            session: session.clone(),
            job: put.clone(),
            size: 0,
        },
        ServerEvent::Granted {
            session: session.clone(),
            job: put.clone(),
        },
        ServerEvent::Ignored {
            address: session.address,
            why: transport_std::ClassicIgnored::Name,
            untold: 2,
        },
    ];
    let lines: Vec<_> = events.iter().filter_map(|event| log.text(event)).collect();
    assert_eq!(
        lines,
        [
            "classic 192.0.2.7:5000 asks: upload a",
            "classic 192.0.2.7:5000 agreed: upload a",
            "classic 192.0.2.7:5000 ignored: a request for a name that is not allowed (2 more were ignored before it)",
        ]
    );
    let (name, fields) = log
        .json(&ServerEvent::Finished {
            session,
            job: put,
            result: Ok(stored(5)),
            stats: stats(5),
        })
        .unwrap();
    assert_eq!((name, &fields["classic"]), ("file", &json!(true)));
    assert!(fields.get("peer_key").is_none());
}

#[test]
fn l3_ports_of_a_classic_host_count_as_one_source() {
    let mut log = log();
    let lines = (1..=200).filter_map(|port| {
        let (session, job) = (classic(port), job(RequestKind::Get, b"a"));
        log.line(&ServerEvent::Requested {
            session,
            job,
            size: 0,
        })
    });
    let lines = lines.count();
    assert!(lines <= 20, "{lines}");
}

#[test]
fn changes_of_names_are_told_and_audited() {
    let mut log = log();
    let renamed = Arc::new(Job {
        number: 4,
        kind: RequestKind::Rename,
        path: FilePath::parse(b"a").unwrap(),
        to: FilePath::parse(b"d/\x1b").unwrap(),
    });
    let changed = |count| Finished::Changed {
        count,
        durability: Durability::Full,
    };
    let event = |job: &Arc<Job>, count| ServerEvent::Finished {
        session: session(KEY),
        job: job.clone(),
        result: Ok(changed(count)),
        stats: TransferStats::default(),
    };
    let line = log.text(&event(&renamed, 1)).unwrap();
    assert!(line.ends_with(" done: rename a to d/\\x1b"), "{line}");
    let (name, fields) = log.json(&event(&renamed, 1)).unwrap();
    assert_eq!(
        (name, &fields["way"], &fields["outcome"]),
        ("file", &json!("rename"), &json!("written"))
    );
    assert_eq!(fields["to"], json!("d/\u{1b}"));
    let removed = job(RequestKind::Remove, b"old");
    let line = log.text(&event(&removed, 12)).unwrap();
    assert!(line.ends_with(" done: remove old, 12 names"), "{line}");
    let made = job(RequestKind::MakeDir, b"new");
    let fields = log.json(&event(&made, 0)).unwrap().1;
    assert_eq!(
        (&fields["way"], &fields["outcome"], &fields["count"]),
        (&json!("mkdir"), &json!("unchanged"), &json!(0))
    );
}
