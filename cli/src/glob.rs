//! Patterns in remote paths, expanded here by listing: `*`, `?`, `[a-z]`, `[!a-z]` within a name, `**` for any number of
//! directories, `\` before a character that is meant literally. A name that stands there literally wins over its pattern.
//! As in shells, a dot at the beginning of a name is only matched by a dot.

use transport_std::{ClientError, EntryKind, ErrorCode, Failure, FilePath};

use crate::connection::Connection;
use crate::escape::Escaped;
use crate::exit::{Error, Exit};
use crate::link::Link;
use crate::walk::{self, Side};

/// Paths that one pattern may mean.
const FOUND_MAX: usize = 1_000_000;

/// Whether a path has a character that means something in a pattern.
pub(crate) fn is_pattern(path: &[u8]) -> bool {
    path.iter().any(|b| b"*?[".contains(b))
}

/// The paths that `path` means on a server, by name: itself when it is no pattern or stands there.
///
/// # Errors
/// Nothing has such a name, or a directory cannot be listed.
pub(crate) fn expand(link: &Link<'_>, path: &FilePath) -> Result<Vec<FilePath>, Error> {
    if !is_pattern(path.as_bytes()) || stands_there(link, path) {
        return Ok(vec![path.clone()]);
    }
    let names: Vec<&[u8]> = path.components().collect();
    let mut found = Vec::new();
    below(link, FilePath::root(), &names, &mut found)?;
    if found.is_empty() {
        let text = format!(
            "{}: nothing on the server has such a name",
            Escaped(path.as_bytes())
        );
        return Err(
            Error::new(Exit::NotFound, "not-found", text).hint("'dhow ls' shows what is there")
        );
    }
    found.sort_by(|a, b| a.as_bytes().cmp(b.as_bytes()));
    found.dedup();
    Ok(found)
}

/// True also when the answer is another error than that nothing is there: the job itself will tell.
fn stands_there(link: &Link<'_>, path: &FilePath) -> bool {
    let Connection::Modern(client) = link.connection() else {
        return true;
    };
    !matches!(
        client.stat(path.as_bytes()),
        Err(ClientError::Transfer {
            failure: Failure::Refused(ErrorCode::NotFound) | Failure::Peer(ErrorCode::NotFound),
            ..
        })
    )
}

