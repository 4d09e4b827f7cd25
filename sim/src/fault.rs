//! Faults inside the core, as scenarios plan them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use proto_core::fault::{Fault, FaultHook};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::rng::Rng;

/// Which faults strike inside a host's core, and how often: one time in so many that the core asks. 1 is always.
///
/// As data: a map from the fault's name to that number, as in `{ ack-late = 3 }`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct FaultPlan(BTreeMap<Fault, u32>);

impl FaultPlan {
    /// No fault but this one, which strikes one time in `one_in`.
    #[must_use]
    pub fn only(fault: Fault, one_in: u32) -> Self {
        Self(BTreeMap::from([(fault, one_in.max(1))]))
    }

    /// Lets `fault` strike one time in `one_in`.
    pub fn set(&mut self, fault: Fault, one_in: u32) {
        self.0.insert(fault, one_in.max(1));
    }

    /// Takes the first fault away.
    pub fn pop_first(&mut self) {
        self.0.pop_first();
    }

    /// Whether nothing strikes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The faults, each with how seldom it strikes.
    pub fn iter(&self) -> impl Iterator<Item = (Fault, u32)> {
        self.0.iter().map(|(fault, one_in)| (*fault, *one_in))
    }

    /// Whether there are faults that a right protocol survives. They end with all the others of a run; planted bugs do not.
    #[must_use]
    pub fn has_legal(&self) -> bool {
        self.0.keys().any(|fault| fault.is_legal())
    }
}

impl Serialize for FaultPlan {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.iter().map(|(fault, one_in)| (fault.name(), one_in)))
    }
}

impl<'de> Deserialize<'de> for FaultPlan {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let mut plan = Self::default();
        for (name, one_in) in BTreeMap::<String, u32>::deserialize(from)? {
            let fault = Fault::from_name(&name)
                .ok_or_else(|| de::Error::custom(format!("there is no fault {name:?}")))?;
            if one_in == 0 {
                return Err(de::Error::custom(format!(
                    "{name}: one time in 0 is no share; leave the fault out, or say 1 for always"
                )));
            }
            plan.set(fault, one_in);
        }
        Ok(plan)
    }
}

/// The hook of one host. All of its answers follow from its plan and its randomness.
#[derive(Debug)]
pub struct PlannedFaults {
    /// By fault; 0 for never.
    one_in: [u32; Fault::ALL.len()],
    /// Legal faults strike no more.
    healed: AtomicBool,
    rng: Mutex<Rng>,
}

impl PlannedFaults {
    /// The hook for a host with this plan.
    #[must_use]
    pub fn new(plan: &FaultPlan, rng: Rng) -> Self {
        let mut one_in = [0; Fault::ALL.len()];
        for (fault, n) in plan.iter() {
            if let Some(place) = one_in.get_mut(fault as usize) {
                *place = n;
            }
        }
        Self {
            one_in,
            healed: AtomicBool::new(false),
            rng: Mutex::new(rng),
        }
    }

    /// From now on legal faults strike no more.
    pub fn heal(&self) {
        self.healed.store(true, Ordering::Relaxed);
    }
}

impl FaultHook for PlannedFaults {
    fn strikes(&self, fault: Fault) -> bool {
        let one_in = self.one_in.get(fault as usize).copied().unwrap_or(0);
        if one_in == 0 || (fault.is_legal() && self.healed.load(Ordering::Relaxed)) {
            return false;
        }
        let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner);
        rng.one_in(one_in.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_strike_as_often_as_planned_until_they_are_healed() {
        let mut plan = FaultPlan::only(Fault::AckLate, 4);
        plan.set(Fault::SyncSkipped, 1);
        let hook = PlannedFaults::new(&plan, Rng::new(1, 0));
        let count = |fault| (0..4_000).filter(|_| hook.strikes(fault)).count();
        assert!((900..1_100).contains(&count(Fault::AckLate)));
        assert_eq!(count(Fault::SyncSkipped), 4_000);
        assert_eq!(count(Fault::AckEarly), 0);
        hook.heal();
        assert_eq!(count(Fault::AckLate), 0);
        assert_eq!(count(Fault::SyncSkipped), 4_000);
    }

    #[test]
    fn a_plan_is_a_map_of_names() {
        let mut plan = FaultPlan::only(Fault::AckLate, 4);
        plan.set(Fault::SyncSkipped, 1);
        let text = toml::to_string(&plan).expect("a map");
        assert_eq!(text, "ack-late = 4\nsync-skipped = 1\n");
        assert_eq!(toml::from_str(&text), Ok(plan));
        for (wrong, name) in [
            ("ack-lat = 4", "ack-lat"),
            ("ack-late = 0", "one time in 0"),
        ] {
            let error = toml::from_str::<FaultPlan>(wrong).expect_err("no plan");
            assert!(error.to_string().contains(name), "{error}");
        }
    }
}
