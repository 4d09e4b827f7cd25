//! What listings leave out: gitignore's rules, matched by the `ignore` crate. Its walker is not used: names come from the
//! executor's own directories.

use std::collections::HashMap;
use std::io::Read;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use proto_core::wire::FilePath;
use proto_core::{FileError, Filter, FilterBelow};

use super::rooted::Directory;

/// Filters that are kept ready for the next page.
const KEPT_MAX: usize = 16;

/// Directories whose `.gitignore` is kept ready, of one filter.
const DIRECTORIES_MAX: usize = 1_024;

/// Bytes of a `.gitignore`; a larger one does not count.
const GITIGNORE_MAX: u64 = 64 << 10;

/// The first rule that cannot be read, and why; `Ok` for rules that can be used.
///
/// # Errors
/// The rule and the reason, in words.
pub fn check_filter(filter: &Filter) -> Result<(), String> {
    build(&filter.rules).map(|_| ())
}

/// The rules, about paths below one directory.
fn build(rules: &[u8]) -> Result<Gitignore, String> {
    let text = std::str::from_utf8(rules).map_err(|_| "the rules are not UTF-8".to_owned())?;
    let mut builder = GitignoreBuilder::new("");
    for line in text.lines() {
        let added = builder.add_line(None, line);
        added.map_err(|error| format!("{line}: {error}"))?;
    }
    builder.build().map_err(|error| error.to_string())
}

/// Filters ready for use.
#[derive(Debug, Default)]
pub(super) struct Filters(Mutex<Vec<Arc<Ready>>>);

/// A filter ready for use.
#[derive(Debug)]
pub(super) struct Ready {
    of: Arc<FilterBelow>,
    rules: Gitignore,
    /// By directory; `None` where there is no `.gitignore`.
    gitignores: Mutex<HashMap<FilePath, Option<Arc<Gitignore>>>>,
}

impl Filters {
    /// The filter, ready for use.
    pub(super) fn get(&self, wanted: &Arc<FilterBelow>) -> Result<Arc<Ready>, FileError> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(ready) = kept.iter().find(|ready| Arc::ptr_eq(&ready.of, wanted)) {
            return Ok(ready.clone());
        }
        let ready = Arc::new(Ready {
            of: wanted.clone(),
            rules: build(&wanted.filter.rules).map_err(|_| FileError::BadName)?,
            gitignores: Mutex::default(),
        });
        if kept.len() >= KEPT_MAX {
            kept.remove(0);
        }
        kept.push(ready.clone());
        Ok(ready)
    }
}

impl Ready {
    /// What is left out of one directory.
    pub(super) fn of_directory(
        self: Arc<Self>,
        root: &Directory,
        path: &FilePath,
    ) -> Result<Leaver, FileError> {
        let depth = self.of.base.components().count();
        let below: Vec<&[u8]> = path.components().skip(depth).collect();
        let prefix = local(&below.join(&b'/'))?;
        let mut gitignores = Vec::new();
        if self.of.filter.gitignore {
            // The nearest outweighs those above it.
            for count in (depth..=depth + below.len()).rev() {
                if let Some(rules) = self.gitignore(root, &path.first(count)) {
                    gitignores.push((local(&below[count - depth..].join(&b'/'))?, rules));
                }
            }
        }
        Ok(Leaver {
            ready: self,
            prefix,
            gitignores,
        })
    }

    /// The rules of a directory's `.gitignore`; those that cannot be read do not count.
    fn gitignore(&self, root: &Directory, path: &FilePath) -> Option<Arc<Gitignore>> {
        let mut known = self
            .gitignores
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(rules) = known.get(path) {
            return rules.clone();
        }
        let rules = read_gitignore(root, path).map(Arc::new);
        if known.len() >= DIRECTORIES_MAX {
            known.clear();
        }
        known.insert(path.clone(), rules.clone());
        rules
    }
}

fn read_gitignore(root: &Directory, path: &FilePath) -> Option<Gitignore> {
    let (file, meta) = root.open_file(&path.join(b".gitignore").ok()?).ok()?;
    if meta.size > GITIGNORE_MAX {
        return None;
    }
    let mut text = Vec::new();
    file.take(GITIGNORE_MAX).read_to_end(&mut text).ok()?;
    let mut builder = GitignoreBuilder::new("");
    for line in String::from_utf8_lossy(&text).lines() {
        // As git does, a line that makes no sense is passed over.
        let _ = builder.add_line(None, line);
    }
    builder.build().ok()
}

/// Leaves names of one directory out.
#[derive(Debug)]
pub(super) struct Leaver {
    ready: Arc<Ready>,
    /// The directory's path below the base.
    prefix: PathBuf,
    /// `.gitignore` files that count here, the nearest first, and the directory's path below each.
    gitignores: Vec<(PathBuf, Arc<Gitignore>)>,
}

impl Leaver {
    /// Whether the name is left out. One that this system cannot spell is not: whoever opens it will say so.
    pub(super) fn leaves_out(&self, name: &[u8], is_directory: bool) -> bool {
        let Ok(name) = local(name) else {
            return false;
        };
        let decided = |rules: &Gitignore, prefix: &PathBuf| match rules
            .matched(prefix.join(&name), is_directory)
        {
            Match::None => None,
            Match::Ignore(_) => Some(true),
            Match::Whitelist(_) => Some(false),
        };
        let mut nearest = self.gitignores.iter();
        let by_git = self.ready.of.filter.gitignore && name.as_os_str() == ".git";
        decided(&self.ready.rules, &self.prefix)
            .or_else(|| nearest.find_map(|(prefix, rules)| decided(rules, prefix)))
            .unwrap_or(by_git)
    }
}

/// Bytes of a path as this system spells them.
fn local(path: &[u8]) -> Result<PathBuf, FileError> {
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        Ok(PathBuf::from(std::ffi::OsStr::from_bytes(path)))
    }
    #[cfg(not(unix))]
    {
        let text = std::str::from_utf8(path).map_err(|_| FileError::BadName)?;
        Ok(PathBuf::from(text))
    }
}
