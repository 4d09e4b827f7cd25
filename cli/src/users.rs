//! The users of a server, whose list is read anew while it runs.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use transport_std::PublicKey;

use crate::escape;
use crate::exit::{Error, Exit};
use crate::keys::{AuthorizedKey, AuthorizedKeys};

/// Who may come in by key, and the file that says so.
#[derive(Debug)]
pub(crate) struct Users {
    file: Option<File>,
    lists: RwLock<Lists>,
}

#[derive(Debug)]
struct File {
    path: PathBuf,
    /// Nobody named it: it may be missing when the server starts.
    is_usual: bool,
    /// Others come in, too: it may be empty.
    is_public: bool,
}

#[derive(Debug, Default)]
struct Lists {
    now: AuthorizedKeys,
    /// The names of those who are not there any more, for the last lines about them.
    former: BTreeMap<PublicKey, String>,
}

/// What another look at the file has changed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Changes {
    /// How many users there are now.
    pub(crate) users: usize,
    pub(crate) added: usize,
    pub(crate) removed: usize,
    /// Users with other options or another name.
    pub(crate) changed: usize,
    /// Lines that were skipped.
    pub(crate) warnings: Vec<String>,
}

/// `12 users, 2 new, 1 changed, 3 gone`.
impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} users", self.users)?;
        let counts = [
            (self.added, "new"),
            (self.changed, "changed"),
            (self.removed, "gone"),
        ];
        let mut counts = counts.into_iter().filter(|(count, _)| *count > 0);
        counts.try_for_each(|(count, what)| write!(f, ", {count} {what}"))
    }
}

impl Users {
    /// These, for good.
    pub(crate) fn fixed(users: AuthorizedKeys) -> Self {
        let lists = Lists {
            now: users,
            ..Lists::default()
        };
        Self {
            file: None,
            lists: RwLock::new(lists),
        }
    }

    /// Those of the file at `named`, or else at `usual`; `is_public` when others may come in as well.
    ///
    /// # Errors
    /// The file cannot be read, or nobody could come in.
    pub(crate) fn load(
        named: Option<&Path>,
        usual: PathBuf,
        is_public: bool,
    ) -> Result<Self, Error> {
        let file = File {
            is_usual: named.is_none(),
            path: named.map_or(usual, Path::to_path_buf),
            is_public,
        };
        let now = match AuthorizedKeys::load(&file.path) {
            Err(error) if error.exit == Exit::NotFound && file.is_usual => {
                AuthorizedKeys::default()
            }
            other => other?,
        };
        file.check(&now)?;
        let former = BTreeMap::new();
        Ok(Self {
            file: Some(file),
            lists: RwLock::new(Lists { now, former }),
        })
    }

    /// Reads the file again.
    ///
    /// # Errors
    /// The file cannot be read, is missing, may be written by others, or lets nobody in: the users stay as they were.
    pub(crate) fn reload(&self) -> Result<Changes, Error> {
        let Some(file) = &self.file else {
            return Ok(Changes::default());
        };
        let mut new = AuthorizedKeys::load(&file.path)?;
        file.check(&new)?;
        let mut lists = self.lists.write().unwrap_or_else(PoisonError::into_inner);
        let mut changes = Changes {
            users: new.len(),
            warnings: std::mem::take(&mut new.warnings),
            ..Changes::default()
        };
        for user in new.iter() {
            match lists.now.find(&user.key) {
                None => changes.added += 1,
                Some(old) => changes.changed += usize::from(old != user),
            }
            lists.former.remove(&user.key);
        }
        let old = std::mem::replace(&mut lists.now, new);
        for user in old.iter() {
            if lists.now.find(&user.key).is_none() {
                changes.removed += 1;
                lists.former.insert(user.key, user.name.clone());
            }
        }
        Ok(changes)
    }

    /// The file's path, for people.
    pub(crate) fn shown(&self) -> String {
        let path = self.file.as_ref().map(|file| escape::path(&file.path));
        path.unwrap_or_default()
    }

