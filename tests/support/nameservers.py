"""nameservers: servers on port 53 in the test's own network namespace: forwarders (dnsmasq), and fake servers with faults
that a real server does not have on demand."""
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import threading

import gateway as g

DNSMASQ = shutil.which("dnsmasq", path=os.environ.get("PATH", "") + ":/usr/sbin")
INSIDE = "SALLYPORT_TEST_NAMES_INSIDE"


def enter_namespace(script):
    """Runs the script again in a network namespace; returns None, or why it cannot be done.  Resolvers of resolv.conf get
    queries on port 53, which may be in use outside."""
    if os.environ.get(INSIDE):
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        return None
    if os.getuid() or subprocess.call(["unshare", "-n", "true"], stderr=subprocess.DEVNULL):
        return "needs root: port 53 in a network namespace"
    if not DNSMASQ or not shutil.which("ip"):
        return "dnsmasq or ip is missing (Debian packages dnsmasq-base, iproute2)"
    os.environ[INSIDE] = "1"
    os.execvp("unshare", ["unshare", "-n", "--", sys.executable, os.path.abspath(script)])


class Forwarder:
    """dnsmasq on port 53 of an address, which forwards to knotd; `drops`: without signatures, as old forwarders."""

    def __init__(self, home, address, port, drops=False, more=()):
        options = ["--filter-rr=RRSIG"] if drops else []
        self.log = f"{home}/dnsmasq-{address}.log"
        self.process = subprocess.Popen(
            [DNSMASQ, "-k", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--pid-file=", "--user=root",
             f"--listen-address={address}", "--bind-interfaces", f"--server=127.0.0.1#{port}", "--cache-size=0",
             "--log-queries", f"--log-facility={self.log}", *options, *more])
        g.wait_for("dnsmasq listens", 10, lambda: _answers(address))

    def asked(self, pattern):
        with open(self.log, encoding="utf-8") as f:
            return re.search(pattern, f.read())

    def stop(self):
        self.process.terminate()
        self.process.wait(10)


def _answers(address):
    run = subprocess.run(["kdig", f"@{address}", "+retry=0", "+timeout=1", "+short", "example.net", "SOA"],
                         capture_output=True, text=True, check=False)
    return run.returncode == 0 and run.stdout.startswith("ns.")


class Fake:
    """A nameserver for one name, which has itself as MX and the address 127.0.0.1; with faults that can be chosen."""

    def __init__(self, address, knows=None, drops=(), silent=False):
        self.knows, self.drops, self.silent, self.seen = knows, drops, silent, []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, 53))
        self.socket.settimeout(0.2)
        self.is_ending = False
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.is_ending:
            try:
                data, peer = self.socket.recvfrom(4096)
            except TimeoutError:
                continue
            at, labels = 12, []
            while data[at]:
                labels.append(data[at + 1:at + 1 + data[at]].decode("ascii").lower())
                at += 1 + data[at]
            name, kind = ".".join(labels), struct.unpack(">H", data[at + 1:at + 3])[0]
            self.seen.append((name, kind))
            if not self.silent and name not in self.drops and kind not in self.drops:
                self.socket.sendto(self.answer(data[:at + 5], name, kind), peer)

    def answer(self, question, name, kind):
        body = {1: bytes([127, 0, 0, 1]), 15: b"\x00\x0a\xc0\x0c"}.get(kind, b"") if name == self.knows else b""
        record = b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 60, len(body)) + body if body else b""
        code = 0x8180 if name == self.knows else 0x8183
        return question[:2] + struct.pack(">HHHHH", code, 1, 1 if body else 0, 0, 0) + question[12:] + record

    def stop(self):
        self.is_ending = True
        self.thread.join()
        self.socket.close()
