#!/usr/bin/env python3
"""commands: the tool against a running daemon and without one: accounts, queue, reload, configuration."""
import json
import os
import pty
import re
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../support")
import gateway as g  # noqa: E402
import load  # noqa: E402

HOME = g.workplace("commands")
tap = g.Tap()
DEAD = 'routes: ( { via = "smtp"; host = "127.0.0.1"; port = 9; tls = "none"; } );'
gate = g.Gateway(f"{HOME}/gateway", routes=DEAD).start()


def refused(function):
    try:
        function().close()
    except g.smtplib.SMTPAuthenticationError as refusal:
        return refusal.smtp_code
    return 0


@tap.case
def accounts_while_running():
    """user add, list, show, password, suspend, resume, remove; each holds at once"""
    gate.add_user()
    gate.connect().quit()
    assert "alice@example.com" in gate.tool("user", "list", "--quiet").stdout.split()
    assert json.loads(gate.tool("user", "show", gate.user, "--json").stdout)["state"] == "active"
    again = gate.tool("user", "add", gate.user, "--password-stdin", given="another-4418\n", check=False)
    assert again.returncode == 73, again
    gate.tool("user", "password", gate.user, "--password-stdin", given="another-4418\n")
    assert refused(gate.connect) == 535
    gate.connect(password="another-4418").quit()
    gate.tool("user", "password", gate.user, "--password-stdin", given=g.PASSWORD + "\n")
    session = load.Session(gate)
    gate.tool("user", "suspend", gate.user, "--reason", "phished")
    assert session.reply().startswith("421"), "an open session ends"
    session.close()
    assert refused(gate.connect) == 535
    assert json.loads(gate.tool("user", "show", gate.user, "--json").stdout)["reason"] == "phished"
    gate.tool("user", "resume", gate.user)
    gate.connect().quit()
    assert gate.tool("user", "show", "nobody@example.com", check=False).returncode == 67
    made = gate.tool("user", "add", "temp@example.com", "--generate").stdout
    password = made.split("password:")[1].split()[0]
    gate.connect(user="temp@example.com", password=password).quit()
    gate.tool("user", "remove", "temp@example.com")
    assert refused(lambda: gate.connect(user="temp@example.com", password=password)) == 535


def type_password(*words, typed):
    """The tool on a terminal of its own; what it asked, and its exit code."""
    pid, fd = pty.fork()
    if pid == 0:
        os.execv(f"{g.BUILD}/sallyport", [f"{g.BUILD}/sallyport", "-c", gate.config, *words])
    said = b""
    try:
        for line in typed:
            while not said.rstrip().endswith(b":"):
                said += os.read(fd, 1000)
            said += b"|"
            os.write(fd, line.encode() + b"\n")
        while True:
            said += os.read(fd, 1000)
    except OSError:
        pass
    os.close(fd)
    return said.decode(), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@tap.case
def password_from_the_terminal():
    """asked twice, not echoed; two that differ are refused; without a terminal it says what to do"""
    said, code = type_password("user", "add", "dora@example.com", typed=("typed-4420", "typed-4420"))
    assert code == 0 and "typed" not in said and said.count(":") >= 2, (said, code)
    gate.connect(user="dora@example.com", password="typed-4420").quit()
    said, code = type_password("user", "password", "dora@example.com", typed=("one", "two"))
    assert code == 65 and "not the same" in said, (said, code)
    refusal = gate.tool("user", "add", "emil@example.com", given="", check=False)
    assert refusal.returncode == 65 and "--password-stdin" in refusal.stderr, refusal


