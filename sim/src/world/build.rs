//! A world from a scenario.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use proto_core::crypto::{Provider, PublicKey};
use proto_core::wire::FilePath;
use proto_core::{Config, Endpoint, Instant, RootId};

use super::files::Files;
use super::host::{Host, Parts, Record};
use super::server::{Server, root_of};
use super::user::{LOCAL_ROOT, User};
use super::{CLIENT_HOST, SERVER_HOST, World};
use crate::disk::Disk;
use crate::net::Network;
use crate::null_crypto::NullProvider;
use crate::rng::Rng;
use crate::scenario::{Goal, HostPlan, Planted, PlantedKind, Scenario};
use crate::seeded_crypto::SeededTls;

/// Port of the host 0; others follow.
const FIRST_PORT: u16 = 40_000;

/// The address of the host `index`.
pub(super) fn address(index: usize) -> SocketAddr {
    let ip = Ipv4Addr::new(10, 0, 0, 1);
    SocketAddr::new(IpAddr::V4(ip), FIRST_PORT + index as u16)
}

/// The host of `address`.
pub(super) fn host_at(address: SocketAddr) -> Option<usize> {
    address.port().checked_sub(FIRST_PORT).map(usize::from)
}

fn provider(rng: &mut Rng, tls: bool) -> Result<(Arc<dyn Provider>, PublicKey), String> {
    let identity = rng.bytes32();
    if tls {
        let made = SeededTls::new(&identity, rng.bytes32());
        let provider = made.map_err(|error| format!("seeded TLS: {error}"))?;
        let key = provider.public_key();
        return Ok((Arc::new(provider), key));
    }
    let key = PublicKey(identity);
    Ok((Arc::new(NullProvider { key }), key))
}

struct Builder {
    rng: Rng,
    tls: bool,
    files: Files,
}

impl Builder {
    /// The host `index` with the directories in `roots`, and what it is known by.
    fn host(
        &mut self,
        index: usize,
        plan: &HostPlan,
        roots: &[(RootId, &[Planted])],
    ) -> Result<(Host, PublicKey), String> {
        let (provider, key) = provider(&mut self.rng, self.tls)?;
        let mut config = Config::new(provider);
        config.accept = index == SERVER_HOST;
        config.datagram_size = plan.datagram_size;
        config.limits = plan.limits.clone();
        let mut disk = Disk::new(plan.disk, self.rng.fork());
        for (root, planted) in roots {
            disk.add_root(*root);
            for planted in *planted {
                self.plant(&mut disk, index, *root, planted)?;
            }
        }
        let name = match index {
            SERVER_HOST => "server".into(),
            _ => format!("client{index}"),
        };
        let host = Host::new(Parts {
            name,
            address: address(index),
            endpoint: Endpoint::new(Arc::new(config), self.rng.bytes32(), Instant::ZERO),
            disk,
            datagram_size: plan.datagram_size,
            segments_max: plan.segments_max,
            rng: self.rng.fork(),
        });
        Ok((host, key))
    }

    fn plant(
        &mut self,
        disk: &mut Disk,
        host: usize,
        root: RootId,
        planted: &Planted,
    ) -> Result<(), String> {
        let path = &planted.path;
        let done = match &planted.what {
            PlantedKind::File(content, mtime) => disk.plant(root, path, content.clone(), *mtime),
            PlantedKind::Directory => disk.plant_directory(root, path),
            PlantedKind::Device => disk.plant_device(root, path),
        };
        self.files.plant(host, root, planted.clone());
        if done {
            Ok(())
        } else {
            Err(format!("the scenario has no directory for {path:?}"))
        }
    }
}

/// Notes which contents each target may get.
fn note_targets(files: &mut Files, scenario: &Scenario) {
    for (user, client) in scenario.clients.iter().enumerate() {
        let here = |path: &FilePath| (user + CLIENT_HOST, LOCAL_ROOT, path.clone());
        let there = |path: &FilePath| (SERVER_HOST, root_of(user), path.clone());
        for plan in &client.goals {
            match &plan.goal {
                Goal::Put { local, remote, .. } => files.expect_copy(here(local), there(remote)),
                Goal::Get { local, remote, .. } => files.expect_copy(there(remote), here(local)),
                Goal::List { .. } | Goal::Stat { .. } => {}
            }
        }
    }
}

pub(super) fn build(scenario: &Scenario) -> Result<World, String> {
    let mut builder = Builder {
        rng: Rng::new(scenario.seed, 0xb01d),
        tls: scenario.tls,
        files: Files::default(),
    };
    let roots: Vec<(RootId, &[Planted])> = (scenario.clients.iter().enumerate())
        .map(|(user, client)| (root_of(user), client.remote.as_slice()))
        .collect();
    let (server_host, server_key) = builder.host(SERVER_HOST, &scenario.server, &roots)?;
    let mut world = World {
        now: Instant::ZERO,
        steps: 0,
        time_max: Instant::ZERO + scenario.time_max,
        steps_max: scenario.steps_max,
        network: Network::default(),
        hosts: vec![server_host],
        users: Vec::new(),
        server: Server::default(),
        files: Files::default(),
        validated: Vec::new(),
        gone_at: None,
        heard_at: Instant::ZERO,
        unruly_server: scenario.server.disk.has_faults(),
        unruly_clients: Vec::new(),
        record: Record::default(),
    };
    for (user, client) in scenario.clients.iter().enumerate() {
        let index = user + CLIENT_HOST;
        let roots = [(LOCAL_ROOT, client.local.as_slice())];
        let (host, key) = builder.host(index, &client.host, &roots)?;
        let name = format!("user{index}");
        let joins = Instant::ZERO + client.joins;
        let there = address(SERVER_HOST);
        world.hosts.push(host);
        world.server.add_user(key);
        let user = User::new(name, there, server_key, joins, &client.goals);
        world.users.push(user);
        world.validated.push(false);
        world.unruly_clients.push(client.host.disk.has_faults());
        let (up, down) = (&mut builder.rng.fork(), &mut builder.rng.fork());
        let here = address(index);
        world.network.connect(here, there, client.up.nodes(up));
        world.network.connect(there, here, client.down.nodes(down));
    }
    note_targets(&mut builder.files, scenario);
    world.files = builder.files;
    Ok(world)
}
