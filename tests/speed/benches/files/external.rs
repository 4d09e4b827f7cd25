//! Tools of the system: scp with a server of its own, rsync's daemon, and dhow's own binary.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::Result;

/// A server that runs, and how its client is called for a target.
pub(crate) struct External {
    pub(crate) server: Child,
    pub(crate) client: Box<dyn Fn(&Path) -> Command>,
}

pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into()])
        .map(|dir| dir.join(name))
        .find(|file| file.is_file())
}

fn free_tcp_port() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

fn wait_for(address: SocketAddr) -> Result<()> {
    let limit = Instant::now() + Duration::from_secs(10);
    while TcpStream::connect(address).is_err() {
        if Instant::now() > limit {
            return Err(format!("nobody listens at {address}").into());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// sshd on a free port, for the user that this runs as, with keys of its own.
pub(crate) fn scp(dir: &Path) -> Result<External> {
    let sshd = find("sshd").ok_or("sshd is not installed")?;
    let address = free_tcp_port()?;
    for name in ["host", "user"] {
        let made = Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-f"])
            .arg(dir.join(name))
            .status()?;
        if !made.success() {
            return Err("ssh-keygen fails".into());
        }
    }
    // sshd wants its directory of privilege separation when it runs as root.
    let _ = fs::create_dir_all("/run/sshd");
    let option = |name: &str, value: &Path| format!("-o{name}={}", value.display());
    let mut server = Command::new(sshd);
    server
        .args([
            "-D",
            "-f",
            "/dev/null",
            "-oUsePAM=no",
            "-oStrictModes=no",
            "-oPidFile=none",
        ])
        .arg("-oSubsystem=sftp internal-sftp")
        .arg(format!("-oListenAddress={address}"))
        .arg(option("HostKey", &dir.join("host")))
        .arg(option("AuthorizedKeysFile", &dir.join("user.pub")))
        .stderr(Stdio::null());
    let server = server.spawn()?;
    wait_for(address)?;
    let (key, source) = (dir.join("user"), dir.join("source"));
    let client = move |target: &Path| {
        let mut command = Command::new("scp");
        command
            .args([
                "-q",
                "-oStrictHostKeyChecking=no",
                "-oUserKnownHostsFile=/dev/null",
                "-oLogLevel=ERROR",
            ])
            .arg("-i")
            .arg(&key)
            .arg(format!("-P{}", address.port()))
            .arg(format!("127.0.0.1:{}", source.display()))
            .arg(target);
        command
    };
    Ok(External {
        server,
        client: Box::new(client),
    })
}

/// rsync's daemon: not encrypted.
pub(crate) fn rsync(dir: &Path) -> Result<External> {
    let rsync = find("rsync").ok_or("rsync is not installed")?;
    let address = free_tcp_port()?;
    let config = dir.join("rsyncd.conf");
    let module = format!("use chroot = no\n[files]\npath = {}\n", dir.display());
    fs::write(&config, module)?;
    let server = Command::new(&rsync)
        .args([
            "--daemon",
            "--no-detach",
            "--address=127.0.0.1",
            "--log-file=/dev/null",
        ])
        .arg(format!("--port={}", address.port()))
        .arg(format!("--config={}", config.display()))
        .spawn()?;
    wait_for(address)?;
    let client = move |target: &Path| {
        let mut command = Command::new(&rsync);
        command
            .args(["-t", "--whole-file"])
            .arg(format!("rsync://{address}/files/source"))
            .arg(target);
        command
    };
    Ok(External {
        server,
        client: Box::new(client),
    })
}

/// dhow's own tool, with a home of its own.
pub(crate) fn tool(tool: &Path, dir: &Path) -> Result<External> {
    let address = UdpSocket::bind("127.0.0.1:0")?.local_addr()?;
    let (tool, home) = (tool.to_owned(), dir.join("home"));
    let server = Command::new(&tool)
        .env("DHOW_HOME", &home)
        .args([
            "serve",
            "-q",
            "--public=rw",
            "--listen",
            &address.to_string(),
        ])
        .arg(dir)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    std::thread::sleep(Duration::from_millis(300));
    let client = move |target: &Path| {
        let mut command = Command::new(&tool);
        command
            .env("DHOW_HOME", &home)
            .args(["get", "-q", "--accept-new"])
            .arg(format!("dhow://{address}/source"))
            .arg(target);
        command
    };
    Ok(External {
        server,
        client: Box::new(client),
    })
}
