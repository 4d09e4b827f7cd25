//! Whether what came of a goal is what had to come of it.

use std::collections::BTreeMap;

use proto_core::wire::{Entry, ErrorCode, FilePath, RequestKind, StoredAs};
use proto_core::{Failure, Finished, Overwrite};

use super::files::{Where, root_hash};
use super::server::root_of;
use super::user::{GoalRun, LOCAL_ROOT};
use super::{CLIENT_HOST, SERVER_HOST, World};
use crate::scenario::{Expect, Goal, PlantedKind};

type Checked<T> = Result<T, String>;

impl World {
    /// Judges the end of the goal `goal` of `user`.
    pub(super) fn judge(&self, user: usize, goal: usize) -> Checked<()> {
        let run = &self.users[user].goals[goal];
        let verdict = match run.result {
            None => Err("it has no result".into()),
            Some(Err(failure)) => self.judge_failure(user, run, failure),
            Some(Ok(finished)) => self.judge_success(user, run, finished),
        };
        verdict.map_err(|what| {
            format!(
                "user{}: {:?} (expected: {:?}, result: {:?}): {what}",
                user + CLIENT_HOST,
                run.plan.goal,
                run.plan.expect,
                run.result
            )
        })
    }

    fn unruly(&self, user: usize) -> bool {
        self.unruly_server || self.unruly_clients[user]
    }

    fn judge_failure(&self, user: usize, run: &GoalRun, failure: Failure) -> Checked<()> {
        let code = match failure {
            Failure::Here(code) | Failure::Peer(code) | Failure::Refused(code) => code,
            // A goal that was cancelled is not tried again.
            Failure::SessionLost if run.cancelled => return Ok(()),
            Failure::SessionLost => return Err("a lost session is no end".into()),
        };
        let expected = match run.plan.expect {
            Expect::Success => false,
            Expect::Failure(codes) | Expect::Either(codes) => codes.contains(&code),
        };
        let cancelled = run.cancelled && code == ErrorCode::Cancelled;
        // A try that ended with its session may have brought the file.
        let own_doing = run.lost > 0 && code == ErrorCode::Exists;
        if expected || cancelled || own_doing || self.unruly(user) {
            Ok(())
        } else {
            Err("this failure has no cause".into())
        }
    }

    fn judge_success(&self, user: usize, run: &GoalRun, finished: Finished) -> Checked<()> {
        if matches!(run.plan.expect, Expect::Failure(_)) {
            return Err("it must not succeed".into());
        }
        let there = |path: &FilePath| (SERVER_HOST, root_of(user), path.clone());
        let here = |path: &FilePath| (user + CLIENT_HOST, LOCAL_ROOT, path.clone());
        match (&run.plan.goal, finished) {
            (Goal::Put { local, remote, .. }, Finished::Stored { .. }) => {
                self.judge_copy(user, run, finished, &here(local), &there(remote))
            }
            (Goal::Get { remote, local, .. }, Finished::Stored { .. }) => {
                self.judge_copy(user, run, finished, &there(remote), &here(local))
            }
            (Goal::List { remote }, Finished::Answered) => self.judge_listing(user, run, remote),
            (Goal::Stat { remote }, Finished::Answered) => self.judge_stat(user, run, remote),
            _ => Err("this is no end of such a goal".into()),
        }
    }

    fn judge_copy(
        &self,
        user: usize,
        run: &GoalRun,
        finished: Finished,
        from: &Where,
        to: &Where,
    ) -> Checked<()> {
        let Finished::Stored {
            root,
            size,
            how,
            durability,
        } = finished
        else {
            return Err("nothing was stored".into());
        };
        let (asked, overwrite, preserve) = match &run.plan.goal {
            Goal::Put {
                durability,
                overwrite,
                ..
            } => (*durability, *overwrite, false),
            Goal::Get {
                durability,
                overwrite,
                preserve,
                ..
            } => (*durability, *overwrite, *preserve),
            Goal::List { .. } | Goal::Stat { .. } => return Err("nothing was to be stored".into()),
        };
        let source = self.files.content(from).ok_or("there is no source")?;
        let target = self.hosts[to.0].disk.content(to.1, &to.2);
        let target = target.ok_or("there is no file at the target")?;
        let contested = matches!(run.plan.expect, Expect::Either(_));
        if target != source && !(contested && self.files.may_hold(to, target)) {
            return Err("the target's bytes are not the source's".into());
        }
        if size != source.len() {
            return Err(format!("it has {} bytes", source.len()));
        }
        if how == StoredAs::Unchanged && overwrite != Overwrite::Compare {
            return Err("nobody asked to compare".into());
        }
        let known = root.is_some() || how == StoredAs::Unchanged;
        if !known || root.is_some_and(|root| root_hash(source).is_some_and(|of| of != root)) {
            return Err("this is not its hash".into());
        }
        // A directory whose sync failed cannot be taken back.
        let synced = durability >= asked || self.unruly(user);
        if how == StoredAs::Written && !synced {
            return Err("it is less durable than asked".into());
        }
        let time = self.hosts[to.0]
            .disk
            .meta(to.1, &to.2)
            .map(|meta| meta.mtime);
        if let Some(PlantedKind::File(_, mtime)) = self.files.before(from)
            && preserve
            && time != Some(*mtime)
        {
            return Err(format!("its time is {time:?}, not {mtime}"));
        }
        Ok(())
    }

