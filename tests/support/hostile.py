"""hostile: hosts and clients that disconnect, stall or send wrong data at one point of the session.  A point is a state of
TCP, TLS or SMTP, an act is what is done there; the tests combine both tables.  Also measures what a process used: CPU,
memory, descriptors."""
import os
import random
import socket
import ssl
import struct
import threading
import time

TICKS = os.sysconf("SC_CLK_TCK")
FLOOD_BYTES = 64 << 20

# In the order of the session; for a host: what was read last.
HOST_POINTS = ("accepted", "greeting", "ehlo", "starttls", "hello unread", "hello read", "handshake", "secured", "mail", "rcpt",
               "data", "body", "dot", "quit")
CLIENT_POINTS = ("connected", "ehlo", "starttls", "hello", "handshake", "secured", "auth", "logged in", "mail", "rcpt", "data",
                 "body", "dot", "quit")
ACTS = ("close", "reset", "half record", "junk", "junk and reset", "alert", "silence", "dribble", "flood", "half close")
TLS_ONLY_POINTS = ("hello unread", "hello read", "handshake")


class Over(Exception):
    """Raised when the point is reached."""


def reset(connection):
    """Closes the connection so that the peer gets a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


class Wire:
    """A socket, plain or with TLS in memory, so that half of a flight can be sent."""

    def __init__(self, connection):
        self.socket, self.tls, self.buffer = connection, None, b""
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()

    def send(self, data):
        if not self.tls:
            self.socket.sendall(data)
            return
        while data:
            data = data[self.tls.write(data):]
            self.socket.sendall(self.outgoing.read())

    def receive(self):
        while self.tls:
            try:
                return self.tls.read(65536)
            except ssl.SSLWantReadError:
                data = self.socket.recv(65536)
                if not data:
                    return b""
                self.incoming.write(data)
        return self.socket.recv(65536)

    def line(self):
        while b"\n" not in self.buffer:
            data = self.receive()
            if not data:
                raise OSError("closed")
            self.buffer = self.buffer[-4096:] + data
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line + b"\n"

    def reply(self):
        while True:
            line = self.line()
            if line[3:4] != b"-":
                return line

    def until(self, end):
        while end not in self.buffer:
            data = self.receive()
            if not data:
                raise OSError("closed")
            self.buffer = self.buffer[-8:] + data
        self.buffer = self.buffer.split(end, 1)[1]

    def handshake(self, context, is_server, half=False):
        """half: sends only half of the first flight."""
        self.buffer = b""
        tls = context.wrap_bio(self.incoming, self.outgoing, server_side=is_server,
                               server_hostname=None if is_server else "mail.example.com")
        while True:
            try:
                tls.do_handshake()
                self.socket.sendall(self.outgoing.read())
                self.tls = tls
                return
            except ssl.SSLWantReadError:
                flight = self.outgoing.read()
                if half and flight:
                    self.socket.sendall(flight[:len(flight) // 2])
                    raise Over from None
                self.socket.sendall(flight)
                data = self.socket.recv(65536)
                if not data:
                    raise OSError("closed") from None
                self.incoming.write(data)

    # ---- hostile acts; each returns when the other side has ended the connection ----

    def act(self, act, slowly=1.0):
        getattr(self, "act_" + act.replace(" ", "_"))(slowly)

    def act_close(self, _slowly):
        self.socket.close()

    def act_reset(self, _slowly):
        reset(self.socket)

    def act_half_record(self, slowly):
        self.socket.sendall(b"\x16\x03\x03\x02\x00half of a record")
        self.act_silence(slowly)

    def act_junk(self, slowly):
        self.socket.sendall(b"\0" * 100)
        self.act_silence(slowly)

    def act_junk_and_reset(self, _slowly):
        self.socket.sendall(b"\x16\x03\x01\x00\x10text, no message")
        time.sleep(0.01)  # otherwise the reset may arrive first
        reset(self.socket)

    def act_alert(self, _slowly):
        if self.tls:
            # within TLS: the record is not encrypted, which has the same effect as a broken one
            self.socket.sendall(b"\x15\x03\x03\x00\x13" + b"\x02\x28" + os.urandom(17))
        else:
            self.socket.sendall(b"\x15\x03\x03\x00\x02\x02\x28")
        self.socket.close()

    def act_silence(self, _slowly):
        # reads nothing; notices the end by the state of the connection
        while True:
            time.sleep(0.2)
            data = self.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)
            if data[0] not in (1, 4, 5):  # ESTABLISHED, FIN_WAIT1, FIN_WAIT2
                break
        self.socket.close()

    def act_dribble(self, slowly):
        while True:
            self.send(b"2")
            time.sleep(slowly)

    def act_flood(self, _slowly):
        block = b"250-and so on and so forth, and never an end of it\r\n" * 1000
        for _ in range(FLOOD_BYTES // len(block)):
            self.send(block)
        self.act_silence(0)

    def act_half_close(self, slowly):
        if self.tls:
            try:
                self.tls.unwrap()
            except ssl.SSLError:
                pass
            self.socket.sendall(self.outgoing.read())
            self.socket.sendall(b"250 evil\r\nMAIL FROM:<evil@example.com>\r\n")
        else:
            self.socket.shutdown(socket.SHUT_WR)
        self.act_silence(slowly)


class Listener:
    """Accepts connections on a port of its own; `one` handles each of them in a thread."""

    def __init__(self):
        self.connections, self.open = 0, set()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=50)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            self.open.add(connection)
            threading.Thread(target=self.run, args=(connection,), daemon=True).start()

    def run(self, connection):
        try:
            self.one(connection)
        except (OSError, ssl.SSLError, ValueError):
            pass
        finally:
            connection.close()
            self.open.discard(connection)

    def stop(self):
        self.listener.close()
        for connection in list(self.open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class Host(Listener):
    """A receiving host that does `act` at `point`; "random": chosen for each connection."""

    def __init__(self, context, point, act, seed=0, slowly=1.0):
        self.context, self.point, self.act, self.slowly = context, point, act, slowly
        self.random, self.acts = random.Random(seed), 0
        super().__init__()

    def one(self, connection):
        point, act = self.point, self.act
        if point == "random":
            point, act = self.random.choice(HOST_POINTS), self.random.choice(ACTS)
        wire = Wire(connection)
        try:
            self.talk(wire, point)
        except Over:
            self.acts += 1
            wire.act(act, self.slowly)

    def start_tls(self, wire, reached, point):
        reached("starttls")
        wire.send(b"220 go on\r\n")
        if point == "hello unread":
            time.sleep(0.02)  # what arrives together with the 220 would be discarded with it
            raise Over
        if point == "hello read":
            wire.socket.recv(65536)
            raise Over
        wire.handshake(self.context, True, half=point == "handshake")
        reached("secured")

    def talk(self, wire, point):
        def reached(here):
            # for a peer that continues without TLS the points of TLS are at MAIL
            if here == point or (here == "mail" and point in (*TLS_ONLY_POINTS, "starttls", "secured")):
                raise Over
        reached("accepted")
        wire.send(b"220 hosti")
        reached("greeting")
        wire.send(b"le.example.net ESMTP\r\n")
        while True:
            verb = wire.line()[:4].upper().strip().decode(errors="replace").lower()
            if verb == "star":
                self.start_tls(wire, reached, point)
                continue
            reached(verb)
            if verb == "ehlo":
                wire.send(b"250-hostile.example.net\r\n250-PIPELINING\r\n" + (b"" if wire.tls else b"250-STARTTLS\r\n") + b"250 8BITMIME\r\n")
            elif verb == "data":
                wire.send(b"354 go\r\n")
                if point == "body":
                    wire.receive()
                    raise Over
                wire.until(b"\r\n.\r\n")
                reached("dot")
                wire.send(b"250 taken\r\n")
            elif verb == "quit":
                wire.send(b"221 bye\r\n")
                return
            else:
                wire.send(b"250 ok\r\n")


def client(port, is_implicit, point, act, *, user, secret, source, reached, slowly=1.0):
    """A client that does `act` at `point`, and returns when its connection has ended; it adds its point to `reached` when it
    gets there."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    wire = Wire(socket.create_connection(("127.0.0.1", port), 10, (source, 0)))
    wire.socket.settimeout(30)
    try:
        try:
            client_talk(wire, is_implicit, point, context, (user, secret))
        except Over:
            reached.add((port, point, act))
            wire.act(act, slowly)
    except (OSError, ssl.SSLError, ValueError):
        pass
    finally:
        wire.socket.close()


