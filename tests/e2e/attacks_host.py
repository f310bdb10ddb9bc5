#!/usr/bin/env python3
"""attacks_host: receiving hosts that flood, stall, drop, dribble and lie in each phase, all at once: every
recipient gets an outcome in time, the relay's memory is bounded, other destinations do not wait, reports are well formed."""
import email
import os
import re
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../support")
import gateway as g  # noqa: E402
import hostile  # noqa: E402
import load  # noqa: E402
import report_reader  # noqa: E402

HOME = g.workplace("attacks_host")
tap = g.Tap()
GOOD = {"greeting": b"220 ok\r\n", "ehlo": b"250-bad.example.net\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 10000000\r\n", "mail": b"250 ok\r\n",
        "rcpt": b"250 ok\r\n", "data": b"354 go\r\n", "final": b"250 taken\r\n"}


class Host(hostile.Listener):
    """Answers as GOOD, but for the phases in `turns`: bytes, or a function of the connection."""

    def __init__(self, turns):
        self.turns, self.taken = turns, 0
        super().__init__()

    def say(self, connection, phase):
        turn = self.turns.get(phase, GOOD.get(phase, b"250 ok\r\n"))
        if callable(turn):
            turn(connection)
        else:
            connection.sendall(turn)

    def one(self, connection):
        self.say(connection, "greeting")
        lines = connection.makefile("rb")
        while True:
            verb = lines.readline()[:4].upper().strip()
            if not verb:
                return
            self.say(connection, verb.lower().decode(errors="replace"))
            if verb == b"DATA" and not self.turns.get("data", b"354").startswith(b"354"):
                continue
            if verb == b"DATA":
                self.say(connection, "body") if "body" in self.turns else None
                while lines.readline() not in (b".\r\n", b""):
                    pass
                self.taken += 1
                self.say(connection, "final")
            if verb == b"QUIT":
                return


def drop(connection):
    raise OSError


def stall(connection):
    connection.settimeout(60)
    while connection.recv(65536):
        pass
    raise OSError


def deaf(_connection):
    time.sleep(30)


def dribble(connection):
    for _ in range(300):
        connection.sendall(b"2")
        time.sleep(0.1)


def dribble_lines(connection):
    for _ in range(300):
        connection.sendall(b"250-still thinking\r\n")
        time.sleep(0.1)


