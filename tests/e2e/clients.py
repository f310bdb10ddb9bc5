#!/usr/bin/env python3
"""clients [large]: the programs and libraries that people send mail with log in with the gateway's default configuration and send one
message each, through 465 and 587.  It arrives once, byte for byte as it was sent apart from the header edits that the manual
tells; those that compose it themselves are listened to on the way (tests/support/tee.py).  large: those that need Java, Go or npm;
part of the long rounds."""
import os
import shutil
import subprocess
import sys
from email.header import decode_header, make_header
from email import message_from_bytes
from urllib.parse import quote

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../support")
import gateway as g  # noqa: E402
import msmtp as msmtp_program  # noqa: E402
import tee  # noqa: E402

HOME = g.workplace("clients")
SCRIPTS = f"{g.TOP}/tests/support/clients"
tap = g.Tap()
sink = g.Sink(HOME)
gate = g.Gateway(f"{HOME}/gateway",
                 routes=f'routes: ( {{ via = "smtp"; host = "127.0.0.1"; port = {sink.port}; tls = "none"; }} );').start()
gate.add_user()
CERTIFICATE, KEY = g.certificate(HOME, stem="tee")
between = tee.Tee(CERTIFICATE, KEY, gate.smtps, gate.submission)
BODY = "Grüße,\r\n.a line with a dot\r\n..two\r\n\ttab  and blanks at the end   \r\n" + "x" * 900 + "\r\n\r\nend\r\n"
PLAIN = "Grüße\n.a line with a dot\n"


