#!/usr/bin/env python3
"""commands_config: the configuration that the daemon has, beside the file; JSON; credentials; the password prompt."""
import fcntl
import json
import os
import pty
import select
import signal
import smtplib
import subprocess
import sys
import termios

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../support")
import gateway as g  # noqa: E402

HOME = g.workplace("commands_config")
tap = g.Tap()
SMARTHOST = ('routes: ( { via = "smarthost"; host = "smtp.example.net"; port = 465; tls = "implicit"; '
             'username = "u"; password = "%s"; } );')
gate = g.Gateway(f"{HOME}/gateway", routes=SMARTHOST % "first-secret").start()


@tap.case
def a_credential_outside_the_unit():
    """config check says that a credential: cannot be read here, and finds no error in it; the daemon does not start without it"""
    other = g.Gateway(f"{HOME}/credential", routes=SMARTHOST % "credential:partner")
    other.write_config()
    outside = {k: v for k, v in os.environ.items() if k != "CREDENTIALS_DIRECTORY"}

    def run(environment, *words):
        return subprocess.run(words, env=environment, capture_output=True, text=True, timeout=60, check=False)
    check = (f"{g.BUILD}/sallyport", "-c", other.config, "config", "check")
    told = run(outside, *check)
    assert told.returncode == 0 and ": 0 errors" in told.stdout, told
    assert "warning: routes.password: credential:partner cannot be read here" in told.stdout, told
    told = run(outside, f"{g.BUILD}/sallyportd", "-c", other.config)
    assert told.returncode == 78 and "CREDENTIALS_DIRECTORY is not set" in told.stderr, told
    os.mkdir(f"{HOME}/credentials")
    inside = dict(outside, CREDENTIALS_DIRECTORY=f"{HOME}/credentials")
    told = run(inside, *check)
    assert told.returncode == 78 and "partner: No such file" in told.stdout, told
    told = run(inside, f"{g.BUILD}/sallyportd", "-c", other.config)
    assert told.returncode == 78 and "partner: No such file" in told.stderr, told
    with open(f"{HOME}/credentials/partner", "w", encoding="ascii") as f:
        f.write("from-systemd\n")
    os.chmod(f"{HOME}/credentials/partner", 0o400)
    told = run(inside, *check)
    assert told.returncode == 0 and "cannot be read" not in told.stdout and "from-systemd" not in told.stdout, told


def rows(*words, **more):
    return [json.loads(line) for line in gate.tool("config", *words, "--json", **more).stdout.splitlines()]


def write(routes=None, **parts):
    gate.routes = routes or gate.routes
    gate.parts.update(parts)
    gate.write_config()


@tap.case
def what_the_daemon_has():
    """config show --running: what the daemon has and not what the file says, also while the file has an error; no secret; typed"""
    same = gate.tool("config", "show").stdout
    assert gate.tool("config", "show", "--running").stdout == same
    every = gate.tool("config", "show", "--running", "--all").stdout
    assert every == gate.tool("config", "show", "--all").stdout and "lifetime" in every
    write(limits='limits: { per_user = "500 / 1h"; };')
    assert "500 recipients" in gate.tool("config", "show").stdout
    shown = gate.tool("config", "show", "--running").stdout
    assert shown == same and '"***"' in shown and "first-secret" not in shown, shown
    running = rows("show", "--running", "--all")[0]
    assert running["v"] == 1 and running["hostname"] == "mail.example.com", running
    assert running["limits"]["per_user"] == "300 recipients / 1h" and running["auth"]["workers"] == 2, running
    assert running["queue"]["retry"][0] and isinstance(running["sender_policy"]["subaddresses"], bool), running
    assert running["routes"][0]["port"] == 465 and running["routes"][0]["password"] == "***", running
    assert rows("show")[0]["limits"]["per_user"] == "500 recipients / 1h"
    with open(gate.config, "a", encoding="ascii") as f:
        f.write("nonsense = 1;\n")
    told = gate.tool("config", "show", "--running")
    assert told.stdout == same and "nonsense" in told.stderr, told
    assert gate.tool("config", "show", check=False).returncode == 78
    write()
    gate.tool("reload")
    assert gate.tool("config", "show", "--running").stdout == gate.tool("config", "show").stdout


