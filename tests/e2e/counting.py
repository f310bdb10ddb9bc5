#!/usr/bin/env python3
"""counting: what `./try check` says of a run is what its tests said: each line counts once, and a step that is late,
silent or ends early is a failure."""
import contextlib
import io
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../support")
import check  # noqa: E402
import gateway as g  # noqa: E402

HOME = g.workplace("counting")
tap = g.Tap()
DRIVER = ("make  check-TESTS\n", "PASS: test_base 1 text::one\n", "PASS: test_base 2 text::two\n", "FAIL: test_base 3 text::three\n",
          "SKIP: tests/e2e/x.py 1 - case # SKIP no root\n", "ERROR: test_net - too few tests run\n", "XPASS: test_net 4\n", "ok\n")
PLAIN = ("1..4\n", "# seed 17\n", "ok 1 - one\n", "not ok 2 - two\n", "ok 3 - three # SKIP not here\n", "ok 4\n", "PASS: no line of TAP\n",
         "okay\n", "1..1\n", "ok 1 - another program\n")


def result(found):
    return found.passed, len(found.failed), len(found.skipped)


def step(script, is_tap=False, seconds=60):
    """What a step with this script counts, and what is printed of it."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        found = check.step("a step", ["sh", "-c", script], HOME, f"{HOME}/log", is_tap=is_tap, seconds=seconds)
    return result(found), out.getvalue()


@tap.case
def lines_of_the_driver():
    """PASS, FAIL, ERROR, XPASS and SKIP of automake's driver"""
    assert result(check.count(DRIVER)) == (2, 3, 1)


@tap.case
def lines_of_tap():
    """ok, not ok and SKIP of programs without the driver; those that are planned and say nothing are failures"""
    assert result(check.count(PLAIN, is_tap=True)) == (3, 1, 1)
    assert result(check.count(PLAIN[:3], is_tap=True)) == (1, 1, 0)


@tap.case
def ends_of_steps():
    """a step that is late, silent, or ends with an error that no test told of, is one failure, and is named"""
    assert step("echo PASS: one")[0] == (1, 0, 0)
    assert step("echo 1..1; echo ok 1", is_tap=True)[0] == (1, 0, 0)
    assert step("echo PASS: one; exit 2")[0] == (1, 1, 0)
    assert step("echo FAIL: one; exit 2")[0] == (0, 1, 0)
    assert step("true")[0] == (0, 1, 0)
    found, told = step("echo PASS: one; sleep 600", seconds=1)
    assert found == (1, 1, 0) and "not over after 1 s" in told, told


tap.run()
