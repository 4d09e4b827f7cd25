//! A client's session: its driver's thread, and the jobs that callers wait for.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use proto_core::crypto::PublicKey;
use proto_core::wire::{CloseCode, ErrorCode, FilePath};
use proto_core::{CloseCause, Failure, FileReport, Finished, Request, TransferStats};

use super::application::{Board, ClientApplication, Command, Connected};
use super::attempts::{self, Attempts};
use super::mailbox::{End, Mailbox, Ticket, Update};
use super::{Cancel, ClientOptions, Progress, Stored, Tree, TreeProgress};
use crate::driver::{Driver, Handle, Parts, Socket};
use crate::error::shown;
use crate::executor::Roots;
use crate::{ClientError, Identity};

/// How long the user may think about the server's key.
const PROMPT_MAX: Duration = Duration::from_secs(600);

/// What all clones of a client share.
pub(super) struct Session {
    pub(super) handle: Handle<Command>,
    thread: Mutex<Option<JoinHandle<io::Result<()>>>>,
    pub(super) board: Arc<Board>,
    pub(super) roots: Roots,
    pub(super) address: SocketAddr,
    pub(super) server: PublicKey,
    own: PublicKey,
    jobs: AtomicU64,
}

impl Session {
    /// Reaches a server; whether it is the right one is still open.
    pub(super) fn open(
        addresses: &[SocketAddr],
        identity: &Identity,
        options: &ClientOptions,
    ) -> Result<Self, ClientError> {
        let not_reached = |port_closed| ClientError::NotReached {
            addresses: addresses.into(),
            port_closed,
        };
        let mut socket = bind(addresses).map_err(ClientError::Socket)?;
        socket.hear_errors();
        let mut config = options
            .tuning
            .config(identity)
            .map_err(ClientError::Socket)?;
        config.limits.handshake_timeout = options.connect_timeout;
        config.limits.admission_timeout = PROMPT_MAX;
        let roots = Roots::new();
        let attempts = Attempts::new(
            attempts::in_turns(addresses.into()),
            options.connect_timeout,
        );
        let (report, connected) = mpsc::channel::<Connected>();
        let board = Arc::new(Board::default());
        let application = ClientApplication::new(attempts, report, board.clone());
        let (disk_threads, faults) = (options.tuning.disk_threads, options.tuning.faults);
        let parts = Parts {
            socket,
            config,
            roots: roots.clone(),
            disk_threads,
            faults,
        };
        let (driver, handle) = Driver::new(parts, application).map_err(ClientError::Socket)?;
        let thread = thread::Builder::new()
            .name("dhow-client".into())
            .spawn(|| driver.run());
        let thread = Mutex::new(Some(thread.map_err(ClientError::Socket)?));
        let (address, server) = match connected.recv() {
            Ok(Ok(reached)) => reached,
            Ok(Err(none)) => {
                return Err(none.cause.map_or_else(
                    || not_reached(none.port_closed),
                    |cause| ClientError::SessionLost { cause },
                ));
            }
            // The driver has ended without a word.
            Err(_) => {
                let joined = thread.into_inner().ok().flatten().map(JoinHandle::join);
                let error = match joined {
                    Some(Ok(Err(error))) => error,
                    _ => io::Error::other("the driver's thread ended early: this is a bug in dhow"),
                };
                return Err(ClientError::Socket(error));
            }
        };
        let (own, jobs) = (identity.public_key(), AtomicU64::new(0));
        Ok(Self {
            handle,
            thread,
            board,
            roots,
            address,
            server,
            own,
            jobs,
        })
    }

    /// Runs a job to its end.
    pub(super) fn run(
        &self,
        request: Request,
        cancel: Option<&Cancel>,
        mut each: impl FnMut(Update),
    ) -> End {
        let number = self.jobs.fetch_add(1, Ordering::Relaxed);
        let mailbox = Arc::new(Mailbox::default());
        // When the driver has ended, the ticket is dropped with the command, which ends the job.
        self.handle.send(Command::Start(
            Ticket {
                number,
                mailbox: mailbox.clone(),
            },
            request,
        ));
        let _watch = cancel.map(|cancel| {
            let handle = self.handle.clone();
            cancel.watch(move || {
                handle.send(Command::Cancel(number));
            })
        });
        mailbox.wait(|update| {
            each(update);
            if mailbox.lets_listing_go_on() {
                self.handle.send(Command::GoOn(number));
            }
        })
    }

