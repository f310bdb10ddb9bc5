#!/usr/bin/env python3
"""attacks_headers: control characters, encoded words and odd lines in headers, through the running daemon.  What leaves
must show the same authors to Python's email package, before and after that package writes the message anew, as to us."""
import email
import email.header
import email.policy
import email.utils
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../support")
import gateway as g  # noqa: E402
import load  # noqa: E402

HOME = g.workplace("attacks_headers")
tap = g.Tap()
sink = g.Sink(HOME)
gate = g.Gateway(f"{HOME}/gateway", extra='limits: { per_user = "1000000 recipients / 1h"; };',
                 routes=f'routes: ( {{ via = "smtp"; host = "127.0.0.1"; port = {sink.port}; tls = "none"; }} );').start()
gate.add_user()
OWN = b"From: <alice@example.com>\r\n"
CONTROLS = [bytes([n]) for n in (*range(1, 9), 0x0b, 0x0c, *range(0x0e, 0x20), 0x7f)]
CONTROLS += [text.encode() for text in ("\x80", "\x85", "\x9f", "\u2028", "\u2029")]
TEXTS = (b"Subject: a", b"X-Mailer:", b"Comments: a\r\n\t", b"Keywords: a\r\n ", b"Content-Type: text/plain;", b"In-Reply-To: <a@b>",
         b"List-Id:", b"DKIM-Signature: v=1", b"X-A:\r\n ", b"Organization : a")
READ = (b"From: a%s <alice@example.com>", OWN + b"Sender: <alice@example.com>%s", OWN + b"To: b@c (%s)", OWN + b"Reply-To: b@c%s",
        OWN + b"Date: x%s", OWN + b"Message-ID: <a@b>%s")
IDENTITY = ("From", "Sender", "Resent-From", "Resent-Sender")


class Talk:
    """Sessions that submit messages one by one, by DATA or in one chunk; SMTPUTF8 is asked for."""

    def __init__(self):
        self.session = None
        self.left = 0
        self.accepted = 0

    def submit(self, message, chunked=False):
        if self.left == 0:
            self.close()
            self.session, self.left = load.Session(gate), 50
        own, self.left = self.session, self.left - 1
        own.say(b"MAIL FROM:<alice@example.com> SMTPUTF8\r\n", "250")
        own.say(b"RCPT TO:<bob@example.net>\r\n", "250")
        if chunked:
            own.socket.sendall(b"BDAT %d LAST\r\n" % len(message) + message)
        else:
            own.say(b"DATA\r\n", "354")
            own.socket.sendall(message + b"\r\n.\r\n")
        reply = own.reply()
        self.accepted += reply.startswith("250")
        return reply

    def close(self):
        if self.session:
            self.session.close()


def authors(message):
    """Every address of every identity field, by each reading that a Python program may choose."""
    seen = set()
    for policy in (email.policy.compat32, email.policy.default, email.policy.SMTP, email.policy.SMTPUTF8):
        parsed = email.message_from_bytes(message, policy=policy)
        anew = email.message_from_bytes(parsed.as_bytes(), policy=policy)
        assert len(parsed.get_all("From", [])) == 1, message
        for read in (parsed, anew):
            for name in IDENTITY:
                values = [str(value) for value in read.get_all(name, [])]
                decoded = [str(email.header.make_header(email.header.decode_header(value))) for value in values]
                for _, address in email.utils.getaddresses(values + decoded):
                    seen.add((name, address))
    return seen


def head(message):
    return message.split(b"\r\n\r\n", 1)[0] + b"\r\n"


def check_left(first, count, has_long_words=False):
    """The messages that left since `first` have one author each, in lines that may leave.  Words of 900 octets are not
    shown to Python's package: it breaks them when it writes a message anew."""
    sink.wait(first + count)
    for number in range(first + 1, first + count + 1):
        message = sink.message(number)
        assert has_long_words or {address for _, address in authors(message)} == {"alice@example.com"}, (authors(message), head(message))
        text = head(message).decode()
        assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029]", text), text
        assert all(0 < len(line) <= 998 for line in head(message)[:-2].split(b"\r\n")), head(message)


