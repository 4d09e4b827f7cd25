//! `dhow cp SRC... DST`: `get` or `put`, whichever fits.

use std::ffi::OsString;

use crate::args::{Copying, Cp};
use crate::exit::Error;
use crate::remote::{Operand, Remote};
use crate::session::App;
use crate::{get, put};

/// Runs the command.
///
/// # Errors
/// A usage error; a server that cannot be used, when nothing could be copied.
pub(crate) fn run(app: &App, args: &Cp) -> Result<u8, Error> {
    copy(app, &args.operands, &args.copying)
}

fn copy(app: &App, operands: &[OsString], flags: &Copying) -> Result<u8, Error> {
    let Some((target, sources)) = operands.split_last() else {
        return Err(Error::usage("cp needs a source and a target"));
    };
    let parsed: Result<Vec<Operand>, Error> = sources
        .iter()
        .map(|source| Operand::parse(source))
        .collect();
    let remote = parsed?.into_iter().find_map(|source| match source {
        Operand::Remote(remote) => Some(remote),
        Operand::Local(_) => None,
    });
    match (remote, Operand::parse(target)?) {
        (Some(source), Operand::Remote(target)) => Err(two_servers(&source, &target)),
        (Some(_), Operand::Local(_)) => get::run(app, operands, flags),
        (None, Operand::Remote(_)) => put::run(app, operands, flags),
        (None, Operand::Local(_)) => Err(no_server()),
    }
}

/// Both sides are remote.
pub(crate) fn two_servers(source: &Remote, target: &Remote) -> Error {
    Error::usage(format!(
        "{source} and {target} are both remote: one side must be local"
    ))
    .hint("get to a local directory, then put from there")
}

/// Neither side is remote.
pub(crate) fn no_server() -> Error {
    Error::usage("neither side is remote")
        .hint("write host:path for a file of a server; files of this machine are cp's and rsync's business")
}
