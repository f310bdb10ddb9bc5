#!/usr/bin/env python3
"""start_refusals: what a restart cannot cure ends the start at once, in words: owner, mode, the uid that needs it and the
command that mends it; systemd is told the reason.  As root, nothing is done by path in a directory of another user."""
import os
import re
import shlex
import signal
import socket
import stat
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../support")
import gateway as g  # noqa: E402

HOME = g.workplace("start_refusals")
ROOT = os.getuid() == 0
WHO = g.test_user()
tap = g.Tap()
sink = g.Sink(HOME)
ROUTES = f'routes: ( {{ via = "smtp"; host = "127.0.0.1"; port = {sink.port}; tls = "none"; }} );'


def made(name, **replace):
    return g.Gateway(f"{HOME}/{name}", routes=ROUTES, **replace)


class Manager:
    """What systemd is told, on a real datagram socket."""

    def __init__(self, name):
        self.path = f"{HOME}/{name}.notify"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.settimeout(0.1)
        self.told = []

    def environment(self, **more):
        return {"NOTIFY_SOCKET": self.path, **more}

    def hear(self):
        try:
            while True:
                self.told.append((time.monotonic(), self.socket.recv(4096).decode()))
        except TimeoutError:
            return [text for _, text in self.told]


def with_environment(values, function):
    os.environ.update(values)
    try:
        return function()
    finally:
        for name in values:
            del os.environ[name]


@tap.case
def directory_of_another():
    """the spool belongs to somebody else: exit 77 at once; path, owner, mode, uid and command are told, to systemd too"""
    if not ROOT:
        return "needs root to give a directory away"
    gate, manager = made("it's foreign"), Manager("foreign")
    os.mkdir(f"{gate.directory}/spool", 0o750)
    os.chown(f"{gate.directory}/spool", 12345, 12345)
    began = time.monotonic()
    status, said = with_environment(manager.environment(), gate.ended)
    assert status == 77, (status, said)
    assert time.monotonic() - began < 10
    wanted = (f"{gate.directory}/spool belongs to uid 12345 (mode 0750), and uid {WHO.pw_uid} ({WHO.pw_name}) needs it: "
              f"chown -R {WHO.pw_name}: {shlex.quote(gate.directory + '/spool')}").replace("'\"'\"'", "'\\''")
    assert wanted in said and wanted in gate.log(), said
    told = manager.hear()
    assert any(text.startswith("STATUS=") and wanted in text for text in told), told
    assert not any("READY=1" in text for text in told), told
    assert os.stat(f"{gate.directory}/spool").st_uid == 12345, "it was given away"
    subprocess.run(["sh", "-c", wanted.split("needs it: ")[1]], check=True)
    gate.start()
    gate.stop()
    return None


@tap.case
def user_was_changed():
    """`user` changed: files of the former one stop the start; nothing is half given; the command told mends it"""
    if not ROOT:
        return "needs root to be two users"
    gate = made("changed").start().add_user()
    gate.stop()
    before = {n: os.lstat(f"{gate.directory}/spool/{n}").st_uid for n in os.listdir(f"{gate.directory}/spool")}
    gate.parts["user"] = 'user = "bin";'
    gate.write_config()
    for _ in range(2):
        status, said = gate.ended()
        command = re.search(r"needs it: (chown -R bin: \S+)", said)
        assert status == 77 and command, (status, said)
        assert {n: os.lstat(f"{gate.directory}/spool/{n}").st_uid for n in os.listdir(f"{gate.directory}/spool")} == before
        subprocess.run(command.group(1).split(), check=True)
        open(f"{gate.directory}/stderr", "w").close()
        before = {n: os.lstat(f"{gate.directory}/spool/{n}").st_uid for n in os.listdir(f"{gate.directory}/spool")}
    gate.start()
    gate.stop()
    return None


@tap.case
def a_mode_is_no_damage():
    """chmod 000 of a segment: exit 77 with the command that mends it; --accept-damage is not offered and changes nothing"""
    if not ROOT:
        return "needs root: the roles have a user of their own"
    gate = made("mode").start()
    gate.stop()
    name = next(n for n in sorted(os.listdir(f"{gate.directory}/spool")) if n.startswith("seg-"))
    path = f"{gate.directory}/spool/{name}"
    os.chmod(path, 0)
    for arguments in ((), ("--accept-damage",)):
        before = len(gate.log())
        gate.start(wait=False, arguments=arguments)
        assert gate.process.wait(20) == 77, gate.tail()
        said = gate.log()[before:]
        assert f"{name} cannot be opened" in said and "chmod 600" in said and "--accept-damage" not in said, said
    os.chmod(path, 0o600)
    gate.start()
    gate.stop()
    assert sorted(n for n in os.listdir(f"{gate.directory}/spool") if n.startswith("damaged-")) == []


