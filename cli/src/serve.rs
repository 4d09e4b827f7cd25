//! `dhow serve [[NAME=]DIR]...`

use std::ffi::OsString;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::json;
use transport_std::{
    Account, PublicKey, RateLimits, Reviewer, Rights, Server, ServerBuilder, ServerEvent, Tuning,
    fingerprint,
};

use crate::args::{Global, Public, Serve};
use crate::escape::{self, Escaped};
use crate::exit::{Error, Exit};
use crate::interrupt;
use crate::keys::KeyPair;
use crate::names;
use crate::outputs::Outputs;
use crate::remote::DEFAULT_PORT;
use crate::server_log::ServerLog;
use crate::session::App;
use crate::units;
use crate::users::Users;

/// A directory to share.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Share {
    /// The first component of users' paths; `None`: the directory is the root itself.
    name: Option<Vec<u8>>,
    directory: PathBuf,
}

/// Runs the command until a signal ends it.
///
/// # Errors
/// Directories, keys or the socket cannot be had; nobody could come in.
pub(crate) fn run(app: App, args: &Serve) -> Result<u8, Error> {
    check_flags(&app.global, args.listen)?;
    let shares = read_shares(&args.shares)?;
    if args.classic {
        check_classic(args.public, &shares)?;
    }
    let is_public = args.public.is_some();
    let named = args.authorized_keys.as_deref();
    let users = Arc::new(Users::load(named, app.home.authorized_keys(), is_public)?);
    let key = host_key(&app)?;
    keep_own_files(&shares, &own_files(&app, args))?;
    let log_file = args.log_file.as_deref();
    let outputs = Arc::new(Outputs::open(app.global.quiet, log_file, app.global.json)?);
    for warning in users.warnings() {
        outputs.line(&warning);
    }
    let most = if args.read_only {
        Rights::Read
    } else {
        Rights::ReadWrite
    };
    let mut builder = Server::builder(key.identity().clone()).waiter(transport_mio::waiter);
    for share in &shares {
        builder = match &share.name {
            None => builder.share_root(&share.directory, most),
            Some(name) => builder.share(name, &share.directory, most),
        };
    }
    let mut watcher = Watcher {
        lines: ServerLog::new(Arc::clone(&users)),
        outputs: Arc::clone(&outputs),
    };
    let public = public_rights(args.public);
    if args.classic {
        builder = builder.classic(public.unwrap_or(Rights::None));
    }
    let policy_users = Arc::clone(&users);
    let tuning = Tuning {
        idle_timeout: app.global.timeout,
        datagram_max: app.global.max_datagram,
        congestion: app.global.cc,
        rate_limits: RateLimits {
            send: app.global.limit,
            receive: app.global.limit,
        },
        ..Tuning::default()
    };
    let (limited_users, most) = (Arc::clone(&users), app.global.limit);
    let builder = builder
        .limits(move |key| limits_of(&limited_users, most, key))
        .admission(move |key, _| rights_of(&policy_users, public, key))
        .on_event(move |event| watcher.see(event))
        .threads(args.threads)
        .tuning(tuning);
    let builder = count(builder, &users, args.quota);
    let server = bind(builder, args.listen, app.global.ipv4)?;
    let (stopper, reviewer) = (server.stopper(), server.reviewer());
    let (their_users, their_outputs) = (Arc::clone(&users), Arc::clone(&outputs));
    let counts = args.quota.is_some() || users.has_quotas();
    let reload = move || reload(&their_users, &reviewer, &their_outputs, counts);
    interrupt::stop_at_signal(move || stopper.stop(), reload)?;
    announce(&outputs, &server, &shares, &users, args);
    let ended = server.run();
    if ended.is_ok() {
        outputs.line("stopped");
    }
    outputs.finish();
    ended.map_err(|error| Error::io("serving", &error))?;
    Ok(0)
}

/// Where events go.
struct Watcher {
    lines: ServerLog,
    outputs: Arc<Outputs>,
}

impl Watcher {
    fn see(&mut self, event: &ServerEvent) {
        if let Some(line) = self.lines.line(event) {
            self.outputs.line(&line);
        }
        if self.outputs.has_json()
            && let Some((name, fields)) = self.lines.json(event)
        {
            self.outputs.event(name, fields);
        }
    }
}

