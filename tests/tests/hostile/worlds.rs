//! Worlds with one liar, and what must hold in them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use proto_core::crypto::Provider;
use proto_core::wire::{Durability, FilePath};
use proto_core::{Config, Finished, Limits, Overwrite, Place, Request, RootId};
use sim::disk::Content;
use sim::hostile::{Hostile, HostilePlan, Lie, Told};
use tests::scenario::{hash, null, path};

use crate::arena::Arena;
use crate::roles::{LOCAL, Server, User, root_of};

/// The user that lies, and the one that does not.
const LIAR: u8 = 1;
const HONEST: u8 = 2;
const STRANGER: u8 = 9;

/// Files that are planted under these names, and their sizes. `f` is what floods of requests ask for.
const FILES: [(&str, u64); 5] = [
    ("f", 300_000),
    ("small", 900),
    ("empty", 0),
    ("large", 2_500_000),
    ("secret", 5_000),
];

/// Time in which everything ends, with the longest time-outs there are.
const WITHIN: Duration = Duration::from_secs(3_600);

/// A place below a user's own root.
fn local(name: &str) -> Place {
    Place {
        root: LOCAL,
        path: path(name),
    }
}

/// Downloads and uploads of all sizes, a listing and a look.
fn goals() -> Vec<Request> {
    let get = |from: &str, to: &str, overwrite| Request::Get {
        from: path(from),
        to: local(to),
        overwrite,
        durability: Durability::Full,
        preserve: true,
        keep_top_mode: false,
        tree: false,
    };
    let put = |from: &str, to: &str, overwrite| Request::Put {
        from: local(from),
        to: path(to),
        overwrite,
        durability: Durability::Full,
        tree: false,
    };
    vec![
        put("large", "up large", Overwrite::Replace),
        get("large", "down large", Overwrite::Replace),
        put("f", "up f", Overwrite::Compare),
        get("f", "down f", Overwrite::Compare),
        put("small", "up small", Overwrite::Never),
        get("empty", "down empty", Overwrite::Replace),
        Request::List {
            path: FilePath::root(),
        },
        Request::Stat { path: path("f") },
    ]
}

/// What each root held before, by path.
type Before = BTreeMap<(usize, RootId, FilePath), [u8; 32]>;

fn plant(arena: &mut Arena, before: &mut Before, machine: usize, root: RootId) {
    let disk = &mut arena.machines[machine].disk;
    disk.add_root(root);
    for (n, (name, size)) in FILES.into_iter().enumerate() {
        let seed = (u64::from(root.0) << 16) + ((machine as u64) << 8) + n as u64;
        let content = Content::generated(seed, size);
        assert!(disk.plant(root, &path(name), content.clone(), 7));
        before.insert((machine, root, path(name)), hash(&content));
    }
    // A directory with long names, so that a listing has several pages.
    for n in 0..700 {
        let name = path(&format!("{n:04}{}", "x".repeat(100)));
        disk.plant(root, &name, Content::default(), 7);
        before.insert((machine, root, name), hash(&Content::default()));
    }
}

/// Every file under its final name holds what it held, or whole contents of a root in `sealed`. Only names that
/// `may_come` holds for are new, and nothing temporary is left.
fn check_root(
    arena: &Arena,
    before: &Before,
    (machine, root): (usize, RootId),
    sealed: &BTreeSet<[u8; 32]>,
    may_come: impl Fn(&FilePath) -> bool,
) {
    let disk = &arena.machines[machine].disk;
    for name in disk.walk(root) {
        assert!(!name.is_reserved(), "{name:?} was left behind");
        let content = disk.content(root, &name).map(hash);
        let content = content.unwrap_or_else(|| panic!("{name:?} is no file"));
        let old = before.get(&(machine, root, name.clone()));
        if old == Some(&content) {
            continue;
        }
        assert!(may_come(&name), "nobody asked for {name:?}");
        assert!(
            sealed.contains(&content),
            "{name:?} holds what nobody sealed"
        );
    }
    let here = before
        .keys()
        .filter(|key| (key.0, key.1) == (machine, root));
    for (_, _, name) in here {
        assert!(disk.content(root, name).is_some(), "{name:?} is gone");
    }
}

