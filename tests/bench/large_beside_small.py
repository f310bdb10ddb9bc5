#!/usr/bin/env python3
"""large_beside_small [SECONDS]: how long small messages wait for their 250 while messages of 50 MB are submitted beside
them.  4 KB messages at a steady 20 per second, alone and beside the large ones; prints both medians and 99th percentiles."""
import multiprocessing
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../support")
import gateway as g  # noqa: E402
import load  # noqa: E402

SECONDS = float(sys.argv[1]) if len(sys.argv) > 1 else 10
RATE, LARGE = 20, 48_000_000
HOME = g.workplace("large_beside_small", "bench")
gate = g.Gateway(f"{HOME}/gateway", extra='limits: { per_user = "1000000 recipients / 1h"; };',
                 routes=f'routes: ( {{ via = "smtp"; host = "127.0.0.1"; port = {g.free_port()}; tls = "none"; }} );').start()
gate.add_user()


def small(seconds):
    """Milliseconds that each message took, from MAIL to its 250."""
    session, took = load.Session(gate), []
    begin = time.monotonic()
    for n in range(int(seconds * RATE)):
        time.sleep(max(0.0, begin + n / RATE - time.monotonic()))
        before = time.monotonic()
        assert session.send(f"small-{n}", size=4000).startswith("250")
        took.append(1000 * (time.monotonic() - before))
    session.close()
    return sorted(took)


def tell(what, took):
    print(f"{what}: {len(took)} messages, median {took[len(took) // 2]:.1f} ms, "
          f"99% {took[len(took) * 99 // 100]:.1f} ms, longest {took[-1]:.1f} ms", flush=True)


def large(over, count):
    """In a process of its own, and with a text that is made once: the clock of the small ones is not to wait for it."""
    session = load.Session(gate)
    head = f"From: <{gate.user}>\r\nTo: <bob@example.net>\r\nSubject: large\r\n\r\n".encode()
    piece = (b"y" * 78 + b"\r\n") * 800
    while not over.is_set():
        session.socket.sendall(f"MAIL FROM:<{gate.user}>\r\nRCPT TO:<bob@example.net>\r\nDATA\r\n".encode())
        for code in ("250", "250", "354"):
            session.expect(code)
        session.socket.sendall(head)
        for _ in range(LARGE // len(piece)):
            session.socket.sendall(piece)
        session.say(b".\r\n", "250")
        count.value += 1
    session.close()


try:
    tell("alone", small(SECONDS))
    over, count = multiprocessing.Event(), multiprocessing.Value("i", 0)
    process = multiprocessing.Process(target=large, args=(over, count))
    process.start()
    time.sleep(0.5)
    took = small(SECONDS)
    over.set()
    process.join(60)
    tell(f"beside {count.value} messages of {LARGE // 1000000} MB", took)
finally:
    gate.stop()
