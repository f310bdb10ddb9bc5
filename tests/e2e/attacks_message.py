#!/usr/bin/env python3
"""attacks_message: messages that lie, overflow or confuse, through the running daemon: refused, or what the
receiving host got is what it should be."""
import email
import email.policy
import email.utils
import os
import re
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../support")
import gateway as g  # noqa: E402
import load  # noqa: E402

HOME = g.workplace("attacks_message")
tap = g.Tap()
sink = g.Sink(HOME)
gate = g.Gateway(f"{HOME}/gateway", extra='limits: { per_user = "1000000 recipients / 1h"; message_size = "8M"; };',
                 routes=f'routes: ( {{ via = "smtp"; host = "127.0.0.1"; port = {sink.port}; tls = "none"; }} );').start()
gate.add_user()
BEFORE = dict(gate.processes())
ME, CEO = b"alice@example.com", b"ceo@example.com"


def submit(message, session=None, more=b""):
    """The reply to the message; the session is in step afterwards."""
    own = session or load.Session(gate)
    own.say(b"MAIL FROM:<" + ME + b">" + more + b"\r\n", "250")
    own.say(b"RCPT TO:<bob@example.net>\r\n", "250")
    own.say(b"DATA\r\n", "354")
    own.socket.sendall(re.sub(rb"(^|\r\n)\.", rb"\1..", message) + b"\r\n.\r\n")
    reply = own.reply()
    own.say(b"NOOP\r\n", "250")
    if not session:
        own.close()
    return reply


def passed(message, **more):
    """What the receiving host got of a message that must be accepted."""
    before = sink.count()
    reply = submit(message, **more)
    assert reply.startswith("250 2.0.0 Queued as "), (message[:100], reply)
    sink.wait(before + 1)
    return sink.message(before + 1)


def head(message):
    return message.split(b"\r\n\r\n", 1)[0] + b"\r\n"


def fields(message, name):
    return re.findall(rb"(?im)^" + name + rb"[ \t]*:[ \t]*((?:.*)(?:\r\n[ \t].*)*)\r$", head(message))


FROMS = [
    b"From: <alice@example.com>\r\nFrom: <ceo@example.com>", b"From: <ceo@example.com>\r\nFrom: <alice@example.com>",
    b"From: alice@example.com, ceo@example.com", b"From: <alice@example.com> <ceo@example.com>",
    b"From: <ceo@example.com> (alice@example.com)", b"From: (alice@example.com) <ceo@example.com>",
    b'From: "alice@example.com" <ceo@example.com>', b"From: alice@example.com <ceo@example.com>", b"From : <ceo@example.com>",
    b"From\t: <ceo@example.com>", b"From:\r\n <ceo@example.com>", b"fROM: ceo@example.com", b"From: <@example.com:ceo@example.com>",
    b"From: Staff: ceo@example.com, alice@example.com;", b"From: =?utf-8?q?alice=40example.com?= <ceo@example.com>",
    b"From: =?utf-8?b?Y2VvQGV4YW1wbGUuY29tPgA=?= <alice@example.com", b"From: =?utf-8?q?ceo=40example.com=00?=@alice.example.com",
    b"From: <ceo@example.com", b'From: "alice <ceo@example.com>', b"From: ((alice)) (a (b) c) ceo@example.com",
    b"From: <alice@example.com>\rFrom: <ceo@example.com>", b"From: <alice@example.com>\nFrom: <ceo@example.com>",
    b"From: <alice@example.com>\r\nSender: <ceo@example.com>", b"From: <alice@example.com>\r\nResent-From: <ceo@example.com>",
    b"From: <alice@example.com>\r\nResent-Sender: ceo@example.com", b"From: <alice@example.com>\0<ceo@example.com>",
    b"From: ceo@example.com\r\n (alice@example.com)", b"From: <ceo@example.com>,", b"From: ceo @ example.com", b"From: ceo@example.com.",
    b"From: <alice@example.com>, ", b"From:", b"From: ;", b"From: <>", b"From: <alice@example.com\r\n\t,ceo@example.com>",
    b"From: <alice@[example.com]>", b'From: "ceo"@example.com', b"From: ceo@(x)example.com", b"From: CEO@EXAMPLE.COM",
    b"From: =?utf-8?q?=3Cceo=40example=2Ecom=3E=2C?= <alice@example.com>", b"From: Ceo <ceo@example.com>\r\n\r\n",
    b"From\r\n : <ceo@example.com>", b" From: <ceo@example.com>", b"X-Y: z\r\n\t\r\nFrom: <ceo@example.com>",
]


