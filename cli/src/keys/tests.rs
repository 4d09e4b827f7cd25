use super::*;
use transport_std::fingerprint;

/// Made by `ssh-keygen -t ed25519`, with the public key and fingerprint that it prints.
const PRIVATE: &str = "-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW
QyNTUxOQAAACDrJfws1iir1yuANhvIWzhpt5dEavtDKNeSm6bSSFYu/QAAAJBmSx66Zkse
ugAAAAtzc2gtZWQyNTUxOQAAACDrJfws1iir1yuANhvIWzhpt5dEavtDKNeSm6bSSFYu/Q
AAAECL3b0yD+7gN7rKAKcpFH8vz15xXK0mApvLdr73oeSjiOsl/CzWKKvXK4A2G8hbOGm3
l0Rq+0Mo15KbptJIVi79AAAADGFubmFAaGFyYm91cgE=
-----END OPENSSH PRIVATE KEY-----
";
const PUBLIC: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOsl/CzWKKvXK4A2G8hbOGm3l0Rq+0Mo15KbptJIVi79 anna@harbour";
const FINGERPRINT: &str = "SHA256:bF2il5AioMe8R22w6LCrO+kgULtE74kc06GJhuMGuoQ";
const ENCRYPTED: &str = "-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1jdHIAAAAGYmNyeXB0AAAAGAAAABAyoKh0t1
NcxzAW5iXCrVKZAAAAEAAAAAEAAAAzAAAAC3NzaC1lZDI1NTE5AAAAIOnsqYNWvVFZDb/+
Or73rGDrF0iLjLoTKmSDs9UlTgEVAAAAkGKhAwM8gX01+jtz7miKJPr5CSoy6YqyI2B1sQ
P+lhc+2pdwtA7D4RKkZVZNBc8R7265W6fi2V924gpo78JQGKYZini1Wv11GwSmL+reiLaM
7ojTok/O6WTgdcOC7olgbXO6TmMQlp7H/esJBiDJl/Z0hS0XzaDdLt2hmxn4T4YaAnGphw
olgULGK8AjJDpnQw==
-----END OPENSSH PRIVATE KEY-----
";
const ECDSA: &str = "-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAaAAAABNlY2RzYS
1zaGEyLW5pc3RwMjU2AAAACG5pc3RwMjU2AAAAQQQF84YcYB609SN42HThNHBl23X+5tAV
ixGBckoTQXvNKBz7tVIjPVh8uLKH5Bm37lJUIBrMbyvGlWO6E4sYfzkCAAAAoGipll9oqZ
ZfAAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBAXzhhxgHrT1I3jY
dOE0cGXbdf7m0BWLEYFyShNBe80oHPu1UiM9WHy4sofkGbfuUlQgGsxvK8aVY7oTixh/OQ
IAAAAgcTU9oH1c4UQmyAo1bG1uMdxPTcmQPre8NJNxZ+6p0LsAAAABeAECAwQFBgc=
-----END OPENSSH PRIVATE KEY-----
";
const ECDSA_PUBLIC: &str = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBAXzhhxgHrT1I3jYdOE0cGXbdf7m0BWLEYFyShNBe80oHPu1UiM9WHy4sofkGbfuUlQgGsxvK8aVY7oTixh/OQI= x";

fn write_private(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }
}

#[test]
fn reads_what_openssh_writes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("id_ed25519");
    write_private(&path, PRIVATE);
    let key = KeyPair::load(&path).unwrap();
    assert_eq!(key.public_line(), PUBLIC);
    assert_eq!(fingerprint(&key.public()), FINGERPRINT);
    assert!(is_fingerprint(FINGERPRINT));
    assert_eq!(
        parse_public(PUBLIC),
        Some((key.public(), key.comment().to_owned()))
    );
    assert_eq!(load_public(&path).unwrap().0, key.public());
}

#[test]
fn other_keys_are_refused_with_advice() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key");
    for (text, says) in [
        (ENCRYPTED, "passphrase"),
        (ECDSA, "Ed25519"),
        ("hello", "OpenSSH"),
        (PUBLIC, "OpenSSH"),
    ] {
        write_private(&path, text);
        let error = KeyPair::load(&path).unwrap_err();
        assert_eq!((error.exit, error.code), (Exit::Other, "key-file"));
        assert!(error.text.contains(says), "{error}");
    }
    assert_eq!(parse_public(ECDSA_PUBLIC), None);
    assert_eq!(parse_public("ssh-ed25519 AAAA"), None);
}

