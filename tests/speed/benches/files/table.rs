//! What came of it, as a table.

use super::Args;

/// Seconds of one run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figures {
    /// From the client's start to its end.
    pub(crate) wall: f64,
    /// CPU of the server.
    pub(crate) server: f64,
    /// CPU of the client.
    pub(crate) client: f64,
}

fn median(mut of: Vec<f64>) -> f64 {
    of.sort_by(f64::total_cmp);
    let middle = of.len() / 2;
    if of.len() % 2 == 1 {
        of[middle]
    } else {
        (of[middle - 1] + of[middle]) / 2.0
    }
}

/// Medians, and beside each contestant the median of its rounds' ratios to dhow's get: above 1, dhow is faster.
pub(crate) fn print(args: &Args, names: &[&str], figures: &[Vec<Figures>]) {
    let column = |of: &[Figures], what: fn(&Figures) -> f64| median(of.iter().map(what).collect());
    let gib = args.size as f64 / 1024.0;
    let datagram = args
        .datagram
        .map_or("the best of each".into(), |size| format!("{size} B"));
    println!(
        "\n{} MiB, {} rounds, datagrams: {datagram}\n",
        args.size, args.rounds
    );
    println!(
        "| | s | min … max | Gbit/s | CPU s a GiB, server + client | both | time / get's | time / put's |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    let against = |name: &str, of: &[Figures]| {
        let Some(at) = names.iter().position(|other| *other == name) else {
            return "".into();
        };
        let ratios = of
            .iter()
            .zip(&figures[at])
            .map(|(one, base)| one.wall / base.wall);
        format!("{:.2}", median(ratios.collect()))
    };
    for (name, of) in names.iter().zip(figures) {
        let wall = column(of, |one| one.wall);
        let (server, client) = (
            column(of, |one| one.server) / gib,
            column(of, |one| one.client) / gib,
        );
        let both = column(of, |one| one.server + one.client) / gib;
        let least = of.iter().map(|one| one.wall).fold(f64::MAX, f64::min);
        let most = of.iter().map(|one| one.wall).fold(0.0, f64::max);
        println!(
            "| {name} | {wall:.2} | {least:.2} … {most:.2} | {:.1} | {server:.2} + {client:.2} | {both:.2} | {} | {} |",
            gib * 8.589_934_592 / wall,
            against("dhow-get", of),
            against("dhow-put", of),
        );
    }
}
