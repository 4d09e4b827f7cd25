//! What a server's log says: who came, what was asked and agreed, how far it is, retransmissions, what came of it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use serde_json::{Value, json};
use transport_std::{
    CloseCause, CloseCode, ErrorCode, Failure, Finished, Job, PeerStats, PublicKey, RequestKind,
    Rights, ServerEvent, SessionInfo, StoredAs, TransferStats, TreeTotals, fingerprint,
};

use crate::escape::Escaped;
use crate::exchange::{resent_text, written_text};
use crate::failure;
use crate::json;
use crate::log::{Quarters, RateLimit};
use crate::session::figures;
use crate::units;
use crate::users::Users;

/// Turns a server's events into lines.
#[derive(Debug)]
pub(crate) struct ServerLog {
    users: Arc<Users>,
    limit: RateLimit,
    /// How far the jobs under way are, by number.
    quarters: HashMap<u64, Quarters>,
}

impl ServerLog {
    /// For a server of these users, whose names the log shows.
    pub(crate) fn new(users: Arc<Users>) -> Self {
        Self {
            users,
            limit: RateLimit::default(),
            quarters: HashMap::new(),
        }
    }

    /// The line for an event, if it is worth one and its source has not had its ten of this second (L3).
    pub(crate) fn line(&mut self, event: &ServerEvent) -> Option<String> {
        let line = self.text(event)?;
        match self.limit.allow(Instant::now(), source(event)?)? {
            0 => Some(line),
            left_out => Some(format!(
                "{line} ({left_out} lines before this were left out)"
            )),
        }
    }

    /// The line for an event, if it is worth one.
    pub(crate) fn text(&mut self, event: &ServerEvent) -> Option<String> {
        match event {
            ServerEvent::Opened { session } => Some(format!(
                "{} connected from {}, {}",
                self.who(session),
                session.address,
                rights_text(session.rights)
            )),
            ServerEvent::RightsChanged { session } => Some(format!(
                "{} {} from now on",
                self.who(session),
                rights_text(session.rights)
            )),
            ServerEvent::Refused { address, key } => Some(format!(
                "stranger at {address} turned away: {} is not in authorized_keys",
                fingerprint(key)
            )),
            ServerEvent::Closed {
                session,
                cause,
                stats,
            } => Some(self.closed(session, *cause, stats.as_ref())),
            ServerEvent::Requested { session, job, size } => {
                let size = match job.kind {
                    RequestKind::Put if session.key.is_some() => {
                        format!(", {}", units::size(*size))
                    }
                    _ => String::new(),
                };
                Some(format!(
                    "{} asks: {}{size}",
                    self.who(session),
                    in_words(job)
                ))
            }
            ServerEvent::RequestRefused { session, job, code }
                if is_missing_look(job, Failure::Here(*code)) =>
            {
                Some(format!(
                    "{} done: {}: not there",
                    self.who(session),
                    in_words(job)
                ))
            }
            ServerEvent::RequestRefused { session, job, code } => Some(format!(
                "{} refused: {}: {}",
                self.who(session),
                in_words(job),
                failure::from_code(*code)
            )),
            ServerEvent::Granted { session, job } if job.kind == RequestKind::Put => {
                Some(format!("{} agreed: {}", self.who(session), in_words(job)))
            }
            ServerEvent::Ignored {
                address,
                why,
                untold,
            } => {
                let untold = match untold {
                    0 => String::new(),
                    untold => format!(" ({untold} more were ignored before it)"),
                };
                Some(format!("classic {address} ignored: {why}{untold}"))
            }
            ServerEvent::Started { session, job, file } => Some(format!(
                "{} agreed: {}, {}",
                self.who(session),
                in_words(job),
                units::size(file.size)
            )),
            ServerEvent::Progress {
                session,
                job,
                bytes,
                size,
                resent,
            } => {
                let percent = self
                    .quarters
                    .entry(job.number)
                    .or_default()
                    .passed(*bytes, *size)?;
                Some(format!(
                    "{} {percent} %: {}, {}{}",
                    self.who(session),
                    in_words(job),
                    units::size(*bytes),
                    resent_text(*resent)
                ))
            }
            ServerEvent::Finished {
                session,
                job,
                result,
                stats,
            } => Some(self.finished(session, job, result, stats)),
            _ => None,
        }
    }

