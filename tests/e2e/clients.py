#!/usr/bin/env python3
"""clients: swaks, curl, msmtp, Python and nodemailer send one message each through 465 and 587, and it
arrives once, byte for byte apart from the header edits that the manual tells."""
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../support")
import gateway as g  # noqa: E402

HOME = g.workplace("clients")
tap = g.Tap()
sink = g.Sink(HOME)
gate = g.Gateway(f"{HOME}/gateway",
                 routes=f'routes: ( {{ via = "smtp"; host = "127.0.0.1"; port = {sink.port}; tls = "none"; }} );').start()
gate.add_user()
BODY = "Grüße,\r\n.a line with a dot\r\n..two\r\n\ttab  and blanks at the end   \r\n" + "x" * 1500 + "\r\n\r\nend\r\n"


def written(name):
    """The message as a file: complete, so that nothing needs to be added but Received."""
    text = (f"Date: Sat, 21 Nov 2026 16:57:52 +0100\r\nFrom: Alice <{gate.user}>\r\nTo: bob@example.net\r\n"
            f"Subject: {name}\r\nMessage-ID: <{name}@client.example.com>\r\nMIME-Version: 1.0\r\n"
            "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + BODY)
    path = f"{HOME}/{name}.eml"
    with open(path, "w", encoding="utf-8", newline="") as f:
        f.write(text)
    return path, text.encode()


def run(*command, given=None):
    done = subprocess.run(command, input=given, capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, (command[0], done.returncode, done.stdout[-500:], done.stderr[-500:])


def swaks(implicit, path):
    # it ends the data itself, with a line end of its own
    with open(path, "rb") as f, open(f"{path}.swaks", "wb") as out:
        out.write(f.read().removesuffix(b"\r\n"))
    port, tls = (gate.smtps, "-tlsc") if implicit else (gate.submission, "-tls")
    run("swaks", "--server", "127.0.0.1", "--port", str(port), tls, "--auth", "PLAIN", "--auth-user", gate.user,
        "--auth-password", g.PASSWORD, "--from", gate.user, "--to", "bob@example.net", "--data", f"@{path}.swaks")


def curl(implicit, path):
    url = f"smtps://127.0.0.1:{gate.smtps}" if implicit else f"smtp://127.0.0.1:{gate.submission}"
    run("curl", "-sS", "--insecure", "--ssl-reqd", "--url", url + "/client.example.com", "--mail-from", gate.user,
        "--mail-rcpt", "bob@example.net", "--user", f"{gate.user}:{g.PASSWORD}", "--upload-file", path)


def msmtp(implicit, path):
    config = f"{HOME}/msmtprc"
    with open(config, "w", encoding="ascii") as f:
        f.write(f"account default\nhost 127.0.0.1\nport {gate.smtps if implicit else gate.submission}\ntls on\n"
                f"tls_starttls {'off' if implicit else 'on'}\ntls_certcheck off\nauth scram-sha-256\nuser {gate.user}\n"
                f"password {g.PASSWORD}\nfrom {gate.user}\nset_from_header off\nset_date_header off\n")
    os.chmod(config, 0o600)
    with open(path, "rb") as f:
        run("msmtp", "-C", config, "bob@example.net", given=f.read().replace(b"\r\n", b"\n"))


def python(implicit, path):
    client = gate.connect(implicit=implicit)
    with open(path, "rb") as f:
        client.sendmail(gate.user, ["bob@example.net"], f.read(), mail_options=["BODY=8BITMIME"])
    client.quit()


def nodemailer(implicit, path):
    script = """
const fs = require('fs'), nodemailer = require('/usr/share/nodejs/nodemailer');
const [port, secure, user, pass, path] = process.argv.slice(1);
nodemailer.createTransport({host: '127.0.0.1', port: +port, secure: secure === '1', requireTLS: true,
  auth: {user, pass}, tls: {rejectUnauthorized: false}})
  .sendMail({envelope: {from: user, to: ['bob@example.net']}, raw: fs.readFileSync(path)})
  .then(() => process.exit(0), e => { console.error(e); process.exit(1); });
"""
    run("node", "-e", script, str(gate.smtps if implicit else gate.submission), "1" if implicit else "0",
        gate.user, g.PASSWORD, path)


def without_received(message):
    """What came, without the one field that the gateway adds to a complete message."""
    assert message.startswith(b"Received: "), message[:60]
    lines = message.split(b"\r\n")
    first = next(n for n, line in enumerate(lines) if n and line[:1] not in (b" ", b"\t"))
    return b"\r\n".join(lines[first:])


def add(client, tool, implicit):
    name = f"{client.__name__}-{465 if implicit else 587}"

    def case():
        if not shutil.which(tool):
            return f"{tool} is not installed"
        path, sent = written(name)
        client(implicit, path)
        found = []

        def arrived():
            found[:] = [m for m in sink.messages() if f"Subject: {name}\r\n".encode() in m]
            return found

        g.wait_for(name, 20, arrived)
        assert len(found) == 1, len(found)
        got = without_received(found[0])
        assert got == sent, (got[:400], sent[:400], len(got), len(sent))
        return None
    case.__doc__ = f"{client.__name__} by {'465' if implicit else '587'}"
    tap.case(case)


for one, binary in ((swaks, "swaks"), (curl, "curl"), (msmtp, "msmtp"), (python, "python3"), (nodemailer, "node")):
    for tls in (True, False):
        add(one, binary, tls)

try:
    tap.run()
finally:
    gate.stop()
    sink.stop()
