#!/usr/bin/env python3
"""chain: one gateway is the smarthost of another: login by SCRAM over checked TLS, DSN wishes, Received."""
import email
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../support")
import gateway as g  # noqa: E402

HOME = g.workplace("chain")
tap = g.Tap()
sink = g.Sink(HOME, "--fail", "rcpt/gone=550 5.1.1 no such user")
outer = g.Gateway(f"{HOME}/outer", hostname='hostname = "outer.example.com";',
                  auth='auth: { backends = ( "users" ); mechanisms = [ "SCRAM-SHA-256", "PLAIN", "LOGIN" ]; };',
                  routes=f'routes: ( {{ via = "smtp"; host = "127.0.0.1"; port = {sink.port}; tls = "none"; }} );').start()
outer.add_user()


def smarthost(password):
    return (f'routes: ( {{ via = "smarthost"; host = "localhost"; port = {outer.submission}; tls = "starttls"; '
            f'username = "{outer.user}"; password = "{password}"; ca_file = "{outer.directory}/tls.crt"; }} );')


inner = g.Gateway(f"{HOME}/inner", hostname='hostname = "inner.example.com";', routes=smarthost(g.PASSWORD)).start()
inner.add_user()


def messages():
    return [email.message_from_bytes(m) for m in sink.messages()]


def about(address):
    return [m for m in messages() if m.get_content_type() == "multipart/report" and address in m.as_string()]


@tap.case
def through_both():
    """a message passes both; each leaves one Received line, the newest on top"""
    inner.send(subject="through both")
    sink.wait(1, 8)
    received = messages()[0].get_all("Received")
    assert len(received) == 2, received
    assert "by outer.example.com" in received[0] and "by inner.example.com" in received[1], received
    inner.wait_log(r"deliver .*status=sent .*tls=verify destination=smarthost:localhost;port=\d+;tls=starttls;ca=\S+;login=")
    outer.wait_log("mech=SCRAM-SHA-256")
    assert not inner.queue()


@tap.case
def large():
    """a body that lives in a file passes both unchanged"""
    body = "".join(f"line {n}\r\n" for n in range(40000))
    inner.send(subject="large", text=body)
    g.wait_for("the large message", 20, lambda: [m for m in messages() if m["Subject"] == "large"])
    got = next(m for m in messages() if m["Subject"] == "large")
    assert got.get_payload().replace("\r\n", "\n") == body.replace("\r\n", "\n")


@tap.case
def dsn_wishes():
    """what RFC 3461 asks for is passed on by both"""
    client, before = inner.connect(), sink.count()
    client.mail(inner.user, ["RET=HDRS", "ENVID=chain1"])
    assert client.rcpt("dora@example.net", ["NOTIFY=SUCCESS", "ORCPT=rfc822;dora@example.net"])[0] == 250
    assert client.data(f"From: <{inner.user}>\r\nTo: <dora@example.net>\r\n\r\nhi\r\n".encode())[0] == 250
    client.quit()
    sink.wait(before + 1)
    envelope = sink.envelope(before + 1)
    for wish in ("RET=HDRS", "ENVID=chain1", "NOTIFY=SUCCESS", "ORCPT=rfc822;dora@example.net"):
        assert wish in envelope, envelope


@tap.case
def refused_at_the_end():
    """who does not exist behind both: one report"""
    inner.send(recipients=("gone@example.net",))
    g.wait_for("a report", 20, lambda: about("gone@example.net"))
    assert len(about("gone@example.net")) == 1
    assert not inner.queue()


@tap.case
def wrong_password():
    """the smarthost refuses the login: mail waits, and goes when a reload mends it"""
    inner.routes = smarthost("not-the-password")
    inner.write_config()
    inner.tool("reload")
    before = sink.count()
    inner.send(subject="waits")
    inner.wait_log("status=deferred reason=auth")
    assert sink.count() == before
    inner.routes = smarthost(g.PASSWORD)
    inner.write_config()
    inner.tool("reload")
    inner.tool("queue", "retry", "--all", check=False)
    sink.wait(before + 1)


try:
    tap.run()
finally:
    inner.stop()
    outer.stop()
    sink.stop()
