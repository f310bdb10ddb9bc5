#!/usr/bin/env python3
"""record_damage: the stored record of a message changes on the disk while it waits: its sender gets one report, what is
left of it is kept in a file, and the log is freed as if it were not there.  Needs root and its own mounts."""
import glob
import json
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../support")
import gateway as g  # noqa: E402
import disks  # noqa: E402
import load  # noqa: E402
import tracer as t  # noqa: E402

disks.own_mounts()
HOME = g.workplace("record_damage")
SEGMENTS_FEW, ROUND, ROUNDS_MAX = 9, 20, 20
tap = g.Tap()
port, away, far = g.free_port(), g.free_port(), g.free_port()  # each a destination of its own
SPOOL = f"{HOME}/gateway/spool"
gate = g.Gateway(f"{HOME}/gateway", extra='limits: { per_user = "1000000 recipients / 1h"; };',
                 queue=f'queue: {{ directory = "{SPOOL}"; retry = [ "1h" ]; }};',
                 routes='routes: ( ' + "".join(
                     f'{{ to_domain = "{name}.example.net"; via = "smtp"; host = "127.0.0.1"; port = {at}; tls = "none"; }},\n'
                     for name, at in (("away", away), ("far", far))) +
                        f'{{ via = "smtp"; host = "127.0.0.1"; port = {port}; tls = "none"; }} );')
disks.mount(SPOOL, 64)
gate.start()
gate.add_user()


def segments():
    return glob.glob(f"{SPOOL}/seg-*")


def damage(subject):
    """One byte of its body, in the segment that holds it now."""
    for name in segments():
        with open(name, "r+b") as f:
            data = f.read()
            at = data.find(f"Subject: {subject}\r\n".encode())
            if at >= 0:
                f.seek(at + 200)
                f.write(bytes([data[at + 200] ^ 1]))
                return
    raise AssertionError(f"{subject} is in no segment")


def send_away(*subjects, domain="away"):
    """Messages that wait, their host is not there; subject -> id."""
    before = {row["id"] for row in gate.queue()}
    session = load.Session(gate)
    ids = {}
    for subject in subjects:
        assert session.send(subject, recipient=f"carol@{domain}.example.net").startswith("250")
        new = g.wait_for("a message that waits", 20, lambda: [r["id"] for r in gate.queue() if r["id"] not in before])
        ids[subject] = new[0]
        before.add(new[0])
    session.close()
    return ids


def churn(sink, until):
    """Mail that is delivered at once, until the log of the spool came round to the old messages."""
    session, sent = load.Session(gate), sink.count()
    for number in range(ROUNDS_MAX):
        for n in range(ROUND):
            assert session.send(f"churn-{number}-{n}", size=100000).startswith("250")
        sent += ROUND
        g.wait_for(f"mail of others {gate.tail()}", 30, lambda: sink.count() >= sent)
        if until():
            break
    session.close()


def is_told(id_):
    return re.search(rf"message {id_} is lost", gate.log())


def reports(sink):
    return [m for m in sink.messages() if b"multipart/report" in m]


def set_aside():
    rows = [json.loads(line) for line in gate.tool("status", "--json", check=False).stdout.splitlines()]
    return next(int(row["set_aside"]) for row in rows if "set_aside" in row)


def check_file(id_, words):
    with open(f"{SPOOL}/{id_}.aside", "rb") as f:
        content = f.read()
    assert f"id: {id_}\n".encode() in content and words in content, content[:600]


@tap.case
def log_is_freed_and_the_sender_is_told():
    """One of three waiting messages is damaged: one report, the others stay, the number of segments stays small"""
    sink = g.Sink(HOME, port=port)
    try:
        ids = send_away("before", "victim", "behind")
        damage("victim")
        churn(sink, lambda: is_told(ids["victim"]))
        gate.wait_log(rf"message {ids['victim']} is lost")
        churn(sink, lambda: len(segments()) <= SEGMENTS_FEW)
        assert len(segments()) <= SEGMENTS_FEW, segments()
        g.wait_for(f"a report {gate.tail()}", 30, lambda: len(reports(sink)) == 1)
        report = reports(sink)[0].decode()
        assert "Final-Recipient: rfc822;carol@away.example.net" in report, report
        assert "Status: 5.3.0" in report and "the stored message was damaged" in report, report
        g.wait_for("two messages that stay", 20, lambda: {r["id"] for r in gate.queue()} == {ids["before"], ids["behind"]})
        check_file(ids["victim"], b"Subject: victim\r\n")
        assert set_aside() == 1
    finally:
        sink.stop()


@tap.case
def killed_before_the_report_is_delivered():
    """Killed while the report waits: after the start it is the same report, once, and the log is still freed"""
    sink = g.Sink(HOME, port=port)
    ids = send_away("second-victim", domain="far")
    damage("second-victim")
    gate.tool("queue", "retry", "--all", "--yes")
    try:
        sink.stop()
        g.wait_for(f"the loss is told {gate.tail()}", 30, lambda: is_told(ids["second-victim"]))
        gate.kill_group()
        gate.start()
        sink = g.Sink(HOME, port=port)
        gate.tool("queue", "retry", "--all", "--yes")
        g.wait_for(f"a report {gate.tail()}", 30, lambda: len(reports(sink)) == 1)
        churn(sink, lambda: len(segments()) <= SEGMENTS_FEW)
        assert len(segments()) <= SEGMENTS_FEW, segments()
        assert len(reports(sink)) == 1
        check_file(ids["second-victim"], b"Subject: second-victim\r\n")
        assert set_aside() == 2
    finally:
        sink.stop()


@tap.case
def compaction_while_the_disk_stands_still():
    """The read of a message that is copied does not end for 12 s: the queue is not ended, mail is taken and delivered meanwhile, and
    the log is freed afterwards"""
    pid = t.role_pid(gate, "queue")
    upkeep = t.thread(pid, "upkeep")
    sink = g.Sink(HOME, port=port)
    try:
        with t.attached(upkeep, f"{HOME}/trace", "-e", "trace=pread64", "-e", "inject=pread64:delay_enter=12000000:when=1"):
            churn(sink, lambda: t.stands_in(pid, t.PREAD, upkeep))
            churn(sink, lambda: True)
            assert len(gate.queue()) == 2 and t.stands_in(pid, t.PREAD, upkeep)
            g.wait_for("the end of that read", 20, lambda: not t.stands_in(pid, t.PREAD, upkeep), every=0.1)
            assert t.role_pid(gate, "queue") == pid, gate.tail()
            churn(sink, lambda: len(segments()) <= SEGMENTS_FEW)
            assert len(segments()) <= SEGMENTS_FEW, segments()
    finally:
        sink.stop()


@tap.case
def the_others_are_delivered():
    """What waited beside the damaged messages is delivered, once each, when its host is there"""
    sink = g.Sink(HOME, port=away)
    try:
        gate.tool("queue", "retry", "--all", "--yes")
        g.wait_for(f"the others {gate.tail()}", 30, lambda: load.subjects(sink) == {"before": 1, "behind": 1})
        g.wait_for("an empty queue", 20, lambda: not gate.queue())
    finally:
        sink.stop()


try:
    tap.run()
finally:
    gate.stop()
    disks.unmount(SPOOL)
