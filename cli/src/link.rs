//! A server for as long as a command takes: a session that is lost is opened again, with back-off.

use std::cell::{Cell, RefCell};
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::connection::Connection;
use crate::exit::{Error, Exit};
use crate::interrupt;
use crate::json;
use crate::known_hosts::host_name;
use crate::remote::Remote;
use crate::session::App;
use crate::units;

/// The first wait; each further one is twice as long…
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// … up to this.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// How often a wait looks whether Ctrl-C was pressed.
const LOOK: Duration = Duration::from_millis(50);

/// A server that a command talks to.
pub(crate) struct Link<'a> {
    app: &'a App,
    remote: Remote,
    connection: RefCell<Connection>,
    /// Since when nothing has gone on, and how often a session was opened in vain since then.
    trouble: Cell<Option<(Instant, u32)>>,
}

impl<'a> Link<'a> {
    /// Connects.
    ///
    /// # Errors
    /// Those of [`App::connect`]: nothing is tried twice before there was a session.
    pub(crate) fn open(app: &'a App, remote: &Remote) -> Result<Self, Error> {
        Ok(Self {
            app,
            remote: remote.clone(),
            connection: RefCell::new(app.connect(remote)?),
            trouble: Cell::new(None),
        })
    }

    /// What the server is called, with its port.
    pub(crate) fn name(&self) -> String {
        host_name(&self.remote.host, self.remote.port_or(self.app.global.port))
    }

    /// The present session.
    pub(crate) fn connection(&self) -> Connection {
        self.connection.borrow().clone()
    }

    /// Bytes or files went on: the next trouble is a new one.
    pub(crate) fn went_on(&self) {
        self.trouble.set(None);
    }

    /// Whether `error` is one after which a new session helps.
    pub(crate) fn is_lost(&self, error: &Error) -> bool {
        error.code == "session-lost" && !self.connection.borrow().is_classic()
    }

    /// Opens a session again after `lost` has ended the last one: waits 1 s, 2 s, 4 s, … (a quarter more or less, so that
    /// many clients do not come back at once), at most 30 s, and gives up when nothing has gone on for `--timeout`.
    ///
    /// # Errors
    /// `lost` after giving up or Ctrl-C; what makes further tries senseless, such as another server's key.
    pub(crate) fn again(&self, lost: Error) -> Result<(), Error> {
        let patience = self.app.global.timeout;
        let (since, mut tries) = self.trouble.get().unwrap_or((Instant::now(), 0));
        let mut why = lost.text.clone();
        loop {
            let wait = jittered(wait_before(tries));
            tries += 1;
            self.trouble.set(Some((since, tries)));
            let left = patience.saturating_sub(since.elapsed());
            if left.is_zero() {
                return Err(self.given_up(lost, patience));
            }
            let wait = wait.min(left);
            self.tell(tries, wait, left, &why);
            if !rest(wait) {
                return Err(interrupted());
            }
            match self.app.connect(&self.remote) {
                Ok(connection) => {
                    let before = self.connection.replace(connection);
                    self.app.close(&before);
                    let text = format!(
                        "reached the server again after {}",
                        units::duration(since.elapsed())
                    );
                    self.app.log.line(&text);
                    return Ok(());
                }
                Err(error) if is_passing(&error) => why = error.text,
                Err(error) => return Err(error),
            }
            if interrupt::is_pressed() {
                return Err(interrupted());
            }
        }
    }

    fn tell(&self, tries: u32, wait: Duration, left: Duration, why: &str) {
        let text = format!(
            "{why}; trying again in {} (try {tries}, giving up in {})",
            units::duration(wait),
            units::duration(left)
        );
        self.app.log.line(&format!("reconnecting: {text}"));
        if self.app.global.json {
            json::emit(
                "reconnecting",
                json!({ "try": tries, "wait_seconds": json::seconds(wait), "left_seconds": json::seconds(left), "text": why }),
            );
        }
        if !self.app.global.verbose {
            self.app.note(&text);
        }
    }

    fn given_up(&self, lost: Error, patience: Duration) -> Error {
        let Error { text, hint, .. } = lost;
        let error = Error::new(
            Exit::Interrupted,
            "session-lost",
            format!(
                "{text}; the server did not come back in {}",
                units::duration(patience)
            ),
        );
        match hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }

    /// Ends the session.
    pub(crate) fn close(&self) {
        self.app.close(&self.connection.borrow());
    }
}

/// Whether another try may end otherwise: nobody answers just now, or the server is full.
fn is_passing(error: &Error) -> bool {
    matches!(error.exit, Exit::Unreachable | Exit::Interrupted) || error.code == "busy"
}

fn interrupted() -> Error {
    Error::new(
        Exit::Interrupted,
        "interrupted",
        "interrupted while the server was away",
    )
}

/// The wait before the try that follows `tries` others.
fn wait_before(tries: u32) -> Duration {
    FIRST_WAIT
        .saturating_mul(1_u32.checked_shl(tries).unwrap_or(u32::MAX))
        .min(LONGEST_WAIT)
}

/// A quarter more or less.
fn jittered(wait: Duration) -> Duration {
    // Each `RandomState` has keys of its own: randomness enough to spread clients.
    let share = RandomState::new().hash_one(0_u8) % 1_000;
    wait.mul_f64(0.75 + share as f64 / 2_000.0)
}

/// Waits; false when Ctrl-C ended it.
fn rest(wait: Duration) -> bool {
    let end = Instant::now() + wait;
    loop {
        if interrupt::is_pressed() {
            return false;
        }
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return true;
        }
        std::thread::sleep(left.min(LOOK));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_half_a_minute() {
        let waits: Vec<u64> = (0..7).map(|tries| wait_before(tries).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(wait_before(u32::MAX), LONGEST_WAIT);
        for _ in 0..100 {
            let wait = jittered(Duration::from_secs(8));
            assert!((6.0..=10.0).contains(&wait.as_secs_f64()), "{wait:?}");
        }
    }

    #[test]
    fn what_a_further_try_may_mend() {
        let error = |exit, code| Error::new(exit, code, "x");
        assert!(is_passing(&error(Exit::Unreachable, "not-reached")));
        assert!(is_passing(&error(Exit::Unreachable, "resolve")));
        assert!(is_passing(&error(Exit::Other, "busy")));
        assert!(!is_passing(&error(Exit::Untrusted, "host-key-changed")));
        assert!(!is_passing(&error(Exit::Untrusted, "login-refused")));
        assert!(!is_passing(&error(Exit::Other, "protocol")));
    }
}
