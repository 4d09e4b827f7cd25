//! A transfer that this end asks for.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::job::Job;
use super::{Asked, Phase, Transfer};
use crate::transfer::sink::Plan;
use crate::transfer::{Context, Overwrite, Request};
use crate::wire::{Durability, FilePath, RequestKind};

impl Asked {
    /// What a request says that says no more than this.
    fn plain(kind: RequestKind, path: FilePath) -> Self {
        Self {
            kind,
            compare: false,
            no_clobber: false,
            tree: false,
            resume: false,
            durability: Durability::None,
            amount: 0,
            path,
            to: FilePath::root(),
            filter: None,
            argument: Vec::new(),
        }
    }
}

impl Transfer {
    /// A transfer that this end asks for.
    pub(in crate::transfer) fn start(cx: &Context<'_>, request: Request) -> Self {
        let asked = asked(&request);
        let phase = match asked.kind {
            RequestKind::Get | RequestKind::Put => Phase::Waiting,
            _ => Phase::Preparing,
        };
        Self::new(cx, asked, true, phase, job(request))
    }
}

/// What the peer is asked.
fn asked(request: &Request) -> Asked {
    let plain = |kind, path: &FilePath| Asked::plain(kind, path.clone());
    match request {
        Request::List { path } => plain(RequestKind::List, path),
        Request::Stat { path } => plain(RequestKind::Stat, path),
        // Whether it replaces anything here, and how safely it is stored, is not the peer's business.
        Request::Get {
            from,
            overwrite,
            tree,
            ..
        } => Asked {
            compare: *overwrite == Overwrite::Compare,
            tree: *tree,
            ..plain(RequestKind::Get, from)
        },
        Request::Put {
            to,
            overwrite,
            durability,
            tree,
            ..
        } => Asked {
            compare: *overwrite == Overwrite::Compare,
            no_clobber: *overwrite == Overwrite::Never,
            durability: *durability,
            tree: *tree,
            ..plain(RequestKind::Put, to)
        },
        Request::Filtered { filter, request } => {
            let mut asked = asked(request);
            if asked.kind == RequestKind::Get {
                asked.argument = filter.encode();
            }
            asked.filter = Some(filter.clone());
            asked
        }
        Request::Hash { path, link } => Asked {
            tree: *link,
            ..plain(RequestKind::Hash, path)
        },
        Request::MakeDir {
            path,
            parents,
            exclusive,
            durability,
        } => Asked {
            tree: *parents,
            no_clobber: *exclusive,
            durability: *durability,
            ..plain(RequestKind::MakeDir, path)
        },
        Request::Remove {
            path,
            recursive,
            durability,
        } => Asked {
            tree: *recursive,
            durability: *durability,
            ..plain(RequestKind::Remove, path)
        },
        Request::Rename {
            from,
            to,
            replace,
            durability,
        } => Asked {
            no_clobber: !*replace,
            durability: *durability,
            argument: to.as_bytes().to_vec(),
            ..plain(RequestKind::Rename, from)
        },
    }
}

/// What this end has to do for it.
fn job(request: Request) -> Job {
    match request {
        Request::List { .. } => Job::Reader(Box::default()),
        Request::Get {
            to,
            overwrite,
            durability,
            preserve,
            keep_top_mode,
            tree,
            ..
        } => Job::SinkToBe(Plan {
            to,
            compare: overwrite == Overwrite::Compare,
            waits: false,
            tree,
            may_replace: overwrite != Overwrite::Never,
            durability,
            preserve,
            keep_top_mode,
            may_take: false,
            announced: None,
        }),
        Request::Put { from, .. } => Job::SourceToBe(from),
        Request::Filtered { request, .. } => job(*request),
        _ => Job::Ask,
    }
}