/// Every goal of an honest user came to a good end, and the files are where they belong.
fn check_goals(arena: &Arena, user: &User, server: usize, root: RootId) {
    for (goal, end) in user.goals.iter().zip(&user.ends) {
        let (from, to) = match goal {
            Request::Get { from, to, .. } => (
                (server, root, from.clone()),
                (user.machine, to.root, to.path.clone()),
            ),
            Request::Put { from, to, .. } => (
                (user.machine, from.root, from.path.clone()),
                (server, root, to.clone()),
            ),
            _ => {
                assert_eq!(end, &Some(Ok(Finished::Answered)), "{goal:?}");
                continue;
            }
        };
        let stored = matches!(end, Some(Ok(Finished::Stored { .. })));
        assert!(
            stored,
            "{goal:?} ended with {end:?}; sessions {:?}",
            user.causes
        );
        let content = |(machine, root, path): &(usize, RootId, FilePath)| {
            arena.machines[*machine].disk.content(*root, path).map(hash)
        };
        assert_eq!(content(&from), content(&to), "{goal:?}");
    }
}

/// Limits that a liar can reach.
fn tight() -> Limits {
    Limits {
        sink_blocks: 64,
        source_blocks: 64,
        sessions: 16,
        ..Limits::default()
    }
}

fn hostile(key: u8, plan: &HostilePlan, seed: u64) -> Arc<Hostile> {
    Hostile::new(null(key), plan.clone(), seed)
}

fn config(provider: Arc<dyn Provider>, accept: bool) -> Config {
    Config {
        accept,
        limits: tight(),
        ..Config::new(provider)
    }
}

/// Whether nothing is left of any session or loan.
fn check_rest(arena: &mut Arena, machine: usize) {
    let rested = arena.run(WITHIN, |arena| {
        arena.machines[machine].endpoint.sessions() == 0
    });
    let machine = &arena.machines[machine];
    assert!(rested, "{} sessions never end", machine.endpoint.sessions());
    assert_eq!((machine.disk.open_files(), machine.disk.on_loan()), (0, 0));
}

/// A hostile client beside an honest one at an honest server.
pub(crate) fn client_lies(plan: &HostilePlan, seed: u64) -> Told {
    let mut arena = Arena::new();
    let mut before = Before::new();
    let server_machine = arena.add(config(null(0), true), seed);
    let liar_provider = hostile(LIAR, plan, seed);
    let liar_machine = arena.add(config(liar_provider.clone(), false), seed);
    let honest_machine = arena.add(config(null(HONEST), false), seed);
    for user in [LIAR, HONEST] {
        plant(&mut arena, &mut before, server_machine, root_of(user));
    }
    plant(&mut arena, &mut before, liar_machine, LOCAL);
    plant(&mut arena, &mut before, honest_machine, LOCAL);
    let address = arena.machines[server_machine].address;
    let mut server = Server::new(server_machine, &[LIAR, HONEST]);
    let mut liar = User::new(liar_machine, address, goals());
    (liar.sessions, liar.patient) = (3, false);
    let mut honest = User::new(honest_machine, address, goals());
    honest.sessions = 20;
    arena.run(WITHIN, |arena| {
        server.act(arena);
        liar.act(arena);
        honest.act(arena);
        honest.is_over()
    });
    check_goals(&arena, &honest, server_machine, root_of(HONEST));
    // The liar may go on for ever: it is cut off.
    arena.machines[liar_machine].address.set_port(2);
    let rested = arena.run(WITHIN, |arena| {
        server.act(arena);
        arena.machines[server_machine].endpoint.sessions() == 0
    });
    assert!(rested, "sessions at the server never end");
    check_rest(&mut arena, server_machine);
    let told = liar_provider.told();
    let sealed = told.sealed.iter().map(|(_, root)| *root).collect();
    let own = before
        .iter()
        .filter(|((machine, ..), _)| *machine == honest_machine);
    let own = own.map(|(_, hash)| *hash).collect();
    let up = |name: &FilePath| name.as_bytes().starts_with(b"up ");
    check_root(&arena, &before, (server_machine, root_of(HONEST)), &own, up);
    check_root(
        &arena,
        &before,
        (server_machine, root_of(LIAR)),
        &sealed,
        |_| true,
    );
    told
}