@tap.case
def a_large_configuration():
    """config show --running of 3000 groups, more than one message holds"""
    users = ", ".join(f'{{ user = "user-{n}@example.com"; per_user = "{n + 1} / 1h, 100000 / 1d"; }}' for n in range(3000))
    write(limits=f"limits: {{ users = ( {users} ); }};")
    gate.tool("reload")
    shown = gate.tool("config", "show", "--running").stdout
    assert len(shown) > 200000 and shown == gate.tool("config", "show").stdout
    assert len(rows("show", "--running")[0]["limits"]["users"]) == 3000
    write(limits="")
    assert gate.tool("config", "diff", check=False).stdout.startswith("limits.users: 3000 removed (")
    gate.tool("reload")


@tap.case
def what_a_reload_would_change():
    """config diff: key by key, in the words of a reload, which then says the same; exit 0, 1, 78; a secret is compared, not told"""
    told = gate.tool("config", "diff")
    assert told.stdout.startswith(f"0 keys of {gate.config} differ from the running configuration"), told
    assert [r["changes"] for r in rows("diff")] == [0]
    write(limits='limits: { per_user = "500 / 1h"; sessions = 9000; };', routes=SMARTHOST % "second-secret")
    told = gate.tool("config", "diff", check=False)
    assert told.returncode == 1 and "secret" not in told.stdout + told.stderr, told
    lines = told.stdout.splitlines()
    assert lines[0] == 'limits.per_user "300 recipients / 1h" -> "500 recipients / 1h"', lines
    assert "limits.sessions 20000 -> 9000" in lines and lines[-1].startswith("3 keys of "), lines
    assert any(line.startswith("routes: 1 changed") for line in lines), lines
    typed = {r.get("key"): r for r in rows("diff", check=False)}
    assert typed["limits.sessions"] == {"v": 1, "row": "change", "key": "limits.sessions", "running": 20000,
                                        "file": 9000, "restart": False}, typed
    assert typed["limits.per_user"]["file"] == "500 recipients / 1h", typed
    assert typed["routes"]["groups"].startswith("1 changed"), typed
    assert typed[None]["row"] == "total" and typed[None]["changes"] == 3 and typed[None]["path"] == gate.config, typed
    quiet = gate.tool("config", "diff", "--quiet", check=False)
    assert quiet.returncode == 1 and not quiet.stdout, quiet
    reload = gate.tool("reload").stdout.splitlines()
    assert lines[:-1] == [line for line in reload if line in lines], (lines, reload)
    assert gate.tool("config", "diff").returncode == 0
    with open(f"{HOME}/other.cfg", "w", encoding="ascii") as f:
        f.write(f'hostname = "x.example.com";\nrun_directory = "{gate.directory}/run";\n')
    told = gate.tool("config", "diff", "-c", f"{HOME}/other.cfg")
    assert f"the daemon reads {gate.config}, which is compared, and not {HOME}/other.cfg" in told.stderr, told
    with open(gate.config, "a", encoding="ascii") as f:
        f.write("nonsense = 1;\n")
    told = gate.tool("config", "diff", check=False)
    assert told.returncode == 78 and "error: " in told.stderr and "nonsense" in told.stderr, told
    write(limits="")
    gate.tool("reload")


@tap.case
def what_needs_a_restart():
    """a key that a reload does not change is told by config diff until the restart, and config show --running has the old one"""
    write(node="node = 7;")
    for _ in range(2):
        told = gate.tool("config", "diff", check=False)
        assert told.returncode == 1 and "node 0 -> 7 (needs a restart)" in told.stdout.splitlines(), told
        assert "node" not in gate.tool("config", "show", "--running").stdout
        assert "needs a restart" in gate.tool("config", "explain", "node").stdout.splitlines()[-1]
        gate.tool("reload")
    gate.stop()
    gate.start()
    assert gate.tool("config", "diff").returncode == 0
    assert "node = 7;" in gate.tool("config", "show", "--running").stdout


