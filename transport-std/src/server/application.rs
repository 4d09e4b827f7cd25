//! The server's side of the driver: admits, decides, tells.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use proto_core::crypto::{Direction, PublicKey};
use proto_core::wire::CloseCode;
use proto_core::{
    Admission, CloseCause, Decision, Endpoint, Event, Instant, PeerId, PeerStats, RateLimits,
    Requested, TransferId,
};

use super::accounts::Accounts;
use super::layout::Layout;
use super::{AdmissionPolicy, Job, LimitPolicy, OnServerEvent, Rights, ServerEvent, SessionInfo};
use crate::driver::Application;

/// How long sessions may take to say goodbye when the server stops.
const FAREWELL: Duration = Duration::from_secs(3);

/// Between two progress events of a job.
const PROGRESS: Duration = Duration::from_millis(100);

/// What other threads ask of a server.
#[derive(Debug)]
pub(super) enum Command {
    /// Close all sessions and return.
    Stop,
    /// Ask the policies about every session again.
    Review,
}

pub(super) struct ServerApplication {
    host: Arc<Host>,
    /// What classic clients may do.
    classic: Rights,
    sessions: HashMap<PeerId, Session>,
    jobs: HashMap<TransferId, OpenJob>,
    /// Since when the server is stopping.
    stopping: Option<Instant>,
    over: bool,
}

/// What all threads of a server share.
pub(super) struct Host {
    layout: Layout,
    admission: Mutex<AdmissionPolicy>,
    limits: Mutex<LimitPolicy>,
    /// What holds for those of whom the policy says nothing.
    usual_limits: RateLimits,
    accounts: Option<Accounts>,
    on_event: Mutex<OnServerEvent>,
    session_count: AtomicU64,
    job_count: AtomicU64,
}

impl Host {
    pub(super) fn new(
        layout: Layout,
        admission: AdmissionPolicy,
        (limits, usual_limits): (LimitPolicy, RateLimits),
        accounts: Option<Accounts>,
        on_event: OnServerEvent,
    ) -> Self {
        Self {
            layout,
            admission: Mutex::new(admission),
            limits: Mutex::new(limits),
            usual_limits,
            accounts,
            on_event: Mutex::new(on_event),
            session_count: AtomicU64::new(0),
            job_count: AtomicU64::new(0),
        }
    }

    /// What the user may do; `None` for one who may not come in.
    fn rights(&self, key: &PublicKey, address: SocketAddr) -> Option<Rights> {
        let policy = self.admission.lock();
        (policy.unwrap_or_else(PoisonError::into_inner))(key, address)
    }

    /// How fast each session of the user may be.
    fn limits(&self, key: &PublicKey) -> RateLimits {
        let policy = self.limits.lock();
        (policy.unwrap_or_else(PoisonError::into_inner))(key).unwrap_or(self.usual_limits)
    }

    /// The next number of a count, from 1 on.
    fn next(count: &AtomicU64) -> u64 {
        count.fetch_add(1, Ordering::Relaxed) + 1
    }
}

struct Session {
    info: Arc<SessionInfo>,
    stats: Option<PeerStats>,
}

struct OpenJob {
    session: Arc<SessionInfo>,
    job: Arc<Job>,
    told: Option<Instant>,
}

impl ServerApplication {
    pub(super) fn new(host: Arc<Host>, classic: Rights) -> Self {
        Self {
            host,
            classic,
            sessions: HashMap::new(),
            jobs: HashMap::new(),
            stopping: None,
            over: false,
        }
    }

    fn tell(&mut self, event: &ServerEvent) {
        // One that has panicked is asked again: its state is its own affair.
        let listener = self.host.on_event.lock();
        (listener.unwrap_or_else(PoisonError::into_inner))(event);
    }

