#!/usr/bin/env python3
"""attacks_commands: malformed, lying and smuggling commands against the running daemon over TLS: parameters,
addresses, xtext, chunks, greetings; and the envelopes that the receiving host got."""
import base64
import os
import re
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../support")
import gateway as g  # noqa: E402
import load  # noqa: E402

HOME = g.workplace("attacks_commands")
tap = g.Tap()
sink = g.Sink(HOME)
gate = g.Gateway(f"{HOME}/gateway", extra='limits: { per_user = "1000000 recipients / 1h"; message_size = "1M";\n'
                 '  sessions_per_client = 200; };',
                 auth='auth: { backends = ( "users" ); failure_limit = "1000 / 1m"; };',
                 routes=f'routes: ( {{ via = "smtp"; host = "127.0.0.1"; port = {sink.port}; tls = "none"; }} );').start()
gate.add_user()
BEFORE = dict(gate.processes())
ME = gate.user.encode()
MESSAGE = b"From: <alice@example.com>\r\nSubject: s\r\n\r\nbody\r\n"


class Talk(load.Session):
    """A session whose replies are compared by prefix; a session ended by too many errors is opened again."""

    def ask(self, line):
        self.socket.sendall(line)
        return self.reply()

    def begin(self, rcpt=b"bob@example.net", more=b""):
        self.say(b"MAIL FROM:<" + ME + b">" + more + b"\r\n", "250")
        if rcpt:
            self.say(b"RCPT TO:<" + rcpt + b">\r\n", "250")

    def finish(self, data=MESSAGE):
        self.say(b"DATA\r\n", "354")
        return self.ask(data + b".\r\n")


def each(lines, allowed, prepare=None):
    """Each line after a RSET: the reply is one of `allowed`, and the session is in step; NUL and CR end it."""
    session, wrong = None, []
    for number, line in enumerate(lines):
        if number % 8 == 0:  # before the limit of errors
            if session:
                session.close()
            session = Talk(gate)
        session.say(b"RSET\r\n", "250")
        if prepare:
            prepare(session)
        try:
            reply = session.ask(line)
            if b"\0" in line or b"\r" in line[:-2]:
                assert session.file.read() == b"", "said more"
                session.close()
                session = Talk(gate)
            else:
                session.say(b"NOOP stay in step\r\n", "250 2.0.0")
        except (OSError, g.smtplib.SMTPException) as lost:
            wrong.append((line[:80], f"out of step: {lost}"))
            session.close()
            session = Talk(gate)
            continue
        if not reply.startswith(allowed):
            wrong.append((line[:80], reply))
    session.close()
    assert not wrong, wrong


def delivered(count):
    sink.wait(count)
    return [(sink.envelope(n), sink.message(n)) for n in range(1, sink.count() + 1)]


@tap.case
def sizes_that_lie():
    """SIZE: malformed 501, too large 552, too small harmless; never a wrap"""
    mail = b"MAIL FROM:<" + ME + b"> "
    each([mail + b"SIZE=" + v + b"\r\n" for v in (
        b"abc", b"-1", b"+1", b"1e3", b"0x10", b"", b"1 2", b"1" * 26, b"99999999999999999999999999")] +
        [mail + b"SIZE\r\n", mail + b"SIZE==1\r\n", mail + b"SIZE=1 SIZE=1\r\n"], ("501", "552", "555"))
    each([mail + b"SIZE=%d\r\n" % v for v in (2**20 + 1, 2**31, 2**32 + 10, 2**63, 2**64 - 1)], ("552",))
    each([mail + b"SIZE=%d\r\n" % v for v in (2**64, 2**64 + 10)], ("501", "552"))
    session = Talk(gate)
    before = sink.count()
    session.begin(more=b" SIZE=1")
    assert session.finish().startswith("250")
    session.begin(more=b" SIZE=5")
    assert session.finish(b"From: <alice@example.com>\r\n\r\n" + (b"x" * 998 + b"\r\n") * 1200).startswith("552 5.3.4")
    session.begin()
    assert session.finish().startswith("250"), "the session is in step after a 552"
    session.close()
    sink.wait(before + 2)


