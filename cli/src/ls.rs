//! `dhow ls REMOTE` and `dhow stat REMOTE...`

use std::io::{self, Write};

use serde_json::json;
use transport_std::{
    ClassicClient, Client, ClientError, DirEntry, EntryKind, ErrorCode, Failure, FileInfo, FilePath,
};

use crate::args::{Ls, Stat};
use crate::connection::Connection;
use crate::escape::Escaped;
use crate::exit::{self, Error};
use crate::failure;
use crate::interrupt;
use crate::json;
use crate::remote::{Operand, Remote};
use crate::session::App;
use crate::units;

/// Runs `ls`.
///
/// # Errors
/// A usage error, a server that cannot be used, a path that cannot be listed.
pub(crate) fn list(app: &App, args: &Ls) -> Result<u8, Error> {
    let remote = read_remote(&args.remote, "ls")?;
    interrupt::end_at_signal(|| {})?;
    let client = match app.connect(&remote)? {
        Connection::Modern(client) => client,
        Connection::Classic(client) => return list_classic(app, &remote, &client),
    };
    app.log.line(&format!("asks: list {remote}"));
    if args.unsorted {
        return list_unsorted(app, args, &remote, &client);
    }
    let (directory, mut entries) = entries(&client, &remote.path)?;
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    app.log
        .line(&format!("done: list {remote}, {} entries", entries.len()));
    let written = print(&entries, &directory, app.global.json, args.names);
    app.end(&client);
    written.map(|()| 0)
}

/// The names that a classic server tells; it tells nothing else.
fn list_classic(app: &App, remote: &Remote, client: &ClassicClient) -> Result<u8, Error> {
    if !remote.path.is_root() {
        return Err(
            Error::usage("a classic server lists its one directory only")
                .hint("write classic://host:port/"),
        );
    }
    app.log.line(&format!("asks: list {remote}"));
    let mut names = client
        .list()
        .map_err(|error| failure::from_client(&error))?;
    names.sort();
    app.log
        .line(&format!("done: list {remote}, {} names", names.len()));
    let mut out = io::BufWriter::new(io::stdout().lock());
    let mut write = |name: &Vec<u8>| {
        if app.global.json {
            let mut fields = json!({});
            json::name(&mut fields, "path", name);
            out.write_all(json::line("entry", fields).as_bytes())
        } else {
            writeln!(out, "{}", Escaped(name))
        }
    };
    let written = names.iter().try_for_each(&mut write);
    Error::of_stdout(written.and_then(|()| out.flush())).map(|()| 0)
}

fn print(entries: &[DirEntry], directory: &FilePath, json: bool, names: bool) -> Result<(), Error> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    let mut each = entries.iter();
    let written = each.try_for_each(|entry| print_one(&mut out, entry, directory, json, names));
    Error::of_stdout(written.and_then(|()| out.flush()))
}

fn print_one(
    out: &mut impl Write,
    entry: &DirEntry,
    directory: &FilePath,
    json: bool,
    names: bool,
) -> io::Result<()> {
    if json {
        // A name that is no legal component is shown alone.
        let path = directory.join(&entry.name);
        let path = path
            .as_ref()
            .map_or(&entry.name[..], |path| path.as_bytes());
        out.write_all(json::line("entry", entry_json(path, &info_of(entry))).as_bytes())
    } else if names {
        writeln!(out, "{}", Escaped(&entry.name))
    } else {
        writeln!(out, "{}", row(entry))
    }
}

/// Each entry as it comes. A reader that has enough is no error.
fn list_unsorted(app: &App, args: &Ls, remote: &Remote, client: &Client) -> Result<u8, Error> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    let (mut written, mut count) = (Ok(()), 0_u64);
    let listed = client.list_each(remote.path.as_bytes(), |entry| {
        count += 1;
        if written.is_ok() {
            written = print_one(&mut out, &entry, &remote.path, app.global.json, args.names);
        }
    });
    listed.map_err(|error| failure::from_client(&error))?;
    app.log
        .line(&format!("done: list {remote}, {count} entries"));
    app.end(client);
    Error::of_stdout(written.and_then(|()| out.flush())).map(|()| 0)
}

/// A directory and its entries; for a file, that file alone in its directory, as `ls` does it.
fn entries(client: &Client, path: &FilePath) -> Result<(FilePath, Vec<DirEntry>), Error> {
    match client.list(path.as_bytes()) {
        Ok(entries) => Ok((path.clone(), entries)),
        Err(ClientError::Transfer {
            failure:
                Failure::Refused(ErrorCode::NotDirectory) | Failure::Peer(ErrorCode::NotDirectory),
            ..
        }) => {
            let info = client
                .stat(path.as_bytes())
                .map_err(|error| failure::from_client(&error))?;
            let entry = DirEntry {
                name: path.name().unwrap_or_default().to_vec(),
                kind: info.kind,
                size: info.size,
                mtime: info.mtime,
                mode: info.mode,
            };
            Ok((path.parent(), vec![entry]))
        }
        Err(error) => Err(failure::from_client(&error)),
    }
}

/// Runs `stat`.
///
/// # Errors
/// A usage error, or a server that cannot be used.
pub(crate) fn stat(app: &App, args: &Stat) -> Result<u8, Error> {
    let remotes: Result<Vec<Remote>, Error> = args
        .remotes
        .iter()
        .map(|operand| read_remote(operand, "stat"))
        .collect();
    let remotes = remotes?;
    interrupt::end_at_signal(|| {})?;
    let mut errors = Vec::new();
    let mut done = 0;
    for remote in remotes {
        match stat_one(app, &remote) {
            Ok(()) => done += 1,
            Err(error) => {
                app.report(&error, Some(remote.path.as_bytes()));
                errors.push(error);
            }
        }
    }
    Ok(exit::combined(done, exit::exits(&errors)))
}

