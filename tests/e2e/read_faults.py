#!/usr/bin/env python3
"""read_faults: the disk refuses reads, descriptors run out, a message's bytes are wrong, the directory holds what is
not the spool's: while running mail waits, at a start the daemon says why and stops, and nothing is bounced or lost."""
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../support")
import gateway as g  # noqa: E402
import load  # noqa: E402
import stored  # noqa: E402
import tracer as t  # noqa: E402

HOME = g.workplace("read_faults")
tap = g.Tap()
gate = stored.Stored(HOME)
SPOOL = gate.spool


def queue_pid():
    return t.role_pid(gate, "queue")


def send(label, count, size=1000):
    names = [f"{label}-{n}" for n in range(count)]
    gate.take(names, size)
    return names


def waiting(label, count, size=1000):
    """Acknowledged, and tried once: the receiving host is not there yet."""
    names = send(label, count, size)
    g.wait_for("a first attempt", 20, lambda: len(gate.queue()) == count and any(int(r["tries"]) for r in gate.queue()), every=0.2)
    return names


def arrive(names, before):
    """All of them, once each, nothing else, and none was given up."""
    with gate.host() as sink:
        gate.try_all()
        g.wait_for(f"{len(names)} messages {gate.tail()}", 40, lambda: sink.count() >= len(names), every=0.1)
        g.wait_for(f"an empty queue {gate.tail()}", 20, lambda: not gate.queue(), every=0.2)
        assert load.subjects(sink) == {name: 1 for name in names}
    assert "status=failed" not in gate.log()[before:]


def traced(*options):
    return t.attached(queue_pid(), f"{HOME}/trace", "-f", *options)


def started_with(*wrapper):
    """Until it is ready or has ended; how it ended (None: it was ready) and what the log says of it."""
    before = len(gate.log())
    os.environ["SALLYPORTD_WRAPPER"] = " ".join(wrapper)
    try:
        gate.start(wait=False)
        g.wait_for(f"a start or an end {gate.tail()}", 60, lambda: gate.process.poll() is not None or
                   (gate.banner() and "spool open" in gate.log()[before:]))
        return gate.process.poll(), gate.log()[before:]
    finally:
        del os.environ["SALLYPORTD_WRAPPER"]
        if gate.process.poll() is None:
            gate.kill_group()


def refused_start(pattern, *wrapper):
    """The log says why, and the daemon ends with 75."""
    status, log = started_with(*wrapper)
    assert re.search(pattern, log), log
    assert status == 75, (status, log)


def content(name):
    with open(f"{SPOOL}/{name}", "rb") as f:
        return f.read()


def segment(subject):
    """The file that holds this message."""
    return next(n for n in os.listdir(SPOOL) if re.fullmatch(r"seg-\d{8}", n) and f"Subject: {subject}\r".encode() in content(n))


def change_subject(subject, data):
    """The beginning of it, in the record of the message."""
    name = segment(subject)
    gate.change(name, content(name).rfind(f"Subject: {subject}".encode()) + len("Subject: "), data)


def fresh():
    """Nothing of the case before is left."""
    if gate.process.poll() is not None:
        gate.start()
    if gate.queue():
        gate.tool("queue", "delete", "--all", "--yes")


def case(function):
    def checked():
        if os.getuid():
            return "needs root to trace the queue"
        fresh()
        return function()
    checked.__doc__ = function.__doc__
    tap.case(checked)
    return function


@case
def eio_while_running():
    """EIO on each read for 1.5 s during the delivery of 100 messages: all are delivered once, none is bounced"""
    before, names = len(gate.log()), waiting("eio", 100)
    with traced("-e", "trace=pread64", "-e", "inject=pread64:error=EIO"):
        gate.try_all()
        time.sleep(1.5)
    assert len(re.findall("reason=unreadable", gate.log()[before:])) >= 100, gate.tail()
    arrive(names, before)


@case
def reads_that_stand_still():
    """a disk that answers no read for 15 s: the queue is not ended, new mail is acknowledged and the operator answered meanwhile, then
    all of it is delivered once"""
    before, names, pid = len(gate.log()), waiting("still", 20), queue_pid()
    with traced("-e", "trace=pread64", "-e", "inject=pread64:delay_enter=15000000:when=1"):
        gate.try_all()
        g.wait_for("a read", 10, lambda: t.stands_in(pid, t.PREAD))
        names += send("meanwhile", 20)
        assert len(gate.queue()) == 40 and t.stands_in(pid, t.PREAD)
        g.wait_for("the end of that read", 30, lambda: not t.stands_in(pid, t.PREAD), every=0.1)
    assert queue_pid() == pid, gate.tail()
    arrive(names, before)


