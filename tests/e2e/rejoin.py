#!/usr/bin/env python3
"""rejoin: channels between roles that live are cut from outside, one after the other and all at once: main joins the two
anew, no process ends, and mail and commands work again without a person."""
import ctypes
import os
import re
import socket
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../support")
import gateway as g  # noqa: E402

HOME = g.workplace("rejoin")
MAIN_FD = 3  # a role's channel to main
PIDFD_OPEN, PIDFD_GETFD = 434, 438
libc = ctypes.CDLL(None, use_errno=True)
tap = g.Tap()
sink = g.Sink(HOME)
gate = g.Gateway(f"{HOME}/gateway",
                 routes=f'routes: ( {{ via = "smtp"; host = "127.0.0.1"; port = {sink.port}; tls = "none"; }} );').start()
gate.add_user()


def borrowed(pid, fd):
    """A socket of another process; None: this caller may not."""
    pidfd = libc.syscall(PIDFD_OPEN, pid, 0)
    own = libc.syscall(PIDFD_GETFD, pidfd, fd, 0) if pidfd >= 0 else -1
    if pidfd >= 0:
        os.close(pidfd)
    return socket.socket(fileno=own) if own >= 0 else None


def channels(pid):
    """The role's sockets to its peers."""
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            kind = os.readlink(f"/proc/{pid}/fd/{name}")
        except FileNotFoundError:
            continue  # closed meanwhile
        if int(name) <= MAIN_FD or not kind.startswith("socket:"):
            continue
        s = borrowed(pid, int(name))
        if s is None:
            continue
        listens = s.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        if s.family == socket.AF_UNIX and s.type == socket.SOCK_SEQPACKET and not listens:
            yield s
        else:
            s.close()


def may_reach():
    return os.getuid() == 0 and any(list(channels(pid)) for pid in gate.processes())


def cut(pid):
    count = 0
    for s in list(channels(pid)):
        s.shutdown(socket.SHUT_RDWR)
        s.close()
        count += 1
    return count


def works():
    try:
        client = gate.connect()
        code, _ = gate.send(client=client)
        client.quit()
        return code == 250 and gate.tool("status", check=False).returncode == 0 and \
            gate.tool("user", "list", check=False).returncode == 0
    except (OSError, AssertionError, g.smtplib.SMTPException):
        return False


def check(cuts):
    before, roles = sink.count(), set(gate.processes())
    count = sum(cut(pid) for pid in cuts)
    g.wait_for(f"mail and commands work again {gate.tail()}", 30, works, every=0.3)
    sink.wait(before + 1, 30)
    assert set(gate.processes()) == roles, gate.tail()
    return count


@tap.case
def each_role_loses_its_peers():
    """all channels of one role to its peers are cut: they get new ones"""
    if not may_reach():
        return "needs root and CAP_SYS_PTRACE to reach into a role"
    for role in ("relay", "queue", "auth", "keys", "worker", "accounts", "control", "submission"):
        told = len(re.findall("have lost their channel", gate.log()))
        count = check([pid for pid, (name, _) in gate.processes().items() if name == role])
        print(f"# {role}: {count} cut", flush=True)
        assert count > 0, role
        g.wait_for("main tells it", 10, lambda n=told: len(re.findall("have lost their channel", gate.log())) > n)
        time.sleep(1)
    return None


@tap.case
def all_at_once():
    """every channel between roles is cut at the same time, three times"""
    if not may_reach():
        return "needs root and CAP_SYS_PTRACE to reach into a role"
    for _ in range(3):
        check(list(gate.processes()))
        time.sleep(1)
    return None


try:
    tap.run()
finally:
    gate.stop()
    sink.stop()
