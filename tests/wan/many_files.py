#!/usr/bin/env python3
"""Many small files over a long link: `dhow get` of a directory beside `dhow get` of one file with as many bytes, through `wan`.

    cargo build --release -p cli
    sudo python3 tests/wan/many_files.py --wan PATH/TO/wan

Needs root (network namespaces, TUN devices). 200 Mbit/s, 100 ms, without loss and with 1 %; times are of the whole client process, medians of
the rounds. Ends with 0 if the directory takes at most 1.3 times as long as the file without loss, and 1.5 times with it.
"""

import argparse
import os
import pathlib
import shutil
import statistics
import sys
import tempfile
import time

from link import Wan, add_arguments, memory, stop

NAME = "dhowmany"
LIMITS = [(0, 1.3), (1, 1.5)]


def make(served, args):
    (served / "one").write_bytes(os.urandom(args.directories * args.files * args.size))
    for directory in range(args.directories):
        here = served / "many" / f"directory-{directory:03}"
        here.mkdir(parents=True)
        for number in range(args.files):
            (here / f"file-{number:03}").write_bytes(os.urandom(args.size))


def contents(top):
    return {path.relative_to(top): path.read_bytes() for path in top.rglob("*") if path.is_file()}


def take(wan, folder, name):
    target = folder / "got"
    began = time.monotonic()
    client = wan.get(folder, name, target)
    lines = client.communicate()[0]
    took = time.monotonic() - began
    if client.returncode != 0:
        raise SystemExit(f"dhow get failed: {lines[-300:]}")
    source = folder / "served" / name
    same = contents(target) == contents(source) if source.is_dir() else target.read_bytes() == source.read_bytes()
    if not same:
        raise SystemExit("the copy differs")
    shutil.rmtree(target) if target.is_dir() else target.unlink()
    return took


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    parser.add_argument("--directories", type=int, default=100)
    parser.add_argument("--files", type=int, default=100, help="in each directory")
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    print(f"load average before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", file=sys.stderr)
    good = True
    with tempfile.TemporaryDirectory(dir=memory()) as folder:
        folder = pathlib.Path(folder)
        (folder / "served").mkdir()
        make(folder / "served", args)
        print("| loss | one file | many files | ratio | demanded |\n|---|---|---|---|---|")
        for loss, most in LIMITS:
            times = {"one": [], "many": []}
            for seed in range(args.rounds):
                words = ["--rate", "200mbit", "--delay", "50ms", "--loss", f"{loss}%", "--tcp-mem", "256mb"]
                with Wan(args, NAME, seed + 1, *words) as wan:
                    server = wan.serve(folder, folder / "served")
                    for name, took in times.items():
                        took.append(take(wan, folder, name))
                    stop(server)
            one, many = statistics.median(times["one"]), statistics.median(times["many"])
            good &= many <= most * one
            print(f"| {loss} % | {one:.2f} s | {many:.2f} s | {many / one:.2f} | ≤ {most} |", flush=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
