#!/usr/bin/env python3
"""What dhow gets of a link, with the kernel's TCP beside it: the points and limits of recovery and congestion control, over real
sockets and `wan`.

Alone: `dhow get` with each congestion control, and TCP BBR and CUBIC, over the same link. Goodput is file bits over link bits,
from the start of the client's process (TCP: from its SYN) until the file is there, verified and under its name (TCP: until its
FIN came): neither counts the round trip in which the two ends part. A transfer that does not end within the time counts with what
had come by then. Together: `dhow get` with bbr and one TCP CUBIC flow for a minute, of which the second half counts.
Background: what TCP gets alone, beside `dhow get` with background, and joining it. Alike (only when asked for): two flows of
dhow, or of TCP, with the same congestion control, and Jain's index of what they get.

Needs root (network namespaces, TUN devices), the modules of TCP BBR, and the binary:

    cargo build --release -p cli
    sudo python3 tests/wan/goodput.py --wan PATH/TO/wan

On a machine with other work, the figures tell of that. Ends with 0 if every limit that is demanded of dhow with bbr and background holds.
"""

import argparse
import json
import os
import pathlib
import sys
import tempfile
import threading
import time

from link import HERE, SERVER, Wan, add_arguments, events, memory, sleep_until, stop

NAME = "dhowgood"
# Mbit/s, ms of round trip, % of loss in each direction, other options, share demanded of bbr.
ALONE = [
    (200, 20, 0, [], 0.94),
    (200, 100, 0, [], 0.89),
    (200, 100, 0.1, [], 0.89),
    (200, 100, 1, [], 0.87),
    (200, 100, 5, [], 0.82),
    (50, 300, 2, [], 0.78),
    (100, 50, 1, ["--reorder", "2%"], 0.90),
    (200, 100, 0, ["--ge", "0.2041%,10%"], 0.80),
    (200, 100, 0, ["--queue", "0.1bdp"], 0.80),
    (200, 100, 0, ["--queue", "8bdp"], 0.80),
]
# Queues in BDP of 100 Mbit/s and 50 ms.
TOGETHER = [0.5, 1, 4]
WEAKER_LEAST, DROPS_MOST = 0.2, 0.03
# Queues in BDP of 100 Mbit/s and 100 ms, and the part of what TCP gets alone that background leaves it.
BACKGROUND = [1, 4]
LEFT_LEAST = 0.9
# Of two equal flows, whether they start together or not.
JAIN_LEAST = 0.95
# Flows have so many seconds to settle, and are watched until the second number; who joins does so then.
SETTLE, END, LATE = 30, 60, 10


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    parser.add_argument("--cc", default="bbr,cubic", help="dhow's congestion controls")
    parser.add_argument("--tcp", default="bbr,cubic", help="TCP's congestion controls")
    parser.add_argument("--seconds", type=float, default=14, help="length of files, in seconds of the link")
    parser.add_argument("--time-max", type=float, default=20, help="seconds after which a transfer alone is cut")
    parser.add_argument("--alone", help="numbers of the points to take, from 1 on, such as 1,4 or none; all unless given")
    parser.add_argument("--together", help="queues to take, such as 0.5,4 or none; all unless given")
    parser.add_argument("--alike", type=int, default=0, help="runs of two equal flows; none unless given")
    parser.add_argument("--background", help="queues to take, such as 1 or none; all unless given")
    return parser.parse_args()


def link(args, seed, rate, rtt, loss, *options):
    words = ["--rate", f"{rate}mbit", "--delay", f"{rtt / 2}ms", "--loss", f"{loss}%", "--tcp-mem", "256mb"]
    return Wan(args, NAME, seed, *words, *options)


def dhow_alone(args, wan, folder, control, size):
    """File bytes that came, and in how many seconds: all of them when the file is there, or else what had come, over all of the time."""
    served, got = folder / "served", folder / "got"
    served.mkdir(exist_ok=True)
    (served / "file").write_bytes(os.urandom(size))
    server = wan.serve(folder, served, "--cc", control)
    try:
        began = time.monotonic()
        client = wan.get(folder, "file", got)
        cut = threading.Timer(args.time_max, client.terminate)
        cut.daemon = True
        cut.start()
        lines, took = [], args.time_max
        for line in client.stdout:
            lines.append(line)
            if json.loads(line)["event"] == "file":
                took = time.monotonic() - began
        cut.cancel()
        client.wait()
        told = [event for event in events(lines) if event["event"] in ("progress", "file")]
        done = any(event["event"] == "file" for event in told)
        if done and got.read_bytes() != (served / "file").read_bytes():
            raise SystemExit("dhow brought other bytes")
        if not done and client.returncode == 0 or not told:
            raise SystemExit(f"dhow get failed: {lines[-3:]}")
        return (size if done else told[-1]["bytes"]), took
    finally:
        stop(server)
        got.unlink(missing_ok=True)


