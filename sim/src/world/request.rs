//! A goal as the core is asked for it.

use proto_core::wire::FilePath;
use proto_core::{Place, Request};

use super::user::LOCAL_ROOT;
use crate::scenario::Goal;

pub(super) fn request(goal: &Goal) -> Request {
    let place = |path: &FilePath| Place {
        root: LOCAL_ROOT,
        path: path.clone(),
    };
    match goal {
        Goal::Put(copy) => Request::Put {
            from: place(&copy.local),
            to: copy.remote.clone(),
            overwrite: copy.overwrite,
            durability: copy.durability,
            tree: copy.tree,
        },
        Goal::Get(copy) => Request::Get {
            from: copy.remote.clone(),
            to: place(&copy.local),
            overwrite: copy.overwrite,
            durability: copy.durability,
            preserve: copy.preserve,
            keep_top_mode: false,
            tree: copy.tree,
        },
        Goal::List(path) => Request::List { path: path.clone() },
        Goal::Stat(path) => Request::Stat { path: path.clone() },
    }
}
