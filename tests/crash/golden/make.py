#!/usr/bin/env python3
"""make: makes a golden spool with the build in TOP_BUILDDIR and packs it, with the list of what it holds.

    TOP_BUILDDIR=OLD/build make.py OUTPUT_DIRECTORY LISTER

LISTER is a golden_list that was built from the sources of that version.  When SPOOL_SEGMENT_BYTES of that build
is at most 256 KiB, segments are filled, freed and compacted as well."""
import os
import re
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path.insert(0, TOP + "/tests/support")
import gateway as g  # noqa: E402

OUTPUT, LISTER = sys.argv[1:]
HOME = g.workplace("golden-make")
ROUTES = 'routes: ( {{ via = "smtp"; host = "127.0.0.1"; port = {}; tls = "none"; }} );'


def start(gate):
    gate.start()
    gate.add_user()
    gate.add_user("bea@example.com")


def queued(gate, subject, recipients, text, user="alice@example.com"):
    client = gate.connect(user=user)
    code, reply = gate.send(recipients, text=text, subject=subject, sender=user, client=client)
    client.quit()
    assert code == 250, reply
    return re.search(r"([0-9A-Z]{12}-\d+)", reply).group(1)


def fill(gate):
    """Each state that a message can have."""
    queued(gate, "waits", ["later@one.example"], "small\r\n")
    queued(gate, "partly", ["bob@one.example", "later@two.example", "later-too@two.example", "later@three.example",
                            "nobody@four.example"], "partly delivered\r\n" * 20)
    queued(gate, "large", ["later@five.example"], ("z" * 70 + "\r\n") * 3000, "bea@example.com")
    held = queued(gate, "held", ["later@six.example", "later@seven.example"], "held\r\n")
    released = queued(gate, "released", ["later@eight.example"], "held and released\r\n", "bea@example.com")
    g.wait_for("a report", 20, lambda: [r for r in gate.queue() if not r["from"]])
    gate.tool("queue", "hold", held, "--reason", "asked by the customer", "--yes")
    gate.tool("queue", "hold", released, "--yes")
    gate.tool("queue", "release", released, "--yes")


def names(gate):
    return sorted(n for n in os.listdir(f"{gate.directory}/spool") if n.startswith("seg-"))


def fill_segments(gate):
    """Messages that are delivered and statuses, until segments were freed and survivors copied."""
    for n in range(60):
        queued(gate, f"gone-{n}", ["bob@one.example"], ("w" * 70 + "\r\n") * 900)
        if n == 15:
            queued(gate, "survivor", ["later@nine.example"], "survives compaction\r\n")
    retry(gate, 100)
    # more than half of the log lives: nothing is copied, and whole segments hold statuses alone
    for n in range(30):
        queued(gate, f"stays-{n}", ["later@ten.example"], ("v" * 70 + "\r\n") * 900)
    retry(gate, 40)


def retry(gate, times):
    for _ in range(times):
        gate.tool("queue", "retry", "--all", "--yes")
        time.sleep(0.1)


def pack(directory, name):
    """Blocks of zeros are holes in the archive."""
    subprocess.run(["tar", "-C", directory, "-S", "--owner=0", "--group=0", "--numeric-owner", "-cJf",
                    f"{OUTPUT}/{name}", "spool"], check=True, env={**os.environ, "XZ_OPT": "-9e"})


def main():
    sink = g.Sink(HOME, "--fail", "rcpt/later=450 4.2.1 later", "--fail", "rcpt/nobody=550 5.1.1 no such user",
                  "--fail", "rcpt/alice=450 4.2.1 later")
    gate = g.Gateway(f"{HOME}/gateway", routes=ROUTES.format(sink.port),
                     extra='limits: { per_user = "1000 recipients / 1h"; };')
    gate.parts["queue"] = gate.parts["queue"].replace('"1s"', '"1s", "1h"')
    gate.write_config()
    start(gate)
    try:
        fill(gate)
        if os.path.getsize(f"{gate.directory}/spool/{names(gate)[0]}") <= 1 << 18:
            fill_segments(gate)
        time.sleep(12)  # limit snapshots
    finally:
        gate.kill_group()
        sink.stop()
    os.makedirs(OUTPUT, exist_ok=True)
    spool = f"{gate.directory}/spool"
    pack(gate.directory, "spool.tar.xz")
    listing = subprocess.run([LISTER, spool], check=True, capture_output=True, text=True).stdout
    with open(f"{OUTPUT}/listing", "w", encoding="ascii") as f:
        f.write(listing)
    print(listing[:3000], names(gate), os.path.getsize(f"{OUTPUT}/spool.tar.xz"))


main()