/// Reads the users anew, and has the server look at those who are here; `counts` when what they have is counted.
fn reload(users: &Users, reviewer: &Reviewer, outputs: &Outputs, counts: bool) {
    let file = users.shown();
    match users.reload() {
        Ok(changes) => {
            for warning in &changes.warnings {
                outputs.line(warning);
            }
            outputs.line(&format!("{file} is read anew: {changes}"));
            if users.has_quotas() && !counts {
                outputs.line("what users have is not counted, since nobody had a quota at the start: quota= and files= need a restart");
            }
            outputs.event(
                "users",
                json!({
                    "users": changes.users,
                    "added": changes.added,
                    "removed": changes.removed,
                    "changed": changes.changed,
                }),
            );
            reviewer.review();
        }
        Err(error) => {
            outputs.line(&format!(
                "{file} is not taken over, the users are as before: {}",
                error.text
            ));
            outputs.event("error", json!({ "code": error.code, "text": error.text }));
        }
    }
}

/// What a user with this key may do; `None`: not come in.
fn rights_of(users: &Users, public: Option<Rights>, key: &PublicKey) -> Option<Rights> {
    let own = users.find(key).map(|user| {
        if user.read_only {
            Rights::Read
        } else {
            Rights::ReadWrite
        }
    });
    // A line that limits a key is not undone by what everyone may do.
    own.or(public)
}

/// How fast a user with this key may be, where the line of the key says so: of that and what holds for all, the lower.
fn limits_of(users: &Users, most: Option<u64>, key: &PublicKey) -> Option<RateLimits> {
    let own = users.find(key)?.limit?;
    let limit = Some(most.map_or(own, |most| most.min(own)));
    Some(RateLimits {
        send: limit,
        receive: limit,
    })
}

/// Counts what users have, if some or all may have no more than so much.
fn count(builder: ServerBuilder, users: &Arc<Users>, most: Option<u64>) -> ServerBuilder {
    if most.is_none() && !users.has_quotas() {
        return builder;
    }
    let users = Arc::clone(users);
    builder.accounts(move |key| account_of(&users, most, key))
}

/// What a user may have; `None` when nothing is counted. Everyone who is not listed is one user: keys cost nothing.
fn account_of(users: &Users, most: Option<u64>, key: Option<&PublicKey>) -> Option<Account> {
    let user = key.and_then(|key| users.find(key));
    let bytes = user.as_ref().and_then(|user| user.quota).or(most);
    let files = user.as_ref().and_then(|user| user.files);
    (bytes.is_some() || files.is_some()).then(|| Account {
        owner: user.map_or([0; 32], |user| user.key.0),
        bytes: bytes.unwrap_or(u64::MAX),
        files: files.unwrap_or(u64::MAX),
    })
}

fn public_rights(public: Option<Public>) -> Option<Rights> {
    public.map(|public| match public {
        Public::R => Rights::Read,
        Public::Rw => Rights::ReadWrite,
    })
}

fn host_key(app: &App) -> Result<KeyPair, Error> {
    match &app.global.host_key {
        Some(file) => KeyPair::load(Path::new(file)).map_err(|error| match error.exit {
            Exit::NotFound => error.hint(format!("make it: dhow key gen {}", escape::os(file))),
            _ => error,
        }),
        None => {
            let path = app.home.host_key();
            let (key, is_new) = KeyPair::load_or_make(&path, "dhow-server")?;
            if is_new {
                app.note(&format!(
                    "made this server's key in {}",
                    escape::path(&path)
                ));
            }
            Ok(key)
        }
    }
}

/// The files that decide who this server and its users are.
fn own_files(app: &App, args: &Serve) -> Vec<PathBuf> {
    let mut files = vec![
        app.home.identity(),
        app.home.known_hosts(),
        app.home.authorized_keys(),
        app.home.host_key(),
    ];
    files.extend(args.authorized_keys.clone());
    files.extend(app.global.host_key.as_ref().map(PathBuf::from));
    files
}

/// Nobody may fetch the server's private key or write the list of users through a share.
fn keep_own_files(shares: &[Share], own: &[PathBuf]) -> Result<(), Error> {
    let real = |path: &Path| path.canonicalize().ok();
    for share in shares {
        let Some(directory) = real(&share.directory) else {
            continue;
        };
        let is_within =
            |path: Option<PathBuf>| path.is_some_and(|path| path.starts_with(&directory));
        // A file that is a link, and one that is not there yet, count by their directories, too.
        let found = own
            .iter()
            .find(|file| is_within(real(file)) || is_within(file.parent().and_then(real)));
        if let Some(file) = found {
            let text = format!(
                "{} is not shared: it holds dhow's own {}, and with it users could take this server's place or let others in",
                escape::path(&share.directory),
                escape::path(file)
            );
            return Err(Error::new(Exit::Refused, "own-files", text)
                .hint("share a directory below it, or move dhow's files away with DHOW_HOME"));
        }
    }
    Ok(())
}