    fn finished(
        &mut self,
        session: &SessionInfo,
        job: &Job,
        result: &Result<Finished, Failure>,
        stats: &TransferStats,
    ) -> String {
        self.quarters.remove(&job.number);
        let (who, what) = (self.who(session), in_words(job));
        match result {
            Ok(Finished::Answered) => format!("{who} done: {what}"),
            Ok(Finished::Hashed { size, .. }) => {
                format!("{who} done: {what}, {}", units::size(*size))
            }
            Ok(Finished::Changed { count, .. }) => match count {
                1 => format!("{who} done: {what}"),
                count => format!("{who} done: {what}, {count} names"),
            },
            Ok(Finished::Tree(totals)) => {
                format!("{who} done: {what}, {}", tree_text(totals))
            }
            Ok(Finished::Stored {
                size,
                how: StoredAs::Unchanged,
                ..
            }) => {
                format!("{who} done: {what}, {}, unchanged", units::size(*size))
            }
            Ok(Finished::Stored { root, size, .. }) => {
                format!("{who} done: {what}, {}", written_text(*size, stats, *root))
            }
            Err(failure) if is_missing_look(job, *failure) => {
                format!("{who} done: {what}: not there")
            }
            Err(failure) => format!("{who} failed: {what}: {}", failure::from_failure(*failure)),
        }
    }

    fn closed(
        &self,
        session: &SessionInfo,
        cause: CloseCause,
        stats: Option<&PeerStats>,
    ) -> String {
        let why = match cause {
            CloseCause::Peer(CloseCode::NoError) => "left".to_owned(),
            CloseCause::Peer(CloseCode::Refused) => {
                "left: it does not trust this server's key".to_owned()
            }
            CloseCause::Here(CloseCode::Refused) => {
                "was disconnected: it may not be here any more".to_owned()
            }
            CloseCause::Here(_) => "was disconnected".to_owned(),
            other => format!("was lost: {}", failure::from_close(other)),
        };
        let figures = stats
            .map(|stats| format!(": {}", figures(stats)))
            .unwrap_or_default();
        format!("{} {why}{figures}", self.who(session))
    }

    /// `#1 anna`, by the name in authorized_keys, else by the key's fingerprint; a classic client by its address.
    fn who(&self, session: &SessionInfo) -> String {
        let Some(key) = &session.key else {
            return format!("classic {}", session.address);
        };
        let name = self.name(key);
        let name = name.unwrap_or_else(|| {
            fingerprint(key)
                .chars()
                .take(15)
                .chain("…".chars())
                .collect()
        });
        format!("#{} {name}", session.number)
    }

    fn name(&self, key: &PublicKey) -> Option<String> {
        let name = self.users.name(key).filter(|name| !name.is_empty())?;
        Some(Escaped(name.as_bytes()).to_string())
    }

    /// The JSON event for a server's event: its name and fields.
    pub(crate) fn json(&self, event: &ServerEvent) -> Option<(&'static str, Value)> {
        match event {
            ServerEvent::Opened { session } => {
                let mut fields = self.session_json(session);
                fields["rights"] = json!(rights_name(session.rights));
                Some(("connected", fields))
            }
            ServerEvent::RightsChanged { session } => {
                let mut fields = self.session_json(session);
                fields["rights"] = json!(rights_name(session.rights));
                Some(("rights-changed", fields))
            }
            ServerEvent::Refused { address, key } => Some((
                "login-refused",
                json!({ "addr": address.to_string(), "peer_key": fingerprint(key) }),
            )),
            ServerEvent::Closed { session, stats, .. } => {
                let mut fields = self.session_json(session);
                if let Some(stats) = stats {
                    fields["rtt_ms"] = json!(json::milliseconds(stats.rtt));
                    fields["loss"] = json!(json::share(crate::session::loss(stats)));
                }
                Some(("disconnected", fields))
            }
            ServerEvent::RequestRefused { session, job, code } => {
                let mut fields = self.job_json(session, job);
                fields["outcome"] = json!("refused");
                fields["code"] = json!(failure::from_code(*code).code);
                Some(("file", fields)).filter(|_| is_transfer(job))
            }
            ServerEvent::Finished {
                session,
                job,
                result,
                stats,
            } if is_transfer(job) => {
                let mut fields = self.job_json(session, job);
                self.result_json(&mut fields, result, stats);
                Some(("file", fields))
            }
            _ => None,
        }
    }

    fn session_json(&self, session: &SessionInfo) -> Value {
        let Some(key) = &session.key else {
            return json!({ "classic": true, "addr": session.address.to_string() });
        };
        json!({
            "session": session.number,
            "addr": session.address.to_string(),
            "peer_key": fingerprint(key),
            "peer": self.users.name(key),
        })
    }

    fn job_json(&self, session: &SessionInfo, job: &Job) -> Value {
        let mut fields = self.session_json(session);
        fields["way"] = json!(match job.kind {
            RequestKind::Put => "upload",
            RequestKind::MakeDir => "mkdir",
            RequestKind::Remove => "remove",
            RequestKind::Rename => "rename",
            RequestKind::Hash => "hash",
            _ => "download",
        });
        json::name(&mut fields, "path", job.path.as_bytes());
        if job.kind == RequestKind::Rename {
            json::name(&mut fields, "to", job.to.as_bytes());
        }
        fields
    }

