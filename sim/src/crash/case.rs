//! What a seed draws: the files, what stands at their targets before, the sink's disk.

use proto_core::fault::Fault;
use proto_core::wire::{Durability, FilePath};
use proto_core::{Duration, Overwrite};

use super::Lie;
use crate::disk::{Content, DiskPlan, Latency};
use crate::rng::Rng;

/// Sizes at the borders of sectors, blocks and pieces.
const SIZES: [u64; 16] = [
    0, 1, 511, 512, 513, 5_000, 65_535, 65_536, 65_537, 131_072, 200_000, 1_048_575, 1_048_576,
    1_048_577, 1_200_000, 2_097_153,
];
/// Largest size drawn.
const SIZE_MAX: u64 = 5 << 20;
/// Largest file of bytes that no generator makes: these take memory and time.
const RANDOM_MAX: u64 = 150_000;

/// The directories of a tree.
pub(super) const TREE_SOURCE: &str = "source";
pub(super) const TREE_TARGET: &str = "target";

/// One run.
#[derive(Debug)]
pub(super) struct Case {
    /// The client is the sink.
    pub(super) download: bool,
    /// All files go in one transfer, that of their directory.
    pub(super) tree: bool,
    /// The directory stands at the sink before.
    pub(super) there: bool,
    /// Where files are put.
    pub(super) targets: Vec<Target>,
    /// What is sent.
    pub(super) files: Vec<Sent>,
    /// The sink's disk.
    pub(super) disk: DiskPlan,
    /// Bytes of full datagrams.
    pub(super) datagram_size: u16,
    /// Blocks that the sink's endpoint may hold.
    pub(super) sink_blocks: u32,
    /// Bytes from which on a file has a journal.
    pub(super) journal_min: u64,
    /// A planted bug in both cores, and how seldom it strikes.
    pub(super) bug: Option<(Fault, u32)>,
}

/// A name at the sink, and the file that has stood there for ever.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) path: FilePath,
    pub(super) old: Option<(Content, i64)>,
}

/// A file that is sent.
#[derive(Debug)]
pub(super) struct Sent {
    /// Its name at the source.
    pub(super) source: FilePath,
    /// Which of the targets.
    pub(super) target: usize,
    pub(super) content: Content,
    pub(super) mtime: i64,
    pub(super) overwrite: Overwrite,
    pub(super) durability: Durability,
}

/// A path that is known to be good.
pub(super) fn path(name: &str) -> FilePath {
    FilePath::parse(name.as_bytes()).unwrap_or_else(|_| FilePath::root())
}

impl Case {
    pub(super) fn draw(seed: u64, lie: Lie) -> Self {
        let mut rng = Rng::new(seed, 0xc4a5);
        let count = *rng.pick(&[1, 1, 1, 2, 3, 4]);
        let directory = *rng.pick(&["", "d/"]);
        let mut targets: Vec<Target> = Vec::new();
        let mut files = Vec::new();
        for number in 0..count {
            // Two transfers to one name at once come up, too.
            let shared = number > 0 && rng.one_in(4);
            if !shared {
                let path = path(&format!("{directory}target{number}"));
                targets.push(Target { path, old: None });
            }
            let target = targets.len() - 1;
            let file = Sent::draw(&mut rng, number, target);
            if !shared && rng.one_in(2) {
                targets[target].old = Some(draw_old(&mut rng, &file));
            }
            files.push(file);
        }
        let mut this = Self {
            download: rng.one_in(2),
            tree: false,
            there: true,
            targets,
            files,
            disk: draw_disk(&mut rng, lie),
            datagram_size: *rng.pick(&[1_200, 1_452, 8_952]),
            sink_blocks: *rng.pick(&[2, 8, 64]),
            journal_min: *rng.pick(&[1 << 20, 1 << 20, 4 << 20]),
            bug: None,
        };
        if rng.one_in(3) && this.files.len() == this.targets.len() {
            this.become_tree(&mut rng);
        }
        this
    }

    /// One directory with all files, of one way to be stored.
    fn become_tree(&mut self, rng: &mut Rng) {
        self.tree = true;
        self.there = self.targets.iter().any(|target| target.old.is_some()) || rng.one_in(2);
        self.sink_blocks = self.sink_blocks.max(8);
        let (overwrite, durability) = (self.files[0].overwrite, self.files[0].durability);
        for (number, (file, target)) in self.files.iter_mut().zip(&mut self.targets).enumerate() {
            file.source = path(&format!("{TREE_SOURCE}/target{number}"));
            target.path = path(&format!("{TREE_TARGET}/target{number}"));
            (file.overwrite, file.durability) = (overwrite, durability);
        }
    }
}

impl Sent {
    fn draw(rng: &mut Rng, number: u64, target: usize) -> Self {
        let size = if rng.one_in(12) {
            rng.below(SIZE_MAX)
        } else {
            *rng.pick(&SIZES)
        };
        Self {
            source: path(&format!("source{number}")),
            target,
            content: draw_content(rng, size),
            mtime: 1_600_000_000_000_000_000 + rng.below(1_000_000_000_000) as i64,
            overwrite: *rng.pick(&[
                Overwrite::Replace,
                Overwrite::Replace,
                Overwrite::Compare,
                Overwrite::Never,
            ]),
            durability: *rng.pick(&[
                Durability::Full,
                Durability::Full,
                Durability::File,
                Durability::None,
            ]),
        }
    }
}

fn draw_content(rng: &mut Rng, size: u64) -> Content {
    if size > RANDOM_MAX || rng.one_in(2) {
        return Content::generated(rng.next_u64(), size);
    }
    let mut bytes = vec![0; size as usize];
    bytes.fill_with(|| rng.next_u64() as u8);
    Content::from_bytes(&bytes)
}

/// What stands at the target of `file`; at times what passes for the same file.
fn draw_old(rng: &mut Rng, file: &Sent) -> (Content, i64) {
    let mtime = file.mtime - 1_000;
    match rng.below(4) {
        0 => (draw_content(rng, file.content.len()), file.mtime),
        1 => (draw_content(rng, file.content.len()), mtime),
        _ => {
            let size = *rng.pick(&SIZES);
            (draw_content(rng, size), mtime)
        }
    }
}

pub(super) fn draw_disk(rng: &mut Rng, lie: Lie) -> DiskPlan {
    let latency_max = *rng.pick(&[0, 200_000, 3_000_000, 30_000_000]);
    let mut plan = DiskPlan {
        latency_max: Duration::from_nanos(latency_max),
        latency: *rng.pick(&[Latency::Uniform, Latency::LogUniform]),
        ignore_sync: lie == Lie::Sync,
        ignore_sync_dir: lie == Lie::SyncDir,
        ..DiskPlan::default()
    };
    if rng.one_in(6) {
        let mut share = |rate| if rng.one_in(2) { rate } else { 0 };
        plan.io_errors = share(20_000);
        plan.sync_errors = share(300_000);
        plan.close_errors = share(300_000);
        plan.rename_errors = share(300_000);
        plan.short_writes = share(20_000);
    }
    plan
}
