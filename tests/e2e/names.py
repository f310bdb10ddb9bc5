#!/usr/bin/env python3
"""names: who looks names up: the system's resolvers in their order, the hosts file, and what is done about DNSSEC where
a resolver drops the signatures.  Real servers (knotd, dnsmasq) on port 53 of a network namespace of our own."""
import json
import os
import re
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../support")
import gateway as g  # noqa: E402
import nameservers  # noqa: E402
from nameservers import Fake  # noqa: E402

why = nameservers.enter_namespace(__file__)
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


def write(name, text):
    path = f"{HOME}/{name}"
    with open(path, "w", encoding="ascii") as f:
        f.write(text)
    return path


RESOLV_CONF = write("resolv.conf", "# by a test\nsearch example.org\nnameserver 127.0.0.10\noptions edns0\n")
HOSTS = write("hosts", "127.0.0.1 localhost\n127.0.0.1\tthe-smarthost.test other # a comment\n")
ROUTES = (f'routes: ( {{ to_domain = "inside.test"; via = "smarthost"; host = "smart.corp"; port = {sink.port}; tls = "none"; }},\n'
          f'{{ to_domain = "by-hosts.test"; via = "smtp"; host = "The-Smarthost.test"; port = {sink.port};'
          f' tls = "none"; }},\n{{ via = "mx"; port = {sink.port}; allow_private = true; tls = "none"; }} );')


def settings(**keys):
    keys = {"trust_anchor": f'"{ANCHOR}"', "resolv_conf": f'"{RESOLV_CONF}"', "hosts_file": f'"{HOSTS}"', **keys}
    return "dns: { " + " ".join(f"{key} = {value};" for key, value in keys.items() if value) + " };"


def forwarder(address, **keys):
    return nameservers.Forwarder(HOME, address, dns.port, **keys)


validating, dropping = forwarder("127.0.0.10"), forwarder("127.0.0.11", drops=True)
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


def wait_answers(*words):
    """Until the column `answers` begins with these words, one for each resolver."""
    def are_so():
        rows = status()
        return len(rows) == len(words) and all(row["answers"].startswith(w) for row, w in zip(rows, words)) and rows
    return g.wait_for(f"resolvers: {words}", 45, are_so)