@tap.case
def accounts_that_are_refused():
    """user add refuses a name of another domain, with blanks or controls, and a short password, and says what is right"""
    def add(name, password="long-enough"):
        return gate.tool("user", "add", name, "--password-stdin", given=password + "\n", check=False)
    for name, why in (("eve@other.example", "the configured domain is example.com"), ("e ve@example.com", "no blanks"),
                      ("eve\x07@example.com", "no control"), ("e@ve@example.com", "not a mail address")):
        run = add(name)
        assert run.returncode == 65 and why in run.stderr, run
    for password in ("short-7", "gr\u00fc\u00dfe-7"):  # seven characters, the second one in nine octets
        run = add("eve@example.com", password)
        assert run.returncode == 65 and "at least 8 characters" in run.stderr, run
    assert "eve" not in gate.tool("user", "list").stdout
    assert "frida@example.com: added" in add("frida", "eight-88").stdout
    gate.connect(user="frida", password="eight-88").quit()
    assert "frida@example.com: suspended" in gate.tool("user", "suspend", "frida").stdout
    assert "frida@example.com: removed" in gate.tool("user", "remove", "frida").stdout


@tap.case
def accounts_without_a_domain():
    """an account whose domain is configured no more: config check names it, also while the daemon is off; it logs in,
    and its mail is refused in words"""
    other = g.Gateway(f"{HOME}/domains", routes=DEAD,
                      domains='domains: ( { name = "example.com"; }, { name = "example.net"; } );').start()
    other.add_user()
    other.add_user("gone@example.net")
    assert "the account" not in other.tool("config", "check").stdout
    other.parts["domains"] = 'domains: ( { name = "example.com"; } );'
    other.write_config()
    wanted = "warning: domains: the account gone@example.net: no configured domain covers it"
    assert wanted in other.tool("config", "check").stdout
    other.tool("reload")
    client = other.connect(user="gone@example.net")
    code, words = client.mail("gone@example.net")
    assert code == 550 and b"5.7.1" in words and b"not configured here" in words, (code, words)
    other.wait_log('refuse .*stage=mail reason=login_domain code=550 dsn=5.7.1 .*user="gone@example.net"')
    client.close()
    other.stop()
    checked = other.tool("config", "check").stdout
    assert wanted in checked and "alice@" not in checked, checked
    with open(f"{other.directory}/state/accounts.db", "r+b") as f:
        f.write(b"no database, no database")
    checked = other.tool("config", "check").stdout
    assert "warning: domains: the accounts were not checked: the account store cannot be read" in checked, checked


@tap.case
def accounts_that_cannot_be_checked():
    """config check while auth does not answer: a warning after the short deadline, and not no warning at all"""
    auth = next(pid for pid, (role, _) in gate.processes().items() if role == "auth")
    os.kill(auth, signal.SIGSTOP)
    try:
        run = subprocess.run([f"{g.BUILD}/sallyport", "-c", gate.config, "config", "check"], text=True,
                             capture_output=True, check=False, timeout=30)
    finally:
        g.signal_process(auth, signal.SIGCONT)
    assert run.returncode == 0 and "0 errors, 1 warning" in run.stdout, run
    assert "warning: domains: the accounts were not checked: the daemon did not list them in time" in run.stdout, run
    g.wait_for("auth answers", 30, lambda: gate.tool("user", "list", check=False).returncode == 0)


@tap.case
def test_auth():
    """test auth tries a login as the daemon would"""
    good = gate.tool("test", "auth", gate.user, "--password-stdin", given=g.PASSWORD + "\n")
    assert "users" in good.stdout, good.stdout
    bad = gate.tool("test", "auth", gate.user, "--password-stdin", given="wrong\n", check=False)
    assert bad.returncode == 1, (bad.returncode, bad.stdout)


@tap.case
def no_password_anywhere():
    """no password in the log, the store or a process's words"""
    stored = b""
    for name in os.listdir(f"{gate.directory}/state"):
        with open(f"{gate.directory}/state/{name}", "rb") as f:
            stored += f.read()
    assert g.PASSWORD.encode() not in stored and g.PASSWORD not in gate.log()