fn stat_one(app: &App, remote: &Remote) -> Result<(), Error> {
    let client = match app.connect(remote)? {
        Connection::Modern(client) => client,
        Connection::Classic(_) => {
            return Err(Error::usage(
                "a classic server tells the names of its files, and no more",
            ));
        }
    };
    app.log.line(&format!("asks: look at {remote}"));
    let info = client
        .stat(remote.path.as_bytes())
        .map_err(|error| failure::from_client(&error))?;
    app.log.line(&format!("done: look at {remote}"));
    app.end(&client);
    if app.global.json {
        json::emit("entry", entry_json(remote.path.as_bytes(), &info));
        return Ok(());
    }
    let path = match remote.path.is_root() {
        true => &b"/"[..],
        false => remote.path.as_bytes(),
    };
    let text = format!(
        "path: {}\nkind: {}\nsize: {} ({})\ntime: {}\nmode: {:03o}\n",
        Escaped(path),
        kind_name(info.kind),
        info.size,
        units::size(info.size),
        units::time(info.mtime),
        info.mode,
    );
    let mut out = io::stdout().lock();
    Error::of_stdout(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}

/// The operand of a command that looks at servers.
///
/// # Errors
/// It is local, or no operand at all.
pub(crate) fn read_remote(operand: &std::ffi::OsStr, command: &str) -> Result<Remote, Error> {
    match Operand::parse(operand)? {
        Operand::Remote(remote) => Ok(remote),
        Operand::Local(path) => {
            let text = format!(
                "{command} looks at servers: {} is local",
                crate::escape::path(&path)
            );
            Err(Error::usage(text).hint("write host:path; 'host:' is all that the server shares"))
        }
    }
}

/// What an entry is, without its name.
pub(crate) fn info_of(entry: &DirEntry) -> FileInfo {
    FileInfo {
        kind: entry.kind,
        size: entry.size,
        mtime: entry.mtime,
        mode: entry.mode,
    }
}

/// The fields of an `entry` event.
pub(crate) fn entry_json(path: &[u8], info: &FileInfo) -> serde_json::Value {
    let mut fields = json!({});
    json::name(&mut fields, "path", path);
    let mut rest = json!({
        "kind": kind_name(info.kind), "size": info.size,
        "mtime": units::rfc3339(info.mtime), "mode": format!("{:04o}", info.mode),
    });
    if let (Some(fields), Some(rest)) = (fields.as_object_mut(), rest.as_object_mut()) {
        fields.append(rest);
    }
    fields
}

/// One line of a listing: permissions, size, time, name.
fn row(entry: &DirEntry) -> String {
    let is_directory = entry.kind == EntryKind::Directory;
    let size = if entry.kind == EntryKind::File {
        units::size(entry.size)
    } else {
        "-".to_owned()
    };
    let time = units::time(entry.mtime);
    let minutes = time.get(..16).unwrap_or(&time);
    let slash = if is_directory { "/" } else { "" };
    format!(
        "{}  {size:>10}  {minutes}  {}{slash}",
        permissions(entry.kind, entry.mode),
        Escaped(&entry.name)
    )
}

/// `-rw-r--r--`
fn permissions(kind: EntryKind, mode: u16) -> String {
    let letter = match kind {
        EntryKind::File => '-',
        EntryKind::Directory => 'd',
        EntryKind::Symlink => 'l',
        EntryKind::Other => '?',
    };
    let bits = (0..9).map(|bit| {
        let is_set = mode & (0o400 >> bit) != 0;
        if is_set {
            ['r', 'w', 'x'][bit % 3]
        } else {
            '-'
        }
    });
    std::iter::once(letter).chain(bits).collect()
}

/// As JSON names it.
pub(crate) fn kind_name(kind: EntryKind) -> &'static str {
    match kind {
        EntryKind::File => "file",
        EntryKind::Directory => "directory",
        EntryKind::Symlink => "symlink",
        EntryKind::Other => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &[u8], kind: EntryKind) -> DirEntry {
        DirEntry {
            name: name.to_vec(),
            kind,
            size: 1536,
            mtime: 951_782_400_000_000_000,
            mode: 0o754,
        }
    }

    #[test]
    fn rows() {
        assert_eq!(
            row(&entry(b"a\nb", EntryKind::File)),
            "-rwxr-xr--    1.50 KiB  2000-02-29 00:00  a\\x0ab"
        );
        assert_eq!(
            row(&entry(b"d", EntryKind::Directory)),
            "drwxr-xr--           -  2000-02-29 00:00  d/"
        );
    }

    #[test]
    fn entries_as_json() {
        let info = info_of(&entry(b"x", EntryKind::File));
        assert_eq!(
            json::line("entry", entry_json(b"d/\xff", &info)),
            "{\"v\":1,\"event\":\"entry\",\"path\":\"d/\u{fffd}\",\"path_hex\":\"642fff\",\"kind\":\"file\",\
             \"size\":1536,\"mtime\":\"2000-02-29T00:00:00.000000000Z\",\"mode\":\"0754\"}\n"
        );
    }

    #[test]
    fn local_operands_are_usage_errors() {
        let error = read_remote(std::ffi::OsStr::new("./x"), "ls").unwrap_err();
        assert_eq!(error.exit, exit::Exit::Usage);
    }
}
