use sim::classic;
use sim::explore::{guarded, run_guarded};
use sim::lab::Trace;
use sim::scenario::Scenario;
use sim::world::Report;

/// Run one seed twice and compare; ends with 0 if no invariant was broken and both runs were the same.
#[derive(clap::Args, Debug)]
pub(crate) struct Replay {
    /// The seed.
    seed: u64,
    /// Print what happens.
    #[arg(long)]
    trace: bool,
    /// Real cryptography.
    #[arg(long)]
    tls: bool,
    /// A world of the classic dialect.
    #[arg(long, conflicts_with_all = ["tls", "scenario"])]
    classic: bool,
    /// Print the scenario as a file for `run`, and do nothing else.
    #[arg(long)]
    scenario: bool,
}

pub(crate) fn run(args: &Replay) -> bool {
    let name = format!("seed {}", args.seed);
    if args.classic {
        let run = |trace| guarded(|| classic::run(args.seed, trace));
        return compare(run, args.trace, &name);
    }
    let scenario = Scenario::draw(args.seed, args.tls);
    if args.scenario || args.trace {
        match scenario.to_toml() {
            Ok(text) => println!("{text}"),
            Err(error) => {
                eprintln!("seed {}: {error}", args.seed);
                return false;
            }
        }
    }
    args.scenario || twice(&scenario, args.trace, &name)
}

/// Runs a scenario twice, the first time with a trace if that is wanted; says what came of it.
pub(crate) fn twice(scenario: &Scenario, trace: bool, name: &str) -> bool {
    compare(|trace| run_guarded(scenario, trace), trace, name)
}

fn compare(run: impl Fn(Trace) -> Result<Report, String>, trace: bool, name: &str) -> bool {
    let sink = if trace {
        Trace::new(|line| println!("{line}"))
    } else {
        Trace::default()
    };
    let first = run(sink);
    let second = run(Trace::default());
    match &first {
        Ok(report) => println!("{report:#?}"),
        Err(what) => println!("{name}: {what}"),
    }
    if first != second {
        println!("the second run was another: {second:#?}");
    }
    first.is_ok() && first == second
}
