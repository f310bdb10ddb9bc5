#!/usr/bin/env python3
"""backup: the commands of BACKUP AND RESTORE in sallyportd(8) are run: a copy of a running gateway is restored."""
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../support")
import gateway as g  # noqa: E402
import load  # noqa: E402
import stored  # noqa: E402

HOME = g.workplace("backup")
WHO = g.test_user()
tap = g.Tap()


def blocks():
    """The literal blocks of the section, in order."""
    with open(f"{g.TOP}/doc/sallyportd.8", encoding="utf-8") as f:
        section = re.search(r"^\.Sh BACKUP AND RESTORE\n(.*?)^\.Sh ", f.read(), re.M | re.S).group(1)
    found = [b.replace("\\e", "\\") for b in re.findall(r"^\.Bd -literal.*?\n(.*?)^\.Ed", section, re.M | re.S)]
    assert len(found) == 7, found
    return found


DIRECTORIES, SPOOL, IN_PLACE, BESIDE, GENERATIONS, SEGMENT, SAME = blocks()


class Backed(stored.Stored):
    """A gateway whose directories stand for those of the manual, and a second one for /srv/restore."""

    def __init__(self, name):
        home = f"{HOME}/{name}"
        os.makedirs(home)
        super().__init__(home)
        os.mkdir(f"{self.directory}/etc")
        self.second = g.Gateway(f"{home}/restore", routes=self.routes, listen="listen: ();")

    def tried(self, block):
        os.makedirs(f"{self.home}/backup", exist_ok=True)
        for told, real in (("/etc/sallyport", f"{self.directory}/etc"), ("/var/lib/sallyport", f"{self.directory}/state"),
                           ("/var/spool/sallyport", self.spool), ("/backup", f"{self.home}/backup"),
                           ("/srv/restore", self.second.directory)):
            block = re.sub(rf"(?<![\w/]){told}\b", real, block)
        environment = {**os.environ, "PATH": f"{self.home}/bin:{g.BUILD}:{os.environ['PATH']}"}
        return subprocess.run(["sh", "-ec", block], env=environment, capture_output=True, text=True, timeout=120, check=False)

    def instead(self, command, script):
        """From now on the commands of the manual run this script under that name."""
        os.makedirs(f"{self.home}/bin", exist_ok=True)
        with open(f"{self.home}/bin/{command}", "w", encoding="ascii") as f:
            f.write(f"#!/bin/sh\n{script}")
        os.chmod(f"{self.home}/bin/{command}", 0o755)

    def run(self, block):
        run = self.tried(block)
        assert run.returncode == 0, f"{block}: {run}"
        return run.stdout

    def back_up(self):
        self.run(DIRECTORIES)
        self.run(SPOOL.replace("sleep 1", "sleep 0.1"))

    def set_aside_beside(self, name):
        """What the manual says of mail in files that were set aside."""
        self.run(SEGMENT.replace("damaged-seg-00000001-0123456789abcdef", name))
        self.start_second(("--accept-damage",))
        rest = SAME.split("--accept-damage &\n")[1]
        self.run(re.sub(r"^sallyport queue", f"sallyport -c {self.config} queue", rest, flags=re.M))

    def start_second(self, arguments=()):
        self.second.start(wait=False, arguments=arguments)
        g.wait_for("the second daemon is ready", 30, lambda: self.second.tool("status", check=False).returncode == 0)

    def restore_beside(self):
        before, rest = BESIDE.split("sallyportd -c /srv/restore/sallyport.cfg &\n")
        self.run(before)
        self.start_second()
        return self.run(rest)

    def end(self):
        self.second.stop()
        self.stop()


def errors(gate):
    return [line for line in gate.log().splitlines() if " error: " in line]


@tap.case
def a_copy_of_a_running_spool():
    """copied while mail comes in, and restored beside: all that was acknowledged before arrives from there"""
    gate = Backed("live")
    running = load.Load(gate, sessions=2)
    try:
        g.wait_for("some mail", 30, lambda: len(running.acknowledged) > 500)
        gate.take(["large-1", "large-2"], size=300000)
        before = running.acknowledged | {"large-1", "large-2"}
        gate.back_up()
        during = len(running.acknowledged) + 2 - len(before)
        assert during > 0, "nothing came in while it was copied"
        running.stop()
        listed = gate.restore_beside()
        assert len(listed.splitlines()) > len(before)
        with gate.host() as sink:
            gate.second.tool("queue", "retry", "--all", "--yes")
            g.wait_for("all of it", 60, lambda: before <= set(load.subjects(sink)), every=0.5)
        print(f"# {len(before)} messages, {during} more while it was copied", flush=True)
    finally:
        running.stop()
        gate.end()