/// A hostile server and an honest client.
pub(crate) fn server_lies(plan: &HostilePlan, seed: u64) -> Told {
    let mut arena = Arena::new();
    let mut before = Before::new();
    let provider = hostile(0, plan, seed);
    let server_machine = arena.add(config(provider.clone(), true), seed);
    let machine = arena.add(config(null(HONEST), false), seed);
    plant(&mut arena, &mut before, server_machine, root_of(HONEST));
    plant(&mut arena, &mut before, machine, LOCAL);
    let mut server = Server::new(server_machine, &[HONEST]);
    let address = arena.machines[server_machine].address;
    let mut user = User::new(machine, address, goals());
    user.sessions = 3;
    let over = arena.run(WITHIN, |arena| {
        server.act(arena);
        user.act(arena);
        user.is_over()
    });
    assert!(over, "{:?} {:?}", user.ends, user.causes);
    check_rest(&mut arena, machine);
    let told = provider.told();
    let sealed = told.sealed.iter().map(|(_, root)| *root).collect();
    let down = |name: &FilePath| name.as_bytes().starts_with(b"down ");
    check_root(&arena, &before, (machine, LOCAL), &sealed, down);
    for (goal, end) in user.goals.iter().zip(&user.ends) {
        if let (
            Request::Get { to, .. },
            Some(Ok(Finished::Stored {
                root: Some(root),
                size,
                ..
            })),
        ) = (goal, end)
        {
            let content = arena.machines[machine].disk.content(LOCAL, &to.path);
            let content = content.expect("it was stored");
            assert_eq!((content.len(), hash(content)), (*size, *root), "{goal:?}");
        }
    }
    told
}

/// A client with a good key whom nobody admits, and who lies.
pub(crate) fn stranger_lies(plan: &HostilePlan, seed: u64) -> Told {
    let mut arena = Arena::new();
    let mut before = Before::new();
    let server_machine = arena.add(config(null(0), true), seed);
    let provider = hostile(STRANGER, plan, seed);
    let stranger_machine = arena.add(config(provider.clone(), false), seed);
    plant(&mut arena, &mut before, server_machine, root_of(STRANGER));
    plant(&mut arena, &mut before, stranger_machine, LOCAL);
    let mut server = Server::new(server_machine, &[]);
    let address = arena.machines[server_machine].address;
    let mut stranger = User::new(stranger_machine, address, goals());
    stranger.patient = false;
    let mut since = None;
    arena.run(Duration::from_secs(60), |arena| {
        server.act(arena);
        stranger.act(arena);
        let sessions = arena.machines[server_machine].endpoint.sessions();
        if sessions > 0 {
            let begun = *since.get_or_insert(arena.now);
            // Ten seconds for the handshake, ten for a decision, and CLOSE is said for three probe time-outs.
            let lived = arena.now.since(begun);
            assert!(lived < Duration::from_secs(25), "H10: {lived:?}");
        }
        let disk = &arena.machines[server_machine].disk;
        assert_eq!(disk.stats().operations, 0, "invariant 8");
        since.is_some() && sessions == 0
    });
    assert!(server.asked.is_empty(), "invariant 8");
    provider.told()
}

/// Adds up what was told.
pub(crate) fn add(sum: &mut BTreeMap<Lie, u64>, told: &Told) {
    for (lie, count) in &told.lies {
        *sum.entry(*lie).or_default() += count;
    }
}
