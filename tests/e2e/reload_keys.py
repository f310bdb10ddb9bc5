#!/usr/bin/env python3
"""reload_keys: each key of the key table is changed alone by a reload, which says of it what `config explain` says: applied,
or needs a restart; what needs one stays as it was, also in roles that are started again, until the daemon is."""
import os
import re
import shutil
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../support")
import gateway as g  # noqa: E402

HOME = g.workplace("reload_keys")
tap = g.Tap()
sink = g.Sink(HOME)
gate = g.Gateway(f"{HOME}/gateway")
PLACE = gate.directory
CERTIFICATE, KEY = g.certificate(f"{HOME}/other")
for copy in ("anchor", "resolv.conf", "hosts", "ca.pem"):
    source = {"anchor": "/usr/share/dns/root.key", "ca.pem": CERTIFICATE}.get(copy, f"/etc/{copy}")
    shutil.copy(source, f"{HOME}/{copy}")
HOST = f'via = "smtp"; host = "127.0.0.1"; port = {sink.port}; tls = "none";'
THIRD = g.free_port()


def groups(*items):
    return "( " + ", ".join(f"{{ {item} }}" for item in items) + " )"


def places(**third):
    keys = {"address": '"127.0.0.1"', "port": str(THIRD), "tls": '"implicit"', **third}
    return groups(f'address = "127.0.0.1"; port = {gate.smtps}; tls = "implicit";',
                  f'address = "127.0.0.1"; port = {gate.submission}; tls = "starttls";',
                  " ".join(f"{k} = {v};" for k, v in keys.items()))


BASE = {
    "hostname": '"mail.example.com"', "state_directory": f'"{PLACE}/state"', "run_directory": f'"{PLACE}/run"',
    "listen": places(), "tls": groups(f'certificate = "{PLACE}/tls.crt"; private_key = "{PLACE}/tls.key";'),
    "domains": groups('name = "example.com";', 'name = "two.example";'), "submission.processes": "1",
    "limits.users": groups('user = "erp@example.com"; per_user = "9 / 1h";'),
    "sender_policy.send_as": groups('user = "it@example.com"; addresses = ( "a@example.com" );'),
    "routes": groups('to_domain = "one.example"; via = "smarthost"; host = "s.example"; port = 2525; tls = "implicit"; '
                     'username = "u"; password = "p";', HOST),
    "queue.directory": f'"{PLACE}/spool"', "queue.minimum_free": '"1%"', "log.target": f'"file:{gate.log_file}"',
}
if g.test_user():
    BASE["user"] = f'"{g.test_user().pw_name}"'
SMARTHOST = {"to_domain": '"one.example"', "via": '"smarthost"', "host": '"s.example"', "port": "2525", "tls": '"implicit"',
             "username": '"u"', "password": '"p"'}


def route(**other):
    return groups(" ".join(f"{k} = {v};" for k, v in {**SMARTHOST, **other}.items()), HOST)