@tap.case
def control_characters():
    """every control character in fields of text leaves as a blank; in fields that are read it is refused"""
    talk, first = Talk(), sink.count()
    for number, control in enumerate(CONTROLS):
        forged = control + b"From: <ceo@bank.example>"
        for field in [TEXTS[(number + more) % len(TEXTS)] for more in (0, 3, 7)]:
            message = OWN + field + forged + control + b"Sender: x@y\r\n\r\nx" if number % 2 else field + forged + b"\r\n" + OWN + b"\r\nx"
            assert talk.submit(message).startswith("250"), message
        for field in [READ[(number + more) % len(READ)] for more in (0, 1)]:
            reply = talk.submit(field.replace(b"%s", forged) + b"\r\n\r\nx")
            assert reply.startswith("554 5.6.0") and "control character" in reply, (field, forged, reply)
        chunk = OWN + b"Subject: a" + forged if number % 2 else b"Subject: a" + forged + b"\r\n" + OWN[:-2]
        assert talk.submit(chunk, chunked=True).startswith("250"), chunk
    talk.close()
    check_left(first, talk.accepted)
    assert talk.accepted == len(CONTROLS) * 4


@tap.case
def names_that_show_another():
    """encoded words that decode to an address of another, to brackets, line ends or unknown character sets are refused"""
    talk, me = Talk(), b" <alice@example.com>"
    for field in (b"From", b"Sender", b"Resent-From", b"Resent-Sender"):
        others = b"" if field == b"From" else OWN
        for word, code in ((b"=?utf-8?q?=3Cceo=40bank=3E?=", "554 5.6.0"), (b"=?utf-8?q?ceo=40bank=2Eexample=2C?=", "550 5.7.1"),
                           (b"=?utf-8?b?Y2VvQGJhbms=?=", "550 5.7.1"), (b"=?utf-8?q?ceo?= =?utf-8?q?=40bank?=", "550 5.7.1"),
                           (b"=?utf-7?q?+ADw-ceo+AEA-bank+AD4-?=", "554 5.6.0"), (b"=?utf-16?b?ADw=?=", "554 5.6.0"),
                           (b"=?hz-gb-2312?q?a?=", "554 5.6.0"), (b"=?iso-2022-kr?q?a?=", "554 5.6.0"), (b"=?utf-8?q?a=0D=0AFrom:_b?=", "554 5.6.0"),
                           (b"=?utf-8?q?a=1C?=", "554 5.6.0"), (b'"ceo@bank.example"', "550 5.7.1")):
            reply = talk.submit(others + field + b": " + word + me + b"\r\n\r\nx")
            assert reply.startswith(code), (field, word, reply)
    talk.close()


@tap.case
def names_of_common_clients():
    """names as clients write them pass to the byte: UTF-8, Latin, Japanese, Chinese, Korean, Cyrillic; commas; the own address"""
    talk, first = Talk(), sink.count()
    names = (b"=?UTF-8?Q?M=C3=BCller=2C_J=C3=BCrgen?=", b"=?iso-8859-1?Q?J=FCrgen?=", b"=?windows-1252?Q?O=92Brien?=",
             b"=?ISO-2022-JP?B?GyRCPFJEOTtSGyhC?=", b"=?gb2312?B?1cXI/Q==?=", b"=?big5?B?pECkQA==?=", b"=?euc-kr?B?seg=?=",
             b"=?koi8-r?B?8NLJ18XU?=", b'"\'alice@example.com\'"', b'"Smith, Alice (Sales)"', b"=?utf-8?q?J=C3?=\r\n =?utf-8?q?=BCrgen?=")
    for name in names:
        assert talk.submit(b"From: " + name + b" <alice@example.com>\r\n\r\nx").startswith("250"), name
    talk.close()
    sink.wait(first + len(names))
    left = b"".join(sink.message(number) for number in range(first + 1, first + 1 + len(names)))
    for name in names:
        assert b"\r\nFrom: " + name + b" <alice@example.com>\r\n" in left, name


