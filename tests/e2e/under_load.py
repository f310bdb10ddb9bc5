#!/usr/bin/env python3
"""under_load: what an operator does while mail flows loses none of it: reload, new certificates, hold, release;
many idle sessions, a second daemon on the same spool, and the end with messages half said."""
import contextlib
import os
import re
import resource
import signal
import socket
import statistics
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../support")
import gateway as g  # noqa: E402
import load  # noqa: E402

HOME = g.workplace("under_load")
IDLE = 400
tap = g.Tap()
sink = g.Sink(HOME)
gate = g.Gateway(f"{HOME}/gateway", limits='limits: { per_user = "1000000 recipients / 1h"; sessions_per_client = 3000; };',
                 submission='submission: { drain_timeout = "3s"; };',
                 routes=f'routes: ( {{ via = "smtp"; host = "127.0.0.1"; port = {sink.port}; tls = "none"; }} );').start()
gate.add_user()
BEFORE = dict(gate.processes())


def all_arrive(acknowledged):
    g.wait_for(f"an empty queue {gate.tail()}", 30, lambda: not gate.queue(), every=0.2)
    found = load.subjects(sink)
    lost = acknowledged - set(found)
    assert not lost, sorted(lost)[:5]
    assert not [name for name in acknowledged if found[name] > 1], "twice"
    assert gate.processes() == BEFORE, gate.tail()


def median_ms(label, count=100):
    """Of the time that a message of one session takes."""
    session, spent = load.Session(gate), []
    for n in range(count):
        began = time.monotonic()
        assert session.send(f"{label}-{n}").startswith("250")
        spent.append((time.monotonic() - began) * 1000)
    session.close()
    return statistics.median(spent)


def submission_kb():
    """The memory that only the submission processes use."""
    total = 0
    for pid, (role, _) in gate.processes().items():
        if role == "submission":
            with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
                total += sum(int(n) for n in re.findall(r"^Private_\w+: +(\d+) kB$", f.read(), re.M))
    return total


@tap.case
def many_idle_sessions():
    """400 idle sessions: a message among them takes at most 3 times as long, each needs at most 3 times the memory README states"""
    resource.setrlimit(resource.RLIMIT_NOFILE, (4 * IDLE, max(4 * IDLE, resource.getrlimit(resource.RLIMIT_NOFILE)[1])))
    alone, kb_before = median_ms("before-idle"), submission_kb()
    idle = [load.Session(gate) for _ in range(IDLE)]
    try:
        kb = (submission_kb() - kb_before) / IDLE
        among = min(median_ms(f"among-idle-{attempt}") for attempt in range(3))
        for session in idle:
            session.say(b"NOOP\r\n", "250")
    finally:
        for session in idle:
            session.close()
    alone = max(alone, median_ms("after-idle"))
    print(f"# {among:.1f} ms for a message among {IDLE} idle sessions, {alone:.1f} ms without; {kb:.1f} KB for each of them",
          flush=True)
    assert among <= 3 * alone, (among, alone)
    with open(f"{g.TOP}/README", encoding="utf-8") as f:
        stated = int(re.search(r"idle session, memory +[\d,]+ KB +(\d+) KB", f.read()).group(1))
    assert g.is_sanitized() or kb < 3 * stated, (kb, stated)


@tap.case
def reload_and_certificates():
    """8 reloads and 4 new certificates under load: nothing refused, lost or twice"""
    flow = load.Load(gate, 2, "reload")
    try:
        for n in range(8):
            gate.parts["submission"] = f'submission: {{ drain_timeout = "3s"; idle_timeout = "{300 + n}s"; }};'
            gate.write_config()
            if n % 2:
                g.certificate(gate.directory, kind="rsa" if n % 4 == 1 else "ecdsa")
                gate.tool("reload")
            else:
                gate.process.send_signal(1)
                time.sleep(0.1)
            # some mail between any two, however slow the machine is
            enough = len(flow.acknowledged) + 10
            g.wait_for("some mail", 60, lambda wanted=enough: len(flow.acknowledged) >= wanted)
    finally:
        flow.stop()
    assert not flow.refused, flow.refused[:3]
    all_arrive(flow.acknowledged)


