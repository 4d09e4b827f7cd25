//! Sessions of the commands that talk to a server.

use std::io::{self, Write};
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use transport_std::{
    ClassicClient, Client, ClientError, ClientOptions, PeerStats, RateLimits, Trust, Tuning,
    fingerprint,
};

use crate::args::Global;
use crate::connection::Connection;
use crate::escape;
use crate::exit::{Error, Exit};
use crate::failure;
use crate::home::Home;
use crate::json;
use crate::keys::{self, KeyPair};
use crate::known_hosts::{self, KnownHosts};
use crate::log::Log;
use crate::remote::Remote;
use crate::trust::{self, FirstUse};
use crate::units;

/// How long a server may take to answer at all.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// What a command has at hand.
#[derive(Debug)]
pub(crate) struct App {
    /// The flags of every command.
    pub(crate) global: Global,
    /// Where files are.
    pub(crate) home: Home,
    /// The log.
    pub(crate) log: Log,
}

impl App {
    /// The user's key, made at first use.
    ///
    /// # Errors
    /// It cannot be read or made.
    pub(crate) fn identity(&self) -> Result<KeyPair, Error> {
        if let Some(path) = &self.global.identity {
            return KeyPair::load(path).map_err(|error| match error.exit {
                Exit::NotFound => {
                    error.hint(format!("make it: dhow key gen {}", escape::path(path)))
                }
                _ => error,
            });
        }
        let path = self.home.identity();
        let (key, is_new) = KeyPair::load_or_make(&path, &keys::default_comment())?;
        if is_new {
            let fingerprint = fingerprint(&key.public());
            self.note(&format!(
                "made your key {fingerprint} in {}",
                escape::path(&path)
            ));
        }
        Ok(key)
    }

    /// Says something on stderr that is neither log nor error.
    pub(crate) fn note(&self, text: &str) {
        if !self.global.quiet {
            say(&format!("dhow: {text}"));
        }
    }

    /// As [`report`].
    pub(crate) fn report(&self, error: &Error, path: Option<&[u8]>) {
        report(self.global.json, error, path);
    }

    fn first_use(&self) -> Result<FirstUse, Error> {
        match self.global.host_key.as_ref().map(|key| key.to_str()) {
            Some(Some(key)) if keys::is_fingerprint(key) => Ok(FirstUse::Given(key.to_owned())),
            Some(_) => Err(Error::usage("--host-key needs the fingerprint of the server's key")
                .hint("'dhow serve' prints it, and 'dhow key fingerprint FILE': SHA256: and 43 characters")),
            None if self.global.accept_new => Ok(FirstUse::Accept),
            None => Ok(FirstUse::Ask),
        }
    }

    fn addresses(&self, remote: &Remote, port: u16) -> Result<Vec<SocketAddr>, Error> {
        let found = (remote.host.as_str(), port)
            .to_socket_addrs()
            .map_err(ClientError::Resolve);
        let all: Vec<SocketAddr> = found
            .map_err(|error| failure::from_client(&error))?
            .collect();
        let is_wanted = |address: &SocketAddr| {
            (!self.global.ipv4 || address.is_ipv4()) && (!self.global.ipv6 || address.is_ipv6())
        };
        let wanted: Vec<SocketAddr> = all.into_iter().filter(is_wanted).collect();
        if wanted.is_empty() {
            let text = format!(
                "{} has no address of the kind that -4 or -6 asks for",
                remote.host
            );
            return Err(Error::new(Exit::Unreachable, "resolve", text));
        }
        Ok(wanted)
    }

    /// The server of `remote`, in the dialect that the operand names.
    ///
    /// # Errors
    /// Not reached, not trusted, not let in. A classic server is not spoken to yet.
    pub(crate) fn connect(&self, remote: &Remote) -> Result<Connection, Error> {
        if remote.classic {
            return self.classic(remote).map(Connection::Classic);
        }
        self.open(remote).map(Connection::Modern)
    }

