#!/usr/bin/env python3
"""frozen_disk: the file system of the spool is frozen in the middle of mail: whoever writes to it waits in the kernel, and
cannot be killed.  The daemon goes on with all that needs no disk, says 451 in time, and stores again after the thaw.  Needs
root and its own mounts."""
import json
import os
import re
import signal
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../support")
import gateway as g  # noqa: E402
import disks  # noqa: E402
import load  # noqa: E402

disks.own_mounts()
HOME = g.workplace("frozen_disk")
LARGE = 1 << 20      # bytes of a body that needs a file
PATIENCE_S = 60      # a piece has 30 s; all others a bound for a loaded machine
tap = g.Tap()
sink = g.Sink(HOME)
gate = g.Gateway(f"{HOME}/gateway", extra='limits: { per_user = "1000000 recipients / 1h"; };\n'
                                          'submission: { drain_timeout = "2s"; };',
                 routes=f'routes: ( {{ via = "smtp"; host = "127.0.0.1"; port = {sink.port}; tls = "none"; }} );')
SPOOL = f"{gate.directory}/spool"
if not disks.mount_ext4(SPOOL, f"{HOME}/image", 300):
    sink.stop()
    print("1..0 # SKIP no ext4 in a file can be mounted here")
    sys.exit(0)
gate.start()
gate.add_user()
acknowledged = set()


class Sender(threading.Thread):
    """One message; its reply, and when that came."""

    def __init__(self, name, size):
        super().__init__(daemon=True)
        self.name, self.size, self.text, self.at = name, size, "", 0
        self.session = load.Session(gate)
        self.session.socket.settimeout(3 * PATIENCE_S)
        self.start()

    def run(self):
        try:
            self.text = self.session.send(self.name, size=self.size)
        except (OSError, g.smtplib.SMTPException) as e:
            self.text = f"lost: {e}"
        self.at = time.monotonic()
        if self.text.startswith("250"):
            acknowledged.add(self.name)
        self.session.close()

    def reply(self, seconds=PATIENCE_S):
        self.join(seconds)
        assert not self.is_alive(), f"{self.name}: no reply within {seconds} s"
        return self.text


def body_files():
    """Files of the spool that submission has open."""
    found = []
    for pid, (role, _) in gate.processes().items():
        for fd in os.listdir(f"/proc/{pid}/fd") if role == "submission" else ():
            try:
                name = os.readlink(f"/proc/{pid}/fd/{fd}")
            except OSError:
                continue
            if name.startswith(SPOOL):
                found.append(name)
    return found


def waits_for_disk():
    """The process of submission with a thread that is in a call of the kernel which cannot be ended."""
    for pid, (role, _) in gate.processes().items():
        for thread in os.listdir(f"/proc/{pid}/task") if role == "submission" else ():
            with open(f"/proc/{pid}/task/{thread}/stat", encoding="ascii") as f:
                if f.read().rsplit(")", 1)[1].split()[0] == "D":
                    return pid
    return 0


def is_failing(role):
    rows = [json.loads(line) for line in gate.tool("status", "--json", check=False).stdout.splitlines()]
    return any(row.get("role") == role and row["state"] == "failing" and " s for the disk: " in row["work"] for row in rows)


