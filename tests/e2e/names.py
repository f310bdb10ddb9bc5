#!/usr/bin/env python3
"""names: who looks names up: the system's resolvers in their order, the hosts file, and what is done about DNSSEC where
a resolver drops the signatures.  Real servers (knotd, dnsmasq) on port 53 of a network namespace of our own."""
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../support")
import gateway as g  # noqa: E402

DNSMASQ = shutil.which("dnsmasq", path=os.environ.get("PATH", "") + ":/usr/sbin")
INSIDE = "SALLYPORT_TEST_NAMES_INSIDE"


def enter_namespace():
    """None, or why it cannot be done.  Resolvers of resolv.conf are asked on port 53, which may be taken outside."""
    if os.environ.get(INSIDE):
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        return None
    if os.getuid() or subprocess.call(["unshare", "-n", "true"], stderr=subprocess.DEVNULL):
        return "needs root: port 53 in a network namespace"
    if not DNSMASQ or not shutil.which("ip"):
        return "dnsmasq or ip is missing (Debian packages dnsmasq-base, iproute2)"
    os.environ[INSIDE] = "1"
    os.execvp("unshare", ["unshare", "-n", "--", sys.executable, os.path.abspath(__file__)])


why = enter_namespace()
if why:
    print(f"1..0 # SKIP {why}")
    sys.exit(0)

HOME = g.workplace("names")
tap = g.Tap()
sink = g.Sink(HOME)
RECORDS = "@ MX 10 mx\nmx A 127.0.0.1\n"
# corp.example.net is a zone of the inside: its parent is signed, and knows nothing of it
dns = g.Dns(HOME, {"example.net": RECORDS, "corp.example.net.unsigned": RECORDS, "plain.example.unsigned": RECORDS,
                   "forged.example.bogus": RECORDS})
ANCHOR = f"{HOME}/dns/anchor"


class Forwarder:
    """dnsmasq on port 53 of an address, asking knotd; `drops`: without signatures, as old forwarders answer."""

    def __init__(self, address, drops=False, more=()):
        options = ["--filter-rr=RRSIG"] if drops else []
        self.log = f"{HOME}/dnsmasq-{address}.log"
        self.process = subprocess.Popen(
            [DNSMASQ, "-k", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--pid-file=", "--user=root",
             f"--listen-address={address}", "--bind-interfaces", f"--server=127.0.0.1#{dns.port}", "--cache-size=0",
             "--log-queries", f"--log-facility={self.log}", *options, *more])
        g.wait_for("dnsmasq listens", 10, lambda: answers(address))

    def asked(self, pattern):
        with open(self.log, encoding="utf-8") as f:
            return re.search(pattern, f.read())

    def stop(self):
        self.process.terminate()
        self.process.wait(10)


def answers(address):
    run = subprocess.run(["kdig", f"@{address}", "+retry=0", "+timeout=1", "+short", "example.net", "SOA"],
                         capture_output=True, text=True, check=False)
    return run.returncode == 0 and run.stdout.startswith("ns.")


def write(name, text):
    path = f"{HOME}/{name}"
    with open(path, "w", encoding="ascii") as f:
        f.write(text)
    return path


RESOLV_CONF = write("resolv.conf", "# by a test\nsearch example.org\nnameserver 127.0.0.10\noptions edns0\n")
HOSTS = write("hosts", "127.0.0.1 localhost\n127.0.0.1\tthe-smarthost.test other # a comment\n")
ROUTES = (f'routes: ( {{ to_domain = "by-hosts.test"; via = "smtp"; host = "The-Smarthost.test"; port = {sink.port};'
          f' tls = "none"; }},\n{{ via = "mx"; port = {sink.port}; allow_private = true; tls = "none"; }} );')


def settings(**keys):
    keys = {"trust_anchor": f'"{ANCHOR}"', "resolv_conf": f'"{RESOLV_CONF}"', "hosts_file": f'"{HOSTS}"', **keys}
    return "dns: { " + " ".join(f"{key} = {value};" for key, value in keys.items() if value) + " };"


