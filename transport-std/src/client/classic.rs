//! A client of the classic dialect (`docs/CLASSIC.md`): each job has a socket of its own (K4.5).

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use proto_core::wire::{ErrorCode, FilePath};
use proto_core::{Endpoint, Event, Failure, Instant, Request, TransferId, TransferStats};

use super::local;
use super::mailbox::End;
use super::session::{bind, stored};
use super::{Cancel, GetOptions, Progress, PutOptions, Stored, read_page, remote};
use crate::driver::{Application, Driver, Parts};
use crate::error::shown;
use crate::executor::Roots;
use crate::{ClientError, Identity, Tuning};

/// How long to stay after a download through loss: a server that has not heard the end asks again after 2 s.
const STAY: Duration = Duration::from_millis(2_500);

/// How long to go on once the network has said that the port is closed: that may be a lie.
const DOUBT: Duration = Duration::from_secs(1);

/// A server of the classic dialect: no encryption, no identity. It is not spoken to before the first job.
#[derive(Clone, Debug)]
pub struct ClassicClient {
    addresses: Vec<SocketAddr>,
    tuning: Tuning,
}

impl ClassicClient {
    /// A client of the server at `addresses`. IPv4 is tried first, since the original knows nothing else; the next address only
    /// when the one before is silent or closed.
    ///
    /// # Errors
    /// [`ClientError::Resolve`].
    pub fn new(addresses: impl ToSocketAddrs, tuning: Tuning) -> Result<Self, ClientError> {
        let found = addresses.to_socket_addrs().map_err(ClientError::Resolve)?;
        let mut addresses: Vec<_> = found.collect();
        addresses.sort_by_key(SocketAddr::is_ipv6);
        Ok(Self { addresses, tuning })
    }

    /// The addresses that are tried, in order.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Names of the server's files, as many as one message holds: 999 bytes.
    ///
    /// # Errors
    /// [`ClientError::Transfer`], [`NotReached`](ClientError::NotReached), [`Socket`](ClientError::Socket).
    pub fn list(&self) -> Result<Vec<Vec<u8>>, ClientError> {
        let mut pages = Vec::new();
        let request = |_: &Roots| {
            Ok(Request::List {
                path: FilePath::root(),
            })
        };
        let end = self.run(request, None, |event| {
            if let Event::Listing { entries, .. } = event {
                pages.push(entries);
            }
        })?;
        end.0.map_err(|failure| self.failed(b"", failure))?;
        let mut names = Vec::new();
        for page in pages {
            let whole = read_page(&page, &mut |entry| names.push(entry.name));
            whole.ok_or_else(|| self.failed(b"", Failure::Peer(ErrorCode::NameRefused)))?;
        }
        Ok(names)
    }

    /// Downloads the file `remote` to the file `local`, whose directory must exist. Its time and permission bits are not known:
    /// [`Overwrite::Compare`](crate::Overwrite::Compare) replaces.
    ///
    /// # Errors
    /// As [`list`](Self::list), and [`ClientError::Name`], [`Local`](ClientError::Local).
    pub fn get(
        &self,
        remote: impl AsRef<[u8]>,
        local: impl AsRef<Path>,
        options: &GetOptions,
        progress: impl FnMut(Progress),
    ) -> Result<Stored, ClientError> {
        let (remote, local) = (remote.as_ref(), local.as_ref());
        let from = self::remote(remote)?;
        let request = |roots: &Roots| {
            Ok(Request::Get {
                from: from.clone(),
                to: local::target(roots, local)?,
                overwrite: options.overwrite,
                durability: options.durability,
                preserve: false,
                keep_top_mode: false,
                tree: false,
            })
        };
        self.haul(request, remote, local, options.cancel.as_ref(), progress)
    }

