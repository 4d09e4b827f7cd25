//! The servers that a command's operands name, each with one session.

use crate::exit::Error;
use crate::known_hosts::host_name;
use crate::link::Link;
use crate::remote::Remote;
use crate::session::App;

/// What tells servers apart: the dialect, and the name with its port.
pub(crate) type ServerName = (bool, String);

/// The server of an operand.
pub(crate) fn server_name(app: &App, remote: &Remote) -> ServerName {
    let name = host_name(&remote.host, remote.port_or(app.global.port));
    (remote.classic, name)
}

/// Servers of a command.
#[derive(Default)]
pub(crate) struct Servers<'a> {
    /// One a server.
    pub(crate) links: Vec<Link<'a>>,
    known: Vec<(ServerName, Result<usize, Error>)>,
}

impl<'a> Servers<'a> {
    /// Which of the links leads to an operand's server; it is connected to unless that was tried already.
    ///
    /// # Errors
    /// Those of connecting, each time.
    pub(crate) fn of(&mut self, app: &'a App, remote: &Remote) -> Result<usize, Error> {
        let server = server_name(app, remote);
        if let Some((_, session)) = self.known.iter().find(|(name, _)| *name == server) {
            return session.clone();
        }
        let session = Link::open(app, remote).map(|link| {
            self.links.push(link);
            self.links.len() - 1
        });
        self.known.push((server, session.clone()));
        session
    }
}
