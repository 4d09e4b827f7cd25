use std::path::PathBuf;

use sim::explore::observe_guarded;
use sim::lab::Trace;
use sim::scenario::Scenario;

use super::summary;

/// Run a scenario from a file twice and compare, and say what came of each goal; ends with 0 if no invariant was broken, all
/// demands were met and both runs were the same.
#[derive(clap::Args, Debug)]
pub(crate) struct Run {
    /// The scenario, as TOML.
    scenario: PathBuf,
    /// Another seed than the file's.
    #[arg(long)]
    seed: Option<u64>,
    /// Print what happens.
    #[arg(long)]
    trace: bool,
}

pub(crate) fn run(args: &Run) -> bool {
    let name = args.scenario.display().to_string();
    let read = std::fs::read_to_string(&args.scenario)
        .map_err(|error| error.to_string())
        .and_then(|text| Scenario::from_toml(&text).map_err(|error| error.to_string()));
    match read {
        Ok(mut scenario) => {
            scenario.seed = args.seed.unwrap_or(scenario.seed);
            twice(&scenario, args.trace, &name)
        }
        Err(error) => {
            eprintln!("{name}: {error}");
            false
        }
    }
}

fn twice(scenario: &Scenario, trace: bool, name: &str) -> bool {
    let sink = if trace {
        Trace::new(|line| println!("{line}"))
    } else {
        Trace::default()
    };
    let first = observe_guarded(scenario, sink);
    match &first {
        Ok(outcome) => print!("{}", summary::summary(scenario, outcome)),
        Err(what) => println!("{name}: {what}"),
    }
    let same = first == observe_guarded(scenario, Trace::default());
    if !same {
        println!("the second run was another");
    }
    first.is_ok() && same
}
