#!/usr/bin/env python3
"""read_only_disk: the file system of the spool becomes read-only, as ext4 makes it after an error, while the receiving host is
there: nothing is sent that could not be recorded, a stop does not wait for what cannot be stored, and after a restart on a
disk that can be written all arrives.  Needs root and its own mounts."""
import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../support")
import gateway as g  # noqa: E402
import disks  # noqa: E402

disks.own_mounts()
HOME = g.workplace("read_only_disk")
DRAIN_S = 10         # of relay; a healthy stop takes about a second
COUNT = 6
tap = g.Tap()
port = g.free_port()
gate = g.Gateway(f"{HOME}/gateway", routes=f'routes: ( {{ via = "smtp"; host = "127.0.0.1"; port = {port}; tls = "none"; }} );',
                 queue=f'queue: {{ directory = "{HOME}/gateway/spool"; retry = [ "1h" ]; minimum_free = "1%"; }};')
SPOOL, IMAGE = f"{gate.directory}/spool", f"{HOME}/image"
if not disks.mount_ext4(SPOOL, IMAGE, 300):
    print("1..0 # SKIP no ext4 in a file can be mounted here")
    sys.exit(0)
gate.start()
gate.add_user()
sink = None


def make_read_only():
    """Without an end of what is open: the file system itself gives up, and stays so until it is mounted anew."""
    subprocess.run(["mount", "-o", "remount,abort", SPOOL], check=True)
    g.wait_for("a read-only file system", 10, is_read_only)


def is_read_only():
    try:
        os.close(os.open(f"{SPOOL}/probe", os.O_WRONLY | os.O_CREAT))
        os.unlink(f"{SPOOL}/probe")
        return False
    except OSError:
        return True


def stop_in_time():
    began = time.monotonic()
    gate.stop()
    took = time.monotonic() - began
    print(f"# the stop took {took:.1f} s")
    assert took < DRAIN_S, f"{took:.1f} s"


def start_on_a_sound_disk():
    disks.unmount(SPOOL)
    subprocess.run(["mount", "-o", "loop", IMAGE, SPOOL], check=True)
    gate.start()


def fill(names):
    for name in names:
        gate.send(subject=name)
    g.wait_for("deferred mail", 20, lambda: [row["state"] for row in gate.queue()] == ["deferred"] * len(names), every=0.2)


def subjects():
    return sorted(m.split(b"Subject: ")[1].split(b"\r\n")[0].decode() for m in sink.messages())


@tap.case
def nothing_is_sent_that_could_not_be_recorded():
    """the host is there, the operator retries: nothing is sent, status fails, one line says that deliveries wait; after a restart
    all arrives, once"""
    global sink
    names = [f"waits-{n}" for n in range(COUNT)]
    fill(names)
    time.sleep(3)        # nothing was stored for a moment
    make_read_only()
    sink = g.Sink(HOME, port=port)
    gate.tool("queue", "retry", "--all", "--yes")
    gate.wait_log("spool: deliveries wait, for what becomes of them cannot be stored: Read-only file system")
    g.wait_for("a failing status", 30, lambda: gate.tool("status", check=False).returncode == 69, every=0.5)
    assert "the spool cannot be written (Read-only file system)" in gate.tool("status", check=False).stdout
    gate.tool("queue", "retry", "--all", "--yes")
    time.sleep(5)
    assert sink.count() == 0, subjects()
    assert len(gate.queue()) == COUNT
    assert gate.log().count("deliveries wait") == 1, gate.tail()
    stop_in_time()
    start_on_a_sound_disk()
    gate.tool("queue", "retry", "--all", "--yes")
    sink.wait(COUNT)
    g.wait_for("an empty queue", 20, lambda: not gate.queue(), every=0.2)
    time.sleep(1)
    assert subjects() == names, subjects()
    sink.stop()


@tap.case
def what_was_under_way_is_told():
    """what was being sent ends, each status that is not stored is logged with its id, and a stop does not wait for them"""
    global sink
    names = [f"under-way-{n}" for n in range(COUNT)]
    fill(names)
    sink = g.Sink(HOME, "--delay", "1500", port=port)
    before = len(gate.log())
    gate.tool("queue", "retry", "--all", "--yes")
    g.wait_for("a delivery", 20, lambda: any(row["state"] == "active" for row in gate.queue()))
    make_read_only()
    gate.wait_log("deliveries wait, for")
    g.wait_for("the end of what is under way", 60, lambda: sink.count() >= 1, every=0.2)
    time.sleep(3)
    sent = sink.count()
    time.sleep(3)
    assert sink.count() == sent, "something was begun"
    log = gate.log()[before:]
    ended = re.findall(r"deliver id=(\S+) status=sent", log)
    untold = [i for i in ended if not re.search(rf"the status of {re.escape(i)} \(sent\) could not be stored: "
                                                r"Read-only file system; a restart before it is may send it again", log)]
    print(f"# {sent} were sent, {len(untold)} of them stored before")
    assert len(ended) == sent and len(untold) < sent, (sent, ended, untold, gate.tail())
    stop_in_time()
    assert f"spool: {sent - len(untold)} statuses were not stored" in gate.log(), gate.tail()
    start_on_a_sound_disk()
    gate.tool("queue", "retry", "--all", "--yes")
    g.wait_for("an empty queue", 60, lambda: not gate.queue(), every=0.2)
    assert set(subjects()) == set(names), subjects()
    sink.stop()


try:
    tap.run()
finally:
    gate.stop()
    if sink:
        sink.stop()
    disks.unmount(SPOOL)
