"""stored: a gateway whose receiving host is not there until a test wants it: what was acknowledged waits on the disk, where
the test changes it."""
import contextlib

import gateway as g
import load


class Stored(g.Gateway):
    """Started, with its account; `home`: the test's workplace."""

    def __init__(self, home):
        self.home, self.host_port = home, g.free_port()
        super().__init__(f"{home}/gateway", extra='limits: { per_user = "1000000 recipients / 1h"; };',
                         routes=f'routes: ( {{ via = "smtp"; host = "127.0.0.1"; port = {self.host_port}; tls = "none"; }} );')
        self.spool = f"{self.directory}/spool"
        self.start()
        self.add_user()

    def take(self, names, size=1000):
        """Messages with these subjects, acknowledged in one session."""
        session = load.Session(self)
        for name in names:
            assert session.send(name, size=size).startswith("250")
        session.close()

    @contextlib.contextmanager
    def host(self):
        """The receiving host, for as long as the block runs."""
        sink = g.Sink(self.home, port=self.host_port)
        try:
            yield sink
        finally:
            sink.stop()

    def try_all(self):
        self.tool("queue", "retry", "--all", "--yes")

    def change(self, name, at, data):
        """Bytes of a file of the spool."""
        with open(f"{self.spool}/{name}", "r+b") as f:
            f.seek(at)
            f.write(data)
