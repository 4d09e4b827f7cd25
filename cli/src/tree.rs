//! `dhow tree REMOTE`

use std::io::{self, Write};

use transport_std::{DirEntry, EntryKind, FilePath};

use crate::args::TreeArgs;
use crate::escape::Escaped;
use crate::exit::Error;
use crate::interrupt;
use crate::json;
use crate::link::Link;
use crate::ls;
use crate::session::App;
use crate::walk::{self, Side};

/// Runs the command.
///
/// # Errors
/// A usage error, a server that cannot be used, a directory that cannot be listed.
pub(crate) fn run(app: &App, args: &TreeArgs) -> Result<u8, Error> {
    let remote = ls::read_remote(&args.remote, "tree")?;
    interrupt::end_at_signal(|| {})?;
    let link = Link::open(app, &remote)?;
    app.log.line(&format!("asks: list {remote} and all below"));
    let mut out = io::BufWriter::new(io::stdout().lock());
    let mut written = if app.global.json {
        Ok(())
    } else {
        writeln!(out, "{remote}")
    };
    let mut counts = (0_u64, 0_u64);
    let side = Side::Remote(&link, remote.path.clone());
    let mut stack = vec![Level::of(&side, FilePath::root())?];
    while let Some(level) = stack.last_mut() {
        let Some(entry) = level.entries.next() else {
            stack.pop();
            continue;
        };
        let below = walk::child(&level.path, &entry.name)?;
        let is_directory = entry.kind == EntryKind::Directory;
        if is_directory {
            counts.0 += 1
        } else {
            counts.1 += 1
        }
        if written.is_ok() {
            written = match app.global.json {
                true => {
                    let path = walk::join(&remote.path, &below)?;
                    let fields = ls::entry_json(path.as_bytes(), &ls::info_of(&entry));
                    out.write_all(json::line("entry", fields).as_bytes())
                }
                false => writeln!(out, "{}", row(&stack, &entry)),
            };
        }
        if is_directory {
            stack.push(Level::of(&side, below)?);
        }
    }
    if !app.global.json && written.is_ok() {
        written = writeln!(out, "\n{} directories, {} files", counts.0, counts.1);
    }
    app.log.line(&format!(
        "done: list {remote} and all below, {} directories, {} files",
        counts.0, counts.1
    ));
    link.close();
    Error::of_stdout(written.and_then(|()| out.flush())).map(|()| 0)
}

/// A directory that is being shown.
struct Level {
    path: FilePath,
    entries: std::vec::IntoIter<DirEntry>,
}

impl Level {
    fn of(side: &Side<'_>, path: FilePath) -> Result<Self, Error> {
        let entries = side.list(&path)?.into_iter();
        Ok(Self { path, entries })
    }
}

/// One line; each level above shows whether more follows there.
fn row(stack: &[Level], entry: &DirEntry) -> String {
    let mut line = String::new();
    for (depth, level) in stack.iter().enumerate() {
        // Entries that were shown are gone from their levels: what is left follows.
        let more = level.entries.len() > 0;
        line.push_str(match (depth + 1 == stack.len(), more) {
            (true, true) => "├── ",
            (true, false) => "└── ",
            (false, true) => "│   ",
            (false, false) => "    ",
        });
    }
    let slash = if entry.kind == EntryKind::Directory {
        "/"
    } else {
        ""
    };
    format!("{line}{}{slash}", Escaped(&entry.name))
}
