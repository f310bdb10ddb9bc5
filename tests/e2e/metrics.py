#!/usr/bin/env python3
"""metrics: `sallyport metrics` is the text format of Prometheus, has every row of the table, counts exactly what happened, agrees
with status, and does not fall when a role is killed."""
import base64
import json
import os
import re
import signal
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../support")
import gateway as g  # noqa: E402

HOME = g.workplace("metrics")
tap = g.Tap()
sink = g.Sink(HOME, "--fail", "rcpt/late@=451 4.3.0 later", "--fail", "rcpt/never@=550 5.1.1 no such user")
gate = g.Gateway(f"{HOME}/gateway",
                 routes=f'routes: ( {{ via = "smtp"; host = "127.0.0.1"; port = {sink.port}; tls = "none"; }} );',
                 queue=f'queue: {{ directory = "{HOME}/gateway/spool"; retry = [ "1h" ]; minimum_free = "1%"; }};')

NAME, LABEL = r"[a-zA-Z_:][a-zA-Z0-9_:]*", r"[a-zA-Z_][a-zA-Z0-9_]*"
SAMPLE = re.compile(rf'({NAME})(?:{{({LABEL}="(?:[^"\\\n]|\\["\\n])*"(?:,{LABEL}="(?:[^"\\\n]|\\["\\n])*")*)}})? (\S+)')
VALUE = re.compile(r"[0-9]+(\.[0-9]+)?")


def parsed(text):
    """A strict reader of the text format, version 0.0.4: {name: (type, help, {labels: value})}, in its order."""
    assert text.endswith("\n"), "the last line is not ended"
    families, name = {}, None
    for line in text[:-1].split("\n"):
        words = line.split(" ", 3)
        if line.startswith("# HELP "):
            name = words[2]
            assert re.fullmatch(NAME, name) and name not in families, f"{name} stands twice: {line}"
            assert words[3] and not re.search(r"\\(?![\\n])", words[3]), line
            families[name] = [None, words[3], {}]
        elif line.startswith("# TYPE "):
            assert words[2] == name and families[name][0] is None and not families[name][2], line
            assert words[3] in ("counter", "gauge"), line
            families[name][0] = words[3]
        else:
            sample = SAMPLE.fullmatch(line)
            assert sample and sample[1] == name and families[name][0], f"not a line of the format: {line!r}"
            assert VALUE.fullmatch(sample[3]), line
            assert (sample[2] or "") not in families[name][2], f"twice: {line}"
            families[name][2][sample[2] or ""] = float(sample[3])
    assert all(kind for kind, _, _ in families.values())
    return families


def now():
    return parsed(gate.tool("metrics").stdout)


def value(families, name, labels=""):
    return families[f"sallyport_{name}"][2][labels]


def counters(families):
    return {(name, labels): number for name, (kind, _, samples) in families.items() if kind == "counter"
            for labels, number in samples.items()}


def text_of(path):
    with open(f"{g.TOP}/{path}", encoding="utf-8") as f:
        return f.read()


def table():
    """(name, labels) of each row of base/metric_table.c."""
    code = text_of("src/base/metric_table.c")
    macros = dict(re.findall(r'#define (\w+) \\\n\t"(sallyport_\w+)"', code))
    rows = re.findall(r"\[METRIC_\w+\] =\s+\{(\w+|\"\w+\")(.*?)\},\n(?=    \[|\};)", code, re.S)
    for first, rest in rows:
        labels = re.findall(r'\{"(\w+)", (?:"(\w+)"|PACKAGE_VERSION)\}', rest)
        yield macros.get(first, first.strip('"')), tuple(labels)


def settled(name, number, labels=""):
    g.wait_for(f"{name}{{{labels}}} is {number}", 20, lambda: value(now(), name, labels) == number, every=0.2)


@tap.case
def every_row_is_printed():
    """each row of the table has its line, in the order of the table, and the sizes of an empty queue are 0"""
    gate.start().add_user()
    g.wait_for("relay has a value", 20, lambda: gate.tool("status", check=False).returncode == 0)
    found = now()
    rows = list(table())
    assert len(rows) > 80, rows
    assert list(found) == list(dict.fromkeys(name for name, _ in rows)), set(found) ^ {name for name, _ in rows}
    version = gate.tool("version").stdout.split()[1]
    expected = [(name, ",".join(f'{label}="{word or version}"' for label, word in labels)) for name, labels in rows]
    printed = [(name, labels) for name, (_, _, samples) in found.items() for labels in samples]
    missing = [row for row in expected if row not in printed]
    assert printed == [row for row in expected if row not in missing]
    # relay has not opened a connection
    assert missing == [("sallyport_relay_connections_open", "")], missing
    assert value(found, "queue_messages") == 0 and value(found, "build_info", f'version="{version}"') == 1


