//! Real processes of `dhow` for the end-to-end tests.
#![allow(dead_code)]

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// A directory of its own with a `shared` and a `local` directory, and homes for dhow's files.
pub(crate) struct World {
    root: tempfile::TempDir,
}

impl World {
    /// An empty one.
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        for directory in ["shared", "local"] {
            std::fs::create_dir(root.path().join(directory)).unwrap();
        }
        Self { root }
    }

    /// A file in the shared directory.
    pub(crate) fn shared(&self, name: impl AsRef<Path>) -> PathBuf {
        self.root.path().join("shared").join(name)
    }

    /// A file in the user's directory.
    pub(crate) fn local(&self, name: impl AsRef<Path>) -> PathBuf {
        self.root.path().join("local").join(name)
    }

    /// A file beside both.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// The names in a directory, sorted.
    pub(crate) fn names(&self, directory: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.root.path().join(directory)).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    /// `dhow` as the user `name`, in the user's directory.
    pub(crate) fn command(&self, name: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dhow"));
        command
            .env("DHOW_HOME", self.root.path().join("homes").join(name))
            .env("USER", name)
            .current_dir(self.root.path().join("local"))
            .stdin(Stdio::null());
        command
    }

    /// Runs `dhow` as the user `name` to its end.
    pub(crate) fn run<A: AsRef<OsStr>>(
        &self,
        name: &str,
        args: impl IntoIterator<Item = A>,
    ) -> Ran {
        Ran::from(self.command(name).args(args).output().unwrap())
    }

    /// A user's public key line.
    pub(crate) fn key_line(&self, name: &str) -> String {
        let ran = self.run(name, ["key", "show"]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        ran.stdout.trim_end().to_owned()
    }

    /// A server of the shared directory with these further arguments.
    pub(crate) fn serve(&self, args: &[&str]) -> Server {
        self.serve_as("server", "127.0.0.1:0", args)
    }

    /// The same with a choice of home and address.
    pub(crate) fn serve_as(&self, home: &str, listen: &str, args: &[&str]) -> Server {
        let mut child = self
            .command(home)
            .args(["serve", "--json", "--listen", listen])
            .args(args)
            .arg(self.shared(""))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let Ok(listening) = serde_json::from_str::<Value>(&line) else {
            let _ = child.kill();
            let mut text = String::new();
            let _ = child.stderr.take().unwrap().read_to_string(&mut text);
            panic!("the server did not start: {line}{text}");
        };
        assert_eq!(listening["event"], "listening");
        Server {
            child,
            out,
            address: listening["addr"].as_str().unwrap().to_owned(),
            host_key: listening["host_key"].as_str().unwrap().to_owned(),
        }
    }
}

/// A server process; killed when dropped.
pub(crate) struct Server {
    child: Child,
    out: BufReader<ChildStdout>,
    /// Where it listens.
    pub(crate) address: String,
    /// Its fingerprint.
    pub(crate) host_key: String,
}

impl Server {
    /// The operand for a path on it.
    pub(crate) fn at(&self, path: &str) -> String {
        format!("dhow://{}/{path}", self.address)
    }

    /// Bytes of files that it has read, and written, so far.
    #[cfg(target_os = "linux")]
    pub(crate) fn bytes(&self) -> (u64, u64) {
        let text = std::fs::read_to_string(format!("/proc/{}/io", self.child.id())).unwrap();
        let of = |name: &str| {
            let mut lines = text.lines();
            let line = lines.find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim().parse().unwrap()
        };
        (of("rchar:"), of("wchar:"))
    }

