//! `sim mutants`: whether the simulator finds planted bugs.

use proto_core::fault::Fault;
use sim::mutants::{Found, MUTANTS, Mutant, in_parallel};

/// Plant bugs in the core, one at a time, and look for them; ends with 0 if each was found within its stated number of
/// seeds, from every starting seed.
#[derive(clap::Args, Debug)]
pub(crate) struct Mutants {
    /// Only this bug.
    #[arg(long)]
    fault: Option<String>,
    /// Seeds to look through instead of the stated numbers.
    #[arg(long)]
    seeds: Option<u64>,
    /// How many starting seeds to look from.
    #[arg(long, default_value_t = 5)]
    starts: u64,
    /// Only the search with the audit of the core's state, not the one from outside.
    #[arg(long)]
    audited_only: bool,
}

/// From one starting seed to the next.
const APART: u64 = 1_000_000;

/// A search: from where, and whether with the audit.
#[derive(Clone, Copy)]
struct Job {
    mutant: &'static Mutant,
    start: u64,
    audits: bool,
}

pub(crate) fn run(args: &Mutants) -> bool {
    // A panic is a find like any other.
    std::panic::set_hook(Box::new(|_| {}));
    let wanted: Vec<&Mutant> = match &args.fault {
        None => MUTANTS.iter().collect(),
        Some(name) => Fault::from_name(name)
            .and_then(Mutant::of)
            .into_iter()
            .collect(),
    };
    if wanted.is_empty() {
        let names: Vec<_> = MUTANTS.iter().map(|mutant| mutant.bug.name()).collect();
        println!(
            "there is no such planted bug; there are {}",
            names.join(", ")
        );
        return false;
    }
    println!(
        "seeds until the bug is found, from {} starting seeds: median and worst\n",
        args.starts
    );
    println!(
        "| bug | strikes | finder | bound | median, worst | without the audit | what was said |"
    );
    println!("|---|---|---|---|---|---|---|");
    let mut good = 0;
    for mutant in &wanted {
        good += u64::from(look(args, mutant));
    }
    println!("\n{good} of {} found within their bounds", wanted.len());
    good == wanted.len() as u64
}

/// Looks for one bug and prints its line; says whether it was found within its bound.
fn look(args: &Mutants, mutant: &'static Mutant) -> bool {
    let bound = args.seeds.unwrap_or(mutant.seeds);
    let sides: &[bool] = if args.audited_only {
        &[true]
    } else {
        &[true, false]
    };
    let jobs: Vec<Job> = sides
        .iter()
        .flat_map(|&audits| {
            (0..args.starts).map(move |n| Job {
                mutant,
                start: n * APART,
                audits,
            })
        })
        .collect();
    let found = in_parallel(&jobs, |job| job.mutant.find(job.start, bound, job.audits));
    let (audited, outside) = found.split_at(args.starts as usize);
    let said = audited.iter().flatten().next();
    let said = said.map_or("", |found| found.what.as_str());
    println!(
        "| {} | {} | {} | {bound} | {} | {} | {} |",
        mutant.bug,
        if mutant.one_in == 1 {
            "always".into()
        } else {
            format!("1 in {}", mutant.one_in)
        },
        mutant.finder.name(),
        figures(audited),
        figures(outside),
        said.replace('\n', " ")
            .replace('|', "/")
            .chars()
            .take(160)
            .collect::<String>(),
    );
    let all = |found: &[Option<Found>]| found.iter().all(Option::is_some);
    all(audited) && (!mutant.black_box || all(outside))
}

/// Median and worst.
fn figures(found: &[Option<Found>]) -> String {
    let mut seeds: Vec<u64> = found.iter().flatten().map(|found| found.seeds).collect();
    seeds.sort_unstable();
    let missed = found.len() - seeds.len();
    match (seeds.get(found.len() / 2), seeds.last()) {
        _ if found.is_empty() => "–".into(),
        (Some(median), Some(worst)) if missed == 0 => format!("{median}, {worst}"),
        _ => format!("{missed} of {} missed", found.len()),
    }
}
