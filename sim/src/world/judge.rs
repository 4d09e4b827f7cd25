//! Whether what came of a goal is what had to come of it.

use std::collections::BTreeMap;

use proto_core::wire::{Durability, Entry, ErrorCode, FilePath, RequestKind, StoredAs};
use proto_core::{Failure, Finished, Overwrite, TreeTotals};

use super::files::{Where, root_hash};
use super::server::{End, root_of};
use super::user::{GoalRun, LOCAL_ROOT, Standing};
use super::{SERVER, World, host_of};
use crate::lab::{Checked, HostId};
use crate::scenario::{Copy, Expect, Goal, Kind};

/// What must be right about a file, seen from who keeps it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Trust {
    /// Name and bytes: all who may bring them are honest.
    Full,
    /// The name: the bytes come from a liar.
    Names,
    /// Nothing: it is a liar's own.
    Nothing,
}

impl World {
    /// What must be right about what appears at `place`.
    pub(super) fn trust_in(&self, place: &Where) -> Trust {
        let (host, root, _) = place;
        let owner = match host.0.checked_sub(1) {
            Some(user) => user,
            None => root.0 as usize - 1,
        };
        match self.users[owner].standing {
            Standing::Honest => Trust::Full,
            Standing::Liar => Trust::Nothing,
            Standing::LiedTo if *host == SERVER => Trust::Nothing,
            Standing::LiedTo => Trust::Names,
        }
    }

    /// Judges the end of the goal `goal` of `user`.
    pub(super) fn judge(&mut self, user: usize, goal: usize) -> Checked<()> {
        let run = &self.users[user].goals[goal];
        let verdict = match run.result {
            None => Err("it has no result".into()),
            Some(Err(failure)) => self.judge_failure(user, run, failure),
            Some(Ok(finished)) => self.judge_success(user, run, finished),
        };
        let promise = verdict.map_err(|what| {
            format!(
                "user{}: {:?} (expected: {:?}, result: {:?}): {what}",
                user + 1,
                run.plan.goal,
                run.expect,
                run.result
            )
        })?;
        for place in promise {
            self.files.promise(place);
        }
        Ok(())
    }

    pub(super) fn unruly(&self, user: usize) -> bool {
        self.unruly_server || self.unruly_clients[user]
    }

    fn judge_failure(&self, user: usize, run: &GoalRun, failure: Failure) -> Checked<Vec<Where>> {
        let code = match failure {
            Failure::Here(code) | Failure::Peer(code) | Failure::Refused(code) => code,
            // A goal that was cancelled is not tried again.
            Failure::SessionLost if run.cancelled => return Ok(Vec::new()),
            Failure::SessionLost => return Err("a lost session is no end".into()),
            Failure::NoAnswer => return Err("an end of the classic dialect".into()),
        };
        let expected = match &run.expect {
            Expect::Success => false,
            Expect::Failure(codes) | Expect::Either(codes) => codes.contains(&code),
        };
        // A server that throws a user out cancels first.
        let dropped = run.cancelled || self.users[user].revoked;
        let cancelled = dropped && code == ErrorCode::Cancelled;
        // A try that ended with its session may have brought the file, or still be at it.
        let own = [ErrorCode::Exists, ErrorCode::TargetChanged];
        let own_doing = run.lost > 0 && own.contains(&code);
        if expected || cancelled || own_doing || self.unruly(user) {
            Ok(Vec::new())
        } else {
            Err("this failure has no cause".into())
        }
    }

    fn judge_success(&self, user: usize, run: &GoalRun, finished: Finished) -> Checked<Vec<Where>> {
        if matches!(run.expect, Expect::Failure(_)) {
            return Err("it must not succeed".into());
        }
        let there = |path: &FilePath| (SERVER, root_of(user), path.clone());
        let here = |path: &FilePath| (host_of(user), LOCAL_ROOT, path.clone());
        let ends = match &run.plan.goal {
            Goal::Put(copy) => Some((copy, here(&copy.local), there(&copy.remote))),
            Goal::Get(copy) => Some((copy, there(&copy.remote), here(&copy.local))),
            Goal::List(_) | Goal::Stat(_) => None,
        };
        match (&run.plan.goal, ends, finished) {
            (_, Some((copy, from, to)), Finished::Stored { .. }) if !copy.tree => {
                let place = self.judge_copy(user, copy, finished, &from, to)?;
                Ok(place.into_iter().collect())
            }
            (_, Some((copy, from, to)), Finished::Tree(totals)) if copy.tree => {
                self.judge_tree(user, (run, copy), totals, (&from, &to))
            }
            (Goal::List(remote), _, Finished::Answered) => {
                self.judge_listing(user, run, remote)?;
                Ok(Vec::new())
            }
            (Goal::Stat(remote), _, Finished::Answered) => {
                self.judge_stat(user, run, remote)?;
                Ok(Vec::new())
            }
            _ => Err("this is no end of such a goal".into()),
        }
    }