    /// Its next JSON line.
    pub(crate) fn next_event(&mut self) -> Value {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("no JSON: {line:?}"))
    }

    /// Its next JSON line of this kind.
    pub(crate) fn next_named(&mut self, name: &str) -> Value {
        loop {
            let event = self.next_event();
            if event["event"] == name {
                return event;
            }
        }
    }

    /// Ends it at once.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends it a signal.
    #[cfg(unix)]
    pub(crate) fn signal(&self, which: rustix::process::Signal) {
        signal(&self.child, which);
    }

    /// Waits for its end, at most ten seconds.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let child = &mut self.child;
        wait_until("the server has ended", || {
            child.try_wait().unwrap().is_some()
        });
        child.wait().unwrap()
    }

    /// Asks it to end, waits, and says where it listened.
    #[cfg(unix)]
    pub(crate) fn stop_and_address(self) -> String {
        let address = self.address.clone();
        self.stop();
        address
    }

    /// Asks it to end, and waits: how it ended, the rest of its JSON lines, its log.
    #[cfg(unix)]
    pub(crate) fn stop(mut self) -> (ExitStatus, Vec<Value>, String) {
        signal(&self.child, rustix::process::Signal::TERM);
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).unwrap();
        let mut log = String::new();
        self.child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut log)
            .unwrap();
        let events = rest
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        (self.child.wait().unwrap(), events, log)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal to a process that this test started.
#[cfg(unix)]
pub(crate) fn signal(child: &Child, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_child(child);
    rustix::process::kill_process(pid, signal).unwrap();
}

/// What a process left behind.
#[derive(Debug)]
pub(crate) struct Ran {
    /// Exit code.
    pub(crate) code: i32,
    /// Its stdout.
    pub(crate) stdout: String,
    /// Its stderr.
    pub(crate) stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Ran {
    /// Its JSON lines.
    pub(crate) fn events(&self) -> Vec<Value> {
        self.stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// Its JSON lines of this kind.
    pub(crate) fn named(&self, name: &str) -> Vec<Value> {
        self.events()
            .into_iter()
            .filter(|event| event["event"] == name)
            .collect()
    }

    /// Checks exit code and what stderr says.
    #[track_caller]
    pub(crate) fn expect(&self, code: i32, says: &str) {
        assert_eq!(self.code, code, "{self:?}");
        assert!(
            self.stderr.contains(says),
            "'{says}' is not in {}",
            self.stderr
        );
    }

    /// Checks that it went well.
    #[track_caller]
    pub(crate) fn expect_ok(&self) {
        assert_eq!(self.code, 0, "{self:?}");
    }
}

/// Bytes that look random, the same in every run.
pub(crate) fn bytes(size: usize, seed: u8) -> Vec<u8> {
    let mut bytes = vec![0; size];
    blake3::Hasher::new()
        .update(&[seed])
        .finalize_xof()
        .fill(&mut bytes);
    bytes
}

/// Waits until `done` says so, at most ten seconds.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !done() {
        assert!(Instant::now() < end, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Runs the tool as a user who trusts whatever server answers.
pub(crate) fn run(world: &World, args: &[&str]) -> Ran {
    let mut all = vec!["--accept-new"];
    all.extend(args);
    world.run("anna", &all)
}

/// A tree as an independent eye sees it, its top included: content or link target, permission bits but of links, and time.
#[cfg(unix)]
pub(crate) fn look(root: &Path) -> BTreeMap<PathBuf, (Vec<u8>, u32, i128)> {
    use std::os::unix::fs::MetadataExt;
    let mut found = BTreeMap::new();
    let mut todo = vec![root.to_owned()];
    while let Some(path) = todo.pop() {
        let meta = std::fs::symlink_metadata(&path).unwrap();
        let time = i128::from(meta.mtime()) * 1_000_000_000 + i128::from(meta.mtime_nsec());
        let content = if meta.is_symlink() {
            std::fs::read_link(&path)
                .unwrap()
                .into_os_string()
                .into_encoded_bytes()
        } else if meta.is_dir() {
            todo.extend(
                std::fs::read_dir(&path)
                    .unwrap()
                    .map(|it| it.unwrap().path()),
            );
            Vec::new()
        } else {
            std::fs::read(&path).unwrap()
        };
        let mode = if meta.is_symlink() {
            0
        } else {
            meta.mode() & 0o777
        };
        let below = path.strip_prefix(root).unwrap().to_owned();
        found.insert(below, (content, mode, time));
    }
    found
}