def written(name):
    """The message as a file: complete, so that nothing needs to be added but Received."""
    text = (f"Date: Sat, 21 Nov 2026 16:57:52 +0100\r\nFrom: Alice <{gate.user}>\r\nTo: bob@example.net\r\n"
            f"Subject: {name}\r\nMessage-ID: <{name}@client.example.com>\r\nMIME-Version: 1.0\r\n"
            "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + BODY)
    path = f"{HOME}/{name}.eml"
    with open(path, "w", encoding="utf-8", newline="") as f:
        f.write(text)
    return path


def run(*command, given=None, seconds=60, **more):
    done = subprocess.run(command, input=given, capture_output=True, check=False, timeout=seconds, **more)
    assert done.returncode == 0, (command[0], done.returncode, done.stdout[-500:], done.stderr[-500:])


def port(implicit):
    return str(between.implicit if implicit else between.starttls)


def file(name, text):
    path = f"{HOME}/{name}"
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    os.chmod(path, 0o600)
    return path


# ---- those that send a message as it is given ----

def swaks(implicit, path):
    # it ends the data itself, with a line end of its own
    with open(path, "rb") as f, open(f"{path}.swaks", "wb") as out:
        out.write(f.read().removesuffix(b"\r\n"))
    run("swaks", "--server", "127.0.0.1", "--port", port(implicit), "-tlsc" if implicit else "-tls", "--auth", "--auth-user", gate.user,
        "--auth-password", g.PASSWORD, "--from", gate.user, "--to", "bob@example.net", "--data", f"@{path}.swaks")


def curl(implicit, path):
    run("curl", "-sS", "--insecure", "--ssl-reqd", "--url", f"smtp{'s' * implicit}://127.0.0.1:{port(implicit)}/client.example.com",
        "--mail-from", gate.user, "--mail-rcpt", "bob@example.net", "--user", f"{gate.user}:{g.PASSWORD}", "--upload-file", path)


def msmtp(implicit, path):
    with open(path, "rb") as f:
        msmtp_program.run(HOME, port(implicit), implicit, gate.user, f.read().replace(b"\r\n", b"\n"))


def smtplib(implicit, path):
    context = g.ssl.create_default_context(cafile=CERTIFICATE)
    client = g.smtplib.SMTP_SSL("127.0.0.1", port(True), context=context) if implicit else g.smtplib.SMTP("127.0.0.1", port(False))
    if not implicit:
        client.starttls(context=context)
    client.login(gate.user, g.PASSWORD)
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
    run("node", "-e", script, port(implicit), str(int(implicit)), gate.user, g.PASSWORD, path)


def script(*interpreter, name, prepare=lambda: SCRIPTS):
    def client(implicit, path):
        run(*interpreter, f"{prepare()}/{name}", port(implicit), "implicit" if implicit else "starttls", gate.user, g.PASSWORD, path,
            seconds=120, env={**os.environ, "HOME": HOME, "GO111MODULE": "off"})
    client.__name__ = name
    return client


# ---- those that compose it ----

def mutt(implicit, subject, program="mutt"):
    user = quote(gate.user, safe="")
    config = file(f"{program}rc", f'set from="{gate.user}"\nset realname="Alice Grün"\nset smtp_pass="{g.PASSWORD}"\n'
                                  f'set smtp_url="smtp{"s" * implicit}://{user}@127.0.0.1:{port(implicit)}/"\nset ssl_force_tls=yes\n'
                                  f'set certificate_file="{CERTIFICATE}"\nset copy=no\nset charset="utf-8"\n')
    run(program, "-n", "-F", config, "-s", subject, "bob@example.net", given=PLAIN.encode(),
        env={**os.environ, "HOME": HOME, "LC_ALL": "C.UTF-8"})


def neomutt(implicit, subject):
    mutt(implicit, subject, "neomutt")


def s_nail(implicit, subject):
    where = f"{quote(gate.user, safe='')}:{quote(g.PASSWORD, safe='')}@127.0.0.1:{port(implicit)}"
    run("s-nail", "-:/", "-S", "v15-compat=yes", "-S", f"mta={'smtps' if implicit else 'smtp'}://{where}",
        "-S", "smtp-use-starttls=yes", "-S", "tls-verify=ignore", "-S", f"from=Alice <{gate.user}>", "-S", "sendwait",
        "-S", "ttycharset=utf-8", "-s", subject, "bob@example.net", given=PLAIN.encode(),
        env={**os.environ, "HOME": HOME, "LC_ALL": "C.UTF-8"})


def git_send_email(implicit, subject):
    patch = file(f"{subject}.patch", f"From 0123456789abcdef0123456789abcdef01234567 Mon Sep 17 00:00:00 2001\nFrom: Alice <{gate.user}>\n"
                                     f"Date: Sat, 21 Nov 2026 16:57:52 +0100\nSubject: {subject}\nMIME-Version: 1.0\n"
                                     f"Content-Type: text/plain; charset=UTF-8\nContent-Transfer-Encoding: 8bit\n\n{PLAIN}")
    identity = {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in (("NAME", "Alice"), ("EMAIL", gate.user))}
    run("git", "send-email", "--quiet", "--smtp-server=127.0.0.1", f"--smtp-server-port={port(implicit)}",
        f"--smtp-encryption={'ssl' if implicit else 'tls'}", f"--smtp-user={gate.user}", f"--smtp-pass={g.PASSWORD}",
        f"--smtp-ssl-cert-path={CERTIFICATE}", f"--from=Alice <{gate.user}>", "--to=bob@example.net", "--confirm=never",
        "--suppress-cc=all", patch, cwd=HOME,
        env={**os.environ, "HOME": HOME, **identity})


def with_emailjs():
    """The program beside the library, which npm gets from its registry."""
    where = f"{HOME}/npm"
    if not os.path.isdir(where):
        os.mkdir(where)
        shutil.copy(f"{SCRIPTS}/emailjs.mjs", where)
        run("npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", where, "emailjs", seconds=300)
    return where


# ---- what arrived ----

def without_received(message):
    """What came, without the one field that the gateway adds to a complete message."""
    assert message.startswith(b"Received: "), message[:60]
    lines = message.split(b"\r\n")
    first = next(n for n, line in enumerate(lines) if n and line[:1] not in (b" ", b"\t"))
    return b"\r\n".join(lines[first:])


def field(message, name):
    return str(make_header(decode_header(message[name])))


def with_subject(messages, subject):
    return [m for m in messages if field(message_from_bytes(m), "Subject") == subject]


def arrived(name):
    def found():
        return with_subject(sink.messages(), name)

    g.wait_for(f"{name} ({gate.tail()})", 20, found)
    assert len(found()) == 1, len(found())
    return without_received(found()[0])


def check(name, path):
    """As it was sent; and that is as it was given, or what was to be composed."""
    got = arrived(name)
    sent = with_subject(between.messages(), name)
    assert sent == [got], (got[:400], [m[:400] for m in sent], len(got))
    if path:
        with open(path, "rb") as f:
            assert got == f.read(), got
        return
    read = message_from_bytes(got)
    text = read.get_payload(decode=True).decode(read.get_content_charset("ascii"))
    assert text.replace("\r\n", "\n").strip() == PLAIN.strip(), got
    assert gate.user in field(read, "From"), got


def add(client, tool, implicit, composes):
    name = f"{client.__name__}-{465 if implicit else 587}"

    def case():
        if not shutil.which(tool):
            return f"{tool} is not installed"
        path = None if composes else written(name)
        client(implicit, path or name)
        check(name, path)
        return None
    case.__doc__ = f"{client.__name__} by {'465' if implicit else '587'}"
    tap.case(case)


GIVEN = ((swaks, "swaks"), (curl, "curl"), (msmtp, "msmtp"), (smtplib, "python3"), (nodemailer, "node"),
         (script("/usr/bin/python3", name="aio.py"), "python3"), (script("perl", name="net_smtp.pl"), "perl"),
         (script("ruby", name="net_smtp.rb"), "ruby"), (script("php", name="pear.php"), "php"))
COMPOSED = ((mutt, "mutt"), (neomutt, "neomutt"), (s_nail, "s-nail"), (git_send_email, "git"),
            (script("php", name="phpmailer.php"), "php"))
JARS = "/usr/share/java/javax.mail.jar:/usr/share/java/javax.activation.jar"
LARGE_GIVEN = ((script("go", "run", name="mail.go"), "go"),)
LARGE_COMPOSED = ((script("java", "-cp", JARS, name="Mail.java"), "javac"),
                  (script("node", name="emailjs.mjs", prepare=with_emailjs), "npm"))
LISTS = (LARGE_GIVEN, LARGE_COMPOSED) if "large" in sys.argv else (GIVEN, COMPOSED)
for clients, is_composed in zip(LISTS, (False, True)):
    for one, binary in clients:
        for tls in (True, False):
            add(one, binary, tls, is_composed)

try:
    tap.run()
finally:
    between.stop()
    gate.stop()
    sink.stop()