# of an item: the value of its list
OTHER = {
    "hostname": '"other.example.com"', "postmaster": '"it@example.com"', "notices": "false", "user": '"bin"', "node": "3",
    "state_directory": f'"{HOME}/other-state"', "run_directory": f'"{HOME}/other-run"',
    "help_desk_group": '"mail"',
    "listen": places(port=str(g.free_port())), "listen.address": places(address='"127.0.0.2"'),
    "listen.port": places(port=str(g.free_port())), "listen.tls": places(tls='"starttls"'),
    "tls": groups(f'certificate = "{CERTIFICATE}"; private_key = "{KEY}";'),
    "tls.certificate": groups(f'certificate = "{HOME}/copy.crt"; private_key = "{PLACE}/tls.key";'),
    "tls.private_key": groups(f'certificate = "{PLACE}/tls.crt"; private_key = "{HOME}/copy.key";'),
    "tls.minimum": groups(f'certificate = "{PLACE}/tls.crt"; private_key = "{PLACE}/tls.key"; minimum = "1.3";'),
    "domains": groups('name = "example.com";'), "domains.name": groups('name = "example.com";', 'name = "three.example";'),
    "submission.processes": "2", "submission.idle_timeout": '"4m"', "submission.login_timeout": '"50s"',
    "submission.message_timeout": '"20m"', "submission.drain_timeout": '"20s"', "submission.client_address": '"show"',
    "submission.doubled_fields": '"pass"',
    "auth.mechanisms": '( "PLAIN" )', "auth.default_domain": '"two.example"', "auth.failure_limit": '"9 / 15m"',
    "auth.login_failure_limit": '"29 / 1h"', "auth.exempt_networks": '[ "192.0.2.0/24" ]', "auth.iterations": "10000",
    "auth.cache": '"30s"', "auth.workers": "3", "auth.step_timeout": '"10s"', "auth.checks_per_network": "7",
    "limits.message_size": '"40M"', "limits.recipients_per_message": "150", "limits.per_user": '"200 recipients / 1h"',
    "limits.users": groups('user = "x@example.com"; per_user = "9 / 1h";'),
    "limits.users.user": groups('user = "y@example.com"; per_user = "9 / 1h";'),
    "limits.users.per_user": groups('user = "erp@example.com"; per_user = "8 / 1h";'),
    "limits.sessions_per_client": "200", "limits.sessions": "1000", "limits.messages_per_session": "90",
    "sender_policy.send_as": groups('user = "x@example.com"; addresses = ( "a@example.com" );'),
    "sender_policy.send_as.user": groups('user = "y@example.com"; addresses = ( "a@example.com" );'),
    "sender_policy.send_as.addresses": groups('user = "it@example.com"; addresses = ( "b@example.com" );'),
    "sender_policy.subaddresses": "false",
    "routes": groups(HOST), "routes.to_domain": route(to_domain='"two.example"'), "routes.via": route(via='"smtp"'),
    "routes.host": route(host='"t.example"'), "routes.port": route(port="2526"), "routes.tls": route(tls='"starttls"'),
    "routes.username": route(username='"v"'), "routes.password": route(password='"q"'),
    "routes.allow_private": route(allow_private="true"), "routes.ca_file": route(ca_file=f'"{HOME}/ca.pem"'),
    "queue.directory": f'"{HOME}/other-spool"', "queue.lifetime": '"4d"', "queue.delay_warning": '"3h"',
    "queue.retry": '[ "7m" ]', "queue.minimum_free": '"2%"', "queue.first_attempt_memory": '"1M"', "queue.destination_concurrency": "9", "queue.concurrency": "400",
    **{f"timeouts.{name}": '"77s"' for name in (
        "attempt", "connect", "greeting", "ehlo", "mail", "rcpt", "data", "body", "final")},
    "dns.resolver": '"127.0.0.9"', "dns.resolv_conf": f'"{HOME}/resolv.conf"', "dns.hosts_file": f'"{HOME}/hosts"',
    "dns.dnssec": '"off"', "dns.insecure_zones": '( "corp.example" )', "dns.trust_anchor": f'"{HOME}/anchor"',
    "log.target": f'"file:{HOME}/other.log"', "log.addresses": '"domain"',
}
FIXED = {"auth.backends"}  # has one value only
RESTART = {"user", "node", "state_directory", "run_directory", "submission.processes", "auth.workers", "queue.directory"}


def write(**changed):
    """The changed keys have _ in place of a dot."""
    keys, sections = {**BASE, **{name.replace("__", "."): value for name, value in changed.items()}}, {}
    for key, value in keys.items():
        section, _, name = key.rpartition(".")
        sections.setdefault(section, []).append(f"{name or key} = {value};")
    with open(gate.config, "w", encoding="utf-8") as f:
        for section, lines in sections.items():
            f.write("\n".join(lines) + "\n" if not section else f"{section}: {{\n" + "\n".join(lines) + "\n};\n")


def reload(key=None):
    """What the tool says; the socket is where the daemon has it, whatever the file says."""
    owner = list_of(key) if key else None
    write(**({owner.replace(".", "__"): OTHER[key]} if key else {}))
    return gate.tool("--run-directory", f"{PLACE}/run", "reload").stdout


