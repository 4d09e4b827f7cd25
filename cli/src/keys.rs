//! Ed25519 keys in OpenSSH's formats: private and public key files, fingerprints, `authorized_keys`.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use ssh_key::private::{Ed25519Keypair, Ed25519PrivateKey, KeypairData};
use ssh_key::public::{Ed25519PublicKey, KeyData};
use ssh_key::{LineEnding, PrivateKey};
use transport_std::{Identity, PublicKey};
use zeroize::Zeroizing;

use crate::escape::{self, Escaped};
use crate::exit::{Error, Exit};
use crate::home;
use crate::strict::{self, Secrecy};
use crate::units::{parse_limit, parse_size};

/// A private key and what its file calls it.
#[derive(Debug)]
pub(crate) struct KeyPair {
    identity: Identity,
    comment: String,
}

impl KeyPair {
    /// A new key from the system's randomness.
    pub(crate) fn generate(comment: &str) -> Self {
        Self {
            identity: Identity::generate(),
            comment: comment.to_owned(),
        }
    }

    /// Reads an OpenSSH private key file.
    ///
    /// # Errors
    /// Missing, readable by others (L5), encrypted, or no Ed25519 key.
    pub(crate) fn load(path: &Path) -> Result<Self, Error> {
        let text = strict::read(path, Secrecy::Private)?;
        let shown = escape::path(path);
        let wrong = |what: &str| Error::new(Exit::Other, "key-file", format!("{shown} {what}"));
        let other = || {
            wrong("is not an OpenSSH Ed25519 private key")
                .hint("make one: dhow key gen FILE (or ssh-keygen -t ed25519)")
        };
        let key = PrivateKey::from_openssh(text.as_bytes()).map_err(|_| other())?;
        if key.is_encrypted() {
            return Err(
                wrong("is protected by a passphrase, which dhow cannot ask for yet")
                    .hint("name another key with -i, or make one for dhow: dhow key gen FILE"),
            );
        }
        match key.key_data() {
            KeypairData::Ed25519(pair) => {
                let identity = Identity::from_seed(pair.private.to_bytes());
                if identity.public_key().0 != pair.public.0 {
                    return Err(wrong("is damaged: its two halves do not belong together"));
                }
                let comment = key.comment().to_owned();
                Ok(Self { identity, comment })
            }
            _ => Err(other()),
        }
    }

    /// Reads the key at `path`, or makes one there; says whether it was made. Two processes at once end with the same key.
    ///
    /// # Errors
    /// As [`load`](Self::load) and [`save`](Self::save).
    pub(crate) fn load_or_make(path: &Path, comment: &str) -> Result<(Self, bool), Error> {
        match Self::load(path) {
            Err(error) if error.exit == Exit::NotFound => {}
            other => return other.map(|key| (key, false)),
        }
        home::make_parent(path)?;
        let key = Self::generate(comment);
        match key.save(path) {
            Ok(()) => Ok((key, true)),
            Err(error) if error.code == "exists" => Ok((Self::load(path)?, false)),
            Err(error) => Err(error),
        }
    }

    /// Writes the private key to `path` (0600) and the public key beside it (`.pub`). The private key appears whole or
    /// not at all.
    ///
    /// # Errors
    /// The file exists (`exists`), or what the system says.
    pub(crate) fn save(&self, path: &Path) -> Result<(), Error> {
        let failed =
            |error: &io::Error| Error::io(format!("writing {}", escape::path(path)), error);
        let text = self.to_openssh().map_err(|error| {
            Error::new(
                Exit::Other,
                "key-file",
                format!("the key cannot be encoded: {error}"),
            )
        })?;
        let parent = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        // The name of a temporary file is unpredictable, its mode 0600.
        let mut file = tempfile::Builder::new()
            .prefix(".dhow-key-")
            .tempfile_in(parent.unwrap_or(Path::new(".")))
            .map_err(|error| failed(&error))?;
        file.write_all(text.as_bytes())
            .map_err(|error| failed(&error))?;
        file.as_file().sync_all().map_err(|error| failed(&error))?;
        file.persist_noclobber(path)
            .map_err(|error| failed(&error.error))?;
        let public = public_path(path);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        options
            .open(&public)
            .and_then(|mut file| writeln!(file, "{}", self.public_line()))
            .map_err(|error| Error::io(format!("writing {}", escape::path(&public)), &error))
    }