@tap.case
def unfit_users():
    """nobody, root and a user that does not exist are refused with exit 78 and the command that makes one"""
    if not ROOT:
        return "only root changes the user"
    for name, words in (("nobody", "need a user of their own"), ("root", "must not be root"),
                        ("nosuchuser", "useradd --system --no-create-home --shell /usr/sbin/nologin nosuchuser")):
        gate = made(f"user-{name}")
        gate.parts["user"] = f'user = "{name}";'
        gate.write_config()
        status, said = gate.ended()
        assert status == 78 and words in said, (name, status, said)
        assert not os.path.exists(f"{gate.directory}/spool"), "something was made"
    return None


@tap.case
def parent_of_another():
    """root makes nothing below a directory that another user can write, and follows no link of his"""
    if not ROOT:
        return "needs root to be refused"
    for number, (uid, mode) in enumerate(((12345, 0o755), (0, 0o777), (0, 0o775))):
        gate = made(f"parent-{number}")
        os.mkdir(f"{gate.directory}/open")
        os.chown(f"{gate.directory}/open", uid, 12345)
        os.chmod(f"{gate.directory}/open", mode)
        gate.parts["queue"] = gate.parts["queue"].replace("/spool", "/open/spool")
        gate.write_config()
        status, said = gate.ended()
        assert status == 77 and "somebody other than root can write in it" in said, (status, said)
        assert not os.listdir(f"{gate.directory}/open")
    gate = made("parent-link")
    os.mkdir(f"{gate.directory}/sticky", 0o755)
    os.chmod(f"{gate.directory}/sticky", 0o1777)
    os.symlink("/etc", f"{gate.directory}/sticky/spool")
    os.lchown(f"{gate.directory}/sticky/spool", 12345, 12345)
    gate.parts["queue"] = gate.parts["queue"].replace("/spool", "/sticky/spool")
    gate.write_config()
    status, said = gate.ended()
    assert status == 77 and "symbolic link" in said, (status, said)
    return None


@tap.case
def a_place_that_the_unit_protects():
    """only the mount is read-only, as under ProtectSystem=strict: 78, for no further try cures it; under systemd the drop-in
    is told; so it is for a directory that is to be made"""
    if not ROOT:
        return "needs root to mount"
    gate = made("protected").start()
    gate.stop()
    for place in ("spool", "state"):
        path = f"{gate.directory}/{place}"
        for words in (["--bind", path, path], ["-o", "remount,bind,ro", path]):
            subprocess.run(["mount", *words], check=True)
        key = "queue.directory" if place == "spool" else "state_directory"
        try:
            status, said = with_environment({"INVOCATION_ID": "0123456789abcdef"}, gate.ended)
            assert status == 78 and f"{key}: {path} cannot be written: it is mounted read-only: the unit lets" in said, said
            assert f"a drop-in with ReadWritePaths={path} is needed" in said, said
        finally:
            subprocess.run(["umount", path], check=True)
    place = f"{gate.directory}/place"
    os.mkdir(place, 0o755)
    for words in (["--bind", place, place], ["-o", "remount,bind,ro", place]):
        subprocess.run(["mount", *words], check=True)
    try:
        gate.parts["queue"] = gate.parts["queue"].replace("/spool", "/place/spool")
        gate.write_config()
        status, said = gate.ended()
        assert status == 78 and f"{place}: Read-only file system" in said, (status, said)
    finally:
        subprocess.run(["umount", place], check=True)
    return None


@tap.case
def a_place_that_the_unit_hides():
    """files below /root that are not there: started by systemd, the setting of the unit and the drop-in are told; else not"""
    gate = made("hidden")
    absent = "/root/sallyport-test-absent"
    tls, routes = gate.parts["tls"], gate.routes
    cases = (({"tls": f'tls: {{ certificate = "{absent}/x.crt"; private_key = "{absent}/x.key"; }};'}, routes, "x.crt"),
             ({"tls": tls}, 'routes: ( { via = "smarthost"; host = "a.example.net"; tls = "implicit"; username = "u"; '
                            f'password = "file:{absent}/pw"; }} );', "pw"),
             ({"dns": f'dns: {{ trust_anchor = "{absent}/anchor"; }};'}, routes, "anchor"))
    for parts, gate.routes, name in cases:
        gate.parts.update(parts)
        gate.write_config()
        for environment in ({"INVOCATION_ID": "0123456789abcdef"}, {"INVOCATION_ID": ""}):
            if not environment["INVOCATION_ID"]:
                os.environ.pop("INVOCATION_ID", None)
                environment = {}
            open(f"{gate.directory}/stderr", "w").close()
            status, said = with_environment(environment, gate.ended)
            assert status == 78 and re.search(rf"{absent}/{name}: (No such file|Permission denied)", said), (name, status, said)
            told = "the unit hides what is below /root (ProtectHome=)" in said
            assert told == bool(environment), (name, said)


