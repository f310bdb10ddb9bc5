#!/usr/bin/env python3
"""backup_moving: the spool is copied as sallyportd(8) says while waiting mail is moved from segment to segment: each copy that
is taken has all of it.  Without the comparison of the segments' first bytes some copies lack it."""
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../support")
import disks  # noqa: E402
import gateway as g  # noqa: E402
import load  # noqa: E402

disks.own_mounts()
HOME = g.workplace("backup_moving")
ROUNDS = int(os.environ.get("ROUNDS", "8"))
WAITING = {f"waiting-{n}" for n in range(40)}
tap = g.Tap()


def route(port, domain=""):
    return f'{{ {domain} via = "smtp"; host = "127.0.0.1"; port = {port}; tls = "none"; }}'


def slow_tar(directory):
    """A tar that takes some time, now and then, so that segments are begun and freed while it reads."""
    os.makedirs(directory)
    with open(f"{directory}/tar", "w", encoding="ascii") as f:
        f.write(f'#!/bin/sh\nexport PAUSE=$(shuf -n 1 -e 0 0 0.05 0.2)\nexec {shutil.which("tar")} --checkpoint=400 --checkpoint-action=exec="sleep $PAUSE" "$@"\n')
    os.chmod(f"{directory}/tar", 0o755)
    return directory


def copy(spool):
    """By the commands of the manual; how often it was made."""
    with open(f"{g.TOP}/doc/sallyportd.8", encoding="utf-8") as f:
        block = re.search(r"^cd /var/spool/sallyport\nheads.*?(?=^\.Ed)", f.read(), re.M | re.S).group(0)
    block = block.replace("/backup/", f"{HOME}/").replace("/var/spool/sallyport", spool).replace("sleep 1", "echo again; sleep 0.1")
    block = block.replace("-lt 10 ", "-lt 1000 ")
    environment = {**os.environ, "PATH": f"{HOME}/bin:{os.environ['PATH']}"}
    run = subprocess.run(["sh", "-ec", block], env=environment, capture_output=True, text=True, timeout=120, check=True)
    return 1 + run.stdout.count("again")


def restored(number):
    """What the copy delivers."""
    home = f"{HOME}/{number}"
    os.makedirs(home)
    sink = g.Sink(home)
    gate = g.Gateway(f"{home}/gateway", routes=f"routes: ( {route(sink.port)} );", listen="listen: ();")
    os.mkdir(f"{gate.directory}/spool")
    for part in ("bodies", "segments"):
        subprocess.run(["tar", "-xpf", f"{HOME}/{part}.tar", "-C", f"{gate.directory}/spool"], check=True)
    try:
        gate.start(wait=False)
        g.wait_for(f"all waiting mail of copy {number} ({gate.tail()})", 30,
                   lambda: gate.process.poll() is not None or WAITING <= set(load.subjects(sink)), every=0.2)
        assert gate.process.poll() is None, gate.tail()
    finally:
        gate.stop()
        sink.stop()
    shutil.rmtree(home)


@tap.case
def copies_while_mail_is_moved():
    """a small spool under load, with 40 messages that wait all the time: each copy that the manual's commands take has them"""
    sink = g.Sink(HOME)
    waits = route(g.free_port(), 'to_domain = "slow.example";')
    gate = g.Gateway(f"{HOME}/gateway", routes=f"routes: ( {waits}, {route(sink.port)} );",
                     extra='limits: { per_user = "1000000 recipients / 1h"; };')
    spool = f"{gate.directory}/spool"
    disks.mount(spool, 48)
    slow_tar(f"{HOME}/bin")
    running, copies = None, 0
    try:
        gate.start().add_user()
        session = load.Session(gate)
        for number, name in enumerate(sorted(WAITING)):
            size = 200000 if number % 8 == 0 else 1000
            assert session.send(name, recipient="bob@slow.example", size=size).startswith("250")
        session.close()
        running = load.Load(gate, sessions=1, size=4000)
        for number in range(ROUNDS):
            copies += copy(spool)
            restored(number)
        assert not running.refused, running.refused[:3]
        print(f"# {ROUNDS} copies were taken of {copies}, while {len(running.acknowledged)} messages came and went", flush=True)
        assert copies > ROUNDS, "no segment changed while a copy was made"
    finally:
        if running:
            running.stop()
        gate.stop()
        sink.stop()
        disks.unmount(spool)


tap.run()
