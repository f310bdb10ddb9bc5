#!/usr/bin/env python3
"""faults: the disk fails at each kind of act, is full, or descriptors run out: the client is answered with 4xx, never a
false 250, and afterwards everything works."""
import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../support")
import gateway as g  # noqa: E402
import load  # noqa: E402

HOME = g.workplace("faults")
tap = g.Tap()
sink = g.Sink(HOME)
gate = g.Gateway(f"{HOME}/gateway", extra='limits: { per_user = "1000000 recipients / 1h"; };',
                 routes=f'routes: ( {{ via = "smtp"; host = "127.0.0.1"; port = {sink.port}; tls = "none"; }} );').start()
gate.add_user()
acknowledged = set()


def queue_pid():
    return next(pid for pid, (role, _) in gate.processes().items() if role == "queue")


def attempt(label, count=4, size=1000):
    """Replies of `count` messages over one session; what was acknowledged is remembered."""
    replies, session = [], load.Session(gate)
    for n in range(count):
        name = f"{label}-{n}"
        try:
            reply = session.send(name, size=size)
        except g.smtplib.SMTPException as refusal:
            # told before the data already: no segment is ready
            reply = str(refusal)
            session.close()
            session = load.Session(gate)
        if reply.startswith("250"):
            acknowledged.add(name)
        replies.append(reply.strip())
    session.close()
    return replies


def with_fault(call, error, label, size=1000):
    tracer = subprocess.Popen(["strace", "-f", "-qq", "-o", f"{HOME}/{label}.trace", "-p", str(queue_pid()), "-e",
                               f"trace={call}", "-e", f"inject={call}:error={error}"])
    try:
        time.sleep(0.3)
        return attempt(label, size=size)
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.wait(10)


def add(call, error, size=1000, ready=0):
    """ready: so many may still be taken, with files that were opened before."""
    def case():
        if os.getuid():
            return "needs root to trace the queue"
        label = f"{call}-{error}-{size}"
        replies = with_fault(call, error, label, size)
        first, rest = replies[:ready], replies[ready:]
        assert all(r.startswith(("250 ", "451 4.3", "452 4.3")) for r in first), replies
        assert rest and all(r.startswith(("451 4.3", "452 4.3")) for r in rest), replies
        # a fresh segment is tried for again, at the latest after a few seconds
        g.wait_for(f"service {gate.tail()}", 20, lambda: attempt(label + "-soon", 1)[0].startswith("250 "), every=0.2)
        after = attempt(label + "-after")
        assert all(r.startswith("250 ") for r in after), (after, gate.tail())
        return None
    case.__doc__ = f"{call} answers {error}, message of {size} octets: 4xx, and soon all is taken again"
    tap.case(case)


add("pwritev", "EIO")
add("pwritev", "ENOSPC")
add("fdatasync", "EIO")
add("fdatasync", "EIO", size=300000)
add("openat", "EMFILE", size=300000, ready=2)
add("linkat", "EIO", size=300000)
add("linkat", "ENOSPC", size=300000)


@tap.case
def full_disk():
    """less free than queue.minimum_free: 452, and nothing is lost"""
    parts = dict(gate.parts)
    gate.parts["queue"] = parts["queue"].replace('minimum_free = "1%"', 'minimum_free = "90%"')
    gate.write_config()
    gate.tool("reload")
    try:
        session = load.Session(gate)
        try:
            reply = session.send("full")
        except g.smtplib.SMTPException as refusal:
            reply = str(refusal)
        session.close()
        assert reply.startswith("452 4.3.1"), reply
    finally:
        gate.parts = parts
        gate.write_config()
        gate.tool("reload")
    assert attempt("not-full", 1)[0].startswith("250 ")


def served(label):
    try:
        return attempt(label, 1)
    except OSError:
        return None


@tap.case
def no_descriptors_to_accept():
    """submission without free descriptors: clients are sent away or wait, soon served; nothing spins or ends"""
    if os.getuid():
        return "needs root to trace submission"
    pids = [str(pid) for pid, (role, _) in gate.processes().items() if role == "submission"]
    tracer = subprocess.Popen(["strace", "-f", "-qq", "-o", f"{HOME}/accept.trace", *sum((["-p", p] for p in pids), []), "-e",
                               "trace=accept4", "-e", "inject=accept4:error=EMFILE:when=1..5"])
    try:
        time.sleep(0.3)
        replies = g.wait_for("service", 10, lambda: served("accept"))
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.wait(10)
    assert replies[0].startswith("250 "), replies
    with open(f"{HOME}/accept.trace", encoding="ascii") as f:
        refused = sum("EMFILE" in line for line in f)
    assert 1 <= refused < 50, refused
    return None


def change_with_fault(other, verb, message):
    """The command while no write becomes durable: it must say so and change nothing."""
    pid = next(pid for pid, (role, _) in other.processes().items() if role == "queue")
    tracer = subprocess.Popen(["strace", "-f", "-qq", "-o", f"{HOME}/{verb}.trace", "-p", str(pid), "-e",
                               "trace=fdatasync", "-e", "inject=fdatasync:error=EIO"])
    try:
        time.sleep(0.3)
        run = other.tool("queue", verb, message, check=False)
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.wait(10)
    assert run.returncode == 74 and "1 of 1 messages stay as they were" in run.stdout + run.stderr, run


def is_taken(other):
    try:
        return other.send()[0] == 250
    except AssertionError:
        return False


def states_of(other, message):
    return [r["state"] for r in other.queue() if r["id"] == message]


def is_as(other, message, states):
    """An attempt may be under way for a moment."""
    g.wait_for(f"{message} as {states} {other.tail()}", 10, lambda: states_of(other, message) == states, every=0.1)


def is_stored(other, verb, message):
    run = other.tool("queue", verb, message, check=False)
    assert run.returncode in (0, 74), run
    return run.returncode == 0


@tap.case
def changes_of_the_operator():
    """hold, release and delete on a disk that fails: said so, and the message stays as it was, also after a restart"""
    if os.getuid():
        return "needs root to trace the queue"
    other = g.Gateway(f"{HOME}/other", routes=f'routes: ( {{ via = "smtp"; host = "127.0.0.1"; '
                      f'port = {g.free_port()}; tls = "none"; }} );').start()
    try:
        other.add_user()
        other.send()
        g.wait_for("a deferred message", 20, lambda: [r["state"] for r in other.queue()] == ["deferred"])
        message = other.queue()[0]["id"]
        for verb, before, after in (("hold", "deferred", ["held"]), ("release", "held", ["deferred"]),
                                    ("delete", "deferred", [])):
            change_with_fault(other, verb, message)
            is_as(other, message, [before])
            # what failed is void once the disk takes something again
            g.wait_for("a message to be stored", 20, lambda: is_taken(other), every=0.3)
            other.stop()
            other.start()
            is_as(other, message, [before])
            g.wait_for(f"{verb} to be stored", 20, lambda: is_stored(other, verb, message), every=0.3)
            is_as(other, message, after)
    finally:
        other.stop()
    return None


@tap.case
def all_acknowledged_arrives():
    """everything acknowledged between the faults arrives"""
    g.wait_for(f"an empty queue {gate.tail()}", 60, lambda: not gate.queue(), every=0.3)
    lost = acknowledged - set(load.subjects(sink))
    assert not lost, sorted(lost)


try:
    tap.run()
finally:
    gate.stop()
    sink.stop()
