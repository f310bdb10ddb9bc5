#!/usr/bin/env python3
"""kill: SIGKILL of every process at once, under load, at random instants and at the durable acts
themselves; nothing acknowledged may be lost.

ROUNDS (50) and ACKNOWLEDGED (20000) say how long; SEED repeats a run's instants."""
import os
import random
import re
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../support")
import gateway as g  # noqa: E402
import load  # noqa: E402

ROUNDS = int(os.environ.get("ROUNDS", "50"))
ACKNOWLEDGED = int(os.environ.get("ACKNOWLEDGED", "20000"))
SEED = int(os.environ.get("SEED", str(random.SystemRandom().randrange(1 << 30))))
HOME = g.workplace("kill")
ACTS = ("pwritev", "fdatasync", "fsync", "renameat", "unlinkat")
# doc/SPOOL.md, the duplicate window: 50 ms and a sync; a busy machine's sync may take long
WINDOW_S = 2
MOST_AGAIN = 0.03
tap = g.Tap()
sink = g.Sink(HOME)
gate = g.Gateway(f"{HOME}/gateway", extra='limits: { per_user = "10000000 recipients / 1h"; };',
                 routes=f'routes: ( {{ via = "smtp"; host = "127.0.0.1"; port = {sink.port}; tls = "none"; }} );')
chance = random.Random(SEED)
# deaths: when the first process may have died, when all were dead, when the next were started
acknowledged, refused, deaths = set(), [], []


def wrapped(act):
    """Run the daemon so that it dies inside its own durable act, the n-th of a thread."""
    if not act:
        return ""
    when = chance.randrange(2, 40)
    return f"strace -f -qq -o /dev/null -e trace={act} -e inject={act}:signal=SIGKILL:when={when}"


def may_come_up(seconds):
    """Ready, or it died in that act already while it started: then it is killed as it is."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and not gate.banner() and "was ended by signal 9" not in gate.tail():
        time.sleep(0.05)


def start_after_death(**how):
    if deaths:
        deaths[-1][2] = time.time()
    gate.start(**how)


def one_round(number):
    act = ACTS[number // 3 % len(ACTS)] if number % 3 == 2 else None
    os.environ["SALLYPORTD_WRAPPER"] = wrapped(act)
    begin = time.time()
    start_after_death(wait=not act)
    if act:
        may_come_up(5)
    if number == 0:
        gate.add_user()
    want = (ACKNOWLEDGED - len(acknowledged)) // (ROUNDS - number)
    run = load.Load(gate, label=f"r{number}", size=chance.choice((200, 1000, 4000)))
    until = time.monotonic() + 20
    try:
        while len(run.acknowledged) < want and time.monotonic() < until and gate.process.poll() is None:
            time.sleep(0.01)
            if act and "was ended by signal 9" in gate.tail():
                break
        time.sleep(chance.random() * 0.05)
    finally:
        # a process that dies in its own act does so at any time of the round
        begin = begin if act else time.time()
        gate.kill_group()
        deaths.append([begin, time.time(), None])
        run.stop()
    acknowledged.update(run.acknowledged)
    refused.extend(run.refused)


def deliveries():
    """Subject -> when it arrived, each time."""
    found = {}
    for number in range(1, sink.count() + 1):
        with open(f"{sink.directory}/{number}.eml", "rb") as f:
            name = re.search(rb"\r\nSubject: (.*)\r\n", f.read(4000)).group(1).decode()
        found.setdefault(name, []).append(os.stat(f"{sink.directory}/{number}.eml").st_mtime)
    return {name: sorted(times) for name, times in found.items()}


def without_a_death(found):
    """Messages that arrived twice although nothing died in between.  A busy receiving host may take what the dead have
    sent until others are started."""
    slack = 0.05  # of the clock of files
    return [name for name, times in found.items() for a, b in zip(times, times[1:])
            if not any(begin <= b + slack and started >= a - slack for begin, _, started in deaths)]


def ages(found):
    """Of the messages that arrived again: how long before a process may have died they had arrived, in seconds."""
    return [max(0, min(begin for begin, _, started in deaths if started >= times[0] - 0.05) - times[0])
            for times in found.values() if len(times) > 1]


@tap.case
def nothing_is_lost():
    """killed at random instants and at durable acts: everything acknowledged arrives"""
    print(f"# seed {SEED}", flush=True)
    for number in range(ROUNDS):
        one_round(number)
    os.environ["SALLYPORTD_WRAPPER"] = ""
    start_after_death()
    g.wait_for("an empty queue", 180, lambda: not gate.queue(), every=0.5)
    found = {name: len(times) for name, times in deliveries().items()}
    lost = acknowledged - set(found)
    twice = sum(count > 1 for count in found.values())
    print(f"# {ROUNDS} rounds, {len(acknowledged)} acknowledged, {len(lost)} lost, {twice} delivered more than once",
          flush=True)
    print("# (delivered, but the result was not yet on disk when the processes died: see doc/SPOOL.md)", flush=True)
    assert not lost, (SEED, sorted(lost)[:10])
    arrived = deliveries()
    again = without_a_death(arrived)
    assert not again, (SEED, f"{len(again)} were delivered again although nothing had died", again[:10])
    age = max(ages(arrived), default=0)
    print(f"# {100 * twice / len(found):.1f} % arrived again, at most {age:.3f} s old", flush=True)
    assert age <= WINDOW_S and twice <= MOST_AGAIN * len(found), (SEED, age, twice, len(found))
    assert len(acknowledged) >= ACKNOWLEDGED, len(acknowledged)
    assert all(reply.startswith("4") for reply in refused), [r for r in refused if not r.startswith("4")][:3]


try:
    tap.run()
finally:
    gate.stop()
    sink.stop()
