#!/usr/bin/env python3
"""second_daemon: a second daemon that has the directories, the ports or the spool of a running one ends, and does the first no
harm; what a killed daemon left, and what its last processes still hold for a moment, stops no start."""
import fcntl
import os
import socket
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../support")
import gateway as g  # noqa: E402

HOME = g.workplace("second_daemon")
F_OFD_SETLK = 37  # of <fcntl.h>
tap = g.Tap()
sink = g.Sink(HOME)
ROUTES = f'routes: ( {{ via = "smtp"; host = "127.0.0.1"; port = {sink.port}; tls = "none"; }} );'


def made(name, **replace):
    return g.Gateway(f"{HOME}/{name}", routes=ROUTES, **replace)


def is_whole(gate, log):
    """The daemon is controlled by the tool, its ports are its own, and nothing else stands in its log."""
    for _ in range(20):
        assert gate.banner(), "somebody else has the port"
    g.wait_for("all are ready", 20, lambda: gate.tool("status", check=False).returncode == 0)
    gate.tool("user", "suspend", gate.user, "--reason", "phished")
    gate.tool("user", "resume", gate.user)
    assert gate.log().startswith(log), "the log was begun anew"


@tap.case
def same_configuration_twice():
    """a second daemon with the same configuration ends with 75 and one line, and touches neither socket, port nor spool"""
    gate = made("twice").start().add_user()
    try:
        socket_before, log = os.lstat(f"{gate.directory}/run/control.sock"), gate.log()
        with subprocess.Popen([f"{g.BUILD}/sallyportd", "-c", gate.config], stderr=subprocess.PIPE, text=True) as second:
            told = second.communicate(timeout=20)[1]
        assert second.returncode == 75, second.returncode
        assert told.count("\n") == 1 and "another sallyportd is running" in told, told
        after = os.lstat(f"{gate.directory}/run/control.sock")
        assert (after.st_ino, after.st_mtime_ns) == (socket_before.st_ino, socket_before.st_mtime_ns), "the socket is another"
        said = [line for line in gate.log()[len(log):].splitlines() if f"sallyportd[{second.pid}]" in line]
        assert len(said) == 2 and "waiting up to 3 s for it" in said[0] and "another sallyportd is running" in said[1], said
        is_whole(gate, log)
    finally:
        gate.stop()


@tap.case
def socket_of_a_killed_daemon():
    """what a killed daemon left in the run directory, its socket and its lock, does not stop the next one"""
    gate = made("killed").start().add_user()
    gate.kill_group()
    assert os.path.exists(f"{gate.directory}/run/control.sock")
    gate.start()
    try:
        g.wait_for("all are ready", 20, lambda: gate.tool("status", check=False).returncode == 0)
    finally:
        gate.stop()


@tap.case
def lock_of_a_child_of_a_killed_daemon():
    """a process that was being started when the daemon was killed holds the run directory's lock for a moment: it is awaited"""
    gate = made("held").start().add_user()
    gate.kill_group()
    with open(f"{gate.directory}/run/lock", "r+b") as lock:
        fcntl.fcntl(lock, F_OFD_SETLK, struct.pack("hhqqi", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
        gate.start(wait=False)
        time.sleep(1)
        assert gate.process.poll() is None, gate.tail()
    try:
        g.wait_for("all are ready", 20, lambda: gate.tool("status", check=False).returncode == 0)
    finally:
        gate.stop()


@tap.case
def ports_of_another_daemon():
    """a second daemon with directories of its own and the same ports ends with 71 and says which; logins reach the first one"""
    gate = made("ports").start().add_user()
    other = made("ports-other", listen=gate.parts["listen"])
    try:
        status, said = other.ended()
        assert status == 71, (status, said)
        assert f"listen: cannot listen on 127.0.0.1 port {gate.smtps}" in said and "Address already in use" in said, said
        for _ in range(6):
            gate.connect().quit()
    finally:
        gate.stop()


@tap.case
def ports_of_a_killed_daemon():
    """ports that a process of a killed daemon still has for a moment are awaited"""
    gate = made("ports-killed")
    with socket.create_server(("127.0.0.1", gate.smtps), reuse_port=True):
        gate.start(wait=False)
        time.sleep(1)
        assert gate.process.poll() is None and not gate.processes(), gate.tail()
    try:
        g.wait_for("ready", 20, lambda: gate.tool("status", check=False).returncode == 0)
    finally:
        gate.stop()


@tap.case
def spool_of_another_daemon():
    """a second daemon with a run directory of its own and the same spool ends with 75; the first one keeps its ports"""
    first = made("first").start().add_user()
    second = made("second")
    second.parts["queue"], second.parts["listen"] = first.parts["queue"], first.parts["listen"]
    second.write_config()
    log = first.log()
    second.start(wait=False)
    try:
        while second.process.poll() is None:
            assert first.banner(), "a port was shared with the second daemon"
        with open(f"{second.directory}/stderr", encoding="utf-8") as f:
            said = f.read()
        assert second.process.returncode == 75 and "is there a second daemon?" in said, (second.process.returncode, said)
        is_whole(first, log)
    finally:
        second.stop()
        first.stop()


try:
    tap.run()
finally:
    sink.stop()