    fn admit(
        &mut self,
        now: Instant,
        endpoint: &mut Endpoint,
        peer: PeerId,
        address: SocketAddr,
        key: PublicKey,
    ) {
        if self.stopping.is_some() {
            // Stale only if it has gone by itself.
            let _ = endpoint.close(now, peer, CloseCode::ShuttingDown);
            return;
        }
        let Some(rights) = self.host.rights(&key, address) else {
            let _ = endpoint.admit(now, peer, Admission::Refuse);
            return self.tell(&ServerEvent::Refused { address, key });
        };
        if endpoint.admit(now, peer, Admission::Admit).is_ok() {
            // It was there a line ago.
            let _ = endpoint.set_limits(now, peer, self.host.limits(&key));
            let number = Host::next(&self.host.session_count);
            let session = Arc::new(SessionInfo {
                number,
                address,
                key: Some(key),
                rights,
            });
            self.sessions.insert(
                peer,
                Session {
                    info: session.clone(),
                    stats: None,
                },
            );
            self.tell(&ServerEvent::Opened { session });
        }
    }

    /// Who may be here, do what, and how fast, is asked anew.
    fn review(&mut self, now: Instant, endpoint: &mut Endpoint) {
        let mut changed = Vec::new();
        for (peer, session) in &mut self.sessions {
            let Some(key) = session.info.key else {
                continue;
            };
            // Stale only if it has gone by itself.
            let _ = match self.host.rights(&key, session.info.address) {
                None => endpoint.close(now, *peer, CloseCode::Refused),
                Some(rights) => {
                    if rights != session.info.rights {
                        session.info = Arc::new(SessionInfo {
                            rights,
                            ..*session.info
                        });
                        changed.push(session.info.clone());
                    }
                    endpoint.set_limits(now, *peer, self.host.limits(&key))
                }
            };
        }
        changed.sort_unstable_by_key(|session| session.number);
        for session in changed {
            self.tell(&ServerEvent::RightsChanged { session });
        }
    }

    fn requested(
        &mut self,
        now: Instant,
        endpoint: &mut Endpoint,
        transfer: TransferId,
        request: Requested,
    ) {
        let Some(session) = self
            .sessions
            .get(&transfer.peer())
            .map(|session| session.info.clone())
        else {
            let code = proto_core::wire::ErrorCode::Cancelled;
            // Of a session that was not admitted: it is being closed.
            let _ = endpoint.decide(now, transfer, Decision::Refuse(code));
            return;
        };
        self.judge(now, endpoint, transfer, session, request);
    }

    /// A client of the classic dialect asks: it has no session, and the rights of everyone.
    fn classic_requested(
        &mut self,
        now: Instant,
        endpoint: &mut Endpoint,
        transfer: TransferId,
        address: SocketAddr,
        request: Requested,
    ) {
        let rights = match self.stopping {
            None => self.classic,
            Some(_) => Rights::None,
        };
        let session = Arc::new(SessionInfo {
            number: 0,
            address,
            key: None,
            rights,
        });
        self.judge(now, endpoint, transfer, session, request);
    }

    fn judge(
        &mut self,
        now: Instant,
        endpoint: &mut Endpoint,
        transfer: TransferId,
        session: Arc<SessionInfo>,
        request: Requested,
    ) {
        let mut decision = self.host.layout.decide(session.rights, &request);
        if let Some(accounts) = &self.host.accounts {
            accounts.assign(session.key.as_ref(), &mut decision);
        }
        let (kind, path, to, size) = (request.kind, request.path, request.to, request.size);
        let job = Arc::new(Job {
            number: Host::next(&self.host.job_count),
            kind,
            path,
            to,
        });
        self.tell(&ServerEvent::Requested {
            session: session.clone(),
            job: job.clone(),
            size,
        });
        if let Decision::Refuse(code) = decision {
            self.tell(&ServerEvent::RequestRefused { session, job, code });
        } else {
            if session.key.is_none() {
                self.tell(&ServerEvent::Granted {
                    session: session.clone(),
                    job: job.clone(),
                });
            }
            self.jobs.insert(
                transfer,
                OpenJob {
                    session,
                    job,
                    told: None,
                },
            );
        }
        if endpoint.decide(now, transfer, decision).is_err() {
            self.jobs.remove(&transfer);
        }
    }

