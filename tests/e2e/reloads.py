#!/usr/bin/env python3
"""reloads: a reload whose port or address cannot be had changes nothing; a listener that stays keeps its socket with those
who wait on it; what the daemon says of each changed key is what the key table says of it."""
import os
import re
import signal
import socket
import ssl
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../support")
import gateway as g  # noqa: E402

HOME = g.workplace("reloads")
tap = g.Tap()
gate = g.Gateway(f"{HOME}/gateway").start().add_user()
PARTS = dict(gate.parts)


def listen(*places):
    """Places: (port, tls) or (port, tls, address)."""
    items = [f'{{ address = "{(*place, "127.0.0.1")[2]}"; port = {place[0]}; tls = "{place[1]}"; }}' for place in places]
    return f"listen: ( {', '.join(items)} );"


def reload(check=True, **parts):
    gate.parts = {**PARTS, **parts}
    gate.write_config()
    return gate.tool("reload", check=check)


def is_refused(port):
    """The kernel says that nobody listens there."""
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 111


def main_descriptors():
    return sorted(os.listdir(f"/proc/{gate.main_pid()}/fd"))


def refused_as_a_whole(place, words):
    """A reload with this place, a port that is free and another limit: none of it is there afterwards."""
    free, roles, held = g.free_port(), set(gate.processes()), main_descriptors()
    run = reload(check=False, limits="limits: { recipients_per_message = 2; };",
                 listen=listen((free, "implicit"), (gate.smtps, "implicit"), place, (gate.submission, "starttls")))
    said = run.stderr
    assert run.returncode == 71 and "the running configuration is unchanged" in said, (run.returncode, said)
    for word in words:
        assert word in said, (word, said)
    assert is_refused(free) and gate.recipients_allowed() == 4
    assert set(gate.processes()) == roles and main_descriptors() == held
    gate.wait_log("reload failed .*cannot listen on")
    reload()


@tap.case
def port_that_is_taken():
    """a port that another process has: 71, port, address, who has it and what to do; nothing of the file is applied"""
    port = g.free_port()
    with socket.create_server(("127.0.0.1", port)):
        refused_as_a_whole((port, "implicit"), (
            f"listen: cannot listen on 127.0.0.1 port {port}", "Address already in use: another process listens there",
            f"process {os.getpid()} (python3), uid {os.getuid()}", "stop it, or change listen"))
        assert is_refused(port) is False
    assert f"listen {port}" not in gate.tool("config", "show").stdout


@tap.case
def address_of_another_host():
    """an address that this host does not have: 71, and where its addresses can be seen"""
    refused_as_a_whole((g.free_port(), "implicit", "192.0.2.77"), (
        "listen: cannot listen on 192.0.2.77 port", "Cannot assign requested address", "this host has no such address"))


@tap.case
def log_that_cannot_be_opened():
    """a log file that cannot be opened refuses the reload with its path; the former one is written on"""
    run = reload(check=False, limits="limits: { recipients_per_message = 2; };", log=f'log: {{ target = "file:{HOME}/absent/log"; }};')
    assert run.returncode == 71 and "the running configuration is unchanged" in run.stderr, run
    assert f"log.target: {HOME}/absent/log cannot be opened: No such file or directory" in run.stderr, run.stderr
    gate.wait_log("reload failed .*absent/log cannot be opened")
    assert gate.recipients_allowed() == 4
    reload()


@tap.case
def log_of_a_refused_reload():
    """a reload that is refused for a port leaves no new log file behind, and one that was there before stays as it was"""
    port = g.free_port()
    fresh, old = f"{HOME}/fresh.log", f"{HOME}/old.log"
    open(old, "w", encoding="ascii").close()
    with socket.create_server(("127.0.0.1", port)):
        for path in (fresh, old):
            run = reload(check=False, listen=listen((port, "implicit"), (gate.submission, "starttls")),
                         log=f'log: {{ target = "file:{path}"; }};')
            assert run.returncode == 71 and f"cannot listen on 127.0.0.1 port {port}" in run.stderr, run
    assert not os.path.exists(fresh) and os.path.exists(old)
    reload(log=f'log: {{ target = "file:{fresh}"; }};')
    g.wait_for("the new log has lines", 10, lambda: os.path.getsize(fresh))
    reload()


@tap.case
def no_journal():
    """without a journal, as in a container, the default target is stderr and reloads go on; another target must be there"""
    if os.path.exists("/run/systemd/journal/socket"):
        return "a journal is here"
    alone = g.Gateway(f"{HOME}/alone", log="").start()
    try:
        alone.extra = "limits: { recipients_per_message = 2; };"
        alone.write_config()
        assert "applied" in alone.tool("reload").stdout
        assert "/run/systemd/journal/socket cannot be opened (No such file or directory): logging goes on as before" in alone.tail()
        alone.parts["log"] = f'log: {{ target = "file:{HOME}/absent/log"; }};'
        alone.write_config()
        assert alone.tool("reload", check=False).returncode == 71
    finally:
        alone.stop()
    return None


class Waiting:
    """A client in the line of a listener: the kernel connected it, and nobody has accepted it yet."""

    def __init__(self, port, tls):
        self.socket, self.tls = socket.create_connection(("127.0.0.1", port), 10), tls

    def greeting(self):
        s = self.socket
        if self.tls == "implicit":
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            s = context.wrap_socket(s)
        line = s.recv(100)
        s.close()
        return line


