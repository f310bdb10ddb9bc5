#!/usr/bin/env python3
"""small_disks: file systems of 64 MB and 200 MB as the spool: filled until 452, emptied, filled again, also after a
restart and after a version that made larger segments; the free share stays free.  Needs root and its own mounts."""
import os
import re
import subprocess
import sys

if os.getuid():
    print("1..0 # SKIP only root can mount")
    sys.exit(0)
if not os.environ.get("SMALL_DISKS_OWN_MOUNTS"):
    os.environ["SMALL_DISKS_OWN_MOUNTS"] = "1"
    if subprocess.run(["unshare", "-m", "true"], check=False).returncode:
        print("1..0 # SKIP no mounts of one's own here")
        sys.exit(0)
    os.execvp("unshare", ["unshare", "-m", sys.executable, *sys.argv])

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../support")
import gateway as g  # noqa: E402
import load  # noqa: E402

HOME = g.workplace("small_disks")
tap = g.Tap()
PERCENT = 5


def disk(name, megabytes):
    """A gateway whose spool is a file system of that size, and whose receiving host is not there."""
    gate = g.Gateway(f"{HOME}/{name}", extra='limits: { per_user = "10000000 recipients / 1h"; messages_per_session = 100000; };',
                     queue=f'queue: {{ directory = "{HOME}/{name}/spool"; retry = [ "1h" ]; '
                           f'minimum_free = "{PERCENT}%"; }};',
                     routes=f'routes: ( {{ via = "smtp"; host = "127.0.0.1"; port = {g.free_port()}; tls = "none"; }} );')
    spool = f"{gate.directory}/spool"
    os.mkdir(spool, 0o700)
    user = g.test_user()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0700,uid={user.pw_uid},gid={user.pw_gid}",
                    "tmpfs", spool], check=True)
    return gate


def free_share(gate):
    s = os.statvfs(f"{gate.directory}/spool")
    return 100 * s.f_bavail / s.f_blocks


def fill(gate, size=100000, most=4000):
    """Until the gateway says 452; returns how many it took.  The free share is there after each of them."""
    session = load.Session(gate)
    for count in range(most):
        try:
            reply = session.send(f"m{count}", size=size)
        except g.smtplib.SMTPException as e:
            reply = str(e)
        assert free_share(gate) >= PERCENT, f"{free_share(gate)} % are free after {count} messages"
        if not reply.startswith("250"):
            assert reply.startswith("452"), reply
            session.close()
            return count
    raise AssertionError(f"still no 452 after {most} messages")


def is_taken(gate):
    try:
        session = load.Session(gate)
        reply = session.send("again")
        session.close()
        return reply.startswith("250")
    except g.smtplib.SMTPException:
        return False


def empty(gate):
    gate.tool("queue", "delete", "--all", "--yes")
    g.wait_for("an empty queue", 30, lambda: not gate.queue(), every=0.2)


def rounds(name, megabytes, least):
    gate = disk(name, megabytes).start()
    gate.add_user()
    try:
        for _ in range(2):
            count = fill(gate)
            assert count >= least, f"only {count} messages"
            empty(gate)
            g.wait_for("a message is taken by the empty queue", 20, lambda: is_taken(gate), every=0.5)
            empty(gate)
        count = fill(gate)
        gate.stop()
        gate.start()
        empty(gate)
        gate.stop()
        gate.start()
        g.wait_for("a message is taken after the restart", 20, lambda: is_taken(gate), every=0.5)
        assert free_share(gate) >= PERCENT
        print(f"# {megabytes} MB: {count} messages of 100 kB")
    finally:
        gate.stop()
        subprocess.run(["umount", f"{gate.directory}/spool"], check=True)


@tap.case
def disk_of_64_mb():
    """64 MB: filled, emptied, filled again, restarted; 5 % stay free"""
    rounds("small", 64, 300)


@tap.case
def disk_of_200_mb():
    """200 MB: the same"""
    rounds("middle", 200, 1000)


@tap.case
def disk_filled_by_others():
    """A disk that others filled up to its free share: what the spool has already is used, and not a byte more"""
    gate = disk("others", 64).start()
    gate.add_user()
    try:
        assert is_taken(gate)
        g.wait_for("a spare segment", 20, lambda: os.listdir(f"{gate.directory}/spool").count("lock") == 1
                   and sum(n.startswith("seg-") for n in os.listdir(f"{gate.directory}/spool")) >= 2, every=0.2)
        s = os.statvfs(f"{gate.directory}/spool")
        with open(f"{gate.directory}/spool/other", "wb") as f:
            f.write(bytes(s.f_bavail * s.f_frsize - int(s.f_blocks * s.f_frsize * (PERCENT + 1) / 100)))
        before = free_share(gate)
        assert fill(gate) > 5
        assert free_share(gate) >= PERCENT and before - free_share(gate) < 1
    finally:
        gate.stop()
        subprocess.run(["umount", f"{gate.directory}/spool"], check=True)


@tap.case
def config_check_has_numbers():
    """config check: a file system that is too small is an error, with both sizes; one of 64 MB is none"""
    gate = disk("tiny", 20)
    answer = gate.tool("config", "check", check=False)
    subprocess.run(["umount", f"{gate.directory}/spool"], check=True)
    assert answer.returncode, answer.stdout
    assert re.search(r"queue\.directory: .*/tiny/spool has 20 MiB.*at least 32 MiB", answer.stdout + answer.stderr), \
        answer.stdout + answer.stderr
    gate = disk("enough", 64)
    answer = gate.tool("config", "check", check=False)
    subprocess.run(["umount", f"{gate.directory}/spool"], check=True)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "limits.message_size" in answer.stdout + answer.stderr


tap.run()