@tap.case
def a_second_domain():
    """a second domain without auth.default_domain: check, diff and the reload that makes it so warn; the login has a reason"""
    words = "there are several, and auth.default_domain is not set"
    gate.add_user()
    client = gate.connect(user="alice")
    client.quit()
    write(domains='domains: ( { name = "example.com"; },\n { name = "example.net"; } );')
    told = gate.tool("config", "diff", check=False)
    assert told.returncode == 1 and "warning: domains: " + words in told.stdout, told
    assert words in rows("diff", check=False)[-1]["warning"]
    assert f":{domains_line()}: warning: domains: {words}" in gate.tool("config", "check").stdout
    assert "warning: domains: " + words in gate.tool("reload").stdout
    assert words not in gate.tool("reload").stdout + gate.tool("config", "diff").stdout, "it was so before"
    try:
        gate.connect(user="alice")
        raise AssertionError("logged in without a domain")
    except smtplib.SMTPAuthenticationError as e:
        assert e.smtp_code == 535, e
    gate.wait_log(r'auth fail .*reason=no_domain .*user="alice"')
    write(auth='auth: { default_domain = "example.com"; };')
    assert words not in gate.tool("config", "check").stdout + gate.tool("reload").stdout
    gate.connect(user="alice").quit()
    write(domains='domains: ( { name = "example.com"; } );', auth="")
    gate.tool("reload")


def domains_line():
    with open(gate.config, encoding="ascii") as f:
        return [line.startswith("domains:") for line in f].index(True) + 1


@tap.case
def what_this_host_lacks():
    """config check and sallyportd -t try what a start or a reload would: an address, a user, a log file, files, a route to itself"""
    other = g.Gateway(f"{HOME}/lacks")
    good = dict(other.parts)
    user = [("error", "user", f'user = "{name}";', words) for name, words in (
        ("nobody", 'user: user = "nobody": the roles need a user of their own'),
        ("no-such-user", 'user: the user "no-such-user" does not exist: make it with'))] if not os.getuid() else []
    own = "routes: route 1, to %s port %d, leads to a listener of this gateway itself"
    route = 'routes: ( {{ via = "smtp"; host = "{0}"; port = {1}; }} );'
    for kind, part, text, words in (
            *user,
            ("error", "listen", 'listen: ( { address = "192.0.2.99"; port = 465; tls = "implicit"; } );',
             "listen: this host has no address 192.0.2.99"),
            ("error", "log", f'log: {{ target = "file:{HOME}/absent/log"; }};',
             f"log.target: {HOME}/absent/log cannot be opened: No such file or directory"),
            ("error", "log", f'log: {{ target = "file:{HOME}"; }};', f"log.target: {HOME}: "),
            ("warning", "dns", f'dns: {{ hosts_file = "{HOME}/absent"; }};', f"dns.hosts_file: {HOME}/absent: No such file"),
            ("warning", "dns", f'dns: {{ resolv_conf = "{HOME}/absent"; }};', f"dns.resolv_conf: {HOME}/absent: No such file"),
            ("error", "r", f'routes: ( {{ via = "smtp"; host = "a.example.net"; tls = "verify"; ca_file = "{HOME}/absent"; }} );',
             f"routes.ca_file: {HOME}/absent: No such file"),
            ("warning", "r", route.format("127.0.0.1", other.submission), own % ("127.0.0.1", other.submission)),
            ("warning", "r", route.format("localhost", other.smtps), own % ("localhost", other.smtps)),
            ("warning", "r", route.format("mail.example.com", other.smtps), own % ("mail.example.com", other.smtps))):
        other.parts = {**good, part: text}
        other.write_config()
        told = other.tool("config", "check", check=False)
        assert f"{other.config}: {kind}: {words}" in told.stdout, (words, told)
        assert told.stdout.count(words) == 1, (words, told)
        assert told.returncode == (78 if kind == "error" else 0), told
        daemon = subprocess.run([f"{g.BUILD}/sallyportd", "-t", "-c", other.config], capture_output=True, text=True, check=False)
        assert daemon.stderr.count(f"{kind}: {words}") == 1 and daemon.returncode == told.returncode, daemon
    other.parts = {**good, "r": route.format("127.0.0.1", g.free_port())}
    other.write_config()
    assert "routes:" not in other.tool("config", "check").stdout
    assert not os.path.exists(other.log_file), "a check makes no file"