@tap.case
def parameters():
    """unknown, doubled and malformed parameters of MAIL and RCPT are refused"""
    mail, rcpt = b"MAIL FROM:<" + ME + b"> ", b"RCPT TO:<bob@example.net> "
    each([mail + p + b"\r\n" for p in (
        b"BODY=FOO", b"BODY", b"FOO=BAR", b"=", b"=x", b'" ="', b"X" * 300 + b"=", b"=" + b"X" * 300, b'"=' + b"X" * 300 + b'"',
        b"RET=ALL", b"RET=FULL RET=HDRS", b"RET=", b"ENVID=", b"ENVID=a ENVID=b", b"SMTPUTF8=yes", b"SMTPUTF8 SMTPUTF8",
        b"AUTH=a+ZZ", b"\0=1", b"SIZE=1\tBODY=7BIT", b"BODY=8BITMIME;x")], ("500", "501", "504", "555"))
    each([rcpt + p + b"\r\n" for p in (
        b"NOTIFY=NEVER,SUCCESS", b"NOTIFY=", b"NOTIFY=FOO", b"NOTIFY=FAILURE NOTIFY=DELAY", b"NOTIFY=,FAILURE", b"ORCPT=noaddrtype",
        b"ORCPT=", b"ORCPT=;x", b"ORCPT=rfc822;", b"ORCPT=rfc822;a ORCPT=rfc822;b", b"SIZE=1", b"FOO")],
        ("501", "504", "555"), prepare=lambda s: s.begin(rcpt=None))


@tap.case
def xtext():
    """xtext: bad escapes refused; escaped line ends reach no envelope or report as line ends"""
    mail, rcpt = b"MAIL FROM:<" + ME + b"> ENVID=", b"RCPT TO:<bob@example.net> ORCPT=rfc822;"
    bad = (b"a+ZZ", b"a+0", b"a+", b"+0d+0a", b"a=b", b"a\x80b", b"+2b+", b"x" * 2000, b"a+00b")
    each([mail + v + b"\r\n" for v in bad[:-1]], ("500", "501"))
    each([rcpt + v + b"\r\n" for v in bad[:-1]], ("500", "501"), prepare=lambda s: s.begin(rcpt=None))
    session = Talk(gate)
    for value in (b"a+0D+0ABcc:+20v@example.org", b"a+00b", b"a+7Fb", b"a+1B[31m"):
        session.say(b"RSET\r\n", "250")
        first = session.ask(mail + value + b"\r\n")
        session.say(b"RSET\r\n", "250")
        session.begin(rcpt=None)
        second = session.ask(rcpt + value + b"\r\n")
        for reply in (first, second):
            assert reply.startswith(("250", "501")), (value, reply)
    session.close()


