#!/usr/bin/env python3
"""certificates: what is wrong with one, or its key, is told by config check, start, reload and status, each time with the
same words; one that has expired is served, and that is said until it is changed."""
import base64
import datetime
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../support")
import gateway as g  # noqa: E402

HOME = g.workplace("certificates")
tap = g.Tap()
DEAD = 'routes: ( { via = "smtp"; host = "127.0.0.1"; port = 9; tls = "none"; } );'


def certtool(*words):
    subprocess.run(["certtool", "--hash", "SHA256", *words], check=True, capture_output=True)


def make(stem, names=("mail.example.com",), days=90, age=200, issuer=None, more=()):
    """A key and a certificate that ends in `days` days; without an issuer it signs itself."""
    now = datetime.datetime.now(datetime.timezone.utc)
    path = f"{HOME}/{stem}"
    with open(f"{path}.template", "w", encoding="ascii") as f:
        f.write(f'cn = "{stem}"\n' + "".join(f'dns_name = "{name}"\n' for name in names) + "".join(f"{m}\n" for m in more))
        for key, at in (("activation_date", now - datetime.timedelta(days=age)),
                        ("expiration_date", now + datetime.timedelta(days=days, minutes=5))):
            f.write(f'{key} = "{at.strftime("%Y-%m-%d %H:%M:%S UTC")}"\n')
    certtool("--generate-privkey", "--key-type=ecdsa", "--curve=secp256r1", "--outfile", f"{path}.key")
    signer = ["--generate-certificate", "--load-ca-certificate", f"{HOME}/{issuer}.crt",
              "--load-ca-privkey", f"{HOME}/{issuer}.key"] if issuer else ["--generate-self-signed"]
    certtool(*signer, "--load-privkey", f"{path}.key", "--template", f"{path}.template", "--outfile", f"{path}.crt")
    return f"{path}.crt", f"{path}.key"


def join(name, *stems):
    with open(f"{HOME}/{name}.crt", "w", encoding="ascii") as out:
        for stem in stems:
            with open(f"{HOME}/{stem}.crt", encoding="ascii") as f:
                out.write(f.read())


def write(name, text):
    with open(f"{HOME}/{name}", "w", encoding="ascii") as f:
        f.write(text)


CA = ("ca", "cert_signing_key")
make("good")
make("other")
make("late", days=-2)
make("soon", days=3)
make("early", days=90, age=-2)
make("named", names=("smtp.example.org", "imap.example.org"))
make("unnamed", names=())
make("wild", names=("*.example.com",))
make("root", names=(), more=CA)
make("between", names=(), more=CA, issuer="root")
make("between-late", names=(), days=-1, more=CA, issuer="root")
make("leaf", issuer="between")
make("leaf-of-late", issuer="between-late")
join("chain", "leaf", "between")
join("chain-with-root", "leaf", "between", "root")
join("chain-reversed", "between", "leaf")
join("chain-mixed", "leaf", "root", "between")
join("chain-late", "leaf-of-late", "between-late", "root")
write("garbage", "this is no certificate\n")
write("empty", "")
subprocess.run(["openssl", "ec", "-in", f"{HOME}/good.key", "-aes256", "-passout", "pass:x", "-out", f"{HOME}/locked.key"],
               check=True, capture_output=True)
gate = g.Gateway(f"{HOME}/gateway", routes=DEAD)

# Certificate, key, which key of the configuration is at fault, and the words that every command says.
FAULTS = [
    ("absent.crt", "good.key", "certificate", r"absent\.crt: No such file or directory"),
    ("good.crt", "absent.key", "private_key", r"absent\.key: No such file or directory"),
    ("garbage", "good.key", "certificate", r"garbage: does not parse as a PEM certificate"),
    ("good.key", "good.key", "certificate", r"good\.key: does not parse as a PEM certificate"),
    ("empty", "good.key", "certificate", r"empty: the file is empty"),
    ("", "good.key", "certificate", r": Is a directory"),
    ("good.crt", "garbage", "private_key", r"garbage: there is no PEM private key in it"),
    ("good.crt", "good.crt", "private_key", r"good\.crt: there is no PEM private key in it"),
    ("good.crt", "locked.key", "private_key", r"locked\.key: the key is encrypted with a password"),
    ("good.crt", "other.key", "private_key", r"other\.key: is not the key of the certificate in \S+good\.crt"),
    ("chain-reversed.crt", "leaf.key", "certificate", r"the key belongs to is number 2 in the file: it must be the first"),
]
# The same for what can be used all the same; no words: nothing is said.
WARNINGS = [
    ("good.crt", "good.key", None),
    ("wild.crt", "wild.key", None),
    ("chain-with-root.crt", "leaf.key", None),
    ("late.crt", "late.key", r"late\.crt: expired on 20\S+Z: it is served, and clients refuse it"),
    ("early.crt", "early.key", r"early\.crt: is not valid before 20\S+Z"),
    ("soon.crt", "soon.key", r"soon\.crt: expires on 20\S+Z: 3 days left"),
    ("named.crt", "named.key", r'hostname "mail\.example\.com" is not among the names of it: smtp\.example\.org imap\.example\.org'),
    ("unnamed.crt", "unnamed.key", r'has no subject alternative name for hostname "mail\.example\.com"'),
    ("leaf.crt", "leaf.key", r'the issuer "between" of the last certificate is neither in the file nor trusted'),
    ("chain.crt", "leaf.key", r'the issuer "root" of the last certificate is neither in the file nor trusted'),
    ("chain-mixed.crt", "leaf.key", r"certificate 2 of the file did not issue the one before it"),
    ("chain-late.crt", "leaf-of-late.key", r"certificate 2 of the file expired on 20"),
]