/// Collects what matches the remaining names of a pattern in `directory`.
fn below(
    link: &Link<'_>,
    directory: FilePath,
    names: &[&[u8]],
    found: &mut Vec<FilePath>,
) -> Result<(), Error> {
    let Some((name, rest)) = names.split_first() else {
        found.push(directory);
        return Ok(());
    };
    if found.len() > FOUND_MAX {
        let text = "more than a million names match";
        return Err(Error::new(Exit::Other, "too-large", text).hint("name the directory itself"));
    }
    // Names without a pattern need no look, but at the end.
    if !is_pattern(name) && !rest.is_empty() {
        return below(
            link,
            walk::child(&directory, &unescaped(name))?,
            rest,
            found,
        );
    }
    let any_depth = *name == b"**";
    let entries = match Side::Remote(link, directory.clone()).list(&FilePath::root()) {
        Ok(entries) => entries,
        // What a pattern could mean need not be there.
        Err(error) if matches!(error.code, "not-found" | "not-directory" | "denied") => {
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    if any_depth && !rest.is_empty() {
        below(link, directory.clone(), rest, found)?;
    }
    for entry in entries {
        let path = walk::child(&directory, &entry.name)?;
        let is_directory = entry.kind == EntryKind::Directory;
        if any_depth {
            if entry.name.starts_with(b".") {
                continue;
            }
            if rest.is_empty() {
                found.push(path.clone());
            } else if is_directory {
                below(link, path, names, found)?;
            }
        } else if matches(name, &entry.name) {
            if rest.is_empty() {
                found.push(path);
            } else if is_directory || entry.kind == EntryKind::Symlink {
                below(link, path, rest, found)?;
            }
        }
    }
    Ok(())
}

/// A name of a pattern without its backslashes.
fn unescaped(name: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(name.len());
    let mut bytes = name.iter();
    while let Some(&byte) = bytes.next() {
        match byte {
            b'\\' => out.extend(bytes.next().or(Some(&b'\\'))),
            byte => out.push(byte),
        }
    }
    out
}

/// Whether `name` is one that the pattern means. The time is at most the product of both lengths.
pub(crate) fn matches(pattern: &[u8], name: &[u8]) -> bool {
    if name.first() == Some(&b'.') && pattern.first() != Some(&b'.') && !pattern.starts_with(b"\\.")
    {
        return false;
    }
    let (mut p, mut n) = (0, 0);
    // After the last star: where to go on in the pattern, and how much of the name it takes by then.
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        if pattern.get(p) == Some(&b'*') {
            star = Some((p + 1, n));
            p += 1;
        } else if let Some(next) = one(&pattern[p.min(pattern.len())..], name[n]) {
            (p, n) = (p + next, n + 1);
        } else if let Some((after, taken)) = star {
            star = Some((after, taken + 1));
            (p, n) = (after, taken + 1);
        } else {
            return false;
        }
    }
    pattern[p.min(pattern.len())..].iter().all(|&b| b == b'*')
}

/// How many bytes of the pattern match `byte`, if they do.
fn one(pattern: &[u8], byte: u8) -> Option<usize> {
    match pattern {
        [b'?', ..] => Some(1),
        [b'\\', literal, ..] => (*literal == byte).then_some(2),
        [b'[', rest @ ..] => match class(rest, byte) {
            Some((true, length)) => Some(length + 1),
            Some((false, _)) => None,
            // Without an end it is a bracket.
            None => (byte == b'[').then_some(1),
        },
        [literal, ..] => (*literal == byte).then_some(1),
        [] => None,
    }
}

/// Whether `byte` is in the class whose text begins here, and how long that is with its bracket.
fn class(text: &[u8], byte: u8) -> Option<(bool, usize)> {
    let negated = matches!(text.first(), Some(b'!' | b'^'));
    let begin = usize::from(negated);
    // A bracket that comes first is meant literally.
    let end = begin + 1 + text.get(begin + 1..)?.iter().position(|&b| b == b']')?;
    let inner = &text[begin..end];
    let mut is_in = false;
    let mut at = 0;
    while at < inner.len() {
        match inner[at..] {
            [low, b'-', high, ..] => {
                is_in |= (low..=high).contains(&byte);
                at += 3;
            }
            _ => {
                is_in |= inner[at] == byte;
                at += 1;
            }
        }
    }
    Some((is_in != negated, end + 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn patterns_mean_what_shells_take_them_for() {
        for (pattern, name, expected) in [
            ("*.txt", "a.txt", true),
            ("*.txt", ".txt", false),
            (".*", ".a", true),
            ("*", "", true),
            ("a*b*c", "aXbXbXc", true),
            ("a*b*c", "aXbX", false),
            ("?", "ab", false),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[^a-c]x", "dx", true),
            ("[]]", "]", true),
            ("[a", "[a", true),
            ("[a-]", "-", true),
            (r"\*", "*", true),
            (r"\*", "a", false),
            ("a", "ab", false),
        ] {
            assert_eq!(
                matches(pattern.as_bytes(), name.as_bytes()),
                expected,
                "{pattern} {name}"
            );
        }
        assert_eq!(unescaped(br"a\*b\"), br"a*b\");
    }

    /// Stars by trying everything.
    fn naive(pattern: &[u8], name: &[u8]) -> bool {
        match (pattern, name) {
            ([], []) => true,
            ([b'*', rest @ ..], _) => (0..=name.len()).any(|n| naive(rest, &name[n..])),
            ([p, rest @ ..], [n, name @ ..]) => (*p == b'?' || p == n) && naive(rest, name),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn stars_as_by_trying_everything(pattern in "[ab*?]{0,8}", name in "[ab]{0,8}") {
            prop_assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), naive(pattern.as_bytes(), name.as_bytes()));
        }

        #[test]
        fn no_pattern_panics(pattern: Vec<u8>, name: Vec<u8>) {
            let _ = matches(&pattern, &name);
        }
    }
}
