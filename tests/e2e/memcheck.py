#!/usr/bin/env python3
"""memcheck: the whole daemon (-d) under valgrind: accepts, refuses, delivers, reports, reloads, stops; no error
and no lost memory.  Part of the long rounds."""
import os
import re
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../support")
import gateway as g  # noqa: E402

HOME = g.workplace("memcheck")
tap = g.Tap()


@tap.case
def under_valgrind():
    """no invalid access, no uninitialised value, nothing definitely lost"""
    if not shutil.which("valgrind"):
        return "valgrind is not installed"
    log = f"{HOME}/valgrind.log"
    os.environ["SALLYPORTD_WRAPPER"] = ("valgrind --quiet --error-exitcode=9 --leak-check=full --show-leak-kinds=definite "
                                        f"--errors-for-leak-kinds=definite --fair-sched=yes --log-file={log}")
    sink = g.Sink(HOME, "--fail", "rcpt/nobody=550 5.1.1 No such user")
    gate = g.Gateway(f"{HOME}/gateway", debug=True,
                     routes=f'routes: ( {{ via = "smtp"; host = "127.0.0.1"; port = {sink.port}; tls = "none"; }} );')
    try:
        gate.start()
        gate.add_user()
        client = gate.connect()
        for n in range(10):
            assert gate.send(client=client, subject=f"v{n}")[0] == 250
        client.mail("ceo@example.com")
        client.docmd("NONSENSE")
        client.quit()
        gate.send(subject="large", text="x" * 300000 + "\r\n")
        gate.send(recipients=("nobody@example.net",), subject="fails")
        sink.wait(12, 60)
        gate.tool("reload")
        gate.tool("queue", "list")
        g.wait_for("an empty queue", 60, lambda: not gate.queue(), every=0.5)
    finally:
        gate.stop()
        sink.stop()
        os.environ["SALLYPORTD_WRAPPER"] = ""
    with open(log, encoding="utf-8", errors="replace") as f:
        said = f.read()
    assert not re.search(r"Invalid (read|write)|uninitialised|definitely lost|ERROR SUMMARY: [1-9]", said), said[-3000:]
    assert gate.process.returncode == 0, (gate.process.returncode, said[-3000:])
    return None


tap.run()