/// `DIR` alone is the root; several directories each need a name, their own unless given.
fn read_shares(operands: &[OsString]) -> Result<Vec<Share>, Error> {
    let mut shares = Vec::with_capacity(operands.len().max(1));
    for operand in operands {
        let (name, directory) = split_name(operand)?;
        let name = match name {
            None if operands.len() > 1 => Some(own_name(&directory)?),
            name => name,
        };
        shares.push(Share { name, directory });
    }
    if shares.is_empty() {
        shares.push(Share {
            name: None,
            directory: PathBuf::from("."),
        });
    }
    for (index, share) in shares.iter().enumerate() {
        let shown = escape::path(&share.directory);
        let metadata = share
            .directory
            .metadata()
            .map_err(|error| Error::io(&shown, &error))?;
        if !metadata.is_dir() {
            return Err(Error::new(
                Exit::NotFound,
                "not-directory",
                format!("{shown} is not a directory"),
            ));
        }
        if shares[..index].iter().any(|other| other.name == share.name) {
            let name = Escaped(share.name.as_deref().unwrap_or_default()).to_string();
            return Err(Error::usage(format!("two directories are named {name}"))
                .hint("name them: NAME=DIR"));
        }
    }
    Ok(shares)
}

/// The classic dialect knows neither users nor directories: what everyone may do must be said, and where.
fn check_classic(public: Option<Public>, shares: &[Share]) -> Result<(), Error> {
    if public.is_none() {
        return Err(
            Error::usage("--classic lets everyone in, unseen: say what they may do")
                .hint("--public lets them read, --public=rw read and write; nothing is encrypted"),
        );
    }
    match shares {
        [Share { name: None, .. }] => Ok(()),
        _ => Err(
            Error::usage("--classic shares one directory, without a name")
                .hint("dhow serve --classic --public DIR"),
        ),
    }
}

/// Flags of every command that a server would pass over in silence.
fn check_flags(global: &Global, listen: SocketAddr) -> Result<(), Error> {
    if global.port.is_some() {
        return Err(Error::usage("-P is the port that clients connect to")
            .hint("to serve at another port: --listen '[::]:PORT'"));
    }
    if global.ipv6 && (listen.is_ipv4() || listen.ip().is_unspecified()) {
        return Err(Error::usage(format!("-6: {listen} takes IPv4, too"))
            .hint("name an IPv6 address of this machine: --listen '[ADDR]:PORT'"));
    }
    if global.ipv4 && listen.is_ipv6() && !listen.ip().is_unspecified() {
        return Err(Error::usage(format!("-4: {listen} is an IPv6 address")));
    }
    Ok(())
}

/// `NAME=DIR`, where NAME holds no slash: `./a=b` is a directory.
fn split_name(operand: &OsString) -> Result<(Option<Vec<u8>>, PathBuf), Error> {
    let bytes = names::to_wire(operand)?;
    let Some(at) = bytes
        .iter()
        .position(|&b| b == b'=' || b == b'/')
        .filter(|&at| bytes[at] == b'=')
    else {
        return Ok((None, PathBuf::from(operand)));
    };
    let (name, directory) = (&bytes[..at], &bytes[at + 1..]);
    let is_name = transport_std::FilePath::parse(name)
        .is_ok_and(|path| !path.is_root() && !path.is_reserved());
    if !is_name || directory.is_empty() {
        return Err(
            Error::usage(format!("{}: expected NAME=DIR", escape::os(operand)))
                .hint("write ./NAME for a directory whose name holds an ="),
        );
    }
    Ok((
        Some(name.to_vec()),
        PathBuf::from(names::from_wire(directory)?),
    ))
}

fn own_name(directory: &Path) -> Result<Vec<u8>, Error> {
    let absolute = directory
        .canonicalize()
        .map_err(|error| Error::io(escape::path(directory), &error))?;
    match absolute.file_name() {
        Some(name) => names::to_wire(name),
        None => Err(Error::usage(format!(
            "{} needs a name: NAME=DIR",
            escape::path(directory)
        ))),
    }
}

fn bind(builder: ServerBuilder, listen: SocketAddr, ipv4: bool) -> Result<Server, Error> {
    let address = match listen.ip() {
        IpAddr::V6(ip) if ipv4 && ip.is_unspecified() => {
            SocketAddr::from(([0, 0, 0, 0], listen.port()))
        }
        _ => listen,
    };
    builder.bind(address).map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => {
            Error::new(Exit::Other, "address-in-use", format!("{address} is in use already"))
                .hint("is another server running? --listen ADDR:PORT takes another port, --listen '[::]:0' a free one")
        }
        _ => Error::io(format!("listening on {address}"), &error),
    })
}