validating, dropping = Forwarder("127.0.0.10"), Forwarder("127.0.0.11", drops=True)
gate = g.Gateway(f"{HOME}/gateway", routes=ROUTES, extra=settings()).start()
gate.add_user()


def reload(check=True, **keys):
    gate.extra = settings(**keys)
    gate.write_config()
    return gate.tool("reload", check=check)


def use(*servers):
    write("resolv.conf", "".join(f"nameserver {server}\n" for server in servers))


def status():
    """Its exit status says whether all is well, which is not asked here."""
    rows = [json.loads(line) for line in gate.tool("status", "--json", check=False).stdout.splitlines()]
    return [row for row in rows if "resolver" in row]


def wait_dnssec(words):
    return g.wait_for(f"DNSSEC {words}", 20, lambda: status()[0]["dnssec"] == words and status())


def test(domain):
    """The rows of `test route`, and its exit status."""
    run = gate.tool("test", "route", f"bob@{domain}", "--json", check=False)
    return run.stdout + run.stderr, run.returncode


def finds(domain, secure=None):
    said, code = test(domain)
    assert code == 0 and "127.0.0.1" in said, said
    if secure is not None:
        assert f'"secure":{secure}' in said, said


def fails(domain, words):
    said, code = test(domain)
    assert code != 0 and words in said, (said, code)


@tap.case
def system():
    """without dns.resolver the nameservers of resolv.conf are asked, and what they pass on is validated"""
    rows = wait_dnssec("validated")
    assert rows[0]["resolver"] == "127.0.0.10@53" and rows[0]["from"] == RESOLV_CONF, rows
    finds("example.net", secure="true")
    finds("plain.example", secure="false")
    fails("forged.example", "DNSSEC validation failed")
    assert validating.asked(r"query\[MX\] example\.net")
    gate.send()
    sink.wait(1)
    assert re.search(r"names are looked up by 127\.0\.0\.10@53 \(from .*resolv\.conf\)", gate.log()), gate.tail()


@tap.case
def hosts_file():
    """a route's host is found in the hosts file; a domain and an MX host that stand there are not"""
    before = sink.count()
    said, code = test("by-hosts.test")
    assert code == 0 and "127.0.0.1" in said, said
    gate.send(["bob@by-hosts.test"])
    sink.wait(before + 1)
    write("hosts", "127.0.0.99 mx.example.net example.net the-smarthost.test\n")
    gate.tool("reload")
    finds("example.net", secure="true")
    said, _ = test("by-hosts.test")
    assert "127.0.0.99" in said, said
    reload(hosts_file='"/dev/null"')
    fails("by-hosts.test", "DNS failed")
    write("hosts", "127.0.0.1 localhost the-smarthost.test\n")
    reload()
    finds("by-hosts.test")


@tap.case
def internal_zone():
    """an unsigned zone under a signed parent is forged, unless dns.insecure_zones names it"""
    fails("corp.example.net", "DNSSEC validation failed")
    reload(insecure_zones='[ "corp.example.net" ]')
    wait_dnssec("validated")
    finds("corp.example.net", secure="false")
    finds("example.net", secure="true")
    fails("forged.example", "DNSSEC validation failed")
    reload()


