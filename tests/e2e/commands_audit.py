#!/usr/bin/env python3
"""commands_audit: who changed what, as the log has it; an account that was taken over is stopped by one command."""
import json
import os
import re
import shutil
import signal
import smtplib
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../support")
import gateway as g  # noqa: E402
import load  # noqa: E402
import tracer  # noqa: E402

HOME = g.workplace("commands_audit")
tap = g.Tap()
gate = g.Gateway(f"{HOME}/gateway", routes='routes: ( { via = "smtp"; host = "127.0.0.1"; port = 9; tls = "none"; } );',
                 queue=f'queue: {{ directory = "{HOME}/gateway/spool"; retry = [ "1h" ]; minimum_free = "1%"; }};').start()
gate.add_user()
gate.add_user("carol@example.com")
WHO = "root" if os.getuid() == 0 else f"uid:{os.getuid()}"


def audit(pattern):
    gate.wait_log(pattern)
    return next(line for line in reversed(gate.log().splitlines()) if re.search(pattern, line))


@tap.case
def a_queue_command():
    """the line has who asked for the kernel, who that claims to be, filter, count, the first ids, the reason"""
    client = gate.connect()
    for n in range(23):
        gate.send(recipients=(f"bob{n}@example.net",), client=client)
    client.quit()
    os.environ["SUDO_USER"] = "carol reason=forged"
    gate.tool("queue", "hold", "--user", gate.user, "--domain", "example.net", "--older", "0s", "--reason", 'asked "so"', "--yes")
    del os.environ["SUDO_USER"]
    line = audit("action=queue.hold")
    assert " count=23 " in line and 'filter_user="alice@example.com"' in line, line
    assert 'filter_domain="example.net"' in line and r'reason="asked \"so\""' in line, line
    assert f'by={WHO} via=socket claim="SUDO_USER=carol?reason=forged loginuid=' in line, line
    ids = re.search(r'ids="([^"]*)"', line)[1]
    assert len(re.findall(r"[0-9A-Z]{12}-\d+", ids)) == 20 and ids.endswith(" and 3 more"), ids
    number = gate.queue()[0]["id"]
    gate.tool("queue", "release", number)
    line = audit("action=queue.release")
    assert f'ids="{number}"' in line and "filter_ids=1 " in line and "SUDO_USER" not in line, line
    gate.tool("queue", "delete", "--all", "--yes")
    assert "filter=all " in audit("action=queue.delete")


@tap.case
def other_commands():
    """accounts and reload have the same"""
    os.environ["SUDO_USER"] = "carol"
    gate.tool("user", "suspend", "carol@example.com", "--reason", "away")
    gate.tool("reload")
    del os.environ["SUDO_USER"]
    gate.tool("user", "resume", "carol@example.com")
    assert f'by={WHO} via=socket claim="SUDO_USER=carol loginuid=' in audit("action=user.suspend")
    assert f'by={WHO} via=socket claim="SUDO_USER=carol loginuid=' in audit("action=reload")


@tap.case
def suspend_and_hold():
    """user suspend --hold: login refused, sessions closed, what waits is held; resume --release undoes it"""
    gate.send(sender="carol@example.com", client=gate.connect(user="carol@example.com"))
    for _ in range(2):
        gate.send()
    session = load.Session(gate)
    said = gate.tool("user", "suspend", gate.user, "--hold", "--reason", "phished").stdout
    assert "suspended" in said and "2 queued messages held" in said, said
    assert session.reply().startswith("421")
    session.close()
    held = gate.queue("--state", "held")
    assert len(held) == 2 and {r["user"] for r in held} == {gate.user} and held[0]["reason"] == "operator: user suspended: phished", held
    said = gate.tool("user", "resume", gate.user, "--release").stdout
    assert "may log in again" in said and "2 queued messages released" in said, said
    assert not gate.queue("--state", "held")
    gate.connect().quit()
    rows = [json.loads(line) for line in gate.tool("user", "suspend", gate.user, "--hold", "--json").stdout.splitlines()]
    assert rows[-1]["row"] == "total" and rows[-1]["changed"] == 2, rows
    assert gate.tool("user", "resume", gate.user, "--release", "-q").stdout == ""


@tap.case
def resume_leaves_other_holds():
    """user resume --release: what the operator held for another reason stays held, which is said"""
    kept = gate.send()[1].split()[-1]
    gate.tool("queue", "hold", kept, "--reason", "evidence, do not send")
    gate.tool("user", "suspend", gate.user, "--hold", "--reason", "phished")
    said = gate.tool("user", "resume", gate.user, "--release").stdout
    assert "2 queued messages released; 1 stays held for another reason\n" in said, said
    held, = gate.queue("--state", "held")
    assert held["id"] == kept and held["reason"] == "operator: evidence, do not send", held
    assert 'filter_user="alice@example.com" filter_state=held filter_held_for="user suspended"' in audit("action=queue.release")
    gate.tool("user", "suspend", gate.user, "--hold")
    rows = [json.loads(line) for line in gate.tool("user", "resume", gate.user, "--release", "--json").stdout.splitlines()]
    assert rows[-1]["row"] == "total" and rows[-1]["changed"] == 2 and rows[-1]["unchanged"] == 1, rows
    gate.tool("queue", "delete", kept)


