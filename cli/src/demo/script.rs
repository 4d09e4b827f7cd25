//! Who does what in the demonstration, with which files, and whether they arrived whole.

use std::fs;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use transport_std::{
    Client, ClientOptions, GetOptions, Progress, PublicKey, PutOptions, Trust, Tuning, fingerprint,
};

use super::stage::{Stage, Voice};
use crate::escape::{self, Escaped};
use crate::exchange::Exchange;
use crate::exit::Error;
use crate::failure;
use crate::keys::KeyPair;
use crate::session::figures;
use crate::units;

/// The server's directory.
pub(super) const SHARED: &str = "shared";

/// Files that the server has, with their sizes.
const SERVER_FILES: [(&str, usize); 4] = [
    ("cargo.bin", 20 << 20),
    ("manifest of the cargo.txt", 4_321),
    ("海図.txt", 1_000_000),
    ("empty.log", 0),
];
/// Files that Anna brings.
const ANNA_FILES: [(&str, usize); 2] = [("harbour photo.jpg", 6 << 20), ("one byte", 1)];
/// Files that Ben brings.
const BEN_FILES: [(&str, usize); 2] = [("logbook.txt", (1 << 20) - 1), ("nothing", 0)];

/// One step of a user.
#[derive(Clone, Copy, Debug)]
enum Step {
    List,
    Get(&'static str),
    Put(&'static str),
}

/// One user: a key, a directory, a script.
#[derive(Debug)]
pub(super) struct User {
    name: &'static str,
    voice: Voice,
    key: KeyPair,
    home: PathBuf,
    shared: PathBuf,
    script: &'static [Step],
}

/// What came of one file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Result {
    /// The server's name for it.
    pub(super) remote: String,
    /// Who.
    pub(super) user: &'static str,
    /// The user's key.
    pub(super) key: PublicKey,
    /// Up or down.
    pub(super) is_upload: bool,
    /// Bytes.
    pub(super) size: u64,
    /// From the request to the end.
    pub(super) elapsed: Duration,
    /// Bytes sent again.
    pub(super) resent: u64,
    /// Both files, read back from the disk, have the same BLAKE3 hash.
    pub(super) is_same: bool,
    source: PathBuf,
    copy: PathBuf,
}

/// What a user's part ends with.
type Outcome<T> = std::result::Result<T, Error>;

impl User {
    /// Fetches the large file and brings a photo.
    pub(super) fn anna(directory: &Path) -> Self {
        const SCRIPT: &[Step] = &[
            Step::List,
            Step::Get("manifest of the cargo.txt"),
            Step::Get("cargo.bin"),
            Step::Put("harbour photo.jpg"),
            Step::Put("one byte"),
            Step::List,
        ];
        Self::new("anna", Voice::Anna, directory, SCRIPT)
    }

    /// Fetches the same large file at the same time.
    pub(super) fn ben(directory: &Path) -> Self {
        const SCRIPT: &[Step] = &[
            Step::List,
            Step::Put("logbook.txt"),
            Step::Get("cargo.bin"),
            Step::Get("海図.txt"),
            Step::Get("empty.log"),
            Step::Put("nothing"),
        ];
        Self::new("ben", Voice::Ben, directory, SCRIPT)
    }

    fn new(name: &'static str, voice: Voice, directory: &Path, script: &'static [Step]) -> Self {
        Self {
            name,
            voice,
            key: KeyPair::generate(name),
            home: directory.join(name),
            shared: directory.join(SHARED),
            script,
        }
    }

    /// The line that lets the user in.
    pub(super) fn authorized_line(&self) -> String {
        self.key.public_line()
    }

    /// Plays the whole script in one session.
    pub(super) fn act(
        &self,
        server: SocketAddr,
        key: PublicKey,
        tuning: Tuning,
        stage: &Stage,
    ) -> Outcome<Vec<Result>> {
        let say = |text: &str| stage.say(self.voice, text);
        say(&format!(
            "connects to {server} as {}",
            fingerprint(&self.key.public())
        ));
        let options = ClientOptions {
            tuning,
            ..ClientOptions::new(Trust::Key(key))
        };
        let client = Client::connect(server, self.key.identity(), options)
            .map_err(|error| failure::from_client(&error))?;
        say("connected; the server holds the right key");
        let mut results = Vec::new();
        for step in self.script {
            match *step {
                Step::List => self.list(&client, &say)?,
                Step::Get(name) => results.push(self.copy(&client, name, false, &say)?),
                Step::Put(name) => results.push(self.copy(&client, name, true, &say)?),
            }
        }
        if let Some(stats) = client.stats() {
            say(&format!("leaves: {}", figures(&stats)));
        }
        client.close();
        Ok(results)
    }