@tap.case
def from_spoofing():
    """44 forms of a foreign From, Sender or Resent-: refused, or every reader sees the user's own address"""
    wrong, through, before = [], 0, sink.count()
    session = None
    for number, form in enumerate(FROMS):
        if number % 6 == 0:
            if session:
                session.close()
            session = load.Session(gate)
        reply = submit(form + b"\r\nSubject: form %d\r\n\r\nx" % number, session)
        if reply.startswith("250"):
            through += 1
        elif not reply.startswith(("550 5.7.1", "554 5.6.0", "550 5.6", "554 5.6")):
            wrong.append((form, reply))
    session.close()
    sink.wait(before + through)
    for number in range(before + 1, before + through + 1):
        message = sink.message(number)
        for policy in (email.policy.compat32, email.policy.SMTP):
            parsed = email.message_from_bytes(message, policy=policy)
            for name in ("From", "Sender", "Resent-From", "Resent-Sender"):
                values = [str(v) for v in parsed.get_all(name, [])]
                for _, address in email.utils.getaddresses(values):
                    if address not in (ME.decode(), ""):
                        wrong.append((name, address, head(message)))
        if len(fields(message, b"From")) != 1 or CEO in b" ".join(fields(message, b"From")).lower():
            wrong.append(("From", head(message)))
    assert not wrong, wrong
    print(f"# {through} of {len(FROMS)} accepted, as one's own", flush=True)


@tap.case
def the_refusal_names_both():
    """the refusal names the login and the address"""
    reply = submit(b"From: ceo@example.com\r\n\r\nx")
    assert reply.startswith("550 5.7.1") and "alice@example.com" in reply and "ceo@example.com" in reply, reply
    gate.wait_log(r"refuse id=\S+-1 .*stage=data reason=\S+ code=550 dsn=5.7.1 .*user=\"alice@example.com\"")


@tap.case
def blind_recipients():
    """Bcc and Resent-Bcc in every form are gone, their neighbours stay, Bcc in the body stays"""
    for form in (b"Bcc: eve@example.org", b"bCC: eve@example.org", b"Bcc : eve@example.org", b"Bcc:\r\n eve@example.org,\r\n\tmal@example.org",
                 b"Bcc: eve@example.org\r\nBcc: mal@example.org", b"Bcc:", b"Bcc: broken <eve@example.org", b"Resent-From: alice@example.com\r\n"
                 b"Resent-Bcc: eve@example.org", b"Bcc: " + b",\r\n ".join(b"eve%d@example.org" % n for n in range(500))):
        for text in (form + b"\r\nX-A: 1\r\nFrom: <alice@example.com>\r\nX-B: 2", b"X-A: 1\r\nFrom: <alice@example.com>\r\n" + form +
                     b"\r\nX-B: 2", b"X-A: 1\r\nX-B: 2\r\nFrom: <alice@example.com>\r\n" + form):
            got = passed(text + b"\r\n\r\nBcc: stays@example.org")
            assert b"eve" not in got and b"mal@" not in got and not re.search(rb"(?im)^(resent-)?bcc", head(got)), got
            assert b"\r\nX-A: 1\r\n" in got and b"\r\nX-B: 2\r\n" in got and got.endswith(b"\r\n\r\nBcc: stays@example.org\r\n"), got


@tap.case
def trace_fields():
    """Return-Path is removed, 50 Received pass with ours on top, 51 and 150 are a loop"""
    got = passed(b"Return-Path: <ceo@example.com>\r\nReturn-Path : <x@y>\r\nFrom: <alice@example.com>\r\n\r\nx")
    assert not fields(got, b"Return-Path"), got
    got = passed(b"Received: from a by b; Sat, 21 Nov 2026 16:00:00 +0000\r\n" * 50 + b"From: <alice@example.com>\r\n\r\nx")
    assert len(fields(got, b"Received")) == 51 and got.startswith(b"Received:"), got
    assert b"ESMTPSA" in fields(got, b"Received")[0] and b"127.0.0.1" not in fields(got, b"Received")[0], got
    for count in (51, 150):
        reply = submit(b"Received: from a by b; x\r\n" * count + b"From: <alice@example.com>\r\n\r\nx")
        assert reply.startswith("554 5.4.6"), reply