@tap.case
def the_queue():
    """queue list, show, hold, release, retry, delete, with the common filter"""
    for n in range(3):
        gate.send(subject=f"q{n}", recipients=(f"bob{n}@example.net", "eva@example.org"))
    rows = gate.queue()
    assert len(rows) == 3 and all(r["user"] == gate.user for r in rows), rows
    number = rows[0]["id"]
    assert set(rows[0]["to"]) == {"bob0@example.net", "eva@example.org"}, rows[0]
    shown = gate.tool("queue", "show", number).stdout
    assert "Subject: q0" in shown and "bob0@example.net" in shown, shown
    assert len(gate.queue("--to", "bob1@example.net")) == 1
    assert len(gate.queue("--domain", "example.org")) == 3
    assert len(gate.queue("--user", "nobody@example.com")) == 0
    many = gate.tool("queue", "hold", "--user", gate.user, check=False)
    assert many.returncode == 64 and "--yes" in many.stderr, many
    gate.tool("queue", "hold", "--user", gate.user, "--dry-run")
    assert len(gate.queue("--state", "held")) == 0
    gate.tool("queue", "hold", number, "--reason", "wait")
    assert [r["id"] for r in gate.queue("--state", "held")] == [number]
    gate.kill_group()
    gate.start()
    assert [r["id"] for r in gate.queue("--state", "held")] == [number], "a hold outlives the daemon"
    gate.tool("queue", "release", number)
    assert len(gate.queue("--state", "held")) == 0
    g.wait_for("attempts", 20, lambda: all(int(r["tries"]) > 0 for r in gate.queue()))
    gate.tool("queue", "retry", "--all", "--yes")
    gate.tool("queue", "delete", "--all", "--yes")
    assert not gate.queue()
    gate.wait_log("action=queue.delete")
    gone = gate.tool("queue", "show", number, check=False)
    assert gone.returncode == 67 and "it may be finished; see the log for its id" in gone.stderr, gone


@tap.case
def reload_checks_first():
    """a bad file changes nothing and names its line; a good one holds for the next session"""
    parts = dict(gate.parts)
    gate.parts["limits"] = "limits: { recipient_per_message = 3; };"
    gate.write_config()
    bad = gate.tool("reload", check=False)
    assert bad.returncode == 78 and "recipients_per_message" in bad.stderr and ".cfg:" in bad.stderr, bad
    session = load.Session(gate)
    gate.parts["limits"] = "limits: { recipients_per_message = 3; };"
    gate.write_config()
    told = gate.tool("reload").stdout
    assert "limits.recipients_per_message" in told and "applied" in told, told
    fresh = load.Session(gate)
    for s, last in ((session, "250"), (fresh, "452")):
        s.say(f"MAIL FROM:<{gate.user}>\r\n".encode(), "250")
        for n in range(3):
            s.say(b"RCPT TO:<a%d@example.net>\r\n" % n, "250")
        s.say(b"RCPT TO:<a9@example.net>\r\n", last)
        s.close()
    gate.parts = parts
    gate.write_config()
    gate.process.send_signal(1)
    gate.wait_log("reload ok")


@tap.case
def listeners_follow_the_file():
    """a listener that is added is opened by a reload, one that is taken out is closed"""
    parts, port = dict(gate.parts), g.free_port()
    gate.parts["listen"] = parts["listen"].replace(
        " );", f',\n {{ address = "127.0.0.1"; port = {port}; tls = "implicit"; }} );')
    gate.write_config()
    gate.tool("reload")
    g.wait_for("the new port", 5, lambda: g.answers(port))
    gate.parts = parts
    gate.write_config()
    gate.tool("reload")
    g.wait_for("the port is closed", 5, lambda: not g.answers(port))


def seen_certificate():
    return ssl.get_server_certificate(("127.0.0.1", gate.smtps))


@tap.case
def certificates_are_watched():
    """a certificate and key that change on disk are used without a reload; a broken one is not"""
    before = seen_certificate()
    g.certificate(gate.directory)
    g.wait_for("the new certificate", 15, lambda: seen_certificate() != before, every=0.5)
    now = seen_certificate()
    with open(f"{gate.directory}/tls.crt", "w", encoding="ascii") as f:
        f.write("this is no certificate\n")
    time.sleep(5)
    assert seen_certificate() == now
    g.certificate(gate.directory)
    g.wait_for("the repaired certificate", 15, lambda: seen_certificate() != now, every=0.5)