@tap.case
def accounts_that_lose_their_domain():
    """config diff and reload name the accounts that no domain covers any more; --quiet does not"""
    write(domains='domains: ( { name = "example.com"; }, { name = "example.net"; } );')
    gate.tool("reload")
    gate.add_user("gone@example.net")
    assert "gone@" not in gate.tool("config", "diff", check=False).stderr + gate.tool("reload").stderr
    write(domains='domains: ( { name = "example.com"; } );')
    warning = "warning: domains: the account gone@example.net: no configured domain covers it"
    assert warning in gate.tool("config", "diff", check=False).stderr
    assert not gate.tool("config", "diff", "--quiet", check=False).stderr
    told = gate.tool("reload")
    assert warning in told.stderr and "applied" in told.stdout and "alice@" not in told.stderr, told
    gate.tool("user", "remove", "gone@example.net")
    assert not gate.tool("reload").stderr


@tap.case
def a_key_explained():
    """config explain: "now" is what the daemon has, "in file" what the file has where that is another one, or where no daemon runs"""
    def end(key="limits.sessions"):
        return gate.tool("config", "explain", key).stdout.split("since    0.1\n")[1]
    assert end() == "now      20000\n"
    write(limits="limits: { sessions = 9000; };")
    assert end() == "now      20000\nin file  9000\n         the file is not in force: it needs a reload\n"
    typed = rows("explain", "limits.sessions")[0]
    assert (typed["running"], typed["file"], typed["default"], typed["restart"]) == (20000, 9000, 20000, False), typed
    assert typed["key"] == "limits.sessions" and typed["type"].startswith("a whole number"), typed
    assert "limits.sessions" in rows("explain", "limits")[0]["keys"]
    assert rows("explain", "routes")[0]["file"][0]["password"] == "***"
    gate.stop()
    assert end() == "in file  9000\n"
    told = gate.tool("config", "explain", "limits.sessions")
    assert not told.stderr, told
    assert "running" not in rows("explain", "limits.sessions")[0]
    assert gate.tool("config", "explain", "limits.session", check=False).returncode == 65
    for words in (("diff",), ("show", "--running")):
        told = gate.tool("config", *words, check=False)
        assert told.returncode == 69 and "the daemon is not running" in told.stderr, told
    write(limits="")
    gate.start()


@tap.case
def a_check_as_json():
    """config check --json: an object for each finding with kind, file and line, then the numbers"""
    path = f"{HOME}/bad.cfg"
    with open(path, "w", encoding="ascii") as f:
        f.write('hostname = "x.example.com";\nlimits: { per_user = "300"; };\nnonsense = 1;\n')
    found = rows("check", path, check=False)
    assert found[-1]["row"] == "total" and found[-1]["errors"] == len(found) - 1 >= 2 and found[-1]["path"] == path, found
    one = [r for r in found if "nonsense" in r.get("text", "")][0]
    assert (one["kind"], one["file"], one["line"]) == ("error", path, 3), one
    assert "unchanged" not in gate.tool("config", "check", path, check=False).stdout, "no daemon runs in the default place"
    with open(path, "a", encoding="ascii") as f:
        f.write(f'run_directory = "{gate.directory}/run";\n')
    assert "The running configuration is unchanged." in gate.tool("config", "check", path, check=False).stdout
    good = rows("check")
    assert good[-1]["errors"] == 0 and all(r["kind"] == "warning" for r in good[:-1]), good


def become_a_session_leader():
    """With the signals of a login: a shell that runs a program in the background ignores some of them for it."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGTSTP):
        signal.signal(number, signal.SIG_DFL)
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


class Terminal:
    """A command on a terminal of its own, as its session's leader.  The test holds both ends, and so sees its modes later, too."""

    def __init__(self, *words, early=""):
        self.master, self.slave = pty.openpty()
        os.write(self.master, early.encode())
        self.said = b""
        self.process = subprocess.Popen(words, stdin=self.slave, stdout=self.slave, stderr=self.slave, start_new_session=True,
                                        preexec_fn=become_a_session_leader)

    def echoes(self):
        return bool(termios.tcgetattr(self.slave)[3] & termios.ECHO)

    def until(self, mark):
        """Reads byte by byte; was the echo off at the first byte of what was read?"""
        is_hidden = None
        while not self.said.endswith(mark):
            assert select.select([self.master], [], [], 20)[0], (mark, self.said)
            self.said += os.read(self.master, 1)
            is_hidden = not self.echoes() if is_hidden is None else is_hidden
        return is_hidden

    def type(self, text):
        os.write(self.master, text.encode())

    def end(self):
        status = self.process.wait(20)
        while select.select([self.master], [], [], 0)[0]:
            self.said += os.read(self.master, 1000)
        echoes = self.echoes()
        os.close(self.master)
        os.close(self.slave)
        assert echoes, "the terminal is left without echo"
        return status


