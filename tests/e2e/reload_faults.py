#!/usr/bin/env python3
"""reload_faults: main without free descriptors: a reload is refused in words and changes nothing anywhere, a role that
dies comes back as soon as it can, and main lives."""
import os
import re
import resource
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../support")
import gateway as g  # noqa: E402

HOME = g.workplace("reload_faults")
tap = g.Tap()
sink = g.Sink(HOME)
gate = g.Gateway(f"{HOME}/gateway",
                 routes=f'routes: ( {{ via = "smtp"; host = "127.0.0.1"; port = {sink.port}; tls = "none"; }} );').start()
gate.add_user()


def descriptors():
    return len(os.listdir(f"/proc/{gate.process.pid}/fd"))


class Shortage:
    """Main may open `spare` descriptors more."""

    def __init__(self, spare):
        self.spare = spare

    def __enter__(self):
        pid = gate.process.pid
        self.before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        numbers = sorted(int(n) for n in os.listdir(f"/proc/{pid}/fd"))
        free = [n for n in range(numbers[-1] + 2) if n not in numbers]
        limit = free[self.spare] if self.spare < len(free) else numbers[-1] + 1 + self.spare
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (limit, self.before[1]))

    def __exit__(self, *_):
        resource.prlimit(gate.process.pid, resource.RLIMIT_NOFILE, self.before)


@tap.case
def reload_without_descriptors():
    """EMFILE at any point of a reload: refused, with what failed and the error; all roles keep the old configuration"""
    generation = gate.process.pid
    roles = set(gate.processes())
    before, text = descriptors(), gate.extra
    gate.extra = "limits: { recipients_per_message = 2; };"
    gate.write_config()
    assert gate.recipients_allowed() == 4
    refused, spare = 0, 0
    while True:
        with Shortage(spare):
            run = gate.tool("reload", check=False)
        if run.returncode == 0:
            break
        refused += 1
        assert "Too many open files" in run.stderr and "unchanged" in run.stderr, (spare, run.returncode, run.stderr)
        assert descriptors() == before, (spare, before, descriptors())
        assert gate.recipients_allowed() == 4, spare
        assert set(gate.processes()) == roles, (spare, gate.tail())
        spare += 1
        assert spare < 60
    print(f"# refused with 0 to {refused - 1} free descriptors", flush=True)
    assert refused > 5 and generation == gate.process.pid
    assert gate.recipients_allowed() == 2
    assert descriptors() == before, (before, descriptors())
    gate.extra = text
    gate.write_config()
    gate.tool("reload")


@tap.case
def missing_certificate_at_reload():
    """a reload that names a certificate that is not there is refused; the former one is served on"""
    parts = dict(gate.parts)
    gate.parts["tls"] = gate.parts["tls"].replace("tls.crt", "absent.crt")
    gate.write_config()
    run = gate.tool("reload", check=False)
    assert run.returncode in (71, 78) and "absent.crt" in run.stderr, (run.returncode, run.stderr)
    gate.connect().quit()
    gate.parts = parts
    gate.write_config()
    gate.tool("reload")


@tap.case
def a_pipe_in_place_of_a_file():
    """A pipe in place of the log, the configuration or a file that it names: told by its name, and main goes on"""
    pipe = f"{gate.directory}/pipe"
    os.mkfifo(pipe, 0o600)
    parts, extra = dict(gate.parts), gate.extra
    named = {"log": f'log: {{ target = "file:{pipe}"; }};', "tls": gate.parts["tls"].replace(".crt", ".crt.pipe"),
             "include": f'@include "{pipe}"'}
    os.symlink(pipe, f"{gate.directory}/tls.crt.pipe")
    for key, text in named.items():
        gate.parts = {**parts, key: text}
        gate.write_config()
        for words in (("config", "check"), ("reload",)):
            run = gate.tool(*words, check=False)
            said = run.stdout + run.stderr
            assert run.returncode and "It is not a regular file" in said and "pipe" in said, (key, words, run)
        assert gate.tool("status", check=False).returncode == 0, key
    gate.parts, gate.extra = parts, extra
    gate.write_config()
    gate.tool("reload")


@tap.case
def role_dies_without_descriptors():
    """a role that dies while main has no descriptors: a line in the log for each try, growing pauses, main lives"""
    relay = next(pid for pid, (role, _) in gate.processes().items() if role == "relay")
    with Shortage(0):
        os.kill(relay, signal.SIGKILL)
        gate.wait_log(r"relay 0: no shared memory: Too many open files")
        time.sleep(2)
        tries = len(re.findall(r"relay 0: .*Too many open files", gate.log()))
        assert 2 <= tries <= 8, tries
        assert gate.process.poll() is None
    g.wait_for("relay is back", 30, lambda: "relay" in [role for role, _ in gate.processes().values()])
    before = sink.count()
    gate.send()
    sink.wait(before + 1, 30)


@tap.case
def one_short_for_each_step():
    """one more free descriptor at each try: no step of a role's start ends main or leaves two roles apart"""
    for spare in range(1, 8):
        pids = {role: pid for pid, (role, _) in gate.processes().items()}
        with Shortage(spare):
            os.kill(pids["queue"], signal.SIGKILL)
            g.wait_for("it is reaped", 20, lambda p=pids["queue"]: p not in gate.processes())
            time.sleep(0.6)
            assert gate.process.poll() is None, gate.tail()
        g.wait_for("queue is back", 30, lambda: "queue" in [role for role, _ in gate.processes().values()])
    before = sink.count()

    def is_sent():
        try:
            return gate.send()[0] == 250
        except (OSError, AssertionError, g.smtplib.SMTPException):
            return False
    g.wait_for(f"mail is taken again {gate.tail()}", 60, is_sent, every=0.3)
    sink.wait(before + 1, 60)


try:
    tap.run()
finally:
    gate.stop()
    sink.stop()
