//! The keys of servers that the user trusts.
//!
//! One line a server: `host:port ssh-ed25519 AAAA…`. Lines that begin with `#` are comments and stay. The file is
//! locked while it is changed and replaced as a whole, so that readers see it whole.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::net::Ipv6Addr;
use std::path::{Path, PathBuf};

use transport_std::{PublicKey, fingerprint};

use crate::escape::{self, Escaped};
use crate::exit::{Error, Exit};
use crate::home;
use crate::keys;
use crate::remote::Bracketed;
use crate::strict::{self, Secrecy};

/// The file.
#[derive(Clone, Debug)]
pub(crate) struct KnownHosts {
    path: PathBuf,
}

/// What the file says of a server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Known {
    /// Nothing.
    Unknown,
    /// It has this key.
    Same,
    /// It has another key.
    Changed(PublicKey),
}

/// A server in the file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Host {
    /// `host:port`.
    pub(crate) name: String,
    /// Its key.
    pub(crate) key: PublicKey,
}

/// How a server is named in the file. Names of hosts know no case, and IPv6 addresses have one spelling of many.
pub(crate) fn host_name(host: &str, port: u16) -> String {
    let (address, zone) = host.split_at(host.find('%').unwrap_or(host.len()));
    let host = match address.parse::<Ipv6Addr>() {
        Ok(address) => format!("{address}{zone}"),
        Err(_) => host.to_ascii_lowercase(),
    };
    format!("{}:{port}", Bracketed(&host))
}

/// `host:port` as [`host_name`] writes it, however it is spelled; a line that matched in one spelling only would let a
/// changed key pass for a new one.
pub(crate) fn canonical(name: &str) -> Option<String> {
    let (host, port) = name.rsplit_once(':')?;
    let inner = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    Some(host_name(inner.unwrap_or(host), port.parse().ok()?))
}

impl KnownHosts {
    /// The file at `path`, which need not exist.
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Where the file is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What the file says of `name`'s `key`. Of several lines for a name the first counts.
    ///
    /// # Errors
    /// The file cannot be read, is writable by others (L5), or is damaged.
    pub(crate) fn check(&self, name: &str, key: &PublicKey) -> Result<Known, Error> {
        let hosts = self.list()?;
        Ok(match hosts.iter().find(|host| host.name == name) {
            None => Known::Unknown,
            Some(host) if host.key == *key => Known::Same,
            Some(host) => Known::Changed(host.key),
        })
    }

