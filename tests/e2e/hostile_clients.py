#!/usr/bin/env python3
"""hostile_clients: what strangers and users throw at a running gateway, over real TLS, and what comes out at
the other end: one reply each, nothing smuggled, bounded memory, no role ends."""
import base64
import os
import resource
import socket
import ssl
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../support")
import gateway as g  # noqa: E402
import hostile  # noqa: E402
import load  # noqa: E402

HOME = g.workplace("hostile_clients")
tap = g.Tap()
sink = g.Sink(HOME)
gate = g.Gateway(f"{HOME}/gateway", extra='limits: { per_user = "100000 recipients / 1h"; sessions_per_client = 60;\n'
                 '  message_size = "1M"; };\nsubmission: { login_timeout = "3s"; message_timeout = "4s"; idle_timeout = "4s"; };',
                 routes=f'routes: ( {{ via = "smtp"; host = "127.0.0.1"; port = {sink.port}; tls = "none"; }} );').start()
gate.add_user()
BEFORE = dict(gate.processes())
HEAD = f"From: <{gate.user}>\r\nTo: <bob@example.net>\r\nSubject: outer\r\n\r\n".encode()
INNER = b"MAIL FROM:<alice@example.com>\r\nRCPT TO:<evil@example.net>\r\nDATA\r\nSubject: inner\r\n\r\nsmuggled\r\n.\r\n"

LOOK_ALIKES = [
    b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n", b"\n.\r", b"\r\n.\r", b"\r\n.\r\r\n", b"\r\r\n.\r\r\n",
    b"\r\n\0.\r\n", b"\r\n.\0\r\n", b"\r\0\n.\r\n", b"\r\n.\r\0\n", b"\r\n. \r\n", b"\r\n.\t\r\n", b"\r\n .\r\n",
    b"\r\n\v.\r\n", "\r\n\u0085.\u0085\r\n".encode(), "\u2028.\u2028".encode()]


def transaction(session, data):
    """MAIL, RCPT, DATA, the bytes; every reply that comes until a NOOP is answered."""
    session.socket.sendall(f"MAIL FROM:<{gate.user}>\r\nRCPT TO:<bob@example.net>\r\nDATA\r\n".encode())
    for code in ("250", "250", "354"):
        session.expect(code)
    session.socket.sendall(data)
    return session.reply()


@tap.case
def look_alikes_end_nothing():
    """19 look-alikes of the end of data: one reply, nothing smuggled"""
    for look_alike in LOOK_ALIKES:
        session = load.Session(gate)
        reply = transaction(session, HEAD + b"first" + look_alike + INNER.replace(b"\r\n.\r\n", b"\r\nx\r\n") + b"\r\n.\r\n")
        assert reply[:3] in ("250", "550", "554", "500"), (look_alike, reply)
        session.say(b"NOOP\r\n", "250")
        session.close()
    time.sleep(1)
    for message in sink.messages():
        head = message.split(b"\r\n\r\n", 1)[0]
        assert b"Subject: inner" not in head, message[:200]
        assert b"\r" not in message.replace(b"\r\n", b"") and b"\n" not in message.replace(b"\r\n", b"")
        assert b"\0" not in message
    for number in range(1, sink.count() + 1):
        assert "evil@example.net" not in sink.envelope(number)


@tap.case
def the_end_cut_anywhere():
    """CRLF.CRLF cut at each byte over packets is one end"""
    session = load.Session(gate)
    end = b"text\r\n.\r\n"
    before = sink.count()
    for cut in range(1, len(end)):
        session.socket.sendall(f"MAIL FROM:<{gate.user}>\r\nRCPT TO:<bob@example.net>\r\nDATA\r\n".encode())
        for code in ("250", "250", "354"):
            session.expect(code)
        session.socket.sendall(HEAD + end[:cut])
        time.sleep(0.02)
        session.socket.sendall(end[cut:])
        assert session.reply().startswith("250"), cut
    session.close()
    sink.wait(before + len(end) - 1)


