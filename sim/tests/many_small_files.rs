//! Small files do not crawl: a directory of them takes hardly longer than one file of as many bytes, over 200 Mbit/s and 100 ms.

mod pair;

use pair::{Line, ROOT, address, ask, lab, path, until_finished};
use proto_core::Duration;
use sim::disk::Content;

const DIRECTORIES: u64 = 50;
const FILES: u64 = 100;
const SIZE: u64 = 4_096;

/// How long it takes to download `name` on a fresh session, after a file of no bytes has opened it.
fn took(name: &str) -> Duration {
    let (mut lab, hosts) = lab(1, Line::long(200_000_000), |last, _, disk, rng| {
        if last == 1 {
            return;
        }
        let mut plant = |name: &str, size| {
            let content = Content::generated(rng.next_u64(), size);
            assert!(disk.plant(ROOT, &path(name), content, 0));
        };
        plant("empty", 0);
        plant("one", DIRECTORIES * FILES * SIZE);
        assert!(disk.plant_directory(ROOT, &path("many")));
        for directory in 0..DIRECTORIES {
            assert!(disk.plant_directory(ROOT, &path(&format!("many/{directory}"))));
            for file in 0..FILES {
                let content = Content::generated(rng.next_u64(), SIZE);
                let path = path(&format!("many/{directory}/{file}"));
                assert!(disk.plant(ROOT, &path, content, 0));
            }
        }
    });
    lab.set_audits(false);
    let (now, endpoint) = lab.endpoint(hosts[0]).unwrap();
    endpoint.connect(now, address(2)).unwrap();
    let (peer, begin) = until_finished(&mut lab, hosts, "empty");
    ask(&mut lab, hosts[0], peer, name);
    let (_, end) = until_finished(&mut lab, hosts, name);
    end.since(begin)
}

/// A last datagram that is not full must not hide that there was nothing more to send: the congestion controller would take the
/// sink's first credit for the link's rate, and a directory took twice as long as a file.
#[test]
fn a_directory_takes_hardly_longer_than_a_file() {
    let (one, many) = (took("one"), took("many"));
    assert!(
        many.as_secs_f64() <= 1.3 * one.as_secs_f64(),
        "{many:?} for the directory, {one:?} for the file"
    );
}
