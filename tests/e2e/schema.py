#!/usr/bin/env python3
"""schema: the tables of commands and columns are what the tool and the daemon do: every request is answered, each row has the keys
and types of its columns, and the manual says the same of commands and rights."""
import json
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../support")
import gateway as g  # noqa: E402

HOME = g.workplace("schema")
tap = g.Tap()
gate = g.Gateway(f"{HOME}/gateway", routes='routes: ( { via = "smtp"; host = "127.0.0.1"; port = 9; tls = "none"; } );',
                 notices="")
TYPES = {"text": lambda v: isinstance(v, str), "number": lambda v: isinstance(v, (int, float)) and not isinstance(v, bool),
         "boolean": lambda v: isinstance(v, bool), "value": lambda v: True,
         "texts": lambda v: isinstance(v, list) and all(isinstance(x, str) for x in v),
         "numbers": lambda v: isinstance(v, list) and all(isinstance(x, int) for x in v)}


def objects(text):
    return [json.loads(line) for line in text.splitlines()]


def tables():
    found = objects(gate.tool("help", "--json").stdout)
    columns = {}
    for row in found:
        if row["row"] == "column":
            columns.setdefault((row["command"], row.get("of_row", "")), {})[row["key"]] = row["type"]
    return [row for row in found if row["row"] == "command"], columns


def runs(number):
    """(command, more words), in an order in which each one finds what it needs."""
    return [
        ("status", ()), ("metrics", ()), ("config check", ()), ("config diff", ()), ("config show", ("--running",)),
        ("config explain", ("limits.per_user",)), ("user list", ()), ("user show", (gate.user,)),
        ("user add", ("eve@example.com", "--generate")), ("user password", ("eve@example.com", "--generate")),
        ("user suspend", ("eve@example.com", "--hold")), ("user resume", ("eve@example.com", "--release")),
        ("user suspend", ("eve@example.com",)), ("queue release", ("--user", "eve@example.com")), ("user resume", ("eve@example.com",)),
        ("user remove", ("eve@example.com",)), ("block add", ("192.0.2.0/24", "--for", "1h")), ("block list", ()),
        ("block remove", ("192.0.2.0/24",)), ("queue list", ()), ("queue show", (number, "--body")), ("queue retry", (number, "--dry-run")),
        ("queue hold", (number,)), ("queue release", (number,)), ("test auth", (gate.user, "--password-stdin")),
        ("test route", ("bob@example.net",)), ("queue delete", (number,)), ("reload", ()), ("version", ()), ("help", ()),
    ]


@tap.case
def every_command_is_answered():
    """each command of the table runs, so each of its requests is answered; its rows have the keys and types of its columns"""
    gate.start().add_user()
    gate.send()
    commands, columns = tables()
    g.wait_for("all are ready", 20, lambda: gate.tool("status", check=False).returncode == 0, every=0.2)
    number = gate.queue()[0]["id"]
    planned = runs(number)
    assert {name for name, _ in planned} == {c["command"] for c in commands if "usage" in c}, planned
    seen = set()
    for name, words in planned:
        run = gate.tool(*name.split(), *words, "--json", "--yes", given=g.PASSWORD + "\n", check=False)
        assert run.returncode == 0, (name, run)
        assert not re.search("no such command|knows no such|does not know", run.stdout + run.stderr), (name, run)
        # the values of configuration keys have no columns
        if name in ("config show", "config explain", "version", "help"):
            continue
        for row in objects(run.stdout):
            assert row.pop("v") == 1, row
            kind = row.pop("row", "")
            told = columns.get((name, kind))
            assert told is not None, f"{name}: no columns of {kind!r}: {row}"
            seen.add((name, kind))
            for key, value in row.items():
                assert key in told, f"{name}: {kind}: {key} is no column"
                assert TYPES[told[key]](value), f"{name}: {kind}: {key} is {value!r}, and no {told[key]}"
    assert len(seen) > 30, seen
    for row in (("user suspend", "mail"), ("user resume", "mail"), ("user remove", "mail"), ("queue release", "account")):
        assert row in seen, (row, seen)


@tap.case
def a_word_limits_the_table():
    """help --json has all commands, and with a word those of it"""
    commands, _ = tables()
    some = objects(gate.tool("help", "queue", "--json").stdout)
    assert {row["command"].split()[0] for row in some} == {"queue"}, some
    assert len(some) < len(objects(gate.tool("help", "--json").stdout))
    assert gate.tool("help", "nonsense", "--json", check=False).returncode == 64
    assert all(c["since"] and c.get("right", "root") in ("root", "help desk (look)", "help desk (act)") for c in commands), commands


@tap.case
def the_manual_has_the_rights():
    """sallyport(1) names the commands of the help desk: those of the table, and no other"""
    commands, _ = tables()
    with open(f"{g.TOP}/doc/sallyport.1", encoding="utf-8") as f:
        page = f.read().split(".Ss Rights", 1)[1].split("Everything else is refused", 1)[0]
    told = {name.strip() for line in re.findall(r"^\.Cm (.*)$", page, re.M) for name in line.rstrip(" .").split(",") if name.strip()}
    wanted = {c["command"] for c in commands if c.get("right", "root") != "root"}
    assert told == wanted, told ^ wanted


try:
    tap.run()
finally:
    gate.stop()
