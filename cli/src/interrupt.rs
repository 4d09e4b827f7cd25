//! Ctrl-C: the first ends the job in good order, the second the process.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use transport_std::Cancel;

use crate::exit::{Error, Exit};

static PRESSED: AtomicU32 = AtomicU32::new(0);
static BUSY: AtomicBool = AtomicBool::new(false);

/// Calls `first` at the first SIGINT, SIGTERM or SIGHUP. At the second, or when no job is under way, the process ends.
fn install(first: impl Fn() + Send + 'static) -> Result<(), Error> {
    ctrlc::set_handler(move || {
        let before = PRESSED.fetch_add(1, Ordering::SeqCst);
        if before > 0 || !BUSY.load(Ordering::SeqCst) {
            end();
        }
        first();
    })
    .map_err(|error| {
        Error::new(
            Exit::Other,
            "signals",
            format!("signals cannot be handled: {error}"),
        )
    })
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

/// For `serve`: stops the server in good order.
///
/// # Errors
/// The system gives no handler.
pub(crate) fn stop_at_signal(stop: impl Fn() + Send + 'static) -> Result<(), Error> {
    BUSY.store(true, Ordering::SeqCst);
    install(stop)
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
