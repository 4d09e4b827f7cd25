//! A large directory, listed: what both ends keep of it. Alone in its process, because it looks at the process's memory.

#![cfg(target_os = "linux")]

mod world;

use std::fs;
use std::time::Duration;

use world::World;

/// A figure of this process in KiB.
fn status(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .unwrap();
    line.trim_matches(|c: char| !c.is_ascii_digit())
        .parse()
        .unwrap()
}

/// M8, C6: server and client together stay small, and a caller that is slow makes them wait. With `DHOW_ENTRIES`, another number
/// of entries.
#[test]
fn m8_a_large_directory_costs_little_memory() {
    let entries = std::env::var("DHOW_ENTRIES")
        .ok()
        .and_then(|text| text.parse().ok());
    let entries: u64 = entries.unwrap_or(50_000);
    let world = World::new();
    for number in 0..entries {
        let name = format!("a name of a common length {number:08}");
        fs::File::create(world.shared(&name)).unwrap();
    }
    let client = world.client();
    client.list_each("none", |_| {}).unwrap_err();
    let before = status("VmRSS:");
    let (mut count, mut most) = (0, 0);
    client
        .list_each("", |_| {
            count += 1;
            if count % 10_000 == 0 {
                std::thread::sleep(Duration::from_millis(20));
                most = most.max(status("VmRSS:"));
            }
        })
        .unwrap();
    assert_eq!(count, entries);
    let grown = most.saturating_sub(before);
    println!("{entries} entries: {before} KiB before, {most} KiB at most");
    assert!(grown < 8 << 10, "{grown} KiB for {entries} entries");
}
