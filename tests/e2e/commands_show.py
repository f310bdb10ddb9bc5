#!/usr/bin/env python3
"""commands_show: what the operator is shown of one message: envelope, attempts, hold, header, body; and whose messages."""
import base64
import json
import os
import pty
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../support")
import gateway as g  # noqa: E402

HOME = g.workplace("commands_show")
tap = g.Tap()
sink = g.Sink(HOME, "--fail", "rcpt/later=451 4.7.1 Greylisted, come back", "--fail", "rcpt/evil=451 4.7.1 \\033[31mSubject: x")
gate = g.Gateway(f"{HOME}/gateway", routes=f'routes: ( {{ via = "smtp"; host = "127.0.0.1"; port = {sink.port}; tls = "none"; }} );',
                 queue=f'queue: {{ directory = "{HOME}/gateway/spool"; retry = [ "1h" ]; minimum_free = "1%"; }};').start()
gate.add_user()
gate.add_user("carol@example.com")
NAME = "J\u00fcrgen"


def queued(*recipients, data=None, user=None):
    client = gate.connect(user=user)
    sender = user or gate.user
    client.mail(sender, ["BODY=8BITMIME", "SMTPUTF8"])
    for recipient in recipients:
        client.rcpt(recipient)
    code, reply = client.data(data or f"From: <{sender}>\r\nTo: <{recipients[0]}>\r\nSubject: one\r\n\r\nHello\r\n".encode())
    assert code == 250, (code, reply)
    client.quit()
    return reply.decode().split("Queued as ")[1].split()[0]


def objects(*words):
    return [json.loads(line) for line in gate.tool(*words, "--json").stdout.splitlines()]


def waits(number):
    return g.wait_for("the first attempt", 20, lambda: [r for r in gate.queue(number) if r.get("tries") and r["state"] != "active"])


LETTER = (f'From: "{NAME}" <{gate.user}>\r\nTo: <later@example.net>\r\nSubject: Gr\u00fc\u00dfe\r\n'
          "X-Folded: one\r\n two\r\n\r\nFirst line\r\nB\u00e4r \x1b[31mred\x07 end\r\n").encode()


@tap.case
def one_message_whole():
    """state, the last attempt of each recipient with its time, host and reply, the next one, header by lines"""
    number = queued("later@example.net", "evil@example.org", data=LETTER)
    waits(number)

    def shown_with_replies():
        text = gate.tool("queue", "show", number).stdout
        return text if text.count("host said") + text.count("    result") >= 2 else None

    # a reply is read from the spool, where it is stored a moment after the attempt
    shown = g.wait_for("the replies are stored", 20, shown_with_replies)
    for part in (f"{number}.1", "later@example.net", "deferred", "451 4.7.1 Greylisted, come back", "127.0.0.1", "attempts", "next attempt",
                 "\n  X-Folded: one\n", "\n   two\n", gate.user):
        assert part in shown, (part, shown)
    assert "\x1b" not in shown and "???" not in shown, shown
    assert "First line" not in shown
    rows = objects("queue", "show", number)
    assert [r["row"] for r in rows] == ["message", "recipient", "recipient", "content"], rows
    first = rows[1]
    assert first["tries"] == 1 and first["tried"].startswith("20") and first["mx_address"] == "127.0.0.1", first
    assert "two" in rows[3]["header"] and rows[3]["body_bytes"] > 20, rows[3]


@tap.case
def letters_beyond_ascii():
    """UTF-8 of a header is shown as it is, and controls are escaped, in words and in JSON"""
    number = gate.queue()[0]["id"]
    shown = gate.tool("queue", "show", number, "--body").stdout
    assert "B\u00e4r \\x1b[31mred\\x07 end" in shown and "First line" in shown, shown
    body = objects("queue", "show", number, "--body")[-1]
    assert body["row"] == "body" and "B\u00e4r \x1b[31mred" in body["body"], body


