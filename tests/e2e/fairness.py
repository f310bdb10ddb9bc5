#!/usr/bin/env python3
"""fairness: a thousand hosts that accept a connection and say nothing take no slots of anybody else."""
import os
import resource
import socket
import sys
import threading
import time
import types

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../support")
import gateway as g  # noqa: E402
import load  # noqa: E402

HOME = g.workplace("fairness")
SILENT, HEALTHY, DOMAINS, CONCURRENCY = 1000, 500, 50, 500
BOB = "bob@example.com"
resource.setrlimit(resource.RLIMIT_NOFILE, (4096, max(4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1])))
tap = g.Tap()


class Silent:
    """Accepts every connection, keeps it open and says nothing."""

    def __init__(self, address, port):
        self.held = []
        self.listener = socket.create_server((address, port), backlog=4096)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                self.held.append(self.listener.accept()[0])
            except OSError:
                return

    def stop(self):
        self.listener.close()
        for connection in self.held:
            connection.close()


port = g.free_port()
dns = g.Dns(HOME, {
    "silent.test": "\n".join(f"d{n} A 127.0.0.3" for n in range(SILENT)),
    "healthy.test": "\n".join(f"d{n} A 127.0.0.2" for n in range(DOMAINS)),
})
sink = g.Sink(HOME, "--address", "127.0.0.2", port=port)
silent = Silent("127.0.0.3", port)
gate = g.Gateway(f"{HOME}/gateway", extra=dns.config,
                 limits='limits: { per_user = "1000000 recipients / 1h"; };',
                 routes=f'routes: ( {{ via = "mx"; port = {port}; allow_private = true; tls = "none"; }} );').start()
gate.add_user()
gate.add_user(BOB)



def send_all(user, label, domains):
    session = load.Session(types.SimpleNamespace(user=user, smtps=gate.smtps))
    for n, domain in enumerate(domains):
        assert session.send(f"{label}-{n}", recipient=f"someone@{domain}").startswith("250")
    session.close()


@tap.case
def silent_hosts_get_a_share():
    """1,000 silent hosts of one user hold a third of the half of the slots, and no more"""
    gate_client = gate.connect()
    for first in range(0, SILENT, 200):
        code, reply = gate.send(recipients=[f"someone@d{n}.silent.test" for n in range(first, first + 200)], client=gate_client)
        assert code == 250, reply
    gate_client.quit()
    share = CONCURRENCY // 2 // 3 + 1
    g.wait_for(f"{share} connections to silent hosts", 30, lambda: len(silent.held) >= share)
    time.sleep(1)
    assert len(silent.held) == share, len(silent.held)


@tap.case
def the_other_user_does_not_wait():
    """500 messages of another user, to 50 hosts that nobody reached before: all arrive while the silent ones are held"""
    began = time.monotonic()
    send_all(BOB, "bob", [f"d{n % DOMAINS}.healthy.test" for n in range(HEALTHY)])
    sent = time.monotonic()
    sink.wait(HEALTHY, 30)
    print(f"# {HEALTHY} messages accepted in {sent - began:.1f} s, the last one delivered {time.monotonic() - sent:.1f} s later",
          flush=True)
    assert len(silent.held) == CONCURRENCY // 2 // 3 + 1, "no silent host was given up meanwhile"


@tap.case
def known_hosts_are_open_to_all():
    """the user with the silent hosts reaches hosts that answer as well"""
    before = sink.count()
    send_all(gate.user, "alice", [f"d{n % DOMAINS}.healthy.test" for n in range(100)])
    sink.wait(before + 100, 30)


try:
    tap.run()
finally:
    gate.stop()
    silent.stop()
    sink.stop()
    dns.stop()