    /// Uploads the file `local` to the file `remote`. What stands there already is the server's matter.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn put(
        &self,
        local: impl AsRef<Path>,
        remote: impl AsRef<[u8]>,
        options: &PutOptions,
        progress: impl FnMut(Progress),
    ) -> Result<Stored, ClientError> {
        let (remote, local) = (remote.as_ref(), local.as_ref());
        let to = self::remote(remote)?;
        let request = |roots: &Roots| {
            Ok(Request::Put {
                from: local::source(roots, local)?,
                to: to.clone(),
                overwrite: options.overwrite,
                durability: options.durability,
                tree: false,
            })
        };
        self.haul(request, remote, local, options.cancel.as_ref(), progress)
    }

    fn haul(
        &self,
        request: impl Fn(&Roots) -> Result<Request, ClientError>,
        remote: &[u8],
        local: &Path,
        cancel: Option<&Cancel>,
        mut progress: impl FnMut(Progress),
    ) -> Result<Stored, ClientError> {
        let (result, stats) = self.run(request, cancel, |event| match event {
            Event::Accepted { .. } => progress(Progress::Accepted),
            Event::Entry { file, .. } => progress(Progress::Started(file)),
            Event::Progress {
                bytes,
                had,
                whole,
                size,
                resent,
                files,
                limited_by,
                ..
            } => progress(Progress::Moved {
                bytes,
                had,
                whole,
                size,
                resent,
                files,
                limited_by,
            }),
            _ => {}
        })?;
        let path = match result {
            Err(Failure::Here(_)) => local.as_os_str().as_encoded_bytes(),
            _ => remote,
        };
        let ended = result.and_then(|finished| {
            // The core does not end a file's transfer in another way.
            stored(finished, stats).ok_or(Failure::Here(ErrorCode::Io))
        });
        ended.map_err(|failure| self.failed(path, failure))
    }

    fn failed(&self, path: &[u8], failure: Failure) -> ClientError {
        ClientError::Transfer {
            path: if path.is_empty() {
                "/".into()
            } else {
                shown(path)
            },
            failure,
        }
    }

    /// Runs a job to its end, address by address.
    fn run(
        &self,
        request: impl Fn(&Roots) -> Result<Request, ClientError>,
        cancel: Option<&Cancel>,
        mut each: impl FnMut(Event),
    ) -> Result<End, ClientError> {
        let mut last = None;
        for &address in &self.addresses {
            let roots = Roots::new();
            let request = request(&roots)?;
            let ended = self.run_at(address, roots, request, cancel, &mut each);
            match ended.map_err(ClientError::Socket)? {
                Ended {
                    end: (Err(Failure::NoAnswer), stats),
                    closed,
                } => last = Some(((Err(Failure::NoAnswer), stats), closed)),
                Ended { end, .. } => return Ok(end),
            }
        }
        match last {
            Some((end, false)) => Ok(end),
            _ => Err(ClientError::NotReached {
                addresses: self.addresses.clone(),
                port_closed: last.is_some(),
            }),
        }
    }

    fn run_at(
        &self,
        address: SocketAddr,
        roots: Roots,
        request: Request,
        cancel: Option<&Cancel>,
        each: &mut dyn FnMut(Event),
    ) -> io::Result<Ended> {
        let mut socket = bind(&[address])?;
        socket.hear_errors();
        let mut config = self.tuning.config(&Identity::generate())?;
        config.classic = true;
        let ended = Arc::new(Mutex::new(None));
        let application = Job {
            address,
            request: Some(request),
            transfer: None,
            each,
            ended: Arc::clone(&ended),
            heard: false,
            closed_at: None,
            given_up: false,
            until: None,
        };
        let parts = Parts {
            socket,
            config,
            roots,
            disk_threads: 1,
            faults: self.tuning.faults,
        };
        let (driver, handle) = Driver::new(parts, application)?;
        handle.send(Command::Start);
        let _watch = cancel.map(|cancel| {
            cancel.watch(move || {
                handle.send(Command::Cancel);
            })
        });
        driver.run()?;
        let mut ended = ended.lock().unwrap_or_else(PoisonError::into_inner);
        ended
            .take()
            .ok_or_else(|| io::Error::other("the driver ended early: this is a bug in dhow"))
    }
}