ODD = [  # what the client says -> what the next host is to hear (None: refused)
    (b'"a b"@example.net', b'"a b"@example.net'),
    (b'"a@b"@example.net', b'"a@b"@example.net'),
    (b'"a>b"@example.net', b'"a>b"@example.net'),
    (b'"a\\"b"@example.net', b'"a\\"b"@example.net'),
    (b'"a\\\\b"@example.net', b'"a\\\\b"@example.net'),
    (b'"a> ORCPT=rfc822;x"@example.net', b'"a> ORCPT=rfc822;x"@example.net'),
    (b'""@example.net', b'""@example.net'),
    (b"x%y@example.net", b"x%y@example.net"),
    (b"x%y%z@example.net", b"x%y%z@example.net"),
    (b"y!x@example.net", b"y!x@example.net"),
    (b"@r1.example,@r2.example:bob@example.net", b"bob@example.net"),
    (b"${run{/bin/true}}@example.net", b"${run{/bin/true}}@example.net"),
    (b"`id`@example.net", b"`id`@example.net"), (b"|cmd@example.net", b"|cmd@example.net"),
    (b"-oQ/x@example.net", b"-oQ/x@example.net"), (b"%n%s@example.net", b"%n%s@example.net"),
    (b"../../x@example.net", None), (b"/etc/passwd@example.net", b"/etc/passwd@example.net"),
    (b"l" * 64 + b"@example.net", b"l" * 64 + b"@example.net"), (b"l" * 65 + b"@example.net", None),
]
BAD = [b"", b"bob", b"@", b"@example.net", b"bob@", b"bob@b..c", b"bob@.b", b"bob@b.", b"bob@-", b".bob@example.net", b"bob.@example.net",
       b"b..b@example.net", b"bob@[999.1.1.1]", b"bob@[x]", b"bob@[]", b"bob@[1.2.3]", b"bob@[IPv6:zz]", b"bob@[IPv6:::::]",
       b"<bob@example.net>", b"bob@example.net>x", b'"a@example.net', b'"a\0"@example.net', b'"a\rb"@example.net', b"a b@example.net",
       b"a\x01b@example.net", b"a\x07@example.net", b"a\x1b[31m@example.net", b"a\x7f@example.net", b"a\tb@example.net",
       b"a\xc3\xbc@example.net", b"bob@ex\xc3\xa4mple.net", b"a;b@example.net", b"a,b@example.net", b"a@b@example.net",
       b"bob@" + b"a" * 64 + b".net", b"bob@" + b".".join([b"a" * 60] * 6), b"@r1.example:@r2:bob@example.net", b"bob@exam_ple!.net",
       b"@" + b"r" * 900 + b":bob@example.net", b"bob@1.2.3.4x..", b"bob@example.net\x00.evil.example"]


@tap.case
def malformed_addresses():
    """41 malformed addresses: refused in RCPT and in MAIL, and the session is in step"""
    each([b"RCPT TO:<" + a + b">\r\n" for a in BAD], ("50", "55"), prepare=lambda s: s.begin(rcpt=None))
    each([b"MAIL FROM:<" + a + b">\r\n" for a in BAD if a], ("50", "55"))
    each([b"RCPT TO:bob@example.net\r\n", b"RCPT TO: <bob@example.net> x\r\n", b"RCPT FROM:<bob@example.net>\r\n", b"RCPT\r\n",
          b"RCPT TO:<bob@example.net\r\n", b"RCPT TO:<\"a\r\n", b"RCPT TO:<bob@example.net>SIZE=1\r\n"], ("50", "55"),
         prepare=lambda s: s.begin(rcpt=None))


@tap.case
def odd_addresses_pass_exactly():
    """quoted local parts, percent hacks, bang paths and shell words arrive literally; source routes are stripped"""
    start = sink.count()
    session = Talk(gate)
    session.begin(rcpt=None)
    expected = []
    for said, heard in ODD:
        reply = session.ask(b"RCPT TO:<" + said + b">\r\n")
        assert reply.startswith(("250",) if heard else ("250", "55", "501")), (said, reply)
        if heard:
            expected.append(heard)
        elif reply.startswith("250"):
            expected.append(said)
    assert session.finish().startswith("250")
    session.close()
    g.wait_for("the envelope", 20, lambda: sum(e.count("\nrcpt=") for e, _ in delivered(start + 1)[start:]) >= len(expected))
    heard = set()
    for envelope, _ in delivered(start + 1)[start:]:
        heard |= {line for line in envelope.splitlines() if line.startswith("rcpt=")}
    for address in expected:
        assert any(line.startswith(f"rcpt=TO:<{address.decode()}>") for line in heard), (address, heard)


