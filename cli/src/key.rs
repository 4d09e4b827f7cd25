//! `dhow key gen|show|fingerprint` and `dhow hosts list|remove`

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde_json::json;
use transport_std::fingerprint;

use crate::args::{Hosts, Key};
use crate::escape::{self, Escaped};
use crate::exit::{Error, Exit};
use crate::home;
use crate::json;
use crate::keys::{self, KeyPair};
use crate::known_hosts::{self, KnownHosts};
use crate::remote::DEFAULT_PORT;
use crate::session::App;

/// Runs `dhow key`.
///
/// # Errors
/// A key that exists, is missing or cannot be read.
pub(crate) fn run(app: &App, command: &Key) -> Result<u8, Error> {
    match command {
        Key::Gen { file, comment } => generate(app, file.as_ref(), comment.as_deref())?,
        Key::Show { file } => {
            let (key, comment) = load(app, file.as_ref())?;
            let line = keys::public_line(&key, &comment);
            print(
                app,
                &line,
                "key",
                json!({ "public_key": line, "fingerprint": fingerprint(&key) }),
            )?;
        }
        Key::Fingerprint { file } => {
            let (key, comment) = load(app, file.as_ref())?;
            let shown = fingerprint(&key);
            let line = format!("{shown} {} (ED25519)", Escaped(comment.as_bytes()));
            print(
                app,
                &line,
                "key",
                json!({ "fingerprint": shown, "comment": comment }),
            )?;
        }
    }
    Ok(0)
}

fn generate(app: &App, file: Option<&PathBuf>, comment: Option<&str>) -> Result<(), Error> {
    let path = place(app, file);
    let comment = comment.map_or_else(keys::default_comment, ToOwned::to_owned);
    if comment.chars().any(char::is_control) {
        return Err(Error::usage("a comment is one line of text"));
    }
    let exists = |path: &Path| {
        let text = format!("{} exists already and is not replaced", escape::path(path));
        Error::new(Exit::Refused, "exists", text)
            .hint("name another file, or move the old key away")
    };
    // The private half may be elsewhere, and this file all that is known of it here.
    let public = keys::public_path(&path);
    if let Some(found) = [&path, &public]
        .into_iter()
        .find(|file| file.symlink_metadata().is_ok())
    {
        return Err(exists(found));
    }
    home::make_parent(&path)?;
    let key = KeyPair::generate(&comment);
    key.save(&path).map_err(|error| match error.code {
        "exists" => exists(&path),
        _ => error,
    })?;
    let shown = fingerprint(&key.public());
    app.note(&format!(
        "{} and {}",
        escape::path(&path),
        escape::path(&public)
    ));
    let line = format!("{shown} {} (ED25519)", Escaped(comment.as_bytes()));
    print(
        app,
        &line,
        "key",
        json!({ "fingerprint": shown, "comment": comment, "public_key": key.public_line() }),
    )?;
    Ok(())
}

/// The file that a key command is about.
fn place(app: &App, file: Option<&PathBuf>) -> PathBuf {
    file.or(app.global.identity.as_ref())
        .cloned()
        .unwrap_or_else(|| app.home.identity())
}

/// The public key of the file; without one, the user's, which is made at first use.
fn load(app: &App, file: Option<&PathBuf>) -> Result<(transport_std::PublicKey, String), Error> {
    if file.is_none() && app.global.identity.is_none() {
        let key = app.identity()?;
        return Ok((key.public(), key.comment().to_owned()));
    }
    keys::load_public(&place(app, file))
}

/// Runs `dhow hosts`.
///
/// # Errors
/// A file that cannot be used; a server that is not in it.
pub(crate) fn hosts(app: &App, command: &Hosts) -> Result<u8, Error> {
    let hosts = KnownHosts::new(app.home.known_hosts());
    match command {
        Hosts::List => {
            for host in hosts.list()? {
                let shown = fingerprint(&host.key);
                let name = Escaped(host.name.as_bytes());
                print(
                    app,
                    &format!("{name}  {shown}"),
                    "host",
                    json!({ "host": host.name, "host_key": shown }),
                )?;
            }
        }
        Hosts::Remove { host } => {
            let name = full_name(host, app.global.port);
            if hosts.remove(&name)? == 0 {
                let text = format!(
                    "{} is not among the known servers",
                    Escaped(name.as_bytes())
                );
                return Err(Error::new(Exit::NotFound, "not-found", text)
                    .hint("'dhow hosts list' shows them"));
            }
            app.note(&format!("forgot the key of {}", Escaped(name.as_bytes())));
        }
    }
    Ok(0)
}

/// `host:port` for `host`, `host:port`, an IPv6 address with or without brackets.
fn full_name(host: &str, port: Option<u16>) -> String {
    let port = port.unwrap_or(DEFAULT_PORT);
    if let Ok(address) = host.parse::<std::net::Ipv6Addr>() {
        return known_hosts::host_name(&address.to_string(), port);
    }
    if let Some(inner) = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
    {
        return known_hosts::host_name(inner, port);
    }
    known_hosts::canonical(host).unwrap_or_else(|| known_hosts::host_name(host, port))
}

fn print(app: &App, line: &str, event: &str, fields: serde_json::Value) -> Result<(), Error> {
    if app.global.json {
        json::emit(event, fields);
        return Ok(());
    }
    Error::of_stdout(writeln!(io::stdout().lock(), "{line}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_servers() {
        let cases = [
            ("Host", None, "host:4917"),
            ("host", Some(5), "host:5"),
            ("host:7", None, "host:7"),
            ("::1", None, "[::1]:4917"),
            ("[::1]", Some(5), "[::1]:5"),
            ("[::1]:7", None, "[::1]:7"),
            ("[0:0::1]:7", None, "[::1]:7"),
            ("[0:0::1]", None, "[::1]:4917"),
        ];
        for (text, port, name) in cases {
            assert_eq!(full_name(text, port), name);
        }
    }
}