def plain():
    s = socket.create_connection(("127.0.0.1", gate.submission), 10)
    s.settimeout(10)
    f = s.makefile("rb")
    f.readline()
    return s, f


@tap.case
def injected_plaintext():
    """bytes behind STARTTLS in the clear: 501 and close"""
    for more in (b"NOOP\r\n", b"EHLO x\r\nMAIL FROM:<alice@example.com>\r\n", b"\x16\x03\x01"):
        s, f = plain()
        s.sendall(b"EHLO x\r\n")
        while f.readline()[3:4] == b"-":
            pass
        s.sendall(b"STARTTLS\r\n" + more)
        said = f.read()
        assert said.startswith(b"501 5.5.4") or said.startswith(b"501"), said
        s.close()


@tap.case
def no_handshake():
    """junk, a 64 KB record, SSLv2 and an alert in place of a handshake end the connection"""
    for junk in (os.urandom(300), b"\x16\x03\x01\xff\xff" + b"A" * 65535, b"\x80\x2e\x01\x00\x02" + b"\0" * 40,
                 b"\x15\x03\x01\x00\x02\x02\x28", b"POST / HTTP/1.1\r\nHost: x\r\n\r\n"):
        s = socket.create_connection(("127.0.0.1", gate.smtps), 10)
        s.settimeout(10)
        try:
            s.sendall(junk)
            while s.recv(4096):
                pass
        except ConnectionError:
            pass
        s.close()


@tap.case
def http_is_sent_away():
    """HTTP on the port closes at once"""
    s, f = plain()
    s.sendall(b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nEHLO x\r\nMAIL FROM:<a@b>\r\n")
    assert len(f.read().splitlines()) <= 1
    s.close()


def raw_auth(line):
    client = gate.connect(login=False)
    client.sock.sendall(line)
    try:
        return client.getreply()[0]
    except (g.smtplib.SMTPException, OSError):
        return 0
    finally:
        client.close()


@tap.case
def malformed_auth():
    """AUTH PLAIN with every malformed response: refused, never accepted, never a crash"""
    good = f"\0{gate.user}\0{g.PASSWORD}".encode()
    cases = [b"!!!!", b"====", b"=", b"AGFsaWNl=AGZvbw==", base64.b64encode(good)[:-1], base64.b64encode(b""),
             base64.b64encode(b"\0"), base64.b64encode(b"\0\0\0"), base64.b64encode(good + b"\0"),
             base64.b64encode(good + b"\0junk"), base64.b64encode(b"bob@example.com" + good),
             base64.b64encode(b"\0alice@example.com\r\n\0" + g.PASSWORD.encode())]
    cases += [base64.b64encode(b"\0" + b"u" * n + b"\0p") for n in (1, 40, 255, 256, 257, 1023, 1024, 1025, 4095, 8191)]
    cases += [base64.b64encode(b"\0" + name + b"\0x") for name in (b"*)(uid=*", b"' OR '1'='1", b"../../etc/passwd")]
    for case in cases:
        code = raw_auth(b"AUTH PLAIN " + case + b"\r\n")
        # nothing at all behind the mechanism is a request for the challenge
        assert code in (0, 421, 454, 500, 501, 535) or (not case and code == 334), (case[:60], code)
    for size in (100_000, 2_000_000):
        assert raw_auth(b"AUTH PLAIN " + b"A" * size + b"\r\n") in (0, 421, 500, 501), size


def memory_kb():
    total = 0
    for pid in gate.processes():
        with open(f"/proc/{pid}/status", encoding="ascii") as f:
            total += next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))
    return total


