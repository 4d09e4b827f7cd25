//! Making a scenario that breaks an invariant smaller while it still does.

use proto_core::Duration;

use crate::disk::DiskPlan;
use crate::fault::FaultPlan;
use crate::hostile::HostilePlan;
use crate::link::{Link, LinkPlan};
use crate::scenario::{ClientPlan, HostPlan, LimitsPlan, Scenario};

/// Smaller variants of a scenario are tried one after the other, at most `tries` of them; one that still `fails` is
/// taken, and made smaller in turn.
pub fn shrink(
    scenario: &Scenario,
    tries: u32,
    mut fails: impl FnMut(&Scenario) -> bool,
) -> Scenario {
    let mut best = scenario.clone();
    let mut place = 0;
    let mut found = false;
    for _ in 0..tries {
        let mut variants = variants(&best);
        if place >= variants.len() {
            if !found {
                break;
            }
            (place, found) = (0, false);
            continue;
        }
        let variant = variants.swap_remove(place);
        if fails(&variant) {
            best = variant;
            found = true;
        } else {
            place += 1;
        }
    }
    best
}

/// Every way to make one thing simpler, the largest steps first. None is the scenario itself.
fn variants(scenario: &Scenario) -> Vec<Scenario> {
    let mut variants = Vec::new();
    let mut with = |change: &dyn Fn(&mut Scenario)| {
        let mut variant = scenario.clone();
        change(&mut variant);
        if variant != *scenario {
            variants.push(variant);
        }
    };
    let clients = scenario.clients.len();
    let mut chunk = clients / 2;
    while chunk > 0 {
        for start in (0..clients).step_by(chunk) {
            with(&|of| remove_clients(of, start, chunk));
        }
        chunk /= 2;
    }
    with(&|of| of.incidents.clear());
    for index in 0..scenario.incidents.len() {
        with(&|of| drop(of.incidents.remove(index)));
    }
    with(&|of| of.shared = None);
    with(&|of| of.ecn = false);
    with(&|of| of.tls = false);
    with(&|of| of.admits_after = Duration::ZERO);
    with(&|of| of.decides_after = Duration::ZERO);
    for change in HOST {
        with(&|of| change(&mut of.server));
        for client in 0..clients {
            with(&|of| change(&mut of.clients[client].host));
        }
    }
    for client in 0..clients {
        for change in CLIENT {
            with(&|of| change(&mut of.clients[client]));
        }
        for goal in 0..scenario.clients[client].goals.len() {
            with(&|of| drop(of.clients[client].goals.remove(goal)));
            with(&|of| of.clients[client].goals[goal].starts = Duration::ZERO);
            with(&|of| of.clients[client].goals[goal].cancel_after = None);
            with(&|of| of.clients[client].goals[goal].in_turn = false);
        }
        for change in LINK {
            with(&|of| change(&mut of.clients[client].link.up));
            with(&|of| change(&mut of.clients[client].link.down));
        }
    }
    variants
}

/// Takes clients away, with what befalls them; the others get new numbers.
fn remove_clients(scenario: &mut Scenario, start: usize, count: usize) {
    let end = (start + count).min(scenario.clients.len());
    // Incidents name users, of which a plan may make several.
    let users = |plans: &[ClientPlan]| plans.iter().map(|plan| plan.count).sum::<u32>();
    let first = 1 + users(&scenario.clients[..start]);
    let gone = users(&scenario.clients[start..end]);
    scenario.clients.drain(start..end);
    let is_gone = |who: u32| (first..first + gone).contains(&who);
    scenario.incidents.retain(|of| !is_gone(of.who.0));
    for incident in &mut scenario.incidents {
        if incident.who.0 >= first {
            incident.who.0 -= gone;
        }
    }
}

