//! Where dhow keeps its files.
//!
//! | file | place |
//! |---|---|
//! | `identity`, `known_hosts`, `authorized_keys` | `$XDG_CONFIG_HOME/dhow`, by default `~/.config/dhow` |
//! | `host_key`, `rates`, `begun` | `$XDG_STATE_HOME/dhow`, by default `~/.local/state/dhow` |
//!
//! `DHOW_HOME` puts all of them into one directory.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::escape;
use crate::exit::{Error, Exit};

/// The two directories.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Home {
    config: PathBuf,
    state: PathBuf,
}

impl Home {
    /// As the environment says.
    ///
    /// # Errors
    /// Nothing tells where the user's files are.
    pub(crate) fn from_environment() -> Result<Self, Error> {
        Self::from_variables(|name| env::var_os(name)).ok_or_else(|| {
            Error::new(Exit::Other, "no-home", "nothing tells where your files are")
                .hint("set HOME, or DHOW_HOME to a directory for dhow's own files")
        })
    }

    fn from_variables(variable: impl Fn(&str) -> Option<OsString>) -> Option<Self> {
        if let Some(all) = variable("DHOW_HOME").filter(|value| !value.is_empty()) {
            // Relative is fine here: the user wrote it for this process.
            return Some(Self {
                config: PathBuf::from(&all),
                state: PathBuf::from(all),
            });
        }
        // The XDG specification: relative values are to be ignored.
        let absolute = |name| {
            variable(name)
                .map(PathBuf::from)
                .filter(|path| path.is_absolute())
        };
        let home = absolute("HOME").or_else(|| absolute("USERPROFILE"));
        let place = |name, default: &str| {
            absolute(name)
                .or_else(|| home.as_ref().map(|home| home.join(default)))
                .map(|path| path.join("dhow"))
        };
        Some(Self {
            config: place("XDG_CONFIG_HOME", ".config")?,
            state: place("XDG_STATE_HOME", ".local/state")?,
        })
    }

    /// The user's key.
    pub(crate) fn identity(&self) -> PathBuf {
        self.config.join("identity")
    }

    /// The keys of servers that the user trusts.
    pub(crate) fn known_hosts(&self) -> PathBuf {
        self.config.join("known_hosts")
    }

    /// The keys of users that this user's server lets in.
    pub(crate) fn authorized_keys(&self) -> PathBuf {
        self.config.join("authorized_keys")
    }

    /// The server's key.
    pub(crate) fn host_key(&self) -> PathBuf {
        self.state.join("host_key")
    }

    /// How fast copies were.
    pub(crate) fn rates(&self) -> PathBuf {
        self.state.join("rates")
    }

    /// Which directories were begun and are not finished.
    pub(crate) fn begun(&self) -> PathBuf {
        self.state.join("begun")
    }

    /// All in one directory.
    #[cfg(test)]
    pub(crate) fn in_directory(path: &Path) -> Self {
        Self {
            config: path.to_owned(),
            state: path.to_owned(),
        }
    }
}

/// Makes the directory that holds `file`, and what is missing above it, for this user alone (0700).
///
/// # Errors
/// What the system says.
pub(crate) fn make_parent(file: &Path) -> Result<(), Error> {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => make_private_directory(parent)
            .map_err(|error| Error::io(format!("making {}", escape::path(parent)), &error)),
        _ => Ok(()),
    }
}

fn make_private_directory(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home(variables: &[(&str, &str)]) -> Option<Home> {
        Home::from_variables(|name| {
            let found = variables.iter().find(|(other, _)| *other == name);
            found.map(|(_, value)| OsString::from(value))
        })
    }

    #[test]
    fn defaults() {
        let home = home(&[("HOME", "/h")]).unwrap();
        assert_eq!(home.identity(), Path::new("/h/.config/dhow/identity"));
        assert_eq!(home.known_hosts(), Path::new("/h/.config/dhow/known_hosts"));
        assert_eq!(
            home.authorized_keys(),
            Path::new("/h/.config/dhow/authorized_keys")
        );
        assert_eq!(home.host_key(), Path::new("/h/.local/state/dhow/host_key"));
    }

    #[test]
    fn variables_move_them() {
        let xdg = home(&[
            ("HOME", "/h"),
            ("XDG_CONFIG_HOME", "/c"),
            ("XDG_STATE_HOME", "s"),
        ]);
        assert_eq!(
            xdg,
            Some(Home {
                config: "/c/dhow".into(),
                state: "/h/.local/state/dhow".into()
            })
        );
        let all = home(&[
            ("HOME", "/h"),
            ("XDG_CONFIG_HOME", "/c"),
            ("DHOW_HOME", "d"),
        ])
        .unwrap();
        assert_eq!(
            (all.identity(), all.host_key()),
            ("d/identity".into(), "d/host_key".into())
        );
        assert_eq!(home(&[]), None);
        assert_eq!(home(&[("HOME", "relative")]), None);
    }

    #[cfg(unix)]
    #[test]
    fn directories_are_private() {
        use std::os::unix::fs::PermissionsExt;
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("a/b/file");
        make_parent(&file).unwrap();
        make_parent(&file).unwrap();
        for directory in ["a", "a/b"] {
            let mode = fs::metadata(root.path().join(directory))
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o700);
        }
    }
}
