"""load: sends many small messages in several logged-in sessions, pipelined, each with a unique name, and records exactly
which were acknowledged."""
import base64
import socket
import ssl
import threading

import gateway as g


class Session:
    """One TLS session after AUTH PLAIN, faster than smtplib."""

    def __init__(self, gate):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        plain = socket.create_connection(("127.0.0.1", gate.smtps), 10)
        self.socket = context.wrap_socket(plain)
        self.file = self.socket.makefile("rb")
        self.gate = gate
        self.expect("220")
        self.say(b"EHLO load.example.com\r\n", "250")
        secret = base64.b64encode(f"\0{gate.user}\0{g.PASSWORD}".encode())
        self.say(b"AUTH PLAIN " + secret + b"\r\n", "235")

    def reply(self):
        while True:
            line = self.file.readline().decode(errors="replace")
            if not line:
                raise OSError("connection lost")
            if line[3:4] != "-":
                return line

    def expect(self, code):
        line = self.reply()
        if not line.startswith(code):
            raise g.smtplib.SMTPException(line)
        return line

    def say(self, data, code):
        self.socket.sendall(data)
        return self.expect(code)

    def send(self, name, recipient="bob@example.net", size=1000):
        """Returns the reply to the data; raises an error when the session is lost before it."""
        text = (f"From: <{self.gate.user}>\r\nTo: <{recipient}>\r\nSubject: {name}\r\n\r\n" + "x" * 70 + "\r\n" +
                ("y" * 78 + "\r\n") * (size // 80) + ".\r\n")
        self.socket.sendall(f"MAIL FROM:<{self.gate.user}>\r\nRCPT TO:<{recipient}>\r\nDATA\r\n".encode())
        self.expect("250")
        self.expect("250")
        self.expect("354")
        self.socket.sendall(text.encode())
        return self.reply()

    def close(self):
        try:
            self.file.close()
            self.socket.close()
        except OSError:
            pass


class Load:
    """`sessions` threads that keep sending until stop(); a lost session is opened again."""

    def __init__(self, gate, sessions=4, label="m", size=1000):
        self.gate, self.label, self.size = gate, label, size
        self.acknowledged, self.refused = set(), []
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(n,)) for n in range(sessions)]
        for thread in self.threads:
            thread.start()

    def run(self, which):
        number = 0
        while not self.over.is_set():
            session = None
            try:
                session = Session(self.gate)
                while not self.over.is_set():
                    number += 1
                    name = f"{self.label}-{which}-{number}"
                    reply = session.send(name, size=self.size)
                    if reply.startswith("250"):
                        self.acknowledged.add(name)
                    else:
                        self.refused.append(reply)
            except (OSError, ValueError, g.smtplib.SMTPException):
                self.over.wait(0.02)
            finally:
                if session:
                    session.close()

    def stop(self):
        self.over.set()
        for thread in self.threads:
            thread.join(60)


def still_served(gate, processes, sink):
    """Asserts that all processes are the same as before, and that a message is delivered."""
    assert gate.processes() == processes, gate.tail()
    before = sink.count()
    session = Session(gate)
    assert session.send("at-the-end").startswith("250")
    session.close()
    sink.wait(before + 1)


def subjects(sink):
    """Returns subject -> how often it arrived."""
    found = {}
    for message in sink.messages():
        at = message.find(b"\r\nSubject: ")
        if at >= 0:
            name = message[at + 11:message.find(b"\r\n", at + 11)].decode()
            found[name] = found.get(name, 0) + 1
    return found