/// Says what is shared, where, and how to come in.
fn announce(outputs: &Outputs, server: &Server, shares: &[Share], users: &Users, args: &Serve) {
    let (address, key) = (server.local_addr(), fingerprint(&server.public_key()));
    outputs.event(
        "listening",
        json!({
            "addr": address.to_string(),
            "host_key": key,
            "receive_buffer": server.receive_buffer(),
        }),
    );
    for share in shares {
        let directory = share
            .directory
            .canonicalize()
            .unwrap_or_else(|_| share.directory.clone());
        let place = share
            .name
            .as_ref()
            .map_or_else(|| "/".to_owned(), |name| Escaped(name).to_string());
        outputs.line(&format!("shares {} as {place}", escape::path(&directory)));
    }
    let everyone = match args.public {
        None => "nobody else",
        Some(Public::R) => "everyone else may read",
        Some(Public::Rw) if args.read_only => "everyone else may read",
        Some(Public::Rw) => "everyone else may read and write",
    };
    if let Some(quota) = args.quota {
        let quota = units::size(quota);
        outputs.line(&format!(
            "each user may have {quota} here, unless authorized_keys says otherwise"
        ));
    }
    outputs.line(&format!("lets in {} users by key; {everyone}", users.len()));
    if args.classic {
        let everyone = everyone.trim_start_matches("everyone else ");
        outputs.line(&format!(
            "speaks the classic dialect, too, without encryption or identity: anyone {everyone}"
        ));
    }
    outputs.line(&format!("listens on {address} (UDP), host key {key}"));
    let buffer = units::size(server.receive_buffer());
    outputs.line(&format!("the system holds {buffer} that arrive at once"));
    outputs.line(&format!(
        "try: dhow ls --host-key {key} {}",
        example(address)
    ));
}

