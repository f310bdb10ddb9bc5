#!/usr/bin/env python3
"""receivers: real hosts take our mail: Postfix and Exim by SMTP (with STARTTLS), Dovecot by LMTP."""
import glob
import os
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../support")
import gateway as g  # noqa: E402
import servers  # noqa: E402

HOME = g.workplace("receivers")
tap = g.Tap()
missing = servers.fetch()
INSIDE = "/mnt"  # where a server sees its directory: its own users may be unable to reach the real place
BODY = "A line.\r\n.A dot.\r\n..Two.\r\n" + "z" * 900 + "\r\n"


def write(directory, name, text):
    with open(f"{directory}/{name}", "w", encoding="ascii") as f:
        f.write(text.replace(directory, INSIDE))


def postfix(directory, port):
    cert, key = g.certificate(directory, "localhost")
    for name in ("etc", "spool", "data", "mail"):
        os.makedirs(f"{directory}/{name}")
    os.chmod(directory, 0o755)
    os.chown(f"{directory}/data", 5100, 5100)
    os.chown(f"{directory}/mail", 5104, 5104)
    write(directory, "etc/main.cf", f"""compatibility_level = 3.6
queue_directory = {directory}/spool
data_directory = {directory}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
meta_directory = {directory}/etc
mail_owner = postfix
setgid_group = postdrop
inet_interfaces = 127.0.0.1
myhostname = localhost
mydestination =
virtual_mailbox_domains = example.net
virtual_mailbox_base = {directory}/mail
virtual_mailbox_maps = static:bob/
virtual_uid_maps = static:5104
virtual_gid_maps = static:5104
virtual_minimum_uid = 100
mynetworks = 127.0.0.0/8
alias_maps =
smtpd_tls_cert_file = {cert}
smtpd_tls_key_file = {key}
smtpd_tls_security_level = may
maillog_file = {directory}/data/log
maillog_file_prefixes = {directory}
""")
    write(directory, "etc/master.cf", f"127.0.0.1:{port} inet n - n - - smtpd\n" + "".join(
            f"{name} unix {private} - n {wake} {limit} {command}\n" for name, private, wake, limit, command in (
                ("pickup", "n", 60, 1, "pickup"), ("cleanup", "n", "-", 0, "cleanup"), ("qmgr", "n", 300, 1, "qmgr"),
                ("tlsmgr", "-", "1000?", 1, "tlsmgr"), ("rewrite", "-", "-", "-", "trivial-rewrite"),
                ("bounce", "-", "-", 0, "bounce"), ("defer", "-", "-", 0, "bounce"), ("proxymap", "-", "-", "-", "proxymap"),
                ("error", "-", "-", "-", "error"), ("anvil", "-", "-", 1, "anvil"),
                ("postlog", "n", "-", 1, "postlogd"))).replace("postlog unix n", "postlog unix-dgram n") +
                "virtual unix - n n - - virtual\n")
    shutil.copy(f"{servers.ROOT}/root/etc/postfix/postfix-files", f"{directory}/etc/")
    write(directory, "etc/dynamicmaps.cf", "")
    return f"exec /usr/sbin/postfix -c {INSIDE}/etc start-fg", f"{directory}/mail/bob/new/*"


def exim(directory, port):
    cert, key = g.certificate(directory, "localhost")
    for name in ("spool", "log", "mail"):
        os.makedirs(f"{directory}/{name}")
        os.chown(f"{directory}/{name}", 5101, 5101)
    os.chmod(key, 0o644)
    write(directory, "exim.conf", f"""spool_directory = {directory}/spool
log_file_path = {directory}/log/%slog
primary_hostname = localhost
local_interfaces = <; [127.0.0.1]:{port}
domainlist local_domains = example.net
exim_user = Debian-exim
exim_group = Debian-exim
tls_advertise_hosts = *
tls_certificate = {cert}
tls_privatekey = {key}
acl_smtp_rcpt = accept
acl_smtp_data = accept
begin routers
here:
  driver = accept
  domains = +local_domains
  transport = keep
begin transports
keep:
  driver = appendfile
  maildir_format
  directory = {directory}/mail
  create_directory
  user = Debian-exim
  group = Debian-exim
  delivery_date_add = false
  envelope_to_add = false
  return_path_add = false
""")
    return f"exec /usr/sbin/exim4 -C {INSIDE}/exim.conf -bdf", f"{directory}/mail/new/*"


def dovecot_2_3(directory, port):
    """Debian 12's."""
    return f"""base_dir = {directory}/run
state_dir = {directory}/state
log_path = {directory}/log
protocols = lmtp
ssl = no
mail_location = maildir:{directory}/mail
passdb {{
  driver = static
  args = nopassword=y
}}
userdb {{
  driver = static
  args = uid=5104 gid=5104 home={directory}/mail allow_all_users=yes
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {port}
  }}
}}
service anvil {{
  chroot =
}}
"""


def dovecot_2_4(directory, port):
    """Debian 13's, which reads no file of an older one."""
    return f"""dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
base_dir = {directory}/run
state_dir = {directory}/state
log_path = {directory}/log
protocols = lmtp
ssl = no
mail_driver = maildir
mail_path = {directory}/mail
passdb static {{
  fields {{
    nopassword = yes
  }}
}}
userdb static {{
  allow_all_users = yes
  fields {{
    uid = 5104
    gid = 5104
    home = {directory}/mail
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    listen = 127.0.0.1
    port = {port}
  }}
}}
service anvil {{
  chroot =
}}
"""


def dovecot(directory, port):
    for name in ("mail", "run", "state"):
        os.makedirs(f"{directory}/{name}")
    os.chown(f"{directory}/mail", 5104, 5104)
    write(directory, "dovecot.conf", dovecot_2_4(directory, port) if servers.has("dovecot-core", "2.4") else dovecot_2_3(directory, port))
    return f"exec /usr/sbin/dovecot -F -c {INSIDE}/dovecot.conf", f"{directory}/mail/new/*"


def add(name, make, route):
    def case():
        if missing:
            return missing
        directory = f"{HOME}/{name}"
        os.makedirs(directory)
        port = g.free_port()
        script, mails = make(directory, port)
        server = servers.popen(directory, INSIDE, script, f"{directory}/out")
        gate = None
        try:
            g.wait_for(f"{name} listens (see {directory}/out)", 20, lambda: g.answers(port))
            gate = g.Gateway(f"{directory}/gateway", routes=f"routes: ( {{ host = \"127.0.0.1\"; port = {port}; "
                             f"allow_private = true; {route} }} );").start()
            gate.add_user()
            gate.send(subject=name, text=BODY)
            gate.send(subject=f"{name} again", text="x" * 200000 + "\r\n")
            g.wait_for(f"two messages in {mails}: {gate.tail()}", 30, lambda: len(glob.glob(mails)) == 2)
            gate.wait_log(r"done id=\S+ .*sent=1")
            small = min(glob.glob(mails), key=os.path.getsize)
            with open(small, "rb") as f:
                got = f.read().replace(b"\r\n", b"\n")
            assert got.endswith(b"\n\n" + BODY.replace("\r\n", "\n").encode()), got[-300:]
            assert not gate.queue()
        finally:
            if gate:
                gate.stop()
            servers.stop(server)
        return None
    case.__doc__ = f"{name} takes a small and a large message"
    tap.case(case)


add("postfix", postfix, 'via = "smtp"; tls = "encrypt";')
add("exim", exim, 'via = "smtp"; tls = "encrypt";')
add("dovecot", dovecot, 'via = "lmtp"; tls = "none";')
tap.run()
