#!/usr/bin/env python3
"""promises: an auditor's look at the running processes: descriptors, libraries, environment, modes and owners
(started as root and as a normal user), secrets, and the time a wrong password takes."""
import base64
import os
import re
import shutil
import stat
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../support")
import gateway as g  # noqa: E402
import load  # noqa: E402

HOME = g.workplace("promises")
tap = g.Tap()
sink = g.Sink(HOME, "--fail", "rcpt/nobody=550 5.1.1 none")
gate = g.Gateway(f"{HOME}/gateway", auth='auth: { backends = ( "users" ); failure_limit = "100000 / 1m"; };',
                 routes=f'routes: ( {{ via = "smtp"; host = "127.0.0.1"; port = {sink.port}; tls = "none"; }} );').start()
gate.add_user()
ROOT = os.getuid() == 0

# what a role may hold besides /dev/null, sockets (its log is one) and its event loop
MAY_HOLD = {"queue": r"/spool(/(lock|seg-\d{8}|new-\d{8}|#\d+|.*\.body)( \(deleted\))?)?$", "auth": r"/state$",
            "accounts": r"/state(/accounts\.db(-journal)?)?$",
            "relay": r"/spool/.*\.body( \(deleted\))?$"}
COMMON = r"/dev/null$|anon_inode:\[(eventpoll|eventfd|timerfd)\]$|pipe:|socket:|/dev/urandom$"


@tap.case
def descriptors():
    """no role holds a descriptor that it should not: keys no file, only the queue the spool (relay a body that
    it delivers), only accounts the store"""
    if not ROOT:
        return "needs root to look"
    session = load.Session(gate)
    session.send("large", size=300000)
    ports = listeners()
    assert len(ports) >= 2, ports
    assert {role for _, (role, _) in gate.processes().items()} >= {"submission", "queue", "relay", "auth", "accounts", "keys", "control"}
    for pid, (role, index) in gate.processes().items():
        seen = {os.readlink(f"/proc/{pid}/fd/{n}") for n in os.listdir(f"/proc/{pid}/fd")}
        foreign = [t for t in seen if not re.search(COMMON, t) and not re.search(MAY_HOLD.get(role, r"(?!)"), t)]
        assert not foreign, (role, index, foreign)
        assert role == "submission" or not any(t in seen for t in ports), (role, "holds a listener")
    session.close()
    return None


def listeners():
    """The listening sockets of the submission ports, as /proc names them."""
    found = set()
    with open("/proc/net/tcp", encoding="ascii") as f:
        for line in f.readlines()[1:]:
            words = line.split()
            if words[3] == "0A" and int(words[1].split(":")[1], 16) in (gate.smtps, gate.submission):
                found.add(f"socket:[{words[9]}]")
    return found


def linked():
    """The libraries that the linker puts into every process: Debian 13's libunbound brings OpenSSL's, Debian 12's does not."""
    done = subprocess.run(["ldd", f"{g.BUILD}/sallyportd"], capture_output=True, text=True, check=True)
    return {os.path.realpath(path) for path in re.findall(r"(/\S+) \(0x", done.stdout)}


@tap.case
def nothing_is_inherited():
    """the environment of each role is two harmless words, no core is written; keys and workers alone open libraries: OpenSSL"""
    if not ROOT:
        return "needs root to look"
    libraries = linked()
    for pid, (role, _) in gate.processes().items():
        with open(f"/proc/{pid}/environ", "rb") as f:
            assert {w.split(b"=")[0] for w in f.read().split(b"\0") if w} <= {b"PATH", b"LC_ALL"}, role
        with open(f"/proc/{pid}/limits", encoding="ascii") as f:
            assert re.search(r"Max core file size\s+0\s", f.read()), role
        with open(f"/proc/{pid}/maps", encoding="utf-8") as f:
            maps = f.read()
        opened = set(re.findall(r"/\S+\.so[.\d]*$", maps, re.M)) - libraries
        assert role in ("worker", "keys") or not opened, (role, opened)
        assert role != "keys" or any("libcrypto.so" in path for path in opened | libraries), (role, opened)
        assert not re.search(r"^\S+ rwx", maps, re.M), (role, "writable and executable")
        with open(f"/proc/{pid}/status", encoding="ascii") as f:
            groups = re.search(r"^Groups:\s*(.*)$", f.read(), re.M).group(1).split()
        assert "0" not in groups, (role, groups)
    return None


def modes(gateway, uid):
    for top in ("state", "spool", "run"):
        for path, directories, files in os.walk(f"{gateway.directory}/{top}"):
            for name in ["."] + directories + files:
                s = os.lstat(f"{path}/{name}")
                is_run = top == "run" and name == "." and s.st_uid == 0  # root's, so that no role can plant a name there
                assert stat.S_IMODE(s.st_mode) & (0o022 if is_run else 0o077) == 0, (path, name, oct(s.st_mode))
                assert s.st_uid in uid, (path, name, s.st_uid)