@tap.case
def links_of_root_are_followed():
    """a link that root made to a directory of the right owner works: a spool on another disk"""
    gate = made("linked")
    os.mkdir(f"{gate.directory}/disk", 0o700)
    if ROOT:
        os.chown(f"{gate.directory}/disk", WHO.pw_uid, WHO.pw_gid)
    os.symlink("disk", f"{gate.directory}/spool")
    gate.start()
    gate.stop()


def plant_forever(directory, target, over):
    """As the roles' user: whatever can be put into the run directory is put there, again and again."""
    os.setresgid(WHO.pw_gid, WHO.pw_gid, WHO.pw_gid)
    os.setresuid(WHO.pw_uid, WHO.pw_uid, WHO.pw_uid)
    while not os.path.exists(over):
        for act in (lambda: os.unlink(f"{directory}/control.sock"), lambda: os.symlink(target, f"{directory}/control.sock")):
            try:
                act()
            except OSError:
                pass
    os._exit(0)


@tap.case
def a_planted_link_gains_nothing():
    """a symbolic link that the roles' user plants as control.sock at every moment of 20 starts changes no file of root's"""
    if not ROOT:
        return "needs root to lose something"
    gate = made("planted")
    target, over = f"{HOME}/precious", f"{HOME}/over"
    with open(target, "w", encoding="ascii") as f:
        f.write("root's\n")
    os.chmod(target, 0o644)
    os.mkdir(f"{gate.directory}/run", 0o700)
    os.chown(f"{gate.directory}/run", WHO.pw_uid, WHO.pw_gid)  # as 0.1.0 left it
    os.symlink(target, f"{gate.directory}/run/control.sock")
    child = os.fork()
    if child == 0:
        plant_forever(f"{gate.directory}/run", target, over)
    try:
        for _ in range(20):
            gate.start()
            g.wait_for("all are ready", 20, lambda: gate.tool("status", check=False).returncode == 0)
            gate.stop()
            s = os.stat(target)
            assert (s.st_uid, s.st_gid, stat.S_IMODE(s.st_mode)) == (0, 0, 0o644), s
        s = os.stat(f"{gate.directory}/run")
        assert (s.st_uid, stat.S_IMODE(s.st_mode)) == (0, 0o755), s
    finally:
        open(over, "w").close()
        os.waitpid(child, 0)
    return None


@tap.case
def watchdog():
    """with WATCHDOG_USEC: READY=1 once, then WATCHDOG=1 in time, also while a role hangs and is replaced"""
    gate, manager = made("watchdog"), Manager("watchdog")
    with_environment(manager.environment(WATCHDOG_USEC="3000000"), gate.start)
    try:
        g.wait_for("READY=1", 20, lambda: "READY=1" in manager.hear())
        relay = next(pid for pid, (role, _) in gate.processes().items() if role == "relay")
        os.kill(relay, signal.SIGSTOP)
        g.wait_for("relay is replaced", 40, lambda: manager.hear() and relay not in gate.processes())
        fed = [when for when, text in manager.told if text == "WATCHDOG=1"]
        gaps = [b - a for a, b in zip(fed, fed[1:])]
        print(f"# fed {len(fed)} times, the longest pause {max(gaps):.1f} s", flush=True)
        assert len(fed) >= 8, fed
        assert manager.hear().count("READY=1") >= 1
    finally:
        gate.stop()
    told = manager.hear()
    assert "STOPPING=1" in told, told


@tap.case
def watchdog_of_a_stopped_main():
    """while main itself is stopped it feeds nobody"""
    gate, manager = made("stopped"), Manager("stopped")
    with_environment(manager.environment(WATCHDOG_USEC="3000000"), gate.start)
    try:
        g.wait_for("WATCHDOG=1", 20, lambda: "WATCHDOG=1" in manager.hear())
        os.kill(gate.process.pid, signal.SIGSTOP)
        manager.hear()
        count = len(manager.told)
        time.sleep(4)
        assert len(manager.hear()) == count, manager.told[count:]
        os.kill(gate.process.pid, signal.SIGCONT)
        g.wait_for("it is fed again", 20, lambda: len(manager.hear()) > count)
    finally:
        os.kill(gate.process.pid, signal.SIGCONT)
        gate.stop()