def prompting(*words, **more):
    return Terminal(f"{g.BUILD}/sallyport", "-c", gate.config, *words, **more)


@tap.case
def the_echo_is_off_before_the_prompt():
    """user add, user password, test auth: no echo when the first letter of the prompt is seen; what is typed at once is not shown;
    what was typed before is no part of the password"""
    for n in range(20):
        shell = prompting("user", "add", f"typed-{n}@example.com")
        assert shell.until(b"Password: "), f"round {n}: the prompt comes while the terminal still echoes"
        shell.type("hidden-4417\nhidden-4417\n")
        assert shell.end() == 0 and b"hidden" not in shell.said and b"Again: " in shell.said, shell.said
    shell = prompting("user", "password", "typed-0@example.com", early="early-")
    shell.until(b"early-")
    assert shell.until(b"Password: ") is not None
    shell.type("hidden-4418\nhidden-4418\n")
    assert shell.end() == 0 and b"hidden" not in shell.said, shell.said
    gate.connect(user="typed-0@example.com", password="hidden-4418").quit()
    shell = prompting("test", "auth", "typed-0@example.com")
    assert shell.until(b"Password: ")
    shell.type("hidden-4418\n")
    assert shell.end() == 0 and b"hidden" not in shell.said, shell.said
    shell = prompting("user", "password", "typed-0@example.com")
    shell.until(b"Password: ")
    shell.type("hidden-1\nhidden-2\n")
    assert shell.end() == 65 and b"not the same" in shell.said, shell.said
    shell = prompting("user", "password", "typed-0@example.com")
    shell.until(b"Password: ")
    shell.type("\x04")
    assert shell.end() == 65, shell.said


@tap.case
def the_echo_comes_back_after_a_signal():
    """a signal that ends the prompt leaves a terminal that echoes, and what was typed of the password is not left to the shell"""
    for number, act in ((signal.SIGINT, lambda s: s.type("\x03")), (signal.SIGQUIT, lambda s: s.type("\x1c")),
                        (signal.SIGTERM, lambda s: s.process.terminate()), (signal.SIGHUP, lambda s: s.process.send_signal(1))):
        shell = prompting("user", "password", "typed-0@example.com")
        shell.until(b"Password: ")
        shell.type("half-typed")
        act(shell)
        left = shell.slave
        shell.process.wait(20)
        modes = termios.tcgetattr(left)
        modes[3] &= ~termios.ICANON
        modes[6][termios.VMIN] = 0
        termios.tcsetattr(left, termios.TCSANOW, modes)
        assert os.read(left, 100) == b"", f"signal {number}: a part of the password is still there"
        assert shell.end() == -number and b"half" not in shell.said, (number, shell.said)


@tap.case
def the_prompt_is_stopped_and_goes_on():
    """Control-Z at the prompt: the shell's terminal echoes; after fg it does not, and the password is taken"""
    command = f"{g.BUILD}/sallyport -c {gate.config} user password typed-1@example.com"
    shell = Terminal("bash", "-c", f"set -m; {command}; echo stopped; read -r line; echo got $line; fg; echo ended $?")
    shell.until(b"Password: ")
    shell.type("\x1a")
    shell.until(b"stopped\r\n")
    assert shell.echoes(), "the terminal of the shell does not echo"
    shell.type("word\n")
    shell.until(b"typed-1@example.com\r\n")
    g.wait_for("the echo is off again", 10, lambda: not shell.echoes())
    shell.type("hidden-4419\nhidden-4419\n")
    shell.until(b"ended 0\r\n")
    assert b"got word" in shell.said and b"hidden" not in shell.said, shell.said
    assert shell.end() == 0
    gate.connect(user="typed-1@example.com", password="hidden-4419").quit()


try:
    tap.run()
finally:
    gate.stop()
