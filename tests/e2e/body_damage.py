#!/usr/bin/env python3
"""body_damage: bytes of a stored body file change on the disk while the message waits: nothing of it is delivered, the
message is held as damaged and named in the log, and other messages are not disturbed."""
import glob
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../support")
import gateway as g  # noqa: E402
import load  # noqa: E402
import stored  # noqa: E402

tap = g.Tap()
gate = stored.Stored(g.workplace("body_damage"))


@tap.case
def changed_body_is_not_delivered():
    """One byte in the third block, or a bare LF: held as damaged; an unchanged one is delivered"""
    gate.take(("one-byte", "bare-lf", "sound"), size=300000)
    gate.take(("small",))
    files = glob.glob(f"{gate.spool}/*.body")
    assert len(files) == 3
    by_subject = {row["id"]: row for row in gate.queue()}
    assert len(by_subject) == 4
    ids = sorted(os.path.basename(f)[:-5] for f in files)
    gate.change(f"{ids[0]}.body", 140000, b"X")
    gate.change(f"{ids[1]}.body", 65536, b"\n.\nMAIL FROM:<>")
    with gate.host() as sink:
        gate.try_all()
        sink.wait(2, 30)
        for id_ in ids[:2]:
            gate.wait_log(rf"message {id_} is held: the body file {id_}.body is not what was stored; .* else its sender is told at 20")
        g.wait_for("two messages that stay", 20, lambda: len(gate.queue()) == 2, every=0.2)
        assert set(load.subjects(sink)) == {"sound", "small"}, load.subjects(sink)
        assert "sender is told nothing" not in gate.log()
        # the reason is known once the hold is stored, a moment after the line in the log
        g.wait_for("the reason of both holds in queue list", 20,
                   lambda: gate.tool("queue", "list").stdout.count(" damaged: the body file ") == 2, every=0.1)
        assert re.search(r"^ +held because +damaged: ", gate.tool("queue", "show", ids[0]).stdout, re.M)
        released = gate.tool("queue", "release", ids[1]).stdout
        assert "1 held because of damage: tried now" in released, released
        gate.wait_log(rf"(?s)(message {ids[1]} is held.*){{2}}")


@tap.case
def release_tries_once_more():
    """Made whole again and released, it is delivered"""
    name = min(os.path.basename(f) for f in glob.glob(f"{gate.spool}/*.body"))
    gate.change(name, 140000, b"y")
    with gate.host() as sink:
        gate.tool("queue", "release", name[:-5])
        sink.wait(1, 30)


try:
    tap.run()
finally:
    gate.stop()
