#!/usr/bin/env python3
"""delivery: routes by real DNS (signed zones), what is refused there, retries, and failure reports."""
import email
import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../support")
import gateway as g  # noqa: E402
import load  # noqa: E402
import report_reader  # noqa: E402

HOME = g.workplace("delivery")
tap = g.Tap()
dns = g.Dns(HOME, {
    "example.net": "@ MX 10 mx\nmx A 127.0.0.1\nnullmx MX 0 .\nnomail TXT none\nfallback A 127.0.0.1\n"
                   "inside MX 10 inside-mx\ninside-mx A 10.1.2.3\nself MX 5 mail.example.com.\nself MX 20 mx\n"
                   "ours MX 10 ours-mx\nours-mx A 198.41.0.77\nours MX 20 mx\n"
                   "equal MX 10 mx\nequal MX 10 mail.example.com.\nequal MX 20 mx\n"
                   "better MX 5 away\naway A 127.0.0.9\nbetter MX 10 mail.example.com.\nbetter MX 10 mx\nbetter MX 20 mx",
    "example.org": "@ MX 10 mx\nmx A 127.0.0.1",
    "example.com": "@ MX 10 back\nback A 127.0.0.1\nmail A 127.0.0.1",
    "bad.example.bogus": "@ MX 10 mx\nmx A 127.0.0.1",
})
sink = g.Sink(HOME, "--fail", "rcpt/nobody=550 5.1.1 No such user", "--fail", "rcpt/later*1=451 4.7.1 Greylisted, come back",
              "--fail", "rcpt/evil=550 5.1.1 \\033[31mSubject: x")
route = f'{{ via = "mx"; port = {sink.port}; allow_private = true; }}'
gate = g.Gateway(f"{HOME}/gateway", extra=dns.config, routes=f"""routes: (
  {{ to_domain = "inside.example.net"; via = "mx"; port = {sink.port}; }},
  {{ to_domain = "ours.example.net"; via = "mx"; port = {sink.port}; }},
  {route} );""").start()
gate.add_user()


def sent(recipient, pattern, **more):
    code, reply = gate.send(recipients=(recipient,), **more)
    assert code == 250, (code, reply)
    number = reply.split("Queued as ")[1].split()[0]
    gate.wait_log(rf"deliver id={number}\.1 .*{pattern}")
    return number


@tap.case
def by_mx():
    """the MX of a signed zone"""
    number = sent("bob@example.net", "status=sent")
    line = next(x for x in gate.log().splitlines() if f"deliver id={number}.1" in x)
    for part in ("code=250", "dsn=2.", "to=<bob@example.net>", "attempts=1", f"mx=mx.example.net[127.0.0.1]:{sink.port}", "delay=",
                 "reply="):
        assert part in line, (part, line)
    gate.wait_log(rf'done id={number} user="alice@example.com" sent=1 failed=0')


@tap.case
def address_fallback():
    """no MX: the address itself"""
    sent("bob@fallback.example.net", "status=sent")


@tap.case
def own_address():
    """an MX with an address of this machine, as the sandboxed relay sees it: a loop, and no worse host gets the mail"""
    with open("/proc/net/dev", encoding="ascii") as f:
        links = [line.split(":")[0].strip() for line in f if ":" in line]
    if links != ["lo"] or subprocess.call(["ip", "address", "add", "198.41.0.77/32", "dev", "lo"]):
        return "not in a network of its own"
    try:
        sent("bob@ours.example.net", "status=failed reason=loop .*dsn=5.4.6")
    finally:
        subprocess.call(["ip", "address", "delete", "198.41.0.77/32", "dev", "lo"])
    return None


@tap.case
def refused_by_dns():
    """null MX, NXDOMAIN, private addresses, own name best: failed at once, and why"""
    sent("bob@nullmx.example.net", "status=failed .*dsn=5.1.10 .*mx=- src=- tls=- ")
    sent("bob@absent.example.net", "status=failed .*dsn=5.1.2 .*mx=- src=- tls=- ")
    sent("bob@inside.example.net", r"status=failed .*dsn=5.4.[0-9] .*mx=inside-mx\.example\.net src=- tls=- ")
    sent("bob@self.example.net", "status=failed .*dsn=5.4.6")
    assert "[]" not in gate.log()


