"""msmtp: a mail program that can, as Debian 13 has it, bind a login to its TLS connection."""
import os
import subprocess

import gateway as g


def knows_plus():
    """Returns whether msmtp knows SCRAM-SHA-256-PLUS: that of Debian 13 does, that of Debian 12 does not."""
    return b"scram-sha-256-plus" in subprocess.run(["msmtp", "--version"], capture_output=True, check=True).stdout


def run(home, port, implicit, user, message):
    """Sends the message to bob@example.net, with the best mechanism that is offered and that msmtp knows."""
    path = f"{home}/msmtprc"
    with open(path, "w", encoding="utf-8") as f:
        f.write(f"account default\nhost 127.0.0.1\nport {port}\ntls on\nauth on\ntls_starttls {'off' if implicit else 'on'}\n"
                f"tls_certcheck off\nuser {user}\npassword {g.PASSWORD}\nfrom {user}\nset_from_header off\nset_date_header off\n")
    os.chmod(path, 0o600)
    done = subprocess.run(["msmtp", "-C", path, "bob@example.net"], input=message, capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, (done.returncode, done.stdout[-500:], done.stderr[-500:])