def standing_upkeep(*calls):
    """The first of each of these calls of the upkeep thread stands still for 12 s: the queue must give signs of life each 10 s."""
    options = [word for call in calls for word in ("-e", f"inject={call}:delay_enter=12000000:when=1")]
    return t.attached(t.thread(queue_pid(), "upkeep"), f"{HOME}/trace", "-e", f"trace={','.join(calls)}", *options)


def goes_on(sink, pid, call, label):
    """While the upkeep thread stands in this call, others are taken and delivered and the operator is answered."""
    upkeep = t.thread(pid, "upkeep")
    g.wait_for(f"a call that stands still {gate.tail()}", 20, lambda: t.stands_in(pid, call, upkeep), every=0.02)
    names = send(label, 5)
    g.wait_for(f"mail of others {gate.tail()}", 8, lambda: all(load.subjects(sink).get(name) == 1 for name in names))
    assert len(gate.queue()) == 1 and t.stands_in(pid, call, upkeep)
    g.wait_for("the end of that call", 20, lambda: not t.stands_in(pid, call, upkeep), every=0.1)
    assert queue_pid() == pid, gate.tail()


@case
def a_loss_while_the_disk_stands_still():
    """a damaged record whose next read does not end for 12 s, and then the sync of what is left of it: the queue is not ended, others are
    delivered meanwhile, its sender is told once"""
    names, pid = waiting("slow-loss", 1), queue_pid()
    change_subject(names[0], b"Slow")
    with gate.host() as sink, standing_upkeep("pread64", "fdatasync"):
        gate.try_all()
        goes_on(sink, pid, t.PREAD, "during-read")
        goes_on(sink, pid, t.FDATASYNC, "during-sync")
        g.wait_for(f"an empty queue {gate.tail()}", 20, lambda: not gate.queue(), every=0.2)
        assert sum(b"the stored message was damaged" in m for m in sink.messages()) == 1


@case
def a_body_check_while_the_disk_stands_still():
    """a damaged body that the queue reads again, for 12 s: the queue is not ended, others are delivered meanwhile, then it is held"""
    waiting("slow-body", 1, size=200_000)
    pid, name = queue_pid(), next(n for n in os.listdir(SPOOL) if n.endswith(".body"))
    gate.change(name, 140_000, b"X")
    with gate.host() as sink, standing_upkeep("pread64"):
        gate.try_all()
        goes_on(sink, pid, t.PREAD, "during-check")
        gate.wait_log(rf"message {name[:-5]} is held: the body file \S+ is not what was stored")


def thread_seconds(name):
    """As the operator sees it."""
    rows = [json.loads(line) for line in gate.tool("status", "--json", check=False).stdout.splitlines()]
    return next(row[f"{name}_s"] for row in rows if f"{name}_s" in row)


@case
def a_thread_that_stands_still_is_told():
    """a read that does not end for 34 s: logged once after 30 s with thread and message, shown by status, and told when it has ended"""
    before, names, pid = len(gate.log()), waiting("told", 1), queue_pid()
    assert thread_seconds("reader") == 0
    with t.attached(t.thread(pid, "reader"), f"{HOME}/trace", "-e", "trace=pread64", "-e", "inject=pread64:delay_enter=34000000:when=1"):
        gate.try_all()
        message = gate.queue()[0]["id"]
        line = rf"spool: thread reader has waited 3\d s for the disk: read of message {message}; no other message is read"
        g.wait_for("the line", 40, lambda: re.search(line, gate.log()[before:]), every=0.2)
        assert thread_seconds("reader") >= 30 and thread_seconds("writer") == 0
        g.wait_for("a failing status", 3, lambda: gate.tool("status", check=False).returncode == 69, every=0.2)
        gate.wait_log(rf"spool: thread reader goes on after 3\d s: read of message {message}")
    assert len(re.findall("has waited", gate.log()[before:])) == 1 and queue_pid() == pid
    assert thread_seconds("reader") == 0
    arrive(names, before)