@tap.case
def what_is_missing():
    """From, Date and Message-ID are added to what has none; a message without header, body or both is defined"""
    for text, body in ((b"Subject: x\r\n\r\nhello", b"hello\r\n"), (b"\r\nhello", b"hello\r\n"), (b"From: <alice@example.com>\r\n", b""),
                       (b"From: <alice@example.com>\r\nSubject: no blank line", b""), (b"\r\n\r\n\r\n\r\n", b"\r\n\r\n\r\n\r\n"),
                       (b"From: <alice@example.com>\r\n\r\n. \r\n..\r\n.x\r\ntrailing  \t\r\n\t ", b". \r\n..\r\n.x\r\ntrailing  \t\r\n\t \r\n")):
        got = passed(text)
        for name in (b"From", b"Date", b"Message-ID"):
            assert len(fields(got, name)) == 1, (text, got)
        if not text.startswith(b"\r\n\r\n"):
            assert got.split(b"\r\n\r\n", 1)[1] == body, (text, got)
    reply = submit(b"just words, no header at all\r\nand more")
    assert reply[:3] in ("250", "554"), reply


def soon(message, seconds=15, **more):
    began = time.monotonic()
    reply = submit(message, **more)
    assert time.monotonic() - began < seconds, (message[:60], time.monotonic() - began)
    return reply


@tap.case
def floods_of_fields():
    """20,000 fields, one of 900 KB, a folded one of 1.4 MB, long lines: answered in bounded time and memory"""
    own = b"From: <alice@example.com>\r\n"
    for text in (own + b"X-F: y\r\n" * 20000 + b"\r\nx", own + b"X: " + b"y" * 900000 + b"\r\n\r\nx",
                 own + b"X: y" + b"\r\n " + b"\r\n ".join([b"z" * 70] * 19000) + b"\r\n\r\nx", own + b"To: " + b"(" * 5000 + b"\r\n\r\nx",
                 own + b"X: " + b"y" * 997 + b"\r\n\r\nx", own + b"Y" * 200000 + b"\r\n\r\nx", own + b"\r\n ".join([b"X: y"] * 20000) + b"\r\n\r\nx",
                 b"From: " + b"(" * 5000 + b"<alice@example.com>\r\n\r\nx", b"From: " + b'"\\' * 40000 + b"\r\n\r\nx",
                 own + b"Subject: " + b"=?" * 100000 + b"\r\n\r\nx"):
        reply = soon(text)
        assert reply.startswith(("250", "552", "554", "550", "500")), (text[:60], reply)
    got = passed(own + b"X: " + b"y" * 995 + b"\r\n\r\nx")
    assert b"\r\nX: " + b"y" * 995 + b"\r\n" in got
    got = passed(own + b"X-F: y\r\n" * 1900 + b"\r\nx")
    assert got.count(b"\r\nX-F: y") == 1900


@tap.case
def crowds_of_addresses():
    """20,000 addresses in To: kept byte for byte, or refused; in From: refused"""
    crowd = b",\r\n ".join(b"a%d@example.org" % n for n in range(20000))
    reply = soon(b"From: <alice@example.com>\r\nTo: " + crowd + b"\r\n\r\nx")
    assert reply.startswith(("250", "552", "554")), reply
    reply = soon(b"From: " + crowd + b"\r\n\r\nx")
    assert reply.startswith(("550", "552", "554")), reply
    few = b",\r\n ".join(b"a%d@example.org" % n for n in range(3000))
    got = passed(b"From: <alice@example.com>\r\nTo: " + few + b"\r\n\r\nx")
    assert b"\r\nTo: " + few + b"\r\n" in got
    bare = b",\r\n ".join(b"a%d" % n for n in range(3000))
    got = passed(b"From: <alice@example.com>\r\nTo: " + bare + b"\r\n\r\nx")
    assert got.count(b"@example.com,") == 2999, got[:300]


