"""stored: a gateway whose receiving host does not run until a test starts it: acknowledged messages stay in the spool, where
the test changes them.  Each attempt reads the spool (first_attempt_memory), so that it meets the changes."""
import contextlib
import os

import gateway as g
import load


class Stored(g.Gateway):
    """A started gateway with its account; `home`: the directory of the test."""

    def __init__(self, home):
        self.home, self.host_port = home, g.free_port()
        spool = f'directory = "{home}/gateway/spool"; retry = [ "1s" ]; minimum_free = "1%"; first_attempt_memory = "0B";'
        super().__init__(f"{home}/gateway", queue=f"queue: {{ {spool} }};", extra='limits: { per_user = "1000000 recipients / 1h"; };',
                         routes=f'routes: ( {{ via = "smtp"; host = "127.0.0.1"; port = {self.host_port}; tls = "none"; }} );')
        self.spool = f"{self.directory}/spool"
        self.start()
        self.add_user()

    def take(self, names, size=1000):
        """Submits messages with these subjects in one session; all are acknowledged."""
        session = load.Session(self)
        for name in names:
            assert session.send(name, size=size).startswith("250")
        session.close()

    @contextlib.contextmanager
    def host(self):
        """Runs the receiving host while the block runs."""
        sink = g.Sink(self.home, port=self.host_port)
        try:
            yield sink
        finally:
            sink.stop()

    def try_all(self):
        self.tool("queue", "retry", "--all", "--yes")

    def place_of(self, text):
        """Returns the file of the spool that contains the text, and the offset."""
        for name in os.listdir(self.spool):
            with open(f"{self.spool}/{name}", "rb") as f:
                at = f.read().find(text)
            if at >= 0:
                return name, at
        raise AssertionError(f"{text} is nowhere")

    def change(self, name, at, data):
        """Overwrites bytes of a file of the spool."""
        with open(f"{self.spool}/{name}", "r+b") as f:
            f.seek(at)
            f.write(data)


def crc32c(data):
    """Returns the checksum that headers in the spool have (SPOOL.md)."""
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff
