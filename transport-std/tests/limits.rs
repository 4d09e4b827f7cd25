//! Rate limits over real sockets.

mod world;

use std::time::{Duration, Instant};

use transport_std::{Client, GetOptions, PutOptions, RateLimits};
use world::World;

const SIZE: usize = 2_000_000;
const LIMIT: u64 = 1_000_000;

fn both(rate: u64) -> RateLimits {
    RateLimits {
        send: Some(rate),
        receive: Some(rate),
    }
}

/// A file goes there and back; how long each takes.
fn there_and_back(world: &World, client: &Client) -> [Duration; 2] {
    World::make(&world.local("a"), SIZE, 1);
    let began = Instant::now();
    let up = client.put(world.local("a"), "a", &PutOptions::default(), |_| {});
    up.unwrap();
    let up = began.elapsed();
    let began = Instant::now();
    let down = client.get("a", world.local("b"), &GetOptions::default(), |_| {});
    down.unwrap();
    [up, began.elapsed()]
}

/// Never faster; a busy machine may be slower.
#[test]
fn a_client_limits_both_directions_while_it_runs() {
    let world = World::new();
    let client = world.client();
    client.set_limits(both(LIMIT));
    let least = Duration::from_millis(1_900);
    let took = there_and_back(&world, &client);
    assert!(took.iter().all(|took| *took >= least), "{took:?}");
    client.set_limits(RateLimits::default());
    let took = there_and_back(&world, &client);
    assert!(took.iter().all(|took| *took < least), "{took:?}");
    client.close();
}

#[test]
fn a_server_limits_a_user() {
    let world = World::with(|builder| builder.limits(|_| Some(both(LIMIT))));
    let client = world.client();
    let took = there_and_back(&world, &client);
    let least = Duration::from_millis(1_900);
    assert!(took.iter().all(|took| *took >= least), "{took:?}");
    client.close();
}