@tap.case
def modes_and_owners():
    """state, spool and run are for their owner only; as root they belong to the roles' user"""
    socket_owner = {os.getuid()}
    modes(gate, socket_owner | ({g.test_user().pw_uid} if ROOT else set()))
    if ROOT:
        uid = g.test_user().pw_uid
        assert os.stat(f"{gate.directory}/spool").st_uid == uid and os.stat(f"{gate.directory}/state/accounts.db").st_uid == uid


@tap.case
def as_a_normal_user():
    """started by a user without rights in a directory of its own: works, and all files are its own"""
    if not ROOT:
        return "this run is one already"
    base = "/tmp/sallyport-promises"
    shutil.rmtree(base, ignore_errors=True)
    other = g.Gateway(f"{base}/gateway", routes=gate.routes)
    subprocess.run(["cp", f"{g.BUILD}/sallyportd", f"{g.BUILD}/sallyport", base], check=True)
    who = g.test_user()
    subprocess.run(["chown", "-R", f"{who.pw_uid}:{who.pw_gid}", base], check=True)
    user = ["setpriv", f"--reuid={who.pw_uid}", f"--regid={who.pw_gid}", "--clear-groups"]
    other.process = subprocess.Popen([*user, f"{base}/sallyportd", "-c", other.config], start_new_session=True, cwd=base,
                                     stderr=subprocess.DEVNULL)
    try:
        g.wait_for("it is ready", 20, other.is_ready)
        subprocess.run([*user, f"{base}/sallyport", "-c", other.config, "user", "add", other.user, "--password-stdin"],
                       input=g.PASSWORD + "\n", text=True, check=True, cwd=base, capture_output=True)
        before = sink.count()
        other.send(subject="as-a-normal-user")
        sink.wait(before + 1)
        modes(other, {who.pw_uid})
        for pid in other.processes():
            with open(f"/proc/{pid}/status", encoding="ascii") as f:
                status = f.read()
            assert re.search(r"^Seccomp:\s*2$", status, re.M) and re.search(r"^NoNewPrivs:\s*1$", status, re.M)
            assert re.search(r"^CapEff:\s*0+$", status, re.M)
    finally:
        other.stop()
        shutil.rmtree(base, ignore_errors=True)
    return None


def wrong_password(name):
    client = gate.connect(login=False)
    secret = base64.b64encode(f"\0{name}\0wrong-pass-55".encode()).decode()
    began = time.perf_counter()
    reply = client.docmd("AUTH PLAIN " + secret)
    spent = (time.perf_counter() - began) * 1000
    client.close()
    return reply, spent


@tap.case
def unknown_is_as_wrong():
    """unknown user, wrong password and suspended user: the same words; no one's median time is three times another's"""
    gate.tool("user", "add", "sus@example.com", "--password-stdin", given="suspended-4420\n")
    gate.tool("user", "suspend", "sus@example.com", "--reason", "test")
    replies, times = set(), {}
    for _ in range(15):
        for name in (gate.user, "nobody@example.com", "sus@example.com"):
            reply, spent = wrong_password(name)
            replies.add(reply)
            times.setdefault(name, []).append(spent)
    assert len(replies) == 1, replies
    for name, spent in times.items():
        print(f"# {name}: median {statistics.median(spent):.1f} ms, deviation {statistics.stdev(spent):.1f} ms", flush=True)
    medians = [statistics.median(spent) for spent in times.values()]
    assert len(medians) == 3 and max(medians) <= 3 * min(medians), medians


@tap.case
def no_secrets_anywhere():
    """passwords, in clear or in base64, are in no log, file, message or report; nor is a wrong one"""
    gate.send(recipients=("nobody@example.net",), subject="fails")
    g.wait_for("a report", 15, lambda: any(b"multipart/report" in m for m in sink.messages()))
    words = [g.PASSWORD.encode(), b"wrong-pass-55", b"suspended-4420", base64.b64encode(f"\0{gate.user}\0{g.PASSWORD}".encode())]
    for top in ("state", "run"):
        for name in os.listdir(f"{gate.directory}/{top}"):
            if stat.S_ISREG(os.stat(f"{gate.directory}/{top}/{name}").st_mode):
                with open(f"{gate.directory}/{top}/{name}", "rb") as f:
                    text = f.read()
                assert not [w for w in words if w in text], (top, name)
    for text in [gate.log().encode(), *sink.messages()]:
        assert not [w for w in words if w in text], text[:200]


@tap.case
def log_lines_cannot_be_forged():
    """user names, EHLO names and subjects with line ends, quotes and controls: one line each, escaped"""
    before = len(gate.log().splitlines())
    forged = ('x" user="root', "x\nauth ok id=FORGED", "x\r\nauth ok id=FORGED", "x\x1b[2J", "x\u2028y", "x\\", "x\x00y")
    for name in forged:
        wrong_password(name)
    lines = gate.log().splitlines()[before:]
    assert not [line for line in lines if re.match(r"auth ok id=FORGED", line)]
    for line in lines:
        assert re.match(r"\d{4}-\d\d-\d\dT\S+ sallyportd\[\d+\]: ", line), line
        assert not re.search(r'[^"\\]" user="root"', line), line
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u2028]", "".join(lines))


try:
    tap.run()
finally:
    gate.stop()
    sink.stop()