class Stopped:
    """Submission accepts nothing: all its processes are stopped."""

    def __enter__(self):
        self.pids = [pid for pid, (role, _) in gate.processes().items() if role == "submission"]
        for pid in self.pids:
            os.kill(pid, signal.SIGSTOP)
            g.wait_for("it is stopped", 5, lambda p=pid: g.state_of(p) == "T")
        return self.pids

    def __exit__(self, *_):
        for pid in self.pids:
            os.kill(pid, signal.SIGCONT)


@tap.case
def clients_that_wait():
    """listeners change places, one goes and two come: each client in the line of one that stays is served, with its kind of TLS"""
    a, b, c = (gate.smtps, "implicit"), (gate.submission, "starttls"), (g.free_port(), "implicit")
    d, gone, e = (g.free_port(), "starttls"), (g.free_port(), "starttls"), (g.free_port(), "implicit")
    reload(listen=listen(gone, a, b, c))
    for order in ((b, d, c, a), (c, b), (e, a, b, c, d), (b, a)):
        before = [place for place in (a, b, c, d) if place[0] in ports_now()]
        with Stopped():
            waiting = [Waiting(*place) for place in before for _ in range(8) if place in order]
            reload(listen=listen(*order))
        for n, client in enumerate(waiting):
            assert client.greeting().startswith(b"220 "), (order, n, client.tls)
        for place in order:
            assert Waiting(*place).greeting().startswith(b"220 "), (order, place)
    reload()


def ports_now():
    text = re.search(r"listen: (.*)", gate.parts["listen"], re.S).group(1)
    return [int(port) for port in re.findall(r"port = (\d+)", text)]


@tap.case
def taken_out_while_a_process_hangs():
    """a listener that is taken out refuses connections at once, though a process that does not run still holds it; the others stay"""
    gone = (g.free_port(), "starttls")
    reload(listen=PARTS["listen"].replace(" );", ", " + listen(gone)[len("listen: ( "):]))
    with Stopped():
        waiting = [Waiting(*place) for place in ((gate.smtps, "implicit"), (gate.submission, "starttls")) for _ in range(8)]
        assert not is_refused(gone[0])
        reload()
        assert is_refused(gone[0])
    for client in waiting:
        assert client.greeting().startswith(b"220 ")
    with Stopped():
        reload(listen=PARTS["listen"].replace(" );", ", " + listen(gone)[len("listen: ( "):]))
        client = Waiting(*gone)
    assert client.greeting().startswith(b"220 ")
    reload()


@tap.case
def taken_out_and_put_back():
    """two reloads at once: the second one puts back what the first took out, before submission has closed it"""
    place = (g.free_port(), "starttls")
    both = PARTS["listen"].replace(" );", ", " + listen(place)[len("listen: ( "):])
    reload(listen=both)
    with Stopped() as pids:
        reload()
        later = threading.Timer(0.4, lambda: [os.kill(pid, signal.SIGCONT) for pid in pids])
        later.start()
        reload(listen=both)
        later.join()
    assert Waiting(*place).greeting().startswith(b"220 ")
    reload()


@tap.case
def many_words():
    """a file that is warned of or refused in more words than an answer holds: it is applied or not, and the end of the answer is there"""
    doubled = ", ".join(f'{{ user = "{"u" * 60}{n % 2}@example.com"; per_user = "{n + 1} recipients / 1h"; }}' for n in range(600))
    said = reload(limits=f"limits: {{ users: ( {doubled} ); }};")
    assert said.returncode == 0 and "applied" in said.stdout, said.stdout[-500:]
    wrong = "".join(f'{"x" * 100}{n} = 1;\n' for n in range(600))
    said = reload(check=False, extra=wrong)
    assert said.returncode == 78 and "the running configuration is unchanged" in said.stdout + said.stderr, said.stderr[-500:]
    compared = gate.tool("config", "diff", check=False)
    assert compared.returncode == 78 and "error" in compared.stdout + compared.stderr, compared
    reload()


@tap.case
def the_same_address_in_other_words():
    """an address that is written in another way keeps its socket too"""
    six = (g.free_port(), "starttls", "::1")
    reload(listen=PARTS["listen"].replace(" );", ", " + listen(six)[len("listen: ( "):]))
    with Stopped():
        waiting = socket.create_connection(("::1", six[0]), 10)
        again = (six[0], "starttls", "0:0:0:0:0:0:0:1")
        reload(listen=PARTS["listen"].replace(" );", ", " + listen(again)[len("listen: ( "):]))
    assert waiting.recv(4) == b"220 "
    waiting.close()
    reload()


@tap.case
def first_one_goes():
    """whichever listener is taken out, nobody listens at its port afterwards, and another program can"""
    for n in range(3):
        ports = [(g.free_port(), "starttls") for _ in range(3)]
        reload(listen=PARTS["listen"].replace(" );", ", " + listen(*ports)[len("listen: ( "):]))
        places = [*ports, (gate.smtps, "implicit"), (gate.submission, "starttls")]
        reload(listen=listen(*places))
        gone = places.pop(n)
        reload(listen=listen(*places))
        g.wait_for("the port is closed", 5, lambda port=gone[0]: is_refused(port))
        socket.create_server(("127.0.0.1", gone[0])).close()
    gate.stop()
    # the first one of the start is the one that most is made from
    first = g.free_port()
    gate.parts["listen"] = listen((first, "starttls"), (gate.smtps, "implicit"), (gate.submission, "starttls"))
    gate.write_config()
    gate.start()
    assert g.answers(first)
    reload()
    g.wait_for("the port is closed", 5, lambda: is_refused(first))


try:
    tap.run()
finally:
    gate.stop()
