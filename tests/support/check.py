#!/usr/bin/env python3
"""check: runs `make check` in the build directory (with --all: in further builds too) and counts what the
tests said.  The last line is "N passed, N failed, N skipped"; a skip names what is missing."""
import argparse
import os
import re
import shutil
import subprocess
import sys
import time

parser = argparse.ArgumentParser()
parser.add_argument("--build", required=True)
parser.add_argument("--all", action="store_true")
options = parser.parse_args()
TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
passed, failed, skipped = 0, 0, []
LINE = re.compile(r"^(PASS|FAIL|XPASS|ERROR|SKIP): (.*)")


def count(log):
    global passed, failed
    with open(log, encoding="utf-8", errors="replace") as f:
        for line in f:
            m = LINE.match(line)
            if not m:
                continue
            if m.group(1) == "PASS":
                passed += 1
            elif m.group(1) == "SKIP":
                skipped.append(m.group(2))
            else:
                failed += 1
                print(f"    {line.rstrip()}", flush=True)


def step(name, command, cwd, log, env=None, is_check=True):
    """One command with its output in a log; what it ends with counts when it says no tests itself."""
    global failed
    began, before = time.monotonic(), (passed, failed, len(skipped))
    with open(log, "w", encoding="utf-8") as f:
        status = subprocess.run(command, cwd=cwd, stdout=f, stderr=f, stdin=subprocess.DEVNULL, check=False,
                                env={**os.environ, **(env or {})}).returncode
    if is_check:
        count(log)
    if status and failed == before[1]:
        failed += 1
        with open(log, encoding="utf-8", errors="replace") as f:
            print("".join(f.readlines()[-25:]))
    told = f"{passed - before[0]} passed, {failed - before[1]} failed, {len(skipped) - before[2]} skipped" \
        if is_check else ("ok" if not status else "FAILED")
    print(f"{name:<24} {told:<44} {time.monotonic() - began:6.0f} s   {os.path.relpath(log, TOP)}", flush=True)
    return status == 0


def variant(name, configure, env=None):
    """Another build of the same tree beside the first one, and its tests."""
    directory = f"{options.build}/{name}"
    shutil.rmtree(directory, ignore_errors=True)
    os.makedirs(directory)
    script = f"{options.build}/tree/configure {configure} && make -j{os.cpu_count()} && make -j{os.cpu_count()} check"
    step(name, ["sh", "-c", script], directory, f"{options.build}/{name}.log", env)


cores = str(os.cpu_count() or 1)
step("make check", ["make", "-k", "-j" + cores, "check"], options.build, f"{options.build}/check.log")
if options.all:
    variant("clang", "CC=clang --enable-werror")
    variant("sanitizers", "--enable-sanitizers --enable-werror",
            {"ASAN_OPTIONS": "detect_leaks=1:abort_on_error=1",
             "LSAN_OPTIONS": f"suppressions={TOP}/tests/support/lsan.supp:print_suppressions=0"})
    step("long rounds", ["make", "check-long"], options.build, f"{options.build}/long.log")
for name in skipped:
    print(f"skipped: {name}")
print(f"{passed} passed, {failed} failed, {len(skipped)} skipped")
sys.exit(failed > 0 or passed == 0)
