//! Exit codes, and errors that know theirs and say what to do.

use std::fmt;

/// What the process ends with; the numbers are fixed, scripts depend on them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Any other error.
    Other = 1,
    /// The command line makes no sense.
    Usage = 2,
    /// The server was not reached.
    Unreachable = 3,
    /// The peer is not trusted, or the login was refused.
    Untrusted = 4,
    /// The source was not found.
    NotFound = 5,
    /// Refused by policy: read-only, exists, name, rights.
    Refused = 6,
    /// The data's hash is wrong.
    Integrity = 7,
    /// Some files failed, the rest are fine.
    Partial = 8,
    /// Interrupted, or the peer vanished in mid-transfer: run the same command again. (`EX_TEMPFAIL` of sysexits.)
    Interrupted = 75,
}

/// An error as the user sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Error {
    /// What the process ends with when this is all that happened.
    pub(crate) exit: Exit,
    /// A short name that scripts can compare; listed in `docs/EVENTS.md`.
    pub(crate) code: &'static str,
    /// What is wrong. Names within are escaped already.
    pub(crate) text: String,
    /// What to do about it.
    pub(crate) hint: Option<String>,
}

impl Error {
    /// An error without advice.
    pub(crate) fn new(exit: Exit, code: &'static str, text: impl Into<String>) -> Self {
        Self {
            exit,
            code,
            text: text.into(),
            hint: None,
        }
    }

    /// The command line makes no sense.
    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self::new(Exit::Usage, "usage", text)
    }

    /// A local file or device failed: `what` names the thing that was tried.
    pub(crate) fn io(what: impl fmt::Display, error: &std::io::Error) -> Self {
        use std::io::ErrorKind;
        let text = format!("{what}: {error}");
        match error.kind() {
            ErrorKind::NotFound => Self::new(Exit::NotFound, "not-found", text),
            ErrorKind::NotADirectory => Self::new(Exit::NotFound, "not-directory", text),
            ErrorKind::IsADirectory => Self::new(Exit::Refused, "is-directory", text),
            ErrorKind::StorageFull => Self::new(Exit::Other, "no-space", text),
            ErrorKind::PermissionDenied => Self::new(Exit::Refused, "denied", text),
            ErrorKind::AlreadyExists => Self::new(Exit::Refused, "exists", text),
            _ => Self::new(Exit::Other, "io", text),
        }
    }

    /// What became of writing to stdout. A reader that has enough (`| head`) is no error; a full disk is.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn of_stdout(written: std::io::Result<()>) -> Result<(), Self> {
        match written {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                Err(Self::io("writing to stdout", &error))
            }
            _ => Ok(()),
        }
    }

    /// The same with advice.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same about something: `subject: text`.
    #[must_use]
    pub(crate) fn about(mut self, subject: impl fmt::Display) -> Self {
        self.text = format!("{subject}: {}", self.text);
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The exit code of a command on several files: the one of the only error, `Partial` when something was done, too.
pub(crate) fn combined(done: usize, errors: impl IntoIterator<Item = Exit>) -> u8 {
    let mut errors = errors.into_iter().peekable();
    let Some(first) = errors.peek().copied() else {
        return 0;
    };
    let mut same = true;
    for error in errors {
        // An interruption stops the whole command, whatever was done before it.
        if error == Exit::Interrupted {
            return Exit::Interrupted as u8;
        }
        same &= error == first;
    }
    match same {
        _ if done > 0 => Exit::Partial as u8,
        true => first as u8,
        false => Exit::Other as u8,
    }
}

/// The exit codes of errors.
pub(crate) fn exits(errors: &[Error]) -> impl Iterator<Item = Exit> {
    errors.iter().map(|error| error.exit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_combine() {
        let (missing, refused, stopped) = (Exit::NotFound, Exit::Refused, Exit::Interrupted);
        assert_eq!(combined(3, []), 0);
        assert_eq!(combined(0, [missing]), 5);
        assert_eq!(combined(0, [missing, missing]), 5);
        assert_eq!(combined(1, [missing]), 8);
        assert_eq!(combined(0, [missing, refused]), 1);
        assert_eq!(combined(1, [missing, stopped]), 75);
    }

    #[test]
    fn io_errors_have_codes() {
        let error = std::io::Error::from(std::io::ErrorKind::NotFound);
        let error = Error::io("reading x", &error).about("y");
        assert_eq!((error.exit, error.code), (Exit::NotFound, "not-found"));
        assert!(error.to_string().starts_with("y: reading x: "));
        for (kind, exit) in [
            (std::io::ErrorKind::NotADirectory, Exit::NotFound),
            (std::io::ErrorKind::IsADirectory, Exit::Refused),
            (std::io::ErrorKind::StorageFull, Exit::Other),
        ] {
            assert_eq!(Error::io("x", &kind.into()).exit, exit);
        }
    }
}