const HOST: &[fn(&mut HostPlan)] = &[
    |host| host.hostile = None,
    |host| (host.faults, host.faults_until) = (FaultPlan::default(), None),
    |host| host.faults.pop_first(),
    |host| host.disk = DiskPlan::default(),
    |host| host.limits = LimitsPlan::default(),
    |host| host.clock_drift = 0,
    |host| host.datagram_size = 1_200,
    |host| host.datagram_max = 1_200,
    |host| host.segments_max = 10,
    |host| host.disk.slow = DiskPlan::default().slow,
    |host| host.disk.io_errors = 0,
    |host| host.disk.space_errors = 0,
    |host| host.disk.sync_errors = 0,
    |host| host.disk.open_errors = 0,
    |host| host.disk.close_errors = 0,
    |host| host.disk.rename_errors = 0,
    |host| host.disk.short_reads = 0,
    |host| host.disk.flipped_bits = 0,
    |host| host.disk.short_writes = 0,
    |host| host.disk.capacity = u64::MAX,
    |host| host.disk.open_files_max = u32::MAX,
    |host| host.disk.latency_max = host.disk.latency_min,
    |host| host.disk.latency_min = Duration::ZERO,
    |host| host.disk.sync_latency = Duration::ZERO,
    |host| host.limits.sink_blocks = None,
    |host| host.limits.source_blocks = None,
    |host| host.limits.credit_blocks_max = None,
    |host| host.limits.credit_blocks_initial = None,
    |host| host.limits.read_ahead_blocks = None,
    |host| host.limits.page = None,
    |host| host.limits.transfers_per_session = None,
    |host| {
        if let Some(HostilePlan { lies, .. }) = &mut host.hostile {
            lies.pop_first();
        }
    },
    |host| {
        if let Some(HostilePlan { lies, .. }) = &mut host.hostile {
            lies.pop_last();
        }
    },
];

const CLIENT: &[fn(&mut ClientPlan)] = &[
    |client| client.link = Link::default(),
    |client| client.count = client.count.div_ceil(2),
    |client| client.joins = Duration::ZERO,
    |client| halve(client, 4),
    |client| halve(client, 1),
    |client| {
        let wanted = client.goals.iter().map(|plan| plan.goal.clone());
        let wanted: Vec<_> = wanted.collect();
        let used = |planted: &crate::scenario::Planted| {
            wanted.iter().any(|goal| goal.touches(&planted.path))
        };
        client.local.retain(used);
        client.remote.retain(used);
    },
];

/// Makes files smaller.
fn halve(client: &mut ClientPlan, times: u32) {
    for planted in client.local.iter_mut().chain(&mut client.remote) {
        planted.size >>= times;
    }
}

const LINK: &[fn(&mut LinkPlan)] = &[
    |link| *link = LinkPlan::with_delay(link.delay),
    |link| link.loss = 0,
    |link| link.bursts = None,
    |link| link.drop.clear(),
    |link| link.outages.clear(),
    |link| link.reorder = 0,
    |link| link.duplicate = 0,
    |link| link.corrupt = 0,
    |link| link.truncate = 0,
    |link| link.rate = None,
    |link| link.mtu = None,
    |link| link.jitter = Duration::ZERO,
    |link| link.delay = Duration::ZERO,
    |link| {
        link.outages.pop();
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Goal, Misfortune};

    #[test]
    fn what_does_not_matter_goes_and_what_does_stays() {
        let seed = (0..).find(|&seed| {
            let scenario = Scenario::draw(seed, false);
            let crashes = |of: &Scenario| crashes_of(of) > 0;
            crashes(&scenario) && scenario.clients.len() == 3 && gets(&scenario) > 1
        });
        let scenario = Scenario::draw(seed.expect("there are endless seeds"), false);
        let mut runs = 0;
        let small = shrink(&scenario, 10_000, |of| {
            runs += 1;
            crashes_of(of) > 0 && gets(of) > 0
        });
        assert_eq!((crashes_of(&small), gets(&small)), (1, 1));
        let goals: usize = small.clients.iter().map(|client| client.goals.len()).sum();
        assert_eq!(
            (small.clients.len(), goals, small.incidents.len()),
            (1, 1, 1)
        );
        assert_eq!(small.clients[0].link, Link::default());
        assert_eq!(
            small.server,
            HostPlan {
                segments_max: 10,
                datagram_max: 1_200,
                ..HostPlan::default()
            }
        );
        assert!(runs < 1_000, "{runs}");
    }

    fn crashes_of(scenario: &Scenario) -> usize {
        let crash = |what: &Misfortune| matches!(what, Misfortune::Crash { .. });
        scenario
            .incidents
            .iter()
            .filter(|of| of.who.0 == 0 && crash(&of.what))
            .count()
    }

    fn gets(scenario: &Scenario) -> usize {
        let goals = scenario.clients.iter().flat_map(|client| &client.goals);
        goals
            .filter(|plan| matches!(plan.goal, Goal::Get(_)))
            .count()
    }
}
