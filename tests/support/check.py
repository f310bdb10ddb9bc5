#!/usr/bin/env python3
"""check: runs `make check` in the build directory (with --all: also in further builds, and the long rounds) and counts the
results of the tests.  The last line is "N passed, N failed, N skipped"; a skip names what is missing.  A step that ends
with an error, reports no result, or exceeds its time is a failure."""
import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HOUR_S = 3600
# output of automake's test driver
LINE = re.compile(r"^(PASS|FAIL|XPASS|ERROR|SKIP): (.*)")
# output of programs that run without the driver
TAP_PLAN = re.compile(r"^1\.\.(\d+)")
TAP_LINE = re.compile(r"^(not ok|ok)\b(.*)")
TAP_SKIP = re.compile(r"#\s*SKIP\b", re.I)


class Count:
    """The results of tests, from the lines of a log."""

    def __init__(self):
        self.passed, self.failed, self.skipped, self.planned, self.reported = 0, [], [], 0, 0

    def add_driver_line(self, result, name):
        if result == "PASS":
            self.passed += 1
        elif result == "SKIP":
            self.skipped.append(name)
        else:
            self.failed.append(f"{result}: {name}")

    def add_tap_line(self, result, name):
        self.reported += 1
        if result == "not ok":
            self.failed.append(f"not ok{name}")
        elif TAP_SKIP.search(name):
            self.skipped.append(name.strip())
        else:
            self.passed += 1

    def add_line(self, line, is_tap):
        driver, tap, plan = LINE.match(line), TAP_LINE.match(line), TAP_PLAN.match(line)
        if not is_tap and driver:
            self.add_driver_line(*driver.groups())
        elif is_tap and tap:
            self.add_tap_line(*tap.groups())
        elif is_tap and plan:
            self.planned += int(plan.group(1))


def count(lines, is_tap=False):
    found = Count()
    for line in lines:
        found.add_line(line.rstrip("\n"), is_tap)
    if found.reported < found.planned:
        found.failed.append(f"{found.planned - found.reported} planned tests reported nothing")
    return found


def run(command, cwd, log, env, seconds):
    """Returns the exit status; None after a timeout: the command and its children are killed then."""
    with open(log, "w", encoding="utf-8") as f, subprocess.Popen(
            command, cwd=cwd, stdout=f, stderr=f, stdin=subprocess.DEVNULL, env={**os.environ, **env},
            start_new_session=True) as process:
        try:
            return process.wait(seconds)
        except BaseException as error:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if isinstance(error, subprocess.TimeoutExpired):
                return None
            raise


def step(name, command, cwd, log, env=None, is_tap=False, seconds=2 * HOUR_S):
    """Runs one command with its output in a log, and counts the results; its exit status counts if no test failed."""
    began = time.monotonic()
    status = run(command, cwd, log, env or {}, seconds)
    with open(log, encoding="utf-8", errors="replace") as f:
        lines = f.readlines()
    found = count(lines, is_tap)
    if status is None:
        found.failed.append(f"{name}: not over after {seconds} s")
    elif status and not found.failed:
        found.failed.append(f"{name}: exit status {status}")
        print("".join(lines[-25:]))
    elif not found.passed and not found.failed:
        found.failed.append(f"{name}: no test reported a result")
    for failure in found.failed:
        print(f"    {failure}", flush=True)
    summary = f"{found.passed} passed, {len(found.failed)} failed, {len(found.skipped)} skipped"
    print(f"{name:<24} {summary:<44} {time.monotonic() - began:6.0f} s   {os.path.relpath(log, TOP)}", flush=True)
    return found


# for another build, in which many repetitions are not needed
FEW_ROUNDS = {"ROUNDS": "10", "ACKNOWLEDGED": "3000"}


def variant(build, name, configure, env=None):
    """Makes another build of the same tree beside the first one, and runs its tests."""
    directory = f"{build}/{name}"
    shutil.rmtree(directory, ignore_errors=True)
    os.makedirs(directory)
    jobs = f"-j{os.cpu_count()}"
    script = f"{build}/tree/configure {configure} && make {jobs} && make -k {jobs} check"
    return step(name, ["sh", "-c", script], directory, f"{build}/{name}.log", {**FEW_ROUNDS, **(env or {})})


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--all", action="store_true")
    options = parser.parse_args()
    build = options.build
    found = [step("make check", ["make", "-k", f"-j{os.cpu_count()}", "check"], build, f"{build}/check.log",
                  seconds=HOUR_S)]
    if options.all:
        found.append(variant(build, "clang-sanitizers", "CC=clang --enable-sanitizers --enable-werror",
                             {"ASAN_OPTIONS": "detect_leaks=1:abort_on_error=1",
                              "LSAN_OPTIONS": f"suppressions={TOP}/tests/support/lsan.supp:print_suppressions=0"}))
        found.append(step("long rounds", ["make", "-k", "check-long"], build, f"{build}/long.log", is_tap=True,
                          seconds=4 * HOUR_S))
    passed, failed = sum(f.passed for f in found), sum(len(f.failed) for f in found)
    skipped = [name for f in found for name in f.skipped]
    for name in skipped:
        print(f"skipped: {name}")
    print(f"{passed} passed, {failed} failed, {len(skipped)} skipped")
    return failed > 0 or passed == 0


if __name__ == "__main__":
    sys.exit(main())