/// What came of a job at one address.
struct Ended {
    end: End,
    /// The network has said that the port is closed.
    closed: bool,
}

#[derive(Debug)]
enum Command {
    Start,
    Cancel,
}

/// One job, on the driver's thread, which is the caller's.
struct Job<'a> {
    address: SocketAddr,
    request: Option<Request>,
    transfer: Option<TransferId>,
    each: &'a mut dyn FnMut(Event),
    ended: Arc<Mutex<Option<Ended>>>,
    /// The server has agreed.
    heard: bool,
    /// When the network said that the port is closed.
    closed_at: Option<Instant>,
    /// That was long enough ago.
    given_up: bool,
    /// Nothing is left to be done from this time on; at zero, it is over.
    until: Option<Instant>,
}

impl Job<'_> {
    fn end(&mut self, now: Instant, end: End) {
        let through_loss = end.0.is_ok() && end.1.resent > 0;
        self.until = Some(if through_loss { now + STAY } else { now });
        let closed = self.closed_at.is_some();
        *self.ended.lock().unwrap_or_else(PoisonError::into_inner) = Some(Ended { end, closed });
    }

    fn fail(&mut self, now: Instant, code: ErrorCode) {
        self.end(now, (Err(Failure::Here(code)), TransferStats::default()));
    }
}

impl Application for Job<'_> {
    type Command = Command;

    fn command(&mut self, now: Instant, endpoint: &mut Endpoint, command: Command) {
        match (command, self.transfer) {
            (Command::Start, _) => {
                let Some(request) = self.request.take() else {
                    return;
                };
                match endpoint.start_classic(now, self.address, request) {
                    Ok(transfer) => self.transfer = Some(transfer),
                    // It is the only exchange: its name is none of the dialect's.
                    Err(_) => self.fail(now, ErrorCode::NameRefused),
                }
            }
            (Command::Cancel, Some(transfer)) => {
                // Stale only if its end is on its way.
                let _ = endpoint.cancel(now, transfer);
            }
            (Command::Cancel, None) => {}
        }
    }

    fn event(&mut self, now: Instant, _endpoint: &mut Endpoint, event: Event) {
        match event {
            Event::Finished { result, stats, .. } => {
                let failure = match self.heard {
                    true => Failure::SessionLost,
                    false => Failure::NoAnswer,
                };
                let result = match result {
                    Err(Failure::Here(ErrorCode::Cancelled)) if self.given_up => Err(failure),
                    other => other,
                };
                self.end(now, (result, stats));
            }
            other => {
                self.heard |= matches!(other, Event::Accepted { .. });
                if matches!(other, Event::Accepted { .. } | Event::Progress { .. }) {
                    // It answers: the port is not closed.
                    self.closed_at = None;
                }
                (self.each)(other);
            }
        }
    }

    fn deadline(&self) -> Option<Instant> {
        match self.until {
            Some(until) => Some(until),
            None if self.given_up => None,
            None => self.closed_at.map(|at| at + DOUBT),
        }
    }

    fn timeout(&mut self, now: Instant, endpoint: &mut Endpoint) {
        if self.until.is_none()
            && let Some(transfer) = self.transfer
        {
            self.given_up = true;
            // Stale only if its end is on its way.
            let _ = endpoint.cancel(now, transfer);
        }
        if self.until.is_some_and(|until| until <= now) {
            self.until = Some(Instant::ZERO);
        }
    }

    fn refused(&mut self, now: Instant, _endpoint: &mut Endpoint, host: IpAddr) {
        if host == self.address.ip() && self.until.is_none() {
            self.closed_at.get_or_insert(now);
        }
    }

    fn is_over(&self) -> bool {
        self.until == Some(Instant::ZERO)
    }
}
