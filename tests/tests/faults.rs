//! Faults inside the core: legal ones are survived, planted bugs are found, by the audit where it can see them.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use proto_core::crypto::{Provider, PublicKey};
use proto_core::fault::{Fault, FaultHook};
use proto_core::{Config, Endpoint, Event, Instant, Limits};
use sim::disk::Content;
use sim::null_crypto::NullProvider;
use sim::watch::{Watch, Watched};
use tests::faults::Every;
use tests::scenario::{get, grant, hash, lossy, null, open, path, put, run, start, stored_root};
use tests::{Pair, ROOT};

/// A pool so small that credit matters.
fn tight() -> Limits {
    Limits {
        sink_blocks: 8,
        credit_blocks_initial: 2,
        ..Limits::default()
    }
}

fn pair_with(
    client: Arc<dyn Provider>,
    server: Arc<dyn Provider>,
    hook: Option<Arc<dyn FaultHook>>,
) -> Pair {
    let (limits, faults) = (tight(), hook);
    let with = |config| Config {
        limits: limits.clone(),
        faults: faults.clone(),
        ..config
    };
    Pair::with(with(Config::new(client)), with(Config::server(server)))
}

fn pair(hook: Arc<dyn FaultHook>) -> Pair {
    pair_with(null(1), null(2), Some(hook))
}

fn plant(pair: &mut Pair, size: u64) -> Content {
    let content = Content::generated(size, size);
    for side in [&mut pair.client, &mut pair.server] {
        side.disk.plant(ROOT, &path("f"), content.clone(), 7);
    }
    content
}

#[test]
fn legal_faults_are_survived() {
    for &fault in Fault::ALL.iter().filter(|fault| fault.is_legal()) {
        for (n, loss) in [(1, 0), (2, 20_000), (7, 50_000)] {
            let always_fatal = matches!(
                fault,
                Fault::MemoryShort
                    | Fault::DataRefused
                    | Fault::DatagramDropped
                    | Fault::PacingLonger
                    | Fault::ProbeEarly
            );
            // Who never gets memory, never hears or is never let go cannot go on; early probes would never rest.
            if n < 7 && always_fatal {
                continue;
            }
            let hook = Every::new(fault, n);
            let mut pair = pair(hook.clone());
            (pair.from_client, pair.from_server) = (lossy(n, loss), lossy(n + 1, loss));
            open(&mut pair);
            let content = plant(&mut pair, 700_000);
            for request in [get("f"), put("f")] {
                let told = run(&mut pair, request);
                assert_eq!(
                    stored_root(&told),
                    Some(hash(&content)),
                    "{fault}: {told:?}"
                );
            }
            assert!(hook.struck() > 0 || n > 1, "{fault} was never asked for");
        }
    }
}

/// The rule that the audit says is broken, when `fault` strikes in downloads and uploads with more and more loss.
fn breach(fault: Fault) -> Option<&'static str> {
    [0, 60_000, 250_000, 300_000, 350_000]
        .into_iter()
        .find_map(|loss| breach_with(fault, loss))
}

fn breach_with(fault: Fault, loss: u32) -> Option<&'static str> {
    let mut pair = pair(Every::new(fault, 1));
    pair.audits = false;
    (pair.from_client, pair.from_server) = (lossy(1, loss), lossy(2, loss));
    let found = Cell::new(None);
    let look = |pair: &Pair| {
        let sides = [&pair.client, &pair.server];
        let mut audits = sides.into_iter().map(|side| side.endpoint.audit());
        let rule = audits.find_map(Result::err).map(|breach| breach.rule);
        found.set(found.get().or(rule));
        found.get().is_some()
    };
    let ready = |pair: &Pair| !pair.client.events.is_empty() && !pair.server.events.is_empty();
    pair.run_until(Duration::from_secs(9), |pair| look(pair) || ready(pair));
    if !ready(&pair) {
        return found.get();
    }
    open(&mut pair);
    plant(&mut pair, 2_000_000);
    for request in [get("f"), put("f")] {
        let id = start(&mut pair, request);
        pair.run_until(Duration::from_secs(20), |pair| {
            let stop = look(pair);
            grant(pair);
            stop || pair
                .client
                .events
                .iter()
                .any(|event| matches!(event, Event::Finished { transfer, .. } if *transfer == id))
        });
        if found.get().is_some() {
            break;
        }
    }
    found.get()
}