@tap.case
def a_copy_is_made_again():
    """a segment is made while the spool is copied, or a ready one begun, which newest-segment alone tells: copied again"""
    gate = Backed("again")
    tar = shutil.which("tar")
    # of the segments: one, then newest-segment changes; then it fails, once
    gate.instead("tar", f"echo >>{gate.home}/count\n{tar} \"$@\"\n"
                 f"case $(wc -l <{gate.home}/count) in 2) echo X >>{gate.spool}/seg-99999999;;\n"
                 f"3) printf X | dd of={gate.spool}/newest-segment conv=notrunc status=none;; 4) exit 2;; esac\n")
    try:
        gate.take(["one"])
        gate.back_up()
        with open(f"{gate.home}/count", encoding="ascii") as f:
            assert len(f.read()) == 5
        listed = subprocess.run([tar, "-tf", f"{gate.home}/backup/segments.tar"], capture_output=True, text=True, check=True)
        assert "seg-99999999" in listed.stdout, listed
    finally:
        gate.end()


@tap.case
def a_copy_that_cannot_be_complete():
    """segments are begun all the time: after ten tries the commands end, say so, and leave no copy of segments"""
    gate = Backed("never")
    gate.instead("tar", f"echo >>{gate.home}/count\n{shutil.which('tar')} \"$@\"\necho X >>{gate.spool}/newest-segment\n"
                 f"cat {gate.home}/count >{gate.spool}/seg-99999999\n")
    try:
        gate.take(["one"])
        run = gate.tried(SPOOL.replace("sleep 1", "sleep 0.01"))
        assert run.returncode == 1 and "no complete copy" in run.stderr, run
        with open(f"{gate.home}/count", encoding="ascii") as f:
            assert len(f.read()) == 11
        assert os.listdir(f"{gate.home}/backup") == ["bodies.tar"]
    finally:
        gate.end()


def old_backup(name):
    """Two messages that were backed up, and delivered then; two newer ones wait."""
    gate = Backed(name)
    gate.take(["old-1", "old-2"])
    gate.back_up()
    with gate.host() as sink:
        gate.try_all()
        sink.wait(2)
        g.wait_for("an empty queue", 20, lambda: not gate.queue())
    gate.take(["new-1", "new-2"])
    return gate


def delivered(gate, which, count):
    """Subjects that this daemon delivers now."""
    with gate.host() as sink:
        which.tool("queue", "retry", "--all", "--yes")
        sink.wait(count)
        g.wait_for("an empty queue", 20, lambda: not which.queue())
        return load.subjects(sink)


@tap.case
def an_old_backup_beside():
    """an old backup restored beside a newer spool: its mail is sent again from there, the newer mail by the first daemon"""
    gate = old_backup("beside")
    try:
        gate.restore_beside()
        # else its own mail may become due, and go to the same host
        gate.stop()
        assert delivered(gate, gate.second, 2) == {"old-1": 1, "old-2": 1}
        gate.start()
        assert delivered(gate, gate, 2) == {"new-1": 1, "new-2": 1}
        assert not errors(gate.second), errors(gate.second)
    finally:
        gate.end()


@tap.case
def an_old_backup_in_place():
    """an old backup in the place of a newer spool, which was moved away or copied over: what was delivered since is sent again,
    what was taken since is gone"""
    for name in ("place", "over"):
        gate = old_backup(name)
        try:
            gate.stop()
            for part in ("spool", "state") if name == "place" else ():
                os.rename(f"{gate.directory}/{part}", f"{gate.directory}/{part}.before")
            gate.run(IN_PLACE)
            gate.start()
            assert delivered(gate, gate, 2) == {"old-1": 1, "old-2": 1}
            assert not errors(gate), errors(gate)
        finally:
            gate.end()


# ---- what is set aside ----

