#!/usr/bin/env python3
"""spool_damage: the daemon is stopped, its spool is damaged, and it starts again: no process crashes, every
undamaged message is delivered byte for byte, nothing damaged is, and the log says what was set aside.

ROUNDS (25) says how often, SEED repeats a run."""
import os
import random
import re
import shutil
import struct
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../support")
import gateway as g  # noqa: E402
import load  # noqa: E402

HOME = g.workplace("spool_damage")
ROUNDS, SEED = int(os.environ.get("ROUNDS", "25")), int(os.environ.get("SEED", str(random.randrange(1 << 30))))
tap = g.Tap()
rng = random.Random(SEED)
port = g.free_port()
gate = g.Gateway(f"{HOME}/gateway", extra='limits: { per_user = "100000 recipients / 1h"; };',
                 routes=f'routes: ( {{ via = "smtp"; host = "127.0.0.1"; port = {port}; tls = "none"; }} );').start()
gate.add_user()
SPOOL, PRISTINE = f"{gate.directory}/spool", f"{HOME}/pristine"
LINE = "y" * 78 + "\r\n"


def fill():
    """30 small messages and 6 with a body file; nobody listens at the receiving host yet."""
    session = load.Session(gate)
    for n in range(36):
        assert session.send(f"m{n}-", size=200_000 if n % 6 == 5 else 1000 + 100 * n).startswith("250")
    session.close()
    g.wait_for("a first try", 20, lambda: any(int(row["tries"]) for row in gate.queue()), every=0.2)
    gate.stop()
    subprocess.run(["cp", "-a", "--sparse=always", SPOOL, PRISTINE], check=True)


try:
    fill()
except BaseException:
    gate.kill_group()
    raise
SEGMENT = max((n for n in os.listdir(PRISTINE) if n.startswith("seg-")), key=lambda n: os.stat(f"{PRISTINE}/{n}").st_blocks)
with open(f"{PRISTINE}/{SEGMENT}", "rb") as pristine:
    LOG = pristine.read()
BODIES = {re.sub(r"\.body$", "", n): n for n in os.listdir(PRISTINE) if n.endswith(".body")}


def frames():
    """(begin, end, subjects) of each frame, by the format that doc/SPOOL.md tells."""
    at, found = 4096, []
    while LOG[at:at + 4] == b"SPFR":
        span = struct.unpack_from("<I", LOG, at + 40)[0]
        found.append((at, at + span, set(re.findall(rb"\r\nSubject: (m\d+-)\r\n", LOG[at:at + span]))))
        at += span
    return found


FRAMES = frames()
ALL = {s.decode() for _, _, names in FRAMES for s in names}
END = FRAMES[-1][1]


def hit(begin, end):
    """Subjects of the messages in frames that the bytes begin..end touch."""
    return {s.decode() for b, e, names in FRAMES if b < end and begin < e for s in names}


def patch(at, data):
    with open(f"{SPOOL}/{SEGMENT}", "r+b") as f:
        f.seek(at)
        f.write(data)
    return hit(at, at + len(data))


def flip():
    lost = set()
    for _ in range(rng.choice((1, 1, 3, 20))):
        at = rng.randrange(4096, END)
        lost |= patch(at, bytes([LOG[at] ^ (1 << rng.randrange(8))]))
    return lost


def zero():
    at = rng.randrange(4096, END) & ~511
    return patch(at, b"\0" * 512 * rng.choice((1, 1, 8)))


def garbage():
    return patch(rng.randrange(4096, END - 4096), rng.randbytes(rng.choice((64, 4096))))


def lengths():
    """A frame's own numbers, huge and negative."""
    at = rng.choice(FRAMES)[0]
    return patch(at + rng.choice((8, 16, 24, 40, 44, 52)), rng.choice((b"\xff\xff\xff\xff", b"\0\0\0\x80", b"\0\0\0\0", b"\1\0\0\0")))


def copied():
    """A frame that stands a second time, over others: behind a later one, those between are out of order."""
    (begin, end, _), (at, _, _) = rng.sample(FRAMES, 2)
    return patch(at, LOG[begin:end]) | hit(at, max(begin, at))


def cut():
    at = rng.randrange(4096, END)
    os.truncate(f"{SPOOL}/{SEGMENT}", at)
    return hit(at, END)


def header():
    patch(rng.randrange(0, 44), b"\xff")
    return set(ALL)