@tap.case
def raw():
    """--raw gives the message as it is stored to a pipe, and nothing to a terminal"""
    number = gate.queue()[0]["id"]
    run = subprocess.run([f"{g.BUILD}/sallyport", "-c", gate.config, "queue", "show", number, "--raw"], capture_output=True, check=True)
    assert run.stdout.endswith(LETTER.split(b"\r\n\r\n")[1]) and b"X-Folded: one\r\n two\r\n" in run.stdout, run.stdout
    assert run.stdout.startswith(b"Received:"), run.stdout[:40]
    pid, fd = pty.fork()
    if pid == 0:
        os.execv(f"{g.BUILD}/sallyport", [f"{g.BUILD}/sallyport", "-c", gate.config, "queue", "show", number, "--raw"])
    said = b""
    try:
        while True:
            said += os.read(fd, 1000)
    except OSError:
        pass
    os.close(fd)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 64 and b"First line" not in said, said


@tap.case
def raw_of_a_session():
    """--raw of a session's id writes its message when there is one; of two it writes none and says so"""
    before = {r["id"] for r in gate.queue()}
    client = gate.connect()
    for n in range(2):
        gate.send(recipients=("later@example.net",), subject=f"number {n}", client=client)
    client.quit()
    first, second = sorted({r["id"] for r in gate.queue()} - before)
    session = first.split("-")[0]
    assert second.split("-")[0] == session
    for words in ((session,), (first, "--id", second)):
        refused = gate.tool("queue", "show", "--raw", *words, check=False)
        assert refused.returncode == 64 and refused.stdout == "", (words, refused)
        assert f"{words[0]} has 2 messages" in refused.stderr and "name one" in refused.stderr, refused
    said = gate.tool("queue", "show", "--raw", second).stdout
    assert said.count("Subject:") == 1 and "Subject: number 1" in said, said
    gate.tool("queue", "delete", first)
    assert gate.tool("queue", "show", "--raw", session).stdout == said
    gate.tool("queue", "delete", second)
    assert gate.tool("queue", "show", "--raw", session, check=False).returncode == 67


@tap.case
def a_large_body():
    """a body in a file of its own is shown to its end, in words, as JSON and raw; of several messages it is not, and that is said"""
    lines = [base64.b64encode(os.urandom(54)).decode() for _ in range(4000)]
    # a piece of the file may end within any of these: a letter of several bytes, an escape, CR LF, a line without an end
    lines += [NAME * 30000, "\x1b\x07" * 20000, *[f"{'x' * n}\u20ac" for n in range(70)], "", "the last line"]
    head = f"From: <{gate.user}>\r\nTo: <later@example.net>\r\nSubject: large\r\n\r\n".encode()
    body = "".join(f"{line}\r\n" for line in lines)
    number = queued("later@example.net", data=head + body.encode())
    shown = gate.tool("queue", "show", number, "--body").stdout.split("\nBody\n")
    assert len(shown) == 2 and f"body in bytes    {len(body.encode())}\n" in shown[0], shown[0][-500:]
    escaped = [line.replace("\x1b", "\\x1b").replace("\x07", "\\x07") for line in lines]
    assert shown[1] == "".join(f"  {line}\n" for line in escaped), differs(shown[1], escaped)
    row = objects("queue", "show", number, "--body")[-1]
    assert row["in_file"] is True and row["body"] == body, differs(row["body"], lines)
    run = subprocess.run([f"{g.BUILD}/sallyport", "-c", gate.config, "queue", "show", number, "--raw"], capture_output=True, check=False)
    assert run.returncode == 0 and run.stdout.endswith(b"\r\n\r\n" + body.encode()), (run.returncode, run.stderr, run.stdout[-200:])
    several = gate.tool("queue", "show", "--user", gate.user, "--body").stdout
    assert "Body: not shown, it is large: name this message alone, by its id\n" in several, several
    assert "body" not in [r for r in objects("queue", "show", "--user", gate.user, "--body") if r["row"] == "body" and r["in_file"]][0]
    gate.tool("queue", "delete", number)


def differs(shown, lines):
    wanted = "\n".join(lines)
    at = next((n for n, (a, b) in enumerate(zip(shown, wanted)) if a != b), 0)
    return (len(shown), len(wanted), at, shown[at - 20:at + 40], wanted[at - 20:at + 40])


