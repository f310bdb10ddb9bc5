#!/usr/bin/env python3
"""reports: of failure, success and delay, read strictly, at hosts that can take little and at hosts that can take all."""
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../support")
import gateway as g  # noqa: E402
import load  # noqa: E402
import report_reader  # noqa: E402

HOME = g.workplace("reports")
tap = g.Tap()
RETRY = 'retry = [ "1s" ]; minimum_free = "1%";'
LITTLE = [w for name in ("8BITMIME", "SMTPUTF8", "DSN", "PIPELINING", "SIZE", "CHUNKING", "ENHANCEDSTATUSCODES")
          for w in ("--no", name)]


class Place:
    """A gateway, the host of its senders (`home`) and hosts by domain: (domain, Sink, via)."""

    def __init__(self, name, home, hosts=(), queue=RETRY, unreachable=False, spool=None):
        self.home, self.hosts = home, hosts
        routes = [f'{{ to_domain = "example.com"; via = "smtp"; host = "127.0.0.1"; port = {home.port}; tls = "none"; }}']
        routes += [f'{{ to_domain = "{d}"; via = "{via}"; host = "127.0.0.1"; port = {s.port}; tls = "none"; }}' for d, s, via in hosts]
        if unreachable:
            routes.append(f'{{ via = "smtp"; host = "127.0.0.1"; port = {g.free_port()}; tls = "none"; }}')
        self.gate = g.Gateway(f"{HOME}/{name}/gate", routes=f"routes: ( {', '.join(routes)} );",
                              queue=f'queue: {{ directory = "{spool or f"{HOME}/{name}/gate/spool"}"; {queue} }};').start()
        self.gate.add_user()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.gate.stop()
        for sink in {self.home, *[s for _, s, _ in self.hosts]}:
            sink.stop()

    def send(self, *recipients, header="Subject: test", body="Hello\r\n", mail="", sender=None):
        """recipients: (address, RCPT parameters); returns the id."""
        session = load.Session(self.gate)
        session.say(f"MAIL FROM:<{self.gate.user if sender is None else sender}>{mail}\r\n".encode(), "250")
        for address, more in recipients:
            session.say(f"RCPT TO:<{address}>{more}\r\n".encode(), "250")
        session.say(b"DATA\r\n", "354")
        session.say(f"From: <{self.gate.user}>\r\n{header}\r\n\r\n{body}.\r\n".encode(), "250")
        session.close()

    def wait(self, count=1, seconds=30):
        """That many reports at the senders' host, each read strictly."""
        g.wait_for(f"{count} reports ({self.gate.tail()})", seconds,
                   lambda: sum(map(report_reader.is_report, self.home.messages())) >= count)
        found = report_reader.of(self.home)
        assert len(found) == count, [r.recipients for r in found]
        return found

    def wait_empty(self, seconds=30):
        g.wait_for(f"an empty queue ({self.gate.tail()})", seconds, lambda: not self.gate.queue())


REFUSING = ["--fail", "rcpt/nobody=550 5.1.1 No such user here", "--fail", "rcpt/later=451 4.7.1 Greylisted, come back"]


def failing(name, home_options):
    """An 8-bit message with a long line; reports of it go to a host of these abilities."""
    home, far = g.Sink(f"{HOME}/{name}/home", *home_options), g.Sink(f"{HOME}/{name}/far", *REFUSING)
    with Place(name, home, [("example.net", far, "smtp"), ("example.org", far, "smtp")]) as p:
        p.send(("nobody@example.net", " ORCPT=rfc822;First+2BTag@example.net"), ("nobody@example.org", ""), ("ok@example.org", ""),
               header="Subject: =?utf-8?B?w7w=?= plain", body="Gr\u00fc\u00dfe\r\n" + "x" * 990 + "\r\n", mail=" BODY=8BITMIME ENVID=QQ+3D31")
        report = p.wait()[0]
        assert len(report.recipients) == 2, report.recipients
        assert report.fields["Original-Envelope-Id"] == "QQ=31"
        first = report.about("nobody@example.net")
        assert first["Original-Recipient"] == "rfc822;First+Tag@example.net"
        assert first["Action"] == "failed" and first["Status"] == "5.1.1"
        assert first["Diagnostic-Code"] == "smtp; 550 5.1.1 No such user here"
        assert report.original.get_content_type() == "text/rfc822-headers"
        assert "The answer of " in report.text and "8-bit text or long lines" in report.text
        env = [p.home.envelope(n) for n in range(1, p.home.count() + 1)]
        assert all("mail=FROM:<>" in e and "SMTPUTF8" not in e and "8BITMIME" not in e for e in env), env
        p.wait_empty()


@tap.case
def to_a_host_of_little():
    """two domains fail: one report, which a host without any extension takes"""
    failing("little", LITTLE)


