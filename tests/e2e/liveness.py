#!/usr/bin/env python3
"""liveness: a role that hangs (SIGSTOP) is noticed, named in the log with what it was doing, and replaced;
mail flows again without a person, and nothing acknowledged is lost.

ROUNDS (0): that many rounds more of SIGSTOP or SIGKILL of a random role under load; SEED repeats a run's choices."""
import json
import os
import random
import re
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../support")
import gateway as g  # noqa: E402
import load  # noqa: E402

ROUNDS = int(os.environ.get("ROUNDS", "0"))
SEED = int(os.environ.get("SEED", str(random.SystemRandom().randrange(1 << 30))))
HOME = g.workplace("liveness")
BATCHES = (("keys", "relay"), ("queue", "control"), ("auth", "worker", "submission"), ("accounts",))
BACK_S = 15       # from the stop of a role until its work is done again
PATIENCE_S = 60   # a bound for a loaded machine; what is asserted is counted on the daemon's own clock where it can be
tap = g.Tap()
sink = g.Sink(HOME)
gate = g.Gateway(f"{HOME}/gateway",
                 extra='limits: { per_user = "10000000 recipients / 1h"; };',
                 auth='auth: { backends = ( "users" ); step_timeout = "3s"; };',
                 routes=f'routes: ( {{ via = "smtp"; host = "127.0.0.1"; port = {sink.port}; tls = "none"; }} );').start()
gate.add_user()
acknowledged = set()


def rows():
    """What `sallyport status` says of each process."""
    out = gate.tool("status", "--json", check=False).stdout
    return [row for row in map(json.loads, out.splitlines()) if "role" in row]


def pids_of(role):
    return [pid for pid, (name, _) in gate.processes().items() if name == role]


def is_sent(name):
    """One message from connecting to the receiving host."""
    try:
        session = load.Session(gate)
        try:
            session.socket.settimeout(BACK_S)
            reply = session.send(name)
        finally:
            session.close()
    except (OSError, ValueError, g.smtplib.SMTPException):
        return False
    if reply.startswith("250"):
        acknowledged.add(name)
    return reply.startswith("250")


def wait_mail(label, seconds):
    """Until a new message arrives; how long that took."""
    began, number = time.monotonic(), 0
    while time.monotonic() - began < seconds:
        number += 1
        if is_sent(f"{label}-{number}"):
            return time.monotonic() - began
        time.sleep(0.1)
    raise AssertionError(f"{label}: no mail flows within {seconds} s: {gate.tail()}")


def stop_them(pids):
    """SIGSTOP of these processes under light load, until main has replaced all; what status said of each."""
    run = load.Load(gate, sessions=1, label="stop-" + "-".join(pids))
    seen = {role: set() for role in pids}
    try:
        g.wait_for("load runs", PATIENCE_S, lambda: run.acknowledged)
        for pid in pids.values():
            os.kill(pid, signal.SIGSTOP)
        began = time.monotonic()
        while any(pid in gate.processes() for pid in pids.values()):
            told = {row["pid"]: row["state"] for row in rows()} if "control" not in pids else {}
            for role, pid in pids.items():
                seen[role].add(told.get(pid, "gone"))
            assert time.monotonic() - began < PATIENCE_S, f"{pids} were not replaced: {gate.tail()}"
            time.sleep(0.5)
        took = time.monotonic() - began
    finally:
        run.stop()
        acknowledged.update(run.acknowledged)
    return took, seen


def check_batch(roles):
    pids = {role: pids_of(role)[0] for role in roles}
    took, seen = stop_them(pids)
    again = wait_mail("after-" + "-".join(roles), BACK_S)
    print(f"# {', '.join(roles)}: replaced after {took:.1f} s, mail after {again:.1f} s more", flush=True)
    for role, pid in pids.items():
        check_told(role, pid, seen[role] if "control" not in roles else None)
    return took


def check_told(role, pid, seen):
    """Log and status named that process; a worker in a check is the broker's, which ends it after step_timeout."""
    if role == "worker" and "is ended: a step took too long" in gate.log():
        return
    line = re.search(rf'not answering role={role} index=\d+ pid={pid} seconds=(\d+) state=ready work="([^"]*)"', gate.log())
    assert line, f"no line in the log names {role}, {pid}: {gate.tail()}"
    assert 10 <= int(line.group(1)) <= 12, line.group()
    assert line.group(2) not in ("", "-"), line.group()
    assert seen is None or "not answering" in seen, (role, seen)


@tap.case
def a_stopped_role_is_replaced():
    """SIGSTOP of each role: noticed after 10 s, named in the log and in status, replaced; mail flows again"""
    for roles in BATCHES:
        check_batch(roles)


@tap.case
def main_stopped_kills_no_one():
    """main itself stopped for longer than the limit: every role lives on"""
    before = set(gate.processes())
    os.kill(gate.process.pid, signal.SIGSTOP)
    time.sleep(14)
    os.kill(gate.process.pid, signal.SIGCONT)
    time.sleep(4)
    assert set(gate.processes()) == before, (before, gate.processes())


def may_be_lost(chance):
    """A random role is stopped or killed under load."""
    victim, (role, _) = chance.choice(sorted(gate.processes().items()))
    number = chance.choice((signal.SIGSTOP, signal.SIGKILL))
    os.kill(victim, number)
    return victim, role, number


@tap.case
def rounds_of_random_ends():
    """random roles stopped or killed under load: mail flows again each time, nothing acknowledged is lost"""
    if ROUNDS == 0:
        return "ROUNDS is 0"
    print(f"# seed {SEED}", flush=True)
    chance, slowest = random.Random(SEED), 0
    for number in range(ROUNDS):
        run = load.Load(gate, sessions=2, label=f"r{number}")
        try:
            time.sleep(0.3 + chance.random())
            victim, role, sign = may_be_lost(chance)
            began = time.monotonic()
            g.wait_for(f"round {number}: {role} {victim} is gone", PATIENCE_S, lambda v=victim: v not in gate.processes())
            wait_mail(f"r{number}-after", BACK_S)
            took = time.monotonic() - began
        finally:
            run.stop()
            acknowledged.update(run.acknowledged)
        slowest = max(slowest, took)
        print(f"# round {number}: {role} {signal.Signals(sign).name}: mail after {took:.1f} s", flush=True)
    print(f"# {ROUNDS} rounds, the slowest {slowest:.1f} s", flush=True)
    assert slowest < BACK_S, slowest
    return None


@tap.case
def nothing_is_lost():
    """every acknowledged message was delivered"""
    g.wait_for(f"the queue is empty {gate.tail()}", 120, lambda: not gate.queue(), every=0.5)
    lost = acknowledged - set(load.subjects(sink))
    print(f"# {len(acknowledged)} acknowledged, {len(lost)} lost", flush=True)
    assert not lost, sorted(lost)[:5]


try:
    tap.run()
finally:
    gate.stop()
    sink.stop()