def name(gateway, certificate, key):
    """The configuration names these, the key on the line behind the certificate's: lines 4 and 5."""
    gateway.parts["tls"] = f'tls: {{ certificate = "{HOME}/{certificate}";\n private_key = "{HOME}/{key}"; }};'
    gateway.write_config()


def place(gateway, key):
    return f"{re.escape(gateway.config)}:{4 + (key == 'private_key')}: error: tls.{key}: "


def check_daemon():
    return subprocess.run([f"{g.BUILD}/sallyportd", "-t", "-c", gate.config], capture_output=True, text=True, check=False)


@tap.case
def config_check_refuses():
    """config check and sallyportd -t: missing, no PEM, another key, wrong order: file:line of the key that names it, 78"""
    for certificate, key, at, words in FAULTS:
        name(gate, certificate, key)
        checked = gate.tool("config", "check", check=False)
        assert checked.returncode == 78 and "1 error," in checked.stdout, (certificate, key, checked)
        assert re.search(place(gate, at) + ".*" + words, checked.stdout), (words, checked.stdout)
        daemon = check_daemon()
        assert daemon.returncode == 78 and re.search(place(gate, at) + ".*" + words, daemon.stderr), (words, daemon)
    name(gate, "absent.crt", "absent.key")
    assert "2 errors" in gate.tool("config", "check", check=False).stdout


@tap.case
def config_check_warns():
    """dates, names and a chain that is not whole are warnings with file:line; what is right says nothing"""
    for certificate, key, words in WARNINGS:
        name(gate, certificate, key)
        checked = gate.tool("config", "check", check=False)
        lines = [line for line in checked.stdout.splitlines() if "tls." in line and "the unit sallyport.service" not in line]
        assert checked.returncode == 0 and len(lines) == (words is not None), (certificate, checked)
        assert not words or re.search(f"{re.escape(gate.config)}:4: warning: tls.certificate: .*{words}", lines[0]), lines
        assert check_daemon().returncode == 0


@tap.case
def a_file_that_may_not_be_read():
    """who checks need not be who starts the daemon: a key that the caller may not read is a warning"""
    if os.getuid():
        os.chmod(f"{HOME}/other.key", 0)
        name(gate, "other.crt", "other.key")
        checked = gate.tool("config", "check", check=False)
        os.chmod(f"{HOME}/other.key", 0o600)
        assert checked.returncode == 0 and "Permission denied: not checked" in checked.stdout, checked
        return None
    return "root may read everything"


@tap.case
def start_refuses():
    """the same words, exit 78, in the log and on standard error"""
    for certificate, key, at, words in FAULTS:
        name(gate, certificate, key)
        gate.start(wait=False)
        assert gate.process.wait(20) == 78, (certificate, key)
        for text in (gate.log().splitlines()[-1], gate.tail()):
            assert re.search(place(gate, at) + ".*" + words, text), (words, text)


def served(port, server=None):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port), 10) as plain:
        with context.wrap_socket(plain, server_hostname=server or "mail.example.com") as s:
            return ssl.DER_cert_to_PEM_cert(s.getpeercert(True))


def content(stem):
    with open(f"{HOME}/{stem}", encoding="ascii") as f:
        return f.read()


def is_served(stem, gateway=gate, server=None):
    return ssl.PEM_cert_to_DER_cert(content(stem)) == ssl.PEM_cert_to_DER_cert(served(gateway.smtps, server))


def rows(gateway=gate):
    run = gateway.tool("status", "--json", check=False)
    all_rows = [json.loads(line) for line in run.stdout.splitlines()]
    return run.returncode, [r for r in all_rows if "certificate" in r], [r for r in all_rows if "role" in r]


