//! Ed25519 keys in OpenSSH's formats: private and public key files, fingerprints, `authorized_keys`.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use proto_core::crypto::PublicKey;
use ssh_key::private::{Ed25519Keypair, KeypairData};
use ssh_key::public::{Ed25519PublicKey, KeyData};
use ssh_key::{HashAlg, LineEnding, PrivateKey};
use zeroize::Zeroizing;

use crate::escape::{self, Escaped};
use crate::exit::{Error, Exit};
use crate::home;
use crate::strict::{self, Secrecy};

/// A private key.
pub(crate) struct KeyPair {
    seed: Zeroizing<[u8; 32]>,
    public: PublicKey,
    comment: String,
}

/// Without the secret.
impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyPair")
            .field("public", &self.public)
            .finish_non_exhaustive()
    }
}

impl KeyPair {
    /// A new key from the system's randomness.
    ///
    /// # Errors
    /// The system has none.
    pub(crate) fn generate(comment: &str) -> Result<Self, Error> {
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *seed).map_err(|error| {
            Error::new(Exit::Other, "randomness", format!("the system gives no random bytes: {error}"))
        })?;
        Ok(Self::from_pair(&Ed25519Keypair::from_seed(&seed), comment))
    }

    fn from_pair(pair: &Ed25519Keypair, comment: &str) -> Self {
        Self {
            seed: Zeroizing::new(pair.private.to_bytes()),
            public: PublicKey(pair.public.0),
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
        let key = PrivateKey::from_openssh(text.as_bytes())
            .map_err(|_| wrong("is not an OpenSSH private key"))?;
        if key.is_encrypted() {
            return Err(wrong("is protected by a passphrase, which dhow cannot ask for yet")
                .hint("name another key with -i, or make one for dhow: dhow key gen FILE"));
        }
        match key.key_data() {
            KeypairData::Ed25519(pair) => Ok(Self::from_pair(pair, key.comment())),
            _ => Err(wrong("is not an Ed25519 key")
                .hint("make one: dhow key gen FILE (or ssh-keygen -t ed25519)")),
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
        let key = Self::generate(comment)?;
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
        let failed = |error: &io::Error| Error::io(format!("writing {}", escape::path(path)), error);
        let text = self.to_openssh().map_err(|error| {
            Error::new(Exit::Other, "key-file", format!("the key cannot be encoded: {error}"))
        })?;
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        // The name of a temporary file is unpredictable, its mode 0600.
        let mut file = tempfile::Builder::new()
            .prefix(".dhow-key-")
            .tempfile_in(parent.unwrap_or(Path::new(".")))
            .map_err(|error| failed(&error))?;
        file.write_all(text.as_bytes()).map_err(|error| failed(&error))?;
        file.as_file().sync_all().map_err(|error| failed(&error))?;
        file.persist_noclobber(path).map_err(|error| failed(&error.error))?;
        let public = public_path(path);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        options
            .open(&public)
            .and_then(|mut file| writeln!(file, "{}", self.public_line()))
            .map_err(|error| Error::io(format!("writing {}", escape::path(&public)), &error))
    }

    fn to_openssh(&self) -> ssh_key::Result<Zeroizing<String>> {
        let pair = Ed25519Keypair::from_seed(&self.seed);
        PrivateKey::new(KeypairData::Ed25519(pair), self.comment.as_str())?
            .to_openssh(LineEnding::LF)
    }

    /// The 32 secret bytes (RFC 8032's seed).
    pub(crate) fn seed(&self) -> &[u8; 32] {
        &self.seed
    }

    /// The public half.
    pub(crate) fn public(&self) -> PublicKey {
        self.public
    }

    /// The comment in the file.
    pub(crate) fn comment(&self) -> &str {
        &self.comment
    }

    /// `ssh-ed25519 AAAA… comment`.
    pub(crate) fn public_line(&self) -> String {
        public_line(&self.public, &self.comment)
    }
}

/// The `.pub` file beside a private key.
pub(crate) fn public_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".pub");
    PathBuf::from(name)
}

fn to_ssh(key: &PublicKey, comment: &str) -> ssh_key::PublicKey {
    ssh_key::PublicKey::new(KeyData::Ed25519(Ed25519PublicKey(key.0)), comment)
}

/// `SHA256:…`, as `ssh-keygen -l` shows it.
pub(crate) fn fingerprint(key: &PublicKey) -> String {
    to_ssh(key, "").fingerprint(HashAlg::Sha256).to_string()
}

/// `ssh-ed25519 AAAA… comment`.
pub(crate) fn public_line(key: &PublicKey, comment: &str) -> String {
    // Encoding a key of fixed size into memory does not fail.
    to_ssh(key, comment).to_openssh().unwrap_or_default()
}

/// Reads `ssh-ed25519 AAAA… comment`.
pub(crate) fn parse_public(line: &str) -> Option<(PublicKey, String)> {
    let key = ssh_key::PublicKey::from_openssh(line.trim()).ok()?;
    match key.key_data() {
        KeyData::Ed25519(Ed25519PublicKey(bytes)) => Some((PublicKey(*bytes), key.comment().to_owned())),
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

    /// Reads the lines of a file: keys, `read-only` and a key, comments, empty lines.
    pub(crate) fn parse(text: &str) -> Self {
        let mut all = Self::default();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (rest, read_only) = match line.strip_prefix("read-only") {
                Some(rest) if rest.starts_with([' ', '\t']) => (rest.trim_start(), true),
                _ => (line, false),
            };
            match parse_public(rest) {
                Some((key, name)) => all.keys.push(AuthorizedKey { key, name, read_only }),
                None => all.warnings.push(format!(
                    "line {} is skipped: not an ssh-ed25519 key, or an option other than read-only",
                    index + 1
                )),
            }
        }
        all
    }

    /// The line of a key.
    pub(crate) fn find(&self, key: &PublicKey) -> Option<&AuthorizedKey> {
        self.keys.iter().find(|entry| entry.key == *key)
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
fn host_name() -> Option<String> {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    (!name.is_empty()).then_some(name)
}

#[cfg(not(unix))]
fn host_name() -> Option<String> {
    std::env::var("COMPUTERNAME").ok()
}

#[cfg(test)]
mod tests;