    /// What was skipped when the server started.
    pub(crate) fn warnings(&self) -> Vec<String> {
        self.read(|lists| lists.now.warnings.clone())
    }

    /// What the file says of a key.
    pub(crate) fn find(&self, key: &PublicKey) -> Option<AuthorizedKey> {
        self.read(|lists| lists.now.find(key).cloned())
    }

    /// The name of the user with this key, who may have left the list.
    pub(crate) fn name(&self, key: &PublicKey) -> Option<String> {
        self.read(|lists| match lists.now.find(key) {
            Some(user) => Some(user.name.clone()),
            None => lists.former.get(key).cloned(),
        })
    }

    /// Whether a line says what its user may have on the server.
    pub(crate) fn has_quotas(&self) -> bool {
        self.read(|lists| lists.now.has_quotas())
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.read(|lists| lists.now.len())
    }

    fn read<T>(&self, look: impl FnOnce(&Lists) -> T) -> T {
        look(&self.lists.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl File {
    fn check(&self, users: &AuthorizedKeys) -> Result<(), Error> {
        if users.len() > 0 || self.is_public {
            return Ok(());
        }
        let text = format!(
            "nobody could come in: {} lists no keys",
            escape::path(&self.path)
        );
        Err(Error::usage(text).hint(
            "put the lines there that users' 'dhow key show' prints, or let everyone in with --public (read) or --public=rw",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn line(n: u8) -> String {
        crate::keys::public_line(&PublicKey([n; 32]), &format!("user{n}"))
    }

    fn write(path: &Path, lines: &[String]) {
        fs::write(path, lines.join("\n")).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
        }
    }

    #[test]
    fn a_reload_says_what_is_new() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keys");
        write(&path, &[line(1), line(2), line(3)]);
        let users = Users::load(Some(&path), PathBuf::new(), false).unwrap();
        assert_eq!(users.reload().unwrap().to_string(), "3 users");
        let limited = format!("limit=1M {}", line(2));
        write(&path, &[line(1), limited, line(4), "rubbish".to_owned()]);
        let changes = users.reload().unwrap();
        assert_eq!(changes.warnings.len(), 1, "{changes:?}");
        let counts = (changes.added, changes.removed, changes.changed);
        assert_eq!((changes.users, counts), (3, (1, 1, 1)));
        assert_eq!(changes.to_string(), "3 users, 1 new, 1 changed, 1 gone");
        let key = |n| PublicKey([n; 32]);
        assert_eq!(users.find(&key(2)).unwrap().limit, Some(1_000_000));
        assert_eq!(users.find(&key(3)), None);
        assert_eq!(users.name(&key(3)).as_deref(), Some("user3"), "it was here");
        assert_eq!(users.name(&key(9)), None);
    }

    #[test]
    fn a_bad_file_changes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keys");
        write(&path, &[line(1)]);
        let users = Users::load(Some(&path), PathBuf::new(), false).unwrap();
        let is_there = |users: &Users| users.find(&PublicKey([1; 32])).is_some();
        write(&path, &[]);
        assert_eq!(users.reload().unwrap_err().exit, Exit::Usage);
        assert!(is_there(&users));
        fs::remove_file(&path).unwrap();
        assert_eq!(users.reload().unwrap_err().exit, Exit::NotFound);
        assert!(is_there(&users));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            write(&path, &[line(2)]);
            fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
            assert_eq!(users.reload().unwrap_err().exit, Exit::Untrusted, "L5");
            assert!(is_there(&users));
        }
    }

    #[test]
    fn a_public_server_needs_no_list() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keys");
        assert!(Users::load(None, path.clone(), false).is_err());
        assert!(Users::load(Some(&path), PathBuf::new(), true).is_err());
        let users = Users::load(None, path.clone(), true).unwrap();
        assert_eq!(users.len(), 0);
        // Later, one that is missing is a mistake: it would take away what users have.
        assert!(users.reload().is_err());
        write(&path, &[line(1)]);
        assert_eq!(users.reload().unwrap().added, 1);
        write(&path, &[]);
        assert_eq!(users.reload().unwrap().removed, 1);
    }
}
