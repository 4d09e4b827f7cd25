//! Harder worlds for bugs that the drawn ones are too mild for.

use proto_core::Duration;

use crate::lab::Crash;
use crate::scenario::{Incident, Misfortune, Scenario, Who};

/// How a drawn world is made harder.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Profile {
    /// One sync in four fails on every disk.
    FailingSyncs,
    /// One close in four fails on every disk.
    FailingDisks,
    /// One datagram in ten arrives with other bytes, one in ten twice.
    DirtyWires,
    /// One datagram in four is lost.
    LossyWires,
    /// The server loses power at eight moments.
    PowerLosses,
}

impl Profile {
    /// For people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::FailingSyncs => "failing syncs",
            Self::FailingDisks => "failing disks",
            Self::DirtyWires => "dirty wires",
            Self::LossyWires => "lossy wires",
            Self::PowerLosses => "power losses",
        }
    }

    pub(super) fn apply(self, scenario: &mut Scenario) {
        match self {
            Self::FailingSyncs => disks(scenario, |disk| disk.sync_errors = 250_000),
            Self::FailingDisks => disks(scenario, |disk| {
                disk.io_errors = 100_000;
                disk.rename_errors = 250_000;
            }),
            Self::DirtyWires => wires(scenario, |wire| {
                wire.corrupt = 100_000;
                wire.duplicate = 100_000;
            }),
            Self::LossyWires => wires(scenario, |wire| wire.loss = wire.loss.max(250_000)),
            Self::PowerLosses => {
                let losses = (1..=8).map(|number| Incident {
                    at: Duration::from_millis(60 * number),
                    who: Who(0),
                    what: Misfortune::Crash {
                        how: Crash::Power,
                        down: Duration::from_millis(5),
                    },
                });
                scenario.incidents.extend(losses);
            }
        }
    }
}

fn disks(scenario: &mut Scenario, change: impl Fn(&mut crate::disk::DiskPlan)) {
    change(&mut scenario.server.disk);
    for client in &mut scenario.clients {
        change(&mut client.host.disk);
    }
}

fn wires(scenario: &mut Scenario, change: impl Fn(&mut crate::link::LinkPlan)) {
    for client in &mut scenario.clients {
        change(&mut client.link.up);
        change(&mut client.link.down);
    }
}
