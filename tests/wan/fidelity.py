#!/usr/bin/env python3
"""How well the simulator predicts: goodput of `sim predict` beside that of `dhow` over real sockets.

Each point is a link of a given rate, round trip and random loss. `wan` carries IP packets between two network namespaces over
such a link; `dhow serve` runs in one of them, and `dhow get` and `dhow put` in the other, several times. `sim predict` runs
the same transfer over the same link in virtual time, with several seeds. The table holds the means, each with its standard
error: under random loss, one transfer tells little.

Needs root (network namespaces, TUN devices) and the binaries:

    cargo build --release -p cli -p sim
    sudo python3 tests/wan/fidelity.py --wan PATH/TO/wan

Ends with 0 if every point is within the tolerance.
"""

import argparse
import json
import os
import pathlib
import signal
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
RELEASE = ROOT / "target" / "release"
# What wan calls its two namespaces, and the address in the second.
NAME, SERVER = "dhowfid", "10.77.0.2"
PORT = 4917
# Mbit/s, ms of round trip, % of loss in each direction, MB of the file.
POINTS = [
    (50, 20, 0, 40),
    (50, 50, 0, 40),
    (10, 200, 0, 20),
    (20, 50, 0.2, 10),
    (50, 20, 0.5, 10),
    (50, 20, 1, 5),
]


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wan", required=True, help="the wan binary")
    parser.add_argument("--dhow", default=RELEASE / "dhow", help="the dhow binary")
    parser.add_argument("--sim", default=RELEASE / "sim", help="the sim binary")
    parser.add_argument("--algorithm", default="cubic", help="the congestion control that dhow uses")
    parser.add_argument("--datagram-size", default="1200", help="UDP payload of dhow's full datagrams")
    parser.add_argument("--repetitions", type=int, default=3, help="transfers, at least 2, a point and direction without loss")
    parser.add_argument("--lossy", type=int, default=12, help="transfers a point and direction with loss")
    parser.add_argument("--seeds", type=int, default=60, help="predictions a point and direction")
    parser.add_argument("--points", help="numbers of the points to take, from 1 on, such as 1,4; all unless given")
    parser.add_argument("--tolerance", type=float, default=10.0, help="percent")
    parser.add_argument("--nice", default="-20", help="priority of the dhow processes, for a machine with other work")
    return parser.parse_args()


def predict(args, point, way):
    rate, rtt, loss, size = point
    command = [args.sim, "predict", "--rate", f"{rate}mbit", "--rtt", f"{rtt}ms", "--loss", f"{loss}%"]
    command += ["--size", f"{size}MB", "--queue", "1bdp", "--seeds", str(args.seeds)]
    command += ["--algorithm", args.algorithm, "--datagram-size", args.datagram_size]
    command += ["--put"] if way == "put" else []
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


def show(goodputs):
    """Mean and standard error in Mbit/s, and of how many."""
    error = statistics.stdev(goodputs) / len(goodputs) ** 0.5
    return f"{statistics.mean(goodputs) / 1e6:.2f} ± {error / 1e6:.2f} ({len(goodputs)})"


class Wan:
    """The emulated link, as long as the block runs."""

    def __init__(self, args, point, seed):
        rate, rtt, loss, _ = point
        self.command = [args.wan, "--name", NAME, "--rate", f"{rate}mbit", "--delay", f"{rtt / 2}ms"]
        self.command += ["--loss", f"{loss}%", "--queue", "1bdp", "--overhead", "0", "--seed", str(seed), "--", "up"]

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stderr=subprocess.PIPE, text=True)
        line = self.process.stderr.readline()
        if " up;" not in line:
            raise SystemExit(f"wan did not start: {line}")
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGINT)
        print(self.process.communicate()[1].strip(), file=sys.stderr)


def inside(args, end, folder, *command):
    """A dhow command in one of the namespaces."""
    env = dict(os.environ, DHOW_HOME=str(folder / f"home{end}"))
    line = ["ip", "netns", "exec", f"{NAME}{end}", "nice", "-n", args.nice, args.dhow, "--json", *command]
    return subprocess.Popen([str(word) for word in line], env=env, stdout=subprocess.PIPE, text=True)


def measure(args, point, seed, folder):
    """Goodputs in bit/s, of downloads and of uploads."""
    size = point[3] * 1_000_000
    served, local = folder / "served", folder / "local"
    for place in (served, local):
        place.mkdir(exist_ok=True)
        (place / "file").write_bytes(os.urandom(size))
    goodputs = {"get": [], "put": []}
    with Wan(args, point, seed):
        server = inside(args, "B", folder, "serve", "--public=rw", "--listen", f"0.0.0.0:{PORT}", served)
        try:
            server.stdout.readline()  # it listens
            for turn in range(args.lossy if point[2] else args.repetitions):
                for way in goodputs:
                    remote = f"{SERVER}:/{'file' if way == 'get' else f'put{turn}'}"
                    words = [remote, local / f"got{turn}"] if way == "get" else [local / "file", remote]
                    client = inside(args, "A", folder, way, "--accept-new", "--durability", "none", "--port", PORT, *words)
                    events = [json.loads(line) for line in client.communicate()[0].splitlines()]
                    done = [event for event in events if event["event"] == "file"]
                    if not done:
                        raise SystemExit(f"{way} failed: {events[-3:]}")
                    goodputs[way].append(size * 8 / done[0]["seconds"])
                    print(f"{point} {way}: {goodputs[way][-1] / 1e6:.2f} Mbit/s", file=sys.stderr)
                    for copy in (local / f"got{turn}", served / f"put{turn}"):
                        copy.unlink(missing_ok=True)
        finally:
            server.send_signal(signal.SIGINT)
            server.communicate()
    return goodputs


def main():
    args = parse_arguments()
    numbers = [int(number) for number in args.points.split(",")] if args.points else range(1, len(POINTS) + 1)
    good = True
    print(f"load average before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", file=sys.stderr)
    # Files in memory, where there is such a place: the simulator's disk takes no time either.
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    measured = {}
    for number in numbers:
        with tempfile.TemporaryDirectory(dir=memory) as folder:
            measured[number] = measure(args, POINTS[number - 1], number, pathlib.Path(folder))
    print(f"load average after: {os.getloadavg()[0]:.1f}", file=sys.stderr)
    print("| rate, RTT, loss | file | way | predicted | measured | difference |")
    print("|---|---|---|---|---|---|")
    for number, ways in measured.items():
        rate, rtt, loss, size = point = POINTS[number - 1]
        for way, goodputs in ways.items():
            predicted = predict(args, point, way)["goodputs"]
            difference = 100 * (statistics.mean(predicted) / statistics.mean(goodputs) - 1)
            good &= abs(difference) <= args.tolerance
            print(f"| {rate} Mbit/s, {rtt} ms, {loss} % | {size} MB | {way} | {show(predicted)} | {show(goodputs)} "
                  f"| {difference:+.1f} % |", flush=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
