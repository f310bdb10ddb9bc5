#!/usr/bin/env python3
"""spool_damage: the daemon is stopped, its spool is damaged, and it starts again: no process crashes, every
undamaged message is delivered byte for byte, nothing damaged is, and the log says what was set aside.

ROUNDS (25) says how often, SEED repeats a run."""
import json
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
# those of messages: a slow machine writes frames of statuses between them
MAILS = [frame for frame in FRAMES if frame[2]]
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
    """Not where the last frame begins: the log would end before it, as after a power cut while it was written."""
    at = rng.randrange(4096, FRAMES[-1][0] - 4096) & ~511
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
    """The frames say whose they are."""
    patch(rng.randrange(0, 40), b"XXXX")
    return set()


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


def refused():
    """The daemon ends with 75, and says what there is to do; what it said."""
    before = len(gate.log())
    gate.start(wait=False)
    assert gate.process.wait(30) == 75, gate.tail()
    said = gate.log()[before:]
    assert "--accept-damage" in said and "spool open" not in said, said
    return said


def start_in_spite(kind):
    """Where acknowledged mail is certainly gone the start is refused, and goes on with the option."""
    if kind is not cut:
        gate.start()
        return
    assert re.search(r"seg-\d+ is cut short: it ends at \d+ of \d+", refused())
    gate.start(arguments=("--accept-damage",))


def one_round(kind):
    shutil.rmtree(SPOOL)
    subprocess.run(["cp", "-a", "--sparse=always", PRISTINE, SPOOL], check=True)
    before = len(gate.log())
    lost = kind()
    sink = g.Sink(HOME, port=port)
    try:
        start_in_spite(kind)
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
        told = re.search(r"damaged|damages=[1-9]|lost|set aside", new)
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


def damages():
    # a role may not be ready yet: what the queue says is there all the same
    rows = [json.loads(line) for line in gate.tool("status", "--json", check=False).stdout.splitlines()]
    return next(int(row["damages"]) for row in rows if "damages" in row)


def live_segments():
    """Files with frames, oldest first, and how many messages stand in each."""
    found = []
    for name in os.listdir(SPOOL):
        if not re.fullmatch(r"seg-\d{8}", name):
            continue
        with open(f"{SPOOL}/{name}", "rb") as f:
            data = f.read()
        generation = struct.unpack_from("<Q", data, 16)[0]
        if generation and data[4096:4100] == b"SPFR":
            found.append((generation, name, data.count(b"\r\nSubject: m")))
    return [(name, count) for _, name, count in sorted(found)]


@tap.case
def a_missing_segment():
    """one file of the log is gone: refused with 75 in words, again and again; --accept-damage delivers the rest and counts it;
    later starts need no option and mention it in no error"""
    shutil.rmtree(SPOOL)
    subprocess.run(["cp", "-a", "--sparse=always", PRISTINE, SPOOL], check=True)
    for _ in range(2):  # a segment more for each start
        gate.start()
        session = load.Session(gate)
        assert session.send("m2-", size=1200).startswith("250")
        session.close()
        gate.stop()
    segments = live_segments()
    assert len(segments) >= 3, segments
    gone = segments[1][0]
    os.rename(f"{SPOOL}/{gone}", f"{HOME}/gone")
    for _ in range(2):
        assert re.search(rf"a segment file is missing: that of generation \d+, which stood between {segments[0][0]} and "
                         rf"{segments[2][0]} ", refused())
    gate.start(arguments=("--accept-damage",))
    assert damages() >= 1
    gate.stop()
    before = len(gate.log())
    gate.start()
    g.wait_for("the line of the opened spool", 10, lambda: "damages=0" in gate.log()[before:])
    assert "error: spool" not in gate.log()[before:], gate.log()[before:]
    gate.stop()


@tap.case
def the_oldest_segment_is_missing():
    """the same for the oldest one, which nothing older shows; put back, all is there without the option"""
    shutil.rmtree(SPOOL)
    subprocess.run(["cp", "-a", "--sparse=always", PRISTINE, SPOOL], check=True)
    gate.start()
    gate.stop()
    oldest = live_segments()[0][0]
    os.rename(f"{SPOOL}/{oldest}", f"{HOME}/oldest")
    assert "a segment file is missing" in refused()
    os.rename(f"{HOME}/oldest", f"{SPOOL}/{oldest}")
    gate.start()
    assert len(gate.queue()) == len(ALL), gate.queue()
    gate.stop()