@case
def a_body_that_relay_cannot_read():
    """relay's read of one body does not end for 34 s: all other mail is delivered meanwhile, relay is not ended and answers the operator,
    the wait is logged, and the message is delivered once when the read has ended"""
    before, pid = len(gate.log()), t.role_pid(gate, "relay")
    with gate.host() as sink:
        names = send("body-first", 1)
        g.wait_for("a host that is known to be there", 20, lambda: sink.count() == 1)
        with t.attached(pid, f"{HOME}/trace", "-f", "-e", "trace=pread64", "-e", "inject=pread64:delay_enter=34000000:when=1"):
            names += send("body-still", 1, size=400_000)
            g.wait_for("a read", 10, lambda: t.stands_in(pid, t.PREAD))
            message, others = gate.queue()[0]["id"], send("body-beside", 20)
            g.wait_for(f"mail of others {gate.tail()}", 8, lambda: sink.count() == 21)
            gate.tool("test", "route", "bob@example.net")
            line = rf"relay: thread disk has waited 3\d s for the disk: read the body of message {message}; no other body"
            g.wait_for("the line", 40, lambda: re.search(line, gate.log()[before:]), every=0.2)
            assert t.stands_in(pid, t.PREAD) and sink.count() == 21
            g.wait_for(f"an empty queue {gate.tail()}", 20, lambda: not gate.queue(), every=0.2)
            assert load.subjects(sink) == {name: 1 for name in names + others}
            assert t.role_pid(gate, "relay") == pid and "status=unknown" not in gate.log()[before:]
            gate.wait_log("relay: thread disk goes on after 3\\d s")


@case
def a_body_that_is_not_read_in_time():
    """relay's read of a body does not end for 12 s, a block may take 3 s: the attempt ends with the reason local, the host is not blamed,
    and the message is delivered once when the disk reads again"""
    late = g.Gateway(f"{HOME}/late", extra='timeouts: { body = "3s"; };',
                     queue=f'queue: {{ directory = "{HOME}/late/spool"; retry = [ "1s" ]; }};',
                     routes=f'routes: ( {{ via = "smtp"; host = "127.0.0.1"; port = {gate.host_port}; tls = "none"; }} );').start()
    try:
        late.add_user()
        pid = t.role_pid(late, "relay")
        with gate.host() as sink, \
                t.attached(pid, f"{HOME}/trace", "-f", "-e", "trace=pread64", "-e", "inject=pread64:delay_enter=12000000:when=1"):
            session = load.Session(late)
            assert session.send("late-body", size=400_000).startswith("250")
            late.wait_log(r'status=deferred reason=local code=451 dsn=4.3.0 .*reply="the stored message could not be read in time"')
            assert t.stands_in(pid, t.PREAD) and session.send("late-beside").startswith("250")
            session.close()
            g.wait_for(f"an empty queue {late.tail()}", 40, lambda: not late.queue(), every=0.2)
            assert load.subjects(sink) == {"late-body": 1, "late-beside": 1}
            assert t.role_pid(late, "relay") == pid and "status=unknown" not in late.log()
    finally:
        late.stop()


@case
def a_file_that_cannot_be_opened():
    """the opening of a body's file does not end for 20 s: two are ready, the third large message is refused with 451 before that, small mail
    and commands go on, and the next large one is taken"""
    before, names, pid = len(gate.log()), waiting("small", 1), queue_pid()
    with t.attached(t.thread(pid, "files"), f"{HOME}/trace", "-e", "trace=openat", "-e", "inject=openat:delay_enter=20000000:when=1"):
        names += send("ready", 2, size=200_000)
        began, large = time.monotonic(), load.Session(gate)
        large.socket.settimeout(30)
        refused = []
        sender = threading.Thread(target=lambda: refused.append((large.send("refused", size=200_000), time.monotonic() - began)))
        sender.start()
        while not refused and time.monotonic() < began + 30:
            names += send(f"meanwhile-{len(names)}", 1)
            assert len(gate.queue()) == len(names)
            time.sleep(0.5)
        sender.join()
        reply, seconds = refused[0]
        assert reply.startswith("451 4.3.0") and 9 < seconds < 16, (reply, seconds)
        assert t.stands_in(pid, t.OPENAT, t.thread(pid, "files"))
        g.wait_for("the end of that call", 20, lambda: not t.stands_in(pid, t.OPENAT), every=0.1)
        names.append("again")
        assert large.send("again", size=200_000).startswith("250")
        large.close()
    assert queue_pid() == pid, gate.tail()
    arrive(names, before)


