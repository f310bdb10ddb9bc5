#!/usr/bin/env python3
"""operation: what an administrator sees when something is wrong: a missing account store, a role that does not answer, a stop
of the daemon, and what the log and the tool say of each."""
import os
import re
import shutil
import signal
import socket
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../support")
import gateway as g  # noqa: E402

HOME = g.workplace("operation")
tap = g.Tap()
sink = g.Sink(HOME)
ROUTES = f'routes: ( {{ via = "smtp"; host = "127.0.0.1"; port = {sink.port}; tls = "none"; }} );'


def made(name, **replace):
    return g.Gateway(f"{HOME}/{name}", routes=ROUTES, **replace)


def login_code(gate, password=g.PASSWORD):
    """What a client hears that logs in."""
    client = gate.connect(login=False)
    try:
        return client.login(gate.user, password)[0]
    except g.smtplib.SMTPAuthenticationError as e:
        return e.smtp_code
    finally:
        client.close()


@tap.case
def account_store_is_missing():
    """accounts.db is gone, and the spool shows that this is no first start: 454, never 535; said in log and status; it heals"""
    gate = made("missing").start()
    store = f"{gate.directory}/state/accounts.db"
    try:
        gate.wait_log(f"made a new account store {re.escape(store)}")
        gate.add_user()
        gate.stop()
        os.rename(store, f"{gate.directory}/kept")
        gate.start()
        assert login_code(gate) == 454, gate.tail()
        gate.wait_log(f"accounts: accounts.db is missing in {gate.directory}/state: logins are answered with 454")
        status = gate.tool("status", check=False)
        assert re.search(r"^auth +0 +failing .*accounts\.db is missing", status.stdout, re.M), status.stdout
        assert status.returncode == 69, status
        listed = gate.tool("user", "list", check=False)
        assert listed.returncode == 74 and "accounts.db is missing" in listed.stderr, listed
        assert not os.path.exists(store), "it was made anew"
        os.rename(f"{gate.directory}/kept", store)
        g.wait_for("the store is open again", 20, lambda: login_code(gate) == 235, every=0.5)
        g.wait_for("all are ready", 20, lambda: gate.tool("status", check=False).returncode == 0)
        gate.stop()
        os.truncate(store, 0)
        gate.start()
        assert login_code(gate) == 454, gate.tail()
        assert gate.log().count("made a new account store") == 1
        gate.tool("user", "add", "carol@example.com", "--password-stdin", given=g.PASSWORD + "\n")
        g.wait_for("the line of the second store", 20, lambda: gate.log().count("made a new account store") == 2)
        assert login_code(gate) == 535
    finally:
        gate.stop()


@tap.case
def account_store_is_replaced_in_use():
    """a backup takes the place of the open accounts.db: what is added afterwards is there after a restart; removed: failing"""
    gate = made("replaced").start()
    store, backup, former = (f"{gate.directory}/{name}" for name in ("state/accounts.db", "backup.db", "former.db"))
    try:
        gate.add_user()
        shutil.copy2(store, backup)
        shutil.chown(backup, os.stat(store).st_uid, os.stat(store).st_gid)
        os.rename(store, former)
        os.rename(backup, store)
        gate.tool("user", "add", "carol@example.com", "--password-stdin", given=g.PASSWORD + "\n")
        gate.wait_log("accounts: another accounts.db is in")
        gate.stop()
        gate.start()
        assert "carol@example.com" in gate.tool("user", "list").stdout
        os.rename(store, former)
        g.wait_for("status tells it", 20, lambda: "put it back" in gate.tool("status", check=False).stdout, every=0.2)
        suspended = gate.tool("user", "suspend", "carol@example.com", check=False)
        assert suspended.returncode == 74 and "put it back" in suspended.stderr, suspended
        os.rename(former, store)
        g.wait_for("all are ready", 20, lambda: gate.tool("status", check=False).returncode == 0, every=0.2)
    finally:
        gate.stop()


@tap.case
def account_store_without_the_daemon():
    """the tool makes a store only to add an account to it, and says so"""
    gate = made("alone")
    listed = gate.tool("user", "list", check=False)
    assert listed.returncode == 74 and "accounts.db is missing" in listed.stderr, listed
    added = gate.tool("user", "add", gate.user, "--password-stdin", given=g.PASSWORD + "\n")
    assert "made a new account store" in added.stderr, added
    assert "made" not in gate.tool("user", "list").stderr