@tap.case
def json_has_the_same():
    """--json has one object per row, with the same names, labels and numbers"""
    rows = [json.loads(line) for line in gate.tool("metrics", "--json").stdout.splitlines()]
    assert len(rows) == len(list(table())), len(rows)
    text = now()
    for row in rows:
        kind, _, samples = text[row["name"]]
        labels = ",".join(f'{k}="{v}"' for k, v in row.items() if k not in ("v", "row", "name", "type", "unit", "value"))
        assert row["row"] == "metric" and row["type"] == kind, row
        assert ("value" in row) == (labels in samples), row
        assert "value" not in row or isinstance(row["value"], (int, float)), row
        stays = kind == "counter" and not row["name"].startswith("sallyport_spool")
        assert not stays or row["value"] == samples[labels], row
    assert gate.tool("metrics", "--quiet").stdout == ""


@tap.case
def a_known_scenario_is_counted():
    """logins, refusals, messages, recipients and results: as many as there were"""
    before = now()
    for password in ("wrong one", "wrong two"):
        client = gate.connect(login=False)
        # smtplib's own login would try each mechanism
        plain = base64.b64encode(f"\0{gate.user}\0{password}".encode()).decode()
        assert client.docmd("AUTH", f"PLAIN {plain}")[0] == 535
        client.close()
    client = gate.connect()
    for _ in range(3):
        assert gate.send(client=client)[0] == 250
    assert gate.send(recipients=("late@example.net", "bob@example.net"), client=client)[0] == 250
    assert gate.send(recipients=("never@example.net",), client=client)[0] == 250
    for _ in range(2):
        assert client.mail("ceo@example.org")[0] == 550
    client.mail(gate.user)
    assert client.rcpt("two@@example.net")[0] in (501, 553)
    assert client.rcpt("bob@example.net")[0] == 250
    assert client.data(b"From: <ceo@example.org>\r\nSubject: x\r\n\r\nHello\r\n")[0] == 550
    assert client.docmd("NONSENSE")[0] == 500
    client.quit()
    settled("messages_finished_total", value(before, "messages_finished_total") + 5)  # 3, the failed one, its report
    settled("queue_deliveries", 1, 'state="deferred"')
    settled("queue_messages", 1)
    g.wait_for("the sessions have ended", 20, lambda: value(now(), "sessions_active") == 0, every=0.2)
    after = now()
    wanted = {
        ("sessions_total", ""): 3, ("tls_handshakes_total", 'result="ok"'): 3,
        ("tls_handshakes_total", 'result="failed"'): 0, ("signatures_total", 'result="ok"'): None,
        ("logins_total", 'result="ok"'): 1, ("logins_total", 'result="bad_credentials"'): 2,
        ("messages_accepted_total", ""): 5, ("recipients_accepted_total", ""): 6,
        ("messages_refused_total", 'stage="mail",result="permanent"'): 2,
        ("messages_refused_total", 'stage="data",result="permanent"'): 1,
        ("messages_refused_total", 'stage="mail",result="temporary"'): 0,
        ("recipients_refused_total", 'result="permanent"'): 1, ("commands_refused_total", ""): 1,
        ("delivery_results_total", 'status="sent"'): 5,  # one of them the report
        ("delivery_results_total", 'status="deferred"'): 1, ("delivery_results_total", 'status="failed"'): 1,
        ("delivery_results_total", 'status="expired"'): 0,
        ("reports_total", 'kind="final"'): 1, ("reports_total", 'kind="delayed"'): 0,
        ("messages_finished_total", ""): 5,
        ("role_restarts_total", 'role="queue"'): 0, ("log_lines_lost_total", ""): 0,
        ("relay_connections_total", 'result="failed"'): 0,
    }
    for (name, labels), number in wanted.items():
        grown = value(after, name, labels) - value(before, name, labels)
        assert grown == number or (number is None and grown >= 3), f"{name}{{{labels}}} grew by {grown}, not {number}"
    for name, number in (("queue_messages", 1), ("queue_recipients", 1), ("queue_messages_held", 0), ("sessions_active", 0)):
        assert value(after, name) == number, (name, value(after, name))
    assert value(after, "accepted_bytes_total") > value(before, "accepted_bytes_total") + 5 * 50
    assert value(after, "spool_syncs_total") <= value(after, "spool_commits_total", 'result="ok"')
    assert value(after, "spool_commits_total", 'result="ok"') >= value(before, "spool_commits_total", 'result="ok"') + 5
    assert value(after, "relay_connections_total", 'result="ok"') >= 1
    assert value(after, "delivery_attempts_total") >= 5


