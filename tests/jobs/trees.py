#!/usr/bin/env python3
"""Whole jobs, and whether both trees are one: content, permission bits, time in nanoseconds, link targets, of everything, the top included.

    cargo build --release -p cli
    python3 tests/jobs/trees.py [--rounds 3] [--kills 5] [--seed 1]

Each round makes a tree anew and copies it up and down with get, put, cp and sync: to a new name, into a directory that is there, over a copy that was
changed (contents, bits, times and kinds; names that were added and removed), with --delete and --checksum. Some jobs are killed on the way, client,
server or both (SIGKILL) after a random moment, so often as --kills says; then the same command runs until it ends with 0. After each job both sides are
walked through, without dhow, and compared. Ends with 0 when every pair was the same. Journals and temporary files that are left at a round's end are counted: a
server that dies when a file has its name and its journal is not removed leaves that, for seven days.
"""

import argparse
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
SILENCE = 5  # seconds after which a session is given up
QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
BITS_OF_FILES, BITS_OF_DIRECTORIES = [0o644, 0o600, 0o640, 0o755, 0o400], [0o755, 0o700, 0o750, 0o711]


class World:
    """A server and a user, each with a directory."""

    def __init__(self, args, folder):
        self.args, self.folder, self.random = args, folder, random.Random(args.seed)
        self.shared, self.local = folder / "shared", folder / "local"
        self.listen, self.kills, self.left = "127.0.0.1:0", {}, 0
        for place in (self.shared, self.local):
            place.mkdir()
        self.serve()

    def start(self, home, *words, **options):
        env = dict(os.environ, DHOW_HOME=str(self.folder / home))
        return subprocess.Popen([str(self.args.dhow), *map(str, words)], env=env, cwd=self.local, **options)

    def serve(self):
        words = ["--json", "serve", "--public=rw", "--listen", self.listen, self.shared]
        self.server = self.start("home-server", *words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.listen = json.loads(self.server.stdout.readline())["addr"]

    def stop(self):
        self.server.kill()
        self.server.wait()

    def at(self, path):
        return f"dhow://{self.listen}/{path}"

    def kill(self, client):
        """What the client ended with."""
        whom = self.random.choice(["client", "server", "both"])
        self.kills[whom] = self.kills.get(whom, 0) + 1
        if whom != "server":
            client.kill()
        if whom != "client":
            self.stop()
            self.serve()
        if whom == "server":
            # It goes on by itself, for a while.
            time.sleep(self.random.uniform(0, 1.5))
            client.kill()
        return client.wait()

    def run(self, *words, kills=0):
        """Runs a command to its end, after so many kills."""
        command = [*words, "-q", "--accept-new", "--timeout", f"{SILENCE}s"]
        for _ in range(kills):
            client = self.start("home-client", *command, "--limit", self.args.limit, **QUIET)
            time.sleep(self.random.uniform(0.02, self.args.longest))
            if self.kill(client) == 0:
                # It was faster, and is done: once more would be another job.
                return
        for _ in range(20):
            ended = self.start("home-client", *command, stderr=subprocess.PIPE)
            said = ended.communicate()[1]
            if ended.returncode == 0:
                return
            time.sleep(0.3)
        raise SystemExit(f"{words} does not end: {said.decode()}")


def stamp(world, path):
    """Bits and a time that is nobody else's."""
    bits = BITS_OF_DIRECTORIES if path.is_dir() else BITS_OF_FILES
    os.chmod(path, world.random.choice(bits))
    moment = world.random.randrange(10**18, 17 * 10**17)
    os.utime(path, ns=(moment, moment))


def stamp_all(world, top):
    """Of files first, and then of the directories that hold them."""
    for path in sorted(top.rglob("*"), reverse=True):
        if not path.is_symlink():
            stamp(world, path)
    stamp(world, top)


def plant(world, top):
    draw = world.random
    for number in range(world.args.files):
        here = top / f"d{number % 7}" / f"e{number % 3}"
        here.mkdir(parents=True, exist_ok=True)
        (here / f"f{number}").write_bytes(draw.randbytes(draw.choice([0, 1, 1_000, 9_000, 70_000])))
    (top / "large").write_bytes(draw.randbytes(9 << 20))
    (top / "empty" / "deep").mkdir(parents=True)
    (top / "link").symlink_to("d0/e0/f0")
    (top / "d1" / "up").symlink_to("../large")
    stamp_all(world, top)


def change(world, top):
    """Some of everything, the top's own bits and time included."""
    files = sorted(it for it in top.rglob("f*") if it.is_file())
    for path in world.random.sample(files, 12):
        how = world.random.randrange(4)
        if how == 0:
            os.chmod(path, 0o666)
            path.write_bytes(world.random.randbytes(3_000))
            stamp(world, path)
        elif how == 1:
            os.chmod(path, world.random.choice(BITS_OF_FILES))
        elif how == 2:
            stamp(world, path)
        else:
            path.unlink()
    new = top / "new" / f"{world.random.randrange(10**9)}"
    new.parent.mkdir(exist_ok=True)
    new.write_bytes(b"new")
    stamp(world, new.parent)
    stamp(world, top)


def spoil(world, top):
    """The content of one file, whose size and time stay."""
    path = top / "large"
    before, mode = path.stat(), path.stat().st_mode
    os.chmod(path, 0o600)
    with path.open("r+b") as file:
        file.seek(world.random.randrange(before.st_size - 100))
        file.write(world.random.randbytes(100))
    os.chmod(path, mode & 0o777)
    os.utime(path, ns=(before.st_mtime_ns, before.st_mtime_ns))


def look(top):
    def what(path):
        found = path.lstat()
        if path.is_symlink():
            return "link", os.readlink(path), found.st_mtime_ns
        content = "directory" if path.is_dir() else path.read_bytes()
        return found.st_mode & 0o7777, content, found.st_mtime_ns

    own = lambda path: path.name.startswith(".dhow-")
    return {str(path.relative_to(top)): what(path) for path in [top, *top.rglob("*")] if not own(path)}


def compare(what, source, target, more=False):
    """Both are the same; with `more`, the target may have further names, which change its directories' times but not here: they come last."""
    one, other = look(source), look(target)
    if more:
        other = {path: it for path, it in other.items() if path in one}
    differ = [path for path in sorted(one.keys() | other.keys()) if one.get(path) != other.get(path)]
    for path in differ[:5]:
        show = lambda it: it and [part if not isinstance(part, bytes) else f"{len(part)} bytes" for part in it]
        print(f"{what}: {path}: {show(one.get(path))} and {show(other.get(path))}", file=sys.stderr)
    if differ:
        raise SystemExit(f"{what}: {len(differ)} paths differ")


def one_round(world, number):
    """All jobs of one tree; how many there were."""
    kills, jobs = world.args.kills, []
    here, there = world.local / f"r{number}", world.shared / f"r{number}"
    for place in (here, there):
        place.mkdir()
    remote = lambda path: world.at(f"r{number}/{path}")

    def job(what, source, target, *words, kills=0, more=False):
        world.run(*words, kills=kills)
        compare(f"round {number}, {what}", source, target, more)
        jobs.append(what)

    tree = here / "tree"
    plant(world, tree)
    job("put as a new name", tree, there / "a", "put", tree, remote("a"))
    job("put as a new name, killed", tree, there / "b", "put", tree, remote("b"), kills=kills)
    job("get as a new name", there / "b", here / "c", "get", remote("b"), here / "c")
    job("get as a new name, killed", there / "b", here / "d", "get", remote("b/"), here / "d", kills=kills)
    job("cp into a directory, killed", tree, there / "tree", "cp", tree, remote(""), kills=kills)
    (here / "into").mkdir()
    change(world, there / "tree")
    job("get into a directory, killed", there / "tree", here / "into" / "tree", "get", remote("tree"), here / "into", kills=kills)
    job("sync to a new name, killed", tree, there / "e", "sync", f"{tree}/", remote("e"), kills=kills)
    (here / "f").mkdir()
    job("sync into an empty directory, killed", there / "e", here / "f", "sync", remote("e/"), here / "f", kills=kills)
    for way in ("up", "down"):
        source, target = (here / "f", there / "e") if way == "up" else (there / "e", here / "f")
        one, other = (f"{source}/", remote("e/")) if way == "up" else (remote("e/"), f"{target}/")
        for killed in (0, kills):
            words = f"{way}, killed {killed} times"
            change(world, source)
            job(f"sync {words}", source, target, "sync", one, other, kills=killed, more=True)
            change(world, target)
            job(f"sync --delete {words}", source, target, "sync", "--delete", one, other, kills=killed)
            spoil(world, target)
            change(world, target)
            job(f"sync --delete --checksum {words}", source, target, "sync", "--delete", "--checksum", one, other, kills=killed)
            os.chmod(source, 0o705 if killed else 0o750)
            job(f"sync of bits alone {words}", source, target, "sync", one, other)
    # Sessions whose client was killed end by now, and must change nothing.
    time.sleep(SILENCE + 2)
    for source, target in ((tree, there / "b"), (here / "f", there / "e")):
        compare(f"round {number}, later", source, target)
    for name in ("put", "get"):
        source, target = (tree / "large", there / "one") if name == "put" else (there / "one", here / "one")
        one, other = (source, remote("one")) if name == "put" else (remote("one"), target)
        for mode in (0o600, 0o644):
            os.chmod(source, mode)
            job(f"{name} of one file", source, target, name, one, other)
    world.left += sum(1 for place in (here, there) for _ in place.rglob(".dhow-*"))
    for place in (here, there):
        shutil.rmtree(place)
    return len(jobs)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dhow", default=ROOT / "target" / "release" / "dhow", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kills", type=int, default=5, help="of each job that is killed")
    parser.add_argument("--files", type=int, default=300, help="besides the large one")
    parser.add_argument("--longest", type=float, default=0.7, help="seconds until a kill at most")
    parser.add_argument("--limit", default="8M", help="bytes a second of what is killed")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    args.dhow = args.dhow.resolve()
    # What the server and the client mask would differ from the source for that alone (F13).
    os.umask(0)
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        world = World(args, pathlib.Path(folder))
        try:
            jobs = sum(one_round(world, number) for number in range(args.rounds))
        finally:
            world.stop()
        notes = list((pathlib.Path(folder) / "home-client" / "begun").glob("*"))
        if notes:
            raise SystemExit(f"notes of jobs that are done: {notes}")
        print(f"{jobs} jobs, every pair of trees the same; killed: {dict(sorted(world.kills.items()))}; left behind: {world.left}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