def made():
    """How many resolvers were made until now."""
    return gate.log().count("names are looked up by")


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
    own = forwarder("127.0.0.1", more=["--address=/unused.test/127.0.0.1"])
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
        # none can be reached from this network
        fails("example.net", "4.4.3")
        wait_answers("no since 20")
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
    second = forwarder("127.0.0.12", more=["--mx-host=only-second.test,mx.only-second.test,10", "--local=/only-second.test/",
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
            began = time.monotonic()
            finds("plain.example")
            assert time.monotonic() - began < 3, "it is asked last now"
            rows = wait_answers("no since 20", "yes")
            assert rows[0]["resolver"] == "127.0.0.78@53", rows
            assert gate.tool("status", check=False).returncode == 0, "one of two answers"
    finally:
        second.stop()
        use("127.0.0.10")
        gate.tool("reload")


@tap.case
def knows_the_inside():
    """one name that is not answered makes no server silent; the second one cannot say that a name of the first does not exist"""
    inner, public = Fake("127.0.0.21", knows="smart.corp", drops=["lame.example"]), Fake("127.0.0.22", knows="out.example")
    try:
        use("127.0.0.21", "127.0.0.22")
        reload(dnssec='"off"')
        before = sink.count()
        fails("lame.example", "4.4.3")
        assert any(name == "lame.example" for name, _ in public.seen), public.seen
        gate.send(["bob@inside.test"])
        sink.wait(before + 1)
        assert not any(name == "smart.corp" for name, _ in public.seen), public.seen
        wait_answers("yes", "yes")
        inner.silent = True
        fails("gone.example", "4.4.3")
        finds("out.example")
        wait_answers("no since 20", "yes")
        fails("also-gone.example", "4.4.3")
        inner.silent = False
        wait_answers("yes", "yes")
        fails("gone-as-well.example", "5.1.2")
    finally:
        inner.stop()
        public.stop()
        use("127.0.0.10")
        reload()


@tap.case
def found_is_kept():
    """addresses that were found count, though the other family is not answered and the next nameserver is dead"""
    half, dead = Fake("127.0.0.23", knows="half.example", drops=[28]), Fake("127.0.0.24", silent=True)
    try:
        use("127.0.0.23", "127.0.0.24")
        reload(dnssec='"off"')
        finds("half.example")
        finds("half.example")
        assert status()[1]["answers"] == "not asked yet", status()
    finally:
        half.stop()
        dead.stop()
        use("127.0.0.10")
        reload()


@tap.case
def none_answers():
    """without any resolver that answers `status` fails and the log says so, once; and when one answers again"""
    only = Fake("127.0.0.25", knows="only.example")
    told = r"error: dns: no resolver answers \(127\.0\.0\.25@53\)"
    before = len(re.findall(told, gate.log()))
    try:
        use("127.0.0.25")
        reload(dnssec='"off"')
        wait_answers("not asked yet")
        assert gate.tool("status").returncode == 0
        finds("only.example")
        wait_answers("yes")
        only.silent = True
        fails("other.example", "4.4.3")
        wait_answers("no since 20")
        said = gate.tool("status", check=False)
        assert said.returncode == 69 and "no since 20" in said.stdout, said
        fails("third.example", "4.4.3")
        assert len(re.findall(told, gate.log())) == before + 1, gate.tail()
        only.silent = False
        wait_answers("yes")
        assert gate.tool("status").returncode == 0
        gate.wait_log(r"info: dns: 127\.0\.0\.25@53 answers again")
    finally:
        only.stop()
        use("127.0.0.10")
        reload()


@tap.case
def route_host_without_address():
    """a host that a route names has no address: its mail is deferred, whatever DNS says, and the log says once why, but not for a test"""
    told = r"error: relay: destination \S+: the host the-smarthost\.test has no address"
    knows_nothing = Fake("127.0.0.26")
    before = sink.count()
    try:
        os.rename(HOSTS, HOSTS + ".away")
        use("127.0.0.26")
        said = reload(dnssec='"off"')
        assert said.returncode == 0, said
        assert "451 4.3.5" in gate.tool("test", "route", "bob@by-hosts.test", check=False).stderr
        for name in ("bob", "carol"):
            gate.send([f"{name}@by-hosts.test"])
            gate.wait_log(rf"status=deferred reason=dns code=451 dsn=4\.3\.5 to=<{name}@by-hosts\.test>")
        gate.wait_log(r"warning: .*/hosts does not exist: the hosts that routes name are looked up in DNS alone")
        gate.wait_log(told)
        assert len(re.findall(told, gate.log())) == 1, "once for both, and not for the test"
        os.rename(HOSTS + ".away", HOSTS)
        gate.tool("reload")
        sink.wait(before + 2)
        gate.wait_log(r"info: relay: destination \S+: the host the-smarthost\.test has an address again")
    finally:
        write("hosts", "127.0.0.1 localhost the-smarthost.test\n")
        knows_nothing.stop()
        use("127.0.0.10")
        reload()


@tap.case
def large_hosts_file():
    """of a hosts file only the names of routes are kept, however long it is; over 64 MiB the former one stays"""
    with open(HOSTS, encoding="ascii") as f:
        former = f.read()
    try:
        with open(HOSTS, "w", encoding="ascii") as f:
            f.writelines(f"0.0.0.0 advertising-{i:06d}.tracker.example\n" for i in range(160000))
            f.write("127.0.0.98 the-smarthost.test\n")
        assert os.path.getsize(HOSTS) > 5 << 20
        assert gate.tool("config", "check").returncode == 0
        gate.tool("reload")
        assert "127.0.0.98" in test("by-hosts.test")[0]
        count = made()
        with open(HOSTS, "a", encoding="ascii") as f:
            f.write("0.0.0.0 one.more.tracker.example\n")
        gate.tool("reload")
        assert made() == count, "what is not used makes no new resolver"
        with open(HOSTS, "r+b") as f:
            f.truncate((64 << 20) + 1)
        checked = gate.tool("config", "check", check=False)
        assert checked.returncode == 78 and f"error: dns.hosts_file: {HOSTS}: File too large, at most 64 MiB are read" in checked.stdout, checked
        tried = subprocess.run([f"{g.BUILD}/sallyportd", "-t", "-c", gate.config], capture_output=True, text=True, check=False)
        assert tried.returncode == 78 and f"dns.hosts_file: {HOSTS}: File too large" in tried.stderr, tried
        gate.tool("reload")
        gate.wait_log(rf"error: {re.escape(HOSTS)} cannot be read \(File too large, at most 64 MiB are read\): what was read before is used")
        assert "127.0.0.98" in test("by-hosts.test")[0]
    finally:
        write("hosts", former)
        gate.tool("reload")


@tap.case
def reloads_with_open_questions():
    """a reload is in force though many questions to resolvers of reloads before are still open"""
    silent, tests = Fake("127.0.0.27", silent=True), []
    try:
        for i in range(20):
            use("127.0.0.27", f"127.0.1.{i + 1}")
            reload(dnssec='"off"')
            tests.append(subprocess.Popen([f"{g.BUILD}/sallyport", "-c", gate.config, "test", "route", f"bob@open{i}.example"],
                                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
            g.wait_for("the question", 20, lambda i=i: any(name == f"open{i}.example" for name, _ in silent.seen))
        use("127.0.0.10")
        reload()
        assert [row["resolver"] for row in status()] == ["127.0.0.10@53"], status()
        wait_dnssec("validated")
        finds("example.net", secure="true")
    finally:
        for process in tests:
            process.wait(60)
        silent.stop()
        use("127.0.0.10")
        reload()


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
