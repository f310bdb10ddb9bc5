#!/usr/bin/env python3
"""tls: certificates by name, both kinds together, tickets that every process honours, old versions refused;
and the whole daemon as threads of one process (-d), where the same mail flows."""
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../support")
import gateway as g  # noqa: E402
import msmtp  # noqa: E402

HOME = g.workplace("tls")
tap = g.Tap()
files = {}
for stem, name, kind in (("ec", "mail.example.com", "ecdsa"), ("rsa", "mail.example.com", "rsa"), ("org", "smtp.example.org", "ecdsa")):
    files[stem] = g.certificate(f"{HOME}/files", name, kind, stem)
groups = ", ".join(f'{{ certificate = "{cert}"; private_key = "{key}"; }}' for cert, key in files.values())
gate = g.Gateway(f"{HOME}/gateway", tls=f"tls: ( {groups} );",
                 auth='auth: { backends = ( "users" ); mechanisms = [ "SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN", "LOGIN" ]; };',
                 routes='routes: ( { via = "smtp"; host = "127.0.0.1"; port = 9; tls = "none"; } );').start()
gate.add_user()


def s_client(*words, given="QUIT\r\n", port=None):
    done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port or gate.smtps}", *words], input=given.encode(),
                          capture_output=True, check=False, timeout=30)
    return (done.stdout + done.stderr).decode(errors="replace")


def has_certificate(said, name):
    """OpenSSL 3.0 writes "CN = NAME", 3.2 and later "CN=NAME"."""
    return re.search(rf"^subject=CN ?= ?{re.escape(name)}$", said, re.M)


@tap.case
def by_name():
    """the certificate follows the name that the client asks for; unknown names get the first"""
    assert has_certificate(s_client("-servername", "smtp.example.org"), "smtp.example.org")
    for name in ("mail.example.com", "unknown.example.net"):
        assert has_certificate(s_client("-servername", name), "mail.example.com")
    assert has_certificate(s_client("-noservername"), "mail.example.com")


@tap.case
def both_kinds():
    """ECDSA for who can, RSA for who cannot"""
    # OpenSSL 3.0 names the kind of the signature, 3.5 its scheme: ecdsa_secp256r1_sha256, rsa_pss_rsae_sha256
    assert re.search(r"Peer signature type: ecdsa", s_client("-servername", "mail.example.com"), re.I)
    only_rsa = s_client("-servername", "mail.example.com", "-sigalgs", "rsa_pss_rsae_sha256:RSA+SHA256")
    assert re.search(r"Peer signature type: rsa", only_rsa, re.I), only_rsa[-800:]


@tap.case
def versions():
    """TLS 1.2 and 1.3 with X25519; 1.1 and 1.0 are refused"""
    for version in ("-tls1_2", "-tls1_3"):
        said = s_client(version)
        assert re.search("^(Server|Peer) Temp Key: X25519,", said, re.M), said[-800:]
    for version in ("-tls1", "-tls1_1"):
        assert "Cipher is (NONE)" in s_client(version, "-cipher", "DEFAULT@SECLEVEL=0")
    # by the gateway: both came to it, whatever this OpenSSL itself thinks of them
    g.wait_for("two refused versions", 10, lambda: len(re.findall(r" tls fail .*version", gate.log())) == 2)


def python_refuses(version):
    context = ssl.create_default_context()
    context.minimum_version = context.maximum_version = version
    try:
        with socket.create_connection(("127.0.0.1", gate.smtps), 20) as plain, \
                context.wrap_socket(plain, server_hostname="mail.example.com"):
            raise AssertionError("the certificate was accepted")
    except ssl.SSLCertVerificationError:
        pass


@tap.case
def refused_certificate():
    """a client that does not accept our certificate is told of as such in the log, by what it said or by how it ended"""
    refusals = [lambda v=v: s_client("-verify_return_error", "-CAfile", files["org"][0], v) for v in ("-tls1_2", "-tls1_3")]
    refusals += [lambda v=v: python_refuses(v) for v in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)]
    told = re.compile(r' tls fail [^\n]* error="(the client said: [^"\n]*([Cc]ertificate|CA)[^"\n]*|'
                      r'the client broke off the handshake: it probably does not accept our certificate \([^"\n]+\))"')
    for number, refuse in enumerate(refusals):
        before = gate.log().count(" tls fail ")
        refuse()
        g.wait_for(f"the line of client {number}", 10, lambda: gate.log().count(" tls fail ") > before)
        line = re.findall(r".* tls fail .*", gate.log())[-1]
        assert told.search(line), (number, line)
    assert "probably does not accept our certificate" in gate.log()