@tap.case
def large_things_are_bounded():
    """32 MiB without a line end, a 1 MiB command, a 20 MiB message, 100,000 fields, 10,000 recipients"""
    before = memory_kb()
    client = gate.connect(login=False)
    try:
        for _ in range(512):
            client.sock.sendall(b"A" * 65536)
    except OSError:
        pass
    client.close()
    session = load.Session(gate)
    reply = transaction(session, HEAD + (b"x" * 998 + b"\r\n") * 20000 + b".\r\n")
    assert reply.startswith("552 5.3.4"), reply
    session.say(b"NOOP\r\n", "250")
    reply = transaction(session, HEAD[:-2] + b"X-F: y\r\n" * 100000 + b"\r\n.\r\n")
    assert reply[:3] in ("552", "554"), reply
    session.socket.sendall(f"MAIL FROM:<{gate.user}>\r\n".encode())
    session.expect("250")
    codes = {}
    for start in range(0, 10000, 100):
        session.socket.sendall(b"".join(b"RCPT TO:<r%d@example.net>\r\n" % n for n in range(start, start + 100)))
        for _ in range(100):
            line = session.reply()
            codes[line[:9]] = codes.get(line[:9], 0) + 1
    assert codes.get("452 4.5.3") == 9800, codes
    session.say(b"RSET\r\n", "250")
    session.close()
    assert memory_kb() - before < (800000 if g.is_sanitized() else 40000), (before, memory_kb())


@tap.case
def slow_clients_are_ended():
    """half handshakes, byte-per-second and stalled clients are ended by absolute deadlines; others do not wait"""
    slow = []
    for n in range(40):
        s = socket.create_connection(("127.0.0.1", gate.smtps if n % 2 else gate.submission), 10)
        s.sendall(b"\x16\x03\x01\x00\x80" if n % 2 else b"EH")
        slow.append(s)
    began = time.monotonic()
    session = load.Session(gate)
    assert session.send("quick").startswith("250")
    session.close()
    assert time.monotonic() - began < 1.5
    until = time.monotonic() + 8
    ended = 0
    for s in slow:
        s.settimeout(max(0.1, until - time.monotonic()))
        try:
            s.sendall(b"L")
            while s.recv(4096):
                pass
            ended += 1
        except ConnectionError:
            ended += 1
        except OSError:
            pass
        s.close()
    assert ended == 40, ended
    session = load.Session(gate)
    session.socket.sendall(f"MAIL FROM:<{gate.user}>\r\nRCPT TO:<bob@example.net>\r\nDATA\r\n".encode())
    for code in ("250", "250", "354"):
        session.expect(code)
    said = ""
    for _ in range(20):
        try:
            session.socket.sendall(b"x")
            session.socket.settimeout(0.5)
            said = session.socket.recv(200).decode()
            break
        except (TimeoutError, ssl.SSLWantReadError):
            continue
        except OSError:
            break
    assert said.startswith("421"), said
    session.close()


@tap.case
def many_connections_from_one_address():
    """5,000 connections from one address: bounded per client over all processes, and others are served"""
    resource.setrlimit(resource.RLIMIT_NOFILE, (6000, max(6000, resource.getrlimit(resource.RLIMIT_NOFILE)[1])))
    time.sleep(0.5)
    greeted, refused, kept, began = 0, 0, [], time.monotonic()
    for _ in range(5000):
        s = socket.create_connection(("127.0.0.1", gate.submission), 10)
        s.settimeout(10)
        said = s.recv(100)
        if said.startswith(b"220"):
            greeted += 1
            kept.append(s)
        else:
            assert said.startswith(b"421 4.7.0"), said
            refused += 1
            s.close()
    try:
        # some reach login_timeout (3 s) and make room meanwhile
        assert greeted <= 60 * (2 + int((time.monotonic() - began) / 3)), greeted
        assert len(kept) and refused > 1000, (greeted, refused)
        other = socket.socket()
        other.bind(("127.0.0.2", 0))
        other.settimeout(10)
        other.connect(("127.0.0.1", gate.submission))
        assert other.recv(3) == b"220"
        other.close()
    finally:
        for s in kept:
            s.close()
    g.wait_for("room again", 10, gate.banner)


