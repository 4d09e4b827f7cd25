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
import statistics
import subprocess
import sys
import tempfile

from link import PORT, RELEASE, SERVER, Wan, add_arguments, events, memory, stop

# What wan calls its two namespaces.
NAME = "dhowfid"
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
    add_arguments(parser)
    parser.add_argument("--sim", default=RELEASE / "sim", help="the sim binary")
    parser.add_argument("--algorithm", default="bbr", help="the congestion control that dhow uses")
    parser.add_argument("--datagram-size", default="1472", help="UDP payload of full datagrams, once dhow has found what the path carries")
    parser.add_argument("--repetitions", type=int, default=3, help="transfers, at least 2, a point and direction without loss")
    parser.add_argument("--lossy", type=int, default=12, help="transfers a point and direction with loss")
    parser.add_argument("--seeds", type=int, default=60, help="predictions a point and direction")
    parser.add_argument("--points", help="numbers of the points to take, from 1 on, such as 1,4; all unless given")
    parser.add_argument("--tolerance", type=float, default=10.0, help="percent")
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


def measure(args, point, seed, folder):
    """Goodputs in bit/s, of downloads and of uploads."""
    size = point[3] * 1_000_000
    served, local = folder / "served", folder / "local"
    for place in (served, local):
        place.mkdir(exist_ok=True)
        (place / "file").write_bytes(os.urandom(size))
    goodputs = {"get": [], "put": []}
    rate, rtt, loss, _ = point
    with Wan(args, NAME, seed, "--rate", f"{rate}mbit", "--delay", f"{rtt / 2}ms", "--loss", f"{loss}%", "--queue", "1bdp") as wan:
        server = wan.serve(folder, served, "--cc", args.algorithm)
        try:
            for turn in range(args.lossy if point[2] else args.repetitions):
                for way in goodputs:
                    remote = f"{SERVER}:/{'file' if way == 'get' else f'put{turn}'}"
                    words = [remote, local / f"got{turn}"] if way == "get" else [local / "file", remote]
                    options = ["--accept-new", "--durability", "none", "--cc", args.algorithm, "--port", PORT]
                    client = wan.dhow("A", folder, way, *options, *words)
                    told = events(client.communicate()[0].splitlines())
                    done = [event for event in told if event["event"] == "file"]
                    if not done:
                        raise SystemExit(f"{way} failed: {told[-3:]}")
                    goodputs[way].append(size * 8 / done[0]["seconds"])
                    print(f"{point} {way}: {goodputs[way][-1] / 1e6:.2f} Mbit/s", file=sys.stderr)
                    for copy in (local / f"got{turn}", served / f"put{turn}"):
                        copy.unlink(missing_ok=True)
        finally:
            stop(server)
    return goodputs


def main():
    args = parse_arguments()
    numbers = [int(number) for number in args.points.split(",")] if args.points else range(1, len(POINTS) + 1)
    good = True
    print(f"load average before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", file=sys.stderr)
    measured = {}
    for number in numbers:
        with tempfile.TemporaryDirectory(dir=memory()) as folder:
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
