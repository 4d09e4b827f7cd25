//! The disk after a crash is used again.

use proto_core::wire::{Durability, FilePath};
use proto_core::{Finished, Overwrite, Place, Request};

use super::case::path;
use super::exchange::{Exchange, ROOT, SERVER, Setup};
use crate::disk::{Content, Disk, DiskPlan};
use crate::rng::Rng;

/// Bytes of the file that is sent.
const SIZE: u64 = 70_000;

/// After a restart with `disk` at the server, an upload to `target` must succeed and last.
pub(super) fn again(target: &FilePath, mut disk: Disk, mut rng: Rng) -> Result<(), String> {
    let content = Content::generated(rng.next_u64(), SIZE);
    // An honest disk without faults: what it did wrong before has to show before.
    disk.set_plan(DiskPlan::default());
    let mut source = Disk::new(DiskPlan::default(), rng.fork());
    source.add_root(ROOT);
    source.plant(ROOT, &path("again"), content.clone(), 0);
    let setup = Setup {
        datagram_size: 8_952,
        sink_blocks: 8,
        journal_min: u64::MAX,
        bug: None,
    };
    let mut exchange = Exchange::new(setup, &mut rng, [source, disk])?;
    let request = Request::Put {
        from: Place {
            root: ROOT,
            path: path("again"),
        },
        to: target.clone(),
        overwrite: Overwrite::Replace,
        durability: Durability::Full,
        tree: false,
    };
    let result = exchange.finish(request, |_| {})?;
    let stored = |durability| durability == Durability::Full;
    if !matches!(result, Ok(Finished::Stored { durability, .. }) if stored(durability)) {
        return Err(format!(
            "after a restart, an upload to {target:?} ended with {result:?}"
        ));
    }
    let mut disk = exchange.sides[SERVER].disk.clone();
    disk.power_loss();
    if disk.content(ROOT, target) != Some(&content) {
        return Err(format!(
            "an upload to {target:?} after a restart did not last"
        ));
    }
    Ok(())
}
