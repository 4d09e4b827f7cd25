use super::*;
use proptest::prelude::*;

fn operand(text: &str) -> Result<Operand, Error> {
    Operand::parse(OsStr::new(text))
}

/// User, host, port, path and whether it ends in a slash.
type Parts = (Option<String>, String, Option<u16>, String, bool);

fn remote(text: &str) -> Parts {
    match operand(text) {
        Ok(Operand::Remote(remote)) => (
            remote.user,
            remote.host,
            remote.port,
            String::from_utf8(remote.path.as_bytes().to_vec()).unwrap(),
            remote.is_directory,
        ),
        other => panic!("{text} is not remote: {other:?}"),
    }
}

fn parts(user: &str, host: &str, port: u16, path: &str, is_directory: bool) -> Parts {
    (
        (!user.is_empty()).then(|| user.to_owned()),
        host.to_owned(),
        (port != 0).then_some(port),
        path.to_owned(),
        is_directory,
    )
}

#[test]
fn scp_form() {
    assert_eq!(remote("host:path"), parts("", "host", 0, "path", false));
    assert_eq!(remote("host:"), parts("", "host", 0, "", true));
    assert_eq!(remote("host:."), parts("", "host", 0, "", true));
    assert_eq!(remote("host:/"), parts("", "host", 0, "", true));
    assert_eq!(remote("host:/a/b"), parts("", "host", 0, "a/b", false));
    assert_eq!(remote("host:./a//b/"), parts("", "host", 0, "a/b", true));
    assert_eq!(
        remote("anna@host:a b"),
        parts("anna", "host", 0, "a b", false)
    );
    assert_eq!(
        remote("h.example.org:a:b"),
        parts("", "h.example.org", 0, "a:b", false)
    );
    assert_eq!(remote("192.0.2.1:x"), parts("", "192.0.2.1", 0, "x", false));
    assert_eq!(remote("host:%20"), parts("", "host", 0, "%20", false));
    assert_eq!(remote("host:a@b"), parts("", "host", 0, "a@b", false));
    assert_eq!(remote("a:b@host:"), parts("", "a", 0, "b@host:", false));
    assert_eq!(remote("x:y"), parts("", "x", 0, "y", false));
}

#[test]
fn ipv6_in_brackets() {
    assert_eq!(remote("[::1]:a"), parts("", "::1", 0, "a", false));
    assert_eq!(
        remote("u@[2001:db8::1]:a/b"),
        parts("u", "2001:db8::1", 0, "a/b", false)
    );
    assert_eq!(
        remote("[fe80::1%eth0]:a"),
        parts("", "fe80::1%eth0", 0, "a", false)
    );
    assert_eq!(
        remote("dhow://[::1]:5000/a"),
        parts("", "::1", 5000, "a", false)
    );
    assert_eq!(remote("dhow://[::1]/a"), parts("", "::1", 0, "a", false));
}

#[test]
fn url_form() {
    assert_eq!(remote("dhow://host"), parts("", "host", 0, "", true));
    assert_eq!(remote("dhow://host/"), parts("", "host", 0, "", true));
    assert_eq!(
        remote("dhow://host/a:b"),
        parts("", "host", 0, "a:b", false)
    );
    assert_eq!(
        remote("dhow://u@host:1/a@b"),
        parts("u", "host", 1, "a@b", false)
    );
    assert_eq!(
        remote("dhow://host:65535/a?b#c"),
        parts("", "host", 65535, "a?b#c", false)
    );
}

#[test]
fn local_paths() {
    for text in [
        "a", "a b", "./a:b", "/a:b", "../a:b", "a/b:c", "C:\\x", "c:\\", "[x]", "[::1:a", "-",
        "a@b",
    ] {
        assert_eq!(
            operand(text),
            Ok(Operand::Local(PathBuf::from(text))),
            "{text}"
        );
    }
}