@tap.case
def dropped_signatures():
    """a resolver that drops signatures: "auto" goes on without, and says so once; "require" tells it as an error"""
    use("127.0.0.11")
    gate.tool("reload")
    rows = wait_dnssec("not validated: signatures are not passed on")
    assert [row["resolver"] for row in rows] == ["127.0.0.11@53"], rows
    for domain in ("example.net", "plain.example", "forged.example", "corp.example.net"):
        finds(domain, secure="false")
    before = sink.count()
    gate.send()
    sink.wait(before + 1)
    told = re.findall(r"warning.*127\.0\.0\.11@53 passes no DNSSEC signatures on: answers are not validated", gate.log())
    assert len(told) == 1, told
    reload(dnssec='"require"')
    wait_dnssec("required, but signatures are not passed on")
    fails("example.net", "DNSSEC validation failed")
    gate.wait_log(r"error.*127\.0\.0\.11@53 passes no DNSSEC signatures on, and dns\.dnssec is \"require\"")
    reload(dnssec='"off"')
    assert status()[0]["dnssec"] == "off"
    finds("example.net", secure="false")
    use("127.0.0.10")
    reload(dnssec='"require"')
    wait_dnssec("validated")
    finds("example.net", secure="true")
    reload()


@tap.case
def another_resolv_conf():
    """resolv.conf is read again at a reload; gone or empty it means 127.0.0.1; dns.resolver comes before it"""
    own = Forwarder("127.0.0.1", more=["--address=/unused.test/127.0.0.1"])
    try:
        write("resolv.conf", "; nothing\n")
        gate.tool("reload")
        assert wait_dnssec("validated")[0]["resolver"] == "127.0.0.1@53"
        finds("example.net", secure="true")
        os.unlink(RESOLV_CONF)
        said = gate.tool("reload")
        assert said.returncode == 0, said
        assert wait_dnssec("validated")[0]["resolver"] == "127.0.0.1@53"
        use("127.0.0.11")
        reload(resolver='"127.0.0.10"')
        rows = wait_dnssec("validated")
        assert len(rows) == 1 and rows[0]["resolver"] == "127.0.0.10" and rows[0]["from"] == "dns.resolver", rows
        finds("example.net", secure="true")
        reload(resolver='"root"')
        assert status()[0]["resolver"] == "root servers", status()
    finally:
        own.stop()
        use("127.0.0.10")
        reload()


@tap.case
def changed_without_a_reload():
    """resolv.conf and the hosts file count a moment after they appear, change or go; one that cannot be read changes nothing, and status says so"""
    def asked(*servers):
        return lambda: [row["resolver"] for row in status()] == [f"{server}@53" for server in servers]

    def relay():
        rows = [json.loads(line) for line in gate.tool("status", "--json", check=False).stdout.splitlines()]
        return next(row for row in rows if row.get("role") == "relay")
    generation = re.search(r'"generation":(\d+)', gate.tool("status", "--json").stdout).group(1)
    use("127.0.0.11")
    g.wait_for("the other nameserver is asked", 20, asked("127.0.0.11"), every=0.2)
    os.rename(RESOLV_CONF, f"{RESOLV_CONF}.away")
    g.wait_for("without the file, 127.0.0.1 is asked", 20, asked("127.0.0.1"), every=0.2)
    os.rename(f"{RESOLV_CONF}.away", RESOLV_CONF)
    g.wait_for("the file is back", 20, asked("127.0.0.11"), every=0.2)
    use("127.0.0.10", "127.0.0.11")
    g.wait_for("both are asked", 20, asked("127.0.0.10", "127.0.0.11"), every=0.2)
    assert relay()["state"] == "ready", relay()
    os.unlink(RESOLV_CONF)
    os.mkdir(RESOLV_CONF)
    said = f"{RESOLV_CONF} cannot be read (Is a directory): what was read before is used"
    g.wait_for("status says that it cannot be read", 20, lambda: relay()["state"] == "failing" and said in relay()["work"], every=0.2)
    try:
        gate.wait_log(re.escape(said))
        assert asked("127.0.0.10", "127.0.0.11")(), status()
        gate.tool("reload")
        assert asked("127.0.0.10", "127.0.0.11")() and relay()["state"] == "failing", (status(), relay())
        finds("example.net")
        os.mkdir(f"{HOME}/another")
        refused = reload(check=False, resolv_conf=f'"{HOME}/another"')
        assert refused.returncode == 71 and f"{HOME}/another (for relay): Is a directory" in refused.stderr, refused
    finally:
        os.rmdir(RESOLV_CONF)
        use("127.0.0.10")
        gate.extra = settings()
        gate.write_config()
    g.wait_for("the file is read again", 20, asked("127.0.0.10"), every=0.2)
    assert relay()["state"] == "ready", relay()
    write("hosts", "127.0.0.98 the-smarthost.test\n")
    g.wait_for("the hosts file counts", 20, lambda: "127.0.0.98" in test("by-hosts.test")[0], every=0.2)
    write("hosts", "127.0.0.1 localhost the-smarthost.test\n")
    g.wait_for("the hosts file counts", 20, lambda: "127.0.0.98" not in test("by-hosts.test")[0], every=0.2)
    assert str(int(generation) + 1) == re.search(r'"generation":(\d+)', gate.tool("status", "--json").stdout).group(1)


