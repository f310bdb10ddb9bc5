#!/usr/bin/env python3
"""hostile_hosts: receiving hosts that break off, stall and lie at each state of TCP, TLS and SMTP, all at once, beside
a healthy one: the healthy one has its mail in time, the relay uses no CPU when nothing is due, and gives back its
descriptors and memory.  DURATION=300: 40 such hosts, another point and act in each connection, for so many seconds."""
import os
import ssl
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../support")
import gateway as g  # noqa: E402
import hostile  # noqa: E402
import load  # noqa: E402

DURATION = int(os.environ.get("DURATION", "0"))
SEED = int(os.environ.get("SEED", str(int(time.time()))))
HOME = g.workplace("hostile_hosts")
tap = g.Tap()
sink = g.Sink(HOME)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(*g.certificate(f"{HOME}/host"))
if DURATION:
    hosts = {f"h{n}": hostile.Host(context, "random", None, SEED + n) for n in range(40)}
else:
    hosts = {f"{point}-{act}".replace(" ", "-"): hostile.Host(context, point, act, slowly=0.2)
             for point in hostile.HOST_POINTS for act in hostile.ACTS}
routes = "".join(f'{{ to_domain = "{name}.example.net"; via = "smtp"; host = "127.0.0.1"; port = {host.port}; tls = "opportunistic"; }},\n'
                 for name, host in hosts.items())
gate = g.Gateway(f"{HOME}/gateway", extra='limits: { per_user = "10000000 recipients / 1h"; };\n'
                 'timeouts: { connect = "1s"; greeting = "1s"; ehlo = "1s"; mail = "1s"; rcpt = "1s"; data = "1s"; body = "1s"; final = "1s"; };',
                 queue=f'queue: {{ directory = "{HOME}/gateway/spool"; retry = [ "{"5s" if DURATION else "1h"}" ]; minimum_free = "1%"; }};',
                 routes=f'routes: ( {routes} {{ via = "smtp"; host = "127.0.0.1"; port = {sink.port}; tls = "none"; }} );').start()
gate.add_user()
BEFORE = dict(gate.processes())
relay = next(pid for pid, (role, _) in BEFORE.items() if role == "relay")
start = {}


class Healthy:
    """Sends a message to the healthy host now and then, until it is told to stop; how long each took."""

    def __init__(self, label):
        self.label, self.seconds, self.lost, self.over = label, [], [], threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        session = load.Session(gate)
        while not self.over.wait(0.1):
            began, before = time.monotonic(), sink.count()
            if not session.send(self.label, size=500).startswith("250"):
                self.lost.append("refused")
                continue
            try:
                g.wait_for("a message at the healthy host", 30, lambda at=before: sink.count() > at, every=0.005)
                self.seconds.append(time.monotonic() - began)
            except AssertionError as error:
                self.lost.append(str(error))
        session.close()

    def stop(self):
        self.over.set()
        self.thread.join(60)
        return self.seconds


def outcomes():
    """Domain -> the last outcome."""
    found = {}
    for line in gate.log().splitlines():
        if " deliver id=" in line and "to=<bob@" in line:
            found[line.split("to=<bob@", 1)[1].split(".example.net", 1)[0]] = line.split("status=", 1)[1].split()[0]
    return found


@tap.case
def without_hostile_hosts():
    """a measure: mail of the healthy host alone"""
    healthy = Healthy("alone")
    time.sleep(30 if DURATION else 5)
    start["seconds"] = healthy.stop()
    assert start["seconds"] and not healthy.lost, healthy.lost
    time.sleep(6)  # the relay closes idle connections
    start["descriptors"], start["kb"] = hostile.descriptors(relay), hostile.memory_kb(relay)


def storm_once(session):
    for name in hosts:
        size = 4_000_000 if name.startswith("body") else 1000
        assert session.send(name, recipient=f"bob@{name}.example.net", size=size).startswith("250"), name
    g.wait_for("an outcome for each hostile host", 90, lambda: set(hosts) <= set(outcomes()), every=0.3)


def storm_for_long(session):
    until = time.monotonic() + DURATION
    while time.monotonic() < until:
        for name in hosts:
            assert session.send(name, recipient=f"bob@{name}.example.net", size=20000).startswith("250"), name
        time.sleep(2)
    for host in hosts.values():
        host.stop()  # from now on the rest is refused at once
    for name in hosts:
        gate.tool("queue", "delete", "--domain", f"{name}.example.net", "--yes", check=False)


@tap.case
def every_kind_at_once():
    """hosts that are hostile at each point in each way, at once: the healthy host has all its mail meanwhile"""
    print(f"# {len(hosts)} hosts, SEED={SEED}", flush=True)
    healthy, session = Healthy("beside"), load.Session(gate)
    try:
        (storm_for_long if DURATION else storm_once)(session)
    finally:
        seconds = healthy.stop()
    session.close()
    for label, values in (("alone", start["seconds"]), ("beside", seconds)):
        print(f"# healthy mail {label}: {len(values)} messages, median {1000 * hostile.percentile(values, 0.5):.0f} ms, "
              f"p99 {1000 * hostile.percentile(values, 0.99):.0f} ms, longest {1000 * max(values):.0f} ms", flush=True)
    assert not healthy.lost, healthy.lost
    assert max(seconds) < 10, max(seconds)
    missed = [name for name, host in hosts.items() if not host.acts and not host.connections]
    assert not missed, missed


@tap.case
def outcomes_make_sense():
    """what was confirmed is sent, everything else is still in the queue"""
    time.sleep(0 if DURATION else 7)  # an idle connection says QUIT after 5 s
    if DURATION:
        return "not in the long form"
    wrong = {name: outcome for name, outcome in outcomes().items() if name in hosts and
             outcome not in ("sent", "deferred") or (outcome == "sent") != name.startswith("quit-")}
    wrong = {name: outcome for name, outcome in wrong.items() if name in hosts}
    assert not wrong, wrong
    for name, host in hosts.items():
        assert host.acts > 0, f"{name}: its point was never reached"
    return None


@tap.case
def quiet_afterwards():
    """the relay uses no CPU when nothing is due, and its descriptors and memory are back at the start"""
    time.sleep(7)  # QUIT lingers 2 s, idle connections 5 s
    share = hostile.cpu_share(relay, 3)
    kb = hostile.memory_kb(relay)
    print(f"# relay: {100 * share:.1f} % of a core; descriptors {start['descriptors']} before, {hostile.descriptors(relay)} after; "
          f"memory {start['kb']} KB before, {kb} KB after", flush=True)
    assert share < 0.05, share
    g.wait_for("descriptors given back", 20, lambda: hostile.descriptors(relay) <= start["descriptors"], every=0.5)
    assert kb - start["kb"] < (400000 if g.is_sanitized() else 16000), (start["kb"], kb)


@tap.case
def no_role_ended():
    """every process is the same one, no event did nothing, and mail flows"""
    assert "did nothing" not in gate.log()
    load.still_served(gate, BEFORE, sink)


try:
    tap.run()
finally:
    gate.stop()
    sink.stop()
    for each in hosts.values():
        each.stop()
