#!/usr/bin/env python3
"""testssl: testssl.sh looks at both ports with a certificate of an authority that it knows: nothing that we could mend is below
its best grade.  Part of the long rounds."""
import json
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../support")
import gateway as g  # noqa: E402

HOME = g.workplace("testssl")
PATIENCE_S = 600
# of the certificate, which a test makes for itself: who issued it publishes no revocations, DNS or logs, and it is new
OF_THE_AUTHORITY = ("cert_revocation", "OCSP", "CRL", "cert_crlDistributionPoints", "cert_ocspURL", "DNS_CAArecord", "certificate_transparency",
                    "cert_trust", "cert_caIssuers", "cert_chain_of_trust", "cert_expirationStatus", "cert_notAfter", "cert_mustStapleExtension")
# of the tool: this machine has no GOST
OF_THE_TOOL = ("engine_problem",)
tap = g.Tap()
gate = g.Gateway(f"{HOME}/gateway", routes='routes: ( { via = "smtp"; host = "127.0.0.1"; port = 9; tls = "none"; } );')


def findings(name, port, *more):
    path = f"{HOME}/{name}.json"
    done = subprocess.run(["testssl", "--quiet", "--color", "0", "--warnings", "batch", "--nodns", "none", "--jsonfile", path, *more,
                           f"127.0.0.1:{port}"], capture_output=True, text=True, errors="replace", check=False, timeout=PATIENCE_S)
    with open(path, encoding="utf-8") as f:
        found = json.load(f)
    assert len(found) > 100, (done.returncode, done.stdout[-2000:])
    return found


def looked_at(name, port, *more):
    found = findings(name, port, *more)
    bad = [(f["id"], f["severity"], f["finding"]) for f in found
           if f["severity"] not in ("OK", "INFO", "DEBUG") and not f["id"].startswith(OF_THE_AUTHORITY + OF_THE_TOOL)]
    assert not bad, bad
    said = {f["id"]: f["finding"] for f in found}
    assert "not offered" in said["TLS1"] and "not offered" in said["TLS1_1"] and "offered" in said["TLS1_3"], said
    assert "not vulnerable" in said["LUCKY13"], "suites with CBC"


@tap.case
def by_465():
    """port 465"""
    looked_at("smtps", gate.smtps)


@tap.case
def by_587():
    """port 587, behind STARTTLS"""
    looked_at("submission", gate.submission, "--starttls", "smtp")


if not shutil.which("testssl"):
    print("1..0 # SKIP testssl is not installed")
    sys.exit(0)
gate.start()
try:
    tap.run()
finally:
    gate.stop()
