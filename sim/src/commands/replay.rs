use sim::explore::run_guarded;
use sim::lab::Trace;
use sim::scenario::Scenario;

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
    /// Print the scenario as a file for `run`, and do nothing else.
    #[arg(long)]
    scenario: bool,
}

pub(crate) fn run(args: &Replay) -> bool {
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
    args.scenario || twice(&scenario, args.trace, &format!("seed {}", args.seed))
}

/// Runs a scenario twice, the first time with a trace if that is wanted; says what came of it.
pub(crate) fn twice(scenario: &Scenario, trace: bool, name: &str) -> bool {
    let sink = if trace {
        Trace::new(|line| println!("{line}"))
    } else {
        Trace::default()
    };
    let first = run_guarded(scenario, sink);
    let second = run_guarded(scenario, Trace::default());
    match &first {
        Ok(report) => println!("{report:#?}"),
        Err(what) => println!("{name}: {what}"),
    }
    if first != second {
        println!("the second run was another: {second:#?}");
    }
    first.is_ok() && first == second
}
