//! What a run came to, user by user and goal by goal.

use proto_core::{Duration, Failure, Finished, Instant};

use super::Report;
use super::user::{GoalRun, Standing, User};
use crate::lab::Checked;
use crate::scenario::{Demands, Goal};

/// What a run came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// All figures together.
    pub report: Report,
    /// The users, in the order of the scenario.
    pub users: Vec<UserOutcome>,
}

/// What a user did. Times are from the run's start.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UserOutcome {
    /// Neither the user's own host nor the server lies.
    pub honest: bool,
    /// When the user came.
    pub joined: Duration,
    /// When the first session was ready.
    pub ready: Option<Duration>,
    /// Sessions that were opened.
    pub sessions: u32,
    /// Those that ended before their time.
    pub sessions_lost: u32,
    /// The goals, in the order of the scenario.
    pub goals: Vec<GoalOutcome>,
}

/// What came of a goal. Times are from the run's start.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GoalOutcome {
    /// What was wanted.
    pub goal: Goal,
    /// When its first transfer was started.
    pub began: Option<Duration>,
    /// When it ended.
    pub ended: Option<Duration>,
    /// How it ended; `None` when the user gave up or was thrown out before.
    pub result: Option<Result<Finished, Failure>>,
    /// Transfers that ended with their session, after which it was tried again.
    pub interrupted: u32,
    /// File bytes that travelled.
    pub bytes: u64,
    /// File bytes that the client sent again.
    pub resent: u64,
}

impl GoalOutcome {
    /// Whether it was met.
    #[must_use]
    pub fn is_met(&self) -> bool {
        matches!(self.result, Some(Ok(_)))
    }

    /// From its start to its end.
    #[must_use]
    pub fn time(&self) -> Option<Duration> {
        self.ended?.checked_sub(self.began?)
    }

    /// File bits a second, from the start to the end; `None` for what is no upload or download, or moved nothing.
    #[must_use]
    pub fn goodput(&self) -> Option<u64> {
        let copies = matches!(self.goal, Goal::Put(_) | Goal::Get(_)) && self.is_met();
        let bits = u128::from(self.bytes) * 8 * 1_000_000_000;
        let rate = bits.checked_div(self.time()?.as_nanos())?;
        (copies && self.bytes > 0).then(|| u64::try_from(rate).unwrap_or(u64::MAX))
    }
}

impl Outcome {
    /// Checks what the scenario demands of honest users.
    pub(super) fn check(&self, demands: &Demands) -> Checked<()> {
        let honest = || self.users.iter().filter(|user| user.honest);
        let goals = || honest().flat_map(|user| &user.goals);
        let met = goals().filter(|goal| goal.is_met()).count() as u64;
        if let Some(least) = demands.met.filter(|&least| met < least) {
            return Err(format!("{met} goals were met, and {least} are demanded"));
        }
        let sessions: u64 = honest().map(|user| u64::from(user.sessions)).sum();
        if let Some(most) = demands.sessions.filter(|&most| sessions > most) {
            return Err(format!(
                "{sessions} sessions were opened, and {most} may be"
            ));
        }
        let last = goals().filter_map(|goal| goal.ended).max();
        if let Some((most, last)) = demands.within.zip(last).filter(|(most, last)| last > most) {
            return Err(format!("the last goal ended at {last:?}, after {most:?}"));
        }
        let slowest = goals().filter_map(GoalOutcome::goodput).min();
        if let Some(least) = demands.goodput.filter(|&least| slowest < Some(least)) {
            return Err(format!("{slowest:?} bit/s, and {least} are demanded"));
        }
        Ok(())
    }
}

/// From the run's start.
fn since_start(at: Instant) -> Duration {
    at.since(Instant::ZERO)
}

impl User {
    pub(super) fn outcome(&self) -> UserOutcome {
        UserOutcome {
            honest: self.standing == Standing::Honest,
            joined: since_start(self.joined),
            ready: self.ready.map(since_start),
            sessions: self.connections,
            sessions_lost: self.sessions_lost,
            goals: self.goals.iter().map(GoalRun::outcome).collect(),
        }
    }
}

impl GoalRun {
    fn outcome(&self) -> GoalOutcome {
        GoalOutcome {
            goal: self.plan.goal.clone(),
            began: self.began.map(since_start),
            ended: self.ended.map(since_start),
            result: self.result,
            interrupted: self.lost,
            bytes: self.bytes,
            resent: self.resent,
        }
    }
}
