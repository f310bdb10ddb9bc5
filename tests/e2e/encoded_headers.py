#!/usr/bin/env python3
"""encoded_headers: headers of UTF-8 to hosts with and without SMTPUTF8.  Python's email package reads what the host
without it got, and shows the same as the header that was submitted."""
import email
import email.header
import email.policy
import email.utils
import inspect
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../support")
import gateway as g  # noqa: E402
import load  # noqa: E402

HOME = g.workplace("encoded_headers")
tap = g.Tap()
wide = g.Sink(HOME)
old = g.Sink(f"{HOME}/old", "--no", "SMTPUTF8")
oldest = g.Sink(f"{HOME}/oldest", "--no", "SMTPUTF8", "--no", "8BITMIME", "--no", "CHUNKING")
SMTP = '{{ {to} via = "smtp"; host = "127.0.0.1"; port = {port}; tls = "none"; }}'
gate = g.Gateway(f"{HOME}/gateway", routes="routes: ( " + ", ".join((
    SMTP.format(to='to_domain = "old.example";', port=old.port), SMTP.format(to='to_domain = "oldest.example";', port=oldest.port),
    SMTP.format(to="", port=wide.port))) + " );").start()
gate.add_user()
LONG = "Die größte Übersicht über Häuser, Flüsse und Brücken in München, Köln, Zürich; 日本語の長い件名です。😀 und noch mehr"
# else newer versions give nothing for a comma in a comment
AS_IT_IS = {"strict": False} if "strict" in inspect.signature(email.utils.getaddresses).parameters else {}
HEADERS = [
    "Subject: Grüße\r\nFrom: Jürgen Müller <alice@example.com>\r\nTo: \"Dr. Ö, 'x'\" <bob@example.net>, c@d.example, É <e@f.example>\r\n",
    f"Subject: {LONG}\r\nFrom: alice@example.com (Büro, außen (links) Ü)\r\nComments: {LONG} {LONG}\r\nTo: {LONG.replace(',', '').replace(';', '')}"
    " <bob@example.net>\r\n".replace("。", ""),
    "Subject: =?utf-8?Q?a?= ü  =?utf-8?Q?b?=\tö x\r\n =?iso-8859-1?Q?=FC?= ü\r\nFrom: =?utf-8?Q?J=C3=BC?= ö <alice@example.com>\r\n",
    "From: <alice@example.com>\r\nTo: Größe: bob@example.net, \"ü\\\"\\\\\" <c@d.example>;\r\nCc: J. Ü<e@f.example>\r\n"
    "Subject: ü\r\n \r\n\tü\r\nKeywords: a, Bücher\r\nX-Note: =?utf-8?Q?ü?=_?\r\n",
    "From: <alice@example.com>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8; name=\"größe \\\"1\\\".txt\"\r\n"
    f"Content-Disposition: attachment; filename=\"{LONG}\"\r\nContent-Description: Ü\r\nSubject: plain\r\n",
]


def submit(header, to, body="plain\r\n"):
    """The message's id."""
    own = load.Session(gate)
    own.say(f"MAIL FROM:<{gate.user}> SMTPUTF8\r\n".encode(), "250")
    own.say(f"RCPT TO:<{to}>\r\n".encode(), "250")
    own.say(b"DATA\r\n", "354")
    reply = own.say(f"{header}\r\n{body}.\r\n".encode(), "250")
    own.close()
    return reply.split("Queued as ")[1].split()[0]


def got(sink, header, to, body="plain\r\n"):
    before = sink.count()
    submit(header, to, body)
    sink.wait(before + 1)
    return sink.message(before + 1), sink.envelope(before + 1)


def decoded(raw):
    return "".join(part if isinstance(part, str) else part.decode(charset or "raw-unicode-escape")
                   for part, charset in email.header.decode_header(raw))


def shown(text):
    """All that a reader shows of a header, by field.  Names of addresses are read by Python's older functions: the
    newer ones leave a blank between two encoded words of a name."""
    message = email.message_from_string(text, policy=email.policy.default)
    plain = email.message_from_string(text)
    fields = []
    for name, value in message.items():
        if name in ("From", "To", "Cc"):
            fields.append((name, [a.addr_spec for a in value.addresses],
                           [(decoded(words), address) for words, address in email.utils.getaddresses([re.sub("\r\n", "", plain[name])], **AS_IT_IS)]))
        elif name not in ("Content-Type", "Content-Disposition", "Received", "Date", "Message-ID"):
            fields.append((name, str(value)))
    return fields, message.get_filename(), message["Content-Type"].params.get("name") if "Content-Type" in message else None


@tap.case
def same_text():
    """encoded for the host without SMTPUTF8: ASCII in lines of 76, and the same text, names and addresses"""
    for header in HEADERS:
        message, envelope = got(old, header, "bob@old.example")
        assert "SMTPUTF8" not in envelope and "8BITMIME" not in envelope, envelope
        assert message.isascii(), message
        head = message.split(b"\r\n\r\n")[0].decode()
        assert all(len(line) <= 76 for line in head.split("\r\n") if "=?" in line), head
        assert max(len(line) for line in head.split("\r\n")) <= 998
        ours, theirs = shown(head + "\r\n\r\n"), shown(header + "\r\n")
        assert ours == theirs, (ours, theirs, head)


@tap.case
def as_it_is():
    """the host with SMTPUTF8 gets every octet, and the parameter"""
    for header in HEADERS:
        message, envelope = got(wide, header, "bob@example.net")
        assert "SMTPUTF8" in envelope and "BODY=8BITMIME" in envelope, envelope
        for line in header.encode().split(b"\r\n"):
            assert line in message, (line, message)


@tap.case
def body_stays():
    """the body is not touched: 8-bit goes to a host with 8BITMIME, and back from one without; plain goes to both"""
    message, envelope = got(old, HEADERS[0], "bob@old.example", "grün\r\n..x\r\n")
    assert "BODY=8BITMIME" in envelope and message.endswith("\r\n\r\ngrün\r\n.x\r\n".encode()), (envelope, message)
    message, envelope = got(oldest, HEADERS[0], "bob@oldest.example", "gruen\r\n" * 40000)
    assert "BODY" not in envelope and message.isascii() and message.endswith(b"\r\n\r\n" + b"gruen\r\n" * 40000), envelope
    before = wide.count()
    number = submit(HEADERS[0], "bob@oldest.example", "grün\r\n")
    gate.wait_log(rf"deliver id={number}\.1 status=failed reason=8bit code=554 dsn=5\.6\.3 ")
    wide.wait(before + 1)  # the report, to example.com


@tap.case
def what_has_no_other_form():
    """an address beyond ASCII in the header, or as recipient, is returned: 553 5.6.7, and the field is named"""
    for header, to, words in (
            ("From: <alice@example.com>\r\nCc: jürgen@example.org\r\n", "bob@old.example", r"\(Cc: an address that is not ASCII\)"),
            ("From: <alice@example.com>\r\nReferences: <ü@a.example>\r\n", "bob@old.example", r"\(References: a part that is not text .*\)"),
            ("From: <alice@example.com>\r\nSubject: ü\r\n", "jürgen@old.example", "the address needs SMTPUTF8")):
        before = wide.count()
        number = submit(header, to)
        gate.wait_log(rf"deliver id={number}\.1 status=failed reason=utf8 code=553 dsn=5\.6\.7 .*{words}")
        wide.wait(before + 1)
        assert b"Status: 5.6.7" in wide.message(before + 1), wide.message(before + 1)
        assert wide.count() == before + 1


try:
    tap.run()
finally:
    gate.stop()
    for host in (wide, old, oldest):
        host.stop()