@tap.case
def long_lines():
    """lines over 998 octets leave folded at blanks, with the same words; one long word is refused"""
    talk, first = Talk(), sink.count()
    ids = b" ".join(b"<%030d@post.example>" % n for n in range(40))
    to = b", ".join(b"recipient%d@away.example" % n for n in range(60))
    for chunked in (False, True):
        assert talk.submit(OWN + b"References: " + ids + b"\r\nTo: " + to + b"\r\n\r\nx", chunked).startswith("250")
        assert talk.submit(OWN + b"X: " + b"x" * 1200 + b"\r\n\r\nx", chunked).startswith("554 5.6.0")
        assert talk.submit(b"From: (" + b"x" * 973 + b") alice@example.com", chunked).startswith("250")
        assert talk.submit(b"From: (" + b"x" * 974 + b") alice@example.com", chunked).startswith("250")
        assert talk.submit(b"From:(" + b"x" * 974 + b")alice@example.com", chunked).startswith("250")
        assert talk.submit(b"From:(" + b"x" * 975 + b")alice@example.com", chunked).startswith("554 5.6.0")
        assert talk.submit(b"From:(" + b"x" * 975 + b")alice", chunked).startswith("554 5.6.0")
    talk.close()
    check_left(first, talk.accepted, has_long_words=True)
    left = [re.sub(rb"\r\n(?=[ \t])", b"", head(sink.message(number))) for number in range(first + 1, first + talk.accepted + 1)]
    assert sum(b"\r\nReferences: " + ids + b"\r\nTo: " + to + b"\r\n" in text for text in left) == 2


@tap.case
def one_reading():
    """blanks in front of a colon, lines of blanks, From lines of mailboxes: refused, or one author for every reader"""
    talk, first = Talk(), sink.count()
    for text in (b"From : <alice@example.com>\r\n\r\nx", b"X-A : b\r\nFrom\t: <alice@example.com>\r\nSender : alice@example.com\r\n\r\nx",
                 OWN + b"Subject: a\r\n \r\nTo: b@away.example\r\n\r\nx", OWN + b"X-Y: z\r\n\t\r\n\r\nFrom: <ceo@bank.example>\r\n",
                 b"\r\nFrom: <ceo@bank.example>\r\n\r\nx", OWN + b"Subject: From: <ceo@bank.example>\r\n\r\nx"):
        for chunked in (False, True):
            assert talk.submit(text, chunked).startswith("250"), text
    for text in (b"From kim Mon Jan  1 00:00:00 2026\r\n" + OWN + b"\r\nx", OWN + b": no name\r\n\r\nx", OWN + b"hello there\r\n",
                 b"Subject: a\r\nhello there\r\n", OWN + b"X\xc3\xbc: a\r\n\r\nx", OWN + b"X y: a\r\n\r\nx"):
        for chunked in (False, True):
            assert talk.submit(text, chunked).startswith("554 5.6.0"), text
    talk.close()
    check_left(first, talk.accepted)


@tap.case
def once_and_not_in_our_name():
    """a field that may stand once is refused when it stands twice; a Date and Message-ID without a value are replaced;
    Authentication-Results in the name of the gateway leave in no spelling"""
    talk, first = Talk(), sink.count()
    for name in (b"Date", b"From", b"Sender", b"Reply-To", b"To", b"Cc", b"Message-ID", b"In-Reply-To", b"References", b"Subject"):
        field = name + b": <alice@example.com>\r\n"
        for chunked in (False, True):
            reply = talk.submit(field + b"X-A: b\r\n" + field.replace(b":", b" :", 1).lower() + (b"" if name == b"From" else OWN) + b"\r\nx", chunked)
            assert reply.startswith(f"554 5.6.0 More than one {name.decode()} header field"), (name, reply)
    results = b"Authentication-Results:%s; dkim=pass header.d=bank.example\r\n"
    hostname = b"mail.example.com"
    names = [b" " + hostname, hostname.upper(), b"\r\n (by (us)) " + hostname + b" 1", b' "' + hostname + b'"', b" " + hostname + b"\x0b",
             b" (unclosed " + hostname, b" mx.example.net"]
    for text in (b"Date: \r\nMessage-ID:\r\n\t\r\n", b"Date:\r\nMessage-ID: \r\nDate:\r\n"):
        assert talk.submit(OWN + text + b"".join(results.replace(b"%s", own) for own in names) + b"\r\nx").startswith("250"), text
    talk.close()
    check_left(first, talk.accepted)
    for number in (first + 1, first + 2):
        left = email.message_from_bytes(sink.message(number))
        assert [value.split(";")[0] for value in left.get_all("Authentication-Results")] == ["mx.example.net"], head(sink.message(number))
        assert len(left.get_all("Date")) == len(left.get_all("Message-ID")) == 1
        assert email.utils.parsedate(left["Date"]) and left["Message-ID"].endswith("@mail.example.com>"), (left["Date"], left["Message-ID"])


try:
    tap.run()
finally:
    gate.stop()
    sink.stop()
