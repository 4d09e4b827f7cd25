//! Roots of users for whom something is counted (F11).

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use proto_core::crypto::PublicKey;
use proto_core::{Decision, RootId};

use super::AccountPolicy;
use crate::executor::{Owner, Roots};

/// Gives each user with an account numbers of their own for the shares.
pub(super) struct Accounts {
    roots: Roots,
    policy: Mutex<AccountPolicy>,
    own: Mutex<HashMap<(Owner, RootId), RootId>>,
}

impl Accounts {
    pub(super) fn new(roots: Roots, policy: AccountPolicy) -> Self {
        Self {
            roots,
            policy: Mutex::new(policy),
            own: Mutex::default(),
        }
    }

    /// Puts the user's own number into what was granted.
    pub(super) fn assign(&self, key: Option<&PublicKey>, decision: &mut Decision) {
        let (Decision::Grant { place, .. } | Decision::GrantRename { place, .. }) = decision else {
            return;
        };
        let policy = self.policy.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(account) = policy(key) else { return };
        drop(policy);
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        let known = own.get(&(account.owner, place.root)).copied();
        // The root of all shares has no files.
        let root = known.or_else(|| self.roots.add_for(place.root, account).ok());
        if let Some(root) = root {
            // The policy may have changed its mind.
            self.roots.set_account(root, account);
            own.insert((account.owner, place.root), root);
            place.root = root;
        }
    }
}
