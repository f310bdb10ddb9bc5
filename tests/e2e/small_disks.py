#!/usr/bin/env python3
"""small_disks: file systems of 64 MB and 200 MB as the spool: filled until 452, emptied, filled again, also after a
restart and after a version that made larger segments; the free share stays free.  Needs root and its own mounts."""
import os
import re
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../support")
import gateway as g  # noqa: E402
import disks  # noqa: E402
import load  # noqa: E402

disks.own_mounts()
HOME = g.workplace("small_disks")
tap = g.Tap()
PERCENT, MOST = 5, 4000


def disk(name, megabytes):
    """A gateway whose spool is a file system of that size, and whose receiving host is not there."""
    port = g.free_port()
    gate = g.Gateway(f"{HOME}/{name}", extra='limits: { per_user = "10000000 recipients / 1h"; };',
                     queue=f'queue: {{ directory = "{HOME}/{name}/spool"; retry = [ "1h" ]; '
                           f'minimum_free = "{PERCENT}%"; }};',
                     routes=f'routes: ( {{ to_domain = "away.example.net"; via = "smtp"; host = "127.0.0.1"; '
                            f'port = {g.free_port()}; tls = "none"; }},\n'
                            f'{{ via = "smtp"; host = "127.0.0.1"; port = {port}; tls = "none"; }} );')
    gate.host_port = port
    disks.mount(f"{gate.directory}/spool", megabytes)
    return gate


def free_share(gate):
    s = os.statvfs(f"{gate.directory}/spool")
    return 100 * s.f_bavail / s.f_blocks


