//! Larger files: a source of its own for each.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::TreeSource;
use super::out::Body;
use crate::file::{Block, FileError, Outcome, Use};
use crate::transfer::codes::Fault;
use crate::transfer::source::{Picture, Source};
use crate::transfer::tree::LARGE_MAX;
use crate::transfer::{Context, OpTag, Place};

impl TreeSource {
    /// Looks for memory that is needed.
    pub(in crate::transfer) fn regain_memory(&mut self, cx: &mut Context<'_>) {
        if !self.closing {
            self.memory.regain(cx.pool);
            self.begin_large(cx);
        }
    }

    /// Gives memory that is of no use now to those that wait for some.
    pub(in crate::transfer) fn yield_memory(&mut self, cx: &mut Context<'_>) {
        let idle: Vec<u32> = self.idle.iter().copied().collect();
        for file in idle {
            if let Some(source) = self.large.get_mut(&file) {
                source.yield_memory(cx);
            }
            self.touch(cx, file);
        }
        if cx.pool.is_source_wanted() {
            self.drop_bodies();
        }
        self.memory.shrink(cx.pool);
    }

    /// Begins larger files that the sink wants, as far as there is memory.
    fn begin_large(&mut self, cx: &mut Context<'_>) {
        while self.large.len() < LARGE_MAX
            && let Some(&file) = self.wanted.front()
        {
            let (Some(out), Some(place)) = (self.files.get(&file), self.place_of(file)) else {
                self.wanted.pop_front();
                continue;
            };
            let (version, credit) = match &out.body {
                Body::Large { credit, .. } if !out.settled && out.failed.is_none() => {
                    (out.version, *credit)
                }
                _ => {
                    self.wanted.pop_front();
                    continue;
                }
            };
            self.memory.lend_spare(cx.pool);
            let source = Source::of_tree(cx, place, file, (out.size, version), credit);
            let Some(source) = source else { return };
            self.wanted.pop_front();
            let picture = match self.files.get_mut(&file).map(|out| &mut out.body) {
                Some(Body::Large { picture, .. }) => core::mem::take(picture),
                _ => Picture::default(),
            };
            let source = Box::new(source.with_picture(picture));
            self.large.insert(file, source);
            self.touch(cx, file);
        }
    }

    fn place_of(&self, file: u32) -> Option<Place> {
        let out = self.files.get(&file)?;
        let directory = self.directory_of(out.parent)?;
        Some(Place {
            root: self.place.root,
            path: directory.join(&out.name).ok()?,
        })
    }

    /// An operation of a larger file came home.
    pub(super) fn large_done(
        &mut self,
        cx: &mut Context<'_>,
        tag: OpTag,
        block: Option<Block>,
        result: Result<Outcome, FileError>,
    ) -> Result<(), Fault> {
        let file = tag.file;
        let Some(source) = self.large.get_mut(&file) else {
            if let Some(block) = block {
                cx.pool.put(Use::Source, block);
            }
            return Ok(());
        };
        let done = source.handle_done(cx, tag.kind, block, result);
        self.touch(cx, file);
        match done {
            Err(Fault::Transfer(code)) => self.fail(cx, file, code),
            other => other?,
        }
        self.begin_large(cx);
        self.settle_memory(cx);
        Ok(())
    }
}
