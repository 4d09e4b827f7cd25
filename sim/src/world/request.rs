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
        Goal::Put {
            local,
            remote,
            overwrite,
            durability,
        } => Request::Put {
            from: place(local),
            to: remote.clone(),
            overwrite: *overwrite,
            durability: *durability,
        },
        Goal::Get {
            remote,
            local,
            overwrite,
            durability,
            preserve,
        } => Request::Get {
            from: remote.clone(),
            to: place(local),
            overwrite: *overwrite,
            durability: *durability,
            preserve: *preserve,
        },
        Goal::List { remote } => Request::List {
            path: remote.clone(),
        },
        Goal::Stat { remote } => Request::Stat {
            path: remote.clone(),
        },
    }
}