def with_error(error):
    """The file as it stands, and the same with an error in its second line."""
    with open(gate.config, encoding="utf-8") as f:
        lines = f.read().split("\n")
    with open(gate.config, "w", encoding="utf-8") as f:
        f.write("\n".join([lines[0], error, *lines[1:]]))


def goes_on(*words, given=None, code=0):
    """The command does its work, and standard error has one line that names the place of the error."""
    run = gate.tool(*words, given=given, check=False)
    said = [line for line in run.stderr.splitlines() if gate.config in line]
    assert run.returncode == code and len(said) == 1, (words, run)
    assert re.search(r"sallyport.cfg:[23]: error: ", said[0]) and f"{gate.directory}/run" in said[0], run.stderr
    assert "goes on with the configuration that it has" in said[0], run.stderr
    return run


@tap.case
def commands_work_beside_a_broken_file():
    """whatever the file on disk says, what talks to the daemon works: the tool needs run_directory alone"""
    assert gate.send()[0] == 250
    number = gate.queue()[0]["id"]
    for error in ("limits: { per_user = 300 recipients", 'postmaster = "never closed;', "nonsense = 1;"):
        with_error(error)
        goes_on("status")
        goes_on("queue", "hold", "--all", "--yes")
        assert json.loads(goes_on("queue", "list", "--state", "held", "--json").stdout)["id"] == number
        goes_on("queue", "show", number)
        goes_on("queue", "release", "--all", "--yes")
        goes_on("user", "suspend", gate.user)
        goes_on("user", "password", gate.user, "--password-stdin", given=g.PASSWORD + "\n")
        goes_on("user", "resume", gate.user)
        goes_on("test", "route", "bob@example.net")
        assert "unchanged" in gate.tool("reload", check=False).stderr
        for words in (("config", "check"), ("config", "show"), ("reload",)):
            assert gate.tool(*words, check=False).returncode == 78, words
        gate.write_config()
    gate.connect().quit()
    goes = gate.tool("queue", "delete", "--all", "--yes")
    assert not goes.stderr, goes


@tap.case
def run_directory_by_option():
    """a file without a readable run_directory: root finds the daemon all the same, and the option names it"""
    with open(gate.config, "w", encoding="utf-8") as f:
        f.write(f'hostname = ;\nrun_directory = {gate.directory}/run;\n')
    found = gate.tool("status", check=False)
    if os.getuid() == 0:
        assert found.returncode == 0 and f'run_directory = "{gate.directory}/run"' in found.stderr, found
    else:
        assert found.returncode == 69 and "/run/sallyport/control.sock" in found.stderr, found
    found = gate.tool("--run-directory", f"{gate.directory}/run", "status", check=False)
    assert found.returncode == 0 and f"{gate.config}:1: error: " in found.stderr, found
    accounts = gate.tool("user", "list", check=False)
    assert accounts.returncode == (69 if os.getuid() else 0), accounts
    os.unlink(gate.config)
    assert gate.tool("--run-directory", f"{gate.directory}/run", "queue", "list", check=False).returncode == 0
    gate.write_config()
    elsewhere = gate.tool("--run-directory", f"{HOME}/nobody-here", "status", check=False)
    assert elsewhere.returncode == 69 and "nobody-here" in elsewhere.stderr, elsewhere


