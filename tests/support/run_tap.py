#!/usr/bin/env python3
"""run_tap PROGRAM [ARGUMENT...]: runs one test program for automake's TAP driver.

A program that still runs after TEST_SECONDS (900) is a failure; so is a process that it leaves behind, in whichever session
or process group: it would keep the driver's pipe open, and `make check` would never end.  Both are reported, then killed.
Criterion programs get TAP on standard output; scripts and plain programs print TAP themselves."""
import ctypes
import os
import signal
import sys
import time

PR_SET_CHILD_SUBREAPER = 36
GRACE_S = 10


def read_text(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as f:
            return f.read()
    except OSError:
        return ""


def running():
    """Returns all descendants that still run; reaps ended ones that have become our children."""
    while True:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                break
        except ChildProcessError:
            break
    children = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        fields = read_text(f"/proc/{name}/stat").rpartition(")")[2].split()
        if fields and fields[0] not in "ZX":
            children.setdefault(int(fields[1]), []).append(int(name))
    found, parents = [], [os.getpid()]
    while parents:
        below = children.get(parents.pop(), [])
        found += below
        parents += below
    return found


def describe(pid):
    command = read_text(f"/proc/{pid}/cmdline").replace("\0", " ").strip()
    return f"{pid} {command[:200]} [waits in {read_text(f'/proc/{pid}/wchan') or 'nothing'}]"


def after(seconds):
    """Waits until no descendant runs, or that time has passed; returns those that still run."""
    until = time.monotonic() + seconds
    while True:
        left = running()
        if not left or time.monotonic() > until:
            return left
        time.sleep(0.1)


def send(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def kill_all():
    """Returns True when no descendant is left."""
    until = time.monotonic() + GRACE_S
    while left := running():
        if time.monotonic() > until:
            return False
        for pid in left:
            send(pid, signal.SIGKILL)
        time.sleep(0.1)
    return True


def fail(words, pids):
    print(f"Bail out! {words}", *map(describe, pids), sep="\n# ", flush=True)


def wait_for(pid, seconds):
    """Returns the exit status, or None after a timeout.  Orphans that end meanwhile are reaped: some tests wait for that."""
    def is_over(*_):
        raise TimeoutError

    signal.signal(signal.SIGALRM, is_over)
    signal.alarm(seconds)
    try:
        while True:
            ended, status = os.waitpid(-1, 0)
            if ended == pid:
                return os.waitstatus_to_exitcode(status)
    except TimeoutError:
        return None
    finally:
        signal.alarm(0)


def command_of(program, *arguments):
    if os.path.basename(program).startswith("test_"):
        return [program, *arguments, "-q", "--tap=/dev/stdout"]
    if program.endswith(".py"):
        # SIGABRT makes it print the traceback of what it waits for
        return ["/usr/bin/python3", "-X", "faulthandler", program, *arguments]
    return [program, *arguments]


def main():
    limit = int(os.environ.get("TEST_SECONDS", "900"))
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    command = command_of(*sys.argv[1:])
    pid = os.spawnvp(os.P_NOWAIT, command[0], command)
    status = wait_for(pid, limit)
    if status is None:
        fail(f"not over after {limit} s:", running())
        send(pid, signal.SIGABRT)
        after(2)
        kill_all()
        return 124
    left = after(GRACE_S)
    if left:
        fail("left running:", left)
        kill_all()
        return 125
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main())