    /// All servers in the file.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub(crate) fn list(&self) -> Result<Vec<Host>, Error> {
        let text = self.read()?;
        let entries = text.lines().enumerate();
        entries
            .filter(|(_, line)| is_entry(line))
            .map(|(index, line)| {
                // A damaged line might be the one that says "changed": better no connection than a wrong one.
                parse_line(line).ok_or_else(|| {
                    let place = format!("{}, line {}", escape::path(&self.path), index + 1);
                    Error::new(
                        Exit::Untrusted,
                        "known-hosts",
                        format!("{place}: not host:port and a key"),
                    )
                    .hint("correct or delete this line")
                })
            })
            .collect()
    }

    /// Adds a server that is not in the file. Another process may have added it meanwhile: then its key must be the same.
    ///
    /// # Errors
    /// As [`check`](Self::check); `host-key-changed`.
    pub(crate) fn add(&self, name: &str, key: &PublicKey) -> Result<(), Error> {
        let _lock = self.lock()?;
        match self.check(name, key)? {
            Known::Same => Ok(()),
            Known::Changed(known) => Err(changed(name, &known, key, &self.path)),
            Known::Unknown => {
                let mut text = self.read()?;
                if !text.is_empty() && !text.ends_with('\n') {
                    text.push('\n');
                }
                text.push_str(&format!(
                    "{name} {}\n",
                    keys::public_line(key, "").trim_end()
                ));
                self.replace(&text)
            }
        }
    }

    /// Removes all lines of a server; says how many there were.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub(crate) fn remove(&self, name: &str) -> Result<usize, Error> {
        let _lock = self.lock()?;
        let text = self.read()?;
        let is_this = |line: &str| {
            let first = line.split_whitespace().next().unwrap_or_default();
            is_entry(line) && canonical(first).as_deref().unwrap_or(first) == name
        };
        let is_other = |line: &&str| !is_this(line);
        let kept: Vec<&str> = text.lines().filter(is_other).collect();
        let removed = text.lines().count() - kept.len();
        if removed > 0 {
            let text: String = kept.iter().flat_map(|line| [line, "\n"]).collect();
            self.replace(&text)?;
        }
        Ok(removed)
    }

    fn read(&self) -> Result<String, Error> {
        match strict::read(&self.path, Secrecy::Public) {
            Ok(text) => Ok((*text).clone()),
            Err(error) if error.exit == Exit::NotFound => Ok(String::new()),
            Err(error) => Err(error),
        }
    }

    /// Waits for the lock, a file of its own: the list itself is replaced while it is held.
    fn lock(&self) -> Result<File, Error> {
        home::make_parent(&self.path)?;
        let mut name = self.path.as_os_str().to_owned();
        name.push(".lock");
        let path = PathBuf::from(name);
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path);
        file.and_then(|file| file.lock().map(|()| file))
            .map_err(|error| Error::io(format!("locking {}", escape::path(&path)), &error))
    }

    fn replace(&self, text: &str) -> Result<(), Error> {
        let parent = self
            .path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        let write = || {
            let mut file = tempfile::Builder::new()
                .prefix(".dhow-hosts-")
                .tempfile_in(parent.unwrap_or(Path::new(".")))?;
            file.write_all(text.as_bytes())?;
            file.as_file().sync_all()?;
            // A link in the place of the file shall stay one.
            let target = fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone());
            file.persist(target).map(drop).map_err(|error| error.error)
        };
        write().map_err(|error: std::io::Error| {
            Error::io(format!("writing {}", escape::path(&self.path)), &error)
        })
    }
}

/// A server shows another key than the one that is known (H15): never a question, always the end.
pub(crate) fn changed(name: &str, known: &PublicKey, shown: &PublicKey, path: &Path) -> Error {
    let name = Escaped(name.as_bytes());
    Error::new(
        Exit::Untrusted,
        "host-key-changed",
        format!(
            "the key of {name} has changed: it was {}, it is {} now. Someone may be listening in, or the server was set up anew",
            fingerprint(known),
            fingerprint(shown),
        ),
    )
    .hint(format!(
        "ask the server's owner for its fingerprint; if the new one is right: dhow hosts remove {name} (the old one is in {})",
        escape::path(path)
    ))
}

fn is_entry(line: &str) -> bool {
    let line = line.trim();
    !line.is_empty() && !line.starts_with('#')
}