    fn result_json(
        &self,
        fields: &mut Value,
        result: &Result<Finished, Failure>,
        stats: &TransferStats,
    ) {
        fields["bytes"] = json!(stats.bytes);
        fields["resent_bytes"] = json!(stats.resent);
        fields["seconds"] = json!(json::seconds(stats.elapsed));
        match result {
            Ok(Finished::Stored {
                root, size, how, ..
            }) => {
                fields["size"] = json!(size);
                fields["blake3"] = json!(root.map(|root| json::hex(&root)));
                fields["outcome"] = json!(match how {
                    StoredAs::Written => "written",
                    StoredAs::Unchanged => "unchanged",
                });
            }
            Ok(Finished::Answered) => fields["outcome"] = json!("written"),
            Ok(Finished::Hashed { root, size }) => {
                fields["size"] = json!(size);
                fields["blake3"] = json!(json::hex(root));
                fields["outcome"] = json!("read");
            }
            Ok(Finished::Changed { count, .. }) => {
                fields["outcome"] = json!(if *count == 0 { "unchanged" } else { "written" });
                fields["count"] = json!(count);
            }
            Ok(Finished::Tree(totals)) => {
                fields["outcome"] = json!(if totals.failed == 0 {
                    "written"
                } else {
                    "partial"
                });
                fields["size"] = json!(totals.bytes);
                fields["files"] = json!(totals.files);
                fields["directories"] = json!(totals.directories);
                fields["links"] = json!(totals.links);
                fields["unchanged"] = json!(totals.unchanged);
                fields["failed"] = json!(totals.failed);
            }
            Err(failure) => {
                fields["outcome"] = json!("failed");
                fields["code"] = json!(failure::from_failure(*failure).code);
            }
        }
    }
}

/// `12 files, 4.0 KiB, 3 links, 2 unchanged, 1 failed`; what is none is left out.
pub(crate) fn tree_text(totals: &TreeTotals) -> String {
    let mut text = format!("{} files, {}", totals.files, units::size(totals.bytes));
    for (count, what) in [
        (totals.directories, "directories"),
        (totals.links, "links"),
        (totals.unchanged, "unchanged"),
        (totals.failed, "failed"),
    ] {
        if count > 0 {
            text.push_str(&format!(", {count} {what}"));
        }
    }
    text
}

/// A look at what is not there: what every upload of a new file begins with, and no failure.
fn is_missing_look(job: &Job, failure: Failure) -> bool {
    let is_missing = matches!(
        failure,
        Failure::Here(ErrorCode::NotFound)
            | Failure::Peer(ErrorCode::NotFound)
            | Failure::Refused(ErrorCode::NotFound)
    );
    is_missing && job.kind == RequestKind::Stat
}

/// Whose lines are counted together: strangers by address, users by session.
fn source(event: &ServerEvent) -> Option<SocketAddr> {
    let session = match event {
        // Ports cost a stranger nothing.
        ServerEvent::Refused { address, .. } | ServerEvent::Ignored { address, .. } => {
            return Some(SocketAddr::new(address.ip(), 0));
        }
        ServerEvent::Opened { session }
        | ServerEvent::RightsChanged { session }
        | ServerEvent::Closed { session, .. }
        | ServerEvent::Requested { session, .. }
        | ServerEvent::Granted { session, .. }
        | ServerEvent::RequestRefused { session, .. }
        | ServerEvent::Started { session, .. }
        | ServerEvent::Progress { session, .. }
        | ServerEvent::Finished { session, .. } => session,
        _ => return None,
    };
    match session.key {
        Some(_) => Some(session.address),
        None => Some(SocketAddr::new(session.address.ip(), 0)),
    }
}

fn is_transfer(job: &Job) -> bool {
    let moves = matches!(
        job.kind,
        RequestKind::Get | RequestKind::Put | RequestKind::Hash
    );
    moves || job.kind.changes_names()
}

/// `download docs/a.pdf`, escaped; the shared root itself is `/`.
fn in_words(job: &Job) -> String {
    let what = match job.kind {
        RequestKind::List => "list",
        RequestKind::Stat => "look at",
        RequestKind::Get => "download",
        RequestKind::Put => "upload",
        RequestKind::Hash => "hash",
        RequestKind::MakeDir => "make directory",
        RequestKind::Remove => "remove",
        RequestKind::Rename => {
            let (from, to) = (job.path.as_bytes(), job.to.as_bytes());
            return format!("rename {} to {}", Escaped(from), Escaped(to));
        }
    };
    if job.path.is_root() {
        return format!("{what} /");
    }
    format!("{what} {}", Escaped(job.path.as_bytes()))
}

fn rights_text(rights: Rights) -> &'static str {
    match rights {
        Rights::None => "may do nothing",
        Rights::Read => "may read",
        Rights::ReadWrite => "may read and write",
    }
}

fn rights_name(rights: Rights) -> &'static str {
    match rights {
        Rights::None => "none",
        Rights::Read => "r",
        Rights::ReadWrite => "rw",
    }
}

#[cfg(test)]
mod tests;
