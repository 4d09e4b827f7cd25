//! What came of a scenario, as text.

use std::fmt::Write as _;

use proto_core::{Duration, Failure};
use sim::scenario::{ClientPlan, Goal, Scenario};
use sim::world::{GoalOutcome, Outcome, Report, UserOutcome};

/// Each plan's users with their goals, and the figures of all.
pub(crate) fn summary(scenario: &Scenario, outcome: &Outcome) -> String {
    let mut text = String::new();
    let mut rest = outcome.users.as_slice();
    let mut first = 1;
    for plan in &scenario.clients {
        let (users, others) = rest.split_at(rest.len().min(plan.count as usize));
        rest = others;
        text.push_str(&describe(first, plan, users));
        first += users.len();
    }
    text + &figures(&outcome.report)
}

/// The users of one plan: one by itself, several by their least, median and greatest figures.
fn describe(first: usize, plan: &ClientPlan, users: &[UserOutcome]) -> String {
    let last = first + users.len().saturating_sub(1);
    let who = match users {
        [] => return String::new(),
        [_] => format!("user {first}"),
        _ => format!("users {first} to {last}"),
    };
    let ready = spread(users.iter().map(|user| {
        let ready = user.ready?.checked_sub(user.joined)?;
        Some(ready.as_nanos())
    }));
    let sum = |of: fn(&UserOutcome) -> u32| -> u32 { users.iter().map(of).sum() };
    let sessions = sum(|user| user.sessions);
    let lost = match sum(|user| user.sessions_lost) {
        0 => String::new(),
        lost => format!(", {lost} of them lost"),
    };
    let honest = if users.iter().all(|user| user.honest) {
        ""
    } else {
        " (a liar, or lied to)"
    };
    let ready = ready.map_or("never connected".into(), |of| {
        format!("connected in {}", of.show(time))
    });
    let mut text = format!("{who}{honest}: {ready}; sessions: {sessions}{lost}\n");
    for index in 0..plan.goals.len() {
        let goals: Vec<&GoalOutcome> = users.iter().map(|user| &user.goals[index]).collect();
        text.push_str(&describe_goal(&goals));
    }
    text
}

/// The same goal of one or several users.
fn describe_goal(goals: &[&GoalOutcome]) -> String {
    let Some(first) = goals.first() else {
        return String::new();
    };
    let met = goals.iter().filter(|goal| goal.is_met()).count();
    let mut text = format!("  {:<24}", name(&first.goal));
    let result = match goals {
        [goal] => result(goal),
        _ => format!("{met} of {} done", goals.len()),
    };
    text.push_str(&result);
    let done = || goals.iter().filter(|goal| goal.is_met());
    if let Some(times) = spread(done().map(|goal| Some(goal.time()?.as_nanos()))) {
        text.push_str(&format!(" in {}", times.show(time)));
    }
    if let Some(rates) = spread(done().map(|goal| goal.goodput().map(u128::from))) {
        text.push_str(&format!(", {}", rates.show(rate)));
    }
    let interrupted: u32 = goals.iter().map(|goal| goal.interrupted).sum();
    if interrupted > 0 {
        text.push_str(&format!("; begun again: {interrupted}"));
    }
    text + "\n"
}

fn name(goal: &Goal) -> String {
    let path =
        |path: &proto_core::wire::FilePath| String::from_utf8_lossy(path.as_bytes()).into_owned();
    match goal {
        Goal::Put(copy) if copy.tree => format!("put tree {}", path(&copy.remote)),
        Goal::Get(copy) if copy.tree => format!("get tree {}", path(&copy.remote)),
        Goal::Put(copy) => format!("put {}", path(&copy.remote)),
        Goal::Get(copy) => format!("get {}", path(&copy.remote)),
        Goal::List(of) => format!("list /{}", path(of)),
        Goal::Stat(of) => format!("stat {}", path(of)),
    }
}

fn result(goal: &GoalOutcome) -> String {
    match goal.result {
        None => "given up".into(),
        Some(Ok(_)) => "done".into(),
        Some(Err(Failure::NoAnswer)) => "nobody answered".into(),
        Some(Err(Failure::SessionLost)) => "the session was lost".into(),
        Some(Err(Failure::Here(code))) => format!("failed here: {code:?}"),
        Some(Err(Failure::Peer(code))) => format!("failed there: {code:?}"),
        Some(Err(Failure::Refused(code))) => format!("refused: {code:?}"),
    }
}

/// The least, the median and the greatest of some figures.
struct Spread {
    least: u128,
    median: u128,
    greatest: u128,
    single: bool,
}

/// Of those that there are; `None` if there is none.
fn spread(figures: impl Iterator<Item = Option<u128>>) -> Option<Spread> {
    let mut figures: Vec<u128> = figures.flatten().collect();
    figures.sort_unstable();
    Some(Spread {
        least: *figures.first()?,
        median: *figures.get(figures.len() / 2)?,
        greatest: *figures.last()?,
        single: figures.len() == 1,
    })
}

impl Spread {
    fn show(&self, figure: fn(u128) -> String) -> String {
        if self.single {
            return figure(self.least);
        }
        let [least, median, greatest] = [self.least, self.median, self.greatest].map(figure);
        format!("{least} to {greatest} (median {median})")
    }
}

/// Three digits and a unit.
fn time(nanos: u128) -> String {
    let nanos = u64::try_from(nanos).unwrap_or(u64::MAX);
    format!("{:.3?}", Duration::from_nanos(nanos))
}

fn rate(bits_per_second: u128) -> String {
    format!("{:.2} Mbit/s", bits_per_second as f64 / 1e6)
}

fn figures(report: &Report) -> String {
    let mut text = format!(
        "goals: {} met, {} failed, in {} of virtual time\n",
        report.met,
        report.failed,
        time(report.elapsed.as_nanos())
    );
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "sessions: {}, {} of them lost; crashes: {}; file bytes: {}, and {} that clients sent again; datagrams: {} of {} bytes; digest {:016x}",
        report.connections,
        report.sessions_lost,
        report.crashes,
        report.bytes,
        report.resent,
        report.datagrams,
        report.wire_bytes,
        report.digest
    );
    text
}
