#!/usr/bin/env python3
"""commands_pager: a long answer whose reader stands: all of it comes later, others are served meanwhile, and no process keeps it."""
import fcntl
import os
import re
import struct
import subprocess
import sys
import termios

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../support")
import gateway as g  # noqa: E402

HOME = g.workplace("commands_pager")
tap = g.Tap()
MESSAGES, TEXT = 160, ("x" * 70 + "\r\n") * 1400
PIPE_BYTES, KEPT_KIB = 65536, 6 * 1024
gate = g.Gateway(f"{HOME}/gateway", extra='limits: { per_user = "100000 recipients / 1h"; };',
                 routes=f'routes: ( {{ via = "smtp"; host = "127.0.0.1"; port = {g.free_port()}; tls = "none"; }} );',
                 queue=f'queue: {{ directory = "{HOME}/gateway/spool"; retry = [ "1h" ]; minimum_free = "1%"; }};').start()
gate.add_user()


def show(*options):
    return subprocess.Popen([f"{g.BUILD}/sallyport", "-c", gate.config, "queue", "show", *options, "--body", "--state", "deferred"],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def is_full(pipe):
    return struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, b"\0" * 4))[0] >= PIPE_BYTES - 4096


def peaks():
    """The most memory that control and the queue ever had, in KiB."""
    found = {}
    for pid, (role, _) in gate.processes().items():
        if role in ("control", "queue"):
            with open(f"/proc/{pid}/status", encoding="ascii") as f:
                found[role] = int(re.search(r"VmHWM:\s+(\d+)", f.read()).group(1))
    return found


@tap.case
def a_reader_that_stands():
    """rows wait at the queue, for as long as the reader likes; then all of them come, and the end is a success"""
    client = gate.connect()
    for _ in range(MESSAGES):
        gate.send(["bob@example.net"], text=TEXT, client=client)
    client.quit()
    g.wait_for("all are deferred", 60, lambda: len(gate.queue("--state", "deferred")) == MESSAGES)
    before = peaks()
    stands = show()
    g.wait_for("the pipe is full", 60, lambda: is_full(stands.stdout))
    # whoever reads is served meanwhile; without a bound the queue says as much to the one that stands
    for _ in range(2):
        reads = show()
        out, error = reads.communicate(timeout=120)
        assert reads.returncode == 0 and out.count(b"\nEnvelope\n") == MESSAGES, (reads.returncode, len(out), error)
    kept = {role: peak - before[role] for role, peak in peaks().items()}
    # AddressSanitizer keeps what was freed for a while
    assert max(kept.values()) < (400000 if g.is_sanitized() else KEPT_KIB), kept
    out, error = stands.communicate(timeout=120)
    assert stands.returncode == 0 and out.count(b"\nEnvelope\n") == MESSAGES, (stands.returncode, len(out), error)
    assert out.count(b"x" * 70) == MESSAGES * 1400


@tap.case
def a_reader_that_goes():
    """the queue ends the commands of readers that are gone: more of them than may be open at once"""
    for _ in range(40):
        stands = show()
        g.wait_for("the pipe is full", 60, lambda: is_full(stands.stdout))
        stands.kill()
        stands.communicate(timeout=60)
    reads = show("--quiet")
    out, error = reads.communicate(timeout=120)
    assert reads.returncode == 0 and out.count(b"\n") == MESSAGES, (reads.returncode, error)


@tap.case
def the_daemon_goes():
    """a tool whose connection is closed says that, and not which process ended"""
    stands = show()
    g.wait_for("the pipe is full", 60, lambda: is_full(stands.stdout))
    control = next(pid for pid, (role, _) in gate.processes().items() if role == "control")
    g.signal_process(control, 9)
    _, error = stands.communicate(timeout=120)
    assert stands.returncode == 75 and b"the connection to the daemon was closed after" in error and b"control" not in error, error


try:
    tap.run()
finally:
    gate.stop()
