//! A transfer that the peer asks for, until the application has answered.

use alloc::boxed::Box;

use super::job::{Answer, Job};
use super::{Asked, Phase, Transfer};
use crate::transfer::change::{Change, Work};
use crate::transfer::digest::Digest;
use crate::transfer::listing::Lister;
use crate::transfer::sink::Plan;
use crate::transfer::tree::TreePlan;
use crate::transfer::{Context, Decision};
use crate::wire::{ErrorCode, FilePath, RequestKind};

impl Transfer {
    /// A transfer that the peer asks for.
    pub(in crate::transfer) fn requested(cx: &Context<'_>, number: u64, asked: Asked) -> Self {
        let mut this = Self::new(cx, asked, false, Phase::Requested, Job::Nothing);
        this.number = Some(number);
        this.events.requested = true;
        this
    }

    /// A request that is refused without asking anyone.
    pub(in crate::transfer) fn refused(
        cx: &mut Context<'_>,
        number: u64,
        asked: Asked,
        code: ErrorCode,
    ) -> Self {
        let mut this = Self::requested(cx, number, asked);
        this.fail(cx, code);
        this
    }

    /// The application's answer; false when there was nothing to decide.
    pub(in crate::transfer) fn decide(&mut self, cx: &mut Context<'_>, decision: Decision) -> bool {
        if self.phase != Phase::Requested {
            return self.phase == Phase::Ended;
        }
        self.events.requested = false;
        let (place, to, may_replace) = match decision {
            Decision::Grant { place, may_replace } => (place, FilePath::root(), may_replace),
            Decision::GrantRename {
                place,
                to,
                may_replace,
            } => (place, to, may_replace),
            Decision::Refuse(code) => {
                self.fail(cx, code);
                return true;
            }
        };
        let (job, phase) = match self.asked.kind {
            RequestKind::List => {
                let lister = Lister::new(place, cx.config.limits.page);
                (Job::Lister(Box::new(lister)), Phase::Preparing)
            }
            RequestKind::Stat => (Job::Answer(Answer::new(place)), Phase::Preparing),
            RequestKind::Hash => {
                let link = self.asked.tree && !place.path.is_root();
                let digest = Digest::new(place, link);
                (Job::Digest(Box::new(digest)), Phase::Preparing)
            }
            RequestKind::MakeDir | RequestKind::Remove | RequestKind::Rename => {
                let (durability, work) = (self.asked.durability, self.work(to, may_replace));
                let change = Change::new(place, work, durability);
                (Job::Change(Box::new(change)), Phase::Preparing)
            }
            RequestKind::Get => (Job::SourceToBe(place), Phase::Waiting),
            RequestKind::Put if self.asked.tree => {
                let plan = TreePlan {
                    // A shared directory is as open as its owner made it.
                    keep_top_mode: place.path.is_root(),
                    to: place,
                    compare: self.asked.compare,
                    may_replace: may_replace && !self.asked.no_clobber,
                    durability: self.asked.durability,
                    preserve: true,
                    plain_names: true,
                };
                (Job::TreeSinkToBe(plan), Phase::Waiting)
            }
            RequestKind::Put => {
                let plan = Plan {
                    to: place,
                    compare: self.asked.compare,
                    waits: false,
                    tree: false,
                    may_replace: may_replace && !self.asked.no_clobber,
                    durability: self.asked.durability,
                    preserve: true,
                    keep_top_mode: false,
                    may_take: true,
                    announced: Some(self.asked.amount),
                };
                (Job::SinkToBe(plan), Phase::Waiting)
            }
        };
        self.job = job;
        self.phase = phase;
        self.decide_by = Some(cx.now + cx.config.limits.decision_timeout);
        true
    }

    /// What a request that changes names is to do.
    fn work(&self, to: FilePath, may_replace: bool) -> Work {
        let asked = &self.asked;
        match asked.kind {
            RequestKind::MakeDir => Work::Make {
                parents: asked.tree,
                exclusive: asked.no_clobber,
            },
            RequestKind::Rename => Work::Rename {
                to,
                replace: may_replace && !asked.no_clobber,
            },
            _ => Work::Remove {
                recursive: asked.tree,
            },
        }
    }
}