    fn list(&self, client: &Client, say: &impl Fn(&str)) -> Outcome<()> {
        say("asks: list /");
        let mut entries = client
            .list("")
            .map_err(|error| failure::from_client(&error))?;
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        for entry in &entries {
            say(&format!(
                "  {:>10}  {}",
                units::size(entry.size),
                Escaped(&entry.name)
            ));
        }
        say(&format!("done: list /, {} entries", entries.len()));
        Ok(())
    }

    fn copy(
        &self,
        client: &Client,
        name: &str,
        is_upload: bool,
        say: &impl Fn(&str),
    ) -> Outcome<Result> {
        let (mine, theirs) = (self.home.join(name), self.shared.join(name));
        let verb = if is_upload { "upload" } else { "download" };
        let mut exchange = Exchange::new(format!("{verb} {name}"));
        say(&exchange.asked());
        let each = |progress: Progress| {
            if let Some(line) = exchange.line(progress) {
                say(&line);
            }
        };
        let result = if is_upload {
            client.put(&mine, name, &PutOptions::default(), each)
        } else {
            client.get(name, &mine, &GetOptions::default(), each)
        };
        say(&exchange.ended(&result));
        let stored = result.map_err(|error| failure::from_client(&error))?;
        let (source, copy) = if is_upload {
            (mine, theirs)
        } else {
            (theirs, mine)
        };
        Ok(Result {
            remote: name.to_owned(),
            user: self.name,
            key: self.key.public(),
            is_upload,
            size: stored.size,
            elapsed: stored.stats.elapsed,
            resent: stored.stats.resent,
            is_same: false,
            source,
            copy,
        })
    }
}

/// Makes everybody's files. Their bytes look random and are the same in every run.
pub(super) fn make_files(directory: &Path) -> Outcome<()> {
    let places: [(&str, &[(&str, usize)]); 3] = [
        (SHARED, &SERVER_FILES),
        ("anna", &ANNA_FILES),
        ("ben", &BEN_FILES),
    ];
    for (place, files) in places {
        let place = directory.join(place);
        fs::create_dir(&place).map_err(|error| Error::io(escape::path(&place), &error))?;
        for (name, size) in files {
            let path = place.join(name);
            write_file(&path, name, *size)
                .map_err(|error| Error::io(escape::path(&path), &error))?;
        }
    }
    Ok(())
}

fn write_file(path: &Path, name: &str, size: usize) -> io::Result<()> {
    let mut bytes = vec![0; size];
    blake3::Hasher::new()
        .update(name.as_bytes())
        .finalize_xof()
        .fill(&mut bytes);
    fs::File::create_new(path)?.write_all(&bytes)
}

/// Compares source and copy by the hashes of what the disk holds now, whatever the protocol found.
pub(super) fn verify(results: &mut [Result]) {
    for result in results {
        result.is_same = match (hash_file(&result.source), hash_file(&result.copy)) {
            (Ok(source), Ok(copy)) => source == copy,
            _ => false,
        };
    }
}

fn hash_file(path: &Path) -> io::Result<blake3::Hash> {
    let mut hasher = blake3::Hasher::new();
    io::copy(&mut fs::File::open(path)?, &mut hasher)?;
    Ok(hasher.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verifying_can_fail() {
        let directory = tempfile::tempdir().unwrap();
        make_files(directory.path()).unwrap();
        let shared = directory.path().join(SHARED);
        let result = |source: &str, copy: &str| Result {
            remote: source.to_owned(),
            user: "anna",
            key: PublicKey([0; 32]),
            is_upload: false,
            size: 0,
            elapsed: Duration::ZERO,
            resent: 0,
            is_same: false,
            source: shared.join(source),
            copy: shared.join(copy),
        };
        fs::copy(shared.join("海図.txt"), shared.join("copy")).unwrap();
        let mut results = [
            result("海図.txt", "copy"),
            result("海図.txt", "empty.log"),
            result("海図.txt", "missing"),
            result("missing", "missing"),
        ];
        verify(&mut results);
        assert_eq!(
            results.map(|result| result.is_same),
            [true, false, false, false]
        );
    }

    #[test]
    fn every_user_brings_what_the_script_uploads() {
        let directory = tempfile::tempdir().unwrap();
        make_files(directory.path()).unwrap();
        for user in [User::anna(directory.path()), User::ben(directory.path())] {
            for step in user.script {
                match step {
                    Step::Get(name) => assert!(user.shared.join(name).exists()),
                    Step::Put(name) => assert!(user.home.join(name).exists()),
                    Step::List => {}
                }
            }
        }
    }
}
