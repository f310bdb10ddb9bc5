#!/usr/bin/env python3
"""traced: with every system call of the queue on paper: before each 250 stands an fdatasync that began
after the message was written; and with the sync taken out, this very check fails."""
import glob
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../support")
import gateway as g  # noqa: E402
import load  # noqa: E402

HOME = g.workplace("traced")
tap = g.Tap()
CALL = re.compile(r"^(\d+\.\d+) (\w+)\((.*)\) += (-?\d+)(.*?)<(\d+\.\d+)>$", re.S)
MESSAGES = 30


def trace(name, *more):
    """The calls of a run in which MESSAGES were accepted: (start, end, name, arguments, result)."""
    directory = f"{HOME}/{name}"
    gate = g.Gateway(directory, routes='routes: ( { via = "smtp"; host = "127.0.0.1"; port = 9; tls = "none"; } );')
    os.environ["SALLYPORTD_WRAPPER"] = " ".join([
        "strace", "-ff", "-ttt", "-T", "-qq", "-s", "20000", "-o", f"{directory}/trace",
        "-e", "trace=pwritev,pwritev2,fdatasync,sendmsg", *more])
    gate.start()
    try:
        gate.add_user()
        session = load.Session(gate)
        replies = [session.send(f"{name}-{n}") for n in range(MESSAGES)]
        session.close()
    finally:
        gate.stop()
        os.environ["SALLYPORTD_WRAPPER"] = ""
    accepted = [re.search(r"Queued as (\S+)", r).group(1) for r in replies if r.startswith("250")]
    assert len(accepted) == MESSAGES, replies[:3]
    calls = []
    for path in glob.glob(f"{directory}/trace.*"):
        with open(path, encoding="latin-1") as f:
            for line in f:
                # the zeros of a new segment are many and say nothing
                if " pwritev" in line[:40] and "Received: " not in line:
                    continue
                m = CALL.match(line.rstrip("\n"))
                if m:
                    start = float(m.group(1))
                    calls.append((start, start + float(m.group(6)), m.group(2), m.group(3), int(m.group(4)), m.group(5)))
    return accepted, calls


def covered(accepted, calls):
    """Ids whose 250 came after a real sync that began after their bytes were written."""
    syncs = [(s, e) for s, e, name, _, result, note in calls
             if name == "fdatasync" and result == 0 and "INJECTED" not in note]
    good = set()
    for number in accepted:
        mark = re.compile(rf"\b{re.escape(number)}\b")
        written = [e for s, e, name, given, result, _ in calls
                   if name.startswith("pwritev") and result > 0 and mark.search(given)]
        told = [s for s, e, name, given, _, _ in calls if name == "sendmsg" and f"Queued as {number}" in given]
        if written and told and any(min(written) <= s and e <= min(told) for s, e in syncs):
            good.add(number)
    return good


@tap.case
def each_250_is_covered():
    """a sync that began after the write returned before each 250"""
    accepted, calls = trace("sync")
    missing = set(accepted) - covered(accepted, calls)
    assert not missing, sorted(missing)[:5]


@tap.case
def without_sync_it_shows():
    """the same with the sync taken out: the check says so"""
    accepted, calls = trace("nosync", "-e", "inject=fdatasync:retval=0")
    assert not covered(accepted, calls)


tap.run()
