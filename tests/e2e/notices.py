#!/usr/bin/env python3
"""notices: the postmaster gets one mail about each thing that needs an administrator, and none twice in a day."""
import email
import email.policy
import os
import re
import signal
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../support")
import gateway as g  # noqa: E402
import json  # noqa: E402

HOME = g.workplace("notices")
PATIENCE_S = 60  # a notice gathers for 5 s what comes with it
tap = g.Tap()
sink = g.Sink(HOME)
later_port = g.free_port()
gate = g.Gateway(f"{HOME}/gateway", notices="",
                 extra='postmaster = "it@example.com";\n'
                       'limits: { users: ( { user = "mallory@example.com"; per_user = "1 recipients / 1h"; } ); };',
                 auth='auth: { backends = ( "users" ); failure_limit = "1 / 1h"; };',
                 routes=f'routes: ( {{ to_domain = "later.example"; via = "smtp"; host = "127.0.0.1"; port = {later_port}; '
                        f'tls = "none"; }},\n'
                        f'{{ via = "smtp"; host = "127.0.0.1"; port = {sink.port}; tls = "none"; }} );')


def near_its_end(days):
    """In place of the gateway's own certificate, for the same key."""
    path = f"{gate.directory}/tls"
    subprocess.run(["openssl", "req", "-x509", "-new", "-key", f"{path}.key", "-days", str(days), "-out", f"{path}.new",
                    "-subj", "/CN=mail.example.com", "-addext", "subjectAltName=DNS:mail.example.com"],
                   check=True, capture_output=True)
    os.rename(f"{path}.new", f"{path}.crt")


def notices():
    return [email.message_from_bytes(m, policy=email.policy.default) for m in sink.messages()]


def notice(subject, count=None):
    """The one with these words in its subject; as many in all."""
    found = g.wait_for(f"a notice {subject!r}; log: {gate.tail()}", PATIENCE_S,
                       lambda: [m for m in notices() if subject in m["Subject"]])
    assert len(found) == 1, [m["Subject"] for m in found]
    if count:
        assert len(notices()) == count, [m["Subject"] for m in notices()]
    return found[0]


def is_well_formed(mail, number):
    raw = sink.message(number)
    assert raw.count(b"\n") == raw.count(b"\r\n") and b"\r" not in raw.replace(b"\r\n", b"")
    assert all(c in b"\r\n\t" or 0x20 <= c < 0x7f for c in raw) and max(map(len, raw.split(b"\r\n"))) <= 998
    assert mail["To"] == "<it@example.com>" or mail["To"].addresses[0].addr_spec == "it@example.com"
    assert mail["From"].addresses[0].addr_spec == "MAILER-DAEMON@mail.example.com"
    assert mail["From"].addresses[0].display_name == "Mail gateway mail.example.com", mail["From"]
    assert mail["Auto-Submitted"] == "auto-generated" and mail["Date"] and mail["Message-ID"], mail.as_string()
    assert "mail=FROM:<> " in sink.envelope(number), sink.envelope(number)


@tap.case
def a_certificate_near_its_end():
    """a certificate that expires in 3 days: one mail, to the postmaster, with the words of the log and what to do"""
    near_its_end(3)
    gate.start()
    gate.add_user()
    mail = notice("mail.example.com: A certificate needs attention", 1)
    text = " ".join(mail.get_content().split())
    said = re.search(r"sallyport\.cfg:\d+: tls\.certificate: (\S+: expires on \S+ 2 days left|.*? days left)", gate.log())
    assert said and said.group(0) in text, (said, text)
    assert f"{gate.directory}/tls.crt" in text and "sallyport config check" in text, text
    is_well_formed(mail, 1)
    gate.wait_log(r"notice id=\S+-4001000000 kind=certificate to=<it@example\.com>")
    gate.wait_log(r"done id=\S+-4001000000 user=\"\" sent=1")
    assert json.loads(gate.tool("status", "--json").stdout.splitlines()[1])["kind"] == "certificate"


@tap.case
def a_reload_that_is_refused():
    """SIGHUP with an error in the file: the mail has file and line; a second one on the same day: none"""
    with open(gate.config, "a", encoding="ascii") as f:
        f.write("nonsense = 1;\n")
    os.kill(gate.main_pid(), signal.SIGHUP)
    line = len(open(gate.config, encoding="utf-8").readlines())
    text = " ".join(notice("A reload was refused", 2).get_content().split())
    assert f"sallyport.cfg:{line}: error:" in text and "sallyport reload" in text, text
    assert gate.tool("reload", check=False).returncode == 78
    gate.write_config()


@tap.case
def a_process_that_is_killed():
    """SIGKILL of a process: the mail has its role, how it ended, and how often; nothing of the second reload"""
    pid = next(pid for pid, (role, _) in gate.processes().items() if role == "relay")
    os.kill(pid, signal.SIGKILL)
    text = " ".join(notice("A process has ended that should run", 3).get_content().split())
    assert f"relay 0 (pid {pid}) was ended by signal 9; it was at:" in text, text
    assert "ends of this role in the last hour: 1" in text, text


