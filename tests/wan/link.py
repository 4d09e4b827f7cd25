"""What the measurements over `wan` share: the emulated link, commands inside of its ends, and dhow on both."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
RELEASE = ROOT / "target" / "release"
HERE = pathlib.Path(__file__).resolve().parent
# The address of the second namespace.
SERVER = "10.77.0.2"
PORT = 4917


def add_arguments(parser):
    parser.add_argument("--wan", required=True, help="the wan binary")
    parser.add_argument("--dhow", default=RELEASE / "dhow", help="the dhow binary")
    parser.add_argument("--no-realtime", action="store_true", help="give the measured processes no real-time priority")


def memory():
    """Files in memory, where there is such a place: the disk must not decide."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


class Wan:
    """The emulated link, as long as the block runs. `stats` holds its counters afterwards."""

    def __init__(self, args, name, seed, *options):
        self.name, self.args = name, args
        self.file = pathlib.Path(f"/tmp/{name}-{os.getpid()}.json")
        self.command = [args.wan, "--name", name, "--seed", str(seed), "--overhead", "0", "--stats", str(self.file)]
        self.command += [str(word) for word in options] + ["--", "up"]

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stderr=subprocess.PIPE, text=True)
        line = self.process.stderr.readline()
        if " up;" not in line:
            raise SystemExit(f"wan did not start: {line}")
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGINT)
        print(self.process.communicate()[1].strip(), file=sys.stderr)
        self.stats = json.loads(self.file.read_text())
        self.file.unlink()

    def run(self, end, *words, env=None):
        """A command in one of the namespaces, A or B."""
        # On a machine with other work, waiting for a processor would lengthen the round trip. wan stands above all.
        priority = [] if self.args.no_realtime else ["chrt", "--rr", "5"]
        line = ["ip", "netns", "exec", f"{self.name}{end}", *priority, *words]
        return subprocess.Popen([str(word) for word in line], env=env, stdout=subprocess.PIPE, text=True)

    def dhow(self, end, folder, *words):
        env = dict(os.environ, DHOW_HOME=str(folder / f"home{end}"))
        return self.run(end, self.args.dhow, "--json", *words, env=env)

    def serve(self, folder, served, *words):
        """`dhow serve` in B; it listens when this returns."""
        server = self.dhow("B", folder, "serve", "--public=rw", "--listen", f"0.0.0.0:{PORT}", *words, served)
        if not server.stdout.readline():
            raise SystemExit("dhow serve did not start")
        return server

    def get(self, folder, name, local, *words):
        """`dhow get` in A."""
        words = ["--accept-new", "--durability", "none", "--port", PORT, *words]
        return self.dhow("A", folder, "get", *words, f"{SERVER}:/{name}", local)


def stop(process):
    process.send_signal(signal.SIGINT)
    process.communicate()


def events(lines):
    return [json.loads(line) for line in lines]


def sleep_until(at):
    time.sleep(max(0.0, at - time.monotonic()))