@tap.case
def a_copy_of_damage_is_removed():
    """damaged-*: mentioned at each start while it is there; removed, the place is told and copied again, under the same name"""
    gate = Backed("damaged")
    try:
        gate.take(["one", "two", "three"])
        gate.stop()
        gate.change(*gate.place_of(b"Subject: two"), b"garbage")
        kept = set()
        for known in (0, 1, 0):
            before = len(gate.log())
            gate.start()
            gate.stop()
            said = gate.log()[before:]
            assert said.count("as is known: damaged-") == known and said.count("is kept as damaged-") == 1 - known, said
            kept |= {n for n in os.listdir(gate.spool) if n.startswith("damaged-")}
            if known:
                os.remove(f"{gate.spool}/{min(kept)}")
        assert len(kept) == 1, kept
    finally:
        gate.end()


SET_ASIDE = "0123456789abcdef"


@tap.case
def mail_in_a_segment_that_was_set_aside():
    """a damaged-seg-* alone in a new spool, with the body that was kept: its mail is delivered; another file of the same name
    before its tag does no harm"""
    gate = Backed("segment")
    try:
        gate.stop()
        gate.start()
        gate.take(["small"])
        gate.take(["large"], size=300000)
        gate.stop()
        body = next(n for n in os.listdir(gate.spool) if n.endswith(".body"))
        os.rename(f"{gate.spool}/{body}", f"{gate.spool}/{body}.lost")
        live, _ = gate.place_of(b"Subject: small")
        os.rename(f"{gate.spool}/{live}", f"{gate.spool}/damaged-{live}-{SET_ASIDE}")
        with open(f"{gate.spool}/damaged-{live}-fedcba9876543210", "w", encoding="ascii") as f:
            f.write("another one")
        gate.start(arguments=("--accept-damage",))
        gate.set_aside_beside(f"damaged-{live}-{SET_ASIDE}")
        assert delivered(gate, gate.second, 2) == {"small": 1, "large": 1}
    finally:
        gate.end()


def bad_sector(gate, path, at):
    """The system tells dd an error for the block of 4096 bytes at this place."""
    gate.instead("dd", f'exec strace -f -qq -o {gate.home}/dd.trace -P {path} -e trace=read '
                 f'-e inject=read:error=EIO:when={at // 4096 + 1} {shutil.which("dd")} "$@"\n')


@tap.case
def a_segment_that_cannot_be_read_everywhere():
    """the first case of files that were set aside: what can be read of it is delivered, but for what the first daemon has still; there
    is no *.body.lost"""
    if not shutil.which("strace"):
        return "strace is missing"
    gate = Backed("unreadable")
    try:
        gate.take(["bad"], size=9000)
        gate.take(["gone"], size=9000)
        gate.take(["both"], size=9000)
        live, at = gate.place_of(b"Subject: bad")
        path = f"{gate.spool}/damaged-{live}-{SET_ASIDE}"
        gate.stop()
        shutil.copy(f"{gate.spool}/{live}", path)
        os.chmod(path, 0o600)
        if WHO:
            os.chown(path, WHO.pw_uid, WHO.pw_gid)
        gate.start()
        ids = sorted(row["id"] for row in gate.queue())
        gate.tool("queue", "delete", ids[1])
        bad_sector(gate, path, at)
        gate.set_aside_beside(os.path.basename(path))
        with open(f"{gate.home}/dd.trace", encoding="utf-8") as f:
            assert "INJECTED" in f.read()
        assert os.path.getsize(f"{gate.second.directory}/spool/seg-00000001") == os.path.getsize(path)
        assert len(gate.queue()) == 2, "those of the first daemon stay"
        # else its own mail may become due, and go to the same host
        gate.stop()
        assert delivered(gate, gate.second, 1) == {"gone": 1}
    finally:
        gate.end()


@tap.case
def the_generation_of_a_file():
    """the generation of each segment file, which the log names when one is missing, is shown"""
    gate = Backed("generation")
    try:
        gate.take(["one"])
        gate.stop()
        gate.back_up()
        gate.restore_beside()
        name, _ = gate.place_of(b"Subject: one")
        with open(f"{gate.spool}/{name}", "rb") as f:
            generation = int.from_bytes(f.read(24)[16:], "little")
        assert f"{generation} {name}" in gate.run(GENERATIONS).splitlines()
    finally:
        gate.end()


tap.run()