def tcp_alone(args, wan, control, size):
    server = tcp_serve(wan, control, size)
    try:
        client = wan.run("A", sys.executable, HERE / "tcp.py", "get", SERVER, args.time_max)
        last = events(client.communicate()[0].splitlines())[-1]
        return last["bytes"], last["seconds"]
    finally:
        server.kill()
        server.communicate()


def tcp_serve(wan, control, size):
    server = wan.run("B", sys.executable, HERE / "tcp.py", "serve", control, size)
    server.stdout.readline()
    return server


def alone(args, folder):
    """The rows of the table, and whether the limits hold."""
    numbers = wanted(args.alone, range(1, len(ALONE) + 1), int)
    controls, kernels = args.cc.split(","), args.tcp.split(",")
    heads = [f"dhow {control}" for control in controls] + [f"TCP {control}" for control in kernels]
    rows, good = [["link", *heads, "demanded of bbr"]], True
    for number in numbers:
        rate, rtt, loss, options, least = ALONE[number - 1]
        size = int(rate * 1e6 / 8 * args.seconds)
        row = [" ".join([f"{rate} Mbit/s, {rtt} ms, {loss} %", *options])]
        for kind, control in [("dhow", of) for of in controls] + [("tcp", of) for of in kernels]:
            with link(args, number, rate, rtt, loss, *options) as wan:
                if kind == "dhow":
                    came, took = dhow_alone(args, wan, folder, control, size)
                else:
                    came, took = tcp_alone(args, wan, control, size)
            share = came * 8 / took / (rate * 1e6)
            good &= (kind, control) != ("dhow", "bbr") or share >= least
            row.append(f"{share:.3f}")
            print(f"{row[0]}: {kind} {control} {share:.3f} ({came} bytes in {took:.1f} s)", file=sys.stderr)
        rows.append([*row, f"≥ {least}"])
    return rows, good


def sharing(args, folder, rtt, queue, flows):
    """Goodputs of flows that share a link of 100 Mbit/s, and the share of packets that its queue dropped.

    A flow is its kind, its congestion control and the second in which it starts. What counts is the half of a minute that begins
    `SETTLE` after the last start.
    """
    last = max(start for _, _, start in flows)
    served = folder / "served"
    served.mkdir(exist_ok=True)
    got = [folder / f"got{place}" for place in range(len(flows))]
    size = int(100e6 / 8 * (last + END))
    (served / "file").write_bytes(os.urandom(size))
    with link(args, 1, 100, rtt, 0, "--queue", f"{queue}bdp") as wan:
        kinds = {(kind, control) for kind, control, _ in flows}
        servers = [(kind, wan.serve(folder, served, "--cc", control) if kind == "dhow" else tcp_serve(wan, control, size)) for kind, control in kinds]
        began, clients = time.monotonic(), {}
        for place, (kind, _, start) in sorted(enumerate(flows), key=lambda of: of[1][2]):
            sleep_until(began + start)
            tcp = ["A", sys.executable, HERE / "tcp.py", "get", SERVER, last + END - start]
            clients[place] = wan.get(folder, "file", got[place]) if kind == "dhow" else wan.run(*tcp)
        sleep_until(began + last + END)
        for client in clients.values():
            client.terminate()
        told = [events(clients[place].communicate()[0].splitlines()) for place in range(len(flows))]
        for kind, server in servers:
            if kind == "dhow":
                stop(server)
            else:
                server.kill()
                server.communicate()
    for file in got:
        file.unlink(missing_ok=True)
    goodputs = [settled(of, last + SETTLE - start) for of, (_, _, start) in zip(told, flows)]
    way = wan.stats["B->A"]
    return goodputs, way["taildrop"] / max(1, way["in_pkts"])