/// An operand that reaches this server.
fn example(address: SocketAddr) -> String {
    let host = match address.ip() {
        ip if ip.is_unspecified() => crate::keys::host_name().unwrap_or_else(|| "HOST".to_owned()),
        IpAddr::V6(ip) => format!("[{ip}]"),
        IpAddr::V4(ip) => ip.to_string(),
    };
    if address.port() == DEFAULT_PORT {
        format!("{host}:")
    } else {
        format!("dhow://{host}:{}/", address.port())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(operands: &[&str]) -> Result<Vec<Share>, Error> {
        let operands: Vec<OsString> = operands.iter().map(OsString::from).collect();
        read_shares(&operands)
    }

    fn names(operands: &[&str]) -> Vec<Option<String>> {
        let name = |share: Share| share.name.map(|name| String::from_utf8(name).unwrap());
        shares(operands).unwrap().into_iter().map(name).collect()
    }

    #[test]
    fn shares_have_names_when_there_are_several() {
        let directory = tempfile::tempdir().unwrap();
        let (one, two) = (directory.path().join("one"), directory.path().join("a=b"));
        std::fs::create_dir(&one).unwrap();
        std::fs::create_dir(&two).unwrap();
        let (one, two) = (one.to_str().unwrap(), two.to_str().unwrap());
        assert_eq!(names(&[]), [None]);
        assert_eq!(names(&[one]), [None]);
        assert_eq!(names(&[&format!("x={one}")]), [Some("x".to_owned())]);
        assert_eq!(
            names(&[one, two]),
            [Some("one".to_owned()), Some("a=b".to_owned())]
        );
        assert_eq!(
            names(&[one, &format!("y={two}")]),
            [Some("one".to_owned()), Some("y".to_owned())]
        );
        assert_eq!(shares(&[one, one]).unwrap_err().exit, Exit::Usage);
        assert_eq!(shares(&[&format!("={one}")]).unwrap_err().exit, Exit::Usage);
        assert_eq!(shares(&["..=x"]).unwrap_err().exit, Exit::Usage);
        assert_eq!(shares(&[".dhow-x=."]).unwrap_err().exit, Exit::Usage);
        assert_eq!(shares(&["x="]).unwrap_err().exit, Exit::Usage);
        assert_eq!(
            shares(&["no-such-directory"]).unwrap_err().exit,
            Exit::NotFound
        );
    }

    #[test]
    fn own_files_are_not_shared() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        for name in ["share", "state", "share/below"] {
            std::fs::create_dir(at(name)).unwrap();
        }
        std::fs::write(at("share/below/key"), "").unwrap();
        let shares = shares(&[at("share").to_str().unwrap()]).unwrap();
        let keep = |file: PathBuf| keep_own_files(&shares, &[file]);
        assert_eq!(keep(at("state/host_key")), Ok(()));
        assert_eq!(keep(at("missing/host_key")), Ok(()));
        for file in ["share/host_key", "share/below/key", "state/../share/x"] {
            assert_eq!(keep(at(file)).unwrap_err().exit, Exit::Refused, "{file}");
        }
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(at("share/below/key"), at("state/link")).unwrap();
            assert!(keep(at("state/link")).is_err());
        }
    }

    #[test]
    fn rights_of_users() {
        let (reader, writer) = (KeyPair::generate("r"), KeyPair::generate("w"));
        let text = format!(
            "read-only {}\n{}\n",
            reader.public_line(),
            writer.public_line()
        );
        let users = Users::fixed(crate::keys::AuthorizedKeys::parse(&text));
        let stranger = KeyPair::generate("s").public();
        assert_eq!(
            rights_of(&users, None, &reader.public()),
            Some(Rights::Read)
        );
        assert_eq!(
            rights_of(&users, Some(Rights::ReadWrite), &reader.public()),
            Some(Rights::Read)
        );
        assert_eq!(
            rights_of(&users, Some(Rights::Read), &writer.public()),
            Some(Rights::ReadWrite)
        );
        assert_eq!(rights_of(&users, None, &stranger), None);
        assert_eq!(
            rights_of(&users, public_rights(Some(Public::R)), &stranger),
            Some(Rights::Read)
        );
    }

    #[test]
    fn quotas_of_users() {
        let [own, plain] = ["o", "p"].map(KeyPair::generate);
        let text = format!(
            "quota=5,files=2 {}\n{}\n",
            own.public_line(),
            plain.public_line()
        );
        let users = Users::fixed(crate::keys::AuthorizedKeys::parse(&text));
        let of = |most, key: Option<&KeyPair>| {
            let found = account_of(&users, most, key.map(KeyPair::public).as_ref())?;
            Some((found.owner, found.bytes, found.files))
        };
        let stranger = KeyPair::generate("s");
        assert_eq!(of(None, Some(&own)), Some((own.public().0, 5, 2)));
        assert_eq!(of(Some(9), Some(&own)), Some((own.public().0, 5, 2)));
        assert_eq!(of(None, Some(&plain)), None);
        let of_all = Some((plain.public().0, 9, u64::MAX));
        assert_eq!(of(Some(9), Some(&plain)), of_all);
        assert_eq!(of(None, Some(&stranger)), None);
        let everyone = Some(([0; 32], 9, u64::MAX));
        assert_eq!(of(Some(9), Some(&stranger)), everyone);
        assert_eq!(of(Some(9), None), everyone);
    }

    #[test]
    fn flags_that_would_do_nothing_are_refused() {
        use clap::Parser;
        let check = |line: &str| {
            let args = crate::args::Args::try_parse_from(line.split(' ')).unwrap();
            let crate::args::Command::Serve(serve) = &args.command else {
                panic!("{line}")
            };
            check_flags(&args.global, serve.listen).is_ok()
        };
        for fine in [
            "",
            " -4",
            " -6 --listen [::1]:1",
            " -4 --listen 127.0.0.1:1",
        ] {
            assert!(check(&format!("dhow serve{fine}")), "{fine}");
        }
        for wrong in [
            " -P 1",
            " -6",
            " -6 --listen 127.0.0.1:1",
            " -4 --listen [::1]:1",
        ] {
            assert!(!check(&format!("dhow serve{wrong}")), "{wrong}");
        }
    }

    #[test]
    fn classic_needs_rights_and_one_directory() {
        let check = |public, operands: &[&str]| check_classic(public, &shares(operands).unwrap());
        assert_eq!(check(Some(Public::R), &["."]), Ok(()));
        assert_eq!(check(Some(Public::Rw), &[]), Ok(()));
        for wrong in [
            check(None, &["."]),
            check(Some(Public::R), &["x=."]),
            check(Some(Public::R), &["x=.", "y=."]),
        ] {
            assert_eq!(wrong.unwrap_err().exit, Exit::Usage);
        }
    }

    #[test]
    fn examples_can_be_read_back() {
        for (address, operand) in [
            ("127.0.0.1:4917", "127.0.0.1:"),
            ("127.0.0.1:5000", "dhow://127.0.0.1:5000/"),
            ("[::1]:4917", "[::1]:"),
            ("[::1]:5000", "dhow://[::1]:5000/"),
        ] {
            assert_eq!(example(address.parse().unwrap()), operand);
            let read = crate::remote::Operand::parse(std::ffi::OsStr::new(operand));
            assert!(matches!(read, Ok(crate::remote::Operand::Remote(_))));
        }
    }
}
