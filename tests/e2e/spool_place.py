#!/usr/bin/env python3
"""spool_place: the spool is not where it was, at a start or while the daemon runs, or its log is gone: what is refused and what
is said; and spool.made, which tells the next start that there was a spool."""
import os
import re
import shutil
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../support")
import gateway as g  # noqa: E402

HOME = g.workplace("spool_place")
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


def refused(gate, arguments=()):
    """The daemon ends by itself with 75; what it said."""
    before = len(gate.log())
    gate.start(wait=False, arguments=arguments)
    assert gate.process.wait(20) == 75, gate.tail()
    return gate.log()[before:]


# ---- a spool that is not there ----

@tap.case
def a_spool_is_made_once():
    """the spool is an empty directory, or none, at a later start: refused with 75 and what to look at, also with
    --accept-damage, and nothing is made; put back all is there; spool.made removed, an empty one is made"""
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
            for arguments in ((), ("--accept-damage",)):
                make()
                said = refused(gate, arguments)
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


def lose_log(spool, kept):
    """All files of the log are gone; of the others in its directory these are there."""
    for name in os.listdir(spool):
        if name != "lock" and not any(name == k or k == ".body" and name.endswith(k) for k in kept):
            os.remove(f"{spool}/{name}")


def lost_log(number, kept, is_damaged):
    """A log of one message above 128 KiB is lost as a whole: refused, then accepted, then as if nothing had been."""
    gate = made(f"lost-{number}").start().add_user()
    spool, mark = paths(gate)
    try:
        g.wait_for("spool.made", 20, lambda: os.path.exists(mark))
        gate.send(text="large\r\n" * 50000)
        gate.stop()
        lose_log(spool, kept)
        if is_damaged:
            with open(f"{spool}/newest-segment", "r+b") as f:
                f.write(b"XXXX")
        names = sorted(os.listdir(spool))
        said = refused(gate)
        assert "start once with --accept-damage" in said and "there is no spool" not in said, (kept, said)
        assert sorted(os.listdir(spool)) == names, "something was changed"
        gate.start(arguments=("--accept-damage",))
        assert gate.queue() == []
        gate.send()
        gate.stop()
        gate.start()
        assert len(gate.queue()) == 1
    finally:
        gate.stop()


@tap.case
def a_lost_log_is_accepted():
    """all segments are gone, newest-segment (whole or damaged) or a body is there: refused with 75, and --accept-damage begins anew, once"""
    for number, (kept, is_damaged) in enumerate(((("newest-segment",), False), (("newest-segment",), True), ((".body",), False),
                                                 (("newest-segment", ".body"), False))):
        lost_log(number, kept, is_damaged)


@tap.case
def a_new_spool_beside_accounts():
    """an account, then the first start, as the README has it, or without spool.made, as 0.1.0 left it: said once, at level info,
    and no warning"""
    gate = made("accounts")
    gate.add_user()
    gate.start()
    try:
        told = f"info: queue.directory: there is no spool in {gate.directory}/spool, and nothing says"
        assert gate.log().count(told) == 1, gate.log()
        assert "warning: queue.directory" not in gate.log(), gate.log()
        gate.stop()
        gate.start()
        assert gate.log().count(told) == 1, gate.log()
    finally:
        gate.stop()


# ---- spool.made ----

FAILING = (("new-spool.made", "unlinkat", "EIO"), ("new-spool.made", "openat", "EMFILE"), ("new-spool.made", "write", "ENOSPC"),
           ("new-spool.made", "fsync", "EIO"), ("new-spool.made", "renameat", "EIO"), ("", "fsync", "EIO"))


def content(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


@tap.case
def spool_made_is_written_once():
    """spool.made that is right is left alone at each start; one that says another path is replaced"""
    gate = made("written")
    spool, mark = paths(gate)
    numbers = []
    for _ in range(3):
        gate.start()
        try:
            g.wait_for("spool.made", 20, lambda: os.path.exists(mark) and content(mark) == f"{spool}\n")
            time.sleep(3)  # it looks every two seconds
            numbers.append(os.stat(mark).st_ino)
        finally:
            gate.stop()
        if len(numbers) == 2:
            os.rename(mark, f"{gate.directory}/old")  # keeps its inode number from being given again
            with open(mark, "w", encoding="ascii") as f:
                f.write("/elsewhere\n")
    assert numbers[0] == numbers[1] != numbers[2], numbers


@tap.case
def spool_made_is_never_lost():
    """each call that writes spool.made fails: the one that is there is never lost; it is told; the next start writes it"""
    if os.getuid():
        return "needs root to trace the daemon"
    gate = made("failing").start()
    spool, mark = paths(gate)
    gate.stop()
    for name, call, error in FAILING:
        for before in ("/elsewhere\n", None) if call == "openat" else ("/elsewhere\n",):
            written_with(gate, (name, call, error), before)
            is_replaced = name == ""
            assert os.path.exists(mark) == (before is not None), (call, os.listdir(os.path.dirname(mark)))
            assert before is None or content(mark) == (f"{spool}\n" if is_replaced else before), (call, content(mark))
            gate.start()
            g.wait_for("spool.made", 20, lambda: os.path.exists(mark) and content(mark) == f"{spool}\n")
            gate.stop()
            assert not os.path.exists(f"{os.path.dirname(mark)}/new-spool.made")
    return None


def written_with(gate, fault, before):
    """A start in which this call fails once, or for ever; spool.made said this before, or was not there."""
    _, mark = paths(gate)
    name, call, error = fault
    state, trace = os.path.dirname(mark), f"{gate.directory}/trace"
    if os.path.exists(mark):
        os.remove(mark)
    if before:
        with open(mark, "w", encoding="ascii") as f:
            f.write(before)
    told = "there is one, which may name another" if before else "a new one will be made"
    log = len(gate.log()) if os.path.exists(gate.log_file) else 0
    at = ("-P", name, "-P", f"{state}/{name}") if name else ("-P", state)
    os.environ["SALLYPORTD_WRAPPER"] = " ".join(("strace", "-qq", "-o", trace, *at, "-e", f"trace={call}",
                                                 "-e", f"inject={call}:error={error}"))
    try:
        gate.start()
        g.wait_for(f"{fault} is told ({gate.tail()})", 20,
                   lambda: re.search(rf"warning: {mark} cannot be written: .*{told}", gate.log()[log:]))
    finally:
        gate.stop()
        os.environ["SALLYPORTD_WRAPPER"] = ""
    assert "(INJECTED)" in content(trace), fault


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
        for make in (lambda: None, lambda: shutil.copytree(f"{spool}.old", spool, ignore=shutil.ignore_patterns("new-*"))):
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
