#!/usr/bin/env python3
"""causes: what the log and the operator's commands name as the cause is the cause: "Input/output error" and its like only where
the system said so; damage that the spool found itself in words of its own, with the name of the file."""
import os
import re
import struct
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../support")
import disks  # noqa: E402
import gateway as g  # noqa: E402
import stored  # noqa: E402

disks.own_mounts()
HOME = g.workplace("causes")
tap = g.Tap()


def made(name):
    os.makedirs(f"{HOME}/{name}")
    return stored.Stored(f"{HOME}/{name}")


def reasons(gate):
    return {row["id"]: row["reason"] for row in gate.queue()}


def waits(gate, reason):
    g.wait_for(f"reason {reason}: {reasons(gate)}", 20, lambda: all(r.startswith(reason) for r in reasons(gate).values()))


def refused(gate):
    """The daemon ends by itself with 75; what it said."""
    before = len(gate.log())
    gate.start(wait=False)
    assert gate.process.wait(20) == 75, gate.tail()
    return gate.log()[before:]


@tap.case
def a_record_that_does_not_fit_its_checksum():
    """at the first read of it no error of the disk is told, but what was found, and what a second one means"""
    gate = made("record")
    try:
        gate.take(["one"])
        waits(gate, "connect")
        name, at = gate.place_of(b"Subject: one")
        gate.change(name, at, b"Xubject")
        before = len(gate.log())
        gate.try_all()
        gate.wait_log(r"reason=unreadable")
        said = gate.log()[before:]
        assert "Input/output error" not in said and "Bad message" not in said, said
        assert re.search(rf"spool: message \S+ cannot be read now: {name}, offset \d+: its checksum is wrong at this read, the "
                         "disk reported no error; wrong at the next read too, it is lost, and its sender gets a report", said), said
    finally:
        gate.stop()


def held_for_its_body(name, spoil):
    """A message whose body is spoiled while the daemon is stopped; started, held.  Its id, and what the start said."""
    gate = made(name)
    gate.take(["large"], size=300000)
    gate.stop()
    body = next(n for n in os.listdir(gate.spool) if n.endswith(".body"))
    spoil(f"{gate.spool}/{body}")
    gate.start()
    return gate, body


@tap.case
def a_body_that_is_missing_or_cut():
    """queue list and show say which file is missing or cut, show prints the header all the same; after a release the reason is the
    same, and no errno is told for it"""
    for name, spoil, wrong in (("missing", os.remove, "is missing"), ("cut", lambda path: os.truncate(path, 200000), "is not whole")):
        gate, body = held_for_its_body(name, spoil)
        try:
            id_, why = body[:-len(".body")], f"damaged: the body file {body} {wrong}"
            for _ in range(2):
                g.wait_for("the reason", 10, lambda: reasons(gate) == {id_: why})
                shown = gate.tool("queue", "show", id_).stdout
                assert re.search(rf"^ +held because +{re.escape(why)}", shown, re.M) and "Subject: large" in shown, shown
                before = len(gate.log())
                gate.tool("queue", "release", id_)
                gate.wait_log(rf"(?s)^.{{{before}}}.*message {id_} is held: the body file {body} {wrong}")
            said = gate.log()[before:]
            assert "No such file" not in said and "Bad message" not in said and "offset 0" not in said, said
        finally:
            gate.stop()


@tap.case
def the_first_reason_of_a_hold_stays():
    """held by the operator, then its body is missing at a start: the operator's reason stays, and the log tells of the body"""
    gate = made("reason")
    try:
        gate.take(["large"], size=300000)
        (id_, _), = reasons(gate).items()
        gate.tool("queue", "hold", id_, "--reason", "phished")
        gate.stop()
        os.remove(f"{gate.spool}/{id_}.body")
        gate.start()
        assert f"message {id_}: the body file {id_}.body is missing" in gate.log(), gate.log()
        g.wait_for("the reason", 10, lambda: reasons(gate) == {id_: "operator: phished"})
    finally:
        gate.stop()


def generations(directory):
    """Of the segment files with frames: generation and name, oldest first."""
    found = []
    for name in os.listdir(directory):
        if re.fullmatch(r"seg-\d{8}", name):
            with open(f"{directory}/{name}", "rb") as f:
                data = f.read(4100)
            if data[4096:] == b"SPFR":
                found.append((struct.unpack_from("<Q", data, 16)[0], name))
    return sorted(found)


def some_segments(name):
    gate = made(name)
    for n in range(2):
        gate.take([f"message-{n}"])
        gate.stop()
        gate.start()
    gate.take(["last"])
    gate.stop()
    found = generations(gate.spool)
    assert len(found) >= 3, found
    return gate, found


@tap.case
def a_segment_file_that_is_empty():
    """emptied, or cut within its header: the refused start names the file and says so; one that is gone: the name that is not there"""
    for at, words in ((0, "it is empty"), (30, "it is shorter than the header of a segment"), (None, "")):
        gate, found = some_segments(f"empty-{at}")
        generation, name = found[1]
        if at is None:
            os.remove(f"{gate.spool}/{name}")
        else:
            os.truncate(f"{gate.spool}/{name}", at)
        said = refused(gate)
        assert re.search(rf"a segment file is missing: that of generation {generation},", said), said
        if at is None:
            assert re.search(rf"of the names up to {max(os.listdir(gate.spool))}, these are not there: {name}\b", said), said
        else:
            assert re.search(rf"error: spool: {name}: {words}; it may be the file that is missing", said), said


@tap.case
def a_file_system_that_is_read_only():
    """the spool's file system is read-only: the start says that the lock cannot be opened for writing"""
    gate = made("read-only")
    gate.stop()
    os.rename(gate.spool, f"{gate.directory}/kept")
    os.mkdir(gate.spool)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400m", "tmpfs", gate.spool], check=True)
    try:
        subprocess.run(["cp", "-aT", f"{gate.directory}/kept", gate.spool], check=True)
        subprocess.run(["mount", "-o", "remount,ro", gate.spool], check=True)
        said = refused(gate)
        assert "spool: lock cannot be opened for writing: Read-only file system" in said, said
        assert "cannot be read" not in said, said
    finally:
        disks.unmount(gate.spool)


@tap.case
def a_newer_version_was_here():
    """a segment of a newer format: the reason of the refusal is that, and no protocol error"""
    gate = made("newer")
    gate.stop()
    name = generations(gate.spool)[0][1]
    with open(f"{gate.spool}/{name}", "rb") as f:
        header = bytearray(f.read(36))
    header[8:12] = struct.pack("<I", 9)
    gate.change(name, 0, header + struct.pack("<I", stored.crc32c(header)))
    try:
        said = refused(gate)
    finally:
        gate.stop()
    assert "Protocol error" not in said, said
    assert re.search(r"spool \S+ cannot be opened: a newer Sallyport wrote it, the log says more", said), said


tap.run()
