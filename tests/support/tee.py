"""tee: a proxy between a mail program and the gateway, which terminates the TLS of both and records what the program sent: so
that a message which the program composed can be compared byte for byte with the delivered one."""
import re
import select
import socket
import ssl
import threading

TIMEOUT_S = 60


class Tee:
    """Listens with this certificate on two ports: for implicit TLS and for STARTTLS."""

    def __init__(self, certificate, key, smtps, submission):
        self.server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.server.load_cert_chain(certificate, key)
        self.client = ssl.create_default_context()
        self.client.check_hostname, self.client.verify_mode = False, ssl.CERT_NONE
        self.sent, self.lock = [], threading.Lock()
        self.listeners = []
        self.implicit = self.listen(smtps, self.from_first_byte)
        self.starttls = self.listen(submission, self.from_starttls)

    def listen(self, target, handler):
        listener = socket.create_server(("127.0.0.1", 0))
        self.listeners.append(listener)
        threading.Thread(target=self.accept, args=(listener, target, handler), daemon=True).start()
        return listener.getsockname()[1]

    def accept(self, listener, target, handler):
        while True:
            try:
                program = listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self.serve, args=(program, target, handler), daemon=True).start()

    def serve(self, program, target, handler):
        try:
            with program, socket.create_connection(("127.0.0.1", target), TIMEOUT_S) as gateway:
                program.settimeout(TIMEOUT_S)
                handler(program, gateway)
        except OSError:
            pass  # one of the two has disconnected: the test notices what is missing

    def from_first_byte(self, program, gateway):
        self.pass_on(self.server.wrap_socket(program, server_side=True), self.client.wrap_socket(gateway))

    def from_starttls(self, program, gateway):
        commands, replies = program.makefile("rb"), gateway.makefile("rb")
        line = b""
        while line.strip().upper() != b"STARTTLS":
            if line:
                gateway.sendall(line)
            self.pass_reply(replies, program)
            line = commands.readline()
            if not line:
                return
        gateway.sendall(line)
        self.pass_reply(replies, program)
        self.from_first_byte(program, gateway)

    @staticmethod
    def pass_reply(replies, program):
        line = b"000-"
        while line[3:4] == b"-":
            line = replies.readline()
            program.sendall(line)

    def pass_on(self, program, gateway):
        received = bytearray()
        with self.lock:
            self.sent.append(received)
        other = {program: gateway, gateway: program}
        while True:
            ready = [end for end in other if end.pending()] or select.select(list(other), [], [], TIMEOUT_S)[0]
            for end in ready:
                data = self.read(end)
                if not data and data is not None:
                    return
                if data and end is program:
                    received += data
                if data:
                    other[end].sendall(data)
            if not ready:
                return

    @staticmethod
    def read(end):
        """Returns None when only TLS itself has sent something."""
        end.setblocking(False)
        try:
            return end.recv(65536)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return None
        finally:
            end.settimeout(TIMEOUT_S)

    def messages(self):
        """Returns the text after each DATA, without dot-stuffing."""
        with self.lock:
            sessions = [bytes(received) for received in self.sent]
        found = []
        for session in sessions:
            for part in re.split(rb"(?<=\r\n)DATA(?=\r\n)", session, flags=re.I)[1:]:
                text = part.split(b"\r\n.\r\n")[0] + b"\r\n"
                found.append(text.replace(b"\r\n.", b"\r\n").removeprefix(b"\r\n"))
        return found

    def stop(self):
        for listener in self.listeners:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