#[test]
fn made_keys_come_back() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a/identity");
    let (made, new) = KeyPair::load_or_make(&path, "anna@harbour").unwrap();
    assert!(new);
    let (again, new) = KeyPair::load_or_make(&path, "other").unwrap();
    assert!(!new);
    assert_eq!(
        (again.public(), again.comment()),
        (made.public(), "anna@harbour")
    );
    assert_eq!(again.identity().seed(), made.identity().seed());
    let public = fs::read_to_string(public_path(&path)).unwrap();
    assert_eq!(public.trim_end(), made.public_line());
    assert_eq!(load_public(&public_path(&path)).unwrap().0, made.public());
    assert_eq!(made.save(&path).unwrap_err().code, "exists");
    assert_eq!(fs::read_dir(directory.path().join("a")).unwrap().count(), 2);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
}

#[test]
fn many_at_once_make_one_key() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("identity");
    let keys: Vec<PublicKey> = std::thread::scope(|scope| {
        let make = || KeyPair::load_or_make(&path, "x").unwrap().0.public();
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(make)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert!(keys.iter().all(|key| *key == keys[0]));
}

#[test]
fn h17_no_secret_in_debug() {
    let key = KeyPair::generate("x");
    let shown = format!("{key:?}");
    let secret: String = key
        .identity()
        .seed()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert!(!shown.contains(&secret) && !shown.contains(&format!("{:?}", key.identity().seed())));
}

#[test]
fn of_several_lines_for_a_key_the_strictest_counts() {
    let pair = KeyPair::generate("anna");
    let line = pair.public_line();
    for text in [
        format!("{line}\nread-only {line}\n"),
        format!("read-only {line}\n{line}\n"),
    ] {
        let keys = AuthorizedKeys::parse(&text);
        assert_eq!(keys.len(), 1);
        assert!(keys.find(&pair.public()).unwrap().read_only, "{text}");
    }
}

#[test]
fn authorized_keys_lines() {
    let other = KeyPair::generate("");
    let text = format!(
        "# users\n\n{PUBLIC}\n  read-only {}\ncommand=\"x\" {PUBLIC}\n{ECDSA_PUBLIC}\nnonsense\n",
        other.public_line()
    );
    let keys = AuthorizedKeys::parse(&text);
    assert_eq!(keys.len(), 2);
    let (public, comment) = parse_public(PUBLIC).unwrap();
    let first = keys.find(&public).unwrap();
    assert_eq!(
        (first.name.as_str(), first.read_only),
        (comment.as_str(), false)
    );
    assert!(keys.find(&other.public()).unwrap().read_only);
    assert_eq!(keys.find(&PublicKey([0; 32])), None);
    let lines: Vec<bool> = keys
        .warnings
        .iter()
        .map(|w| w.starts_with("line "))
        .collect();
    assert_eq!(lines, [true; 3]);
}

#[test]
fn fingerprints_are_told_from_other_texts() {
    for text in [
        "",
        "SHA256:",
        "SHA256:abc",
        "MD5:00",
        &FINGERPRINT[7..],
        "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    ] {
        assert!(!is_fingerprint(text), "{text}");
    }
}

#[test]
fn options_of_a_line() {
    let line = KeyPair::generate("a").public_line();
    let of = |text: &str| {
        let keys = AuthorizedKeys::parse(text);
        keys.keys
            .first()
            .map(|entry| (entry.read_only, entry.limit))
    };
    assert_eq!(of(&line), Some((false, None)));
    let limited = Some(20_000_000);
    assert_eq!(of(&format!("limit=20M {line}")), Some((false, limited)));
    for both in ["read-only,limit=160mbit", "limit=20M,read-only"] {
        assert_eq!(of(&format!("{both} {line}")), Some((true, limited)));
    }
    for wrong in ["limit=", "limit=20MB", "limit=20M,pty", "limit", ","] {
        assert_eq!(of(&format!("{wrong} {line}")), None, "{wrong}");
    }
    let quotas = |text: &str| {
        let keys = AuthorizedKeys::parse(text);
        keys.keys
            .first()
            .map(|entry| (entry.quota, entry.files, keys.has_quotas()))
    };
    assert_eq!(quotas(&line), Some((None, None, false)));
    let both = format!("read-only,quota=10Gi,files=12 {line}");
    assert_eq!(quotas(&both), Some((Some(10 << 30), Some(12), true)));
    let several = format!("quota=2G {line}\nfiles=3 {line}\nquota=1G {line}");
    assert_eq!(quotas(&several), Some((Some(1_000_000_000), Some(3), true)));
    for wrong in ["quota=", "quota=10GB", "files=", "files=-1", "files=1K"] {
        assert_eq!(quotas(&format!("{wrong} {line}")), None, "{wrong}");
    }
    // The strictest of several lines.
    let lines = format!("limit=2M {line}\nlimit=1M {line}\n{line}");
    assert_eq!(of(&lines), Some((false, Some(1_000_000))));
}