@tap.case
def utf8_misuse():
    """broken UTF-8 is refused even with SMTPUTF8; without it all of it is; good UTF-8 with it arrives"""
    broken = [b"a\xff\xfe", b"a\xc0\xaf", b"a\xed\xa0\x80", b"a\xf8\x88\x80\x80\x80", b"a\xc3", b"\x80", b"a\xf4\x90\x80\x80", b"a\xe0\x80\xaf",
              b"a\xc2\x85", b"a\xe2\x80\xa8"]
    each([b"RCPT TO:<" + a + b"@example.net>\r\n" for a in broken[:-2]], ("50", "55"),
         prepare=lambda s: s.say(b"MAIL FROM:<" + ME + b"> SMTPUTF8\r\n", "250"))
    each([b"RCPT TO:<" + a + b"@example.net>\r\n" for a in broken + ["jürgen".encode()]], ("50", "55"),
         prepare=lambda s: s.begin(rcpt=None))
    before = sink.count()
    session = Talk(gate)
    session.begin("jürgen@example.net".encode(), b" SMTPUTF8")
    assert session.finish().startswith("250")
    session.close()
    sink.wait(before + 1)
    assert "jürgen@example.net" in sink.envelope(before + 1) and "SMTPUTF8" in sink.envelope(before + 1)


def chunk_cases():
    for argument in (b"", b"abc", b"-1", b"+5", b"0x5", b"1x", b"18446744073709551616", b"9" * 23, b"5 FIRST", b"5 LAST x", b"\xef\xbc\x95"):
        yield b"BDAT " + argument + b"\r\n"
    yield b"BDAT\r\n"


@tap.case
def bdat_arguments():
    """BDAT with a bad argument: 501, and no bytes are waited for"""
    each(chunk_cases(), ("50",), prepare=lambda s: s.begin())


@tap.case
def bdat_matrix():
    """BDAT without a transaction, mixed with DATA, between RSET and MAIL, empty, too large: bytes never become commands"""
    before = sink.count()
    inner = b"RSET\r\nMAIL FROM:<alice@example.com>\r\n"
    session = Talk(gate)
    session.socket.sendall(b"BDAT %d LAST\r\n" % len(inner) + inner + b"NOOP\r\n")
    assert session.reply().startswith("503") and session.reply().startswith("250 2.0.0"), "no transaction"
    session.say(b"MAIL FROM:<" + ME + b">\r\n", "250")
    session.socket.sendall(b"BDAT %d LAST\r\n" % len(inner) + inner + b"NOOP\r\n")
    assert session.reply().startswith(("503", "554")) and session.reply().startswith("250 2.0.0"), "no recipient"
    session.say(b"RSET\r\n", "250")
    session.begin()
    session.say(b"BDAT 5\r\nFrom:", "250")
    session.say(b"DATA\r\n", "503")
    session.say(b"MAIL FROM:<" + ME + b">\r\n", "503")
    session.say(b"RCPT TO:<eva@example.net>\r\n", "503")
    session.say(b"RSET\r\n", "250")
    session.say(b"BDAT 0 LAST\r\n", "503")
    session.begin()
    text = b"From: <alice@example.com>\r\nSubject: chunk\r\n\r\na\r\n.\r\nMAIL FROM:<x@y>\r\n"
    session.say(b"BDAT %d\r\n" % len(text) + text, "250")
    session.say(b"BDAT 0 LAST\r\n", "250 2.0.0 Queued")
    session.begin()
    size = 2**20 + 5
    session.socket.sendall(b"BDAT %d LAST\r\n" % size + b"N" * size + b"NOOP\r\n")
    assert session.reply().startswith("552") and session.reply().startswith("250 2.0.0"), "too large"
    session.say(b"RSET\r\n", "250")
    session.begin()
    session.socket.sendall(b"BDAT 4\r\nFrom" + b"BDAT zz\r\n")
    assert session.reply().startswith("250") and session.reply().startswith("501")
    session.close()
    sink.wait(before + 1)
    time.sleep(0.3)
    assert sink.count() == before + 1
    assert sink.message(before + 1).endswith(b"\r\n\r\na\r\n.\r\nMAIL FROM:<x@y>\r\n"), sink.message(before + 1)


