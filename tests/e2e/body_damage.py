#!/usr/bin/env python3
"""body_damage: bytes of a stored body file change on the disk while the message waits: nothing of it is delivered, the
message is held as damaged and named in the log, and other messages are not disturbed."""
import glob
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../support")
import gateway as g  # noqa: E402
import load  # noqa: E402

HOME = g.workplace("body_damage")
tap = g.Tap()
port = g.free_port()
gate = g.Gateway(f"{HOME}/gateway", extra='limits: { per_user = "1000000 recipients / 1h"; };',
                 routes=f'routes: ( {{ via = "smtp"; host = "127.0.0.1"; port = {port}; tls = "none"; }} );').start()
gate.add_user()


def change(name, at, data):
    with open(name, "r+b") as f:
        f.seek(at)
        f.write(data)


@tap.case
def changed_body_is_not_delivered():
    """One byte in the third block, or a bare LF: held as damaged; an unchanged one is delivered"""
    session = load.Session(gate)
    for name in ("one-byte", "bare-lf", "sound"):
        assert session.send(name, size=300000).startswith("250")
    assert session.send("small").startswith("250")
    session.close()
    files = glob.glob(f"{gate.directory}/spool/*.body")
    assert len(files) == 3
    by_subject = {row["id"]: row for row in gate.queue()}
    assert len(by_subject) == 4
    ids = sorted(os.path.basename(f)[:-5] for f in files)
    change(f"{gate.directory}/spool/{ids[0]}.body", 140000, b"X")
    change(f"{gate.directory}/spool/{ids[1]}.body", 65536, b"\n.\nMAIL FROM:<>")
    sink = g.Sink(HOME, port=port)
    try:
        gate.tool("queue", "retry", "--all", "--yes")
        sink.wait(2, 30)
        for id_ in ids[:2]:
            gate.wait_log(rf"message {id_} is held: what was stored of it is damaged")
        g.wait_for("two messages that stay", 20, lambda: len(gate.queue()) == 2, every=0.2)
        assert set(load.subjects(sink)) == {"sound", "small"}, load.subjects(sink)
    finally:
        sink.stop()


@tap.case
def release_tries_once_more():
    """Made whole again and released, it is delivered"""
    files = sorted(glob.glob(f"{gate.directory}/spool/*.body"))
    with open(files[0], "rb") as f:
        data = f.read()
    change(files[0], 140000, data[139920:139921] if data[139920:139921] == b"y" else b"y")
    sink = g.Sink(HOME, port=port)
    try:
        gate.tool("queue", "release", os.path.basename(files[0])[:-5])
        sink.wait(1, 30)
    finally:
        sink.stop()


try:
    tap.run()
finally:
    gate.stop()
