//! What befalls hosts.

use proto_core::{Duration, Instant};

use super::files::Where;
use super::server::root_of;
use super::user::LOCAL_ROOT;
use super::{SERVER, World};
use crate::disk::{Change, Content, generate};
use crate::lab::{Checked, Crash, HostId};
use crate::scenario::{Edit, Incident, Misfortune, address};

impl World {
    pub(super) fn incidents_due(&mut self) -> Checked<()> {
        let now = self.lab.now();
        let mut up: Vec<_> = self.down.extract_if(.., |(at, _)| *at <= now).collect();
        up.sort_unstable();
        for (_, host) in up {
            // Those that were only suspended run again by themselves.
            if self.lab.host(host).endpoint().is_none() {
                self.lab.restart(host, None);
            }
            if let Some(user) = host.0.checked_sub(1) {
                self.plan(user);
            }
        }
        while let Some(next) = self.incidents.pop_if(|next| Instant::ZERO + next.at <= now) {
            self.befall(next)?;
        }
        Ok(())
    }

    fn befall(&mut self, incident: Incident) -> Checked<()> {
        let host = HostId(incident.who.0 as usize);
        let user = host.0.checked_sub(1);
        match (incident.what, user) {
            (Misfortune::Crash { how, down }, _) => self.crash(host, how, down)?,
            (Misfortune::NewPort, Some(_)) => {
                let old = self.lab.host(host).address();
                let mut new = old;
                new.set_port(old.port() + 1);
                self.lab.readdress(host, new);
            }
            (Misfortune::NewAddress, Some(_)) => {
                self.moves = self.moves.wrapping_add(1);
                let port = self.lab.host(host).address().port();
                self.lab
                    .readdress(host, address(incident.who.0, port, self.moves));
            }
            (Misfortune::Sleep { by }, _) => self.lab.jump_clock(host, by),
            (Misfortune::Suspend { lasts, clock_stops }, _) => {
                self.suspend(host, lasts, clock_stops);
            }
            (Misfortune::Change { remote, path, edit }, Some(user)) => {
                let (host, root) = if remote {
                    (SERVER, root_of(user))
                } else {
                    (host, LOCAL_ROOT)
                };
                self.edit((host, root, path), edit);
            }
            (Misfortune::Revoke, Some(user)) => {
                self.users[user].revoked = true;
                match self.lab.endpoint(SERVER) {
                    Some((shown, endpoint)) => self.server.revoke(shown, Some(endpoint), user),
                    None => self.server.revoke(Instant::ZERO, None, user),
                }
            }
            // These are of clients.
            (
                Misfortune::NewPort
                | Misfortune::NewAddress
                | Misfortune::Change { .. }
                | Misfortune::Revoke,
                None,
            ) => {}
        }
        Ok(())
    }

    /// A file changes by itself; what it holds from now on may arrive where it is copied to.
    fn edit(&mut self, place: Where, edit: Edit) {
        let now = self.lab.now();
        let disk = self.lab.disk(place.0);
        let change = match edit {
            Edit::Replace { size, content } => Change::Replace(Content::generated(content, size)),
            Edit::Resize { size } => Change::SetLen(size),
            Edit::Write {
                offset,
                size,
                content,
            } => {
                let mut bytes = vec![0; size as usize];
                generate(content, offset, &mut bytes);
                Change::Write(offset, bytes)
            }
        };
        disk.change(now, place.1, &place.2, change);
        if let Some(content) = disk.content(place.1, &place.2).cloned() {
            self.files.change(place, content);
        }
    }

    fn suspend(&mut self, host: HostId, lasts: Duration, clock_stops: bool) {
        // One that is down, or asleep, stays so for as long as it was to.
        if self.down.iter().any(|(_, other)| *other == host) {
            return;
        }
        let up_at = self.lab.now() + lasts;
        self.lab.suspend(host, lasts, clock_stops);
        self.down.push((up_at, host));
    }

    fn crash(&mut self, host: HostId, how: Crash, down: Duration) -> Checked<()> {
        // One that is down stays down for as long as it was to.
        if self.down.iter().any(|(_, other)| *other == host) {
            return Ok(());
        }
        let up_at = self.lab.now() + down;
        self.lab.crash(host, how);
        self.down.push((up_at, host));
        self.crashed.push(host);
        match host.0.checked_sub(1) {
            None => self.server.crash(),
            Some(user) => {
                self.users[user].crashed(up_at);
                self.plan(user);
            }
        }
        if how == Crash::Power {
            self.judge_power_loss(host)?;
        }
        Ok(())
    }
}