    /// An event of a granted job.
    fn job_event(&mut self, now: Instant, endpoint: &Endpoint, transfer: TransferId, event: Event) {
        let Some(open) = self.jobs.get_mut(&transfer) else {
            return;
        };
        let (session, job) = (open.session.clone(), open.job.clone());
        let told = match event {
            Event::Entry { file, .. } => ServerEvent::Started { session, job, file },
            Event::Files { files, .. } => ServerEvent::Files {
                session,
                job,
                files,
            },
            Event::Progress {
                bytes,
                size,
                resent,
                ..
            } => {
                if open.told.is_some_and(|told| now.since(told) < PROGRESS) {
                    return;
                }
                open.told = Some(now);
                ServerEvent::Progress {
                    session,
                    job,
                    bytes,
                    size,
                    resent,
                }
            }
            Event::Finished { result, stats, .. } => {
                self.jobs.remove(&transfer);
                if let Some(session) = self.sessions.get_mut(&transfer.peer()) {
                    session.stats = endpoint.stats(transfer.peer()).or(session.stats);
                }
                ServerEvent::Finished {
                    session,
                    job,
                    result,
                    stats,
                }
            }
            _ => return,
        };
        self.tell(&told);
    }

    fn closed(&mut self, endpoint: &Endpoint, peer: PeerId, cause: CloseCause) {
        if let Some(Session {
            info: session,
            stats,
        }) = self.sessions.remove(&peer)
        {
            let stats = endpoint.stats(peer).or(stats);
            self.tell(&ServerEvent::Closed {
                session,
                cause,
                stats,
            });
        }
    }
}

impl Application for ServerApplication {
    type Command = Command;

    fn command(&mut self, now: Instant, endpoint: &mut Endpoint, command: Command) {
        if let Command::Review = command {
            return self.review(now, endpoint);
        }
        if self.stopping.is_none() {
            self.stopping = Some(now);
            for (transfer, job) in &self.jobs {
                if job.session.key.is_none() {
                    // Stale only if its end is on its way.
                    let _ = endpoint.cancel(now, *transfer);
                }
            }
            for peer in self.sessions.keys() {
                // Stale only if it has gone by itself.
                let _ = endpoint.close(now, *peer, CloseCode::ShuttingDown);
            }
        }
    }

    fn event(&mut self, now: Instant, endpoint: &mut Endpoint, event: Event) {
        match event {
            Event::PeerReady {
                peer,
                direction: Direction::Server,
                address,
                key,
            } => {
                self.admit(now, endpoint, peer, address, key);
            }
            Event::Requested { transfer, request } => {
                self.requested(now, endpoint, transfer, request)
            }
            Event::ClassicRequested {
                transfer,
                address,
                request,
            } => self.classic_requested(now, endpoint, transfer, address, request),
            Event::ClassicIgnored {
                address,
                why,
                untold,
            } => self.tell(&ServerEvent::Ignored {
                address,
                why,
                untold,
            }),
            Event::Entry { transfer, .. }
            | Event::Files { transfer, .. }
            | Event::Progress { transfer, .. }
            | Event::Finished { transfer, .. } => self.job_event(now, endpoint, transfer, event),
            Event::PeerClosed { peer, cause } => self.closed(endpoint, peer, cause),
            // Those are told to the one who asked, which a server never is.
            Event::PeerReady { .. } | Event::Accepted { .. } | Event::Listing { .. } => {}
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.stopping
            .filter(|_| !self.over)
            .map(|since| since + FAREWELL)
    }

    fn timeout(&mut self, _now: Instant, _endpoint: &mut Endpoint) {
        self.over = true;
    }

    fn is_over(&self) -> bool {
        self.over || (self.stopping.is_some() && self.sessions.is_empty())
    }
}
