#!/usr/bin/env python3
"""hostile_hosts: receiving hosts that break off, stall and lie at each state of TCP, TLS and SMTP, beside a healthy
one: the relay goes on with the mail of the healthy one, uses no CPU when nothing is due, and gives back what it
took."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../support")
import gateway as g  # noqa: E402
import hostile  # noqa: E402
import load  # noqa: E402

HOME = g.workplace("hostile_hosts")
tap = g.Tap()
sink = g.Sink(HOME)
JUNK = {"zeros": b"\0" * 100, "record": b"\x16\x03\x01\x00\x10text, no message"}
junk_hosts = {name: hostile.StarttlsHost(junk) for name, junk in JUNK.items()}
routes = "".join(f'{{ to_domain = "{name}.example.net"; via = "smtp"; host = "127.0.0.1"; port = {host.port}; tls = "opportunistic"; }},\n'
                 for name, host in junk_hosts.items())
gate = g.Gateway(f"{HOME}/gateway", extra='limits: { per_user = "100000 recipients / 1h"; };',
                 queue=f'queue: {{ directory = "{HOME}/gateway/spool"; retry = [ "1h" ]; minimum_free = "1%"; }};',
                 routes=f'routes: ( {routes} {{ via = "smtp"; host = "127.0.0.1"; port = {sink.port}; tls = "none"; }} );').start()
gate.add_user()
BEFORE = dict(gate.processes())
relay = next(pid for pid, (role, _) in BEFORE.items() if role == "relay")


@tap.case
def junk_in_place_of_a_server_hello():
    """a host that answers the ClientHello with junk and a reset costs the relay no CPU, and others have their mail"""
    session = load.Session(gate)
    for name, host in junk_hosts.items():
        assert session.send(name, recipient=f"bob@{name}.example.net").startswith("250")
        g.wait_for("the host was asked", 10, lambda at=host: at.events > 0)
        share = hostile.cpu_share(relay, 2)
        print(f"# {name}: relay uses {100 * share:.1f} % of a core", flush=True)
        assert share < 0.05, (name, share)
        gate.wait_log(rf"deliver id=\S+ status=deferred .*to=<bob@{name}\.example\.net>", 10)
    before = sink.count()
    assert session.send("healthy").startswith("250")
    session.close()
    sink.wait(before + 1, 10)


@tap.case
def no_role_ended():
    """every process is the same one"""
    assert gate.processes() == BEFORE, gate.tail()


try:
    tap.run()
finally:
    gate.stop()
    sink.stop()
    for each in junk_hosts.values():
        each.stop()