    fn to_openssh(&self) -> ssh_key::Result<Zeroizing<String>> {
        let pair = Ed25519Keypair {
            public: Ed25519PublicKey(self.public().0),
            private: Ed25519PrivateKey::from_bytes(self.identity.seed()),
        };
        PrivateKey::new(KeypairData::Ed25519(pair), self.comment.as_str())?
            .to_openssh(LineEnding::LF)
    }

    /// What transports want.
    pub(crate) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The public half.
    pub(crate) fn public(&self) -> PublicKey {
        self.identity.public_key()
    }

    /// The comment in the file.
    pub(crate) fn comment(&self) -> &str {
        &self.comment
    }

    /// `ssh-ed25519 AAAA… comment`.
    pub(crate) fn public_line(&self) -> String {
        public_line(&self.public(), &self.comment)
    }
}

/// The `.pub` file beside a private key.
pub(crate) fn public_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".pub");
    PathBuf::from(name)
}

/// `ssh-ed25519 AAAA… comment`.
pub(crate) fn public_line(key: &PublicKey, comment: &str) -> String {
    let key = ssh_key::PublicKey::new(KeyData::Ed25519(Ed25519PublicKey(key.0)), comment);
    // Encoding a key of fixed size into memory does not fail.
    key.to_openssh().unwrap_or_default()
}

/// Reads `ssh-ed25519 AAAA… comment`.
pub(crate) fn parse_public(line: &str) -> Option<(PublicKey, String)> {
    let key = ssh_key::PublicKey::from_openssh(line.trim()).ok()?;
    match key.key_data() {
        KeyData::Ed25519(Ed25519PublicKey(bytes)) => {
            Some((PublicKey(*bytes), key.comment().to_owned()))
        }
        _ => None,
    }
}

/// Whether this is how a fingerprint is written: `SHA256:` and 43 characters of base64.
pub(crate) fn is_fingerprint(text: &str) -> bool {
    text.strip_prefix("SHA256:").is_some_and(|digest| {
        let is_base64 = |b: u8| b.is_ascii_alphanumeric() || b == b'+' || b == b'/';
        digest.len() == 43 && digest.bytes().all(is_base64)
    })
}

/// A user that a server lets in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct AuthorizedKey {
    /// The user's key.
    pub(crate) key: PublicKey,
    /// The comment of the line, by which logs name the user.
    pub(crate) name: String,
    /// The line has the option `read-only`.
    pub(crate) read_only: bool,
    /// `limit=RATE`: bytes a second in each direction.
    pub(crate) limit: Option<u64>,
    /// `quota=SIZE`: bytes that the user may have on the server.
    pub(crate) quota: Option<u64>,
    /// `files=N`: files and directories that the user may have there.
    pub(crate) files: Option<u64>,
}

/// Users that a server lets in.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct AuthorizedKeys {
    keys: Vec<AuthorizedKey>,
    /// What was skipped, for the server's log: an unknown option restricts a key in a way that dhow does not know, so
    /// that its line is left out.
    pub(crate) warnings: Vec<String>,
}

impl AuthorizedKeys {
    /// Reads the file.
    ///
    /// # Errors
    /// Missing, or writable by others (L5).
    pub(crate) fn load(path: &Path) -> Result<Self, Error> {
        let text = strict::read(path, Secrecy::Public)?;
        let mut keys = Self::parse(&text);
        for warning in &mut keys.warnings {
            *warning = format!("{}: {warning}", escape::path(path));
        }
        Ok(keys)
    }

