#!/usr/bin/env python3
"""logins: names, guesses and blocks as clients and the operator meet them: what is offered, what is let in, what
the log says of each try."""
import base64
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../support")
import gateway as g  # noqa: E402
import hostile  # noqa: E402

HOME = g.workplace("logins")
tap = g.Tap()
gate = g.Gateway(f"{HOME}/gateway", routes='routes: ( { via = "smtp"; host = "127.0.0.1"; port = 9; tls = "none"; } );').start()
gate.add_user()


def b64(text):
    return base64.b64encode(text.encode()).decode()


@tap.case
def scram_where_it_is_named():
    """PLAIN and LOGIN are offered; SCRAM-SHA-256 is refused until the configuration names it"""
    client = gate.connect(login=False)
    assert client.esmtp_features["auth"].split() == ["PLAIN", "LOGIN"], client.esmtp_features
    assert client.docmd("AUTH", f"SCRAM-SHA-256 {b64('n,,n=' + gate.user + ',r=abc')}")[0] == 504
    client.close()
    gate.parts["auth"] = 'auth: { mechanisms = [ "SCRAM-SHA-256", "PLAIN", "LOGIN" ]; };'
    gate.write_config()
    gate.tool("reload")
    client = gate.connect(login=False)
    assert client.esmtp_features["auth"].split() == ["SCRAM-SHA-256", "PLAIN", "LOGIN"], client.esmtp_features
    client.close()


@tap.case
def scram_given_up():
    """a SCRAM login that the client gives up after the challenge: the log line names mechanism and user; one given
    up before it names the mechanism; neither is a failure"""
    client = gate.connect(login=False)
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


def blocks():
    return [json.loads(line) for line in gate.tool("block", "list", "--json").stdout.splitlines()]


def auth_row():
    rows = [json.loads(line) for line in gate.tool("status", "--json", check=False).stdout.splitlines()]
    return next(row for row in rows if row.get("role") == "auth")


def code_of(user, password):
    """The reply code to one login by PLAIN in a session of its own."""
    client = gate.connect(login=False)
    try:
        return client.docmd("AUTH", f"PLAIN {b64(chr(0) + user + chr(0) + password)}")[0]
    finally:
        client.close()


@tap.case
def a_block_by_hand():
    """block add refuses a network, and a login, with a right password too; it holds after a restart; remove ends it"""
    run = gate.tool("block", "add", "bob", check=False)
    assert run.returncode == 64 and "--for" in run.stderr, run
    run = gate.tool("block", "add", "127.0.0.1/8", "--for", "1h", check=False)
    assert run.returncode == 65 and "bits behind its prefix" in run.stderr, run
    assert gate.tool("block", "list").stdout == "no blocks\n" and blocks() == []
    run = gate.tool("block", "add", "127.0.0.0/8", "--for", "2h", "--reason", "a test")
    assert "127.0.0.0/8: blocked until 2" in run.stdout, run
    assert code_of(gate.user, g.PASSWORD) == 421
    gate.wait_log(r'admin id=- action=block.add by=\S+ via=socket (claim=\S+ )?until=\S+ target=127.0.0.0/8 reason="a test"$')
    gate.wait_log(f'auth refused id=\\S+ ip=127.0.0.1 port=\\d+ mech=PLAIN reason=network_blocked reply="421 4.7.0" user="{gate.user}"$')
    found, = blocks()
    assert found["what"] == "network" and found["name"] == "127.0.0.0/8" and found["count"] == 1, found
    assert found["reason"] == "a test" and found["last_user"] == gate.user and found["last_ip"] == "127.0.0.1", found
    gate.stop()
    gate.start()
    assert code_of(gate.user, g.PASSWORD) == 421
    assert "no longer blocked" in gate.tool("block", "remove", "127.0.0.0/8").stdout
    assert gate.tool("block", "remove", "127.0.0.0/8", check=False).returncode == 67
    gate.tool("block", "add", "alice", "--for", "1s")
    assert code_of(gate.user, g.PASSWORD) == 454
    g.wait_for("the end of the block", 10, lambda: code_of(gate.user, g.PASSWORD) == 235)