def traced_start(gate, *inject):
    os.environ["SALLYPORTD_WRAPPER"] = " ".join(("strace", "-f", "-qq", "-o", "/dev/null", *inject))
    try:
        gate.start(wait=False)
    finally:
        del os.environ["SALLYPORTD_WRAPPER"]


@tap.case
def slow_disk():
    """each read of the spool takes 40 ms: 64 MiB take longer than a silent role may be; it starts, and systemd's time is extended"""
    if not ROOT:
        return "needs root to trace the queue"
    gate, manager = made("slow").start().add_user(), Manager("slow")
    assert gate.send(subject="kept") is not None
    gate.stop()
    segment = max((n for n in os.listdir(f"{gate.directory}/spool") if n.startswith("seg-")),
                  key=lambda n: os.stat(f"{gate.directory}/spool/{n}").st_blocks)
    path = f"{gate.directory}/spool/{segment}"
    pieces = os.stat(path).st_size // 65536
    assert pieces >= 1000, pieces
    with_environment(manager.environment(), lambda: traced_start(
        gate, "-P", path, "-e", "trace=pread64", "-e", "inject=pread64:delay_enter=40000"))
    try:
        g.wait_for("it is ready or has ended", 240, lambda: manager.hear() and (
            gate.process.poll() is not None or "READY=1" in manager.hear()), every=0.5)
        assert gate.process.poll() is None and "not answering" not in gate.log(), gate.tail()
        extended = [text for text in manager.hear() if text.startswith("EXTEND_TIMEOUT_USEC=")]
        assert len(extended) >= 10, manager.hear()
        assert all(int(text.split("=")[1]) >= 60000000 for text in extended)
    finally:
        gate.kill_group()
    return None


@tap.case
def few_descriptors_end_a_start_in_words():
    """with too few descriptors for a start it ends with 71 or 75, a few lines and the remedy; no limit is called a bug"""
    gate = made("few")
    remedy = "raise the limit (LimitNOFILE= in the unit"
    for limit in (16, 20, 24, 28, 32, 36, 40):
        log = gate.log() if os.path.exists(f"{gate.directory}/log") else ""
        status, said = with_environment({"SALLYPORTD_WRAPPER": f"prlimit --nofile={limit}"}, lambda: gate.ended(60))
        told = said + gate.log()[len(log):]
        assert status in (71, 75, 74, 78) and remedy in told, (limit, status, said)
        assert "bug" not in told and told.count("no channel between") <= 2, (limit, told)


@tap.case
def refused_for_want_of_descriptors():
    """a process that refuses clients for want of descriptors says so in the log, without a code it has not sent, and in status"""
    gate = made("refusing")
    with_environment({"SALLYPORTD_WRAPPER": "prlimit --nofile=72"}, gate.start)
    clients = []
    try:
        for _ in range(160):  # the kernel divides them between the submission processes
            clients.append(socket.create_connection(("127.0.0.1", gate.smtps)))
        line = gate.wait_log(r"refuse .*stage=connect reason=descriptors .*")
        assert "code=421" not in line.group(0) and "raise the limit (LimitNOFILE=" in line.group(0), line.group(0)
        status = gate.tool("status", check=False)
        assert status.returncode == 69 and "failing" in status.stdout and "raise the limit" in status.stdout, status
    finally:
        for client in clients:
            client.close()
        gate.stop()


