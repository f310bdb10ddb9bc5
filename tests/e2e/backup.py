#!/usr/bin/env python3
"""backup: a copy of a running gateway, restored; and what is said when the spool is not where it was."""
import os
import re
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../support")
import gateway as g  # noqa: E402

HOME = g.workplace("backup")
WHO = g.test_user()
DEAD = f'routes: ( {{ via = "smtp"; host = "127.0.0.1"; port = {g.free_port()}; tls = "none"; }} );'
tap = g.Tap()


def made(name, **replace):
    return g.Gateway(f"{HOME}/{name}", routes=DEAD, **replace)


def paths(gate):
    return f"{gate.directory}/spool", f"{gate.directory}/state/spool.made"


def empty_directory(path):
    os.mkdir(path, 0o700)
    if WHO:
        os.chown(path, WHO.pw_uid, WHO.pw_gid)


def refused(gate):
    """The daemon ends by itself with 75; what it said."""
    before = len(gate.log())
    gate.start(wait=False)
    assert gate.process.wait(20) == 75, gate.tail()
    return gate.log()[before:]


# ---- a spool that is not there ----

@tap.case
def a_spool_is_made_once():
    """the spool is an empty directory, or none, at a later start: refused with 75 and what to look at, nothing is made; put
    back all is there; spool.made removed, an empty one is made"""
    gate = made("once").start().add_user()
    spool, mark = paths(gate)
    try:
        g.wait_for("spool.made", 20, lambda: os.path.exists(mark))
        with open(mark, encoding="utf-8") as f:
            assert f.read() == f"{spool}\n"
        assert "a new spool" not in gate.log(), gate.log()
        gate.send()
        gate.stop()
        os.rename(spool, f"{gate.directory}/unmounted")
        for make in (lambda: None, lambda: empty_directory(spool)):
            make()
            said = refused(gate)
            assert f"there is no spool in {spool}, but there was one" in said and mark in said, said
            assert os.listdir(spool) == [], "something was made"
            os.rmdir(spool)
        os.rename(f"{gate.directory}/unmounted", spool)
        gate.start()
        assert len(gate.queue()) == 1
        gate.stop()
        shutil.rmtree(spool)
        os.remove(mark)
        gate.start()
        assert gate.queue() == []
    finally:
        gate.stop()


@tap.case
def a_new_spool_beside_accounts():
    """without spool.made, as 0.1.0 left it: a new spool beside accounts is warned of, once, and says what to look at"""
    gate = made("accounts")
    gate.add_user()
    gate.start()
    try:
        told = f"warning: queue.directory: a new spool is made in {gate.directory}/spool, though there are accounts already"
        assert gate.log().count(told) == 1, gate.log()
        gate.stop()
        gate.start()
        assert gate.log().count(told) == 1, gate.log()
    finally:
        gate.stop()


# ---- a spool that goes away ----

def is_failing(gate):
    status = gate.tool("status", check=False)
    found = re.search(r"^queue +0 +failing .*the spool was moved or removed, see the log", status.stdout, re.M)
    assert status.returncode == (69 if found else 0), status
    return bool(found)


@tap.case
def the_spool_is_moved():
    """the spool is moved away and another one put there while the daemon runs: log and status say so, and where it is; put
    back, that is said too, and a restart has all mail"""
    gate = made("moved").start().add_user()
    spool, _ = paths(gate)
    try:
        g.wait_for("all are ready", 20, lambda: not is_failing(gate))
        os.rename(spool, f"{spool}.old")
        for make in (lambda: None, lambda: shutil.copytree(f"{spool}.old", spool)):
            make()
            g.wait_for("status says so", 20, lambda: is_failing(gate), every=0.2)
            gate.wait_log(rf"error: spool: {spool} is not the directory that is in use any more: .*\(it is now {spool}\.old\)")
            assert gate.log().count("is not the directory that is in use") == 1
        gate.send()
        shutil.rmtree(spool)
        os.rename(f"{spool}.old", spool)
        gate.wait_log(rf"info: spool: {spool} is the directory that is in use again")
        assert not is_failing(gate)
        gate.stop()
        gate.start()
        assert len(gate.queue()) == 1
    finally:
        gate.stop()


@tap.case
def the_spool_is_removed():
    """the spool is removed while the daemon runs: log and status say so"""
    gate = made("removed").start().add_user()
    spool, _ = paths(gate)
    try:
        shutil.rmtree(spool)
        gate.wait_log(rf"error: spool: the directory {spool} was removed while it is in use")
        assert is_failing(gate)
    finally:
        gate.stop()


tap.run()