@tap.case
def the_queue_is_killed():
    """SIGKILL of the queue, which is to store the notice: it is asked again, and the mail comes"""
    pid = next(pid for pid, (role, _) in gate.processes().items() if role == "queue")
    os.kill(pid, signal.SIGKILL)
    found = g.wait_for("the notice", PATIENCE_S, lambda: [m for m in notices() if f"(pid {pid})" in m.get_content()])
    assert len(found) == 1 and len(notices()) == 4, [m["Subject"] for m in notices()]


@tap.case
def a_process_that_hangs():
    """SIGSTOP of a process: it is ended after ten seconds, and the mail says so"""
    pid = next(pid for pid, (role, _) in gate.processes().items() if role == "control")
    os.kill(pid, signal.SIGSTOP)
    found = g.wait_for("the notice", PATIENCE_S, lambda: [m for m in notices() if f"(pid {pid})" in m.get_content()])
    text = " ".join(found[0].get_content().split())
    assert f"control 0 (pid {pid}) was ended by signal 9, for it gave no sign of life; it was at: wait for events" in text, text
    assert len(found) == 1 and len(notices()) == 5, [m["Subject"] for m in notices()]


@tap.case
def the_spool_is_moved():
    """the spool is moved away: told, while mail is still stored in it"""
    os.rename(f"{gate.directory}/spool", f"{gate.directory}/elsewhere")
    text = " ".join(notice("The spool is not where the configuration says", 6).get_content().split())
    os.rename(f"{gate.directory}/elsewhere", f"{gate.directory}/spool")
    assert f"it is now {gate.directory}/elsewhere" in text and "stop the daemon, put that directory back" in text, text


@tap.case
def a_restart_tells_nothing_twice():
    """started again, and again after SIGKILL of all: no mail about what was told"""
    gate.stop()
    gate.start()
    gate.kill_group()
    gate.start()
    before = len(notices())
    pid = next(pid for pid, (role, _) in gate.processes().items() if role == "keys")
    os.kill(pid, signal.SIGKILL)
    g.wait_for("the notice after them", PATIENCE_S, lambda: [m for m in notices() if f"(pid {pid})" in m.get_content()])
    assert len(notices()) == before + 1, [m["Subject"] for m in notices()]


@tap.case
def status_and_queue():
    """`sallyport status` has them in a line; with notices = false nothing is told, and the line is gone"""
    out = gate.tool("status", check=False).stdout
    assert re.search(r"^notices to the postmaster: 0 pending, 7 sent in 24 hours, the last one at \S+: process keys$", out,
                     re.M), out
    gate.parts["notices"] = "notices = false;"
    gate.write_config()
    gate.tool("reload")
    assert "notices to the postmaster" not in gate.tool("status", check=False).stdout


def damage_a_body():
    """A stored body is changed, and tried: the message is held; its id."""
    assert gate.send(recipients=("bob@later.example",), text="0123456789abcdef" * 4 + "\r\n" + "x" * 70 + "\r\n" * 4000 +
                     ("y" * 70 + "\r\n") * 3000)[0] == 250
    name = next(n for n in os.listdir(f"{gate.directory}/spool") if n.endswith(".body"))
    with open(f"{gate.directory}/spool/{name}", "r+b") as f:
        f.seek(100000)
        f.write(b"Z")
    later = g.Sink(f"{HOME}/later", port=later_port)
    gate.tool("queue", "retry", "--all", "--yes")
    gate.wait_log(rf"message {name[:-5]} is held: ")
    assert later.count() == 0
    later.stop()
    return name[:-5]


@tap.case
def what_is_collected():
    """a damaged message, a suspended login and guesses, a login at its limit: one notice of each kind, with all of it"""
    before = len(notices())
    gate.parts["notices"] = ""
    gate.write_config()
    gate.tool("reload")
    gate.add_user("mallory@example.com")
    held = damage_a_body()
    client = gate.connect(user="mallory@example.com")
    client.mail("mallory@example.com")
    assert [client.rcpt(f"r{n}@later.example")[0] for n in range(3)] == [250, 450, 450]
    client.close()
    gate.tool("user", "suspend", "mallory@example.com", "--hold", "--reason", "it sends spam\u202e")
    try:
        gate.connect(user="carol@example.com")
        raise AssertionError("carol is no user")
    except g.smtplib.SMTPAuthenticationError as refusal:
        assert refusal.smtp_code in (535, 421), refusal
    found = g.wait_for("three notices", 2 * PATIENCE_S + 60, lambda: len(notices()) >= before + 3 and notices()[before:],
                       every=0.5)
    texts = {m["Subject"].split(": ")[1]: " ".join(m.get_content().split()) for m in found}
    assert f"message {held} is held: the body file" in texts["Messages are damaged, held or lost"], texts
    assert "login mallory@example.com gets 450 4.7.1" in texts["A login has reached its sending limit"], texts
    access = texts["Logins are suspended or limited"]
    assert "login mallory@example.com was suspended by root" in access and r"it sends spam\x{202E}" in access, access
    assert "0 queued messages of login mallory@example.com were held (user suspend --hold), by root" in access, access
    assert "network 127.0.0.1/32 has failed too often" in access and "carol@example.com" in access, access
    for number in range(before + 1, before + 4):
        is_well_formed(notices()[number - 1], number)


try:
    tap.run()
finally:
    gate.stop()
    sink.stop()