def body_gone():
    os.unlink(f"{SPOOL}/{rng.choice(sorted(BODIES.values()))}")
    return None


def body_resized():
    os.truncate(f"{SPOOL}/{rng.choice(sorted(BODIES.values()))}", rng.choice((0, 1, 199_000, 1_000_000)))
    return None


def foreign_files():
    """Names of ours that are not: directory, link to a system file, pipe, junk, a second name, open modes."""
    os.mkdir(f"{SPOOL}/seg-00000050")
    os.symlink("/etc/passwd", f"{SPOOL}/seg-00000051")
    os.mkfifo(f"{SPOOL}/seg-00000052")
    for name in ("seg-00000053", "seg-zzzzzzzz", "new-00000054", "D00000000000-1.body", "x" * 200, "seg-00000055"):
        with open(f"{SPOOL}/{name}", "wb") as f:
            f.write(rng.randbytes(rng.choice((0, 100, 10000))))
        os.chmod(f"{SPOOL}/{name}", 0o666)
        if g.test_user():  # a file of another user stops the start: see start_refusals.py
            os.chown(f"{SPOOL}/{name}", g.test_user().pw_uid, g.test_user().pw_gid)
    return set()


KINDS = [flip, zero, garbage, lengths, copied, cut, header, body_gone, body_resized, foreign_files, flip, garbage]


def arrived(sink):
    found, wrong = set(), []
    for message in sink.messages():
        if b"multipart/report" in message[:2000]:
            continue
        name = re.search(rb"\r\nSubject: (m\d+-)\r\n", message).group(1).decode()
        n = int(name[1:-1])
        size = 200_000 if n % 6 == 5 else 1000 + 100 * n
        want = "x" * 70 + "\r\n" + LINE * (size // 80)
        if message.split(b"\r\n\r\n", 1)[1] != want.encode():
            wrong.append(name)
        found.add(name)
    assert not wrong, f"delivered damaged: {wrong}"
    return found


def one_round(kind):
    shutil.rmtree(SPOOL)
    subprocess.run(["cp", "-a", "--sparse=always", PRISTINE, SPOOL], check=True)
    before = len(gate.log())
    lost = kind()
    sink = g.Sink(HOME, port=port)
    try:
        gate.start()
        processes = dict(gate.processes())
        if lost is None:  # one of those with a body file, whichever
            g.wait_for("delivery", 20, lambda: len(arrived(sink)) >= len(ALL) - 1)
        else:
            try:
                g.wait_for("delivery", 20, lambda: arrived(sink) >= ALL - lost)
            except AssertionError as late:
                raise AssertionError(f"{kind.__name__}: {sorted(ALL - lost - arrived(sink))} {gate.log()[before:][:3000]}") from late
        # a message whose body file is damaged stays, held, for the operator
        g.wait_for("nothing but held messages", 20, lambda: all(r["state"] == "held" for r in gate.queue()), every=0.1)
        assert len(gate.queue()) == (lost is None), (kind.__name__, gate.queue())
        new = gate.log()[before:]
        missing = ALL - arrived(sink)
        assert gate.processes() == processes, (kind.__name__, new[-2000:])
        assert not re.search(r"died|crash|signal|restart", new), new[-2000:]
        told = re.search(r"damaged|quarantined=[1-9]|lost|set aside", new)
        assert not missing or told, (kind.__name__, sorted(missing), new[:3000])
        session = load.Session(gate)
        assert session.send("m1-", size=1100).startswith("250"), "new mail is taken"
        session.close()
        gate.stop()
        return len(missing)
    finally:
        if gate.process.poll() is None:
            gate.kill_group()
        sink.stop()


@tap.case
def the_format_is_as_told():
    """the frames stand where the document says, with all messages"""
    assert len(ALL) == 36 and len(BODIES) == 6, (len(ALL), len(BODIES))


@tap.case
def damaged_and_started():
    """damaged at random and started again: undamaged mail is delivered, the rest is set aside and told"""
    print(f"# SEED={SEED}", flush=True)
    missing = 0
    for number in range(ROUNDS):
        missing += one_round(KINDS[number % len(KINDS)])
    print(f"# {ROUNDS} starts, {len(ALL) * ROUNDS} messages, {missing} damaged beyond delivery and told", flush=True)


try:
    tap.run()
finally:
    gate.stop()