@tap.case
def to_a_host_of_all():
    """the same at a host that has every extension"""
    failing("all", [])


@tap.case
def whole_when_it_can_be():
    """a plain message comes back whole, or its header with RET=HDRS"""
    home, far = g.Sink(f"{HOME}/whole/home", *LITTLE), g.Sink(f"{HOME}/whole/far", *REFUSING)
    with Place("whole", home, [("example.net", far, "smtp")]) as p:
        p.send(("nobody@example.net", ""), body="the body\r\n")
        assert "the body" in p.wait()[0].original.as_string()
        p.send(("nobody@example.net", ""), body="the body\r\n", mail=" RET=HDRS")
        assert sorted(r.original.get_content_type() for r in p.wait(2)) == ["message/rfc822", "text/rfc822-headers"]


@tap.case
def success():
    """NOTIFY=SUCCESS: relayed without DSN, passed on with it, delivered by LMTP; nothing when it was not asked for"""
    home, without = g.Sink(f"{HOME}/success/home", *LITTLE), g.Sink(f"{HOME}/success/without", "--no", "DSN")
    able, store = g.Sink(f"{HOME}/success/able"), g.Sink(f"{HOME}/success/store", "--lmtp", "--no", "DSN")
    with Place("success", home, [("example.net", without, "smtp"), ("example.org", able, "smtp"), ("example.edu", store, "lmtp")]) as p:
        p.send(("a@example.net", " NOTIFY=SUCCESS"), ("b@example.org", " NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;b@x"),
               ("c@example.edu", " NOTIFY=SUCCESS"), ("d@example.net", ""), ("e@example.net", " NOTIFY=NEVER"), mail=" ENVID=e1")
        report = p.wait()[0]
        assert {r["Final-Recipient"]: r["Action"] for r in report.recipients} == {
            "rfc822;a@example.net": "relayed", "rfc822;c@example.edu": "delivered"}
        assert "was delivered to" in report.text and "sends no reports" in report.text
        assert report.original.get_content_type() == "text/rfc822-headers"
        assert "NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;b@x" in able.envelope(1) and "ENVID=e1" in able.envelope(1)
        assert "NOTIFY" not in without.envelope(1)
        p.wait_empty()
        p.wait(1)


@tap.case
def delay():
    """queue.delay_warning: one report, with Will-Retry-Until, and none for NOTIFY=FAILURE or NEVER"""
    home, far = g.Sink(f"{HOME}/delay/home", *LITTLE), g.Sink(f"{HOME}/delay/far", *REFUSING)
    with Place("delay", home, [("example.net", far, "smtp")], queue=RETRY + ' delay_warning = "2s"; lifetime = "7s";') as p:
        p.send(("later@example.net", ""), ("later-2@example.net", " NOTIFY=FAILURE"), ("later-3@example.net", " NOTIFY=NEVER"))
        report = p.wait()[0]
        assert [(r["Final-Recipient"], r["Action"], r["Status"]) for r in report.recipients] == [
            ("rfc822;later@example.net", "delayed", "4.7.1")]
        assert "You need not do anything" in report.text
        p.wait_empty()
        last = next(r for r in p.wait(2) if r.recipients[0]["Action"] == "failed")
        assert sorted(r["Final-Recipient"] for r in last.recipients) == ["rfc822;later-2@example.net", "rfc822;later@example.net"]
        assert all(r["Status"] == "4.4.7" and r["Diagnostic-Code"].startswith("smtp; 451 4.7.1 Greylisted") for r in last.recipients)


@tap.case
def null_sender_of_a_login():
    """MAIL FROM:<> from a login: nobody is told of delay, failure or success; list and log show what it is"""
    home, far = g.Sink(f"{HOME}/null/home", *LITTLE), g.Sink(f"{HOME}/null/far", *REFUSING, "--no", "DSN")
    with Place("null", home, [("example.net", far, "smtp")], queue=RETRY + ' delay_warning = "1s"; lifetime = "4s";') as p:
        p.send(("nobody@example.net", ""), ("later@example.net", " NOTIFY=FAILURE,DELAY"), ("ok@example.net", " NOTIFY=SUCCESS"),
               sender="", header="Subject: Read: hello")
        p.gate.wait_log(r"status=deferred")
        row = p.gate.queue("--from", "<>")[0]
        assert (row["from"], row["user"], row["to"]) == ("<>", p.gate.user, ["later@example.net"]), row
        assert len(p.gate.queue("--user", p.gate.user)) == 1 and p.gate.queue("--from", p.gate.user) == []
        p.wait_empty()
        line = re.search(r"accept id=\S+ .*", p.gate.log()).group(0)
        assert f'user="{p.gate.user}" from=<> header_from=<{p.gate.user}> rcpts=3 ' in line, line
        name = re.search(r"id=(\S+)", line).group(1)
        for recipient, status in (("nobody", "failed"), ("later", "deferred"), ("later", "failed"), ("ok", "sent")):
            p.gate.wait_log(rf"deliver id={name}\S+ status={status} .*to=<{recipient}@example.net>")
        p.gate.wait_log(rf'report id={name} to=<> status=dropped reason="recipients failed of a message with the null sender')
        assert p.gate.log().count(" report id=") == 1 and home.count() == 0
        assert "mail=FROM:<>" in far.envelope(1), far.envelope(1)
        assert b"\r\nSubject: Read: hello\r\n" in next(far.messages())