@tap.case
def own_name_among_the_hosts():
    """RFC 5321 section 5.1: hosts of our own preference and worse ones get nothing, a better one is tried"""
    for _ in range(4):  # equal ones come in any order
        sent("bob@equal.example.net", "status=failed .*dsn=5.4.6 .*loops back to this host")
    number = sent("bob@better.example.net", "status=deferred reason=connect ")
    gate.wait_log(rf"deliver id={number}\.1 .*mx=away\.example\.net\[127\.0\.0\.9\]")
    for number in range(1, sink.count() + 1):
        assert not re.search(r"@(equal|better)\.example\.net", sink.envelope(number)), sink.envelope(number)
    gate.tool("queue", "delete", "--domain", "better.example.net", "--yes")


@tap.case
def bogus_is_temporary():
    """a zone whose signatures do not hold: deferred"""
    sent("bob@bad.example.bogus", "status=deferred .*dsn=4.")
    gate.tool("queue", "delete", "--domain", "bad.example.bogus", "--yes")


@tap.case
def retried():
    """greylisted, then taken"""
    number = sent("later@example.net", "status=sent .*attempts=2")
    gate.wait_log(rf"deliver id={number}\.1 status=deferred reason=greylisted code=451 dsn=4\.7\.1")


def reports():
    raw = [m for m in sink.messages() if report_reader.is_report(m)]
    for message in raw:
        report_reader.read(message)
    return [email.message_from_bytes(m) for m in raw]


def report_about(recipient):
    def found():
        for report in reports():
            parts = report.get_payload()
            if any(f.get("Final-Recipient", "").endswith(recipient) for f in parts[1].get_payload()):
                return report
        return None
    return g.wait_for(f"report about {recipient}: {gate.tail()}", 20, found)


@tap.case
def failure_report():
    """a refused recipient is reported to the sender (RFC 3464), with null sender"""
    sent("nobody@example.net", "status=failed .*code=550 dsn=5.1.1", subject="will fail")
    report = report_about("nobody@example.net")
    fields = report.get_payload()[1].get_payload()
    assert fields[0]["Reporting-MTA"] == "dns; mail.example.com", fields[0].items()
    assert fields[1]["Action"] == "failed" and fields[1]["Status"] == "5.1.1", fields[1].items()
    assert "550" in fields[1]["Diagnostic-Code"], fields[1].items()
    assert report["Auto-Submitted"].startswith("auto-"), report["Auto-Submitted"]
    assert "will fail" in str(report.get_payload()[2])
    numbers = [n for n in range(1, sink.count() + 1) if b"nobody@example.net" in sink.message(n)]
    assert any("mail=FROM:<>" in sink.envelope(n) for n in numbers)


@tap.case
def dsn_wishes():
    """ENVID, ORCPT, RET=HDRS and NOTIFY hold in reports"""
    session = load.Session(gate)
    session.say(f"MAIL FROM:<{gate.user}> RET=HDRS ENVID=QQ314159\r\n".encode(), "250")
    session.say(b"RCPT TO:<nobody@example.org> NOTIFY=FAILURE ORCPT=rfc822;First@example.org\r\n", "250")
    session.say(b"RCPT TO:<nobody-silent@example.org> NOTIFY=NEVER\r\n", "250")
    session.say(b"DATA\r\n", "354")
    session.say(f"From: <{gate.user}>\r\nSubject: wishes\r\n\r\nsecret body\r\n.\r\n".encode(), "250")
    session.close()
    report = report_about("nobody@example.org")
    fields = report.get_payload()[1].get_payload()
    assert fields[0]["Original-Envelope-Id"] == "QQ314159"
    assert fields[1]["Original-Recipient"] == "rfc822;First@example.org"
    assert len(fields) == 2, "the silent one is not in it"
    assert "secret body" not in report.as_string() and "Subject: wishes" in report.as_string()
    time.sleep(1)
    assert not [r for r in reports() if "nobody-silent" in r.as_string()]


@tap.case
def hostile_words_in_reports():
    """a remote reply's control characters reach neither log nor report"""
    sent("evil@example.net", "status=failed")
    assert "\x1b" not in gate.log() and "\x1b" not in report_about("evil@example.net").as_string()