class Fill:
    """Sessions that send until the answer is 452, each to the recipients by turns: one may end long before the others.  The free
    share is there after each message."""

    def __init__(self, gate, size, recipients, sessions=3):
        self.gate, self.size, self.recipients, self.count, self.wrong = gate, size, recipients, 0, []
        self.lock = threading.Lock()
        threads = [threading.Thread(target=self.run, args=(n,)) for n in range(sessions)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def run(self, which):
        try:
            session, number = load.Session(self.gate), which
            while self.send(session, which, self.recipients[number % len(self.recipients)]):
                number += 1
            session.close()
        except Exception as e:  # pylint: disable=broad-except
            self.wrong.append(repr(e))

    def send(self, session, which, recipient):
        try:
            reply = session.send(f"m{which}", recipient=recipient, size=self.size)
        except g.smtplib.SMTPException as e:
            reply = str(e)
        assert free_share(self.gate) >= PERCENT, f"{free_share(self.gate)} % are free after {self.count} messages"
        if reply.startswith("250"):
            with self.lock:
                self.count += 1
            assert self.count < MOST, "still no 452"
            return True
        assert reply.startswith("452"), reply
        return False


def fill(gate, size=125000, recipients=("bob@example.net",)):
    """Until the gateway says 452; returns how many it took."""
    filled = Fill(gate, size, recipients)
    assert not filled.wrong, filled.wrong
    return filled.count


def is_taken(gate):
    try:
        session = load.Session(gate)
        reply = session.send("again")
        session.close()
        return reply.startswith("250")
    except g.smtplib.SMTPException:
        return False


def empty(gate):
    gate.tool("queue", "delete", "--all", "--yes")
    g.wait_for("an empty queue", 30, lambda: not gate.queue(), every=0.2)


def rounds(name, megabytes, least, fills):
    gate = disk(name, megabytes).start()
    gate.add_user()
    try:
        for _ in range(fills):
            count = fill(gate)
            assert count >= least, f"only {count} messages"
            empty(gate)
            g.wait_for("a message is taken by the empty queue", 20, lambda: is_taken(gate), every=0.5)
            empty(gate)
        count = fill(gate)
        gate.stop()
        gate.start()
        empty(gate)
        gate.stop()
        gate.start()
        g.wait_for("a message is taken after the restart", 20, lambda: is_taken(gate), every=0.5)
        assert free_share(gate) >= PERCENT
        print(f"# {megabytes} MB: {count} messages of 125 kB")
    finally:
        gate.stop()
        disks.unmount(f"{gate.directory}/spool")


@tap.case
def disk_of_64_mb():
    """64 MB: filled, emptied, filled again, restarted; 5 % stay free"""
    rounds("small", 64, 240, fills=2)


@tap.case
def disk_of_200_mb():
    """200 MB: the same"""
    rounds("middle", 200, 800, fills=1)


@tap.case
def disk_filled_by_others():
    """A disk that others filled up to its free share: what the spool has already is used, and not a byte more"""
    gate = disk("others", 64).start()
    gate.add_user()
    try:
        assert is_taken(gate)
        g.wait_for("a spare segment", 20, lambda: os.listdir(f"{gate.directory}/spool").count("lock") == 1
                   and sum(n.startswith("seg-") for n in os.listdir(f"{gate.directory}/spool")) >= 2, every=0.2)
        fill_rest(gate, PERCENT + 1)
        before = free_share(gate)
        assert fill(gate) > 5
        assert free_share(gate) >= PERCENT and before - free_share(gate) < 1
        g.wait_for("a status that tells", 20, lambda: "no room on the disk" in status(gate)[1], every=0.3)
    finally:
        gate.stop()
        disks.unmount(f"{gate.directory}/spool")


def fill_rest(gate, percent, name="other"):
    """Another program leaves so much of the disk."""
    s = os.statvfs(f"{gate.directory}/spool")
    with open(f"{gate.directory}/spool/{name}", "wb") as f:
        f.write(bytes(s.f_bavail * s.f_frsize - int(s.f_blocks * s.f_frsize * percent / 100)))


@tap.case
def full_disk_of_failing_mail():
    """A disk that is full to the last byte; mail that fails stands between mail that waits: each sender gets a report, and
    then there is room again"""
    gate = disk("failing", 64).start()
    gate.add_user()
    sink = None
    try:
        count = fill(gate, size=100000, recipients=("gone@example.net", "bob@away.example.net"))
        fill_rest(gate, 0)
        waiting = sum("away" in str(row["to"]) for row in gate.queue())
        assert count > 300 and 50 < waiting < count - 50, (count, waiting)
        sink = g.Sink(f"{HOME}/failing", "--fail", "rcpt/gone=550 5.1.1 no such user", port=gate.host_port)
        gate.tool("queue", "retry", "--all", "--yes")
        g.wait_for(f"a queue of waiting mail {gate.tail()}", 120, lambda: len(gate.queue()) == waiting, every=0.5)
        reports = [m for m in sink.messages() if b"Action: failed" in m]
        assert len(reports) == sink.count() == count - waiting, (len(reports), sink.count(), count, waiting)
        print(f"# {waiting} messages wait, {len(reports)} reports")
        os.remove(f"{gate.directory}/spool/other")
        g.wait_for(f"a message is taken {gate.tail()}", 60, lambda: is_taken(gate), every=0.5)
    finally:
        gate.stop()
        if sink:
            sink.stop()
        disks.unmount(f"{gate.directory}/spool")


@tap.case
def config_check_has_numbers():
    """config check and the daemon: a file system that is too small is an error, with both sizes; one of 64 MB is none"""
    gate = disk("tiny", 20)
    answer = gate.tool("config", "check", check=False)
    assert answer.returncode, answer.stdout
    assert re.search(r"queue\.directory: .*/tiny/spool has 20 MiB.*at least 32 MiB", answer.stdout + answer.stderr), \
        answer.stdout + answer.stderr
    gate.start(wait=False)
    assert gate.process.wait(60) == 78
    assert re.search(r"tiny/spool has 20 MiB.*at least 32 MiB: make the file system larger", gate.tail()), gate.tail()
    assert not os.listdir(f"{gate.directory}/spool")
    disks.unmount(f"{gate.directory}/spool")
    gate = disk("enough", 64)
    answer = gate.tool("config", "check", check=False)
    disks.unmount(f"{gate.directory}/spool")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "limits.message_size" in answer.stdout + answer.stderr


def status(gate):
    """Exit status, and the queue's line."""
    run = gate.tool("status", check=False)
    return run.returncode, next(line for line in run.stdout.splitlines() if line.startswith("queue"))


def check_told(line):
    """The numbers of the line say why: what is free is less than what is needed."""
    free = int(re.search(r"(\d+) MiB of \d+ MiB are free", line)[1])
    needed = re.search(r"a new segment needs (\d+) MiB: (\d+) MiB for itself(?:, (\d+) MiB for the reserve of compaction)?, "
                       r"and (\d+) MiB that", line)
    if needed:
        assert int(needed[1]) == sum(int(n or 0) for n in needed.groups()[1:]), line
    assert free < int(needed[1] if needed else re.search(r"queue.minimum_free keeps (\d+) MiB", line)[1]), line


@tap.case
def a_lack_of_room_is_told():
    """another program fills the disk: config check warns, status fails and says why, the log has one line, a refusal names
    sizes; when there is room again the log has one line, and status is well"""
    gate = disk("told", 200).start()
    gate.add_user()
    try:
        assert is_taken(gate)
        assert status(gate)[0] == 0
        assert "minimum_free" not in gate.tool("config", "check").stderr
        fill_rest(gate, PERCENT)
        g.wait_for("a status that tells of large mail", 20, lambda: "for mail above 128 KiB" in status(gate)[1], every=0.3)
        assert status(gate)[0] == 69 and is_taken(gate)
        fill(gate)
        fill_rest(gate, PERCENT - 2, "more")
        g.wait_for("a failing status", 20, lambda: "no room on the disk: messages are answered with 452" in status(gate)[1], every=0.3)
        assert status(gate)[0] == 69
        checked = gate.tool("config", "check")
        said = checked.stdout + checked.stderr
        assert re.search(r"warning: queue\.directory: .* \d+ MiB of \d+ MiB are free, .* no segment is added to the spool until", said), said
        assert "is refused (452)" not in said, said
        assert not is_taken(gate) and not is_taken(gate)
        client = gate.connect()
        assert client.docmd("MAIL", "FROM:<alice@example.com> SIZE=30000000")[0] == 452
        client.quit()
        gate.wait_log(r"refuse .* stage=mail reason=storage code=452 .* from=<alice@example.com> size=30000000 room=0")
        check_told(gate.wait_log(r"warning: no room for mail: .*")[0])
        os.remove(f"{gate.directory}/spool/other")
        os.remove(f"{gate.directory}/spool/more")
        g.wait_for("a status that is well", 20, lambda: status(gate)[0] == 0, every=0.3)
        gate.wait_log("there is room for mail again")
        assert is_taken(gate)
        assert gate.log().count("no room for mail:") == 1, gate.log()
    finally:
        gate.stop()
        disks.unmount(f"{gate.directory}/spool")


tap.run()