@tap.case
def a_hold_takes_over_that_of_a_suspension():
    """queue hold of what user suspend --hold holds: it is held as evidence from then on, also after the queue was killed"""
    others = len(gate.queue("--user", gate.user))
    kept = gate.send()[1].split()[-1]
    gate.tool("user", "suspend", gate.user, "--hold", "--reason", "phished")
    said = gate.tool("queue", "hold", kept, "--reason", "evidence").stdout
    assert "1 message changed; 1 of these held already, for another reason than now\n" in said, said
    os.kill(tracer.role_pid(gate, "queue"), signal.SIGKILL)
    g.wait_for("the queue is there again", 30, lambda: gate.tool("queue", "list", check=False).returncode == 0)
    said = gate.tool("user", "resume", gate.user, "--release").stdout
    assert f"{others} queued message{'' if others == 1 else 's'} released; 1 stays held for another reason\n" in said, said
    held, = gate.queue("--state", "held")
    assert held["id"] == kept and held["reason"] == "operator: evidence", held
    gate.tool("queue", "delete", kept)


@tap.case
def each_change_of_an_account_tells_of_its_mail():
    """suspend, resume and remove end with a line about the queue; what a removed account left held can be released by its name"""
    dora = "dora@example.com"
    gate.add_user(dora)
    for _ in range(2):
        gate.send(sender=dora, client=gate.connect(user=dora))
    said = gate.tool("user", "suspend", dora, "--reason", "phished").stdout
    assert said.endswith("2 queued messages go on (--hold holds them)\n"), said
    said = gate.tool("user", "suspend", dora, "--hold").stdout
    assert "was suspended already, since 20" in said and ": phished\n" in said and "2 queued messages held\n" in said, said
    assert json.loads(gate.tool("user", "show", dora, "--json").stdout)["reason"] == "phished"
    said = gate.tool("queue", "release", "--user", dora, "--dry-run").stdout
    assert "2 messages would be changed" in said and f"{dora} is suspended since 20" in said, said
    said = gate.tool("user", "resume", dora).stdout
    assert said.endswith("2 queued messages stay held (--release sends them)\n"), said
    said = gate.tool("user", "remove", dora).stdout
    assert "0 queued messages go on; 2 stay held, and a new account of this name would have them" in said, said
    said = gate.tool("user", "resume", dora, "--release").stdout
    assert said == f"{dora}: no such account; this is about its queued mail only\n2 queued messages released\n", said
    assert gate.tool("user", "resume", dora, "--release", check=False).returncode == 67
    gate.tool("queue", "delete", "--user", dora, "--yes")


@tap.case
def hold_of_what_is_being_stored():
    """user suspend --hold while a message of the user is on its way to a slow disk: it ends after that, and the message is held"""
    if os.getuid() or not shutil.which("strace"):
        return "needs root and strace"
    before = len(gate.queue("--user", gate.user))
    queue = tracer.role_pid(gate, "queue")
    with tracer.attached(queue, f"{HOME}/sync.trace", "-f", "-e", "trace=fdatasync", "-e", "inject=fdatasync:delay_exit=3000000"):
        client, answers = gate.connect(), []

        def send():
            try:
                answers.append(gate.send(client=client)[0])
            except (OSError, AssertionError, smtplib.SMTPException) as e:
                answers.append(str(e))
        sender = threading.Thread(target=send)
        sender.start()
        g.wait_for("the message is being synced", 20, lambda: tracer.stands_in(queue, tracer.FDATASYNC))
        said = gate.tool("user", "suspend", gate.user, "--hold").stdout
        held = gate.queue("--state", "held")
        sender.join(30)
    assert len(held) == len(gate.queue("--user", gate.user)) == before + 1, (before, held, said)
    assert re.search(rf"^{before + 1} queued messages? held", said, re.M), said
    print(f"# the client heard {answers}", flush=True)
    gate.tool("user", "resume", gate.user, "--release")
    return None


@tap.case
def without_the_daemon():
    """suspend --hold while the daemon is off: the account is suspended, the queue cannot be held, and that is said"""
    gate.stop()
    said = gate.tool("user", "suspend", gate.user, "--hold", check=False)
    assert said.returncode == 69 and "suspended" in said.stdout and "not held" in said.stderr, said
    gate.tool("user", "resume", gate.user)
    gate.start()


try:
    tap.run()
finally:
    gate.stop()
