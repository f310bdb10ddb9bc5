"""hostile: hosts that break off, stall or lie at one point of the talk, driven by a table; and what a process used
meanwhile: CPU, memory, descriptors."""
import os
import socket
import struct
import threading
import time

TICKS = os.sysconf("SC_CLK_TCK")


def reset(connection):
    """Ends the connection so that the peer gets a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


class StarttlsHost:
    """Offers STARTTLS, answers 220, sends `junk` and resets the connection before it reads the ClientHello."""

    def __init__(self, junk):
        self.junk, self.events = junk, 0
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=50)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.talk, args=(connection,), daemon=True).start()

    def talk(self, connection):
        try:
            connection.sendall(b"220 hostile.example.net ESMTP\r\n")
            connection.recv(1000)
            connection.sendall(b"250-hostile.example.net\r\n250 STARTTLS\r\n")
            if b"STARTTLS" not in connection.recv(1000):
                reset(connection)
                return
            connection.sendall(b"220 go on\r\n")
            time.sleep(0.1)  # what comes with the 220 would be dropped with it
            connection.sendall(self.junk)
            reset(connection)
            self.events += 1
        except OSError:
            connection.close()

    def stop(self):
        self.listener.close()


# ---- what a process uses ----

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
