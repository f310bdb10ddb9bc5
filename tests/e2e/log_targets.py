#!/usr/bin/env python3
"""log_targets: rsyslog on /dev/log and a receiver of the journal's protocol hear each line once, with its priority,
facility, name and process, also after the receiver was started anew.  In mounts of the test's own."""
import json
import os
import re
import shutil
import socket
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../support")
import gateway as g  # noqa: E402

HOME = g.workplace("log_targets")
tap = g.Tap()
DEVICES = ("null", "zero", "full", "random", "urandom")
JOURNAL = "/run/systemd/journal/socket"


def private_mounts():
    """A /dev and a /run that nobody else sees."""
    dev = f"{HOME}/dev"
    os.makedirs(dev)
    subprocess.run(["mount", "-t", "tmpfs", "none", dev], check=True)
    for name in DEVICES:
        with open(f"{dev}/{name}", "w", encoding="ascii"):
            pass
        subprocess.run(["mount", "--bind", f"/dev/{name}", f"{dev}/{name}"], check=True)
    os.symlink("/proc/self/fd", f"{dev}/fd")
    subprocess.run(["mount", "--rbind", dev, "/dev"], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "none", "/run"], check=True)


class Syslog:
    """rsyslogd on /dev/log; each line as it understood it."""

    def __init__(self):
        self.out, config = f"{HOME}/syslog.out", f"{HOME}/rsyslog.conf"
        with open(config, "w", encoding="ascii") as f:
            f.write('module(load="imuxsock" SysSock.Name="/dev/log" SysSock.RateLimit.Interval="0")\n'
                    'template(name="all" type="list") { property(name="jsonmesg") constant(value="\\n") }\n'
                    f'*.* action(type="omfile" file="{self.out}" template="all")\n')
        self.process = subprocess.Popen(["rsyslogd", "-n", "-f", config, "-i", f"{HOME}/rsyslog.pid"], stdin=subprocess.DEVNULL)
        g.wait_for("rsyslogd", 20, lambda: os.path.exists("/dev/log"))

    def lines(self):
        if not os.path.exists(self.out):
            return []
        with open(self.out, encoding="utf-8") as f:
            every = [json.loads(line) for line in f.read().splitlines()]
        return [line for line in every if line["programname"] == "sallyportd"]

    def stop(self):
        self.process.terminate()
        self.process.wait(20)


def receiving_host(name, target):
    sink = g.Sink(f"{HOME}/{name}-host")
    gate = g.Gateway(f"{HOME}/{name}", log=f'log: {{ target = "{target}"; }};',
                     routes=f'routes: ( {{ via = "smtp"; host = "127.0.0.1"; port = {sink.port}; tls = "none"; }} );')
    return sink, gate


def one_message(gate, lines, text_of):
    """It is sent, and what was logged of it came; the lines that name it."""
    code, reply = gate.send()
    assert code == 250, reply
    number = reply.split("Queued as ")[1].split()[0]
    g.wait_for("the lines of a message", 20, lambda: any(f"done id={number} " in text_of(line) for line in lines()))
    mine = [line for line in lines() if number in text_of(line)]
    for event in ("accept", "deliver", "done"):
        assert sum(text_of(line).split()[0] == event for line in mine) == 1, (event, mine)
    return mine


def text_of_syslog(line):
    return line["msg"].lstrip(" ")


@tap.case
def syslog():
    """facility mail, priority, name, process and the whole text of each line; after rsyslogd was started anew, too"""
    if not shutil.which("rsyslogd"):
        return "rsyslogd is not there"
    receiver = Syslog()
    sink, gate = receiving_host("syslog", "syslog")
    gate.start().add_user()
    pids = {str(pid) for pid in gate.processes()} | {str(gate.main_pid())}
    for line in one_message(gate, receiver.lines, text_of_syslog):
        assert line["syslogfacility"] == "2" and line["syslogseverity"] == "6" and line["procid"] in pids, line
        assert re.fullmatch(r"<22>sallyportd\[\d+\]: .+", line["rawmsg"]) and line["syslogtag"] == f"sallyportd[{line['procid']}]:"
    gate.tool("queue", "hold", "--all", "--yes", "--reason", "quoted \" and ünder")
    notice = r' admin id=- action=queue\.hold .* reason="quoted \\" and ünder"'
    g.wait_for("a notice", 20, lambda: any(
        line["syslogseverity"] == "5" and re.fullmatch(notice, line["msg"]) for line in receiver.lines()))
    receiver.stop()
    receiver = Syslog()
    gate.tool("reload")
    one_message(gate, receiver.lines, text_of_syslog)
    gate.stop()
    sink.stop()
    receiver.stop()
    return None


class Journal:
    """Takes the datagrams that journald would take."""

    def __init__(self):
        os.makedirs(os.path.dirname(JOURNAL), exist_ok=True)
        self.socket, self.taken = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM), []
        self.socket.bind(JOURNAL)
        self.socket.setblocking(False)

    def lines(self):
        while True:
            try:
                data = self.socket.recv(1 << 20)
            except BlockingIOError:
                return self.taken
            self.taken.append(dict(field.split("=", 1) for field in data.decode().rstrip("\n").split("\n")))

    def stop(self):
        self.socket.close()
        os.remove(JOURNAL)


@tap.case
def journal():
    """one datagram of fields for each line, as systemd's native protocol has them; after journald was started anew, too"""
    receiver = Journal()
    sink, gate = receiving_host("journal", "journal")
    gate.start().add_user()
    pids = {str(pid) for pid in gate.processes()} | {str(gate.main_pid())}
    for line in one_message(gate, receiver.lines, lambda fields: fields["MESSAGE"]):
        assert set(line) == {"SYSLOG_IDENTIFIER", "SYSLOG_PID", "SYSLOG_FACILITY", "PRIORITY", "MESSAGE"}, line
        assert line["SYSLOG_IDENTIFIER"] == "sallyportd" and line["SYSLOG_FACILITY"] == "2" and line["PRIORITY"] == "6", line
        assert line["SYSLOG_PID"] in pids, line
    receiver.stop()
    receiver = Journal()
    gate.tool("reload")
    one_message(gate, receiver.lines, lambda fields: fields["MESSAGE"])
    gate.stop()
    sink.stop()
    receiver.stop()


if __name__ == "__main__":
    if os.getuid() != 0 or subprocess.call(["unshare", "-m", "true"]):
        print("1..0 # SKIP no right to make mounts of its own")
        sys.exit(0)
    if "SALLYPORT_MOUNTS" not in os.environ:
        os.environ["SALLYPORT_MOUNTS"] = "private"
        os.execvp("unshare", ["unshare", "-m", "--", sys.executable, os.path.abspath(__file__)])
    private_mounts()
    tap.run()
