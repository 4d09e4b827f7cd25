//! `dhow demo`: a server and two users at once on this machine, through a network that loses and reorders packets.

mod script;
mod stage;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;
use transport_std::{
    Faults, Job, PublicKey, RequestKind, Rights, Server, ServerEvent, ServerHandle, Tuning,
    fingerprint,
};

use crate::args::Demo;
use crate::escape;
use crate::exit::{Error, Exit};
use crate::interrupt;
use crate::keys::{AuthorizedKeys, KeyPair};
use crate::server_log::ServerLog;
use crate::users::Users;
use script::{Result as UserResult, User};
use stage::{Stage, Voice};

/// Share of packets that are held back so long that others overtake them.
const REORDER: f64 = 0.05;
/// How long they are held back.
const DELAY: Duration = Duration::from_millis(5);

/// Each finds fewer directories in which a file could still appear.
const REMOVE_TRIES: u32 = 100;

/// Bytes that the server sent again, by user and job.
type Resent = Arc<Mutex<Vec<(PublicKey, Arc<Job>, u64)>>>;

/// Runs the demonstration.
///
/// # Errors
/// Anything that keeps it from its end, files that differ included.
pub(crate) fn run(args: &Demo) -> std::result::Result<u8, Error> {
    let outcome = act(args);
    // Whatever failed after a signal failed because its files were being removed.
    interrupt::wait_for_end();
    outcome
}

fn act(args: &Demo) -> std::result::Result<u8, Error> {
    let directory = make_directory(args.keep)?;
    let stage = Arc::new(Stage::new());
    let users = [User::anna(directory.path()), User::ben(directory.path())];
    stage.title(&format!(
        "A server and two users on this machine. Their packets pass a network that loses {} % and reorders {:.0} %.",
        args.loss,
        REORDER * 100.0
    ));
    script::make_files(directory.path())?;
    let resent = Resent::default();
    let server = start_server(directory.path(), &users, args, &stage, &resent)?;
    let address = server.local_addr();
    let key = server.public_key();
    let results: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = users
            .iter()
            .zip(1_u64..)
            .map(|(user, number)| {
                let tuning = tuning(args, number);
                let stage = &stage;
                scope.spawn(move || user.act(address, key, tuning, stage))
            })
            .collect();
        threads.into_iter().map(|thread| thread.join()).collect()
    });
    server
        .stop()
        .map_err(|error| Error::io("stopping the server", &error))?;
    let mut rows = Vec::new();
    for result in results {
        let died = || Error::new(Exit::Other, "demo", "a user's thread died");
        rows.extend(result.map_err(|_| died())??);
    }
    add_resent(&mut rows, &resent);
    script::verify(&mut rows);
    stage.table(&rows);
    if args.keep {
        stage.title(&format!(
            "The files stay in {}",
            escape::path(&directory.keep())
        ));
    }
    let wrong = rows.iter().filter(|row| !row.is_same).count();
    if wrong > 0 {
        let text = format!("{wrong} files arrived with other bytes than they left with");
        return Err(Error::new(Exit::Integrity, "integrity", text));
    }
    stage.title(&format!(
        "All {} files arrived with the bytes they left with.",
        rows.len()
    ));
    Ok(0)
}

/// Makes the directory. Unless it is to be kept, a signal removes it, one that comes while it is being made as well.
fn make_directory(keep: bool) -> std::result::Result<TempDir, Error> {
    let made = Arc::new(Mutex::new(None::<PathBuf>));
    let theirs = Arc::clone(&made);
    let mut made = made.lock().unwrap_or_else(PoisonError::into_inner);
    if !keep {
        interrupt::end_at_signal(move || {
            let made = theirs.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(path) = made.as_deref() {
                remove(path);
            }
        })?;
    }
    let directory = tempfile::Builder::new()
        .prefix("dhow-demo-")
        .tempdir()
        .map_err(|error| Error::io("making a directory for the demo", &error))?;
    *made = Some(directory.path().to_owned());
    Ok(directory)
}

/// Removes the directory under the hands of those who still write there: again when a file came meanwhile.
fn remove(directory: &Path) {
    for _ in 0..REMOVE_TRIES {
        match std::fs::remove_dir_all(directory) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {}
            _ => return,
        }
    }
}

/// The server counts what it sent again in downloads; the users know it of their uploads.
fn add_resent(rows: &mut [UserResult], resent: &Resent) {
    let Ok(resent) = resent.lock() else { return };
    for row in rows.iter_mut().filter(|row| !row.is_upload) {
        let found = resent.iter().find(|(key, job, _)| {
            *key == row.key
                && job.kind == RequestKind::Get
                && job.path.as_bytes() == row.remote.as_bytes()
        });
        row.resent = found.map_or(0, |(_, _, bytes)| *bytes);
    }
}

fn tuning(args: &Demo, number: u64) -> Tuning {
    let faults = Faults {
        reorder: REORDER,
        delay: DELAY,
        ..Faults::loss(
            args.seed.wrapping_mul(1_000).wrapping_add(number),
            f64::from(args.loss) / 100.0,
        )
    };
    Tuning {
        idle_timeout: Duration::from_secs(30),
        faults: Some(faults),
        ..Tuning::default()
    }
}

fn start_server(
    directory: &Path,
    users: &[User],
    args: &Demo,
    stage: &Arc<Stage>,
    resent: &Resent,
) -> std::result::Result<ServerHandle, Error> {
    let lines: Vec<String> = users.iter().map(User::authorized_line).collect();
    let known = Arc::new(Users::fixed(AuthorizedKeys::parse(&lines.join("\n"))));
    let mut log = ServerLog::new(Arc::clone(&known));
    let (theirs, resent) = (Arc::clone(stage), Arc::clone(resent));
    let server = Server::builder(KeyPair::generate("demo").identity().clone())
        .share_root(directory.join(script::SHARED), Rights::ReadWrite)
        .admission(move |key, _| known.find(key).map(|_| Rights::ReadWrite))
        .on_event(move |event| {
            if let Some(line) = log.text(event) {
                theirs.say(Voice::Server, &line);
            }
            if let (
                ServerEvent::Finished {
                    session,
                    job,
                    stats,
                    ..
                },
                Ok(mut resent),
            ) = (event, resent.lock())
            {
                resent.extend(session.key.map(|key| (key, Arc::clone(job), stats.resent)));
            }
        })
        .tuning(tuning(args, 0))
        .bind("127.0.0.1:0")
        .map_err(|error| Error::io("listening on 127.0.0.1", &error))?;
    let (address, key) = (server.local_addr(), fingerprint(&server.public_key()));
    stage.say(
        Voice::Server,
        &format!("listens on {address}, host key {key}"),
    );
    server
        .spawn()
        .map_err(|error| Error::io("starting the server", &error))
}
