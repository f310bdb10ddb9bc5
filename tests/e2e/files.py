#!/usr/bin/env python3
"""files: what the configuration names may lie where the roles' users cannot go; a reload may name more."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../support")
import gateway as g  # noqa: E402

HOME = g.workplace("files")
tap = g.Tap()


def private(name):
    """A directory that only its owner may enter."""
    path = f"{HOME}/{name}"
    os.makedirs(path, 0o700)
    return path


def secure_sink(name):
    directory = private(name)
    cert, key = g.certificate(directory, "mx.example.net")
    return g.Sink(directory, "--cert", cert, "--key", key), cert


def routes(sink, ca_file):
    return (f'routes: ( {{ via = "mx"; port = {sink.port}; allow_private = true; tls = "verify"; '
            f'ca_file = "{ca_file}"; }} );')


first, first_ca = secure_sink("first")
second, second_ca = secure_sink("second")
dns = g.Dns(HOME, {"example.net": "@ MX 10 mx\nmx A 127.0.0.1\n"})
secret = private("secret")
os.rename(f"{HOME}/dns/anchor", f"{secret}/anchor")
CONFIG = dns.config.replace(f"{HOME}/dns/anchor", f"{secret}/anchor")
gate = g.Gateway(f"{HOME}/gateway", routes=routes(first, first_ca), extra=CONFIG).start()
gate.add_user()


@tap.case
def at_the_start():
    """trust anchor and CA file below a directory of mode 0700"""
    gate.send()
    first.wait(1)
    gate.wait_log(r"deliver .*status=sent .*tls=verify destination=mx:mx.example.net;port=\d+;tls=verify;ca=\S+;private=yes delay=")
    gate.wait_log(r"accept .*rcpts=1 bytes=\d+ msgid=<[^ <>]+>$")
    gate.wait_log(r"auth ok .*tls=TLSv1\.3 mech=")


@tap.case
def after_a_reload():
    """a reload names another CA file; the old one is not trusted any more"""
    gate.routes = routes(second, second_ca)
    gate.write_config()
    gate.tool("reload")
    gate.send()
    second.wait(1)
    gate.routes = routes(second, first_ca)
    gate.write_config()
    gate.tool("reload")
    gate.send()
    gate.wait_log("status=deferred reason=tls")
    assert second.count() == 1


@tap.case
def written_anew():
    """a CA file of the same name with other certificates in it: a reload reads it again"""
    with open(second_ca, encoding="ascii") as source, open(first_ca, "w", encoding="ascii") as target:
        target.write(source.read())
    gate.tool("reload")
    gate.send()
    second.wait(2)


@tap.case
def gone():
    """a reload with a CA file that is gone is refused with its name, and what was read before stays in use"""
    os.rename(first_ca, first_ca + ".gone")
    refused = gate.tool("reload", check=False)
    told = refused.stdout + refused.stderr
    assert refused.returncode == 71 and "first/tls.crt (for relay): No such file" in told, refused
    before = second.count()
    gate.send()
    second.wait(before + 1)
    os.rename(first_ca + ".gone", first_ca)


@tap.case
def another_anchor():
    """a reload with an anchor that does not fit: answers are bogus, mail waits"""
    with open(f"{secret}/anchor", encoding="ascii") as f:
        text = f.read()
    with open(f"{secret}/anchor", "w", encoding="ascii") as f:
        for line in text.splitlines():
            words = line.split()
            words[-1] = words[-1][:-1] + ("1" if words[-1][-1] == "0" else "0")
            f.write(" ".join(words) + "\n")
    gate.tool("reload")
    gate.send()
    gate.wait_log("status=deferred reason=dns")


try:
    tap.run()
finally:
    gate.stop()
    first.stop()
    second.stop()
    dns.stop()
