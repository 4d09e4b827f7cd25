#!/usr/bin/env python3
"""The kernel's TCP, to stand beside dhow: `serve ALGORITHM BYTES` sends so many zeros to whoever connects, `get ADDRESS SECONDS`
takes them and prints how many had come after how long, once in a fifth of a second and at the end, as lines of JSON."""

import json
import socket
import sys
import threading
import time

PORT = 4918


def serve(algorithm, size):
    listener = socket.create_server(("0.0.0.0", PORT))
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, algorithm.encode())
    print("listening", flush=True)
    chunk = memoryview(bytes(1 << 20))

    def send(taken):
        left = size
        try:
            while left:
                left -= taken.send(chunk[:min(left, len(chunk))])
            taken.shutdown(socket.SHUT_WR)
            taken.recv(1)
        except OSError:
            pass
        taken.close()

    while True:
        taken, _ = listener.accept()
        threading.Thread(target=send, args=(taken,), daemon=True).start()


def get(address, seconds):
    began = time.monotonic()
    stream = socket.create_connection((address, PORT))
    stream.settimeout(1.0)
    buffer, got, told = bytearray(1 << 20), 0, began

    def tell():
        print(json.dumps({"event": "progress", "bytes": got, "seconds": time.monotonic() - began}), flush=True)

    while time.monotonic() - began < seconds:
        try:
            count = stream.recv_into(buffer)
        except TimeoutError:
            continue
        if count == 0:
            break
        got += count
        if time.monotonic() - told >= 0.2:
            told = time.monotonic()
            tell()
    tell()


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2], int(sys.argv[3]))
    else:
        get(sys.argv[2], float(sys.argv[3]))