def settled(told, since):
    """Bits a second from a second on, as progress told; by the client's own clock, which starts within milliseconds."""
    late = [event for event in told if event["event"] == "progress" and event["seconds"] >= since]
    if len(late) < 2:
        return 0.0
    return (late[-1]["bytes"] - late[0]["bytes"]) * 8 / (late[-1]["seconds"] - late[0]["seconds"])


def together(args, folder):
    """bbr beside TCP CUBIC: the weaker's share."""
    rows, good = [["100 Mbit/s, 50 ms, queue", "dhow bbr", "TCP cubic", "the weaker's share", "demanded", "drops", "demanded"]], True
    for queue in wanted(args.together, TOGETHER, float):
        goodputs, drops = sharing(args, folder, 50, queue, [("dhow", "bbr", 0), ("tcp", "cubic", 0)])
        weaker = min(goodputs) / max(1.0, sum(goodputs))
        good &= weaker >= WEAKER_LEAST and drops <= DROPS_MOST
        rates = [f"{goodput / 1e6:.1f} Mbit/s" for goodput in goodputs]
        rows.append([f"{queue:g} BDP", *rates, f"{weaker:.3f}", f"≥ {WEAKER_LEAST}", f"{drops:.4f}", f"≤ {DROPS_MOST}"])
        print(rows[-1], file=sys.stderr)
    return rows, good


def background(args, folder):
    """What background leaves to TCP, of what TCP gets alone: started together, and TCP joining later."""
    head = ["100 Mbit/s, 100 ms, queue", "who", "alone", "beside background", "left", "joining background", "left", "demanded"]
    rows, good = [head], True
    for queue in wanted(args.background, BACKGROUND, float):
        for control in args.tcp.split(","):
            alone = sharing(args, folder, 100, queue, [("tcp", control, 0)])[0][0]
            row = [f"{queue:g} BDP", f"TCP {control}", f"{alone / 1e6:.1f} Mbit/s"]
            for start in (0, LATE):
                flows = [("tcp", control, start), ("dhow", "background", 0)]
                (beside, rest), _ = sharing(args, folder, 100, queue, flows)
                left = beside / max(1.0, alone)
                good &= left >= LEFT_LEAST
                row += [f"{beside / 1e6:.1f} Mbit/s ({rest / 1e6:.1f} to background)", f"{left:.3f}"]
            rows.append([*row, f"≥ {LEFT_LEAST}"])
            print(rows[-1], file=sys.stderr)
    return rows, good


def alike(args, folder):
    """Two flows with the same congestion control in a queue of 1 BDP, together and one later: Jain's index."""
    rows, good = [["100 Mbit/s, 50 ms, 1 BDP", *["together", "one later"] * args.alike, "demanded of bbr"]], True
    kinds = [("dhow", control) for control in args.cc.split(",")] + [("tcp", control) for control in args.tcp.split(",")]
    for kind, control in kinds if args.alike else []:
        row = [f"two {kind} {control}"]
        for start in [0, LATE] * args.alike:
            (one, two), _ = sharing(args, folder, 50, 1, [(kind, control, 0), (kind, control, start)])
            index = (one + two) ** 2 / max(1.0, 2 * (one**2 + two**2))
            good &= index >= JAIN_LEAST or (kind, control) != ("dhow", "bbr")
            row.append(f"{index:.3f}")
        rows.append([*row, f"≥ {JAIN_LEAST}"])
        print(rows[-1], file=sys.stderr)
    return rows, good


def wanted(text, everything, read):
    if text is None:
        return list(everything)
    return [] if text == "none" else [read(word) for word in text.split(",")]


def show(rows):
    print("| " + " | ".join(rows[0]) + " |")
    print("|" + "---|" * len(rows[0]))
    for row in rows[1:]:
        print("| " + " | ".join(row) + " |")
    print(flush=True)


def main():
    args = parse_arguments()
    print(f"load average before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", file=sys.stderr)
    with tempfile.TemporaryDirectory(dir=memory()) as folder:
        tables = [measure(args, pathlib.Path(folder)) for measure in (alone, together, background, alike)]
    print(f"load average after: {os.getloadavg()[0]:.1f}", file=sys.stderr)
    for rows, _ in tables:
        if len(rows) > 1:
            show(rows)
    return 0 if all(good for _, good in tables) else 1


if __name__ == "__main__":
    sys.exit(main())