@tap.case
def a_store_that_stands():
    """the accounts worker is stopped: a password in the cache logs in, others hear 454 in time, blocks and status work;
    then it is replaced, and all works again"""
    gate.parts["auth"] = 'auth: { step_timeout = "2s"; };'
    gate.write_config()
    gate.tool("reload")
    assert code_of(gate.user, g.PASSWORD) == 235
    pid = next(pid for pid, (role, _) in gate.processes().items() if role == "accounts")
    auth = next(pid for pid, (role, _) in gate.processes().items() if role == "auth")
    os.kill(pid, signal.SIGSTOP)
    began, used = time.monotonic(), hostile.cpu_seconds(auth)
    codes = []
    waiting = [threading.Thread(target=lambda: codes.append(code_of("nobody", "x"))) for _ in range(3)]
    for thread in waiting:
        thread.start()
    assert code_of(gate.user, g.PASSWORD) == 235, "it is in the cache"
    gate.tool("block", "add", "192.0.2.0/24", "--for", "1h")
    assert [found["name"] for found in blocks()] == ["192.0.2.0/24"]
    gate.tool("block", "remove", "192.0.2.0/24")
    assert not codes, codes
    for thread in waiting:
        thread.join(60)
    took = time.monotonic() - began
    assert codes == [454] * 3 and took < 30, (codes, took)
    assert hostile.cpu_seconds(auth) - used < 0.5, "auth spins"
    gate.wait_log(r"auth: accounts 0 does not finish a request in time; the client gets 454")
    g.wait_for("it is replaced", 30, lambda: code_of("nobody", "x") == 535, every=0.5)
    assert code_of(gate.user, g.PASSWORD) == 235
    g.wait_for("auth shows no trouble", 30, lambda: auth_row()["state"] == "ready", every=0.3)
    gate.tool("block", "remove", "127.0.0.1", check=False)  # the failures of nobody
    gate.parts["auth"] = ""
    gate.write_config()
    gate.tool("reload")


@tap.case
def an_old_password():
    """swaks, which tries one mechanism after the other, and a program with an old password count once; what is blocked
    then is listed and lifted"""
    gate.add_user("bob@example.com")
    gate.parts["auth"] = 'auth: { failure_limit = "3 failures / 1h"; };'
    gate.write_config()
    gate.tool("reload")
    before = gate.log().count("counted=yes")
    if shutil.which("swaks"):
        for _ in range(4):
            run = subprocess.run(["swaks", "--server", f"127.0.0.1:{gate.smtps}", "--tls-on-connect", "--auth", "--auth-user",
                                  gate.user, "--auth-password", "an-old-one", "--quit-after", "AUTH"],
                                 capture_output=True, text=True, check=False)
            assert " 535 " in run.stdout, run.stdout
    for _ in range(4):
        assert code_of(gate.user, "an-old-one") == 535
    assert gate.log().count("counted=yes") == before + 1
    assert code_of("x", "1") == 535 and code_of("x", "2") == 535
    assert code_of("bob", g.PASSWORD) == 421, "bob is a stranger here"
    assert code_of(gate.user, g.PASSWORD) == 235, "and alice is not"
    found, = blocks()
    assert found["by"] == "automatic" and found["name"] == "127.0.0.1/32" and found["last_user"] == "bob@example.com", found
    gate.tool("block", "remove", "127.0.0.1")
    assert code_of("bob", g.PASSWORD) == 235 and blocks() == []


