#!/usr/bin/env python3
"""role_faults: for two seconds each read and write of one role fails with EIO, or it gets no descriptor, while messages are
taken and delivered: afterwards all that was acknowledged arrives once, nothing is returned, and no process is missing or busy."""
import collections
import os
import re
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../support")
import gateway as g  # noqa: E402
import hostile  # noqa: E402
import load  # noqa: E402

HOME = g.workplace("role_faults")
FAULT_S = 2
PATIENCE_S = 60     # a bound for a loaded machine
MOST_CPU = 0.3      # of a core, over a second, of a process that has nothing to do
# roles, calls that fail with EIO, whether a message may arrive again: where the reply of the receiving host is not heard.  A thread
# wakes its loop with write(2), and the loop hears it with read(2): where a role has threads they stay as they are.
EIO = (
    (("submission",), "writev,pwrite64,pwritev,fallocate,ftruncate", False),
    (("submission",), "readv,recvfrom,recvmsg", False),
    (("queue",), "pread64,preadv", False),
    (("queue",), "pwrite64,pwritev,fdatasync,fsync", False),
    (("relay",), "pread64,preadv", False),
    (("relay",), "readv,recvfrom,recvmsg", True),
    (("relay",), "writev,sendto,sendmsg", True),
    (("auth", "accounts", "worker"), "pread64,pwrite64,fdatasync,openat", False),
    (("keys", "control"), "recvmsg,sendmsg", False),
)
EMFILE = (("submission",), ("queue",), ("relay",), ("auth", "accounts", "worker", "keys", "control"))
tap = g.Tap()
sink = g.Sink(HOME)
gate = g.Gateway(f"{HOME}/gateway", extra='limits: { per_user = "1000000 recipients / 1h"; };',
                 auth='auth: { backends = ( "users" ); cache = "0s"; };',
                 routes=f'routes: ( {{ via = "smtp"; host = "127.0.0.1"; port = {sink.port}; tls = "none"; }} );').start()
gate.add_user()
OTHER = "other@example.com"
gate.add_user(OTHER)


class Light:
    """Two clients at a time, each logs in, sends three messages, one of them large, and leaves; beside them an operator who asks
    and changes an account."""

    def __init__(self, label):
        self.label, self.acknowledged, self.refused, self.over = label, set(), [], threading.Event()
        self.threads = [threading.Thread(target=self.clients, args=(n,)) for n in range(2)]
        self.threads.append(threading.Thread(target=self.operator))
        for thread in self.threads:
            thread.start()

    def client(self, name):
        session = None
        try:
            session = load.Session(gate)
            for n in range(3):
                reply = session.send(f"{name}-{n}", size=200_000 if n == 1 else 1000)
                if reply.startswith("250"):
                    self.acknowledged.add(f"{name}-{n}")
                else:
                    self.refused.append(reply)
        except g.smtplib.SMTPException as refusal:
            self.refused.append(str(refusal))
        except (OSError, ValueError):
            pass
        finally:
            if session:
                session.close()

    def clients(self, which):
        number = 0
        while not self.over.is_set():
            number += 1
            self.client(f"{self.label}-{which}-{number}")
            self.over.wait(0.05)

    def operator(self):
        while not self.over.is_set():
            for words in (("queue", "list"), ("status",), ("user", "suspend", OTHER, "--reason", "test"), ("user", "resume", OTHER)):
                gate.tool(*words, check=False)
            self.over.wait(0.2)

    def stop(self):
        self.over.set()
        for thread in self.threads:
            thread.join(PATIENCE_S)
            assert not thread.is_alive(), f"{self.label}: a client hangs"


def pids_of(names):
    return [pid for pid, (role, _) in gate.processes().items() if role in names]


def eio(names, calls):
    """How many of which calls failed."""
    trace = f"{HOME}/trace"
    tracer = subprocess.Popen(["strace", "-f", "-qq", "-o", trace, *sum((["-p", str(p)] for p in pids_of(names)), []),
                               "-e", f"trace={calls}", "-e", f"inject={calls}:error=EIO"])
    try:
        time.sleep(FAULT_S + 0.3)
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.wait(10)
    with open(trace, encoding="latin-1") as f:
        return collections.Counter(re.search(r"(\w+)(\(| resumed)", line).group(1) for line in f if "(INJECTED)" in line)


