#!/usr/bin/env python3
"""golden: spools that former versions wrote, kept in tests/crash/golden, are opened by this version: every message,
recipient state, hold and note is found exactly, and all mail is delivered once, byte for byte.

tests/crash/golden/make.py made them; golden_list prints what a spool holds."""
import hashlib
import os
import re
import shutil
import struct
import subprocess
import sys
import tarfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../support")
import gateway as g  # noqa: E402
import stored  # noqa: E402

GOLDEN = f"{g.TOP}/tests/crash/golden"
HOME = g.workplace("golden")
tap = g.Tap()


def unpack(name, directory, owner=None):
    """Blocks of zeros stay holes; owner: the status of a file whose owner gets it all."""
    with tarfile.open(f"{GOLDEN}/{name}/spool.tar.xz") as archive:
        archive.extractall(directory)
    owner = owner or os.stat(directory)
    for path in (f"{directory}/spool", *(f"{directory}/spool/{n}" for n in os.listdir(f"{directory}/spool"))):
        os.chown(path, owner.st_uid, owner.st_gid)


def listing(name):
    with open(f"{GOLDEN}/{name}/listing", encoding="ascii") as f:
        return f.read().splitlines()


def expected(name):
    """id -> (open recipients, held, header bytes, header checksum, body checksum)"""
    found = {}
    for line in listing(name):
        if not line.startswith("message "):
            continue
        fields = dict(word.split("=", 1) for word in line.split() if "=" in word)
        settled = sum(1 for key, value in fields.items() if key.isdigit() and value.split(",")[1] == "1")
        found[line.split()[1]] = (int(fields["recipients"]) - settled, fields["held"] == "1", int(fields["header_bytes"]),
                                  fields["header"], fields["body"])
    return found


def sums(message, header_bytes):
    """Of header and body; the blank line between them is not stored."""
    return tuple(hashlib.sha256(part).hexdigest() for part in (message[:header_bytes], message[header_bytes + 2:]))


def recipients(sink, number):
    return len(re.findall(r"^rcpt=", sink.envelope(number), re.M))


def deliver(name):
    want = expected(name)
    sink = g.Sink(f"{HOME}/{name}-host")
    gate = g.Gateway(f"{HOME}/{name}", routes=f'routes: ( {{ via = "smtp"; host = "127.0.0.1"; port = {sink.port}; '
                                              'tls = "none"; } );')
    gate.parts["queue"] = gate.parts["queue"].replace("queue: {", 'queue: { lifetime = "60d";')
    gate.write_config()
    try:
        # the daemon makes its directories, then the old spool takes the place of the new one
        gate.start().stop()
        owner = os.stat(f"{gate.directory}/spool")
        shutil.rmtree(f"{gate.directory}/spool")
        unpack(name, gate.directory, owner)
        gate.start()
        held = {i for i, (_, is_held, *_) in want.items() if is_held}
        assert held == {row["id"] for row in gate.queue() if row["state"] == "held"}
        gate.tool("queue", "retry", "--all", "--yes")
        g.wait_for(f"delivery {gate.tail()}", 30, lambda: {r["id"] for r in gate.queue()} == held, every=0.2)
        gate.tool("queue", "release", "--all", "--yes")
        g.wait_for(f"an empty queue {gate.tail()}", 20, lambda: not gate.queue(), every=0.2)
        gate.stop()
        for message_id, (count, _, header_bytes, header, body) in want.items():
            got = [n for n, m in enumerate(sink.messages(), 1) if sums(m, header_bytes) == (header, body)]
            assert sum(recipients(sink, n) for n in got) == count, (message_id, count, got)
        assert sum(recipients(sink, n + 1) for n in range(sink.count())) == sum(count for count, *_ in want.values())
        assert "damages=0" in gate.log() and "damages=1" not in gate.log()
    finally:
        gate.stop()
        sink.stop()


def add(name):
    def is_found():
        directory = f"{HOME}/{name}-list"
        os.makedirs(directory)
        for turn in ("first", "second"):
            if turn == "first":
                unpack(name, directory)
            run = subprocess.run([f"{g.BUILD}/golden_list", f"{directory}/spool"], capture_output=True, text=True, check=False)
            assert run.returncode == 0, run.stderr
            assert run.stdout.splitlines() == listing(name), (turn, run.stdout, run.stderr)
        shutil.rmtree(directory)

    def is_delivered():
        deliver(name)

    is_found.__doc__ = f"{name}: opened twice, each message, state, hold and note is found as it was"
    is_delivered.__doc__ = f"{name}: the daemon starts with it and delivers everything once, byte for byte"
    tap.case(is_found)
    tap.case(is_delivered)


@tap.case
def newer_is_refused():
    """a segment of a newer version is refused in words that name the file, its version and ours, and is not changed"""
    directory = f"{HOME}/newer"
    os.makedirs(directory)
    unpack("0.1.0", directory)
    with open(f"{directory}/spool/seg-00000001", "r+b") as f:
        header = bytearray(f.read(40))
        header[8:12] = struct.pack("<I", 7)
        header[36:40] = struct.pack("<I", stored.crc32c(header[:36]))
        f.seek(0)
        f.write(header)
    before = {n: os.stat(f"{directory}/spool/{n}").st_mtime_ns for n in os.listdir(f"{directory}/spool")}
    run = subprocess.run([f"{g.BUILD}/golden_list", f"{directory}/spool"], capture_output=True, text=True, check=False)
    assert run.returncode and re.search(r"seg-00000001, offset 0: this was written by a newer Sallyport \(spool format 7; "
                                        r"this is Sallyport \S+ with format 1\)", run.stderr), run.stderr
    assert before == {n: os.stat(f"{directory}/spool/{n}").st_mtime_ns for n in os.listdir(f"{directory}/spool")}


for version in sorted(n for n in os.listdir(GOLDEN) if os.path.isdir(f"{GOLDEN}/{n}")):
    add(version)

tap.run()
