#!/usr/bin/env python3
"""debian13: what README tells a newcomer to do, on a Debian 13 made from nothing: ./try --yes, then ./try check --yes in a
network of its own.  Each test that ran there is a line here, under the name that it has there.  Part of the long rounds;
needs root, debootstrap and Debian's packages from the network."""
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../support")
import check  # noqa: E402
import debian  # noqa: E402
import gateway as g  # noqa: E402

RELEASE = "trixie"
HOME = f"{g.BUILD}/debian13"
BUILD = f"{HOME}/root{debian.SOURCE}/build"
TRY_S, CHECK_S = 1800, check.HOUR_S + 600  # both and the making of it are less than the TEST_SECONDS of a long round
TOTAL = re.compile(r"(\d+) passed, (\d+) failed, (\d+) skipped")


class Lines:
    """TAP whose number of lines is known at the end."""

    def __init__(self):
        self.count, self.failed = 0, 0

    def say(self, is_ok, name):
        self.count += 1
        self.failed += not is_ok
        print(f"{'ok' if is_ok else 'not ok'} {self.count} - {RELEASE}: {name}", flush=True)

    def explain(self, text):
        for line in text.splitlines()[-40:]:
            print(f"# {line}", flush=True)


def in_root(script, has_network, seconds):
    """Its exit status and what it said; None: its time was over, and all that it had started is ended."""
    try:
        done = debian.run(*debian.enter(f"{HOME}/root", f"cd {debian.SOURCE}\n{script}", has_network), seconds=seconds, check=False)
    except subprocess.TimeoutExpired as error:
        return None, (error.stdout or b"").decode(errors="replace")
    return done.returncode, done.stdout + done.stderr


def try_yes(lines):
    """With the network: it installs packages."""
    status, said = in_root("./try --yes", True, TRY_S)
    is_ok = status == 0 and "[5/5]" in said
    lines.say(is_ok, "./try --yes installs what is missing, builds, and shows mail being delivered")
    if not is_ok:
        lines.explain(f"{said}\nexit status {status}")
    return is_ok


def fetch_packages():
    """What receivers.py and shipped_files.py unpack, for they will have no network; without it they skip, and say so."""
    in_root(f"cd tests/support\nexport TOP_SRCDIR={debian.SOURCE} TOP_BUILDDIR={debian.SOURCE}/build\n"
            "python3 -c 'import servers; servers.fetch(); servers.fetch_tools()'", True, TRY_S)


def try_check(lines):
    """Its last line counts what it said; the same must come of the lines here."""
    status, said = in_root("./try check --yes", False, CHECK_S)
    told = {"PASS": 0, "FAIL": 0, "SKIP": 0}
    for result, name in results():
        kind = result if result in told else "FAIL"
        told[kind] += 1
        lines.say(kind != "FAIL", name_of(result, name))
    last = TOTAL.fullmatch((said.splitlines() or [""])[-1])
    is_ok = bool(last) and tuple(map(int, last.groups())) == tuple(told.values()) and status == (told["FAIL"] > 0)
    lines.say(is_ok, "./try check ends with the count of what it ran")
    if not is_ok or told["FAIL"]:
        lines.explain(f"{said}\nexit status {status}, its logs are in {BUILD}")


def name_of(result, name):
    """A program that is skipped as a whole has no word of it in its line."""
    if result == "SKIP":
        return name if "# SKIP" in name else f"{name} # SKIP"
    return name if result == "PASS" else f"{result}: {name}"


def results():
    """PASS, FAIL, SKIP and the like, with the name of the test."""
    try:
        with open(f"{BUILD}/check.log", encoding="utf-8", errors="replace") as f:
            found = [check.LINE.match(line.rstrip("\n")) for line in f]
    except FileNotFoundError:
        return []
    return [line.groups() for line in found if line]


def main():
    reason = debian.missing("ip")
    if reason:
        print(f"1..0 # SKIP {reason}")
        return 0
    lines = Lines()
    debian.make(HOME, RELEASE, ("systemd",))
    if try_yes(lines):
        fetch_packages()
        try_check(lines)
    print(f"1..{lines.count}")
    if not lines.failed:
        shutil.rmtree(HOME)
    return lines.failed > 0


sys.exit(main())