@case
def no_descriptors_while_running():
    """no free descriptor in the queue: messages with a body file wait, and are delivered when there are some"""
    before, names = len(gate.log()), waiting("emfile", 5, size=200_000)
    with traced("-e", "trace=openat", "-e", "inject=openat:error=EMFILE"):
        gate.try_all()
        g.wait_for("an error", 10, lambda: "Too many open files" in gate.log()[before:])
        assert len(gate.queue()) == 5
    arrive(names, before)


@case
def eio_at_start():
    """EIO at a start: refused with the file, the offset and what to do; a second start has everything"""
    before, names = len(gate.log()), waiting("start", 20)
    gate.stop()
    name = segment(names[0])
    refused_start(rf"spool: {name} cannot be read at offset \d+: Input/output error.*--accept-damage", "strace", "-f", "-qq",
                  "-o", f"{HOME}/start.trace", "-P", f"{SPOOL}/{name}", "-e", "trace=pread64", "-e", "inject=pread64:error=EIO")
    gate.start()
    arrive(names, before)


@case
def no_descriptors_at_start():
    """EMFILE from any file of the spool on at a start: refused, whichever it is; the next start has everything"""
    before, names = len(gate.log()), waiting("start-emfile", 5, size=200_000)
    bodies = sorted(n for n in os.listdir(SPOOL) if n.endswith(".body"))
    gate.stop()
    what = set()
    # the queue opens below the spool: the lock, the directory, segments, bodies
    for first in range(3, 30):
        status, log = started_with("strace", "-f", "-qq", "-o", f"{HOME}/start.trace", "-P", SPOOL, "-e", "trace=openat", "-e",
                                   f"inject=openat:error=EMFILE:when={first}+")
        assert status == (None if "spool open" in log else 75), (status, log)
        what.update(re.findall(r"spool: \S*(seg-|\.body)\S* cannot be opened: Too many open files", log))
        assert sorted(n for n in os.listdir(SPOOL) if n.endswith(".body")) == bodies
        if "spool open" in log:
            break
    assert what == {"seg-", ".body"} and "spool open messages=5 " in log and "damages=0" in log, (what, log)
    gate.start()
    arrive(names, before)


@case
def hard_links():
    """a backup with cp -al and a restart: nothing leaves the queue"""
    before, names = len(gate.log()), waiting("linked", 20) + send("linked-large", 2, size=200_000)
    gate.stop()
    subprocess.run(["cp", "-al", SPOOL, f"{HOME}/backup"], check=True)
    gate.start()
    assert len(gate.queue()) == 22
    arrive(names, before)
    shutil.rmtree(f"{HOME}/backup")


@case
def wrong_bytes():
    """bytes of a message that are wrong on the disk while the daemon runs: its sender is told, once; what is left of it is kept, also by a start"""
    before, names = len(gate.log()), waiting("wrong", 4)
    # one stays: a segment in which nothing lives is freed, and what is damaged in it with it
    held = max(row["id"] for row in gate.queue())
    gate.tool("queue", "hold", held, "--yes")
    change_subject(names[1], b"Wrong")
    with gate.host() as sink:
        gate.try_all()
        gate.wait_log(r"message \S+ is lost: what was stored of it is damaged")
        sink.wait(3, 30)
        g.wait_for(f"an empty queue {gate.tail()}", 20, lambda: len(gate.queue()) == 1, every=0.2)
        found = load.subjects(sink)
        assert found.pop(names[0]) == found.pop(names[2]) == 1 and len(found) == 1 and names[1] not in found, found
        assert any(b"the stored message was damaged" in m and b"multipart/report" in m for m in sink.messages())
        log = gate.log()[before:]
        message = re.search(r"message (\S+) is lost", log)[1]
        assert re.search(rf"message {message} is damaged: seg-\d+, offset \d+", log), log
        assert b"Wrong" in content(f"{message}.aside")
        gate.stop()
        gate.start()
        # its frame is damage that is found at the start: kept beside the log
        assert len(gate.queue()) == 1 and any(n.startswith("damaged-") for n in os.listdir(SPOOL))
        g.wait_for("what is lost", 10, lambda: "whose delivery was finished: 1; no mail is lost" in gate.log()[before:])
        gate.tool("queue", "delete", held, "--yes")