#[test]
fn usage_errors() {
    let wrong = [
        "",
        ":a",
        "::1:a",
        "2001:db8::1:a",
        "fe80::1:a",
        "ftp://host/a",
        "classic://host/a/b",
        "classic://host/a/",
        "classic://user@host/a",
        "classic:///a",
        "classic://host/..",
        "host:../a",
        "host:a/../b",
        "-oProxyCommand=x:a",
        "ho st:a",
        "host\\:a",
        "@host:a",
        "a@b@host:x",
        "[]:a",
        "[::g]:a",
        "[::1]x:a",
        "[1.2.3.4]:a",
        "[fe80::1%]:a",
        "dhow://",
        "dhow:///a",
        "dhow://host:/a",
        "dhow://host:0/a",
        "dhow://host:65536/a",
        "dhow://host:+1/a",
        "dhow://::1/a",
    ];
    for text in wrong {
        match operand(text) {
            Err(error) => assert_eq!(error.exit, crate::exit::Exit::Usage, "{text}"),
            Ok(other) => panic!("{text} is {other:?}"),
        }
    }
}

#[test]
fn limits_of_paths() {
    let long = format!("host:{}", "n".repeat(256));
    assert!(operand(&long).is_err());
    let deep = format!("host:{}", "a/".repeat(65));
    assert!(operand(&deep).is_err());
    assert!(operand(&format!("host:{}", "a/".repeat(64))).is_ok());
}

#[test]
fn ports() {
    let Ok(Operand::Remote(plain)) = operand("h:a") else {
        panic!()
    };
    let Ok(Operand::Remote(given)) = operand("dhow://h:1/a") else {
        panic!()
    };
    assert_eq!(plain.port_or(None), DEFAULT_PORT);
    assert_eq!(plain.port_or(Some(2)), 2);
    assert_eq!(given.port_or(Some(2)), 1);
}

#[test]
fn shown_as_written() {
    for text in [
        "host:a/b",
        "[::1]:a",
        "dhow://host:5000/a",
        "dhow://[::1]:5000/a",
    ] {
        let Ok(Operand::Remote(remote)) = operand(text) else {
            panic!()
        };
        assert_eq!(remote.to_string(), text);
    }
    let Ok(Operand::Remote(remote)) = operand("host:a\u{1b}[2J") else {
        panic!()
    };
    assert_eq!(remote.to_string(), "host:a\\x1b[2J");
}

#[cfg(unix)]
#[test]
fn paths_are_bytes() {
    use std::os::unix::ffi::OsStrExt;
    let Ok(Operand::Remote(remote)) = Operand::parse(OsStr::from_bytes(b"host:a\xff\xfe")) else {
        panic!()
    };
    assert_eq!(remote.path.as_bytes(), b"a\xff\xfe");
    assert!(Operand::parse(OsStr::from_bytes(b"ho\xffst:a")).is_err());
    let local = OsStr::from_bytes(b"a\xff");
    assert_eq!(
        Operand::parse(local),
        Ok(Operand::Local(PathBuf::from(local)))
    );
}

proptest! {
    #[test]
    fn never_panics(text: String) {
        let _ = operand(&text);
    }

    #[test]
    fn what_is_shown_reads_the_same(
        host in "[a-z][a-z0-9.-]{1,20}", port in proptest::option::of(1_u16..), path in "[a-zA-Z0-9 ]{1,9}(/[a-z:@%]{1,9}){0,3}"
    ) {
        let text = match port {
            Some(port) => format!("dhow://{host}:{port}/{path}"),
            None => format!("{host}:{path}"),
        };
        let Ok(Operand::Remote(remote)) = operand(&text) else { return Err(TestCaseError::fail(text)) };
        prop_assert_eq!(remote.to_string(), text);
    }
}

#[test]
fn classic_operands() {
    for (text, port, name, shown) in [
        (
            "classic://h:5000/a b",
            Some(5000),
            "a b",
            "classic://h:5000/a b",
        ),
        ("classic://[::1]:1/a", Some(1), "a", "classic://[::1]:1/a"),
        ("classic://h/", None, "", "classic://h/"),
        ("classic://h", None, "", "classic://h/"),
    ] {
        let Ok(Operand::Remote(remote)) = operand(text) else {
            panic!("{text}")
        };
        assert!(remote.classic);
        assert_eq!(
            (remote.port, remote.path.as_bytes()),
            (port, name.as_bytes())
        );
        assert_eq!(remote.to_string(), shown);
    }
}
