//! Whether a server's key is the right one: known, given, asked for, or taken at first use.

use std::io::{BufRead, IsTerminal, Write};

use transport_std::{PublicKey, fingerprint};

use crate::escape;
use crate::exit::{Error, Exit};
use crate::known_hosts::{self, Known, KnownHosts};

/// What decides about a server that is not known yet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum FirstUse {
    /// `--host-key SHA256:…`: this key and no other.
    Given(String),
    /// `--accept-new`.
    Accept,
    /// A prompt, where there is someone to ask.
    Ask,
}

/// Decides about `key`, shown by the server `name`; a key that is trusted from now on is written down.
///
/// # Errors
/// `Untrusted` in every case in which the session must not go on.
pub(crate) fn decide(
    hosts: &KnownHosts,
    name: &str,
    key: &PublicKey,
    first_use: &FirstUse,
    ask: impl FnOnce(&str, &PublicKey) -> Result<bool, Error>,
) -> Result<(), Error> {
    let known = hosts.check(name, key)?;
    // H15: a changed key stops, whatever else is said.
    if let Known::Changed(before) = known {
        return Err(known_hosts::changed(name, &before, key, hosts.path()));
    }
    if let FirstUse::Given(given) = first_use {
        let shown = fingerprint(key);
        if *given != shown {
            let text = format!("the key of {name} is {shown}, not {given}");
            return Err(Error::new(Exit::Untrusted, "host-key-wrong", text).hint(
                "another machine may stand in its place: ask the server's owner before you go on",
            ));
        }
    }
    let trusted = match (known, first_use) {
        (Known::Same, _) => return Ok(()),
        (_, FirstUse::Given(_) | FirstUse::Accept) => true,
        (_, FirstUse::Ask) => ask(name, key)?,
    };
    if trusted {
        hosts.add(name, key)
    } else {
        Err(Error::new(
            Exit::Untrusted,
            "host-key-unknown",
            format!("the key of {name} was not accepted"),
        ))
    }
}

/// Asks the person at the terminal.
///
/// # Errors
/// There is no terminal: the text says how to answer without one.
pub(crate) fn ask_on_terminal(name: &str, key: &PublicKey) -> Result<bool, Error> {
    let shown = fingerprint(key);
    let name = escape::Escaped(name.as_bytes());
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        let text = format!(
            "the server {name} is not known yet (its key is {shown}), and nobody can be asked"
        );
        return Err(Error::new(Exit::Untrusted, "host-key-unknown", text).hint(format!(
            "compare the fingerprint with what its owner sees, then add --host-key {shown}, or --accept-new"
        )));
    }
    let failed = |error: std::io::Error| Error::io("asking", &error);
    let mut stderr = std::io::stderr().lock();
    write!(
        stderr,
        "The server {name} is not known yet. The fingerprint of its key is\n  {shown}\n\
         Compare it with what its owner sees. Trust it from now on? [yes/no/fingerprint] "
    )
    .and_then(|()| stderr.flush())
    .map_err(failed)?;
    let mut answer = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut answer)
        .map_err(failed)?;
    Ok(is_yes(&answer, &shown))
}

/// `yes`, or the fingerprint itself. A lone `y` is too easily typed.
fn is_yes(answer: &str, fingerprint: &str) -> bool {
    let answer = answer.trim();
    answer.eq_ignore_ascii_case("yes") || answer == fingerprint
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::KeyPair;

    struct World {
        _directory: tempfile::TempDir,
        hosts: KnownHosts,
        key: PublicKey,
    }

    fn world() -> World {
        let directory = tempfile::tempdir().unwrap();
        let hosts = KnownHosts::new(directory.path().join("known_hosts"));
        World {
            _directory: directory,
            hosts,
            key: KeyPair::generate("x").public(),
        }
    }

    fn never(_: &str, _: &PublicKey) -> Result<bool, Error> {
        panic!("nobody is to be asked")
    }

    #[test]
    fn first_use_is_asked_once() {
        let w = world();
        let refused = decide(&w.hosts, "h:1", &w.key, &FirstUse::Ask, |_, _| Ok(false));
        assert_eq!(refused.unwrap_err().code, "host-key-unknown");
        assert_eq!(w.hosts.list(), Ok(vec![]));
        decide(&w.hosts, "h:1", &w.key, &FirstUse::Ask, |_, _| Ok(true)).unwrap();
        decide(&w.hosts, "h:1", &w.key, &FirstUse::Ask, never).unwrap();
    }

    #[test]
    fn accept_new_takes_new_keys_only() {
        let w = world();
        decide(&w.hosts, "h:1", &w.key, &FirstUse::Accept, never).unwrap();
        let other = KeyPair::generate("x").public();
        let error = decide(&w.hosts, "h:1", &other, &FirstUse::Accept, never).unwrap_err();
        assert_eq!(
            (error.exit, error.code),
            (Exit::Untrusted, "host-key-changed")
        );
    }

    #[test]
    fn h15_a_changed_key_stops_whatever_is_given() {
        let w = world();
        w.hosts.add("h:1", &w.key).unwrap();
        let other = KeyPair::generate("x").public();
        for first_use in [
            FirstUse::Accept,
            FirstUse::Ask,
            FirstUse::Given(fingerprint(&other)),
        ] {
            let error = decide(&w.hosts, "h:1", &other, &first_use, never).unwrap_err();
            assert_eq!(error.code, "host-key-changed");
        }
    }

    #[test]
    fn a_given_key_must_be_the_one() {
        let w = world();
        let right = FirstUse::Given(fingerprint(&w.key));
        let wrong = FirstUse::Given(fingerprint(&KeyPair::generate("x").public()));
        let error = decide(&w.hosts, "h:1", &w.key, &wrong, never).unwrap_err();
        assert_eq!(
            (error.exit, error.code),
            (Exit::Untrusted, "host-key-wrong")
        );
        decide(&w.hosts, "h:1", &w.key, &right, never).unwrap();
        // Known by now, but not the one that was given.
        assert!(decide(&w.hosts, "h:1", &w.key, &wrong, never).is_err());
    }

    #[test]
    fn answers() {
        for (answer, yes) in [
            ("yes\n", true),
            ("YES", true),
            ("y", false),
            ("", false),
            ("no", false),
            ("F\n", true),
        ] {
            assert_eq!(is_yes(answer, "F"), yes, "{answer}");
        }
    }
}
