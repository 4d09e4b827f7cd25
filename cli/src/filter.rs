//! `--exclude`, `--include`, `--gitignore`: what of a directory is left out, as seen from here. What travels is decided where
//! the source is; here it is decided what `--dry-run` tells of, and what `--delete` lets stand.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use transport_std::{FilePath, Filter, check_filter};

use crate::args::Copying;
use crate::exit::Error;
use crate::names;
use crate::walk;

/// Bytes of a `.gitignore`; a larger one does not count.
const GITIGNORE_MAX: u64 = 64 << 10;

/// The filter that the flags ask for.
///
/// # Errors
/// A pattern cannot be read.
pub(crate) fn of_flags(flags: &Copying) -> Result<Option<Filter>, Error> {
    if flags.exclude.is_empty() && flags.include.is_empty() && !flags.gitignore {
        return Ok(None);
    }
    if (flags.exclude.iter().chain(&flags.include)).any(|pattern| pattern.contains('\n')) {
        return Err(Error::usage("a pattern is one line"));
    }
    let includes = flags.include.iter().map(|pattern| format!("!{pattern}"));
    let rules: Vec<String> = flags.exclude.iter().cloned().chain(includes).collect();
    let filter = Filter {
        rules: rules.join("\n").into_bytes(),
        gitignore: flags.gitignore,
    };
    check_filter(&filter).map_err(|text| Error::usage(format!("not a pattern: {text}")))?;
    Ok(Some(filter))
}

/// Leaves names out as the executor does at the source. `.gitignore` files are read on this side.
#[derive(Debug)]
pub(crate) struct Leaver {
    rules: Gitignore,
    by_git: bool,
    local: PathBuf,
    /// By directory; `None` where there is no `.gitignore`.
    gitignores: RefCell<HashMap<FilePath, Option<Rc<Gitignore>>>>,
}

impl Leaver {
    /// For the directory of a task; `local` is this side's.
    ///
    /// # Errors
    /// A pattern cannot be read.
    pub(crate) fn new(filter: &Filter, local: &Path) -> Result<Self, Error> {
        let wrong = |error: ignore::Error| Error::usage(format!("not a pattern: {error}"));
        let mut builder = GitignoreBuilder::new("");
        for line in String::from_utf8_lossy(&filter.rules).lines() {
            builder.add_line(None, line).map_err(wrong)?;
        }
        Ok(Self {
            rules: builder.build().map_err(wrong)?,
            by_git: filter.gitignore,
            local: local.to_owned(),
            gitignores: RefCell::default(),
        })
    }

    /// Whether the entry is left out. What is in a directory that is left out is not asked for.
    pub(crate) fn leaves_out(&self, path: &FilePath, is_directory: bool) -> bool {
        let decided = |rules: &Gitignore, below: &Path| match rules.matched(below, is_directory) {
            Match::None => None,
            Match::Ignore(_) => Some(true),
            Match::Whitelist(_) => Some(false),
        };
        let Ok(whole) = walk::local(Path::new(""), path) else {
            return false;
        };
        if let Some(out) = decided(&self.rules, &whole) {
            return out;
        }
        if !self.by_git {
            return false;
        }
        // The nearest outweighs those above it.
        let mut directory = path.parent();
        loop {
            if let Some(rules) = self.gitignore(&directory) {
                let above = walk::local(Path::new(""), &directory).unwrap_or_default();
                let below = whole.strip_prefix(above).unwrap_or(&whole);
                if let Some(out) = decided(&rules, below) {
                    return out;
                }
            }
            if directory.is_root() {
                return path.name() == Some(b".git");
            }
            directory = directory.parent();
        }
    }

    fn gitignore(&self, directory: &FilePath) -> Option<Rc<Gitignore>> {
        let mut known = self.gitignores.borrow_mut();
        let rules = known.entry(directory.clone()).or_insert_with(|| {
            let path = walk::local(&self.local, directory).ok()?;
            read_gitignore(&path.join(names::from_wire(b".gitignore").ok()?)).map(Rc::new)
        });
        rules.clone()
    }
}

fn read_gitignore(path: &Path) -> Option<Gitignore> {
    let is_file = std::fs::symlink_metadata(path)
        .is_ok_and(|meta| meta.is_file() && meta.len() <= GITIGNORE_MAX);
    if !is_file {
        return None;
    }
    let mut text = Vec::new();
    let file = std::fs::File::open(path).ok()?;
    file.take(GITIGNORE_MAX).read_to_end(&mut text).ok()?;
    let mut builder = GitignoreBuilder::new("");
    for line in String::from_utf8_lossy(&text).lines() {
        // As git does, a line that makes no sense is passed over.
        let _ = builder.add_line(None, line);
    }
    builder.build().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaver(rules: &str, gitignore: bool, local: &Path) -> Leaver {
        let rules = rules.as_bytes().to_vec();
        Leaver::new(&Filter { rules, gitignore }, local).unwrap()
    }

    fn out(leaver: &Leaver, path: &str) -> bool {
        let is_directory = path.ends_with('/');
        leaver.leaves_out(
            &FilePath::parse(path.trim_end_matches('/').as_bytes()).unwrap(),
            is_directory,
        )
    }

    #[test]
    fn rules_outweigh_gitignores_and_near_ones_those_above() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("a/b")).unwrap();
        std::fs::write(root.path().join(".gitignore"), "*.log\n/build/\n").unwrap();
        std::fs::write(root.path().join("a/.gitignore"), "!kept.log\n/x\n").unwrap();
        let leaver = leaver("*.o\n!good.o\n!always.log", true, root.path());
        for path in [
            "c.o",
            "a/c.o",
            "c.log",
            "build/",
            "a/b/c.log",
            "a/x",
            ".git/",
            "a/.git/",
        ] {
            assert!(out(&leaver, path), "{path}");
        }
        for path in [
            "good.o",
            "a/good.o",
            "always.log",
            "a/b/kept.log",
            "a/build/",
            "build",
            "x",
            "a/b/x",
            ".gitignore",
        ] {
            assert!(!out(&leaver, path), "{path}");
        }
    }

    #[test]
    fn without_the_flag_gitignores_are_files_as_others() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join(".gitignore"), "*\n").unwrap();
        let leaver = leaver("target/", false, root.path());
        assert!(out(&leaver, "target/") && out(&leaver, "a/target/"));
        assert!(!out(&leaver, "target") && !out(&leaver, "a") && !out(&leaver, ".git/"));
    }
}
