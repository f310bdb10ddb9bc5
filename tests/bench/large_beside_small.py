#!/usr/bin/env python3
"""large_beside_small [ROUNDS]: how long small messages wait for their 250 while messages of 48 MB are submitted beside
them.  4 KB messages at a steady rate; each round has them alone for a while and beside the large ones for as long, so
that what else the machine does falls on both.  Prints both medians and 99th percentiles of all rounds, and the ratios."""
import multiprocessing
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../support")
import gateway as g  # noqa: E402
import load  # noqa: E402

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 10
PHASE_S, RATE, LARGE = 3, 50, 48_000_000
HOME = g.workplace("large_beside_small", "bench")
gate = g.Gateway(f"{HOME}/gateway", extra='limits: { per_user = "1000000 recipients / 1h"; };',
                 routes=f'routes: ( {{ via = "smtp"; host = "127.0.0.1"; port = {g.free_port()}; tls = "none"; }} );').start()
gate.add_user()


def small(took):
    """Adds the milliseconds that each message of one phase took, from MAIL to its 250."""
    session = load.Session(gate)
    begin = time.monotonic()
    for n in range(PHASE_S * RATE):
        time.sleep(max(0.0, begin + n / RATE - time.monotonic()))
        before = time.monotonic()
        assert session.send(f"small-{len(took)}", size=4000).startswith("250")
        took.append(1000 * (time.monotonic() - before))
    session.close()


def percent(took, part):
    return sorted(took)[len(took) * part // 100]


def tell(what, took):
    print(f"{what}: {len(took)} messages, median {percent(took, 50):.1f} ms, "
          f"99% {percent(took, 99):.1f} ms, longest {max(took):.1f} ms", flush=True)


def send_large(session, head, piece):
    session.socket.sendall(f"MAIL FROM:<{gate.user}>\r\nRCPT TO:<bob@example.net>\r\nDATA\r\n".encode())
    for code in ("250", "250", "354"):
        session.expect(code)
    session.socket.sendall(head)
    for _ in range(LARGE // len(piece)):
        session.socket.sendall(piece)
    session.say(b".\r\n", "250")


def large(go, busy, count):
    """In a process of its own, of the lowest priority, and with a text that is made once: the clock of the small ones
    is not to wait for what runs on another machine in the field."""
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    session = load.Session(gate)
    head = f"From: <{gate.user}>\r\nTo: <bob@example.net>\r\nSubject: large\r\n\r\n".encode()
    piece = (b"y" * 78 + b"\r\n") * 800
    while True:
        go.wait()
        with busy:
            send_large(session, head, piece)
        count.value += 1


go, busy, count = multiprocessing.Event(), multiprocessing.Lock(), multiprocessing.Value("i", 0)
process = multiprocessing.Process(target=large, args=(go, busy, count), daemon=True)
try:
    process.start()
    alone, beside = [], []
    for _ in range(ROUNDS):
        small(alone)
        go.set()
        time.sleep(0.5)
        small(beside)
        go.clear()
        with busy:
            time.sleep(0.5)
    tell("alone", alone)
    tell(f"beside {count.value} messages of {LARGE // 1000000} MB", beside)
    print(f"ratio: median {percent(beside, 50) / percent(alone, 50):.1f}, 99% {percent(beside, 99) / percent(alone, 99):.1f}")
finally:
    process.kill()
    gate.stop()
