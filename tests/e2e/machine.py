#!/usr/bin/env python3
"""machine SUITE: a Debian made from nothing is set up as README says, under its own systemd: the service runs, takes the first
message, reloads, is there again after a reboot, with the mail that waited.  Part of the long rounds; needs root, debootstrap
and systemd-nspawn, and Debian's packages from the network.  The machine itself has a network namespace of its own."""
import os
import re
import shutil
import signal
import smtplib
import ssl
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../support")
import debian  # noqa: E402
import gateway as g  # noqa: E402

SUITE = sys.argv[1] if len(sys.argv) > 1 else "bookworm"
HOME = f"{g.BUILD}/machine/{SUITE}"
ROOT = f"{HOME}/root"
CONFIG = "/etc/sallyport/sallyport.cfg"
PASSWORD = "quiet-harbour-2291"
PATIENCE_S = 120
ROUTE = 'routes: ( { via = "smtp"; host = "127.0.0.1"; port = 2525; tls = "none"; } );\n'
tap = g.Tap()


def readme_commands():
    """The three lines for systemd, as they stand there."""
    with open(f"{g.TOP}/README", encoding="utf-8") as f:
        block = re.search(r"^As a service, under systemd[^:]*:\n\n((?:    [^\n]*\n)+)", f.read(), re.M).group(1)
    lines = [re.sub(r"\s+#.*", "", line.strip()) for line in block.splitlines()]
    assert len(lines) == 3 and all("sudo" in line for line in lines), lines
    return [line.replace("sudo ", "") for line in lines]


def configure(text=""):
    """What was installed, with a route to the receiving host of this test, and this behind it."""
    shutil.copy(f"{g.TOP}/etc/sallyport.cfg", ROOT + CONFIG)
    with open(ROOT + CONFIG, "a", encoding="utf-8") as f:
        f.write(ROUTE + text)


# ---- under its systemd ----

class Machine:
    """Booted in this process's network namespace; its own process and mount namespaces."""

    def __init__(self):
        self.process = None

    def boot(self):
        with open(f"{HOME}/console", "ab") as f:
            self.process = subprocess.Popen(["systemd-nspawn", "-q", "-D", ROOT, "--keep-unit", "--register=no", "-b"],
                                            stdin=subprocess.DEVNULL, stdout=f, stderr=f)
        g.wait_for("systemd is up", PATIENCE_S, self.is_up, every=0.5)
        return self

    def leader(self):
        """Its systemd: the child of nspawn that is process 1 of a namespace of its own."""
        if not self.process:
            return None
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as f:
                    status = f.read()
            except OSError:
                continue
            if re.search(rf"^PPid:\s+{self.process.pid}$", status, re.M) and re.search(r"^NSpid:\s+\d+\s+1$", status, re.M):
                return pid
        return None

    def command(self, *words, check=True, **more):
        """As root in it."""
        return debian.run("nsenter", "-t", self.leader(), "-m", "-u", "-i", "-p", "-r", "-w", *words, check=check,
                          seconds=PATIENCE_S, **more)

    def is_up(self):
        assert self.process.poll() is None, "nspawn has ended"
        if not self.leader():
            return False
        return self.command("systemctl", "is-system-running", check=False).stdout.strip() in ("running", "degraded")

    def shell(self, line, **more):
        return self.command("/bin/sh", "-ec", line, **more).stdout

    def service(self):
        return self.command("systemctl", "is-active", "sallyport", check=False).stdout.strip()

    def journal(self):
        return self.shell("journalctl -q -o cat -u sallyport")

    def shut_down(self):
        self.command("systemctl", "poweroff", check=False)
        try:
            self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def kill(self):
        leader = self.leader()
        if leader:
            os.kill(int(leader), signal.SIGKILL)
        if self.process:
            self.process.kill()
            self.process.wait()


def send(subject, implicit=True):
    context = ssl.create_default_context(cafile=f"{ROOT}/etc/sallyport/tls/mail.example.com.crt")
    context.check_hostname = False  # the name has no address here; the tool's status tells of the name
    if implicit:
        client = smtplib.SMTP_SSL("127.0.0.1", 465, context=context, timeout=60)
    else:
        client = smtplib.SMTP("127.0.0.1", 587, timeout=60)
        client.starttls(context=context)
    client.login("alice@example.com", PASSWORD)
    client.sendmail("alice@example.com", ["bob@example.net"],
                    f"From: alice@example.com\r\nTo: bob@example.net\r\nSubject: {subject}\r\n\r\nHello\r\n")
    client.quit()


def subjects(sink):
    return sorted(re.search(rb"^Subject: (.*)\r$", message, re.M).group(1).decode() for message in sink.messages())


