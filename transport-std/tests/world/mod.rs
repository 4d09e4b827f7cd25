//! A server, its clients and their directories, for tests over real sockets.
#![allow(dead_code, unreachable_pub, reason = "each test program uses its part")]

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use tempfile::TempDir;
use transport_std::{
    Client, ClientError, ClientOptions, ErrorCode, Failure, Identity, Rights, Server,
    ServerBuilder, ServerEvent, ServerHandle, Trust,
};

/// A server with one shared directory, and a directory for its clients.
pub struct World {
    pub shared: TempDir,
    pub local: TempDir,
    pub server: ServerHandle,
    pub events: Arc<Mutex<Vec<ServerEvent>>>,
}

impl World {
    pub fn new() -> Self {
        Self::with(|server| server)
    }

    pub fn with(change: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Self {
        let (shared, local) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let events = Arc::new(Mutex::new(Vec::new()));
        let log = events.clone();
        let builder = Server::builder(Identity::generate())
            .share_root(shared.path(), Rights::ReadWrite)
            .on_event(move |event| log.lock().unwrap().push(event.clone()));
        let server = change(builder)
            .bind("127.0.0.1:0")
            .unwrap()
            .spawn()
            .unwrap();
        Self {
            shared,
            local,
            server,
            events,
        }
    }

    pub fn options(&self) -> ClientOptions {
        ClientOptions::new(Trust::Key(self.server.public_key()))
    }

    pub fn client(&self) -> Client {
        self.client_with(self.options())
    }

    pub fn client_with(&self, options: ClientOptions) -> Client {
        Client::connect(self.server.local_addr(), &Identity::generate(), options).unwrap()
    }

    pub fn shared(&self, name: &str) -> PathBuf {
        self.shared.path().join(name)
    }

    pub fn local(&self, name: &str) -> PathBuf {
        self.local.path().join(name)
    }

    /// Makes a file of `size` bytes that differ from place to place and from `seed` to `seed`.
    pub fn make(path: &Path, size: usize, seed: u64) -> Vec<u8> {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let bytes: Vec<u8> = (0..size)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                (state >> 32) as u8
            })
            .collect();
        fs::write(path, &bytes).unwrap();
        bytes
    }

    /// Whether dhow left a temporary file anywhere.
    pub fn assert_clean(&self) {
        for directory in [&self.shared, &self.local] {
            for entry in fs::read_dir(directory.path()).unwrap() {
                let name = entry.unwrap().file_name();
                assert!(
                    !name.as_bytes().starts_with(b".dhow-"),
                    "{name:?} was left behind"
                );
            }
        }
    }
}

/// What the server answered, whether it refused the request or failed at it.
pub fn refusal(result: Result<impl std::fmt::Debug, ClientError>) -> ErrorCode {
    match failure(result) {
        Failure::Refused(code) | Failure::Peer(code) => code,
        other => panic!("not the server's answer: {other:?}"),
    }
}

pub fn failure(result: Result<impl std::fmt::Debug, ClientError>) -> Failure {
    match result.unwrap_err() {
        ClientError::Transfer { failure, .. } => failure,
        other => panic!("not a failed transfer: {other:?}"),
    }
}