@tap.case
def directories_changed_in_the_file():
    """run_directory and state_directory are others in the file: the running daemon is asked, and no second store is made"""
    parts = dict(gate.parts)
    gate.parts["state"] = f'state_directory = "{gate.directory}/state2";\nrun_directory = "{gate.directory}/run2";'
    gate.write_config()
    try:
        other = ["setpriv", f"--reuid={g.test_user().pw_name}", "--clear-groups"] if os.getuid() == 0 else []
        run = subprocess.run([*other, f"{g.BUILD}/sallyport", "-c", gate.config, "user", "add", "carol@example.com", "--generate"],
                             capture_output=True, text=True, check=False)
        assert run.returncode == 69 and f"process {gate.main_pid()} runs with" in run.stderr, run
        if os.getuid() == 0:
            for words in (("status",), ("reload",), ("user", "add", "carol@example.com", "--generate")):
                run = gate.tool(*words)
                assert f'was started with run_directory = "{gate.directory}/run"' in run.stderr, run
            assert gate.tool("user", "list").stdout.count("carol@example.com") == 1
        assert not os.path.exists(f"{gate.directory}/state2")
        elsewhere = gate.tool("--run-directory", f"{gate.directory}/run2", "user", "list", check=False)
        assert elsewhere.returncode == 69 and "give " in elsewhere.stderr, elsewhere
    finally:
        gate.parts = parts
        gate.write_config()
    if os.getuid() == 0:
        gate.tool("user", "remove", "carol@example.com")


@tap.case
def log_reopens_beside_a_broken_file():
    """SIGHUP opens the log anew although the file has an error, which the new log tells"""
    os.rename(gate.log_file, f"{gate.log_file}.1")
    with_error("nonsense = 1;")
    os.kill(gate.main_pid(), 1)
    g.wait_for("a new log", 10, lambda: os.path.exists(gate.log_file))
    gate.wait_log("reload failed")
    gate.write_config()
    gate.connect().quit()
    gate.wait_log("auth ok")


@tap.case
def status_and_route():
    """status names every process; test route says which way"""
    roles = [json.loads(line) for line in gate.tool("status", "--json", check=False).stdout.splitlines()]
    assert {r.get("role") for r in roles} >= {"keys", "auth", "queue", "relay", "submission"}, roles
    assert "127.0.0.1" in gate.tool("test", "route", "bob@example.net").stdout


def objects(*words):
    return [json.loads(line) for line in gate.tool(*words, "--json", check=False).stdout.splitlines()]


@tap.case
def numbers_are_numbers_in_json():
    """a value of digits alone is a number in every answer; what waits for a dead host is deferred, also after a retry"""
    assert gate.send()[0] == 250
    number = objects("queue", "list")[0]["id"]

    def deferred():
        row = objects("status")[-1]
        return row["deferred"] == row["messages"] and row["active"] == 0

    g.wait_for("deferred", 20, deferred)
    gate.tool("queue", "retry", number)
    g.wait_for("deferred again", 20, deferred)
    answers = [objects(*words) for words in (
        ("status",), ("queue", "list"), ("queue", "show", number), ("user", "list"), ("user", "show", gate.user),
        ("test", "route", "bob@example.net"))]
    assert all(answers), answers
    texts = {(key, value) for rows in answers for row in rows for key, value in row.items()
             if isinstance(value, str) and value.isdigit()}
    assert not texts, texts
    gate.tool("queue", "delete", "--all", "--yes")


@tap.case
def nothing_is_passed_over():
    """a word or option without a meaning, and an age without a unit, are errors; a group alone shows its commands"""
    for words, said in ((("user", "list", "alice"), 'unexpected argument "alice"'), (("user", "list", "--domain", "x"), "--domain is no option"),
                        (("status", "now"), "unexpected argument"), (("reload", "--dry-run"), "--dry-run is no option"),
                        (("user", "remove", "-n", gate.user), "--dry-run is no option"), (("version", "2"), "unexpected argument"),
                        (("queue", "list", "--older", "10"), "an age has a unit"), (("user",), "user suspend NAME"),
                        (("queue", "fly"), "no such command"),
                        (("config", "chekc"), 'no such command "config chekc"; did you mean "config check"?'),
                        (("queeu", "list"), 'did you mean "queue list"?'), (("stauts",), 'did you mean "status"?'),
                        (("queue", "flush"), 'did you mean "queue retry --all"?'), (("frobnicate",), "see sallyport help")):
        run = gate.tool(*words, check=False)
        assert run.returncode == 64 and said in run.stderr and run.stdout == "", (words, run)
    assert "limits.per_user" in gate.tool("config", "explain", "limits").stdout
    for key, meant in (("limit", "limits"), ("limits.per_usr", "limits.per_user"), ("queu.lifetime", "queue.lifetime"),
                       ("zzz", None)):
        told = gate.tool("config", "explain", key, check=False)
        assert told.returncode == 65 and f'there is no key "{key}"' in told.stderr, told
        assert (f'; did you mean "{meant}"?' in told.stderr) == (meant is not None), told
    assert gate.tool("queue", "list").stdout == "no messages\n" and gate.tool("queue", "list", "-q").stdout == ""
    assert gate.tool("queue", "list", "--state", "held").stdout == "no message matches the filter\n" and not gate.queue()
    assert "queue hold" in gate.tool("help", "queue").stdout and "user add" not in gate.tool("help", "queue").stdout


