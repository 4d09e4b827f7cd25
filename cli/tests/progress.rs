//! Progress of a whole command, with the real program.

mod common;

use std::fs;

use common::{World, bytes};

/// Twelve mebibytes in as many files, sent in some three seconds.
#[test]
fn a_directory_on_its_way() {
    let world = World::new();
    let server = world.serve(&["--public=rw"]);
    fs::create_dir(world.local("tree")).unwrap();
    for n in 0..12 {
        fs::write(world.local(format!("tree/{n}")), bytes(1 << 20, n)).unwrap();
    }
    let put = |how: &str, target: &str| {
        let args = [
            "put",
            "--accept-new",
            "--cc",
            "fixed:4M",
            how,
            "--progress",
            "plain",
            "tree",
            target,
        ];
        world.run("anna", args)
    };
    let ran = put("--json", &server.at(""));
    ran.expect_ok();
    let steps = ran.named("progress");
    assert!(steps.len() >= 5, "{steps:?}");
    let number = |key: &str| {
        steps
            .iter()
            .map(|step| step[key].as_u64().unwrap())
            .collect::<Vec<_>>()
    };
    for key in [
        "files",
        "files_total",
        "bytes",
        "bytes_total",
        "verified_bytes",
    ] {
        let seen = number(key);
        assert!(seen.is_sorted(), "{key} {seen:?}");
    }
    let half = &steps[steps.len() / 2];
    assert_eq!(
        (&half["files_total"], &half["bytes_total"]),
        (&12.into(), &(12 << 20).into())
    );
    assert!((1..12).contains(&half["files"].as_u64().unwrap()), "{half}");
    assert_eq!(half["limited_by"], "network");
    let rate = half["rate"].as_f64().unwrap();
    assert!((2e6..6e6).contains(&rate), "{half}");
    let left = half["bytes_total"].as_f64().unwrap() - half["bytes"].as_f64().unwrap();
    let eta = half["eta_seconds"].as_f64().unwrap();
    assert!((eta - left / rate).abs() < 0.1, "{half}");
    let done = &ran.named("done")[0];
    assert_eq!(
        ["bytes", "moved_bytes", "verified_bytes"].map(|key| done[key].as_u64().unwrap()),
        [12 << 20; 3]
    );
    assert_eq!(done["limited_by"], "network");
    // In words; and what is there already is no work.
    let ran = put("-p", &server.at("tree/other"));
    ran.expect(0, "limited by: network");
    assert!(ran.stderr.contains("/≥12 files, "), "{ran:?}");
    let again = put("--json", &server.at(""));
    let done = &again.named("done")[0];
    assert_eq!(
        ["bytes", "moved_bytes", "verified_bytes"].map(|key| done[key].as_u64().unwrap()),
        [12 << 20, 0, 0]
    );
}