    /// Whether a file has arrived as it had to; and its place, when it must stay there.
    fn judge_copy(
        &self,
        user: usize,
        copy: &Copy,
        finished: Finished,
        from: &Where,
        to: Where,
    ) -> Checked<Option<Where>> {
        let Finished::Stored {
            root,
            size,
            how,
            durability,
        } = finished
        else {
            return Err("nothing was stored".into());
        };
        let disk = self.lab.host(to.0).disk();
        let target = disk.content(to.1, &to.2);
        // The power may have gone between STORED and the client's hearing it.
        let remnant = copy.durability != Durability::Full && self.crashed.contains(&to.0);
        let target = match target {
            Some(target) => target,
            None if remnant => return Ok(None),
            None => return Err("there is no file at the target".into()),
        };
        let before = self.files.before(from).and_then(|planted| planted.bytes());
        // What is read from a file that others change too may have changed since.
        let steady = before.filter(|_| self.files.is_constant(from));
        let single = steady.filter(|_| !self.files.is_contested(&to) && !remnant);
        match &single {
            Some(source) if target != source => {
                return Err("the target's bytes are not the source's".into());
            }
            None if !self.files.may_hold(&to, target) => {
                return Err("the target's bytes are nobody's".into());
            }
            _ => {}
        }
        if single.is_some() && size != target.len() {
            return Err(format!("it has {} bytes", target.len()));
        }
        if how == StoredAs::Unchanged && copy.overwrite != Overwrite::Compare {
            return Err("nobody asked to compare".into());
        }
        let known = root.is_some() || how == StoredAs::Unchanged;
        let wrong = |root| single.is_some() && root_hash(target).is_some_and(|of| of != root);
        if !known || root.is_some_and(wrong) {
            return Err("this is not its hash".into());
        }
        // A directory whose sync failed cannot be taken back.
        let synced = durability >= copy.durability || self.unruly(user);
        if how == StoredAs::Written && !synced {
            return Err("it is less durable than asked".into());
        }
        let time = disk.meta(to.1, &to.2).map(|meta| meta.mtime);
        if single.is_some()
            && copy.preserve
            && let Some(planted) = self.files.before(from)
            && time != Some(planted.mtime)
        {
            return Err(format!("its time is {time:?}, not {}", planted.mtime));
        }
        let lasting = how == StoredAs::Written && durability == Durability::Full;
        Ok(lasting.then_some(to))
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
            let place = (SERVER, root_of(user), path);
            if self.files.before(&place).is_none() && !self.files.is_target(&place) {
                return Err(format!("{:?} was never there", place.2));
            }
        }
        for (place, planted) in self.files.planted() {
            let (host, root, path) = place;
            let inside = path.parent() == *remote && !path.is_root();
            if *host != SERVER || *root != root_of(user) || !inside {
                continue;
            }
            match listed.get(path) {
                // While a name is replaced, a listing in pages may miss it: the new one has a place of its own.
                None if self.files.is_target(place) => {}
                None => return Err(format!("{path:?} is not listed")),
                Some(size) if self.files.is_constant(place) && *size != planted.size => {
                    return Err(format!("{path:?} is listed with {size} bytes"));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    fn judge_stat(&self, user: usize, run: &GoalRun, remote: &FilePath) -> Checked<()> {
        let told = run.entry.ok_or("there was no entry")?;
        let place = (SERVER, root_of(user), remote.clone());
        let Some(planted) = self.files.before(&place) else {
            return if self.files.is_target(&place) {
                Ok(())
            } else {
                Err("there is nothing of that name".into())
            };
        };
        let steady = planted.kind != Kind::File || self.files.is_constant(&place);
        let meta = self.lab.host(SERVER).disk().meta(place.1, remote);
        let meta = meta.ok_or("there is nothing of that name any more")?;
        let same = (told.kind, told.size, told.mtime, told.mode)
            == (meta.kind, meta.size, meta.mtime, meta.mode);
        if same || !steady {
            Ok(())
        } else {
            Err(format!("it is told as {told:?}, and is {meta:?}"))
        }
    }

    /// Both ends must agree: what the user was told matches what the server noted (invariant 30).
    pub(super) fn judge_agreement(&self) -> Checked<()> {
        for (user, of) in self.users.iter().enumerate() {
            if of.standing != Standing::Honest {
                continue;
            }
            if self.server.served(user).len() > of.started as usize {
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
        let Some(Ok(ours)) = run.result else {
            return Ok(());
        };
        let (kind, path) = match &run.plan.goal {
            Goal::Put(copy) => (RequestKind::Put, &copy.remote),
            Goal::Get(copy) => (RequestKind::Get, &copy.remote),
            Goal::List(remote) => (RequestKind::List, remote),
            Goal::Stat(remote) => (RequestKind::Stat, remote),
        };
        let root_of = |finished: &Finished| match finished {
            Finished::Stored { root, .. } => *root,
            Finished::Hashed { root, .. } => Some(*root),
            Finished::Answered | Finished::Tree(_) | Finished::Changed { .. } => None,
        };
        let totals_of = |finished: &Finished| match finished {
            // A source counts what is in a directory that failed although the sink never heard of it.
            Finished::Tree(totals) => Some(TreeTotals {
                failed: 0,
                ..*totals
            }),
            _ => None,
        };
        let same = |theirs: &Finished| {
            root_of(&ours) == root_of(theirs) && totals_of(&ours) == totals_of(theirs)
        };
        let served = self.server.served(user).iter();
        let mut seen = served.filter(|served| served.kind == kind && served.path == *path);
        let agrees = |end: End| match end {
            End::Told(Ok(theirs)) => same(&theirs),
            // The last word to the server was lost with the session, or its own memory with the process.
            End::Told(Err(Failure::SessionLost)) | End::Forgotten => true,
            // So it is when the user was thrown out before the server heard that its answer had arrived.
            End::Told(Err(Failure::Here(ErrorCode::Cancelled))) if self.users[user].revoked => true,
            // A source reads again what it takes for lost, and finds another file or a bad disk, after the sink has stored
            // it (P10.16).
            End::Told(Err(Failure::Here(ErrorCode::SourceChanged | ErrorCode::Io))) => {
                kind == RequestKind::Get
            }
            End::Told(Err(_)) | End::Open => false,
        };
        if seen.any(|served| agrees(served.end)) {
            Ok(())
        } else {
            Err(format!(
                "user{}: {:?} ended with {ours:?}, and the server saw no such end: {:?}",
                user + 1,
                run.plan.goal,
                self.server.served(user)
            ))
        }
    }

    /// After the power of `host` went: what was promised is still there (invariant 4).
    pub(super) fn judge_power_loss(&mut self, host: HostId) -> Checked<()> {
        let disk = self.lab.host(host).disk();
        // What nobody asked to be durable may be anything now, and is copied as what it is.
        let fragile: Vec<Where> = self.files.fragile_on(host).cloned().collect();
        for place in fragile {
            if let Some(content) = disk.content(place.1, &place.2).cloned() {
                self.files.change(place, content);
            }
        }
        for place in self.files.promised().filter(|place| place.0 == host) {
            // Another transfer, which asked for less, may have followed.
            if self.files.is_fragile(place) {
                continue;
            }
            let content = disk.content(place.1, &place.2);
            if !content.is_some_and(|content| self.files.may_hold(place, content)) {
                let name = self.lab.host(host).name();
                return Err(format!(
                    "{name}: the power went, and with it {:?}, which was stored for good",
                    place.2
                ));
            }
        }
        Ok(())
    }

    /// After all has ended: no temporary file, no file that nobody brought, every old file as it was.
    pub(super) fn judge_disks(&self) -> Checked<()> {
        for (index, host) in self.lab.hosts().iter().enumerate() {
            let id = HostId(index);
            let disk = host.disk();
            if disk.open_files() > 0 {
                return Err(format!(
                    "{}: {} files are still open",
                    host.name(),
                    disk.open_files()
                ));
            }
            let roots: Vec<_> = if id == SERVER {
                (0..self.users.len()).map(root_of).collect()
            } else {
                vec![LOCAL_ROOT]
            };
            // A removal may have failed, and who dies leaves things behind.
            let tidy = disk.stats().injected == 0 && !self.crashed.contains(&id);
            for root in roots {
                for path in disk.walk(root) {
                    if path.is_reserved() && tidy {
                        return Err(format!("{}: {path:?} was left behind", host.name()));
                    }
                    let place = (id, root, path);
                    if let Some(content) = disk.content(root, &place.2)
                        && !place.2.is_reserved()
                        && self.trust_in(&place) == Trust::Full
                        && !self.files.may_hold(&place, content)
                    {
                        return Err(format!("{}: {:?} holds other bytes", host.name(), place.2));
                    }
                }
            }
        }
        for ((host, root, path), _) in self.files.planted() {
            let host = self.lab.host(*host);
            if host.disk().meta(*root, path).is_none() {
                return Err(format!("{}: {path:?} is gone", host.name()));
            }
        }
        Ok(())
    }
}