@tap.case
def status_agrees():
    """what status says of sessions, processes, certificates, the queue and its disk is what metrics says"""
    client = gate.connect()
    gate.tool("queue", "hold", "--all")
    try:
        rows = [json.loads(line) for line in gate.tool("status", "--json").stdout.splitlines()]
        found = now()
    finally:
        gate.tool("queue", "release", "--all")
        client.quit()
    one = {row["row"]: row for row in rows}
    for key, name, labels in (("messages", "queue_messages", ""), ("recipients", "queue_recipients", ""),
                              ("held", "queue_messages_held", ""), ("bytes", "queue_bytes", ""),
                              ("active", "queue_deliveries", 'state="active"'),
                              ("deferred", "queue_deliveries", 'state="deferred"'),
                              ("running", "queue_deliveries_running", ""), ("destinations", "queue_destinations", ""),
                              ("set_aside", "spool_set_aside_files", ""), ("unremoved", "spool_unremoved_files", ""),
                              ("damages", "spool_damages", "")):
        assert value(found, name, labels) == one["queue"][key], (key, one["queue"], value(found, name, labels))
    assert abs(value(found, "queue_oldest_seconds") - one["queue"]["oldest_s"]) <= 2
    assert abs(value(found, "spool_disk_free_bytes") - one["queue"]["free_bytes"]) < 1 << 28
    assert value(found, "sessions_active") == one["daemon"]["sessions"] == 1
    assert value(found, "config_generation") == one["daemon"]["generation"]
    processes = [row for row in rows if row["row"] == "process"]
    for role in {row["role"] for row in processes}:
        own = [row for row in processes if row["role"] == role]
        assert value(found, "processes_ready", f'role="{role}"') == sum(row["state"] == "ready" for row in own)
        assert value(found, "role_restarts_total", f'role="{role}"') == sum(row["restarts"] for row in own)


@tap.case
def a_killed_role_takes_nothing_back():
    """each role is killed once: no counter falls, and counting goes on from there"""
    before = now()
    for role in ("submission", "auth", "keys", "relay", "queue"):
        for pid, (name, _) in gate.processes().items():
            if name == role:
                os.kill(pid, signal.SIGKILL)
        g.wait_for(f"{role} is started again", 20,
                   lambda role=role: value(now(), "role_restarts_total", f'role="{role}"') > 0, every=0.1)
        g.wait_for("all are ready", 20, lambda: gate.tool("status", check=False).returncode == 0, every=0.2)
        middle = now()
        fallen = {key: (number, counters(middle)[key]) for key, number in counters(before).items()
                  if counters(middle)[key] < number}
        assert not fallen, (role, fallen)
        before = middle
    before = now()
    gate.send()
    settled("messages_accepted_total", value(before, "messages_accepted_total") + 1)
    settled("logins_total", value(before, "logins_total", 'result="ok"') + 1, 'result="ok"')


@tap.case
def a_role_that_hangs_is_shown():
    """the numbers of a queue that is stopped are read without asking it"""
    pid = next(p for p, (role, _) in gate.processes().items() if role == "queue")
    before = now()
    os.kill(pid, signal.SIGSTOP)
    try:
        found = now()
        assert value(found, "messages_accepted_total") == value(before, "messages_accepted_total")
        assert value(found, "queue_messages") == value(before, "queue_messages")
    finally:
        os.kill(pid, signal.SIGCONT)


@tap.case
def the_manual_has_the_table():
    """sallyport(1) names each metric, with its labels, and no other"""
    page = text_of("doc/sallyport.1").split(".Ss Metrics", 1)[1].split("\n.S", 1)[0]
    named = re.findall(r"^\.It Ic (sallyport_\w+)((?: \w+)*)$", page, re.M)
    wanted = {name: " ".join(label for label, _ in labels) for name, labels in table()}
    assert [name for name, _ in named] == list(wanted), set(dict(named)) ^ set(wanted)
    assert {name: labels.strip() for name, labels in named} == wanted


@tap.case
def stops():
    """nothing else went wrong; without a daemon the command says so"""
    gate.stop()
    run = subprocess.run([f"{g.BUILD}/sallyport", "-c", gate.config, "metrics"], capture_output=True, text=True, check=False)
    assert run.returncode == 69 and "not running" in run.stderr and run.stdout == "", run
    sink.stop()


try:
    tap.run()
finally:
    gate.kill_group() if gate.process and gate.process.poll() is None else None
