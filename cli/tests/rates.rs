//! `--cc fixed:RATE`: who sends keeps to the rate, whichever side that is.
#![cfg(unix)]

mod common;

use std::fs;
use std::time::{Duration, Instant};

use common::{World, bytes, run};

/// At 2 MB a second it takes two seconds.
const SIZE: usize = 4_000_000;

fn took(world: &World, args: &[&str]) -> Duration {
    let begun = Instant::now();
    run(world, args).expect_ok();
    begun.elapsed()
}

#[test]
fn a_fixed_rate_is_kept_by_the_sender() {
    let world = World::new();
    let fixed = ["--cc", "fixed:2M"];
    let plain = world.serve(&["--public=rw"]);
    fs::write(world.local("up"), bytes(SIZE, 1)).unwrap();
    let put = took(
        &world,
        &[&fixed[..], &["put", "up", &plain.at("up")]].concat(),
    );
    drop(plain);
    let server = world.serve(&[&["--public"][..], &fixed].concat());
    let get = took(&world, &["get", &server.at("up"), "down"]);
    for (way, took) in [("put", put), ("get", get)] {
        // Headers and acknowledgements come on top; a loaded machine may take longer.
        let range = Duration::from_millis(1_900)..Duration::from_secs(8);
        assert!(range.contains(&took), "{way}: {took:?}");
    }
    assert!(fs::read(world.local("down")).unwrap() == bytes(SIZE, 1));
    // Of a download, the client's rate says nothing.
    drop(server);
    let server = world.serve(&["--public"]);
    let free = took(
        &world,
        &[&fixed[..], &["get", &server.at("up"), "free"]].concat(),
    );
    assert!(free < get, "{free:?}");
}

#[test]
fn what_is_no_rate_is_refused() {
    let world = World::new();
    for rate in [
        "",
        "0",
        "999",
        "fast",
        "-1M",
        "1.5M",
        "20MB",
        "1T",
        "99999999999999999999",
    ] {
        let cc = format!("fixed:{rate}");
        for command in [&["get", "h:a", "b"][..], &["serve"]] {
            let ran = run(&world, &[&["--cc", &cc][..], command].concat());
            ran.expect(2, "such as fixed:500M or fixed:4gbit");
        }
    }
    run(&world, &["--cc", "fixed", "ls", "h:"])
        .expect(2, "expected bbr, cubic, background or fixed:RATE");
}