def while_stopped(pid, *words):
    """A command of the tool while that process is stopped."""
    os.kill(pid, signal.SIGSTOP)
    try:
        return gateway.tool(*words, check=False)
    finally:
        cont(pid)


def cont(pid):
    try:
        os.kill(pid, signal.SIGCONT)
    except ProcessLookupError:  # ended meanwhile
        pass


def pid_of(role):
    return next(pid for pid, (name, _) in gateway.processes().items() if name == role)


@tap.case
def commands_of_a_process_that_does_not_answer():
    """the tool names the process that did not answer, and for how long; it never says that a running daemon is not running"""
    for role, words, wanted in ((None, ("reload",), r"main did not answer within 4 s"),
                                (None, ("status",), r"main did not answer within 4 s"),
                                ("queue", ("queue", "list"), r"queue ended after \d+ s without an answer"),
                                ("auth", ("user", "list"), r"auth ended after \d+ s without an answer")):
        said = while_stopped(pid_of(role) if role else gateway.process.pid, *words)
        assert re.search(wanted, said.stderr) and "not running" not in said.stderr, (words, said)
        assert said.returncode == 69, (words, said)
        g.wait_for("all are back", 60, lambda: gateway.tool("status", check=False).returncode == 0, every=0.3)


@tap.case
def commands_of_a_control_that_does_not_answer():
    """what is asked of a control that hangs waits in main's socket, and the next control answers it"""
    said = while_stopped(pid_of("control"), "queue", "list")
    assert said.returncode == 0 and not said.stderr, said
    g.wait_for("all are back", 60, lambda: gateway.tool("status", check=False).returncode == 0, every=0.3)


@tap.case
def status_for_monitoring():
    """the exit status of `status` is not 0 while a process is down or silent, and 0 again afterwards"""
    for role in ("relay", "submission"):
        pid = pid_of(role)
        os.kill(pid, signal.SIGSTOP)
        try:
            g.wait_for(f"{role} is not answering", 15, lambda: "not answering" in gateway.tool("status", check=False).stdout,
                       every=0.3)
            said = gateway.tool("status", check=False)
            assert said.returncode == 69 or "not answering" not in said.stdout, said
        finally:
            cont(pid)
        g.wait_for("all are back", 30, lambda: gateway.tool("status", check=False).returncode == 0, every=0.3)


@tap.case
def socket_is_gone():
    """somebody deleted the socket: the tool says so, and leaves the running daemon's account store alone"""
    os.unlink(f"{gateway.directory}/run/control.sock")
    for words in (("status",), ("user", "list"), ("user", "suspend", gateway.user)):
        said = gateway.tool(*words, check=False)
        assert said.returncode == 69 and "the daemon is running, but its control does not answer" in said.stderr, said
    gateway.stop()
    said = gateway.tool("status", check=False)
    assert said.returncode == 69 and "the daemon is not running" in said.stderr, said
    gateway.start()


class SilentHost:
    """A receiving host whose connections stand, and that never says a word."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]

    @property
    def routes(self):
        return f'routes: ( {{ via = "smtp"; host = "127.0.0.1"; port = {self.port}; tls = "none"; }} );'

    def hear(self):
        self.socket.settimeout(20)
        return self.socket.accept()[0]


@tap.case
def a_clean_stop_and_a_kill():
    """after a clean stop `stopped` is the last line, and what relay had not begun was put back; a kill leaves neither"""
    host = SilentHost()
    gate = g.Gateway(f"{HOME}/stop", routes=host.routes).start().add_user()
    gate.send(recipients=("bob@example.net",))
    with host.hear():
        gate.stop()
    log = gate.log()
    assert re.search(r" deliver id=\S+-1\.1 status=put_back reason=relay_stops to=<bob@example\.net>$", log, re.M), gate.tail()
    assert "status=unknown" not in log
    assert log.rstrip("\n").endswith(" stopped"), gate.tail()
    gate.start()
    with host.hear():
        relay = next(pid for pid, (name, _) in gate.processes().items() if name == "relay")
        os.kill(relay, signal.SIGKILL)
        gate.wait_log(r" deliver id=\S+-1\.1 status=unknown reason=relay_lost to=<bob@example\.net>$")
        gate.kill_group()
    assert gate.log().count(" stopped") == 1


gateway = made("gateway").start().add_user()
try:
    tap.run()
finally:
    gateway.stop()
    sink.stop()
