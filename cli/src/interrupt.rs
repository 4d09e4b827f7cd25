//! Ctrl-C: the first ends the job in good order, the second the process. SIGHUP is the same for commands that end by themselves; a
//! server reads its users anew.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use transport_std::Cancel;

use crate::exit::{Error, Exit};

static PRESSED: AtomicU32 = AtomicU32::new(0);
static BUSY: AtomicBool = AtomicBool::new(false);

/// Calls `first` at the first signal that asks for the end. At the second, or when no job is under way, the process ends.
fn install(first: impl Fn() + Send + 'static) -> Result<(), Error> {
    install_with(first, None::<fn()>)
}

/// The same; `hang_up`, if there is one, is called at SIGHUP instead, unless the terminal has gone.
fn install_with(
    first: impl Fn() + Send + 'static,
    hang_up: Option<impl Fn() + Send + 'static>,
) -> Result<(), Error> {
    let pressed = move || {
        let before = PRESSED.fetch_add(1, Ordering::SeqCst);
        if before > 0 || !BUSY.load(Ordering::SeqCst) {
            end();
        }
        first();
    };
    system::on_signals(pressed, hang_up).map_err(|error| {
        Error::new(
            Exit::Other,
            "signals",
            format!("signals cannot be handled: {error}"),
        )
    })
}

#[cfg(unix)]
mod system {
    use std::thread;

    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;

    use super::io;

    pub(super) fn on_signals(
        end: impl Fn() + Send + 'static,
        hang_up: Option<impl Fn() + Send + 'static>,
    ) -> io::Result<()> {
        let mut wanted = vec![SIGINT, SIGTERM, SIGHUP];
        let terminal = Terminal::look();
        if terminal.ignored && hang_up.is_none() {
            // `nohup` means it.
            wanted.pop();
        }
        let mut signals = Signals::new(wanted)?;
        let handle = move || {
            for signal in signals.forever() {
                match &hang_up {
                    Some(hang_up) if signal == SIGHUP && !terminal.has_gone(has_terminal()) => {
                        hang_up();
                    }
                    _ => end(),
                }
            }
        };
        let name = "dhow-signals".to_owned();
        thread::Builder::new().name(name).spawn(handle).map(drop)
    }

    /// What there was when the process began.
    #[derive(Clone, Copy, Debug)]
    struct Terminal {
        was_there: bool,
        /// SIGHUP was ignored.
        ignored: bool,
    }

    impl Terminal {
        fn look() -> Self {
            let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
            Self {
                was_there: has_terminal(),
                ignored: ignores_hang_up(&status),
            }
        }

        /// Whether SIGHUP tells that the terminal was closed, and not that somebody sent it.
        fn has_gone(self, is_there: bool) -> bool {
            self.was_there && !is_there && !self.ignored
        }
    }

    /// Whether the process belongs to a terminal.
    fn has_terminal() -> bool {
        std::fs::File::open("/dev/tty").is_ok()
    }

    /// Reads the mask of ignored signals in `/proc/self/status`; systems without it ignore nothing.
    fn ignores_hang_up(status: &str) -> bool {
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        mask.is_some_and(|mask| mask >> (SIGHUP - 1) & 1 == 1)
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_closed_terminal_is_told_from_a_signal() {
            let started = |was_there, ignored| Terminal { was_there, ignored };
            assert!(started(true, false).has_gone(false));
            assert!(!started(true, false).has_gone(true), "kill -HUP");
            assert!(!started(true, true).has_gone(false), "nohup");
            assert!(!started(false, false).has_gone(false), "a service");
        }

        #[test]
        fn the_mask_of_ignored_signals_is_read() {
            let status = |mask| format!("Name:\tdhow\nSigBlk:\t1\nSigIgn:\t{mask}\nSigCgt:\t1\n");
            assert!(ignores_hang_up(&status("0000000000000001")));
            assert!(ignores_hang_up(&status("0000000000001003")));
            assert!(!ignores_hang_up(&status("0000000000001002")));
            assert!(!ignores_hang_up(""));
        }
    }
}

#[cfg(not(unix))]
mod system {
    use super::io;

    pub(super) fn on_signals(
        end: impl Fn() + Send + 'static,
        _hang_up: Option<impl Fn() + Send + 'static>,
    ) -> io::Result<()> {
        ctrlc::set_handler(end).map_err(io::Error::other)
    }
}

/// For commands that copy: cancels what is under way.
///
/// # Errors
/// The system gives no handler.
pub(crate) fn cancel_at_signal() -> Result<Cancel, Error> {
    let cancel = Cancel::new();
    let theirs = cancel.clone();
    install(move || theirs.cancel())?;
    Ok(cancel)
}

/// For `serve`: stops the server in good order; at SIGHUP, calls `reload` instead.
///
/// # Errors
/// The system gives no handler.
pub(crate) fn stop_at_signal(
    stop: impl Fn() + Send + 'static,
    reload: impl Fn() + Send + 'static,
) -> Result<(), Error> {
    BUSY.store(true, Ordering::SeqCst);
    install_with(stop, Some(reload))
}

/// For commands that have nothing to end in good order: a signal ends the process, after `clean_up`.
///
/// # Errors
/// The system gives no handler.
pub(crate) fn end_at_signal(clean_up: impl Fn() + Send + 'static) -> Result<(), Error> {
    BUSY.store(true, Ordering::SeqCst);
    install(move || {
        clean_up();
        end();
    })
}

/// With [`end_at_signal`]: when a signal came, waits until its clean-up is done and the process ends.
pub(crate) fn wait_for_end() {
    while is_pressed() {
        std::thread::park();
    }
}

fn end() -> ! {
    std::process::exit(i32::from(Exit::Interrupted as u8))
}

/// Marks a job as under way while it lives.
#[derive(Debug)]
pub(crate) struct Job(());

impl Job {
    /// Begins; a signal now cancels instead of ending the process.
    pub(crate) fn begin() -> Self {
        BUSY.store(true, Ordering::SeqCst);
        Self(())
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        BUSY.store(false, Ordering::SeqCst);
    }
}

/// Whether a signal came.
pub(crate) fn is_pressed() -> bool {
    PRESSED.load(Ordering::SeqCst) > 0
}