@tap.case
def cut_anywhere():
    """connections cut at each step leave nothing behind"""
    before = sink.count()
    steps = [b"MAIL FROM:<alice@example.com>\r\n", b"RCPT TO:<bob@example.net>\r\n", b"DATA\r\n", HEAD, b"body\r\n", b"."]
    for upto in range(len(steps) + 1):
        session = load.Session(gate)
        session.socket.sendall(b"".join(steps[:upto]))
        session.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        session.close()
    session = load.Session(gate)
    session.socket.sendall(b"MAIL FROM:<alice@example.com>\r\nRCPT TO:<bob@example.net>\r\nBDAT 1000 LAST\r\nhalf")
    session.close()
    time.sleep(0.5)
    assert sink.count() == before


def submission_pids():
    return [pid for pid, (role, _) in gate.processes().items() if role == "submission"]


def hostile_clients(kinds, reached):
    """A thread for each (port, point, act); every point has an address of its own."""
    secret = base64.b64encode(f"\0{gate.user}\0{g.PASSWORD}".encode())
    threads = []
    for port, point, act in kinds:
        source = f"127.0.{1 if port == gate.smtps else 2}.{hostile.CLIENT_POINTS.index(point) + 1}"
        options = {"user": gate.user.encode(), "secret": secret, "slowly": 0.2, "source": source, "reached": reached}
        threads.append(threading.Thread(target=hostile.client, args=(port, port == gate.smtps, point, act), kwargs=options))
    for thread in threads:
        thread.start()
    return threads


@tap.case
def hostile_at_every_point():
    """clients that close, reset, send half a record, junk or an alert, are silent, dribble or flood at each point, on both
    ports at once: others are served meanwhile, and all that they took is given back"""
    before = {pid: hostile.descriptors(pid) for pid in submission_pids()}
    kb = memory_kb()
    kinds = {(port, point, act) for port in (gate.smtps, gate.submission) for point in hostile.CLIENT_POINTS
             for act in hostile.ACTS}
    reached = set()
    threads = hostile_clients(kinds, reached)
    session, longest = load.Session(gate), 0
    until = time.monotonic() + 60
    while time.monotonic() < until and any(thread.is_alive() for thread in threads):
        began = time.monotonic()
        assert session.send("beside").startswith("250")
        longest = max(longest, time.monotonic() - began)
        time.sleep(0.1)
    session.close()
    alive = [thread for thread in threads if thread.is_alive()]
    print(f"# {len(threads)} hostile clients; a message beside them took {1000 * longest:.0f} ms at most", flush=True)
    assert not alive, f"{len(alive)} connections are still open"
    # on a busy machine some are sent away by a deadline before they come to their point: once more, without the crowd
    for thread in hostile_clients(kinds - reached, reached):
        thread.join(60)
    assert reached == kinds, kinds - reached
    assert longest < 5, longest
    for pid, count in before.items():
        g.wait_for("descriptors given back", 20, lambda at=pid, most=count: hostile.descriptors(at) <= most, every=0.2)
        share = hostile.cpu_share(pid, 3)
        print(f"# submission: {100 * share:.1f} % of a core afterwards", flush=True)
        assert share < 0.05, share
    print(f"# all roles: {kb} KB before, {memory_kb()} KB after", flush=True)
    assert memory_kb() - kb < (800000 if g.is_sanitized() else 40000), (kb, memory_kb())
    # the counters of clients are back too: each address may have all its sessions again
    for source in ("127.0.1.1", "127.0.2.8"):
        room = [socket.create_connection(("127.0.0.1", gate.submission), 10, (source, 0)) for _ in range(60)]
        assert all(s.recv(3) == b"220" for s in room), source
        for s in room:
            s.close()


@tap.case
def no_role_ended():
    """after all this every process is the same one, and mail flows"""
    load.still_served(gate, BEFORE, sink)


try:
    tap.run()
finally:
    gate.stop()
    sink.stop()