@tap.case
def why_it_is_held():
    """the reason of a hold stands in queue show"""
    number = gate.queue()[0]["id"]
    gate.tool("queue", "hold", number, "--reason", "asked by carol")
    shown = gate.tool("queue", "show", number).stdout
    assert "held" in shown and "operator: asked by carol" in shown, shown
    assert objects("queue", "show", number)[0]["reason"] == "operator: asked by carol"
    gate.tool("queue", "release", number)


@tap.case
def sessions_and_logins():
    """a session's id and a login choose messages in all commands of the queue"""
    client = gate.connect(user="carol@example.com")
    for n in range(2):
        gate.send(recipients=(f"later{n}@example.net",), sender="carol@example.com", client=client)
    client.quit()
    ids = {r["id"] for r in gate.queue("--user", "carol@example.com")}
    session = ids.pop().rsplit("-", 1)[0]
    assert len(ids) == 1 and ids.pop().rsplit("-", 1)[0] == session
    assert len(gate.queue(session)) == 2 and len(gate.queue("--id", session)) == 2
    assert len([r for r in objects("queue", "show", session) if r["row"] == "message"]) == 2
    assert len([r for r in objects("queue", "show", "--user", "carol@example.com") if r["row"] == "content"]) == 2
    gate.tool("queue", "hold", session, "--yes")
    assert {r["user"] for r in gate.queue("--state", "held")} == {"carol@example.com"}
    gate.tool("queue", "delete", session, "--yes")
    assert gate.tool("queue", "show", session, check=False).returncode == 67


def status():
    rows = [json.loads(line) for line in gate.tool("status", "--json", check=False).stdout.splitlines()]
    assert all("row" in r for r in rows), rows
    return rows