@tap.case
def order():
    """the first nameserver is asked, for it may know what the others do not; a dead one is passed over"""
    second = Forwarder("127.0.0.12", more=["--mx-host=only-second.test,mx.only-second.test,10", "--local=/only-second.test/",
                                           "--address=/mx.only-second.test/127.0.0.1"])
    try:
        use("127.0.0.10", "127.0.0.12")
        gate.tool("reload")
        wait_dnssec("validated")
        for _ in range(5):
            finds("example.net", secure="true")
        assert not second.asked(r"query\[MX\] example\.net"), "the second one was asked"
        use("127.0.0.77", "127.0.0.12")
        gate.tool("reload")
        finds("example.net", secure="true")
        assert second.asked(r"query\[MX\] example\.net")
        # one that takes questions and says nothing
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
            silent.bind(("127.0.0.78", 53))
            use("127.0.0.78", "127.0.0.12")
            gate.tool("reload")
            before, began = sink.count(), time.monotonic()
            gate.send()
            sink.wait(before + 1)
            assert 3 < time.monotonic() - began < 15, time.monotonic() - began
            assert [row["answers"] for row in status()] == ["no", "yes"], status()
            began = time.monotonic()
            finds("plain.example")
            assert time.monotonic() - began < 3, "it is asked last now"
    finally:
        second.stop()
        use("127.0.0.10")
        gate.tool("reload")


@tap.case
def many_reloads():
    """resolv.conf may change as often as it likes"""
    before = gate.log().count("changed too often")
    for i in range(40):
        use(("127.0.0.10", "127.0.0.11")[i % 2])
        gate.tool("reload")
    use("127.0.0.10")
    gate.tool("reload")
    wait_dnssec("validated")
    finds("example.net", secure="true")
    assert gate.log().count("changed too often") == before


@tap.case
def anchor():
    """a trust anchor that cannot be used is an error in `config check` and at a reload, with its place, but for "off\""""
    for name, text, words in (("missing", None, "No such file"), ("empty", "", "there is no DS or DNSKEY record in it"),
                              ("garbage", ". IN DS 20326 8 2 00\n", "garbage:1: this is no well formed")):
        path = f"{HOME}/{name}" if text is None else write(name, text)
        refused = reload(check=False, trust_anchor=f'"{path}"')
        checked = gate.tool("config", "check", check=False)
        tried = subprocess.run([f"{g.BUILD}/sallyportd", "-t", "-c", gate.config], capture_output=True, text=True, check=False)
        for run in (refused, checked, tried):
            said = run.stdout + run.stderr
            assert run.returncode == 78 and words in said, (run, words)
            assert re.search(r"sallyport\.cfg:\d+: error: dns\.trust_anchor: ", said), said
        assert reload(trust_anchor=f'"{path}"', dnssec='"off"').returncode == 0
        assert gate.tool("config", "check").returncode == 0
    reload()
    finds("example.net", secure="true")


try:
    tap.run()
finally:
    gate.stop()
    validating.stop()
    dropping.stop()
    sink.stop()
    dns.stop()
