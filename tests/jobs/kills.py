#!/usr/bin/env python3
"""Kills of either side at random while one large file, and a directory of small ones, go down and up: the same command again and again.

    cargo build --release -p cli
    sudo python3 tests/jobs/kills.py [--kills 200] [--files 5000]

Client and server live in a network namespace of their own, whose loopback counts every byte that travels (so it needs root). Each round
kills the client, the server or both (SIGKILL) after a random moment, or cuts the network for a while, mostly shorter and sometimes longer
than the client waits; the same command runs again until it ends with 0. Then: both copies are equal, bytes that travelled beyond the file
are at most those in flight (2 MiB) and 4 MiB a kill and 8 % of overhead, and nothing of dhow's own is left beside the target. While all
this goes on, what stands under a final name is whole. Ends with 0 if all of that holds.
"""

import argparse
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
SPACE, PORT, MIB = "dhowkill", 4917, 1 << 20
SILENCE = 5  # seconds after which a client gives a session up
QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


class World:
    def __init__(self, args, folder):
        self.args, self.folder, self.server = args, folder, None
        self.done = {}
        self.random = random.Random(args.seed)

    def inside(self, home, *words, **options):
        env = dict(os.environ, DHOW_HOME=str(self.folder / home))
        line = ["ip", "netns", "exec", SPACE, self.args.dhow, *words]
        return subprocess.Popen([str(word) for word in line], env=env, **options)

    def serve(self):
        words = ["--json", "serve", "--public=rw", "--listen", f"127.0.0.1:{PORT}", self.folder / "shared"]
        self.server = self.inside("home-server", *words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.server.stdout.readline()

    def travelled(self):
        text = subprocess.run(["ip", "netns", "exec", SPACE, "cat", "/sys/class/net/lo/statistics/rx_bytes"],
                              check=True, capture_output=True, text=True).stdout
        return int(text)

    def cut(self, seconds):
        """For so long, every datagram is lost without a word: what waits to be sent may have one byte."""
        line = ["ip", "netns", "exec", SPACE, "tc", "qdisc"]
        subprocess.run([*line, "add", "dev", "lo", "root", "bfifo", "limit", "1"], check=True)
        time.sleep(seconds)
        subprocess.run([*line, "del", "dev", "lo", "root"], check=True)

    def job(self, verb, one, other, kills, rate, check):
        """Kills so often, then lets it end; `check` looks at the target meanwhile. The command ends with 0."""
        command = [verb, "-q", "--accept-new", "--limit", rate, "--timeout", f"{SILENCE}s", "--port", PORT, one, other]
        for kill in range(kills):
            client = self.inside("home-client", *command, **QUIET)
            time.sleep(self.random.uniform(0.05, self.args.longest))
            whom = self.random.choice(["client", "server", "both", "network", "network"])
            self.done[whom] = self.done.get(whom, 0) + 1
            if whom in ("client", "both"):
                client.kill()
            if whom in ("server", "both"):
                self.server.kill()
                self.server.wait()
                self.serve()
            if whom == "network":
                self.cut(self.random.choice([0.3, 0.3, 0.3, 1, 1, 2, SILENCE + 1.5]) * self.random.uniform(0.5, 1))
            if whom in ("server", "network"):
                # It goes on, or opens a new session by itself, for a while.
                time.sleep(self.random.uniform(0.05, self.args.longest))
                client.kill()
            client.wait()
            check()
        for again in range(20):
            if self.inside("home-client", *command, **QUIET).wait() == 0:
                return again + 1
            time.sleep(0.5)
        raise SystemExit(f"{verb} does not end")


def facts(top):
    if top.is_file():
        return top.read_bytes()
    what = lambda path: os.readlink(path) if path.is_symlink() else path.read_bytes()
    return {path.relative_to(top): what(path) for path in sorted(top.rglob("*")) if not path.is_dir()}


def check_whole(copy, wanted):
    """Whatever stands under a final name already has the source's size: nothing is there in part."""
    for path in [copy] if copy.is_file() else copy.rglob("*"):
        if path.is_file() and not path.is_symlink() and not path.name.startswith(".dhow-"):
            source = wanted / path.relative_to(copy) if path != copy else wanted
            if path.stat().st_size != source.stat().st_size:
                raise SystemExit(f"{path} stands there in part")


def left(top):
    return [str(path) for path in top.rglob(".dhow-*")]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dhow", default=ROOT / "target" / "release" / "dhow", type=pathlib.Path)
    parser.add_argument("--kills", type=int, default=200, help="in all, a quarter of them in each of four jobs")
    parser.add_argument("--size", type=int, default=1024, help="MiB of the large file")
    parser.add_argument("--files", type=int, default=5000)
    parser.add_argument("--longest", type=float, default=0.6, help="seconds until a kill at most")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    good = True
    subprocess.run(["ip", "netns", "del", SPACE], **QUIET)
    subprocess.run(["ip", "netns", "add", SPACE], check=True)
    subprocess.run(["ip", "netns", "exec", SPACE, "ip", "link", "set", "lo", "up"], check=True)
    try:
        with tempfile.TemporaryDirectory(dir=memory) as folder:
            world = World(args, pathlib.Path(folder))
            shared, local = world.folder / "shared", world.folder / "local"
            for place in (shared / "many", shared / "up", local):
                place.mkdir(parents=True)
            with (shared / "large").open("wb") as file:
                for _ in range(args.size):
                    file.write(os.urandom(MIB))
            for number in range(args.files):
                here = shared / "many" / f"{number // 100:03}"
                here.mkdir(exist_ok=True)
                # One of a hundred is too large for a batch and too small for a journal.
                (here / f"{number:05}").write_bytes(os.urandom(4096 if number % 100 else 400_000))
                if number % 50 == 0:
                    (here / f"link-{number:05}").symlink_to(f"{number:05}")
            world.serve()
            remote = lambda name: f"127.0.0.1:/{name}"
            # Into a directory that is there, so that the target is the same each time, as with cp -r.
            jobs = [(verb, name, rate) for name, rate in (("large", "40M"), ("many", "4M")) for verb in ("get", "put")]
            print("| job | kills | bytes | travelled beyond them | allowed | left behind |\n|---|---|---|---|---|---|")
            for verb, name, rate in jobs:
                ways = {"get": (remote(name), local), "put": (local / name, remote("up"))}
                one, other = ways[verb]
                before, kills = world.travelled(), args.kills // 4
                target = local if verb == "get" else shared / "up"
                copy = target / name
                world.job(verb, one, other, kills, rate, lambda: check_whole(copy, shared / name))
                files = [shared / name] if name == "large" else (shared / name).rglob("*")
                size = sum(it.stat().st_size for it in files if it.is_file() and not it.is_symlink())
                extra, allowed = world.travelled() - before - size, kills * 6 * MIB + size * 8 // 100
                got, wanted = facts(copy), facts(shared / name)
                if got != wanted:
                    where = [] if isinstance(got, bytes) else [it for it in got.keys() | wanted.keys() if got.get(it) != wanted.get(it)]
                    raise SystemExit(f"{verb} {name}: the copy differs at {where[:5]}")
                rest = left(target)
                good &= extra <= allowed and not rest
                print(f"| {verb} {name} | {kills} | {size >> 20} MiB | {extra / MIB:.1f} MiB | {allowed >> 20} MiB | {len(rest)} |", flush=True)
                if rest:
                    print(rest[:5], file=sys.stderr)
            print(f"\nkilled or cut: {dict(sorted(world.done.items()))}")
            world.server.kill()
            world.server.wait()
    finally:
        subprocess.run(["ip", "netns", "del", SPACE], **QUIET)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