@tap.case
def status_tells_the_truth():
    """version, uptime, sessions, number and age of the configuration; the free disk right after a start"""
    gate.stop()
    gate.start()
    g.wait_for("all are ready", 20, lambda: gate.tool("status", check=False).returncode == 0)
    daemon, queue = status()[0], status()[-1]
    fs = os.statvfs(gate.directory)
    assert daemon["row"] == "daemon" and daemon["version"] and daemon["sessions"] == 0 and daemon["generation"] == 0, daemon
    assert 0 <= daemon["uptime_s"] < 60 and 0 <= daemon["config_age_s"] < 60 and daemon["config_loaded"].startswith("20"), daemon
    assert queue["row"] == "queue" and abs(queue["free_percent"] - 100 * fs.f_bavail // fs.f_blocks) < 3 and queue["free_bytes"] > 0, queue
    client = gate.connect()
    gate.tool("reload")
    daemon = status()[0]
    assert daemon["sessions"] == 1 and daemon["generation"] == 1, daemon
    client.quit()
    g.wait_for("no session", 5, lambda: status()[0]["sessions"] == 0)
    shown = gate.tool("status").stdout
    assert shown.startswith(f"sallyport {daemon['version']}") and "configuration 1" in shown, shown


@tap.case
def types_of_json():
    """an acting command ends with an object of numbers and booleans; other words are an object as well"""
    number = queued("later@example.net")
    said = objects("queue", "hold", number, "--dry-run")
    assert said[-1] == {"v": 1, "row": "total", "changed": 1, "unchanged": 0, "failed": 0, "dry_run": True}, said
    assert said[0]["id"] == number, said
    said = objects("queue", "hold", number)[-1]
    assert said["changed"] == 1 and said["dry_run"] is False, said
    assert objects("reload")[-1]["text"].startswith("applied") and objects("user", "suspend", "carol@example.com")[0]["v"] == 1
    assert objects("user", "resume", "carol@example.com") and objects("test", "route", "bob@example.net")[1]["secure"] is False


@tap.case
def quiet():
    """--quiet gives ids or names, or nothing"""
    number = queued("later@example.net")
    for words in (("queue", "list", number), ("queue", "show", number), ("queue", "hold", number), ("queue", "release", number)):
        assert gate.tool(*words, "-q").stdout == f"{number}\n", words
    assert gate.tool("user", "show", gate.user, "-q").stdout == f"{gate.user}\n"
    for words in (("status",), ("reload",), ("user", "suspend", "carol@example.com"), ("user", "resume", "carol@example.com"),
                  ("test", "route", "bob@example.net"), ("queue", "hold", "--to", "nobody@example.edu")):
        assert gate.tool(*words, "-q").stdout == "", words
    made = gate.tool("user", "password", "carol@example.com", "--generate", "-q").stdout
    gate.connect(user="carol@example.com", password=made.strip()).quit()
    gate.tool("queue", "delete", number)


@tap.case
def why_a_user_hears_450():
    """user show: limits with their source and use, last login, addresses, queued and held messages"""
    parts = dict(gate.parts)
    gate.parts["limits"] = 'limits: { users = ( { user = "dora@example.com"; per_user = "3 recipients / 1h, 100 recipients / 1d"; } ); };'
    gate.parts["policy"] = 'sender_policy: { send_as = ( { user = "dora@example.com"; addresses = [ "desk@example.com" ]; } ); };'
    gate.write_config()
    gate.tool("reload")
    gate.tool("queue", "delete", "--all", "--yes", check=False)
    gate.tool("user", "add", "dora@example.com", "--password-stdin", given=g.PASSWORD + "\n")
    alice = objects("user", "show", gate.user)
    assert len(alice) == 1 and alice[0]["limit_source"] == "limits.per_user", alice
    assert "last_login" not in objects("user", "show", "dora@example.com")[0]
    client = gate.connect(user="dora@example.com")
    client.mail("dora@example.com")
    codes = [client.rcpt(f"later{n}@example.net")[0] for n in range(5)]
    assert 450 in codes, codes
    client.rset()
    client.quit()
    shown = objects("user", "show", "dora@example.com")[0]
    assert shown["limit"] == ["3 recipients / 1h", "100 recipients / 1d"] and shown["limit_source"] == "limits.users", shown
    assert shown["last_login_from"] == "127.0.0.1" and shown["last_login_mechanism"] and shown["address"] == ["dora@example.com", "desk@example.com"]
    assert shown["queued"] == 0 and shown["state"] == "active", shown
    words = gate.tool("user", "show", "dora@example.com").stdout
    assert "of 3 recipients / 1h" in words and "limits.users" in words and "desk@example.com" in words and "127.0.0.1 by" in words, words
    gate.parts = parts
    gate.write_config()
    gate.tool("reload")


@tap.case
def a_user_at_the_limit():
    """user show says when the next recipient is accepted, and what waits of the user's mail"""
    parts = dict(gate.parts)
    gate.parts["limits"] = 'limits: { per_user = "2 recipients / 1h"; };'
    gate.write_config()
    gate.tool("reload")
    gate.tool("user", "add", "emma@example.com", "--password-stdin", given=g.PASSWORD + "\n")
    first = queued("later@example.net", user="emma@example.com")
    queued("later@example.net", user="emma@example.com")
    gate.tool("queue", "hold", first)
    shown = objects("user", "show", "Emma@Example.com")[0]
    assert shown["limit_used"] == [2] and shown["limit_wait_s"] > 1000, shown
    assert shown["queued"] == 2 and shown["queued_held"] == 1, shown
    assert "until then 450 4.7.1" in gate.tool("user", "show", "emma@example.com").stdout
    client = gate.connect(user="emma@example.com")
    assert client.mail("emma@example.com")[0] == 250 and client.rcpt("later@example.net")[0] == 450
    client.quit()
    line = gate.wait_log(r' refuse .* reason=limit .* user="emma@example.com".*')[0]
    assert 'limit="limits.per_user: 2 recipients / 1h"' in line, line
    gate.parts = parts
    gate.write_config()
    gate.tool("reload")
    gate.tool("queue", "delete", "--user", "emma@example.com", "--yes")


try:
    tap.run()
finally:
    gate.stop()
    sink.stop()
