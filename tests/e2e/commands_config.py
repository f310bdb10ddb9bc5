#!/usr/bin/env python3
"""commands_config: the configuration that the daemon has, beside the file; JSON; credentials; the password prompt."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../support")
import gateway as g  # noqa: E402

HOME = g.workplace("commands_config")
tap = g.Tap()
SMARTHOST = ('routes: ( { via = "smarthost"; host = "smtp.example.net"; port = 465; tls = "implicit"; '
             'username = "u"; password = "%s"; } );')
gate = g.Gateway(f"{HOME}/gateway", routes=SMARTHOST % "first-secret").start()


@tap.case
def a_credential_outside_the_unit():
    """config check says that a credential: cannot be read here, and finds no error in it; the daemon does not start without it"""
    other = g.Gateway(f"{HOME}/credential", routes=SMARTHOST % "credential:partner")
    other.write_config()
    outside = {k: v for k, v in os.environ.items() if k != "CREDENTIALS_DIRECTORY"}

    def run(environment, *words):
        return subprocess.run(words, env=environment, capture_output=True, text=True, timeout=60, check=False)
    check = (f"{g.BUILD}/sallyport", "-c", other.config, "config", "check")
    told = run(outside, *check)
    assert told.returncode == 0 and ": 0 errors" in told.stdout, told
    assert "warning: routes.password: credential:partner cannot be read here" in told.stdout, told
    told = run(outside, f"{g.BUILD}/sallyportd", "-c", other.config)
    assert told.returncode == 78 and "CREDENTIALS_DIRECTORY is not set" in told.stderr, told
    os.mkdir(f"{HOME}/credentials")
    inside = dict(outside, CREDENTIALS_DIRECTORY=f"{HOME}/credentials")
    told = run(inside, *check)
    assert told.returncode == 78 and "partner: No such file" in told.stdout, told
    told = run(inside, f"{g.BUILD}/sallyportd", "-c", other.config)
    assert told.returncode == 78 and "partner: No such file" in told.stderr, told
    with open(f"{HOME}/credentials/partner", "w", encoding="ascii") as f:
        f.write("from-systemd\n")
    os.chmod(f"{HOME}/credentials/partner", 0o400)
    told = run(inside, *check)
    assert told.returncode == 0 and "cannot be read" not in told.stdout and "from-systemd" not in told.stdout, told


try:
    tap.run()
finally:
    gate.stop()