@tap.case
def no_cbc():
    """TLS 1.2 has AEAD suites alone: one with CBC is refused, on both kinds of ports"""
    starttls = ("-starttls", "smtp")
    for words, port in (((), gate.smtps), (starttls, gate.submission)):
        for suite in ("ECDHE-ECDSA-AES128-SHA256", "ECDHE-ECDSA-AES128-SHA", "ECDHE-RSA-AES256-SHA384", "ECDHE-RSA-AES256-SHA"):
            said = s_client("-tls1_2", "-cipher", f"{suite}:@SECLEVEL=0", *words, port=port)
            assert "Cipher is (NONE)" in said, (suite, said[-800:])
        for suite in ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305"):
            said = s_client("-tls1_2", "-cipher", suite, *words, port=port)
            assert f"Cipher is {suite}" in said, (suite, said[-800:])


@tap.case
def tickets():
    """a ticket of one submission process is honoured by all others, in both versions"""
    for version in ("-tls1_2", "-tls1_3"):
        path = f"{HOME}/session{version}"
        # QUIT is answered before the end, so that TLS 1.3's ticket has come
        s_client(version, "-sess_out", path, "-ign_eof")
        resumed = sum("Reused, TLS" in s_client(version, "-sess_in", path) for _ in range(12))
        assert resumed == 12, (version, resumed)


@tap.case
def channel_binding():
    """SCRAM-SHA-256-PLUS is offered in TLS 1.3, not in 1.2, where clients would bind by tls-unique"""
    for version, is_offered in (("-tls1_2", False), ("-tls1_3", True)):
        said = s_client(version, "-ign_eof", given="EHLO c.example.com\r\nQUIT\r\n")
        offered = re.search(r"^250-AUTH (.*?)\r?$", said, re.M).group(1).split()
        assert "SCRAM-SHA-256" in offered and ("SCRAM-SHA-256-PLUS" in offered) == is_offered, (version, offered)


@tap.case
def bound_login():
    """msmtp chooses SCRAM-SHA-256-PLUS where it is offered, and logs in with it, by 465 and 587"""
    if not shutil.which("msmtp"):
        return "msmtp is not installed"
    if not msmtp.knows_plus():
        return "this msmtp does not know SCRAM-SHA-256-PLUS"
    for port, is_implicit in ((gate.smtps, True), (gate.submission, False)):
        msmtp.run(HOME, port, is_implicit, gate.user, b"Subject: bound\n\nText.\n")
        gate.wait_log(rf"auth ok \S+ \S+ port={port} tls=TLSv1.3 mech=SCRAM-SHA-256-PLUS ")
    return None


@tap.case
def starttls():
    """the same behind STARTTLS"""
    assert has_certificate(s_client("-starttls", "smtp", "-servername", "smtp.example.org", port=gate.submission), "smtp.example.org")


@tap.case
def threads():
    """-d: all roles in one process, unsandboxed; mail flows, it stops cleanly, and processes take over"""
    sink = g.Sink(f"{HOME}/threads-sink")
    other = g.Gateway(f"{HOME}/threads", debug=True,
                      routes=f'routes: ( {{ via = "smtp"; host = "127.0.0.1"; port = {sink.port}; tls = "none"; }} );').start()
    try:
        assert not other.processes()
        other.add_user()
        client = other.connect()
        for n in range(20):
            assert other.send(client=client, subject=f"thread {n}")[0] == 250
        client.quit()
        other.send(subject="large", text="x" * 300000 + "\r\n")
        sink.wait(21)
        g.wait_for("an empty queue", 10, lambda: not other.queue())
        other.stop()
        assert other.process.returncode == 0, other.tail()
        other.debug = False
        other.start()
        other.wait_log("spool open .*damages=0")
        other.send(subject="as processes again")
        sink.wait(22)
    finally:
        other.stop()
        sink.stop()


try:
    tap.run()
finally:
    gate.stop()