def flood(piece):
    def act(connection):
        block = piece * (65536 // len(piece))
        for _ in range(hostile.FLOOD_BYTES // len(block)):
            connection.sendall(block)
    return act


UGLY = (b"550-\x1b[31mred\x07\r\n550-Subject: forged\r\n550-Final-Recipient: rfc822; victim@example.org\r\n550-Action: delivered\r\n550-\r\n"
        b"550-.\r\n550-gr\xc3\xbcn \xff\xfe " + b"w" * 600 + b"\r\n550-C:1\r\n550 --boundary\r\n")
ANY, LATER, NEVER, SENT = "sent|deferred|failed", "deferred", "failed", "sent"
HOSTS = {
    "greeting-4xx": ({"greeting": b"451 no\r\n"}, LATER), "greeting-5xx": ({"greeting": b"554 no\r\n"}, "deferred|failed"),
    "greeting-flood": ({"greeting": flood(b"220-x\r\n")}, LATER), "greeting-line": ({"greeting": flood(b"x" * 64)}, LATER),
    "greeting-stall": ({"greeting": stall}, LATER), "greeting-dribble": ({"greeting": dribble}, LATER),
    "greeting-drop": ({"greeting": drop}, LATER), "greeting-nul": ({"greeting": b"2\x0020 \0\r\n"}, LATER),
    "greeting-http": ({"greeting": b"HTTP/1.1 400 Bad Request\r\n\r\n"}, LATER),
    "greeting-all": ({"greeting": b"220 a\r\n250 b\r\n250 c\r\n250 d\r\n354 e\r\n250 f\r\n"}, ANY),
    "ehlo-drop": ({"ehlo": drop}, LATER), "ehlo-flood": ({"ehlo": flood(b"250-SIZE 1\r\n")}, LATER), "ehlo-stall": ({"ehlo": stall}, LATER),
    "ehlo-dribble": ({"ehlo": dribble_lines}, LATER), "ehlo-word": ({"ehlo": b"250 " + b"X" * 100000 + b"\r\n"}, ANY),
    "mail-999": ({"mail": b"999 x\r\n"}, LATER), "mail-2x0": ({"mail": b"2x0 x\r\n"}, LATER), "mail-stall": ({"mail": stall}, LATER),
    "mail-drop": ({"mail": drop}, LATER), "mail-354": ({"mail": b"354 go\r\n"}, "deferred|failed"),
    "rcpt-drop": ({"rcpt": drop}, LATER), "rcpt-stall": ({"rcpt": stall}, LATER), "rcpt-flood": ({"rcpt": flood(b"550-x\r\n")}, LATER),
    "rcpt-mixed": ({"rcpt": b"550-a\r\n250 b\r\n"}, LATER), "rcpt-bare": ({"rcpt": b"550-\r\n550-\r\n550\r\n"}, NEVER),
    "rcpt-ugly": ({"rcpt": UGLY}, NEVER), "rcpt-long": ({"rcpt": b"550 " + b"l" * 3000 + b"\r\n"}, "failed|deferred"),
    "data-250": ({"data": b"250 thanks\r\n"}, "deferred|failed"), "data-stall": ({"data": b""}, LATER),
    "body-deaf": ({"body": deaf}, LATER), "body-early": ({"body": b"552 too much\r\n"}, "failed|deferred"),
    "final-stall": ({"final": stall}, LATER), "final-drop": ({"final": drop}, LATER), "final-flood": ({"final": flood(b"250-x\r\n")}, LATER),
    "final-line": ({"final": flood(b"2" * 64)}, LATER), "final-lf": ({"final": b"250 ok\n"}, ANY), "final-3digits": ({"final": b"25 ok\r\n"}, LATER),
    "final-more": ({"final": b"250 ok\r\n" * 50000}, SENT), "final-5xx": ({"final": UGLY}, NEVER),
}
hosts = {name: (Host(turns), outcome) for name, (turns, outcome) in HOSTS.items()}
sink = g.Sink(HOME)
routes = "".join(f'{{ to_domain = "{name}.example.net"; via = "smtp"; host = "127.0.0.1"; port = {host.port}; tls = "none"; }},\n'
                 for name, (host, _) in hosts.items())
gate = g.Gateway(f"{HOME}/gateway", extra='limits: { per_user = "100000 recipients / 1h"; };\n'
                 'timeouts: { connect = "2s"; greeting = "2s"; ehlo = "2s"; mail = "2s"; rcpt = "2s"; data = "2s"; body = "2s"; final = "2s"; };',
                 queue=f'queue: {{ directory = "{HOME}/gateway/spool"; retry = [ "1h" ]; minimum_free = "1%"; }};',
                 routes=f'routes: ( {routes} {{ via = "smtp"; host = "127.0.0.1"; port = {sink.port}; tls = "none"; }} );').start()
gate.add_user()
BEFORE = dict(gate.processes())


def relay_kb():
    pid = next(p for p, (role, _) in gate.processes().items() if role == "relay")
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmHWM"))


@tap.case
def all_at_once():
    """39 hostile hosts at once: each recipient has an outcome in time, and other destinations do not wait"""
    session = load.Session(gate)
    session.send("warm-up")
    sink.wait(1)
    before = relay_kb()
    for name in hosts:
        size = 4_000_000 if name.startswith("body") else 1000
        assert session.send(name, recipient=f"bob@{name}.example.net", size=size).startswith("250"), name
    began = time.monotonic()
    reply = session.send("good")
    session.close()
    number = reply.split("Queued as ")[1].split()[0]
    gate.wait_log(rf"deliver id={number}\.1 status=sent", 3)
    print(f"# the good destination had its message after {time.monotonic() - began:.2f} s", flush=True)
    wrong = []
    for name, (_, outcome) in hosts.items():
        try:
            found = gate.wait_log(rf"deliver id=\S+ status=(\w+) .*to=<bob@{name}\.example\.net>.*", 25)
        except AssertionError:
            wrong.append((name, "no outcome"))
            continue
        if not re.fullmatch(outcome, found.group(1)):
            wrong.append((name, found.group(0)))
    print(f"# relay: {before} KB before, {relay_kb()} KB at most", flush=True)
    assert not wrong, wrong
    assert relay_kb() - before < 16000, (before, relay_kb())


@tap.case
def nothing_lost():
    """what was not taken or refused is still in the queue; what was taken and confirmed is not"""
    waiting = {row["to"][0].split("@")[1].split(".")[0] for row in gate.queue()}
    deferred = set(re.findall(r"status=deferred .*to=<bob@([\w-]+)\.example\.net>", gate.log()))
    assert waiting == deferred, waiting ^ deferred
    assert hosts["final-drop"][0].taken == 1 and "final-drop" in waiting
    assert hosts["final-more"][0].taken == 1


@tap.case
def log_is_clean():
    """no control character and no foreign line in the log"""
    log = gate.log()
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", log)
    assert not re.search(r"^(Subject|Final-Recipient)", log, re.M)
    assert max(len(line) for line in log.splitlines()) < 3000


@tap.case
def reports_are_well_formed():
    """each failure has one report: three parts, one recipient block, no foreign field, plain ASCII, CRLF, short lines"""
    failed = set(re.findall(r"status=failed .*to=<(bob@[\w-]+\.example\.net)>", gate.log()))
    assert "bob@rcpt-ugly.example.net" in failed and "bob@final-5xx.example.net" in failed, failed
    found = {}

    def collect():
        for raw in sink.messages():
            if b"multipart/report" in raw:
                report_reader.read(raw)
                report = email.message_from_bytes(raw)
                found[report.get_payload()[1].get_payload()[1]["Final-Recipient"].split(";")[1].strip()] = (raw, report)
        return set(found) >= failed
    g.wait_for(f"reports about {failed}", 10, collect)
    assert set(found) == failed
    for recipient, (raw, report) in found.items():
        assert report.is_multipart() and len(report.get_payload()) == 3, recipient
        blocks = report.get_payload()[1].get_payload()
        assert len(blocks) == 2, (recipient, [b.items() for b in blocks])
        assert set(blocks[1].keys()) <= {"Original-Recipient", "Final-Recipient", "Action", "Status", "Remote-MTA", "Diagnostic-Code",
                                         "Last-Attempt-Date", "Final-Log-ID"}, (recipient, blocks[1].keys())
        assert blocks[1]["Action"] == "failed" and blocks[1]["Status"].startswith("5."), recipient
        assert "victim" not in str(blocks[1].get_all("Final-Recipient"))
        assert report["To"] and "alice@example.com" in report["To"] and report["Subject"] != "forged"
        own = raw.split(b"Content-Type: message/rfc822")[0].split(b"Content-Type: text/rfc822-headers")[0]
        assert not re.search(rb"[^\r\n\t\x20-\x7e]", own), recipient
        assert b"\n" not in own.replace(b"\r\n", b"") and max(len(line) for line in own.split(b"\r\n")) <= 998, recipient


@tap.case
def no_role_ended():
    """every process is the same one, connections are given back, and a second try is made when asked"""
    assert gate.processes() == BEFORE, gate.tail()
    hosts["mail-999"][0].turns.clear()
    gate.tool("queue", "retry", "--domain", "mail-999.example.net", "--yes")
    gate.wait_log(r"deliver id=\S+ status=sent .*to=<bob@mail-999\.example\.net> attempts=2")
    pid = next(p for p, (role, _) in gate.processes().items() if role == "relay")
    if os.getuid() == 0:
        g.wait_for("descriptors given back", 10, lambda: len(os.listdir(f"/proc/{pid}/fd")) < 24, every=0.2)


try:
    tap.run()
finally:
    gate.stop()
    sink.stop()
    for each, _ in hosts.values():
        each.stop()