@tap.case
def put_back_too_late():
    """a file that was accepted as missing is put back when what followed it was freed: it is said so, and how to deliver its mail, of which
    nothing is called lost; the start that accepted it says what it does"""
    shutil.rmtree(SPOOL)
    subprocess.run(["cp", "-a", "--sparse=always", PRISTINE, SPOOL], check=True)
    gate.start()
    gate.stop()
    os.rename(f"{SPOOL}/{SEGMENT}", f"{HOME}/accepted")
    before = len(gate.log())
    gate.start(arguments=("--accept-damage",))
    gate.stop()
    said = gate.log()[before:]
    assert "--accept-damage is given: this start goes on without it" in said and "put the file back" not in said, said
    for _ in range(2):
        gate.start()
        gate.stop()
    os.rename(f"{HOME}/accepted", f"{SPOOL}/{SEGMENT}")
    before = len(gate.log())
    gate.start()
    gate.stop()
    said = gate.log()[before:]
    assert re.search(rf"{SEGMENT} \(generation \d+\) holds messages that were acknowledged, and is not read, because it was missing at an earlier "
                     rf"start.*it is set aside as damaged-{SEGMENT}-\w+;.*BACKUP AND RESTORE, tells how to deliver them", said), said
    assert len(re.findall(r"is in message \S+ from <\S+> to <\S+>: it is whole, and can be delivered from the file", said)) == len(ALL), said
    assert "it is lost" not in said, said


@tap.case
def damage_is_told_once():
    """a damaged record: the first start names message, sender and recipient and counts it; the next ones say that it is known"""
    shutil.rmtree(SPOOL)
    subprocess.run(["cp", "-a", "--sparse=always", PRISTINE, SPOOL], check=True)
    begin, end, names = MAILS[5]
    assert names
    patch(end - 600, b"garbage")
    before = len(gate.log())
    gate.start()
    assert damages() == 1
    gate.stop()
    said = gate.log()[before:]
    assert re.search(r"error: spool: what stands at \d+ of seg-\d+ is in message \S+ from <\S+@\S+> to <\S+@\S+>: it is lost", said), said
    for _ in range(2):
        before = len(gate.log())
        gate.start()
        assert damages() == 1
        gate.stop()
        said = gate.log()[before:]
        assert "error: spool" not in said and said.count("as is known: damaged-") == 1, said


def accepted():
    """Ids of the messages of `fill`, as their accept lines stand in the log."""
    return re.findall(r" accept id=(\S+) ", gate.log())[:len(ALL)]


def placed(said):
    """The ids of which the log says that they may be lost without a name: those whose accept lines stand between the two that it tells."""
    place = re.search(r'error: spool: messages may be lost with what stood from \d+ to \d+ of seg-\d+, that no line names: their accept lines '
                      r'stand in this log after the first line with "id=(\S+)" and before the first line with "id=(\S+)";', said)
    assert place, said
    ids = accepted()
    return ids[ids.index(place[1]) + 1:ids.index(place[2])]


@tap.case
def losses_without_a_name_are_placed():
    """zeros or noise over records of messages: a lost message is named, or its accept line stands between two that the log tells, and only
    lost ones do; once"""
    for left, data in ((200, b"\0"), (0, b"noise")):
        shutil.rmtree(SPOOL)
        subprocess.run(["cp", "-a", "--sparse=always", PRISTINE, SPOOL], check=True)
        begin, end = MAILS[5][0] + left, MAILS[8][1]
        assert len(patch(begin, (data * (end - begin))[:end - begin])) == 4
        before = len(gate.log())
        gate.start()
        lost = set(accepted()) - {row["id"] for row in gate.queue()}
        gate.stop()
        said = gate.log()[before:]
        assert len(lost) == 4 and set(placed(said)) == lost, (lost, said)
        assert sum(f"is in message {i}: it is lost" in said for i in lost) == (left > 0), (said, lost)
        before = len(gate.log())
        gate.start()
        gate.stop()
        assert "error: spool" not in gate.log()[before:], gate.log()[before:]


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
