use std::path::PathBuf;

use sim::scenario::Scenario;

/// Run a scenario from a file twice and compare; ends with 0 if no invariant was broken and both runs were the same.
#[derive(clap::Args, Debug)]
pub(crate) struct Run {
    /// The scenario, as TOML.
    scenario: PathBuf,
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
        Ok(scenario) => super::replay::twice(&scenario, args.trace, &name),
        Err(error) => {
            eprintln!("{name}: {error}");
            false
        }
    }
}