    fn classic(&self, remote: &Remote) -> Result<ClassicClient, Error> {
        let port = remote.port_or(self.global.port);
        let name = known_hosts::host_name(&remote.host, port);
        let addresses = self.addresses(remote, port)?;
        let client = ClassicClient::new(&addresses[..], Tuning::default())
            .map_err(|error| failure::from_client(&error))?;
        let list: Vec<String> = client.addresses().iter().map(ToString::to_string).collect();
        self.log.line(&format!(
            "classic server {name} ({}): no encryption, no identity",
            list.join(", ")
        ));
        Ok(client)
    }

    /// Opens a session with the server of `remote`, once its key is trusted.
    ///
    /// # Errors
    /// Not reached, not trusted, not let in.
    pub(crate) fn open(&self, remote: &Remote) -> Result<Client, Error> {
        let port = remote.port_or(self.global.port);
        let name = known_hosts::host_name(&remote.host, port);
        let first_use = self.first_use()?;
        let identity = self.identity()?;
        let addresses = self.addresses(remote, port)?;
        let list: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        self.log.line(&format!(
            "connecting to {name} ({}) as {}",
            list.join(", "),
            fingerprint(&identity.public())
        ));
        // The decision is made on the connecting thread; why it was "no" comes back this way.
        let reason = Arc::new(Mutex::new(None));
        let trust = {
            let (reason, name) = (Arc::clone(&reason), name.clone());
            let hosts = KnownHosts::new(self.home.known_hosts());
            Trust::Ask(Box::new(move |key| {
                let decided = trust::decide(&hosts, &name, key, &first_use, trust::ask_on_terminal);
                let trusted = decided.is_ok();
                if let (Err(error), Ok(mut reason)) = (decided, reason.lock()) {
                    *reason = Some(error);
                }
                trusted
            }))
        };
        let mut options = ClientOptions::new(trust);
        options.connect_timeout = CONNECT_TIMEOUT.min(self.global.timeout);
        options.tuning = Tuning {
            idle_timeout: self.global.timeout,
            datagram_max: self.global.max_datagram,
            congestion: self.global.cc,
            rate_limits: RateLimits {
                send: self.global.limit,
                receive: self.global.limit,
            },
            ..Tuning::default()
        };
        let client =
            Client::connect(&addresses[..], identity.identity(), options).map_err(|error| {
                let reason = reason.lock().ok().and_then(|mut reason| reason.take());
                reason.unwrap_or_else(|| failure::from_client(&error))
            })?;
        let (address, key) = (client.server_addr(), fingerprint(&client.server_key()));
        self.log
            .line(&format!("connected to {address}, whose key is {key}"));
        if self.global.json {
            json::emit(
                "connected",
                json!({ "addr": address.to_string(), "host_key": key }),
            );
        }
        Ok(client)
    }

    /// Ends a session, and logs what it was like. A classic server has none.
    pub(crate) fn close(&self, connection: &Connection) {
        if let Connection::Modern(client) = connection {
            self.end(client);
        }
    }

    /// Ends a session, and logs what it was like.
    pub(crate) fn end(&self, client: &Client) {
        let stats = client.stats();
        client.close();
        let figures = stats
            .map(|stats| format!(": {}", figures(&stats)))
            .unwrap_or_default();
        self.log.line(&format!(
            "disconnected from {}{figures}",
            client.server_addr()
        ));
    }
}

/// Reports an error: on stderr, and as JSON if asked for. `path` is the server's path that it is about, if known.
pub(crate) fn report(json: bool, error: &Error, path: Option<&[u8]>) {
    if json {
        json::error(error, path);
    }
    say(&format!("dhow: {error}"));
    if let Some(hint) = &error.hint {
        say(&format!("      {hint}"));
    }
}

/// A line on stderr. A reader that is gone changes neither what is done nor the exit code (`eprintln!` would panic).
fn say(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Share of sent packets that were lost, 0 to 1.
pub(crate) fn loss(stats: &PeerStats) -> f64 {
    if stats.packets_sent == 0 {
        return 0.0;
    }
    stats.loss() as f64 / stats.packets_sent as f64
}

/// What a session was like, in words.
pub(crate) fn figures(stats: &PeerStats) -> String {
    format!(
        "round trip {}, sent {} in {} packets ({:.1} % lost), received {}",
        units::duration(stats.rtt),
        units::size(stats.bytes_sent),
        stats.packets_sent,
        loss(stats) * 100.0,
        units::size(stats.bytes_received),
    )
}