@tap.case
def bdat_published():
    """BDAT 10 and a dot, BDAT 1 with a chunk of commands, BDAT 2147483647: nothing relayed, nothing ends (CVE-2017-16943/4)"""
    before = sink.count()
    for words in (b"BDAT 10\r\n.\r\n", b"BDAT 1\r\nBDAT \x7f\x7f\x7f\r\n", b"BDAT 2147483647 LAST\r\n" + b"x" * 70000,
                  b"BDAT 9223372036854775807 LAST\r\nx", b"BDAT 18446744073709551615\r\nx"):
        session = Talk(gate)
        session.begin()
        session.socket.sendall(words)
        session.socket.settimeout(0.3)
        try:
            session.reply()
        except OSError:
            pass
        session.close()
    time.sleep(0.5)
    assert sink.count() == before


@tap.case
def lines():
    """CR, LF and NUL inside commands are refused and end nothing; 512 octets and more are a command"""
    each([b"NOOP a\rb\r\n", b"NOOP a\0b\r\n", b"NOOP \r\r\n", b"RCPT TO:<bob@example.net>\rRSET\r\n"], ("50",))
    session = Talk(gate)
    session.socket.sendall(b"NOOP a\nRCPT TO:<x@example.net>\r\nNOOP\r\n")
    replies = [session.reply()]
    try:
        replies.append(session.reply())
    except OSError:
        pass
    assert replies[0].startswith("50") and len(replies) < 3, replies
    session.close()
    session = Talk(gate)
    session.say(b"NOOP " + b"x" * 505 + b"\r\n", "250")
    session.say(b"NOOP " + b"x" * 2041 + b"\r\n", "250")
    session.say(b"NOOP " + b"x" * 2042 + b"\r\n", "500")
    session.socket.sendall(b"RSET\r\n" * 500)
    for _ in range(500):
        session.expect("250")
    session.close()


@tap.case
def greetings():
    """EHLO of 12 KB and 70 KB, with ESC, NUL, CR, parentheses: refused, or nothing of it raw in Received or the log"""
    start = sink.count()
    names = [b"a" * 12000, b"a" * 70000, b"x\x1b[31m", b"x\0y", b"x\ry", b"x;y", b"x(y", b"x)y", b"x y", b"(comment)", b"\"q\"",
             b"[1.2.3.4", b"[IPv6:x]", b"x\xff", b"-", b"x\x7f", b"a\"b quiet=yes", b"x\tid=forged", b"%n%s", b"by mail.example.com; x"]
    taken = 0
    for name in names:
        client = gate.connect(login=False)
        try:
            client.sock.sendall(b"EHLO " + name + b"\r\n")
            code, _ = client.getreply()
            if code == 250:
                secret = base64.b64encode(b"\0" + ME + b"\0" + g.PASSWORD.encode()).decode()
                assert client.docmd("AUTH PLAIN " + secret)[0] == 235
                assert gate.send(client=client)[0] == 250
                taken += 1
            else:
                assert code in (500, 501, 550, 421), (name[:40], code)
        except (OSError, g.smtplib.SMTPServerDisconnected):
            assert len(name) > 2000 or b"\r\n" in name, name[:40]
        client.close()
    for _, message in delivered(start + taken)[start:]:
        head = message.split(b"\r\n\r\n")[0]
        assert not re.search(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\xff]", head), head
        received = re.match(rb"Received:(.*(?:\r\n[ \t].*)*)\r\n", head).group(1)
        assert received.count(b";") == 1, received
        depth = re.sub(rb"\\.", b"", received)
        assert depth.count(b"(") == depth.count(b")"), received
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", gate.log())