    /// Reads the lines of a file: keys, options (`read-only`, `limit=20M`, `quota=10G`, `files=5000`, with commas between them)
    /// and a key, comments, empty lines.
    pub(crate) fn parse(text: &str) -> Self {
        let mut all = Self::default();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            match Self::parse_line(line) {
                Some(entry) => all.add(entry),
                None => all.warnings.push(format!(
                    "line {} is skipped: not an ssh-ed25519 key, or an option other than read-only, limit=RATE, quota=SIZE and files=N",
                    index + 1
                )),
            }
        }
        all
    }

    /// A key, or options and a key.
    fn parse_line(line: &str) -> Option<AuthorizedKey> {
        let entry = |(key, name)| AuthorizedKey {
            key,
            name,
            read_only: false,
            limit: None,
            quota: None,
            files: None,
        };
        if let Some(plain) = parse_public(line) {
            return Some(entry(plain));
        }
        let (options, rest) = line.split_once([' ', '\t'])?;
        let mut entry = entry(parse_public(rest.trim_start())?);
        for option in options.split(',') {
            match option.split_once('=') {
                Some(("limit", rate)) => entry.limit = Some(parse_limit(rate).ok()?),
                Some(("quota", size)) => entry.quota = Some(parse_size(size).ok()?),
                Some(("files", count)) => entry.files = Some(count.parse().ok()?),
                None if option == "read-only" => entry.read_only = true,
                _ => return None,
            }
        }
        Some(entry)
    }

    /// Of several lines for a key the first names it, and the strictest counts.
    fn add(&mut self, line: AuthorizedKey) {
        match self.keys.iter_mut().find(|entry| entry.key == line.key) {
            Some(entry) => {
                entry.read_only |= line.read_only;
                let least = |a: Option<u64>, b: Option<u64>| a.into_iter().chain(b).min();
                entry.limit = least(entry.limit, line.limit);
                entry.quota = least(entry.quota, line.quota);
                entry.files = least(entry.files, line.files);
            }
            None => self.keys.push(line),
        }
    }

    /// The line of a key.
    pub(crate) fn find(&self, key: &PublicKey) -> Option<&AuthorizedKey> {
        self.keys.iter().find(|entry| entry.key == *key)
    }

    /// All lines, one for each key.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &AuthorizedKey> {
        self.keys.iter()
    }

    /// Whether a line says what its user may have on the server.
    pub(crate) fn has_quotas(&self) -> bool {
        self.keys
            .iter()
            .any(|entry| entry.quota.is_some() || entry.files.is_some())
    }

    /// How many users there are.
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }
}

/// Reads the public key of a private or a public key file.
///
/// # Errors
/// As [`KeyPair::load`].
pub(crate) fn load_public(path: &Path) -> Result<(PublicKey, String), Error> {
    let text = fs::read(path).map_err(|error| Error::io(escape::path(path), &error))?;
    let text = Zeroizing::new(text);
    if let Some(found) = std::str::from_utf8(&text).ok().and_then(parse_public) {
        return Ok(found);
    }
    let pair = KeyPair::load(path)?;
    Ok((pair.public(), pair.comment().to_owned()))
}

/// `user@host`, the comment of new keys.
pub(crate) fn default_comment() -> String {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let user = variable("USER").or_else(|| variable("USERNAME"));
    let user = user.map_or_else(|| "dhow".to_owned(), |user| escape::os(&user));
    match host_name() {
        Some(host) => format!("{user}@{}", Escaped(host.as_bytes())),
        None => user,
    }
}

#[cfg(unix)]
pub(crate) fn host_name() -> Option<String> {
    let name = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned();
    (!name.is_empty()).then_some(name)
}

#[cfg(not(unix))]
pub(crate) fn host_name() -> Option<String> {
    std::env::var("COMPUTERNAME").ok()
}

#[cfg(test)]
mod tests;