@tap.case
def reload_keeps_the_old_one():
    """a reload with such an error fails with the same words, 78, and the former certificate is served"""
    name(gate, "good.crt", "good.key")
    gate.start().add_user()
    for certificate, key, at, words in FAULTS:
        name(gate, certificate, key)
        told = gate.tool("reload", check=False)
        assert told.returncode == 78 and re.search(place(gate, at) + ".*" + words, told.stderr), (words, told)
        assert "the running configuration is unchanged" in told.stderr and is_served("good.crt")
    name(gate, "other.crt", "other.key")
    gate.tool("reload")
    g.wait_for("the other certificate", 10, lambda: is_served("other.crt"))
    name(gate, "soon.crt", "soon.key")
    told = gate.tool("reload").stdout
    assert re.search(r"warning: tls.certificate: \S+soon\.crt: expires on .*: 3 days left", told), told
    gate.wait_log(r"warning: \S+:4: tls.certificate: \S+soon\.crt: expires on .*: 3 days left")
    code, certificates, _ = rows()
    assert code == 0 and certificates[0]["state"] == "expires soon" and certificates[0]["days_left"] == 3, certificates


@tap.case
def files_that_change():
    """a file that changes to one that cannot be used: said once in the log, the former one is served, also to a new role"""
    for part in ("crt", "key"):
        shutil.copy(f"{HOME}/good.{part}", f"{HOME}/live.{part}")
    name(gate, "live.crt", "live.key")
    gate.tool("reload")
    g.wait_for("live", 10, lambda: is_served("good.crt"))
    shutil.copy(f"{HOME}/other.key", f"{HOME}/fresh.key")
    os.rename(f"{HOME}/fresh.key", f"{HOME}/live.key")
    line = r"former ones stay: .*:5: error: tls.private_key: \S+live\.key: is not the key of the certificate in"
    gate.wait_log(line)
    submission = next(pid for pid, (role, _) in gate.processes().items() if role == "submission")
    os.kill(submission, signal.SIGKILL)
    g.wait_for("submission is back", 20, lambda: g.answers(gate.smtps) and rows()[2][-1]["state"] == "ready", every=0.2)
    time.sleep(4)
    assert is_served("good.crt") and len(re.findall(line, gate.log())) == 1
    for part in ("crt", "key"):  # the same file, written over: what was checked stays in use
        write(f"live.{part}", "garbage")
    gate.wait_log(r"former ones stay: .*:4: error: tls.certificate: \S+live\.crt: does not parse")
    for role_name in ("keys", "submission"):
        for pid in [pid for pid, (role, _) in gate.processes().items() if role == role_name]:
            os.kill(pid, signal.SIGKILL)
    g.wait_for("both are back", 20, lambda: {r["state"] for r in rows()[2]} == {"ready"} and g.answers(gate.smtps), every=0.2)
    assert is_served("good.crt")
    shutil.copy(f"{HOME}/other.key", f"{HOME}/live.key")
    shutil.copy(f"{HOME}/other.crt", f"{HOME}/fresh.crt")
    os.rename(f"{HOME}/fresh.crt", f"{HOME}/live.crt")
    g.wait_for("the whole pair", 15, lambda: is_served("other.crt"), every=0.5)
    gate.stop()


@tap.case
def a_renewal_that_failed_is_in_status():
    """a key that is not the certificate's, or is gone: status says so, since when and why, and ends with 69 until it is mended"""
    for part in ("crt", "key"):
        shutil.copy(f"{HOME}/good.{part}", f"{HOME}/live.{part}")
    name(gate, "live.crt", "live.key")
    gate.start()
    assert rows()[0] == 0
    shutil.copy2(f"{HOME}/live.key", f"{HOME}/kept.key")

    def told(words):
        code, certificates, _ = rows()
        row = certificates[0]
        return (code, row["state"]) == (69, "files not usable") and re.search(
            r"^the former ones are served since 20\S+: \S+:5: error: tls.private_key: \S+live\.key: " + words, row["why"])
    shutil.copy(f"{HOME}/other.key", f"{HOME}/live.key")
    g.wait_for("the wrong key", 15, lambda: told("is not the key of the certificate in"), every=0.2)
    assert is_served("good.crt") and rows()[1][0]["names"] == ["mail.example.com"]
    shown = gate.tool("status", check=False).stdout
    assert re.search(r"^mail\.example\.com +files not usable +20\S+Z ", shown, re.M), shown
    os.unlink(f"{HOME}/live.key")
    g.wait_for("no key", 15, lambda: told("No such file or directory"), every=0.2)
    shutil.copy2(f"{HOME}/kept.key", f"{HOME}/live.key")
    g.wait_for("the key is back", 15, lambda: rows()[0] == 0 and rows()[1][0]["state"] == "ok", every=0.2)
    gate.stop()


