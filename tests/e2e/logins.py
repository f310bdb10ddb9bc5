#!/usr/bin/env python3
"""logins: names, guesses and blocks as clients and the operator meet them: what is offered, what is let in, what
the log says of each try."""
import base64
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../support")
import gateway as g  # noqa: E402

HOME = g.workplace("logins")
tap = g.Tap()
gate = g.Gateway(f"{HOME}/gateway").start()
gate.add_user()


def b64(text):
    return base64.b64encode(text.encode()).decode()


@tap.case
def scram_given_up():
    """a SCRAM login that the client gives up after the challenge: the log line names mechanism and user; one given
    up before it names the mechanism; neither is a failure"""
    client = gate.connect(login=False)
    assert client.esmtp_features["auth"].split() == ["SCRAM-SHA-256", "PLAIN", "LOGIN"], client.esmtp_features
    assert client.docmd("AUTH", f"SCRAM-SHA-256 {b64('n,,n=' + gate.user + ',r=abc')}")[0] == 334
    assert client.docmd("*")[0] == 501
    gate.wait_log(f'auth cancelled id=\\S+ ip=127.0.0.1 port=\\d+ mech=SCRAM-SHA-256 user="{gate.user}"$')
    client.close()
    client = gate.connect(login=False)
    assert client.docmd("AUTH", "PLAIN")[0] == 334
    assert client.docmd("*")[0] == 501
    gate.wait_log("refuse id=\\S+ stage=auth reason=cancelled code=501 dsn=5.7.0 ip=127.0.0.1 mech=PLAIN$")
    client.close()
    assert "auth fail" not in gate.log()


@tap.case
def a_name_without_domain():
    """a login name without a domain is that of the only domain, in every mechanism; log and mail know the whole name"""
    bare = gate.user.split("@", maxsplit=1)[0]
    for mechanism in ("PLAIN", "LOGIN"):
        client = gate.connect(login=False)
        client.user, client.password = bare, g.PASSWORD
        assert client.auth(mechanism, getattr(client, f"auth_{mechanism.lower()}"))[0] == 235
        assert client.mail(gate.user)[0] == 250
        client.quit()
        gate.wait_log(f'auth ok .* mech={mechanism} backend=users user="{gate.user}"$')
    assert f'user="{bare}"' not in gate.log()


try:
    tap.run()
finally:
    gate.stop()