@contextlib.contextmanager
def sink_stopped():
    """The receiving host says nothing meanwhile, so that messages wait for it."""
    sink.process.send_signal(signal.SIGSTOP)
    try:
        g.wait_for("20 messages that wait", 20, lambda: len(gate.queue()) >= 20)
        yield
    finally:
        sink.process.send_signal(signal.SIGCONT)


def touched(action):
    """How many messages the commands of this kind say that they touched."""
    return sum(int(n) for n in re.findall(rf"action=queue\.{action} .*?count=(\d+)", gate.log()))


@tap.case
def hold_and_release():
    """hold and release of all, again and again, while it is delivered"""
    flow = load.Load(gate, 2, "hold")
    try:
        for _ in range(5):
            with sink_stopped():
                gate.tool("queue", "hold", "--all", "--yes")
            gate.tool("queue", "release", "--all", "--yes")
    finally:
        flow.stop()
    gate.tool("queue", "release", "--all", "--yes", check=False)
    assert touched("hold") >= 50 and touched("release") >= 50, (touched("hold"), touched("release"))
    all_arrive(flow.acknowledged)


@tap.case
def delete_during_delivery():
    """delete of all while it is delivered: what does not arrive was deleted, by number"""
    flow = load.Load(gate, 2, "delete")
    try:
        for _ in range(5):
            with sink_stopped():
                gate.tool("queue", "delete", "--all", "--yes")
    finally:
        flow.stop()
    g.wait_for("an empty queue", 30, lambda: not gate.queue(), every=0.2)
    found = load.subjects(sink)
    missing = [name for name in flow.acknowledged if name not in found]
    assert 50 <= len(missing) <= touched("delete"), (len(missing), touched("delete"))


@tap.case
def second_daemon():
    """a second daemon on the same spool says so, greets no one and spoils nothing"""
    other = g.Gateway(f"{HOME}/second", queue=gate.parts["queue"])
    other.start(wait=False)
    try:
        other.wait_log("spool .* cannot be opened: another process", 15)
        try:
            with socket.create_connection(("127.0.0.1", other.submission), 2) as s:
                s.settimeout(1)
                assert not s.recv(100).startswith(b"220")
        except OSError:
            pass
        session = load.Session(gate)
        assert session.send("beside-a-second").startswith("250")
        session.close()
    finally:
        other.stop()
    all_arrive({"beside-a-second"})


@tap.case
def stopping():
    """SIGTERM: 421 to the idle at once, a message in its time is taken, one that stalls is answered with 421; then all is over"""
    sessions = [load.Session(gate) for _ in range(4)]
    idle, quick, stalled, chunked = sessions
    for session in (quick, stalled, chunked):
        session.socket.sendall(f"MAIL FROM:<{gate.user}>\r\nRCPT TO:<bob@example.net>\r\n".encode())
        session.expect("250")
        session.expect("250")
    for session in (quick, stalled):
        session.say(b"DATA\r\n", "354")
    chunked.socket.sendall(b"BDAT 1000 LAST\r\nhalf")
    quick.socket.sendall(f"From: <{gate.user}>\r\nSubject: in-time\r\n\r\n".encode())
    time.sleep(0.3)
    began = time.monotonic()
    os.kill(gate.main_pid(), 15)
    idle.expect("421 4.3.2")
    assert time.monotonic() - began < 2
    time.sleep(1)
    quick.say(b"hello\r\n.\r\n", "250 2.0.0 Queued")
    quick.expect("421 4.3.2")
    for session in (stalled, chunked):
        session.expect("421 4.3.2")
    for session in sessions:
        session.close()
    gate.process.wait(15)
    assert gate.process.returncode == 0
    gate.start()
    g.wait_for("the message taken while stopping", 10, lambda: "in-time" in load.subjects(sink))


try:
    tap.run()
finally:
    gate.stop()
    sink.stop()