def hello(build):
    """Request 0, kind WIRE_MESSAGE, type MESSAGE_HELLO, one text: the same in all builds."""
    return struct.pack("<QBHI", 0, 0, 1, len(build)) + build


def asked_of_another_build(path, *first, answer=None):
    """The tool asks a control that says `first`, answers with `answer`, and closes."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(path)
        listener.listen()
        with subprocess.Popen([f"{g.BUILD}/sallyport", "-c", f"{HOME}/gateway/other.cfg", "status"], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE) as tool:
            with listener.accept()[0] as control:
                for packet in first:
                    control.send(packet)
                request = control.recv(1 << 18)
                if answer:
                    control.send(request[:8] + answer)
                    tool.wait(20)
            said = tool.stderr.read()
            status = tool.wait(20)
    os.unlink(path)
    return status, said


@tap.case
def daemon_of_another_build():
    """after an upgrade, before the restart: the tool says that the daemon is of another build, and what to do"""
    run = tempfile.mkdtemp(prefix="sallyport-build-", dir="/tmp")
    path = f"{run}/control.sock"
    with open(f"{HOME}/gateway/other.cfg", "w", encoding="ascii") as f:
        f.write("\n".join({**gate.parts, "state": f'run_directory = "{run}";'}.values()))
    words = "the running daemon is of another build than this command"
    status, said = asked_of_another_build(path, hello(b"9.9"))
    assert status == 69 and words in said and "systemctl restart sallyport" in said, (status, said)
    status, said = asked_of_another_build(path, hello(b"9.9"), answer=struct.pack("<BHI", 1, 11, 7))
    assert status == 69 and words in said, (status, said)
    status, said = asked_of_another_build(path)
    assert status == 75 and "if that does not help, the daemon is of another build" in said, (status, said)
    os.rmdir(run)


@tap.case
def configuration_without_the_daemon():
    """config check, show and explain; accounts in the store while the daemon is off; exit codes"""
    gate.stop()
    assert gate.tool("config", "check").returncode == 0
    assert "mail.example.com" in gate.tool("config", "show").stdout
    assert "limits.per_user" in gate.tool("config", "explain", "limits.per_user").stdout
    with open(f"{HOME}/bad.cfg", "w", encoding="ascii") as f:
        f.write('hostname = "x.example.com";\nlimits: { per_user = "300"; recipient_per_message = 3; };\nnonsense = 1;\n')
    bad = gate.tool("config", "check", f"{HOME}/bad.cfg", check=False)
    assert bad.returncode == 78 and bad.stdout.count("error:") >= 3, bad.stdout
    run = subprocess.run([f"{g.BUILD}/sallyportd", "-t", "-c", f"{HOME}/bad.cfg"], capture_output=True, check=False)
    assert run.returncode == 78 and b"did you mean" in run.stderr, run
    accounts = gate.tool("-c", f"{HOME}/bad.cfg", "user", "list", check=False)
    assert accounts.returncode == 78 and accounts.stderr.count("error:") >= 2, accounts
    gate.tool("user", "add", "carol@example.com", "--password-stdin", given="store-4419\n")
    assert gate.tool("queue", "list", check=False).returncode == 69
    assert gate.tool("nonsense", check=False).returncode == 64
    gate.start()
    gate.connect(user="carol@example.com", password="store-4419").quit()


try:
    tap.run()
finally:
    gate.stop()
