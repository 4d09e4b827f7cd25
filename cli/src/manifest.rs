//! `--manifest FILE`: the hashes of what was copied, one file a line, as `b3sum` writes and `b3sum -c` reads them.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::escape;
use crate::exit::{Error, Exit};

/// A manifest that is being written.
#[derive(Debug)]
pub(crate) struct Manifest {
    out: BufWriter<File>,
    path: PathBuf,
}

impl Manifest {
    /// Makes the file, or empties it.
    ///
    /// # Errors
    /// It cannot be made.
    pub(crate) fn create(path: &Path) -> Result<Self, Error> {
        let file = File::create(path).map_err(|error| Error::io(escape::path(path), &error))?;
        Ok(Self {
            out: BufWriter::new(file),
            path: path.to_owned(),
        })
    }

    /// Adds a local file. Without a hash, because it was there already, it is read.
    ///
    /// # Errors
    /// It cannot be read, or the manifest not be written; a name that is no Unicode, of which `b3sum -c` reads nothing.
    pub(crate) fn add(&mut self, local: &Path, hash: Option<[u8; 32]>) -> Result<(), Error> {
        let name = local.to_str().ok_or_else(|| {
            let text = format!(
                "{}: a name that is no Unicode cannot stand in a manifest",
                escape::path(local)
            );
            Error::new(Exit::Other, "other", text)
        })?;
        let hash = match hash {
            Some(hash) => hash,
            None => hash_of(local).map_err(|error| Error::io(escape::path(local), &error))?,
        };
        let written = self.out.write_all(line(name, &hash).as_bytes());
        written.map_err(|error| Error::io(escape::path(&self.path), &error))
    }

    /// Writes what is left.
    ///
    /// # Errors
    /// The manifest cannot be written.
    pub(crate) fn finish(mut self) -> Result<(), Error> {
        self.out
            .flush()
            .map_err(|error| Error::io(escape::path(&self.path), &error))
    }
}

/// The BLAKE3 hash of a file.
pub(crate) fn hash_of(path: &Path) -> io::Result<[u8; 32]> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(File::open(path)?)?;
    Ok(*hasher.finalize().as_bytes())
}

/// A backslash at the beginning says that backslashes and line ends in the name are escaped.
fn line(name: &str, hash: &[u8; 32]) -> String {
    let name = if cfg!(windows) {
        name.replace('\\', "/")
    } else {
        name.to_owned()
    };
    let is_escaped = name.contains(['\\', '\n', '\r']);
    let name = name
        .replace('\\', r"\\")
        .replace('\n', r"\n")
        .replace('\r', r"\r");
    let sign = if is_escaped { "\\" } else { "" };
    format!("{sign}{}  {name}\n", crate::json::hex(hash))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_b3sums() {
        let zeros = "0".repeat(64);
        assert_eq!(line("a b", &[0; 32]), format!("{zeros}  a b\n"));
        assert_eq!(line("a\nb", &[0; 32]), format!("\\{zeros}  a\\nb\n"));
        if cfg!(unix) {
            assert_eq!(line("a\\b", &[0; 32]), format!("\\{zeros}  a\\\\b\n"));
        }
    }

    #[test]
    fn files_that_were_there_are_hashed() {
        let directory = tempfile::tempdir().unwrap();
        let (file, list) = (directory.path().join("f"), directory.path().join("list"));
        std::fs::write(&file, "abc").unwrap();
        let mut manifest = Manifest::create(&list).unwrap();
        manifest.add(&file, None).unwrap();
        manifest
            .add(&file, Some(*blake3::hash(b"abc").as_bytes()))
            .unwrap();
        assert!(
            manifest
                .add(&directory.path().join("missing"), None)
                .is_err()
        );
        manifest.finish().unwrap();
        let text = std::fs::read_to_string(list).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0], lines[1]);
        assert!(
            lines[0]
                .starts_with("6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85  ")
        );
    }
}