@tap.case
def expired_is_served_loudly():
    """after a restart an expired certificate is served: an error in the log, status says so and ends with 69"""
    name(gate, "late.crt", "late.key")
    gate.start()
    assert is_served("late.crt")
    client = gate.connect()
    assert gate.send(client=client)[0] == 250
    client.quit()
    gate.wait_log(r"error: \S+:4: tls.certificate: \S+late\.crt: expired on 20\S+Z: it is served, and clients refuse it")
    code, certificates, roles = rows()
    assert code == 69 and {r["state"] for r in roles} == {"ready"}, (code, roles)
    row = certificates[0]
    assert row["state"] == "expired" and row["days_left"] == 0 and row["names"] == ["mail.example.com"], row
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", row["not_after"]) and "expired on" in row["why"], row
    shown = gate.tool("status", check=False).stdout
    assert re.search(r"^mail\.example\.com +expired +20\S+Z +0 +\S+late\.crt +\S+late\.crt: expired on", shown, re.M), shown
    name(gate, "named.crt", "named.key")
    gate.tool("reload")
    code, certificates, _ = rows()
    assert code == 0 and certificates[0]["names"] == ["smtp.example.org", "imap.example.org"], certificates
    assert certificates[0]["days_left"] == 90 and "not among the names" in certificates[0]["why"], certificates
    gate.stop()


def holds(pid, secret):
    """Does that process have these bytes, or this number, anywhere in its memory?"""
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            start, end = (int(n, 16) for n in line.split()[0].split("-"))
            # of a build with AddressSanitizer some maps have terabytes, which hold nothing of ours
            if not line.split()[1].startswith("rw") or (g.is_sanitized() and end - start > 1 << 30):
                continue
            memory.seek(start)
            try:
                content_now = memory.read(end - start)
                if secret in content_now or secret[::-1] in content_now:
                    return True
            except OSError:
                continue
    return False


@tap.case
def only_keys_holds_the_key():
    """the checks of a start, a reload and a change leave no private key in main's memory"""
    if os.getuid():
        return "only root reads the memory of another process"
    name(gate, "good.crt", "good.key")
    gate.start()
    for stem in ("leaf", "other"):
        name(gate, f"{stem}.crt", f"{stem}.key")
        gate.tool("reload")
    pem = content("other.key")
    der = base64.b64decode("".join(line for line in pem[pem.index("-----BEGIN EC"):].splitlines() if "-----" not in line))
    secret = der[7:7 + der[6]][-32:]  # SEQUENCE, INTEGER 1, OCTET STRING (RFC 5915)
    g.wait_for("the newest key", 10, lambda: is_served("other.crt"))
    holders = {role for pid, (role, _) in gate.processes().items() if holds(pid, secret)}
    assert holders == {"keys"}, holders
    assert not holds(gate.main_pid(), secret) and not holds(gate.main_pid(), pem.splitlines()[-3].encode())
    gate.stop()


@tap.case
def one_of_several():
    """a start with one that can be used leaves the other out, loudly; reloads go on; repaired, it is served by itself"""
    for part in ("crt", "key"):
        shutil.copy(f"{HOME}/named.{part}", f"{HOME}/second.{part}")
    write("second.crt", "half a cer")
    gate.parts["tls"] = (f'tls: ( {{ certificate = "{HOME}/good.crt"; private_key = "{HOME}/good.key"; }},\n'
                         f' {{ certificate = "{HOME}/second.crt"; private_key = "{HOME}/second.key"; }} );')
    gate.write_config()
    assert gate.tool("config", "check", check=False).returncode == 78
    gate.start()
    gate.wait_log(r"error: \S+:5: tls.certificate: \S+second\.crt: does not parse .*; the other certificates are served")
    assert is_served("good.crt") and is_served("good.crt", server="smtp.example.org")
    code, certificates, _ = rows()
    assert code == 69 and [r["state"] for r in certificates] == ["ok", "not usable"], certificates
    gate.extra = "limits: { recipients_per_message = 20; };"
    gate.write_config()
    told = gate.tool("reload").stdout
    assert "limits.recipients_per_message" in told and "second.crt: does not parse" in told, told
    shutil.copy(f"{HOME}/named.crt", f"{HOME}/second.crt")
    g.wait_for("the repaired one", 15, lambda: is_served("named.crt", server="smtp.example.org"), every=0.5)
    code, certificates, _ = rows()
    assert code == 0 and [r["state"] for r in certificates] == ["ok", "ok"], certificates
    gate.stop()


try:
    tap.run()
finally:
    gate.stop()