def limit_descriptors(pid, soft):
    """The soft limit that it had; None: it is gone."""
    try:
        with open(f"/proc/{pid}/limits", encoding="ascii") as f:
            before = re.search(r"Max open files\s+(\d+)", f.read()).group(1)
    except (FileNotFoundError, ProcessLookupError):
        return None
    # as the role's own user: root may not everywhere have the capability
    who = g.test_user()
    subprocess.run(["setpriv", f"--reuid={who.pw_uid}", f"--regid={who.pw_gid}", "--clear-groups", "prlimit", "--pid",
                    str(pid), f"--nofile={soft}:"], check=False, capture_output=True)
    return before


def emfile(names):
    pids = {pid: limit_descriptors(pid, 1) for pid in pids_of(names)}
    assert pids and all(limit_descriptors(pid, 1) == "1" for pid in pids), pids
    time.sleep(FAULT_S)
    for pid, before in pids.items():
        if pid in gate.processes():
            limit_descriptors(pid, before)
            assert limit_descriptors(pid, before) == before, pid


def one_more(label):
    """A message is taken and delivered without a person."""
    run = Light(label)
    try:
        g.wait_for(f"service again {gate.tail()}", PATIENCE_S, lambda: run.acknowledged)
    finally:
        run.stop()
    return run.acknowledged


def roles():
    return sorted(gate.processes().values())


def check_after(acknowledged, before, processes, may_repeat):
    """What has to hold after each fault."""
    g.wait_for(f"all processes {gate.tail()}", PATIENCE_S, lambda: roles() == sorted(processes.values()), every=0.2)
    g.wait_for(f"an empty queue {gate.tail()}", PATIENCE_S, lambda: not gate.queue(), every=0.2)
    found = load.subjects(sink)
    lost = acknowledged - set(found)
    assert not lost, (len(lost), sorted(lost)[:5])
    replaced = {role for pid, (role, _) in processes.items() if pid not in gate.processes()}
    again = [name for name in acknowledged if found[name] > 1]
    # doc/SPOOL.md, the duplicate window: a process stopped between the host's answer and the sync
    assert not again or may_repeat or replaced & {"queue", "relay"}, (len(again), again[:5], replaced)
    log = gate.log()[before:]
    assert "status=failed" not in log and not any(b"multipart/report" in m for m in sink.messages()), "mail was returned"
    busy = busy_processes()
    assert not busy, busy
    return replaced, len(again)


def busy_processes():
    """Processes that use the processor though nothing is to do."""
    before = {pid: hostile.cpu_seconds(pid) for pid in gate.processes()}
    time.sleep(0.5)
    shares = {who: (hostile.cpu_seconds(pid) - before[pid]) / 0.5 for pid, who in gate.processes().items() if pid in before}
    return {who: share for who, share in shares.items() if share > MOST_CPU}


def add(name, names, fault, may_repeat=False):
    def case():
        if os.getuid():
            return "needs root to disturb a role"
        before, processes = len(gate.log()), gate.processes()
        label = f"case-{len(tap.cases)}-{time.monotonic_ns()}"
        run = Light(label)
        try:
            g.wait_for("load runs", PATIENCE_S, lambda: run.acknowledged)
            met = fault(names)
        finally:
            run.stop()
        acknowledged = run.acknowledged | one_more(label + "-after")
        replaced, again = check_after(acknowledged, before, processes, may_repeat)
        told = ", ".join(f"{count} {call}" for call, count in (met or {}).items())
        print(f"# {told or 'no call counted'}; {len(run.acknowledged)} acknowledged, {len(run.refused)} refused, "
              f"replaced: {', '.join(sorted(replaced)) or 'none'}; {again} arrived again", flush=True)
        assert met is None or met, "the fault met no call"
        wrong = [reply for reply in run.refused if not reply.startswith("4")]
        assert not wrong, wrong[:3]
        return None
    case.__doc__ = f"{', '.join(names)}: {name} for {FAULT_S} s"
    tap.case(case)


for NAMES, CALLS, MAY_REPEAT in EIO:
    add(f"EIO from {CALLS}", NAMES, lambda names, calls=CALLS: eio(names, calls), MAY_REPEAT)
for NAMES in EMFILE:
    add("EMFILE", NAMES, emfile)

try:
    tap.run()
finally:
    gate.stop()
    sink.stop()