@tap.case
def what_a_user_without_root_lacks():
    """directories, ports and keys that a user without root may not use are said in one start, each with what to set"""
    if not ROOT:
        return "needs root to make files of another user"
    own = f"{HOME}/lacking"
    os.makedirs(own, exist_ok=True)
    cert, key = g.certificate(own)
    path = f"{own}/lacking.cfg"
    with open(path, "w", encoding="utf-8") as f:
        f.write('hostname = "mail.example.com";\ndomains: ( { name = "example.com"; } );\nlog: { target = "stderr"; };\n'
                f'tls: {{ certificate = "{cert}"; private_key = "{key}"; }};\n')
    os.chmod(path, 0o644)
    run = subprocess.run([f"{g.BUILD}/sallyportd", "-c", path], user=WHO.pw_uid, group=WHO.pw_gid, extra_groups=[],
                         capture_output=True, text=True, check=False, timeout=60)
    assert run.returncode == 77, run
    for key in ("tls: ", "run_directory: ", "queue.directory: ", "state_directory: "):
        assert re.search(rf"error: {key}.* uid {WHO.pw_uid}: .*without root, ", run.stderr), (key, run.stderr)
    if int(open("/proc/sys/net/ipv4/ip_unprivileged_port_start", encoding="ascii").read()) > 465:
        assert re.search(r"error: listen: port 465 .*without root, set one above 1023", run.stderr), run.stderr
    checked = subprocess.run([f"{g.BUILD}/sallyport", "config", "check", path], user=WHO.pw_uid, group=WHO.pw_gid,
                             extra_groups=[], capture_output=True, text=True, check=False)
    assert "as this user the daemon would not start: state_directory: " in checked.stdout, checked
    tool = subprocess.run([f"{g.BUILD}/sallyport", "-c", path, "user", "list"], user=WHO.pw_uid, group=WHO.pw_gid,
                          extra_groups=[], capture_output=True, text=True, check=False)
    assert tool.returncode == 77 and tool.stderr.startswith("sallyport: error: state_directory: "), tool
    return None


@tap.case
def example_without_root():
    """etc/examples/without-root.cfg starts as another user, with its ports and directories made ours"""
    with open(f"{g.TOP}/etc/examples/without-root.cfg", encoding="utf-8") as f:
        text = f.read()
    own = f"{HOME}/without-root"
    os.makedirs(own, exist_ok=True)
    cert, key = g.certificate(own, stem="mail.example.com")
    ports = g.free_port(), g.free_port()
    for old, new in (("/home/mail/sallyport", own), ("4650", str(ports[0])), ("5870", str(ports[1]))):
        assert old in text, old
        text = text.replace(old, new)
    path = f"{own}/sallyport.cfg"
    with open(path, "w", encoding="utf-8") as f:
        f.write(text + f'log: {{ target = "file:{own}/log"; }};\n')
    who = {}
    if ROOT:
        for name in (own, cert, key, path):
            os.chown(name, WHO.pw_uid, WHO.pw_gid)
        who = {"user": WHO.pw_uid, "group": WHO.pw_gid, "extra_groups": []}
    checked = subprocess.run([f"{g.BUILD}/sallyport", "config", "check", path], capture_output=True, text=True, check=False, **who)
    assert checked.returncode == 0 and "as this user" not in checked.stdout, checked
    with subprocess.Popen([f"{g.BUILD}/sallyportd", "-c", path], stderr=subprocess.PIPE, text=True, **who) as daemon:
        try:
            g.wait_for("ready", 30, lambda: daemon.poll() is not None or subprocess.run(
                [f"{g.BUILD}/sallyport", "-c", path, "status"], capture_output=True, check=False, **who).returncode == 0)
            assert daemon.poll() is None, daemon.stderr.read()
        finally:
            daemon.terminate()
            daemon.wait(30)


@tap.case
def too_few_descriptors():
    """what the configuration allows is compared with the limit of descriptors: in config check, at the start, at a reload"""
    gate = made("descriptors", limits="limits: { sessions = 100; };")
    gate.parts["queue"] = gate.parts["queue"].replace("queue: {", "queue: { concurrency = 5000;")
    gate.write_config()
    checked = subprocess.run(["prlimit", "--nofile=2000:2000", f"{g.BUILD}/sallyport", "-c", gate.config, "config", "check"],
                             capture_output=True, text=True, check=False)
    told = r"queue\.concurrency = 5000: the relay process may need 20320 descriptors, its hard limit is 2000; raise .*LimitNOFILE"
    assert checked.returncode == 0 and re.search("warning: " + told, checked.stdout), checked
    assert "the queue process may need 10256" in checked.stdout and "limits.sessions" not in checked.stdout, checked
    with_environment({"SALLYPORTD_WRAPPER": "prlimit --nofile=1000:2000"}, gate.start)
    gate.wait_log("warning: " + told)
    for pid in gate.processes():
        with open(f"/proc/{pid}/limits", encoding="ascii") as f:
            assert re.search(r"Max open files +2000 +2000 ", f.read()), "the soft limit is raised to the hard one"
    assert re.search(told, gate.tool("reload").stdout)
    gate.parts["queue"] = gate.parts["queue"].replace("concurrency = 5000;", "concurrency = 400;")
    gate.write_config()
    assert "descriptors" not in gate.tool("reload").stdout
    gate.stop()


try:
    tap.run()
finally:
    sink.stop()