    fn judge_listing(&self, user: usize, run: &GoalRun, remote: &FilePath) -> Checked<()> {
        let mut rest = &run.listing[..];
        let mut listed = BTreeMap::new();
        while !rest.is_empty() {
            let entry =
                Entry::decode(&mut rest).map_err(|error| format!("its entries: {error}"))?;
            let path = remote
                .join(entry.name)
                .map_err(|error| format!("the name {:?}: {error}", entry.name.escape_ascii()))?;
            if listed.insert(path.clone(), entry.size).is_some() {
                return Err(format!("{path:?} is listed twice"));
            }
            let place = (SERVER_HOST, root_of(user), path);
            if self.files.before(&place).is_none() && !self.files.is_target(&place) {
                return Err(format!("{:?} was never there", place.2));
            }
        }
        for ((host, root, path), what) in self.files.planted() {
            let inside = path.parent() == *remote && !path.is_root();
            if *host != SERVER_HOST || *root != root_of(user) || !inside {
                continue;
            }
            let target = self.files.is_target(&(*host, *root, path.clone()));
            match (listed.get(path), what) {
                // While a name is replaced, a listing in pages may miss it: the new one has a place of its own.
                (None, _) if target => {}
                (None, _) => return Err(format!("{path:?} is not listed")),
                (Some(size), PlantedKind::File(content, _)) if !target => {
                    if *size != content.len() {
                        return Err(format!("{path:?} is listed with {size} bytes"));
                    }
                }
                (Some(_), _) => {}
            }
        }
        Ok(())
    }

    fn judge_stat(&self, user: usize, run: &GoalRun, remote: &FilePath) -> Checked<()> {
        let told = run.entry.ok_or("there was no entry")?;
        let meta = self.hosts[SERVER_HOST].disk.meta(root_of(user), remote);
        let meta = meta.ok_or("there is nothing of that name")?;
        let same = (told.kind, told.size, told.mtime, told.mode)
            == (meta.kind, meta.size, meta.mtime, meta.mode);
        if same {
            Ok(())
        } else {
            Err(format!("it is told as {told:?}, and is {meta:?}"))
        }
    }

    /// Both ends must agree: what the user was told matches what the server noted (invariant 30).
    pub(super) fn judge_agreement(&self) -> Checked<()> {
        for (user, of) in self.users.iter().enumerate() {
            let made = self.server.served().iter().filter(|s| s.user == user);
            if made.count() > of.started as usize {
                return Err(format!(
                    "user{}: more requests arrived than were made",
                    user + 1
                ));
            }
            for run in &of.goals {
                self.judge_agreement_of(user, run)?;
            }
        }
        Ok(())
    }

    fn judge_agreement_of(&self, user: usize, run: &GoalRun) -> Checked<()> {
        let (kind, path) = match &run.plan.goal {
            Goal::Put { remote, .. } => (RequestKind::Put, remote),
            Goal::Get { remote, .. } => (RequestKind::Get, remote),
            Goal::List { remote } => (RequestKind::List, remote),
            Goal::Stat { remote } => (RequestKind::Stat, remote),
        };
        let ours = |served: &&super::server::Served| {
            served.user == user && served.kind == kind && served.path == *path
        };
        let mut seen = self.server.served().iter().filter(ours);
        let root_of = |finished: &Finished| match finished {
            Finished::Stored { root, .. } => *root,
            Finished::Answered => None,
        };
        let agrees = |theirs: &Option<Result<Finished, Failure>>| match (run.result, theirs) {
            (Some(Ok(ours)), Some(Ok(theirs))) => root_of(&ours) == root_of(theirs),
            // The last word to the server was lost with the session.
            (Some(Ok(_)), Some(Err(Failure::SessionLost))) => true,
            (Some(Ok(_)), _) => false,
            _ => true,
        };
        if matches!(run.result, Some(Ok(_))) && !seen.any(|served| agrees(&served.result)) {
            return Err(format!(
                "user{}: {:?} ended with {:?}, and the server saw no such end: {:?}",
                user + CLIENT_HOST,
                run.plan.goal,
                run.result,
                self.server.served().iter().filter(ours).collect::<Vec<_>>()
            ));
        }
        Ok(())
    }

    /// After all has ended: no temporary file, no file that nobody brought, every old file as it was.
    pub(super) fn judge_disks(&self) -> Checked<()> {
        for (index, host) in self.hosts.iter().enumerate() {
            let disk = &host.disk;
            if disk.open_files() > 0 {
                return Err(format!(
                    "{}: {} files are still open",
                    host.name,
                    disk.open_files()
                ));
            }
            let roots: Vec<_> = match index {
                SERVER_HOST => (0..self.users.len()).map(root_of).collect(),
                _ => vec![LOCAL_ROOT],
            };
            for root in roots {
                for path in disk.walk(root) {
                    // A removal may have failed.
                    if path.is_reserved() && disk.stats().injected == 0 {
                        return Err(format!("{}: {path:?} was left behind", host.name));
                    }
                    let place = (index, root, path);
                    if let Some(content) = disk.content(root, &place.2)
                        && !place.2.is_reserved()
                        && !self.files.may_hold(&place, content)
                    {
                        return Err(format!("{}: {:?} holds other bytes", host.name, place.2));
                    }
                }
            }
        }
        for ((host, root, path), _) in self.files.planted() {
            if self.hosts[*host].disk.meta(*root, path).is_none() {
                return Err(format!("{}: {path:?} is gone", self.hosts[*host].name));
            }
        }
        Ok(())
    }
}