@tap.case
def states():
    """verbs out of order, AUTH twice and in a transaction, STARTTLS inside TLS: 503, and nothing forgotten"""
    session = Talk(gate)
    for line in (b"DATA\r\n", b"RCPT TO:<bob@example.net>\r\n", b"STARTTLS\r\n", b"AUTH PLAIN AGEAYg==\r\n"):
        assert session.ask(line).startswith("503"), line
    session.begin()
    assert session.ask(b"AUTH PLAIN AGEAYg==\r\n").startswith("503")
    assert session.ask(b"MAIL FROM:<" + ME + b">\r\n").startswith("503")
    assert session.finish().startswith("250")
    session.close()


@tap.case
def pipelined_groups():
    """commands of many transactions in one write: one reply each, in order, data never read as commands"""
    before = sink.count()
    session = Talk(gate)
    one = (b"MAIL FROM:<" + ME + b">\r\nRCPT TO:<bob@example.net>\r\nRCPT TO:<bad@@x>\r\nBDAT %d LAST\r\n" % len(MESSAGE) + MESSAGE)
    session.socket.sendall(one * 20 + b"NOOP\r\n")
    for _ in range(20):
        for code in ("250", "250", "55", "250 2.0.0"):
            line = session.reply()
            if line.startswith("421"):
                raise AssertionError(line)
            assert line.startswith(code), (code, line)
    session.expect("250 2.0.0")
    session.socket.sendall(b"MAIL FROM:<" + ME + b">\r\nRCPT TO:<bad@@x>\r\nDATA\r\n")
    for code in ("250", "55", "5"):
        assert session.reply().startswith(code), code
    session.say(b"NOOP\r\n", "250")
    session.close()
    sink.wait(before + 20)


@tap.case
def never_in_clear():
    """AUTH before TLS is neither offered nor accepted, in any form; MAIL is refused"""
    for line in (b"AUTH PLAIN\r\n", b"AUTH LOGIN\r\n", b"AUTH SCRAM-SHA-256 biwsbj1hLHI9Yg==\r\n",
                 b"AUTH PLAIN " + base64.b64encode(b"\0" + ME + b"\0" + g.PASSWORD.encode()) + b"\r\n", b"MAIL FROM:<" + ME + b">\r\n"):
        with g.socket.create_connection(("127.0.0.1", gate.submission), 10) as s:
            f = s.makefile("rb")
            f.readline()
            s.sendall(b"EHLO x\r\n")
            offered = b""
            while not offered.split(b"\r\n")[-2:][0].startswith(b"250 "):
                offered += f.readline()
            assert b"AUTH" not in offered.upper() and b"STARTTLS" in offered, offered
            s.sendall(line)
            reply = f.readline()
            assert reply.startswith((b"530", b"538")), (line, reply)


@tap.case
def guesses_are_slowed():
    """wrong passwords of one user: slowed or closed; the same words for an unknown user"""
    said = set()
    for name in (ME, b"nobody@example.com", b"x\0", b"*", b"' OR '1'='1", b"alice@example.com\r\nauth ok id=forged", b"n" * 5000):
        client = gate.connect(login=False)
        secret = base64.b64encode(b"\0" + name + b"\0wrong").decode()
        code, text = client.docmd("AUTH PLAIN " + secret)
        if name in (ME, b"nobody@example.com"):
            said.add((code, text))
        assert code in (500, 501, 535), (name, code, text)
        client.close()
    assert len(said) == 1, said
    assert not re.search(r"^\S* ?auth ok id=forged", gate.log(), re.M)
    assert "wrong" not in gate.log()


@tap.case
def no_role_ended():
    """after all this every process is the same one, each refusal has a line with an id, and mail flows"""
    refusals = re.findall(r".*\brefuse .*", gate.log())
    assert refusals and all(" id=" in line for line in refusals), refusals[:2]
    load.still_served(gate, BEFORE, sink)


try:
    tap.run()
finally:
    gate.stop()
    sink.stop()
