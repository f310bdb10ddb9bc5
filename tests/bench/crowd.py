#!/usr/bin/env python3
"""crowd [--messages N] [--users N] [--hosts N] [--bad N]: what hosts that are silent, slow or greylisting cost the
mail for all others.  N messages of many users go to many hosts, twice: first all hosts are healthy, then `bad` of
them accept and say nothing, `bad` answer each command after a second, and `bad` greylist.  Prints how long the mail for the
same healthy hosts waited from its acceptance to its delivery.  Run it in a network namespace; needs knotd."""
import argparse
import os
import re
import resource
import shutil
import socket
import sys
import threading
import time
import types

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../support")
import gateway as g  # noqa: E402
import load  # noqa: E402

parser = argparse.ArgumentParser()
parser.add_argument("--messages", type=int, default=20000)
parser.add_argument("--users", type=int, default=1000)
parser.add_argument("--hosts", type=int, default=500)
parser.add_argument("--bad", type=int, default=50)
parser.add_argument("--sessions", type=int, default=8)
options = parser.parse_args()
HOME = g.workplace("crowd")
resource.setrlimit(resource.RLIMIT_NOFILE, (4096, max(4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1])))


def silent(port):
    """Accepts at 127.0.0.3 and says nothing."""
    listener, held = socket.create_server(("127.0.0.3", port), backlog=4096), []

    def accept():
        while True:
            try:
                held.append(listener.accept()[0])
            except OSError:
                return

    threading.Thread(target=accept, daemon=True).start()
    return listener


def kind_of(host):
    """The first hosts are the bad ones: silent, slow, greylisting."""
    return ("silent", "slow", "grey")[host // options.bad] if host < 3 * options.bad else "healthy"


ADDRESS = {"healthy": "127.0.0.2", "silent": "127.0.0.3", "slow": "127.0.0.4", "grey": "127.0.0.5"}


def send_all(gate):
    """User n sends its messages in one session; message m goes to host m % hosts."""
    users, lock = list(range(options.users)), threading.Lock()
    each = options.messages // options.users

    def run():
        while True:
            with lock:
                if not users:
                    return
                user = users.pop()
            session = load.Session(types.SimpleNamespace(user=f"u{user}@example.com", smtps=gate.smtps))
            for n in range(each):
                host = (user * each + n) % options.hosts
                reply = session.send(f"m{user}-{n}", recipient=f"someone@h{host}.crowd.test")
                assert reply.startswith("250"), reply
            session.close()

    threads = [threading.Thread(target=run) for _ in range(options.sessions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def delays(gate):
    """Seconds of the messages for hosts that are healthy in both runs, sorted."""
    found = re.findall(r"status=sent .*? to=<someone@h(\d+)\.crowd\.test> .*? delay=([\d.]+)", gate.log())
    return sorted(float(delay) for host, delay in found if kind_of(int(host)) == "healthy")


def measure(name, has_bad):
    home, port = f"{HOME}/{name}", g.free_port()
    os.makedirs(home)
    zone = "\n".join(f"h{n} A {ADDRESS[kind_of(n)] if has_bad else ADDRESS['healthy']}" for n in range(options.hosts))
    dns = g.Dns(home, {"crowd.test": zone})
    sinks = [g.Sink(f"{home}/{kind}", "--address", ADDRESS[kind], *more, port=port)
             for kind, more in (("healthy", ()), ("slow", ("--delay", "1000")), ("grey", ("--greylist",)))]
    listener = silent(port)
    gate = g.Gateway(f"{home}/gateway", extra=dns.config, auth='auth: { backends = ( "users" ); iterations = 4096; };',
                     queue=f'queue: {{ directory = "{home}/gateway/spool"; retry = [ "30s" ]; minimum_free = "1%"; }};',
                     limits='limits: { per_user = "1000000 recipients / 1h"; sessions_per_client = 1000; };',
                     routes=f'routes: ( {{ via = "mx"; port = {port}; allow_private = true; tls = "none"; }} );').start()
    try:
        for n in range(options.users):
            gate.add_user(f"u{n}@example.com")
        wanted = sum(kind_of(m % options.hosts) == "healthy" for m in range(options.messages))
        began = time.monotonic()
        send_all(gate)
        accepted = time.monotonic() - began
        g.wait_for("all mail for healthy hosts", 600, lambda: len(delays(gate)) >= wanted, every=0.5)
        done = time.monotonic() - began
        got = delays(gate)
        print(f"{name}: accepted in {accepted:.1f} s, healthy mail done after {done:.1f} s; it waited "
              f"{got[len(got) // 2]:.1f} s (half), {got[len(got) * 99 // 100]:.1f} s (99 %), {got[-1]:.1f} s (all)", flush=True)
    finally:
        gate.stop()
        listener.close()
        for sink in sinks:
            sink.stop()
        dns.stop()
        shutil.rmtree(home, ignore_errors=True)


measure("healthy", False)
measure("crowd", True)
