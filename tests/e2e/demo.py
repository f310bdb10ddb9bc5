#!/usr/bin/env python3
"""demo: what `./try` shows: real mail refused, accepted, deferred, retried, delivered, on loopback."""
import argparse
import os
import random
import re
import signal
import socket
import sys
import time

parser = argparse.ArgumentParser()
parser.add_argument("--build", required=True)
parser.add_argument("--keep", action="store_true")
options = parser.parse_args()
os.environ["TOP_BUILDDIR"] = options.build
os.environ["TOP_SRCDIR"] = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../support")
import gateway as g  # noqa: E402

HOME = g.workplace("try", parent="")
ALICE, BOB = "alice@example.com", "bob@example.net"
WORDS = "amber brave calm dusty eager fuzzy gentle happy jolly lucky mellow noble quiet rapid sunny witty".split()
BEASTS = "badger crane dingo egret falcon gecko heron ibis jackal koala lemur marten newt otter puffin quail".split()
PASSWORD = f"{random.SystemRandom().choice(WORDS)}-{random.SystemRandom().choice(BEASTS)}-" \
           f"{random.SystemRandom().randrange(1000, 9999)}"
BEGAN = time.monotonic()
met = failed = 0


def expect(label, is_so, seen):
    """One line a person can read; what deviates is counted and makes the exit status 1."""
    global met, failed
    met, failed = met + bool(is_so), failed + (not is_so)
    print(f"    {label:<40} {seen:<62} {'as it should' if is_so else 'NOT AS IT SHOULD'}", flush=True)


def line_of(code, text):
    return f"{code} {(text if isinstance(text, str) else text.decode(errors='replace')).splitlines()[-1]}"


class Talk:
    """A plain socket, for what smtplib would not say."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), 10)
        self.file = self.socket.makefile("rb")
        self.reply()

    def reply(self):
        lines = [self.file.readline().decode()]
        while lines[-1][3:4] == "-":
            lines.append(self.file.readline().decode())
        return lines[-1].strip()

    def say(self, line):
        self.socket.sendall(line.encode() + b"\r\n")
        return self.reply()

    def close(self):
        self.file.close()
        self.socket.close()


def refusals(gate):
    talk = Talk(gate.submission)
    talk.say("EHLO laptop.example.com")
    seen = talk.say("AUTH PLAIN AGFsaWNlAHNlY3JldA==")
    expect("AUTH before STARTTLS", seen.startswith("530 5.7.0"), seen)
    talk.close()
    client = gate.connect(login=False)
    code, text = client.docmd("MAIL", f"FROM:<{ALICE}>")
    expect("MAIL without login", code == 530, line_of(code, text))
    try:
        client.login(ALICE, "wrong")
        expect("wrong password", False, "accepted")
    except g.smtplib.SMTPAuthenticationError as refusal:
        expect("wrong password", refusal.smtp_code == 535, line_of(refusal.smtp_code, refusal.smtp_error))
    client.close()
    client = gate.connect(password=PASSWORD)
    code, text = client.mail("ceo@example.com")
    expect("MAIL FROM somebody else", code == 550 and b"5.7.1" in text, line_of(code, text))
    client.rset()
    client.mail(ALICE)
    client.rcpt(BOB)
    code, text = client.data(f"From: The CEO <ceo@example.com>\r\nTo: {BOB}\r\n\r\nPay at once.\r\n".encode())
    named = ALICE.encode() in text and b"ceo@example.com" in text
    expect("From: ceo@example.com, logged in as alice", code == 550 and named, line_of(code, text))
    client.mail(ALICE)
    for number in range(31):
        code, text = client.rcpt(f"list{number}@example.net")
    expect("31 recipients, limit 30", code == 452 and b"4.5.3" in text, line_of(code, text))
    client.quit()


def delivery(gate, sink):
    client = gate.connect(password=PASSWORD)
    began = time.monotonic()
    code, text = gate.send(client=client, text="It works.\r\n", subject="Hello from sallyport", recipients=(BOB,))
    took = (time.monotonic() - began) * 1000
    client.quit()
    expect(f"{ALICE} -> {BOB}", code == 250 and text.startswith("2.0.0 "), f"{line_of(code, text)} ({took:.0f} ms)")
    # what was logged in the last 10 ms dies with the process that writes the log
    gate.wait_log("deliver .*status=deferred ")
    gate.kill_group()
    print("    the whole gateway was ended with SIGKILL; starting it again", flush=True)
    gate.start()
    sink.wait(1, 30)
    gate.wait_log("^.* done id=")
    log = gate.log()
    first = re.search(r"deliver .*status=deferred .*", log)
    last = re.search(r"deliver .*status=sent .*", log)
    expect("first try: greylisted", first and "451" in first.group(), "status=deferred " + " ".join(
        re.findall(r"(?:reason|code|mx)=\S+", first.group() if first else "")))
    expect("second try: delivered", bool(last), "status=sent " + " ".join(
        re.findall(r"(?:code|mx|tls|delay)=\S+", last.group() if last else "")))
    expect("delivered once", sink.count() == 1, f"{sink.count()} message at mx.example.net")
    received = sink.message().decode()
    found = re.search(r"Queued as (\S+)", text)
    number = found.group(1) if found else "?"
    expect("its id ties Received to the log", number in received and f"accept id={number}" in log, number)
    expect("what was missing was added", all(f"\n{name}: " in "\n" + received for name in (
        "Received", "Date", "Message-ID")), "Received, Date, Message-ID")
    expect("its words are untouched", received.endswith("\r\nIt works.\r\n"), "body as sent")
    waiting = gate.queue()
    expect("nothing is left in the queue", not waiting, f"{len(waiting)} messages")
    return number


def show(gate, sink, number):
    print("\n  What bob received (build/try/sink/1.eml):")
    for line in sink.message().decode().splitlines():
        print(f"    | {line}")
    print("\n  The same, as the log tells it (build/try/gateway/log):")
    session = number.split("-")[0]
    for line in gate.log().splitlines():
        if session in line:
            print("    | " + re.sub(r"^\S+ sallyportd\[\d+\]: ", "", line))


def keep_running(gate):
    print(f"""