@tap.case
def eight_bit_without_extension():
    """8-bit mail for a host without 8BITMIME, UTF-8 addresses without SMTPUTF8: clean failures"""
    narrow = g.Sink(f"{HOME}/narrow", "--no", "8BITMIME", "--no", "SMTPUTF8")
    other = g.Gateway(f"{HOME}/other", routes=f'routes: ( {{ to_domain = "example.com"; via = "smtp"; host = "127.0.0.1"; '
                      f'port = {sink.port}; tls = "none"; }}, {{ via = "smtp"; host = "127.0.0.1"; port = {narrow.port}; '
                      'tls = "none"; }} );'.replace("}}", "}")).start()
    try:
        other.add_user()
        session = load.Session(other)
        session.say(f"MAIL FROM:<{gate.user}> BODY=8BITMIME\r\n".encode(), "250")
        session.say(b"RCPT TO:<bob@example.net>\r\n", "250")
        session.say(b"DATA\r\n", "354")
        session.say(f"From: <{gate.user}>\r\n\r\ngrün\r\n.\r\n".encode(), "250")
        other.wait_log("status=failed .*dsn=5.6.3")
        session.say(f"MAIL FROM:<{gate.user}> SMTPUTF8\r\n".encode(), "250")
        session.say("RCPT TO:<jürgen@example.net>\r\n".encode(), "250")
        session.say(b"DATA\r\n", "354")
        session.say(f"From: <{gate.user}>\r\n\r\nplain\r\n.\r\n".encode(), "250")
        other.wait_log("status=failed .*dsn=5.6.7")
        session.close()
        assert narrow.count() == 0
    finally:
        other.stop()
        narrow.stop()


@tap.case
def expiry():
    """what cannot be delivered within the lifetime is reported once"""
    other = g.Gateway(f"{HOME}/expiry", queue=f'queue: {{ directory = "{HOME}/expiry/spool"; retry = [ "1s" ]; lifetime = "3s"; '
                      'minimum_free = "1%"; };',
                      routes=f'routes: ( {{ to_domain = "example.com"; via = "smtp"; host = "127.0.0.1"; port = {sink.port}; '
                      'tls = "none"; }, { via = "smtp"; host = "127.0.0.1"; port = 9; tls = "none"; } );').start()
    try:
        other.add_user()
        other.send(recipients=("gone@example.net",), subject="too late")
        other.wait_log(r"deliver .*status=failed")
        report_about("gone@example.net")
        other.wait_log(r"done .*expired=1")
        time.sleep(2)
        assert len([r for r in reports() if "gone@example.net" in r.as_string()]) == 1
        assert not other.queue()
    finally:
        other.stop()


@tap.case
def last_chance():
    """a message whose host was found away before it came is tried at the end of its life, in spite of the pause"""
    port = g.free_port()
    other = g.Gateway(f"{HOME}/chance", queue=f'queue: {{ directory = "{HOME}/chance/spool"; retry = [ "1s", "10m" ]; lifetime = "5s"; '
                      'minimum_free = "1%"; };',
                      routes=f'routes: ( {{ to_domain = "example.com"; via = "smtp"; host = "127.0.0.1"; port = {sink.port}; '
                      f'tls = "none"; }}, {{ via = "smtp"; host = "127.0.0.1"; port = {port}; tls = "none"; }} );').start()
    late = None
    try:
        other.add_user()
        other.send(recipients=("one@example.net",))
        other.wait_log(r"deliver .*to=<one@example.net> attempts=2 ")
        late = g.Sink(f"{HOME}/chance", port=port)
        other.send(recipients=("two@example.net",))
        other.wait_log(r"deliver .*status=sent .*to=<two@example.net> attempts=1 ")
        late.wait(1)
    finally:
        other.stop()
        if late:
            late.stop()


@tap.case
def smarthost():
    """a smarthost with implicit TLS and AUTH; the wrong certificate is not trusted"""
    cert, key = g.certificate(f"{HOME}/smart", "localhost")
    smart = g.Sink(f"{HOME}/smart", "--cert", cert, "--key", key, "--implicit-tls", "--account", "gate:secret")
    common = f'via = "smarthost"; host = "localhost"; port = {smart.port}; tls = "implicit"; username = "gate"; password = "secret";'
    other = g.Gateway(f"{HOME}/smart-gate", routes=f"""routes: (
  {{ to_domain = "example.net"; {common} ca_file = "{cert}"; }}, {{ {common} }} );""").start()
    try:
        other.add_user()
        other.send(recipients=("bob@example.net",))
        smart.wait(1)
        other.wait_log(rf"status=sent .*tls=verify destination=smarthost:localhost;port={smart.port};tls=implicit;ca=\S+;login=gate ")
        assert "mail=" in smart.envelope(1)
        other.send(recipients=("bob@example.org",))
        other.wait_log(r"status=deferred reason=tls .*dsn=4.7.5 .*mx=localhost\[.*tls=verify:handshake destination=smarthost:localhost;port=\d+;tls=implicit;login=gate ")
        assert smart.count() == 1
    finally:
        other.stop()
        smart.stop()


try:
    tap.run()
finally:
    gate.stop()
    sink.stop()
    dns.stop()