    /// Runs a job that moves a file.
    pub(super) fn haul(
        &self,
        request: Request,
        remote: &FilePath,
        local: &Path,
        cancel: Option<&Cancel>,
        mut progress: impl FnMut(Progress),
    ) -> Result<Stored, ClientError> {
        let (result, stats) = self.run(request, cancel, |update| match update {
            Update::Progress(made) => progress(made),
            Update::Entry(file) => progress(Progress::Started(file)),
            Update::Page(_) | Update::Files(_) => {}
        });
        match result {
            // The core does not end a file's transfer in another way.
            Ok(finished) => stored(finished, stats)
                .ok_or_else(|| self.failed(remote, Some(local), Failure::Here(ErrorCode::Io))),
            Err(failure) => Err(self.failed(remote, Some(local), failure)),
        }
    }

    /// Runs a job that moves a directory, or a file.
    pub(super) fn haul_tree(
        &self,
        request: Request,
        remote: &FilePath,
        local: &Path,
        cancel: Option<&Cancel>,
        mut progress: impl FnMut(TreeProgress),
    ) -> Result<Tree, ClientError> {
        let (result, stats) = self.run(request, cancel, |update| match update {
            Update::Progress(made) => progress(TreeProgress::Step(made)),
            Update::Entry(file) => progress(TreeProgress::Step(Progress::Started(file))),
            Update::Files(files) => files
                .into_iter()
                .for_each(|file| progress(TreeProgress::File(file))),
            Update::Page(_) => {}
        });
        match result {
            Ok(Finished::Tree(totals)) => Ok(Tree {
                totals,
                file: None,
                stats,
            }),
            // The core does not end such a transfer in another way.
            Ok(finished) => {
                let file = stored(finished, stats).ok_or_else(|| {
                    self.failed(remote, Some(local), Failure::Here(ErrorCode::Io))
                })?;
                progress(TreeProgress::File(FileReport::from(&file)));
                Ok(Tree::from(file))
            }
            Err(failure) => Err(self.failed(remote, Some(local), failure)),
        }
    }

    /// The error of a failed job.
    pub(super) fn failed(
        &self,
        remote: &FilePath,
        local: Option<&Path>,
        failure: Failure,
    ) -> ClientError {
        match (failure, local) {
            (Failure::SessionLost, _) => match self.board.cause.get() {
                Some(CloseCause::Peer(CloseCode::Refused)) if !self.board.was_admitted() => {
                    ClientError::LoginRefused {
                        address: self.address,
                        key: self.own,
                    }
                }
                Some(cause) => ClientError::SessionLost { cause: *cause },
                None => ClientError::SessionLost {
                    cause: CloseCause::Here(CloseCode::Internal),
                },
            },
            (Failure::Here(_), Some(local)) => ClientError::Transfer {
                path: shown(local.as_os_str().as_encoded_bytes()),
                failure,
            },
            _ => ClientError::Transfer {
                path: shown(remote.as_bytes()),
                failure,
            },
        }
    }

    pub(super) fn close(&self) {
        self.handle.send(Command::Close);
        let thread = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(thread) = thread {
            // What went wrong at the very end changes nothing for anybody.
            let _ = thread.join();
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.close();
    }
}

/// How a file was stored; `None` for another end.
pub(super) fn stored(finished: Finished, stats: TransferStats) -> Option<Stored> {
    let Finished::Stored {
        root,
        size,
        how,
        durability,
    } = finished
    else {
        return None;
    };
    Some(Stored {
        hash: root,
        size,
        how,
        durability,
        stats,
    })
}

/// A socket that reaches the addresses, as far as the system can.
pub(super) fn bind(addresses: &[SocketAddr]) -> io::Result<Socket> {
    let any = match addresses.iter().any(SocketAddr::is_ipv6) {
        true => (Ipv6Addr::UNSPECIFIED, 0).into(),
        false => (Ipv4Addr::UNSPECIFIED, 0).into(),
    };
    Socket::bind(any)
}