machine = Machine()


@tap.case
def a_service_by_the_readme():
    """the three lines of README end with a running service; an account, the first messages through 465 and 587"""
    first, second, third = readme_commands()
    debian.run(*debian.enter(ROOT, f"cd {debian.SOURCE}\n{first.replace('./try build', './try build --yes')}", True))
    assert second.split() == ["sudoedit", CONFIG], second
    debian.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "90",
               "-subj", "/CN=mail.example.com", "-addext", "subjectAltName=DNS:mail.example.com",
               "-keyout", f"{ROOT}/etc/sallyport/tls/mail.example.com.key", "-out", f"{ROOT}/etc/sallyport/tls/mail.example.com.crt")
    configure()
    machine.boot()
    machine.shell(third)
    assert machine.service() == "active", machine.journal()
    machine.shell(f"echo {PASSWORD} | sallyport user add --password-stdin alice@example.com")
    machine.shell("sallyport status")
    sink = g.Sink(HOME, port=2525)
    try:
        send("first")
        send("second", implicit=False)
        sink.wait(2)
        assert subjects(sink) == ["first", "second"]
    finally:
        sink.stop()
    assert re.search(r"\baccept id=\S+ user=\"alice@example.com\"", machine.journal()), machine.journal()


@tap.case
def roles_under_the_unit():
    """each role has its own user, no capability and a filter; the journal names no denial; the watchdog is fed"""
    users = machine.shell("ps -o user:32= -C sallyportd" if os.path.exists(f"{ROOT}/bin/ps") else
                          "for d in /proc/[0-9]*; do [ \"$(cat $d/comm 2>/dev/null)\" = sallyportd ] && stat -c %U $d; done; true")
    assert {"root", "sallyport", "sallyport-keys", "sallyport-auth", "sallyport-queue"} <= set(users.split()), users
    assert "Operation not permitted" not in machine.journal(), machine.journal()
    time.sleep(35)  # WatchdogSec= is 30 s
    assert machine.service() == "active", machine.journal()


@tap.case
def reloads():
    """systemctl reload takes a changed configuration, and fails with the reason for one with an error; the service goes on"""
    configure('limits: { message_size = "1M"; };\n')
    machine.shell("systemctl reload sallyport")
    assert "1048576" in g.smtplib.SMTP("127.0.0.1", 587, timeout=60).ehlo("c.example.com")[1].decode()
    configure("nonsense = ;\n")
    failed = machine.command("systemctl", "reload", "sallyport", check=False)
    assert failed.returncode != 0, failed
    assert "sallyport.cfg" in machine.journal(), machine.journal()
    assert machine.service() == "active"
    configure()
    machine.shell("systemctl reload sallyport")


@tap.case
def after_a_reboot():
    """mail that waits, then a reboot: the service is there by itself, and delivers it"""
    send("waits")
    machine.shut_down()
    sink = g.Sink(f"{HOME}/second", port=2525)
    try:
        machine.boot()
        g.wait_for("the service", PATIENCE_S, lambda: machine.service() == "active", every=0.5)
        machine.shell("sallyport queue retry --all --yes")
        sink.wait(1, PATIENCE_S)
        assert subjects(sink) == ["waits"]
        send("after")
        sink.wait(2)
    finally:
        sink.stop()


@tap.case
def stops_and_leaves():
    """systemctl stop ends with success, and uninstall-system leaves the configuration alone"""
    machine.shell("systemctl disable --now sallyport")
    assert machine.shell("systemctl show -P Result sallyport").strip() == "success"
    machine.shell(f"make -s -C {debian.SOURCE}/build uninstall-system")
    assert os.path.exists(ROOT + CONFIG)
    assert not os.path.exists(f"{ROOT}/usr/local/lib/systemd/system/sallyport.service")
    machine.shut_down()


def main():
    reason = debian.missing("systemd-nspawn", "nsenter")
    if reason:
        print(f"1..0 # SKIP {reason}")
        return
    if "--made" not in sys.argv:
        debian.make(HOME, SUITE, ("systemd", "systemd-sysv", "dbus", "openssl"))
        debian.run(*debian.enter(ROOT, "apt-get update && apt-get install -y --no-install-recommends "
                                 f"$(sed -n 's/^build //p' {debian.SOURCE}/.ci/packages)", True))
        os.execvp("unshare", ["unshare", "--net", sys.executable, __file__, SUITE, "--made"])
    debian.run("ip", "link", "set", "lo", "up")
    try:
        tap.run()
    finally:
        machine.kill()
        if not tap.failed:
            shutil.rmtree(HOME)


main()