def client_talk(wire, is_implicit, point, context, login):
    def reached(here):
        if here == point:
            raise Over
    reached("connected")
    if not is_implicit:
        wire.reply()
        reached("ehlo")
        wire.send(b"EHLO hostile.example.com\r\n")
        wire.reply()
        wire.send(b"STARTTLS\r\n")
        reached("starttls")
        wire.reply()
    elif point in ("ehlo", "starttls"):
        raise Over
    reached("hello")
    wire.handshake(context, False, half=point == "handshake")
    if is_implicit:
        wire.reply()
    reached("secured")
    wire.send(b"EHLO hostile.example.com\r\n")
    wire.reply()
    reached("auth")
    wire.send(b"AUTH PLAIN " + login[1] + b"\r\n")
    wire.reply()
    reached("logged in")
    for here, command in (("mail", b"MAIL FROM:<" + login[0] + b">\r\n"), ("rcpt", b"RCPT TO:<bob@example.net>\r\n"),
                          ("data", b"DATA\r\n")):
        wire.send(command)
        reached(here)
        wire.reply()
    wire.send(b"From: <" + login[0] + b">\r\nTo: <bob@example.net>\r\nSubject: hostile\r\n\r\nhalf of a bo")
    reached("body")
    wire.send(b"dy\r\n.\r\n")
    reached("dot")
    wire.reply()
    wire.send(b"QUIT\r\n")
    raise Over


# ---- resources of a process ----

def cpu_seconds(pid):
    """User and system time of a process so far."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        words = f.read().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / TICKS


def cpu_share(pid, seconds):
    """The part of one core that a process uses during the next seconds."""
    before, began = cpu_seconds(pid), time.monotonic()
    time.sleep(seconds)
    return (cpu_seconds(pid) - before) / (time.monotonic() - began)


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def memory_kb(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))


def percentile(values, part):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * part))] if values else 0.0