@tap.case
def of_our_own():
    """what no host said is not told as an answer: nobody listens; the address needs SMTPUTF8"""
    home, far = g.Sink(f"{HOME}/own/home", *LITTLE), g.Sink(f"{HOME}/own/far", *LITTLE)
    with Place("own", home, [("example.org", far, "smtp")], queue=RETRY + ' lifetime = "2s";', unreachable=True) as p:
        p.send(("gone@example.net", ""))
        p.send(("\u03b1" * 32 + "@example.org", ""), mail=" SMTPUTF8")
        for report in p.wait(2):
            block = report.recipients[0]
            assert "Remote-MTA" not in block and block["Diagnostic-Code"].startswith("x-sallyport; "), block
            assert "The answer of" not in report.text and "No host decided this." in report.text, report.text


@tap.case
def to_the_postmaster():
    """a report that is refused goes to the postmaster once, with the failure inside; when he refuses it, that is all"""
    for refusal, count in (("rcpt/alice=550 5.1.1 alice has left", 1), ("rcpt/@example.com=550 5.1.1 all have left", 0)):
        name = f"postmaster-{count}"
        home, far = g.Sink(f"{HOME}/{name}/home", *LITTLE, "--fail", refusal), g.Sink(f"{HOME}/{name}/far", *REFUSING)
        with Place(name, home, [("example.net", far, "smtp")]) as p:
            p.send(("nobody@example.net", ""))
            p.gate.wait_log(r"report id=\S+-2001000001 about=\S+-1000001 to=<postmaster@example.com>")
            for report in p.wait(1) if count else []:
                assert report.message["To"] == "<postmaster@example.com>" or "postmaster@example.com" in report.message["To"]
                assert report.about("alice@example.com")["Status"] == "5.1.1"
                assert "rfc822;nobody@example.net" in report.original.as_string()
            if not count:
                p.gate.wait_log(r"report id=\S+-2001000001 .*status=dropped")
            p.wait_empty()
            assert p.gate.log().count(" report id=") == (2 if count else 3)


def fill(directory, leave):
    """A file that takes the disk but for `leave` bytes."""
    fs = os.statvfs(directory)
    with open(f"{directory}/filler", "wb") as f:
        block = b"\0" * (1 << 20)
        for _ in range(max(0, (fs.f_bavail * fs.f_frsize - leave) >> 20)):
            f.write(block)


@tap.case
def on_a_full_disk():
    """a small disk that others filled, only failing mail: every sender is told, and the queue empties"""
    small = f"{HOME}/full/disk"
    os.makedirs(small)
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=230m,mode=755", "tmpfs", small],
                                           capture_output=True, check=False).returncode:
        return "no right to mount a tmpfs"
    try:
        home, far = g.Sink(f"{HOME}/full/home", *LITTLE), g.Sink(f"{HOME}/full/far", *REFUSING)
        with Place("full", home, [("example.net", far, "smtp")], queue='retry = [ "3s" ]; minimum_free = "5%";',
                   spool=f"{small}/spool") as p:
            for _ in range(30):
                p.send(("later@example.net", ""))
            far.stop()
            fill(small, 4 << 20)
            g.wait_for("452", 300, lambda: refused(p.gate))
            other = g.Sink(f"{HOME}/full/far-again", "--fail", "rcpt/later=550 5.1.1 No such user here", port=far.port)
            try:
                p.wait(30, seconds=60)
                p.wait_empty()
            finally:
                other.stop()
    finally:
        subprocess.run(["umount", small], check=False)
    return None


# large enough to use up the segments that the spool has already
ROOM = ("room " * 15 + "\r\n") * 1500


def refused(gate):
    """452 for one of some, at RCPT or after the content; what is taken before that is delivered, and reported to nobody."""
    client, code = gate.connect(), 250
    for _ in range(20):
        client.mail(gate.user)
        code, _ = client.rcpt("ok@example.net")
        if code == 250:
            code, _ = client.data(f"From: <{gate.user}>\r\nSubject: room\r\n\r\n" + ROOM)
        if code != 250:
            break
    client.close()
    return code == 452


if __name__ == "__main__":
    tap.run()