@case
def accepted_damage():
    """a page that cannot be read: refused; --accept-damage delivers all but what stood there; then no option is needed"""
    before, names = len(gate.log()), waiting("bad", 150)
    gate.stop()
    name = segment(names[0])
    data = content(name)
    first, last = data.find(b"Subject: bad-0\r"), data.find(b"Subject: bad-149\r")
    page = (first // 65536 + 1) * 65536
    assert 0 < first < page < last
    # reads of that file: header, seal, then pieces of 64 KB; where one fails, its first page alone
    number = 3 + page // 65536
    wrapper = ("strace", "-f", "-qq", "-o", f"{HOME}/start.trace", "-P", f"{SPOOL}/{name}", "-e", "trace=pread64", "-e",
               f"inject=pread64:error=EIO:when={number}..{number + 1}")
    refused_start(rf"spool: {name} cannot be read at offset {page}: Input/output error.*messages that stand there are lost then", *wrapper)
    accepted = re.findall(r" accept id=(\S+) ", gate.log()[before:])
    with gate.host() as sink:
        os.environ["SALLYPORTD_WRAPPER"] = " ".join(wrapper)
        try:
            gate.start(arguments=("--accept-damage",))
        finally:
            del os.environ["SALLYPORTD_WRAPPER"]
        gate.wait_log(rf"segment \d+ cannot be read from {page} to {page + 4096}: Input/output error")
        place = gate.wait_log(rf'messages may be lost with what stood from \d+ to \d+ of {name}, that no line names: their accept lines stand in '
                              r'this log after the first line with "id=(\S+)" and before the first line with "id=(\S+)";')
        gate.try_all()
        g.wait_for(f"an empty queue {gate.tail()}", 40, lambda: not gate.queue(), every=0.2)
        found = load.subjects(sink)
        first, last = accepted.index(place[1]), accepted.index(place[2])
        assert first < last < first + 12 and all(n in range(first + 1, last) for n, subject in enumerate(names) if subject not in found)
        assert set(found.values()) == {1} and 140 <= len(found) < 150 and set(found) < set(names), len(found)
        load.Session(gate).send("bad-after")
        g.wait_for("the file set aside", 20, lambda: any(n.startswith(f"damaged-{name}-") for n in os.listdir(SPOOL)))
        gate.kill_group()
        gate.start()
    assert "status=failed" not in gate.log()[before:]


@case
def foreign_files():
    """what is not the spool's (empty files, directories, pipes, links, backups of editors, the largest numbers): told, healthy mail
    goes on"""
    before, names = len(gate.log()), waiting("foreign", 3)
    gate.stop()
    os.mkdir(f"{SPOOL}/seg-00000060")
    os.mkfifo(f"{SPOOL}/seg-00000061")
    os.symlink("/etc/passwd", f"{SPOOL}/seg-00000062")
    os.mknod(f"{SPOOL}/seg-00000063", 0o600 | 0o020000, os.makedev(1, 3))
    for name, data in (("seg-00000064", b""), ("seg-01048575", b"x" * 5000), ("seg-99999999", b"x"), ("seg-00000001~", b"x"),
                       (".seg-00000001.swp", b"x"), ("note.txt", b"x")):
        with open(f"{SPOOL}/{name}", "wb") as f:
            f.write(data)
        # main refuses what bears a name of the spool's and belongs to another user, and nothing else
        if len(name) == len("seg-00000001"):
            os.chown(f"{SPOOL}/{name}", os.stat(SPOOL).st_uid, os.stat(SPOOL).st_gid)
    gate.start()
    names += send("foreign-after", 3)
    arrive(names, before)
    log = gate.log()[before:]
    assert log.count("not a plain file") == 4 and log.count("names in the directory are not the spool's") == 1, log
    gate.stop()
    gate.start()
    assert gate.log()[before + len(log):].count("kept as") == 0


try:
    tap.run()
finally:
    if gate.process.poll() is None:
        gate.stop()