fn parse_line(line: &str) -> Option<Host> {
    let (name, key) = line.trim().split_once([' ', '\t'])?;
    let name = canonical(name)?;
    let (key, _) = keys::parse_public(key)?;
    Some(Host { name, key })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::KeyPair;

    fn key() -> PublicKey {
        KeyPair::generate("x").public()
    }

    fn empty() -> (tempfile::TempDir, KnownHosts) {
        let directory = tempfile::tempdir().unwrap();
        let hosts = KnownHosts::new(directory.path().join("d/known_hosts"));
        (directory, hosts)
    }

    #[test]
    fn names() {
        assert_eq!(host_name("Example.ORG", 4917), "example.org:4917");
        assert_eq!(host_name("2001:DB8::1", 1), "[2001:db8::1]:1");
        assert_eq!(host_name("2001:db8:0:0::1", 1), "[2001:db8::1]:1");
        assert_eq!(host_name("FE80::0:1%Eth0", 1), "[fe80::1%Eth0]:1");
    }

    #[test]
    fn h15_a_changed_key_is_found_however_the_file_spells_the_host() {
        let (_directory, hosts) = empty();
        home::make_parent(hosts.path()).unwrap();
        let (first, second) = (key(), key());
        for (spelled, name) in [
            ("Host.Example:4917", host_name("host.example", 4917)),
            ("[2001:DB8:0::1]:1", host_name("2001:db8::1", 1)),
            ("2001:db8::1:1", host_name("2001:db8:0::1", 1)),
        ] {
            let line = format!("{spelled} {}\n", keys::public_line(&first, ""));
            fs::write(hosts.path(), line).unwrap();
            assert_eq!(hosts.check(&name, &second), Ok(Known::Changed(first)));
            assert_eq!(
                hosts.add(&name, &second).unwrap_err().code,
                "host-key-changed"
            );
            assert_eq!(hosts.remove(&name), Ok(1), "{spelled}");
        }
    }

    #[test]
    fn first_use_then_same_then_changed() {
        let (_directory, hosts) = empty();
        let (first, second) = (key(), key());
        assert_eq!(hosts.check("h:1", &first), Ok(Known::Unknown));
        hosts.add("h:1", &first).unwrap();
        hosts.add("h:1", &first).unwrap();
        assert_eq!(hosts.list().unwrap().len(), 1);
        assert_eq!(hosts.check("h:1", &first), Ok(Known::Same));
        assert_eq!(hosts.check("h:2", &first), Ok(Known::Unknown));
        assert_eq!(hosts.check("h:1", &second), Ok(Known::Changed(first)));
        let error = hosts.add("h:1", &second).unwrap_err();
        assert_eq!(
            (error.exit, error.code),
            (Exit::Untrusted, "host-key-changed")
        );
        assert!(error.text.contains(&fingerprint(&first)));
        assert!(error.hint.unwrap().contains("dhow hosts remove h:1"));
    }

    #[test]
    fn removing_keeps_the_rest() {
        let (_directory, hosts) = empty();
        home::make_parent(hosts.path()).unwrap();
        let key = key();
        let line = keys::public_line(&key, "");
        fs::write(
            hosts.path(),
            format!("# mine\na:1 {line}\nb:1 {line}\na:1 {line}"),
        )
        .unwrap();
        assert_eq!(hosts.remove("c:1"), Ok(0));
        assert_eq!(hosts.remove("a:1"), Ok(2));
        assert_eq!(hosts.check("b:1", &key), Ok(Known::Same));
        assert!(
            fs::read_to_string(hosts.path())
                .unwrap()
                .starts_with("# mine\nb:1 ssh-ed25519 AAAA")
        );
    }

    #[test]
    fn damaged_lines_stop() {
        let (_directory, hosts) = empty();
        home::make_parent(hosts.path()).unwrap();
        for line in ["h:1", "h ssh-ed25519 AAAA", "h:x", "h:1 nonsense"] {
            fs::write(hosts.path(), line).unwrap();
            assert_eq!(hosts.list().unwrap_err().code, "known-hosts", "{line}");
        }
    }

    #[test]
    fn many_at_once_lose_nothing() {
        let (_directory, hosts) = empty();
        std::thread::scope(|scope| {
            for port in 1..=16 {
                let hosts = &hosts;
                scope.spawn(move || hosts.add(&host_name("h", port), &key()).unwrap());
            }
        });
        assert_eq!(hosts.list().unwrap().len(), 16);
    }

    #[cfg(unix)]
    #[test]
    fn l5_writable_by_others() {
        use std::os::unix::fs::PermissionsExt;
        let (_directory, hosts) = empty();
        hosts.add("h:1", &key()).unwrap();
        fs::set_permissions(hosts.path(), fs::Permissions::from_mode(0o666)).unwrap();
        assert_eq!(hosts.check("h:1", &key()).unwrap_err().code, "permissions");
    }
}