@tap.case
def deep_and_wide_bodies():
    """MIME 3,000 deep, 30,000 parts, body lines of 200,000 octets: kept byte for byte"""
    deep = b"".join(b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (n, n) for n in range(3000))
    wide = b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n' + b"--b\r\n\r\nx\r\n" * 30000
    long = b"Subject: long\r\n\r\n" + b"\r\n".join(b"l" * n for n in (998, 999, 1000, 4096, 8191, 131072, 200000))
    for text in (deep, wide, long):
        got = passed(b"From: <alice@example.com>\r\n" + text)
        want = text.split(b"\r\n\r\n", 1)[1] + b"\r\n"
        assert got.split(b"\r\n\r\n", 1)[1] == want, (len(got), len(want))


@tap.case
def forbidden_octets():
    """NUL, bare CR and bare LF anywhere, and broken UTF-8 in the header, are refused; 8-bit bodies pass as they are"""
    own = b"From: <alice@example.com>\r\n"
    for text in (own + b"Subject: a\0b\r\n\r\nx", own + b"\r\na\0b", own + b"X: 1\rBcc: v@example.org\r\n\r\nx", own + b"X: 1\nBcc: v\r\n\r\nx",
                 own + b"\r\na\rb", own + b"\r\na\nb", own + b"\r\na\r\r\nb", own + b"\r\nlast\r", own + b"Subject: \xff\xfe\r\n\r\nx",
                 own + b"Subject: \xed\xa0\x80\r\n\r\nx", own + b"\r\n" + b"y" * 140000 + b"\n", own + b"\r\n" + b"y" * 140000 + b"\0"):
        reply = submit(text)
        assert reply.startswith(("550 5.6", "554 5.6")), (text[:60], reply)
    body = bytes(n for n in range(1, 256) if n not in (10, 13)) + b"\r\n"
    got = passed(own + b"\r\n" + body, more=b" BODY=8BITMIME")
    assert got.endswith(b"\r\n\r\n" + body + b"\r\n"), got
    assert submit(own + "Subject: grün\r\n\r\nx".encode()).startswith("554 5.6.7")


@tap.case
def chunk_forms():
    """by BDAT: bare line ends and NUL refused at the end, a chunk that ends in its header is completed"""
    for text in (b"From: <alice@example.com>\r\n\r\na\nb\r\n", b"From: <alice@example.com>\r\n\r\na\r", b"From: <alice@example.com>\r\nX: \0\r\n\r\n"):
        session = load.Session(gate)
        for line in (b"MAIL FROM:<" + ME + b">\r\n", b"RCPT TO:<bob@example.net>\r\n"):
            session.say(line, "250")
        session.socket.sendall(b"BDAT %d LAST\r\n" % len(text) + text)
        reply = session.reply()
        assert reply.startswith(("550 5.6", "554 5.6")), (text, reply)
        session.say(b"NOOP\r\n", "250")
        session.close()
    before, text = sink.count(), b"From: <alice@example.com>\r\nSubject: cut"
    session = load.Session(gate)
    session.socket.sendall(b"MAIL FROM:<" + ME + b">\r\nRCPT TO:<bob@example.net>\r\nBDAT %d LAST\r\n" % len(text) + text)
    for _ in range(3):
        session.expect("250")
    session.close()
    sink.wait(before + 1)
    assert len(fields(sink.message(before + 1), b"Subject")) == 1 and b"\n" not in sink.message(before + 1).replace(b"\r\n", b"")


@tap.case
def nothing_unclean_left():
    """of everything that went out, no line ended in anything but CRLF, no NUL; every process is the same one"""
    for message in sink.messages():
        assert b"\0" not in message
        rest = message.replace(b"\r\n", b"")
        assert b"\r" not in rest and b"\n" not in rest, message[:300]
        assert not any(len(line) > 998 for line in head(message).split(b"\r\n"))
    assert gate.processes() == BEFORE, gate.tail()


try:
    tap.run()
finally:
    gate.stop()
    sink.stop()
