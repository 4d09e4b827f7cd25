use clap::Args;
use sim::link::{Link, LinkPlan, RatePlan};
use sim::units;

/// Print the realistic links that `--link` and scenarios know by name.
#[derive(Args, Debug)]
pub(crate) struct Links {}

pub(crate) fn run(_: &Links) -> bool {
    println!(
        "{:18} {:>18} {:>16} {:>9} {:>8} {:>8} {:>9} {:>6}",
        "name", "down", "up", "RTT", "jitter", "queue", "loss", "MTU"
    );
    for name in Link::NAMES {
        let (Some(link), Some(about)) = (Link::named(name), Link::about(name)) else {
            continue;
        };
        let (down, up) = (&link.down, &link.up);
        println!(
            "{name:18} {:>18} {:>16} {:>9} {:>8} {:>8} {:>9} {:>6}",
            bandwidth(down),
            bandwidth(up),
            units::duration::format(up.delay + down.delay),
            units::duration::format(up.jitter.max(down.jitter)),
            queue(down),
            loss(down),
            down.mtu.as_ref().map_or(0, |mtu| mtu.payload),
        );
        println!("{:18} {about}", "");
    }
    println!();
    println!("RTT: without jitter and queue. Queue, loss, MTU (bytes of UDP payload): downwards.");
    true
}

fn bandwidth(plan: &LinkPlan) -> String {
    let Some(rate) = &plan.rate else {
        return "-".to_owned();
    };
    let (low, high) = range(rate);
    if low == high {
        units::rate::format(low)
    } else {
        let high = units::rate::format(high);
        format!("{}-{high}", units::rate::format(low))
    }
}

/// The lowest and the highest rate.
fn range(rate: &RatePlan) -> (u64, u64) {
    let changes = rate.changes.iter().map(|change| change.bandwidth);
    changes.fold((rate.bandwidth, rate.bandwidth), |(low, high), rate| {
        (low.min(rate), high.max(rate))
    })
}

fn queue(plan: &LinkPlan) -> String {
    let rate = plan.rate.as_ref();
    rate.map_or_else(|| "-".to_owned(), |rate| rate.queue.format())
}

fn loss(plan: &LinkPlan) -> String {
    let bursts = plan.bursts.map_or(0, |bursts| bursts.mean_loss());
    units::share::format(plan.loss + bursts)
}
