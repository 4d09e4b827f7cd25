//! Harder worlds for bugs that the drawn ones are too mild for.

use proto_core::Duration;

use crate::disk::DiskPlan;
use crate::link::{LinkPlan, MtuChange, MtuPlan};
use crate::rng::Rng;
use crate::scenario::{Edit, Goal, Incident, Misfortune, NEVER, Scenario, Who};

/// How a drawn world is made harder.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Profile {
    /// Bits flip in memory, one in each file that is read; the paths only delay.
    FlippedBits,
    /// Every file that is sent changes four times in the first 300 ms.
    ChangingSources,
    /// Sinks have one or two blocks, and a datagram in five is lost.
    NarrowSinks,
    /// Nine of ten datagrams to the server are lost.
    DeafServer,
    /// Paths carry jumbo datagrams for half a second, only the least for another, and so on.
    ShrinkingPaths,
    /// The server's application admits nobody for a second, and decides about nothing.
    Hesitation,
}

impl Profile {
    /// For people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::FlippedBits => "flipped bits",
            Self::ChangingSources => "changing sources",
            Self::NarrowSinks => "narrow sinks",
            Self::DeafServer => "deaf server",
            Self::ShrinkingPaths => "shrinking paths",
            Self::Hesitation => "hesitation",
        }
    }

    /// Makes it harder.
    pub fn apply(self, scenario: &mut Scenario) {
        match self {
            Self::FlippedBits => {
                disks(scenario, |disk| disk.flipped_bits = 300_000);
                wires(scenario, |up, down| {
                    *up = LinkPlan::with_delay(up.delay);
                    *down = LinkPlan::with_delay(down.delay);
                });
                scenario.shared = None;
            }
            Self::ChangingSources => change_sources(scenario),
            Self::NarrowSinks => {
                wires(scenario, |up, down| {
                    up.loss = 200_000;
                    down.loss = 200_000;
                });
                let clients = scenario.clients.iter_mut().map(|client| &mut client.host);
                for host in clients.chain([&mut scenario.server]) {
                    host.limits.sink_blocks = Some(2);
                    host.limits.credit_blocks_initial = Some(1);
                    host.limits.credit_blocks_max = Some(2);
                }
                // A directory never finds memory there.
                for client in &mut scenario.clients {
                    client.goals.retain(|plan| !plan.goal.is_tree());
                }
            }
            Self::DeafServer => wires(scenario, |up, _| up.loss = 900_000),
            Self::ShrinkingPaths => {
                let mtu = MtuPlan {
                    changes: vec![MtuChange {
                        at: Duration::from_millis(500),
                        payload: 1_200,
                    }],
                    period: Some(Duration::from_secs(1)),
                    ..MtuPlan::new(8_972)
                };
                wires(scenario, |up, down| {
                    (up.mtu, down.mtu) = (Some(mtu.clone()), Some(mtu.clone()));
                });
                let clients = scenario.clients.iter_mut().map(|client| &mut client.host);
                for host in clients.chain([&mut scenario.server]) {
                    (host.datagram_size, host.datagram_max) = (1_200, 65_507);
                }
            }
            Self::Hesitation => {
                scenario.admits_after = Duration::from_secs(1);
                scenario.decides_after = NEVER;
                let sleep = |of: &Incident| matches!(of.what, Misfortune::Sleep { .. });
                scenario.incidents.retain(|of| !sleep(of));
            }
        }
    }
}

fn disks(scenario: &mut Scenario, change: impl Fn(&mut DiskPlan)) {
    change(&mut scenario.server.disk);
    for client in &mut scenario.clients {
        change(&mut client.host.disk);
    }
}

fn wires(scenario: &mut Scenario, change: impl Fn(&mut LinkPlan, &mut LinkPlan)) {
    for client in &mut scenario.clients {
        change(&mut client.link.up, &mut client.link.down);
    }
}

fn change_sources(scenario: &mut Scenario) {
    let mut rng = Rng::new(scenario.seed, 0xc4a9);
    for (user, client) in (1..).zip(&scenario.clients) {
        for plan in &client.goals {
            let (remote, path, planted) = match &plan.goal {
                Goal::Put(copy) => (false, &copy.local, &client.local),
                Goal::Get(copy) => (true, &copy.remote, &client.remote),
                Goal::List(_) | Goal::Stat(_) => continue,
            };
            let file = planted.iter().find(|of| of.path == *path);
            let Some(size) = file.map(|file| file.size).filter(|size| *size > 0) else {
                continue;
            };
            for _ in 0..4 {
                let at = client.joins + plan.starts + Duration::from_nanos(rng.below(300_000_000));
                let edit = Edit::Write {
                    offset: rng.below(size),
                    size: rng.between(1, 1_000),
                    content: rng.next_u64() >> 1,
                };
                let what = Misfortune::Change {
                    remote,
                    path: path.clone(),
                    edit,
                };
                let who = Who(user);
                scenario.incidents.push(Incident { at, who, what });
            }
        }
    }
}