@tap.case
def an_account_without_domain():
    """an account of a former version without a domain: limits.users and send_as hold for it, user show tells them and its
    own mail, and a block of its name refuses it"""
    gate.parts["auth"] = ""
    gate.extra = ('limits: { users: ( { user = "info"; per_user = "2 recipients / 1h"; } ); };\n'
                  'sender_policy: { send_as: ( { user = "info"; addresses = [ "sales@example.net" ]; } ); };')
    gate.write_config()
    gate.add_user("info@example.com")
    gate.stop()
    with sqlite3.connect(f"{gate.directory}/state/accounts.db") as store:
        store.execute("UPDATE account SET name = 'info' WHERE name = 'info@example.com'")
    store.close()
    gate.start()
    client = gate.connect(user="info")
    assert client.mail("sales@example.net")[0] == 250
    codes = [client.rcpt(f"b{i}@example.net")[0] for i in range(3)]
    client.close()
    assert codes == [250, 250, 450], codes
    shown = gate.tool("user", "show", "info").stdout
    assert " 2 of 2 recipients / 1h" in shown and "limits.users" in shown and "sales@example.net" in shown, shown
    run = gate.tool("block", "add", "info", "--for", "1h")
    assert run.stdout.startswith("info: blocked until ") and "no account" not in run.stdout, run
    assert code_of("info", g.PASSWORD) == 454 and code_of(gate.user, g.PASSWORD) == 235
    assert [row["name"] for row in blocks()] == ["info"]
    gate.tool("block", "remove", "info")
    assert code_of("info", g.PASSWORD) == 235
    gate.add_user("info@example.com")
    client = gate.connect(user="info@example.com")
    assert client.mail("info@example.com")[0] == 250 and client.rcpt("c@example.net")[0] == 250
    assert client.data(b"Subject: x\r\n\r\nx\r\n")[0] == 250
    client.close()
    run = gate.tool("user", "suspend", "info", "--hold")
    assert "0 queued messages held" in run.stdout, run
    run = gate.tool("user", "suspend", "info@example.com", "--hold")
    assert "1 queued message held" in run.stdout, run
    run = gate.tool("user", "resume", "info", "--release")
    assert "0 queued messages released" in run.stdout, run
    assert " 0\n" in [line for line in gate.tool("user", "show", "info").stdout.splitlines(True) if "queued messages" in line][0]
    gate.tool("user", "resume", "info@example.com")
    run = gate.tool("block", "add", "nobody", "--for", "1h")
    assert "no account has this name" in run.stdout and run.stdout.startswith("nobody@example.com: "), run
    gate.tool("block", "remove", "nobody")



@tap.case
def blocks_that_cannot_be_read():
    """something else stands in the place of the file of blocks at the start: status says so; when the file is back a reload
    makes them hold; a line that makes no sense leaves the others in force"""
    gate.tool("block", "add", "127.0.0.0/8", "--for", "1h")
    gate.stop()
    path = f"{gate.directory}/state/blocks"
    os.rename(path, f"{path}.kept")
    os.mkdir(path)
    gate.start()
    assert code_of(gate.user, g.PASSWORD) == 235
    assert auth_row()["state"] == "failing" and auth_row()["work"].startswith("blocks: "), auth_row()
    os.rmdir(path)
    os.rename(f"{path}.kept", path)
    gate.tool("reload")
    g.wait_for("the blocks hold again", 20, lambda: auth_row()["state"] != "failing")
    assert code_of(gate.user, g.PASSWORD) == 421
    with open(path, "a", encoding="ascii") as file:
        file.write("junk\n")
    gate.stop()
    gate.start()
    assert code_of(gate.user, g.PASSWORD) == 421
    assert auth_row()["state"] == "failing" and auth_row()["work"].startswith("blocks:3: "), auth_row()
    run = gate.tool("block", "list", "--json", check=False)
    assert run.returncode == 74 and "blocks:3: " in run.stderr and '"127.0.0.0/8"' in run.stdout, run
    with open(path, encoding="ascii") as file:
        lines = file.readlines()
    with open(path, "w", encoding="ascii") as file:
        file.writelines(lines[:2])
    run = gate.tool("block", "remove", "127.0.0.1", check=False)
    assert run.returncode == 75 and "still blocked by 127.0.0.0/8 until " in run.stderr, run
    gate.tool("block", "remove", "127.0.0.0/8")
    assert code_of(gate.user, g.PASSWORD) == 235


try:
    tap.run()
finally:
    gate.stop()