@tap.case
def goes_on_while_it_is_frozen():
    """others are greeted, log in and are told of their recipients while a large message waits; that is answered with 451 in time"""
    assert Sender("before", LARGE).reply().startswith("250")
    pids = gate.processes()
    disks.freeze(SPOOL)
    try:
        began = time.monotonic()
        large = [Sender(f"large-{n}", LARGE) for n in range(3)]
        small = [Sender(f"small-{n}", 1000) for n in range(3)]
        rounds = 0
        while any(s.is_alive() for s in large) and time.monotonic() - began < PATIENCE_S:
            at = time.monotonic()
            assert gate.banner(), "no banner"
            session = load.Session(gate)
            session.say(f"MAIL FROM:<{gate.user}>\r\n".encode(), "250")
            session.say(b"RCPT TO:<bob@example.net>\r\n", "250")
            session.say(b"QUIT\r\n", "221")
            session.close()
            gate.tool("status", "--json", check=False)
            assert time.monotonic() - at < 10, f"{time.monotonic() - at:.0f} s for one round"
            rounds += 1
            time.sleep(0.2)
        assert rounds > 10, f"only {rounds} rounds"
        for sender in large:
            assert sender.reply(1).startswith("451"), sender.text
        assert all(s.is_alive() for s in small), [s.text for s in small]
        gate.wait_log(r"submission: thread bodies has waited \d+ s for the disk: write the body of message")
        gate.wait_log("refuse id=.* stage=data reason=storage code=451 dsn=4.3.0 ")
        g.wait_for("a failing queue", PATIENCE_S, lambda: is_failing("queue"), every=0.5)
        told = gate.tool("status", "--json", check=False)
        assert told.returncode == 69, told
        assert re.search(r"thread writer waits \d+ s for the disk: no mail is acknowledged", told.stdout), told.stdout
        assert re.search(r'"disk_s":[1-9]', told.stdout), told.stdout
        assert is_failing("submission"), told.stdout
    finally:
        disks.thaw(SPOOL)
    for sender in small:
        assert sender.reply().startswith("250"), sender.text
    assert gate.processes() == pids, f"{pids} -> {gate.processes()}"
    assert "not answering" not in gate.log()
    g.wait_for("a status that is well", 20, lambda: gate.tool("status", check=False).returncode == 0, every=0.5)


@tap.case
def is_well_after_the_thaw():
    """after the thaw all is stored again, no file is left open, and all that was acknowledged arrives once"""
    for n in range(3):
        assert Sender(f"after-{n}", LARGE).reply().startswith("250")
    gate.wait_log("submission: thread bodies goes on after")
    g.wait_for("no body is open in submission", 20, lambda: not body_files())
    sink.wait(len(acknowledged))
    time.sleep(1)
    names = sorted(m.split(b"Subject: ")[1].split(b"\r\n")[0].decode() for m in sink.messages())
    assert names == sorted(acknowledged), f"{sorted(acknowledged)} -> {names}"


@tap.case
def replaces_what_cannot_end():
    """a submission process that was killed and cannot end while it is frozen: another takes its place, all are greeted, and what is
    acknowledged after the thaw arrives once"""
    disks.freeze(SPOOL)
    try:
        large, roles = Sender("killed", LARGE), len(gate.processes())
        pid = g.wait_for("a thread waits", 20, waits_for_disk)
        os.kill(pid, signal.SIGKILL)
        gate.wait_log(rf"submission \d+ \(pid {pid}\) was killed and does not end: a thread of it waits in the kernel", PATIENCE_S)
        g.wait_for("its successor", 20, lambda: len(gate.processes()) == roles and pid not in gate.processes())
        for _ in range(20):
            assert gate.banner(), "no banner"
        gate.tool("status", "--json")
        assert Sender("meanwhile", LARGE).reply().startswith("451")
        assert os.path.exists(f"/proc/{pid}/task")
    finally:
        disks.thaw(SPOOL)
    g.wait_for("the end of the one that was killed", 20, lambda: not os.path.exists(f"/proc/{pid}"))
    assert large.reply().startswith("lost"), large.text
    for n in range(3):
        assert Sender(f"replaced-{n}", LARGE).reply().startswith("250")
    sink.wait(len(acknowledged))
    g.wait_for("no body is open in submission", 20, lambda: not body_files())


@tap.case
def stops_when_the_disk_lets_it():
    """told to stop while it is frozen, sessions end in time, the log says what is waited for; after the thaw the daemon ends"""
    disks.freeze(SPOOL)
    try:
        large = Sender("stopped", LARGE)
        g.wait_for("a thread waits", 20, waits_for_disk)
        before = len(gate.log())
        os.kill(gate.main_pid(), signal.SIGTERM)
        assert large.reply().startswith(("451", "421")), large.text
        gate.wait_log("submission: thread bodies still waits for the disk")
        gate.wait_log(r"submission \d+ \(pid \d+\) was killed and does not end: .*; the stop goes on without it", PATIENCE_S)
        waits = re.findall("thread bodies has waited .* s for the disk: write the body of message", gate.log()[before:])
        assert len(waits) == 1, waits
    finally:
        disks.thaw(SPOOL)
    gate.process.wait(PATIENCE_S)
    assert not gate.session(), gate.session()
    gate.start()
    assert Sender("again", LARGE).reply().startswith("250")
    sink.wait(len(acknowledged))


try:
    tap.run()
finally:
    gate.stop()
    sink.stop()
    disks.unmount(SPOOL)