def table():
    """key -> whether a reload changes it, from the tool."""
    with open(f"{g.BUILD}/doc/sallyport.cfg.5", encoding="utf-8") as f:
        keys = re.findall(r"^\.It Ic ([a-z_.]+)$", f.read(), re.M)
    found = {}
    for key in keys:
        words = re.search(r"^reload +(.*)$", gate.tool("config", "explain", key).stdout, re.M).group(1)
        assert words in ("yes", "no, needs a restart"), (key, words)
        found[key] = words == "yes"
    return found


def list_of(key):
    """The list whose items have the key, or the key."""
    return next((name for name in ("listen", "tls", "domains", "limits.users", "sender_policy.send_as", "routes")
                 if key.startswith(f"{name}.")), key)


@tap.case
def every_key():
    """each key, changed alone and back: the reload names it, with "needs a restart" where the table says so, else without"""
    keys = table()
    assert set(keys) == set(OTHER) | FIXED, set(keys) ^ (set(OTHER) | FIXED)
    assert {key for key, is_applied in keys.items() if not is_applied} == RESTART
    for key in OTHER:
        said = reload(key)
        mine = [line for line in said.splitlines() if re.match(rf"{re.escape(list_of(key))}\b", line)]
        assert len(mine) >= 1 and "applied (configuration" in said, (key, said)
        assert all(line.endswith("(needs a restart)") != keys[key] for line in mine), (key, said)
        assert sum(line.endswith("(needs a restart)") for line in said.splitlines()) == (not keys[key]), (key, said)
        said = reload()
        assert "restart" not in said, (key, said)
        assert bool(re.search(rf"^{re.escape(list_of(key))}\b", said, re.M)) == keys[key], (key, said)


def identities():
    return sorted(role for role, _ in gate.processes().values())


def owners():
    return {role: os.stat(f"/proc/{pid}").st_uid for pid, (role, _) in gate.processes().items()}


def node_of(number):
    """Of a message's id, which is told in base 32: SLOT_BITS and COUNTER_BITS stand below it."""
    value = 0
    for letter in number:
        value = value << 5 | "0123456789ABCDEFGHJKMNPQRSTVWXYZ".index(letter)
    return value >> 13 & 31


@tap.case
def what_needs_a_restart():
    """said at each reload until it is done; roles that are started again have what the others have: user, node, directories"""
    roles, before = identities(), owners()
    changed = {key.replace(".", "__"): OTHER[key] for key in RESTART}
    for _ in range(2):
        write(**changed)
        said = gate.tool("--run-directory", f"{PLACE}/run", "reload").stdout
        assert {line.split()[0] for line in said.splitlines() if line.endswith("(needs a restart)")} == RESTART, said
    ready = gate.log().count("ready: ")
    for pid in list(gate.processes()):
        os.kill(pid, signal.SIGKILL)
    # a greeting comes sooner than a certificate: submission begins before it has its channel to keys
    g.wait_for("all are there again", 30, lambda: identities() == roles and gate.banner()
               and gate.log().count("ready: ") > ready)
    assert owners() == before
    client = gate.connect()
    code, reply = gate.send(client=client)
    assert code == 250 and node_of(re.search(r"Queued as (\w{12})", reply).group(1)) == 0, reply
    sink.wait(1)
    client.quit()
    status = gate.tool("--run-directory", f"{PLACE}/run", "status", check=False)
    assert "other-spool" not in status.stdout and not os.path.exists(f"{HOME}/other-spool"), status.stdout
    assert not os.path.exists(f"{HOME}/other-state") and "no longer leads" not in gate.log()
    assert "restart" not in reload()


write()
gate.start().add_user()
for end in ("crt", "key"):
    shutil.copy(f"{PLACE}/tls.{end}", f"{HOME}/copy.{end}")
    os.chmod(f"{HOME}/copy.{end}", 0o600)
try:
    tap.run()
finally:
    gate.stop()
    sink.stop()