#[test]
fn the_audit_finds_planted_bugs() {
    let timer = "what waits for time has a timer";
    let credit = "credit never exceeds what the pool can hold (M4)";
    let expected = [
        (
            Fault::LostRangeForgotten,
            "every byte that was sent is acknowledged, lost or in flight",
        ),
        (
            Fault::LostControlForgotten,
            "a frame that must arrive has arrived, is in flight or is to be sent",
        ),
        (Fault::CreditBeyondPool, credit),
        (Fault::CreditCountedTwice, credit),
        (Fault::CreditUnheeded, credit),
        (
            Fault::BlockLeaked,
            "every block is free, with a transfer or on loan (M1)",
        ),
        (
            Fault::BytesCountedTwice,
            "every block is free, with a transfer or on loan (M1)",
        ),
        (
            Fault::InFlightMiscounted,
            "bytes in flight are those of packets of which nothing was heard (RFC 9002 §2)",
        ),
        (
            Fault::WindowUnheeded,
            "only probes are sent beyond the congestion window (RFC 9002 §7)",
        ),
        (Fault::LossTimerForgotten, timer),
        (Fault::ProbeTimerForgotten, timer),
        (Fault::AckTimerForgotten, timer),
        (Fault::KeepAliveForgotten, timer),
        (Fault::IdleTimerForgotten, timer),
        (Fault::DecisionTimerForgotten, timer),
    ];
    let found: Vec<_> = expected
        .iter()
        .map(|(fault, _)| (*fault, breach(*fault)))
        .collect();
    let expected: Vec<_> = expected
        .iter()
        .map(|(fault, rule)| (*fault, Some(*rule)))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn an_unproven_address_that_gets_too_much_is_found() {
    let mut pair = pair(Every::new(Fault::AmplificationUnheeded, 1));
    pair.audits = false;
    pair.from_client = Box::new(|n, _| n < 2);
    let found = pair.run_until(Duration::from_secs(9), |pair| {
        pair.server.endpoint.audit().is_err()
    });
    assert!(found);
}

#[test]
fn a_timer_after_the_end_is_found() {
    let endpoint = |faults: Option<Arc<dyn FaultHook>>| {
        let config = Config {
            faults,
            ..Config::new(null(1))
        };
        let mut endpoint = Endpoint::new(Arc::new(config), [1; 32], Instant::ZERO);
        let there = ([10, 0, 0, 1], 1).into();
        endpoint
            .connect(Instant::ZERO, there)
            .expect("there is room");
        endpoint.handle_timeout(Instant::ZERO + Duration::from_secs(11));
        endpoint.audit()
    };
    assert_eq!(endpoint(None), Ok(()));
    assert!(endpoint(Some(Every::new(Fault::TimerAfterEnd, 1))).is_err());
}

/// The steps of a download at the sink, from the last write on.
fn steps(fault: Option<Fault>) -> Vec<String> {
    let hook = fault.map(|fault| Every::new(fault, 1) as Arc<dyn FaultHook>);
    let mut pair = pair_with(null(1), null(2), hook);
    pair.audits = false;
    open(&mut pair);
    plant(&mut pair, 100_000);
    let id = start(&mut pair, get("f"));
    pair.run_until(Duration::from_secs(9), |pair| {
        grant(pair);
        let finished =
            |event: &Event| matches!(event, Event::Finished { transfer, .. } if *transfer == id);
        pair.client.events.iter().any(finished)
    });
    let kinds = pair.client.ops.iter().map(|op| op.kind.clone());
    kinds
        .skip_while(|kind| kind != "Write")
        .filter(|kind| kind != "Write")
        .collect()
}

#[test]
fn planted_bugs_of_the_commit_are_where_they_say() {
    let right = ["SetMeta", "Sync", "Close", "Rename", "SyncDir"];
    assert_eq!(steps(None), right);
    let without = |left_out: &str| -> Vec<&str> {
        right.into_iter().filter(|kind| *kind != left_out).collect()
    };
    assert_eq!(steps(Some(Fault::SyncSkipped)), without("Sync"));
    assert_eq!(steps(Some(Fault::DirectorySyncSkipped)), without("SyncDir"));
    assert_eq!(steps(Some(Fault::SinkFileLeftOpen)), without("Close"));
}

#[test]
fn a_deadline_in_the_past_and_lost_or_repeated_ends_show() {
    let mut past = pair(Every::new(Fault::DeadlinePast, 1));
    assert_eq!(past.next_time(), Some(Instant::ZERO));
    for (fault, expected) in [(Fault::EventLost, 0), (Fault::EventTwice, 2)] {
        // Every third time, lest the polls never end.
        let n = if fault == Fault::EventLost { 1 } else { 3 };
        let hook = Every::new(fault, n);
        let mut pair = pair(hook);
        pair.audits = false;
        open(&mut pair);
        plant(&mut pair, 1_000);
        let mut ends = 0;
        for _ in 0..3 {
            start(&mut pair, get("f"));
            pair.run_until(Duration::from_secs(2), |pair| {
                grant(pair);
                false
            });
        }
        let finished = |event: &&Event| matches!(event, Event::Finished { .. });
        ends += pair.client.events.iter().filter(finished).count();
        match expected {
            0 => assert_eq!(ends, 0),
            _ => assert!(ends > 3, "{ends} ends of 3 transfers"),
        }
    }
}

/// A pair whose keys are watched, and the watches of client and server.
fn watched(hook: Option<Arc<dyn FaultHook>>) -> (Pair, [Arc<Watch>; 2]) {
    let watches = [(); 2].map(|()| Arc::new(Watch::default()));
    let provider = |n: u8| -> Arc<dyn Provider> {
        let key = PublicKey([n; 32]);
        let watch = Arc::clone(&watches[usize::from(n) - 1]);
        Arc::new(Watched::new(NullProvider { key }, watch))
    };
    (pair_with(provider(1), provider(2), hook), watches)
}

/// Runs a lossy download in which every datagram comes twice, and once damaged; what the watches say of it.
fn watch(hook: Option<Arc<dyn FaultHook>>) -> Result<u64, String> {
    let (mut pair, watches) = watched(hook);
    pair.audits = false;
    let server = pair.server.address;
    let attacked = watches.clone();
    let fault = Arc::new(std::sync::Mutex::new(None));
    let noted = Arc::clone(&fault);
    let mut count = 0_usize;
    pair.tamper = Box::new(move |endpoint, now, meta, bytes| {
        let watch = &attacked[usize::from(meta.source != server)];
        let before = watch.snapshot(endpoint, now);
        let mut damaged = bytes.to_vec();
        count += 1;
        let at = (count * 7) % damaged.len();
        damaged[at] ^= 1 << (count % 8);
        endpoint.handle_datagram(now, meta, &mut damaged);
        if let Err(what) = watch.unchanged(endpoint, before) {
            noted.lock().expect("no panic").get_or_insert(what);
        }
        if count.is_multiple_of(3) {
            endpoint.handle_datagram(now, meta, &mut bytes.to_vec());
        }
    });
    (pair.from_client, pair.from_server) = (lossy(1, 30_000), lossy(2, 30_000));
    let ready = |pair: &Pair| !pair.client.events.is_empty() && !pair.server.events.is_empty();
    if pair.run_until(Duration::from_secs(9), |pair| ready(pair)) {
        open(&mut pair);
        plant(&mut pair, 300_000);
        let id = start(&mut pair, get("f"));
        pair.run_until(Duration::from_secs(30), |pair| {
            grant(pair);
            let finished = |event: &Event| matches!(event, Event::Finished { transfer, .. } if *transfer == id);
            pair.client.events.iter().any(finished)
        });
    }
    watches[0].check(&pair.client.endpoint)?;
    watches[1].check(&pair.server.endpoint)?;
    if let Some(what) = fault.lock().expect("no panic").take() {
        return Err(what);
    }
    Ok(watches[0].failed() + watches[1].failed())
}

#[test]
fn the_watch_sees_reused_numbers_duplicates_and_forgeries() {
    let failed = watch(None);
    assert!(
        failed.as_ref().is_ok_and(|failed| *failed > 50),
        "{failed:?}"
    );
    for fault in [
        Fault::NumberReused,
        Fault::DuplicateAccepted,
        Fault::ForgeryAccepted,
    ] {
        let seen = watch(Some(Every::new(fault, 1)));
        assert!(seen.is_err(), "{fault}: {seen:?}");
    }
}

/// H4: handshakes that came to nothing make room again.
#[test]
fn handshakes_that_time_out_are_no_longer_half_open() {
    let mut server = Config::server(null(2));
    server.limits.half_open = 1;
    let mut pair = Pair::with(Config::new(null(1)), server);
    pair.from_client = Box::new(|n, _| n == 0);
    pair.run_until(Duration::from_secs(12), |_| false);
    assert_eq!(pair.server.endpoint.sessions(), 0);
    pair.from_client = Box::new(|_, _| true);
    let there = pair.server.address;
    let connected = pair.client.endpoint.connect(pair.now, there);
    connected.expect("there is room");
    pair.client.events.clear();
    open(&mut pair);
}