Left running (process {gate.process.pid}; Ctrl-C ends it):
  host 127.0.0.1, port {gate.smtps} (TLS) or {gate.submission} (STARTTLS), certificate self-signed
  user {ALICE}, password {PASSWORD}
  the tool: build/sallyport -c build/try/gateway/sallyport.cfg queue list""", flush=True)
    try:
        signal.sigwait({signal.SIGINT, signal.SIGTERM})
    except KeyboardInterrupt:
        pass


def main():
    began = time.monotonic()
    dns = sink = gate = None
    try:
        dns = g.Dns(HOME, {"example.net": "@ MX 10 mx\nmx A 127.0.0.1"})
        cert, key = g.certificate(f"{HOME}/mx", "mx.example.net")
        sink = g.Sink(HOME, "--name", "mx.example.net", "--greylist", "--cert", cert, "--key", key)
        gate = g.Gateway(
            f"{HOME}/gateway", extra=dns.config + "\nlimits: { recipients_per_message = 30; };", notices="",
            routes=f'routes: ( {{ via = "mx"; port = {sink.port}; allow_private = true; }} );').start()
        gate.add_user(ALICE, PASSWORD)
        print(f"[3/5] start      gateway 127.0.0.1:{gate.smtps} (TLS) and :{gate.submission} (STARTTLS), "
              f"self-signed certificate\n                 account {ALICE}, password {PASSWORD} (made up for this run)\n"
              f"                 a DNS server (knot: example.net, signed, with MX), a receiving host that greylists"
              f"      ok, {time.monotonic() - began:.0f} s\n[4/5] refusals", flush=True)
        refusals(gate)
        print("[5/5] delivery", flush=True)
        number = delivery(gate, sink)
        show(gate, sink, number)
        if options.keep:
            keep_running(gate)
    finally:
        for part in (gate, sink, dns):
            if part:
                part.stop()
    verdict = f"All {met} expectations met" if not failed else f"{failed} of {met + failed} expectations NOT met"
    print(f"\n{verdict} in {time.monotonic() - BEGAN:.0f} s.  Everything is stopped; build/ may be deleted.")
    if not failed:
        print("  Keep it running and point a mail program at it:  ./try --keep\n"
              "  Run every test:                                  ./try check")
    sys.exit(failed > 0)


main()
