#!/usr/bin/env python3
"""Many small files: `dhow get` and `dhow put` of a directory beside rsync's daemon, rsync over ssh, and scp, over loopback, in memory.

Each round runs each contestant once, in turn; each copy is compared with the original (content, time, mode), or the run fails. The
figures are medians of wall-clock times of the whole client process.

    cargo build --release -p cli
    python3 tests/jobs/many_files.py [--directories 100] [--files 100] [--size 4096] [--rounds 7]

dhow runs with `--durability none`, as the others do not sync either. sshd runs on a free port with keys of its own, as the user that
runs this. Ends with 0 if dhow needs at most half of rsync-over-ssh's time and no more than rsync's daemon.
"""

import argparse
import os
import pathlib
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dhow", default=ROOT / "target" / "release" / "dhow", type=pathlib.Path)
    parser.add_argument("--directories", type=int, default=100)
    parser.add_argument("--files", type=int, default=100, help="in each directory")
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--without", default="", help="contestants to leave out, such as scp,rsync-ssh")
    return parser.parse_args()


def make(source, args):
    for directory in range(args.directories):
        here = source / f"directory-{directory:03}"
        here.mkdir(parents=True)
        for number in range(args.files):
            (here / f"file-{number:03}").write_bytes(os.urandom(args.size))


def facts(top, unit=1000):
    """What must be equal in a copy: of each entry below `top` its kind, mode, and of a file its time, in units of so many ns, and bytes."""
    found = {}
    for path in sorted(top.rglob("*")):
        told = path.lstat()
        name = path.relative_to(top)
        found[name] = (told.st_mode, told.st_mtime_ns // unit, path.read_bytes()) if path.is_file() else told.st_mode
    return found


def free_port(kind):
    with socket.socket(socket.AF_INET, kind) as it:
        it.bind(("127.0.0.1", 0))
        return it.getsockname()[1]


def wait_for(port):
    for _ in range(500):
        try:
            return socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.01)
    raise SystemExit(f"nobody listens at port {port}")


class Dhow:
    def __init__(self, args, folder):
        self.env = dict(os.environ, DHOW_HOME=str(folder / "home"))
        self.port, self.dhow = free_port(socket.SOCK_DGRAM), args.dhow
        words = [args.dhow, "--json", "serve", "--public=rw", "--listen", f"127.0.0.1:{self.port}", folder / "shared"]
        self.server = subprocess.Popen(words, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.server.stdout.readline()

    def run(self, verb, one, other):
        words = [self.dhow, "-q", verb, "--accept-new", "--durability", "none", "--port", str(self.port), one, other]
        subprocess.run(words, env=self.env, check=True, **QUIET)

    def get(self, name, target):
        self.run("get", f"127.0.0.1:/{name}", target)

    def put(self, source, name):
        self.run("put", source, f"127.0.0.1:/{name}")


def rsync_daemon(folder):
    port, config = free_port(socket.SOCK_STREAM), folder / "rsyncd.conf"
    config.write_text(f"use chroot = no\nuid = {os.getuid()}\ngid = {os.getgid()}\n[shared]\npath = {folder / 'shared'}\n")
    words = ["rsync", "--daemon", "--no-detach", "--address=127.0.0.1", f"--port={port}", f"--config={config}"]
    server = subprocess.Popen([*words, "--log-file=/dev/null"])
    wait_for(port)
    return server, port


def ssh(folder):
    """An sshd of our own, and the options that lead a client to it."""
    port = free_port(socket.SOCK_STREAM)
    for name in ["host", "user"]:
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    os.makedirs("/run/sshd", exist_ok=True)
    options = ["UsePAM=no", "StrictModes=no", "PidFile=none", "Subsystem=sftp internal-sftp", f"ListenAddress=127.0.0.1:{port}",
               f"HostKey={folder / 'host'}", f"AuthorizedKeysFile={folder / 'user.pub'}"]
    server = subprocess.Popen([shutil.which("sshd") or "/usr/sbin/sshd", "-D", "-f", "/dev/null", *[f"-o{it}" for it in options]], **QUIET)
    wait_for(port)
    client = ["-oStrictHostKeyChecking=no", "-oUserKnownHostsFile=/dev/null", "-oLogLevel=ERROR", "-i", str(folder / "user")]
    return server, port, client


def contestants(args, folder):
    """By name, what copies `shared/source` to a target; the servers that must be stopped."""
    source, target = folder / "shared" / "source", folder / "target"
    dhow = Dhow(args, folder)
    run = lambda *words: subprocess.run([str(word) for word in words], check=True, **QUIET)
    into_share = folder / "shared" / "up"
    every = {
        "dhow-get": (lambda: dhow.get("source", target), target),
        "dhow-put": (lambda: dhow.put(source, "up"), into_share),
    }
    servers = [dhow.server]
    if shutil.which("rsync"):
        server, daemon = rsync_daemon(folder)
        servers.append(server)
        every["rsync-daemon"] = (lambda: run("rsync", "-a", f"rsync://127.0.0.1:{daemon}/shared/source/", target), target)
    if shutil.which("ssh-keygen"):
        server, port, options = ssh(folder)
        servers.append(server)
        if shutil.which("rsync"):
            shell = " ".join(["ssh", f"-p{port}", *options])
            every["rsync-ssh"] = (lambda: run("rsync", "-a", "-e", shell, f"127.0.0.1:{source}/", target), target)
        every["scp"] = (lambda: run("scp", "-q", "-r", "-p", f"-P{port}", *options, f"127.0.0.1:{source}", target), target)
    left_out = args.without.split(",")
    return {name: it for name, it in every.items() if name not in left_out}, servers


def measure(every, folder, rounds):
    source, times = folder / "shared" / "source", {name: [] for name in every}
    for number in range(rounds):
        for name, (copy, target) in every.items():
            began = time.monotonic()
            copy()
            times[name].append(time.monotonic() - began)
            unit = 10**9 if name == "scp" else 1000  # scp knows whole seconds only
            if facts(target, unit) != facts(source, unit):
                raise SystemExit(f"{name} made a copy that differs")
            shutil.rmtree(target)
        print(f"round {number + 1}: " + ", ".join(f"{name} {took[-1]:.2f} s" for name, took in times.items()), file=sys.stderr)
    return {name: statistics.median(took) for name, took in times.items()}


def main():
    args = arguments()
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    print(f"load average before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", file=sys.stderr)
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        folder = pathlib.Path(folder)
        make(folder / "shared" / "source", args)
        every, servers = contestants(args, folder)
        try:
            times = measure(every, folder, args.rounds)
        finally:
            for server in servers:
                server.terminate()
                server.wait()
    count = args.directories * args.files
    print(f"{count} files of {args.size} B in {args.directories} directories, median of {args.rounds} rounds\n")
    print("| | s | files a second |\n|---|---|---|")
    for name, took in times.items():
        print(f"| {name} | {took:.2f} | {count / took:.0f} |")
    slower = max(times["dhow-get"], times["dhow-put"])
    limits = [("rsync-ssh", 0.5), ("rsync-daemon", 1.0)]
    return 0 if all(slower <= share * times[name] for name, share in limits if name in times) else 1


if __name__ == "__main__":
    sys.exit(main())
