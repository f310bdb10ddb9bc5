#!/usr/bin/env python3
"""large_beside_small [SECONDS]: how long small messages wait for their 250 while messages of 50 MB are submitted beside
them.  4 KB messages at a steady 20 per second, alone and beside the large ones; prints both medians and 99th percentiles."""
import os
import sys
import threading
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


def large(over, counts):
    session = load.Session(gate)
    while not over.is_set():
        assert session.send("large", size=LARGE).startswith("250")
        counts.append(1)
    session.close()


try:
    tell("alone", small(SECONDS))
    over, counts = threading.Event(), []
    thread = threading.Thread(target=large, args=(over, counts))
    thread.start()
    time.sleep(0.5)
    took = small(SECONDS)
    over.set()
    thread.join(60)
    tell(f"beside {len(counts)} messages of {LARGE // 1000000} MB", took)
finally:
    gate.stop()
