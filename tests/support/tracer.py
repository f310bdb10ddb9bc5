"""tracer: makes system calls of a role slow or fail, in one of its threads or in all.  Needs root and strace."""
import contextlib
import os
import signal
import subprocess
import time

# numbers of system calls; all machines but x86-64 have the same
PREAD, FDATASYNC, OPENAT = (17, 75, 257) if os.uname().machine == "x86_64" else (67, 83, 56)


def role_pid(gate, role):
    return next(pid for pid, (name, _) in gate.processes().items() if name == role)


def threads(pid):
    return [int(task) for task in os.listdir(f"/proc/{pid}/task")]


def thread(pid, name):
    """Returns the thread with this name."""
    for task in threads(pid):
        with open(f"/proc/{pid}/task/{task}/comm", encoding="ascii") as f:
            if f.read().strip() == name:
                return task
    raise AssertionError(f"process {pid} has no thread {name}")


def stands_in(pid, call, only=None):
    """Returns whether one of its threads, or the thread `only`, is in this system call."""
    for task in [only] if only else threads(pid):
        with open(f"/proc/{pid}/task/{task}/syscall", encoding="ascii") as f:
            if f.read().split()[0] == str(call):
                return True
    return False


@contextlib.contextmanager
def attached(pid, output, *options):
    """Runs strace with these options while the block runs."""
    tracer = subprocess.Popen(["strace", "-qq", "-o", output, "-p", str(pid), *options])
    time.sleep(0.4)
    try:
        yield
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.wait(10)
